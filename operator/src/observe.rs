//! Looks at the cluster: what `decide` needs to know of a Run, read from the API server and never from a watch, so that no
//! stale list makes a second Job. Nothing more is read than the phase needs.

use crate::api::{Archive, Phase, Pipeline, Run};
use crate::build::{QUEUE, RUN_UID, WORDS_KEY, words_name};
use crate::context::Context;
use crate::decide::may_have_left_a_job;
use crate::facts::{Act, Facts, How, JobFact, Kept, Others, RunFacts, Start, UnderWay, Words};
use crate::glance::Glance;
use crate::job;
use crate::moment::Moment;
use crate::others::{Sibling, others};
use crate::reason::{During, Error, Step};
use crate::settle::{self, Settled};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, ObjectList};
use kube::core::DeserializeGuard;
use kube::{Api, Resource, ResourceExt};
use pipeline::spec::Concurrency;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// Objects of one page of a list.
const PAGE: u32 = 500;
/// The selector of Runs that have not ended.
const NOT_ENDED: &str = ",status.phase!=Complete,status.phase!=Failed";
/// Most pages of pods that are looked through for one that tells why the Job failed.
const PAGES_MAX: usize = 40;

/// The facts of a Run as it is stored.
pub fn run_facts(run: &Run) -> RunFacts {
    RunFacts {
        name: run.name_any(),
        generation: run.metadata.generation,
        created: run.creation_timestamp().as_ref().map(Moment::of).unwrap_or_default(),
        spec: run.spec.0.clone(),
        queue: run.labels().get(QUEUE).cloned(),
        status: run.status.clone().unwrap_or_default(),
    }
}

/// An object as it is stored now: `None` where it is gone, and where it does not fit this version of the operator, which is
/// counted and leaves it alone.
pub async fn stored<K>(context: &Context, namespace: &str, name: &str, step: Step) -> Result<Option<K>, Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<DeserializeGuard<K>> = Api::namespaced(context.client.clone(), namespace);
    let Some(found) = api.get_opt(name).await.during(step)? else { return Ok(None) };
    match found.0 {
        Ok(object) => Ok(Some(object)),
        Err(invalid) => {
            let kind = K::kind(&()).into_owned();
            tracing::warn!(kind, error = invalid.error, "an object does not fit this version of the operator");
            context.metrics.undecodable(&kind);
            Ok(None)
        }
    }
}

/// What the Run's phase needs to know.
pub async fn facts(context: &Context, run: &Run, facts: &RunFacts) -> Result<Facts, Error> {
    match Act::of(facts.status.phase) {
        None if facts.status.phase == Phase::Pending => Ok(Facts::Start(start(context, run, facts).await?)),
        None if may_have_left_a_job(&facts.status) => {
            Ok(Facts::Over(job_fact(context, run, facts, facts.last_act()).await?))
        }
        None => Ok(Facts::Over(JobFact::Absent)),
        Some(act) => {
            let job = job_fact(context, run, facts, act).await?;
            let words = kept(context, run, facts, job == JobFact::Absent).await?;
            Ok(Facts::UnderWay(UnderWay { words, job }))
        }
    }
}

fn namespaced<K>(context: &Context, run: &Run) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(context.client.clone(), &run.namespace().unwrap_or_default())
}

async fn start(context: &Context, run: &Run, facts: &RunFacts) -> Result<Start, Error> {
    let mut start = Start { words: Words::NoPipeline, queue: None, others: Others::None, image: context.image.clone() };
    let pipelines: Api<Pipeline> = namespaced(context, run);
    let Some(pipeline) = pipelines.get_opt(&facts.spec.pipeline).await.during(Step::ReadPipeline)? else {
        return Ok(start);
    };
    start.queue = pipeline.labels().get(QUEUE).cloned();
    // Whether they are written down already, a create that collides tells.
    start.words = fresh(context, run, &pipeline).await?;
    if matches!(start.words, Words::Good(_)) && !facts.is_suspended() {
        start.others = siblings(context, run, &pipeline).await?;
    }
    Ok(start)
}

/// The words of a Run that has not started, where something has the name of their ConfigMap. Until then anybody who may create
/// ConfigMaps could have written it: it counts if it says what the Pipeline says.
pub async fn collided(context: &Context, run: &Run, words: Arc<Settled>) -> Result<Words, Error> {
    Ok(match written(context, run).await? {
        None => Words::Good(words),
        Some(Some(settled)) if settled.hash == words.hash => Words::Kept(words),
        Some(_) => Words::Taken,
    })
}

/// What is known of a Run whose status was just written so that an act begins: nobody else can have written it, so nobody has
/// made the Job that it names. If something else has that name, its create collides.
pub async fn begun(context: &Context, run: &Run, before: Facts) -> Result<Facts, Error> {
    let words = match before {
        Facts::Start(Start { words: Words::Kept(words), .. }) => Kept::Good(words),
        _ => kept(context, run, &run_facts(run), true).await?,
    };
    Ok(Facts::UnderWay(UnderWay { words, job: JobFact::Absent }))
}

