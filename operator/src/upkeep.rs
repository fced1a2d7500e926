//! One look at a Pipeline, and one at an Archive: are the words good, what is due, what is too old.

use crate::api::{Archive, ArchiveStatus, ConditionType, Pipeline, PipelineStatus};
use crate::apply::{self, Applied};
use crate::build;
use crate::condition::{Said, set};
use crate::context::Context;
use crate::decide::Note;
use crate::facts::JobFact;
use crate::job::PATIENCE_SECONDS;
use crate::moment::Moment;
use crate::observe;
use crate::reason::{During, Error, Reason, Step};
use crate::settle::{self, Settled};
use crate::status;
use crate::timetable::{Need, PipelineFacts, RunSeen, decide, is_poll_failing, makes_runs, poll_failed};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Resource, ResourceExt};
use std::sync::Arc;

/// Most decisions of one look.
const NEEDS_MAX: usize = 32;
/// How soon somebody else's write is looked at, seconds.
const CONFLICT_SECONDS: i64 = 1;
/// How soon a Pipeline is looked at again for which a call that succeeded changed nothing, seconds.
const NO_EFFECT_SECONDS: i64 = 30;
/// How soon a Run of ours that the API server refuses is offered again, seconds.
const REFUSED_SECONDS: i64 = 60;

/// Looks at a Pipeline and does what it needs now. Seconds after which to look again, whatever happens until then.
///
/// Errors: the call that failed.
pub async fn look(context: &Context, namespace: &str, name: &str) -> Result<Option<i64>, Error> {
    let found = observe::stored::<Pipeline>(context, namespace, name, Step::ReadPipeline).await?;
    let Some(mut pipeline) = found else { return Ok(None) };
    match go_on(context, &mut pipeline).await {
        Ok(again) => Ok(again),
        // Read again what somebody else wrote.
        Err(error) if error.is_overtaken() => Ok(Some(CONFLICT_SECONDS)),
        Err(error) => {
            status::degraded(context, &pipeline, &Note::from(&error)).await;
            Err(error)
        }
    }
}

async fn go_on(context: &Context, pipeline: &mut Pipeline) -> Result<Option<i64>, Error> {
    let mut before: Option<Need> = None;
    let mut known: Option<(PipelineFacts, Option<Arc<Settled>>)> = None;
    for _ in 0..NEEDS_MAX {
        if pipeline.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let (facts, settled) = match known.take() {
            Some(known) => known,
            None => Box::pin(facts(context, pipeline)).await?,
        };
        let need = decide(&facts, context.now());
        tracing::debug!(?need, "decided");
        if before.as_ref() == Some(&need) {
            tracing::warn!(?need, "what was done has changed nothing, and is done again later");
            return Ok(Some(NO_EFFECT_SECONDS));
        }
        before = Some(need.clone());
        let only_told = matches!(need, Need::Write(..));
        if let Some(again) = Box::pin(meet(context, pipeline, settled.as_deref(), need)).await? {
            return Ok(again);
        }
        if only_told {
            known = still_known(facts, settled, pipeline);
        }
    }
    Ok(Some(CONFLICT_SECONDS))
}

/// What is known of a Pipeline whose status was just written: all the rest of it still holds, but for a poll that has begun or
/// ended with that.
fn still_known(
    facts: PipelineFacts,
    settled: Option<Arc<Settled>>,
    pipeline: &Pipeline,
) -> Option<(PipelineFacts, Option<Arc<Settled>>)> {
    let status = pipeline.status.clone().unwrap_or_default();
    let is_same = status.poll == facts.status.poll && pipeline.metadata.generation == facts.generation;
    is_same.then(|| (PipelineFacts { status, ..facts }, settled))
}

async fn facts(context: &Context, pipeline: &Pipeline) -> Result<(PipelineFacts, Option<Arc<Settled>>), Error> {
    let namespace = pipeline.namespace().unwrap_or_default();
    let archives: Api<Archive> = Api::namespaced(context.client.clone(), &namespace);
    let archive = archives.get_opt(&pipeline.spec.0.archive).await.during(Step::ReadArchive)?;
    let settled = match &archive {
        None => {
            let message = format!("there is no Archive {} in this namespace; apply it", pipeline.spec.0.archive);
            Err((Reason::ArchiveMissing, message))
        }
        Some(archive) => {
            context.settle(archive, pipeline).map_err(|sentences| (Reason::WordsRefused, sentences.join("\n")))
        }
    };
    let uid = pipeline.uid().unwrap_or_default();
    let status = pipeline.status.clone().unwrap_or_default();
    let facts = PipelineFacts {
        name: pipeline.name_any(),
        generation: pipeline.metadata.generation,
        created: pipeline.creation_timestamp().as_ref().map(Moment::of).unwrap_or_default(),
        spec: pipeline.spec.0.clone(),
        accepted: settled.as_ref().map(|_| ()).map_err(Clone::clone),
        runs: runs(context, pipeline, &uid).await?,
        poll: poll_fact(context, pipeline, &status, &uid).await?,
        status,
        uid,
    };
    Ok((facts, settled.ok()))
}

