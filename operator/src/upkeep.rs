//! One look at a Pipeline, and one at an Archive: are the words good, what is due, what is too old.

use crate::api::{Archive, ArchiveStatus, ConditionType, Pipeline, PipelineStatus};
use crate::apply::{self, Applied, MANAGER};
use crate::build;
use crate::condition::{Said, set};
use crate::context::Context;
use crate::facts::JobFact;
use crate::moment::Moment;
use crate::observe;
use crate::reason::{During, Error, Reason, Step};
use crate::settle::{self, Settled};
use crate::status;
use crate::timetable::{Need, PipelineFacts, RunSeen, decide};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::{Api, Resource, ResourceExt};

/// Most decisions of one look.
const NEEDS_MAX: usize = 32;

/// Looks at a Pipeline and does what it needs now. Seconds after which to look again, whatever happens until then.
///
/// Errors: the call that failed.
pub async fn look(context: &Context, namespace: &str, name: &str) -> Result<Option<i64>, Error> {
    let pipelines: Api<DeserializeGuard<Pipeline>> = Api::namespaced(context.client.clone(), namespace);
    let Some(found) = pipelines.get_opt(name).await.during(Step::ReadPipeline)? else { return Ok(None) };
    let mut pipeline = match found.0 {
        Ok(pipeline) => pipeline,
        Err(invalid) => {
            context.metrics.undecodable("Pipeline");
            tracing::warn!(error = invalid.error, "a Pipeline does not fit this version of the operator");
            return Ok(None);
        }
    };
    for _ in 0..NEEDS_MAX {
        if pipeline.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let (facts, settled) = facts(context, &pipeline).await?;
        let need = decide(&facts, context.now());
        tracing::debug!(?need, "decided");
        match go_on(context, &mut pipeline, settled.as_ref(), need).await {
            Ok(Some(again)) => return Ok(again),
            Ok(None) => {}
            Err(error) if error.is_conflict() => return Ok(Some(1)),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(1))
}

async fn facts(context: &Context, pipeline: &Pipeline) -> Result<(PipelineFacts, Option<Settled>), Error> {
    let namespace = pipeline.namespace().unwrap_or_default();
    let archives: Api<Archive> = Api::namespaced(context.client.clone(), &namespace);
    let archive = archives.get_opt(&pipeline.spec.0.archive).await.during(Step::ReadArchive)?;
    let settled = match &archive {
        None => {
            let message = format!("there is no Archive {} in this namespace; apply it", pipeline.spec.0.archive);
            Err((Reason::ArchiveMissing, message))
        }
        Some(archive) => {
            settle::settle(archive, pipeline).map_err(|sentences| (Reason::WordsRefused, sentences.join("\n")))
        }
    };
    let uid = pipeline.uid().unwrap_or_default();
    let runs = observe::of_pipeline(context, pipeline).await?;
    let status = pipeline.status.clone().unwrap_or_default();
    let facts = PipelineFacts {
        name: pipeline.name_any(),
        generation: pipeline.metadata.generation,
        created: pipeline.creation_timestamp().as_ref().map(Moment::of).unwrap_or_default(),
        spec: pipeline.spec.0.clone(),
        accepted: settled.as_ref().map(|_| ()).map_err(Clone::clone),
        runs: runs.iter().map(|run| RunSeen::of(run, &uid)).collect(),
        poll: poll_fact(context, pipeline, &status, &uid).await?,
        status,
        uid,
    };
    Ok((facts, settled.ok()))
}

/// The Job of the poll that is under way.
async fn poll_fact(
    context: &Context,
    pipeline: &Pipeline,
    status: &PipelineStatus,
    uid: &str,
) -> Result<Option<JobFact>, Error> {
    let Some(poll) = status.poll.as_ref().filter(|poll| !poll.ended) else { return Ok(None) };
    let namespace = pipeline.namespace().unwrap_or_default();
    let jobs: Api<Job> = Api::namespaced(context.client.clone(), &namespace);
    let name = build::poll_name(&pipeline.name_any(), poll.time);
    let Some(found) = jobs.get_opt(&name).await.during(Step::ReadJob)? else { return Ok(Some(JobFact::Absent)) };
    if !found.owner_references().iter().any(|owner| owner.uid == uid) {
        return Ok(Some(JobFact::Foreign));
    }
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    observe::look(context, &found, &pods, false).await.map(Some)
}

/// Does one thing; `Some` when nothing is left to do now.
async fn go_on(
    context: &Context,
    pipeline: &mut Pipeline,
    settled: Option<&Settled>,
    need: Need,
) -> Result<Option<Option<i64>>, Error> {
    match need {
        Need::Rest(again) => return Ok(Some(again)),
        Need::Write(status, note) => {
            counted(context, pipeline, &status, false);
            *pipeline = status::replace(context, Pipeline { status: Some(*status), ..pipeline.clone() }).await?;
            if let Some(note) = note {
                status::tell(context, &pipeline.object_ref(&()), &note).await;
            }
        }
        Need::Start(name, status, note) => {
            match apply::create(context, &build::run(pipeline, &name), Step::CreateRun).await? {
                Applied::Done => {}
                Applied::Refused(sentence) => tracing::error!(run = name, sentence, "a Run of ours is refused"),
            }
            counted(context, pipeline, &status, true);
            *pipeline = status::replace(context, Pipeline { status: Some(*status), ..pipeline.clone() }).await?;
            status::tell(context, &pipeline.object_ref(&()), &note).await;
        }
        Need::Poll(begun) => return poll(context, pipeline, settled, begun).await.map(Some),
        Need::Forget(name, uid) => {
            let namespace = pipeline.namespace().unwrap_or_default();
            apply::delete_run(context, &namespace, &name, &uid).await?;
        }
    }
    Ok(None)
}

/// Counts what a status tells of for the first time.
fn counted(context: &Context, pipeline: &Pipeline, status: &PipelineStatus, is_start: bool) {
    let before = pipeline.status.clone().unwrap_or_default();
    let missed = status.missed.unwrap_or(0).saturating_sub(before.missed.unwrap_or(0));
    context.metrics.scheduled("missed", missed);
    if status.last_schedule_time != before.last_schedule_time && is_start {
        context.metrics.scheduled("started", 1);
    }
    let ended = |status: &PipelineStatus| status.poll.as_ref().filter(|poll| poll.ended).cloned();
    if let Some(poll) = ended(status).filter(|poll| ended(&before).as_ref() != Some(poll)) {
        let outcome = match (&poll.source, is_start) {
            (None, _) => "failed",
            (Some(_), true) => "changed",
            (Some(_), false) => "same",
        };
        context.metrics.polled(outcome);
    }
}

/// Creates the words and the Job of a poll.
async fn poll(
    context: &Context,
    pipeline: &Pipeline,
    settled: Option<&Settled>,
    begun: Moment,
) -> Result<Option<i64>, Error> {
    let Some(settled) = settled else { return Ok(None) };
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &pipeline.namespace().unwrap_or_default());
    let words = build::poll_words(pipeline, settled);
    context.metrics.write(Step::CreateWords);
    let params = PatchParams::apply(MANAGER).force();
    maps.patch(&words.name_any(), &params, &Patch::Apply(&words)).await.during(Step::CreateWords)?;
    let applied = match build::poll(pipeline, settled, &context.image, begun) {
        Ok(job) => apply::create(context, &job, Step::CreateJob).await?,
        Err(sentence) => Applied::Refused(sentence),
    };
    if let Applied::Refused(message) = applied {
        tracing::warn!(message, "the Job of a poll is refused");
    }
    Ok(Some(crate::job::PATIENCE_SECONDS))
}