/// The words as they are now.
async fn fresh(context: &Context, run: &Run, pipeline: &Pipeline) -> Result<Words, Error> {
    let archives: Api<Archive> = namespaced(context, run);
    let name = &pipeline.spec.0.archive;
    let Some(archive) = archives.get_opt(name).await.during(Step::ReadArchive)? else {
        return Ok(Words::NoArchive(name.clone()));
    };
    Ok(match context.settle(&archive, pipeline) {
        Ok(words) => Words::Good(words),
        Err(sentences) => Words::Refused(sentences),
    })
}

/// The words as they were written down for this Run: `None` where they were not, `Some(None)` where something else has
/// their name.
async fn written(context: &Context, run: &Run) -> Result<Option<Option<Settled>>, Error> {
    let maps: Api<ConfigMap> = namespaced(context, run);
    let Some(map) = maps.get_opt(&words_name(&run.name_any())).await.during(Step::ReadWords)? else {
        return Ok(None);
    };
    let ours = map.labels().get(RUN_UID) == run.metadata.uid.as_ref();
    let text = map.data.as_ref().and_then(|data| data.get(WORDS_KEY)).filter(|_| ours);
    Ok(Some(text.and_then(|text| settle::read(text).ok())))
}

/// The words of a Run that has started. Where a pod is to be made they have to be there; else what was read before does.
async fn kept(context: &Context, run: &Run, facts: &RunFacts, must_be_there: bool) -> Result<Kept, Error> {
    let hash = facts.status.words.clone().unwrap_or_default();
    if let Some(words) = context.known_words(&hash).filter(|_| !must_be_there) {
        return Ok(Kept::Good(words));
    }
    match written(context, run).await? {
        Some(Some(settled)) if settled.hash == hash => Ok(Kept::Good(context.keep_words(settled))),
        Some(_) => Ok(Kept::Lost),
        None => again(context, run, facts, &hash).await,
    }
}

/// The words from where they came from, if those still say the same.
async fn again(context: &Context, run: &Run, facts: &RunFacts, hash: &str) -> Result<Kept, Error> {
    let pipelines: Api<Pipeline> = namespaced(context, run);
    let Some(pipeline) = pipelines.get_opt(&facts.spec.pipeline).await.during(Step::ReadPipeline)? else {
        return Ok(Kept::Lost);
    };
    Ok(match fresh(context, run, &pipeline).await? {
        Words::Good(settled) if settled.hash == hash => Kept::Again(settled),
        _ => Kept::Lost,
    })
}

/// The other Runs of the Pipeline. The watch may say that one stands in the way; that none does, only the API server.
async fn siblings(context: &Context, run: &Run, pipeline: &Pipeline) -> Result<Others, Error> {
    let concurrency = concurrency(pipeline);
    if concurrency == Concurrency::Allow {
        return Ok(Others::None);
    }
    let own = Sibling::of(run);
    if concurrency == Concurrency::Forbid
        && let Some(runs) = context.runs.get()
    {
        let all = runs.of_pipeline(&run.namespace().unwrap_or_default(), &run.spec.0.pipeline);
        let known: Vec<Sibling> = all.iter().map(|other| Sibling::from(&**other)).collect();
        if let Others::Before(name) = others(&own, &known, concurrency) {
            // One read says whether it is so still: a watch that stands still must not let a Run wait for ever.
            let found = namespaced::<Glance>(context, run).get_opt(&name).await.during(Step::ReadRun)?;
            let now: Vec<Sibling> = found.iter().map(Sibling::from).collect();
            if let found @ Others::Before(_) = others(&own, &now, concurrency) {
                return Ok(found);
            }
        }
    }
    let asked = Asked { pipeline, fields: NOT_ENDED, since: run.metadata.resource_version.as_deref() };
    let known = of_pipeline(context, &asked, |other| Sibling::from(other)).await?;
    Ok(others(&own, &known, concurrency))
}

/// Which Runs are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Of which Pipeline.
    pub pipeline: &'a Pipeline,
    /// More of a selector of fields.
    pub fields: &'a str,
    /// The version of a Run that was read before: a list that is older comes from a cache, and says nothing about now.
    pub since: Option<&'a str>,
}

/// What the Pipeline says about Runs at the same time.
pub fn concurrency(pipeline: &Pipeline) -> Concurrency {
    let schedule = pipeline.spec.0.schedule.as_ref();
    schedule.and_then(|schedule| schedule.concurrency).unwrap_or(Concurrency::Forbid)
}