/// The Pipeline's Runs. Where they are only shown, as the watch has them; where a Run may be made or removed, as they are.
async fn runs(context: &Context, pipeline: &Pipeline, uid: &str) -> Result<Vec<RunSeen>, Error> {
    match context.runs.get().filter(|_| !makes_runs(&pipeline.spec.0)) {
        Some(known) => {
            let ours = known.of_pipeline(&pipeline.namespace().unwrap_or_default(), &pipeline.name_any());
            Ok(ours.iter().map(|run| RunSeen::of(run, uid)).collect())
        }
        None => {
            let asked = observe::Asked { pipeline, fields: "", since: None };
            observe::of_pipeline(context, &asked, |run| RunSeen::of(run, uid)).await
        }
    }
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
async fn meet(
    context: &Context,
    pipeline: &mut Pipeline,
    settled: Option<&Settled>,
    need: Need,
) -> Result<Option<Option<i64>>, Error> {
    match need {
        Need::Rest(again) => {
            // That polls fail, only one that does not takes back.
            let status = pipeline.status.clone().unwrap_or_default();
            if !is_poll_failing(&pipeline.spec.0, &status) {
                status::recovered(context, pipeline).await?;
            }
            return Ok(Some(again));
        }
        Need::Write(status, note) => write(context, pipeline, *status, note).await?,
        Need::Start(name, status, note) => {
            match apply::create(context, &build::run(pipeline, &name), Step::CreateRun).await? {
                Applied::Done | Applied::Before => {}
                // The time stays due: it is tried again, as long as its deadline allows.
                Applied::Refused(sentence) => {
                    tracing::error!(run = name, sentence, "a Run of ours is refused");
                    let note = Note { reason: Step::CreateRun.reason(), message: format!("Run {name}: {sentence}") };
                    status::degraded(context, pipeline, &note).await;
                    return Ok(Some(Some(REFUSED_SECONDS)));
                }
            }
            write(context, pipeline, *status, Some(note)).await?;
        }
        Need::Poll(begun) => return poll(context, pipeline, settled, begun).await,
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

/// Creates the words and the Job of a poll; the seconds to rest, or `None` where its failure is written down.
async fn poll(
    context: &Context,
    pipeline: &mut Pipeline,
    settled: Option<&Settled>,
    begun: Moment,
) -> Result<Option<Option<i64>>, Error> {
    let Some(settled) = settled else { return Ok(Some(None)) };
    let mut applied = apply::write_poll_words(context, pipeline, settled).await?;
    if applied == Applied::Before {
        // Somebody else was quicker: the next look sees whose it is.
        return Ok(Some(Some(NO_EFFECT_SECONDS)));
    }
    if applied == Applied::Done {
        applied = match build::poll(pipeline, settled, &context.image, begun) {
            Ok(job) => apply::create(context, &job, Step::CreateJob).await?,
            Err(sentence) => Applied::Refused(sentence),
        };
    }
    let Applied::Refused(sentence) = applied else { return Ok(Some(Some(PATIENCE_SECONDS))) };
    let before = pipeline.status.clone().unwrap_or_default();
    let (status, note) = poll_failed(&before, pipeline.metadata.generation, &sentence, context.now());
    write(context, pipeline, status, Some(note)).await?;
    Ok(None)
}

/// Writes a Pipeline's status, counts what is new in it, and tells of it.
async fn write(
    context: &Context,
    pipeline: &mut Pipeline,
    status: PipelineStatus,
    note: Option<Note>,
) -> Result<(), Error> {
    let is_start =
        matches!(&note, Some(note) if [Reason::ScheduleStarted, Reason::ChangeStarted].contains(&note.reason));
    let written = status::replace(context, Pipeline { status: Some(status), ..pipeline.clone() }).await?;
    counted(context, pipeline, &written.status.clone().unwrap_or_default(), is_start);
    *pipeline = written;
    if let Some(note) = note {
        status::tell(context, &pipeline.object_ref(&()), &note).await;
    }
    Ok(())
}

/// Looks at an Archive: are its words good?
///
/// Errors: the call that failed.
pub async fn look_at_archive(context: &Context, namespace: &str, name: &str) -> Result<Option<i64>, Error> {
    let found = observe::stored::<Archive>(context, namespace, name, Step::ReadArchive).await?;
    let Some(archive) = found else { return Ok(None) };
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
    match status::replace(context, Archive { status: Some(status), ..archive.clone() }).await {
        Err(error) if error.is_overtaken() => Ok(Some(CONFLICT_SECONDS)),
        Err(error) => {
            status::degraded(context, &archive, &Note::from(&error)).await;
            Err(error)
        }
        Ok(_) => Ok(None),
    }
}
