//! One look at a Run: observe, decide, apply or write, and again until there is nothing left to do now.

use crate::api::{Run, RunStatus};
use crate::apply::{self, Applied};
use crate::context::Context;
use crate::decide::{self, Decision, Note, decide};
use crate::facts::{Act, Facts, JobFact, RunFacts, Start, Words};
use crate::job::PATIENCE_SECONDS;
use crate::moment::Moment;
use crate::observe;
use crate::reason::{Error, Step};
use crate::settle::Settled;
use crate::status;
use kube::ResourceExt;
use std::sync::Arc;

/// Most decisions of one look: a Run needs fewer, and what goes round in circles must not do so for ever.
const DECISIONS_MAX: usize = 16;

/// A Run that has not ended is looked at every so often, even where no watch tells of a change, seconds.
const RESYNC_SECONDS: i64 = 300;

/// How soon somebody else's write is looked at, seconds.
const CONFLICT_SECONDS: i64 = 1;

/// How soon a Run is looked at again for which a call that succeeded changed nothing, seconds: somebody else undoes it, or does
/// not let it through.
const NO_EFFECT_SECONDS: i64 = 30;

/// Looks at a Run and does what it needs now. Seconds after which to look again, whatever happens until then.
///
/// Errors: the call that failed; the Run says so in its condition Degraded, if that can be written.
pub async fn look(context: &Context, namespace: &str, name: &str) -> Result<Option<i64>, Error> {
    let Some(mut run) = observe::stored::<Run>(context, namespace, name, Step::ReadRun).await? else { return Ok(None) };
    match go_on(context, &mut run).await {
        Ok(again) => Ok(again.or_else(|| is_active(&run).then_some(RESYNC_SECONDS))),
        // Read again what somebody else wrote.
        Err(error) if error.is_overtaken() => Ok(Some(CONFLICT_SECONDS)),
        Err(error) => {
            status::degraded(context, &run, &Note::from(&error)).await;
            Err(error)
        }
    }
}

/// Whether something is still to come of it.
fn is_active(run: &Run) -> bool {
    let has_ended = run.status.as_ref().is_some_and(|status| status.phase.is_end());
    !has_ended && run.metadata.deletion_timestamp.is_none()
}

async fn go_on(context: &Context, run: &mut Run) -> Result<Option<i64>, Error> {
    let mut known: Option<Facts> = None;
    let mut before: Option<Decision> = None;
    for _ in 0..DECISIONS_MAX {
        // Whatever belongs to it goes with it.
        if run.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let facts = observe::run_facts(run);
        let seen = match known.take() {
            Some(seen) => seen,
            None => observe::facts(context, run, &facts).await?,
        };
        let now = context.now();
        let decision = decide(&facts, &seen, now);
        tracing::debug!(phase = facts.status.phase.word(), ?decision, "decided");
        if before.as_ref() == Some(&decision) {
            tracing::warn!(?decision, "what was done has changed nothing, and is done again later");
            return Ok(Some(NO_EFFECT_SECONDS));
        }
        before = Some(decision.clone());
        let next = step(context, run, &facts, decision, now).await?;
        if let Next::Rest(again) = next {
            return Ok(again);
        }
        if let Some(ended) = ended_at(&seen) {
            context.metrics.lag(ended, context.now());
        }
        known = go_on_with(context, run, seen, next).await?;
    }
    Ok(Some(CONFLICT_SECONDS))
}

/// What is still known after something was done; nothing where all of it has to be looked at again.
async fn go_on_with(context: &Context, run: &Run, seen: Facts, next: Next) -> Result<Option<Facts>, Error> {
    Ok(match (next, seen) {
        // Nothing else has changed by that.
        (Next::Written(words), Facts::Start(start)) => Some(Facts::Start(Start { words: Words::Kept(words), ..start })),
        (Next::Collided(words), Facts::Start(start)) => {
            let words = observe::collided(context, run, words).await?;
            Some(Facts::Start(Start { words, ..start }))
        }
        (Next::Begun, seen) => Some(observe::begun(context, run, seen).await?),
        _ => None,
    })
}

/// When the Job ended that is being told of.
fn ended_at(facts: &Facts) -> Option<Moment> {
    match facts {
        Facts::UnderWay(under_way) => match &under_way.job {
            JobFact::Ended(end) => Some(end.at),
            _ => None,
        },
        _ => None,
    }
}

enum Next {
    Again,
    /// The words are written down.
    Written(Arc<Settled>),
    /// Something has the name that the words were to be written down under.
    Collided(Arc<Settled>),
    /// An act begins, and has no Job yet.
    Begun,
    Rest(Option<i64>),
}

async fn step(
    context: &Context,
    run: &mut Run,
    facts: &RunFacts,
    decision: Decision,
    now: Moment,
) -> Result<Next, Error> {
    let applied = match decision {
        Decision::Rest(again) => return rest(context, run, again).await,
        Decision::Write(status, note) => {
            *run = status::write(context, run, *status, note).await?;
            return Ok(if begins(&facts.status, run) { Next::Begun } else { Next::Again });
        }
        Decision::CreateWords(words) => match apply::create_words(context, run, &words).await? {
            Applied::Done => return Ok(Next::Written(words)),
            Applied::Before => return Ok(Next::Collided(words)),
            refused @ Applied::Refused(_) => refused,
        },
        Decision::CreateJob(order) => match apply::create_job(context, run, &order).await? {
            // The watch tells of whatever becomes of it, but not of pods that do not get ready.
            Applied::Done => return rest(context, run, Some(PATIENCE_SECONDS)).await,
            other => other,
        },
        Decision::PatchJob(act, patch) => apply::patch_job(context, run, facts, act, patch).await?,
        Decision::DeleteJob(act) => apply::delete_job(context, run, facts, act).await?,
        Decision::DeleteOthers(others) => {
            let namespace = run.namespace().unwrap_or_default();
            for (name, uid) in others {
                apply::delete_run(context, &namespace, &name, &uid).await?;
            }
            Applied::Done
        }
        Decision::DeleteRun => {
            let (namespace, uid) = (run.namespace().unwrap_or_default(), run.uid().unwrap_or_default());
            apply::delete_run(context, &namespace, &run.name_any(), &uid).await?;
            return Ok(Next::Rest(None));
        }
    };
    if let Applied::Refused(sentence) = applied {
        let (status, note) = decide::refused(facts, &sentence, now);
        *run = status::write(context, run, status, note).await?;
    }
    Ok(Next::Again)
}

/// Whether the status that was just written begins an act that the one before it did not.
fn begins(before: &RunStatus, run: &Run) -> bool {
    let status = run.status.as_ref();
    let begun = |status: &RunStatus| Act::of(status.phase).map(|act| (act, status.attempt));
    status.and_then(begun).is_some_and(|now| Some(now) != begun(before))
}

/// Nothing is left to do now, so all went well.
async fn rest(context: &Context, run: &Run, again: Option<i64>) -> Result<Next, Error> {
    status::recovered(context, run).await?;
    Ok(Next::Rest(again))
}