/// Runs of a Pipeline as they are stored now, page by page, each as `take` wants it.
///
/// Errors: also for a list that is older than what was read before.
pub async fn of_pipeline<T>(
    context: &Context,
    asked: &Asked<'_>,
    take: impl Fn(&Glance) -> T,
) -> Result<Vec<T>, Error> {
    let (namespace, name) = (asked.pipeline.namespace().unwrap_or_default(), asked.pipeline.name_any());
    let runs: Api<Glance> = Api::namespaced(context.client.clone(), &namespace);
    let mut page = ListParams::default().fields(&format!("spec.pipeline={name}{}", asked.fields)).limit(PAGE);
    let mut taken = Vec::new();
    loop {
        let list = runs.list(&page).await.and_then(|list| not_older(list, asked.since)).during(Step::ReadRuns)?;
        taken.extend(list.items.iter().map(&take));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(taken),
        }
    }
}

/// Refuses a list that is older than a version of one of its objects. The versions of one kind are numbers that grow; where
/// they are something else nothing is judged.
fn not_older<K: Clone>(list: ObjectList<K>, since: Option<&str>) -> Result<ObjectList<K>, kube::Error> {
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u64>().ok());
    match (number(list.metadata.resource_version.as_deref()), number(since)) {
        (Some(listed), Some(since)) if listed < since => Err(old_list()),
        _ => Ok(list),
    }
}

fn old_list() -> kube::Error {
    let sentence = "the list is older than what was read before; whatever stands between the operator and the API server must \
                    not answer lists from a cache";
    kube::Error::Service(sentence.into())
}

/// The Job of an act as it is stored now.
async fn job_fact(context: &Context, run: &Run, facts: &RunFacts, act: Act) -> Result<JobFact, Error> {
    let jobs: Api<Job> = namespaced(context, run);
    let Some(found) = jobs.get_opt(&facts.job_name(act)).await.during(Step::ReadJob)? else {
        return Ok(JobFact::Absent);
    };
    if !found.owner_references().iter().any(|owner| Some(&owner.uid) == run.metadata.uid.as_ref()) {
        return Ok(JobFact::Foreign);
    }
    let pods: Api<Pod> = namespaced(context, run);
    look(context, &found, &pods, act == Act::Shards).await
}

/// Judges a Job, with a look at its pods where they have something to say.
pub(crate) async fn look(context: &Context, found: &Job, pods: &Api<Pod>, many: bool) -> Result<JobFact, Error> {
    if let Some((how, at)) = job::ended(found) {
        let quiet = many && how == How::Complete;
        let pods = if quiet { Vec::new() } else { pods_of(pods, found, Some(&how).filter(|_| many)).await? };
        if job::are_at_work(&pods) {
            // Without what they say at their end the act would be done again.
            return Err(old_list()).during(Step::ReadPods);
        }
        return Ok(JobFact::Ended(job::end(found, how, at, &pods)));
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Ok(JobFact::Going);
    }
    let mut activity = job::activity(found, None);
    let uid = found.uid().unwrap_or_default();
    if job::is_stuck(&activity, context.now()) && context.pods.is_due(&uid, context.now()) {
        activity.trouble = job::trouble(&pods_of(pods, found, None).await?, context.now());
    }
    Ok(JobFact::Active(activity))
}

/// The pods of a Job, found by its UID: another Job of the same name before it has other pods. The first page, and where the
/// Job has many and `ended` so, that which tells why: it may be any of them, for pods are listed by name.
async fn pods_of(pods: &Api<Pod>, of: &Job, ended: Option<&How>) -> Result<Vec<Pod>, Error> {
    let uid = of.uid().unwrap_or_default();
    let mut page = ListParams::default().labels(&format!("batch.kubernetes.io/controller-uid={uid}")).limit(PAGE);
    let mut found: Vec<Pod> = Vec::new();
    for _ in 0..PAGES_MAX {
        let list = pods.list(&page).await.during(Step::ReadPods)?;
        let tells =
            ended.is_some_and(|how| job::tells(how, &job::end(of, how.clone(), Moment::default(), &list.items)));
        if found.is_empty() || tells {
            found.extend(list.items);
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) if ended.is_some() && !tells => page = page.continue_token(&token),
            _ => break,
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::TypeMeta;

    fn listed(version: &str) -> ObjectList<Pod> {
        let metadata = serde_json::from_value(serde_json::json!({"resourceVersion": version})).unwrap();
        ObjectList { types: TypeMeta::default(), metadata, items: Vec::new() }
    }

    #[test]
    fn a_list_that_is_older_than_one_of_its_objects_says_nothing() {
        assert!(not_older(listed("41"), Some("42")).is_err());
        for (version, since) in
            [("42", Some("42")), ("100", Some("99")), ("41", None), ("x41", Some("42")), ("", Some("42"))]
        {
            assert!(not_older(listed(version), since).is_ok(), "{version} {since:?}");
        }
    }
}
