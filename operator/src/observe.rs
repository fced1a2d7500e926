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
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::{Api, Resource, ResourceExt};
use pipeline::spec::Concurrency;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Objects of one page of a list.
const PAGE: u32 = 500;
/// The selector of Runs that have not ended.
const NOT_ENDED: &str = ",status.phase!=Complete,status.phase!=Failed";
/// Most pages of pods that are looked through for one that ran out of memory.
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
    // Until the Run has started anybody who may create ConfigMaps could have written this one: it counts if it says what the
    // Pipeline says.
    start.words = match (fresh(context, run, &pipeline).await?, written(context, run).await?) {
        (Words::Good(words), Some(Some(settled))) if settled.hash == words.hash => Words::Kept(words),
        (Words::Good(_), Some(_)) => Words::Taken,
        (words, _) => words,
    };
    if matches!(start.words, Words::Good(_) | Words::Kept(_)) && !facts.is_suspended() {
        start.others = siblings(context, run, &pipeline).await?;
    }
    Ok(start)
}

/// The words as they are now.
async fn fresh(context: &Context, run: &Run, pipeline: &Pipeline) -> Result<Words, Error> {
    let archives: Api<Archive> = namespaced(context, run);
    let name = &pipeline.spec.0.archive;
    let Some(archive) = archives.get_opt(name).await.during(Step::ReadArchive)? else {
        return Ok(Words::NoArchive(name.clone()));
    };
    Ok(match settle::settle(&archive, pipeline) {
        Ok(settled) => Words::Good(context.keep_words(settled)),
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
        let all = runs.state();
        let of_pipeline =
            all.iter().filter(|other| other.namespace() == run.namespace() && other.pipeline() == run.spec.0.pipeline);
        let known: Vec<Sibling> = of_pipeline.map(|other| Sibling::from(&**other)).collect();
        if let found @ Others::Before(_) = others(&own, &known, concurrency) {
            return Ok(found);
        }
    }
    let known = of_pipeline(context, pipeline, NOT_ENDED, |other| Sibling::from(other)).await?;
    Ok(others(&own, &known, concurrency))
}

/// What the Pipeline says about Runs at the same time.
pub fn concurrency(pipeline: &Pipeline) -> Concurrency {
    let schedule = pipeline.spec.0.schedule.as_ref();
    schedule.and_then(|schedule| schedule.concurrency).unwrap_or(Concurrency::Forbid)
}

/// Runs of a Pipeline as they are stored now, page by page, each as `take` wants it; `more` is a selector of fields.
pub async fn of_pipeline<T>(
    context: &Context,
    pipeline: &Pipeline,
    more: &str,
    take: impl Fn(&Glance) -> T,
) -> Result<Vec<T>, Error> {
    let namespace = pipeline.namespace().unwrap_or_default();
    let runs: Api<Glance> = Api::namespaced(context.client.clone(), &namespace);
    let mut page = ListParams::default().fields(&format!("spec.pipeline={}{more}", pipeline.name_any())).limit(PAGE);
    let mut taken = Vec::new();
    loop {
        let list = runs.list(&page).await.during(Step::ReadRuns)?;
        taken.extend(list.items.iter().map(&take));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(taken),
        }
    }
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
        let pods = if quiet { Vec::new() } else { pods_of(pods, found, many).await? };
        return Ok(JobFact::Ended(job::end(found, how, at, &pods)));
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Ok(JobFact::Going);
    }
    let mut activity = job::activity(found, None);
    let uid = found.uid().unwrap_or_default();
    if job::is_stuck(&activity, context.now()) && context.pods.is_due(&uid, context.now()) {
        activity.trouble = job::trouble(&pods_of(pods, found, false).await?, context.now());
    }
    Ok(JobFact::Active(activity))
}

/// The pods of a Job, found by its UID: another Job of the same name before it has other pods. Of many pages, one is enough
/// that has a pod which ran out of memory.
async fn pods_of(pods: &Api<Pod>, of: &Job, all: bool) -> Result<Vec<Pod>, Error> {
    let uid = of.uid().unwrap_or_default();
    let mut page = ListParams::default().labels(&format!("batch.kubernetes.io/controller-uid={uid}")).limit(PAGE);
    let mut found: Vec<Pod> = Vec::new();
    for _ in 0..PAGES_MAX {
        let list = pods.list(&page).await.during(Step::ReadPods)?;
        let memory = job::end(of, How::Tries(String::new()), Moment::default(), &list.items).memory;
        if found.is_empty() || memory {
            found.extend(list.items);
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) if all && !memory => page = page.continue_token(&token),
            _ => break,
        }
    }
    Ok(found)
}