/// Looks at an Archive: are its words good?
///
/// Errors: the call that failed.
pub async fn look_at_archive(context: &Context, namespace: &str, name: &str) -> Result<Option<i64>, Error> {
    let archives: Api<DeserializeGuard<Archive>> = Api::namespaced(context.client.clone(), namespace);
    let Some(found) = archives.get_opt(name).await.during(Step::ReadArchive)? else { return Ok(None) };
    let archive = match found.0 {
        Ok(archive) => archive,
        Err(invalid) => {
            context.metrics.undecodable("Archive");
            tracing::warn!(error = invalid.error, "an Archive does not fit this version of the operator");
            return Ok(None);
        }
    };
    let said = match settle::settle_archive(&archive) {
        Ok(()) => Said::yes(ConditionType::Accepted, Reason::Accepted, ""),
        Err(sentences) => Said::no(ConditionType::Accepted, Reason::WordsRefused, sentences.join("\n")),
    };
    let before = archive.status.clone().unwrap_or_default();
    let mut status: ArchiveStatus = before.clone();
    set(&mut status.conditions, said, archive.metadata.generation, context.now());
    if status == before {
        return Ok(None);
    }
    match status::replace(context, Archive { status: Some(status), ..archive }).await {
        Err(error) if error.is_conflict() => Ok(Some(1)),
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    }
}
