//! A Run with an act under way: its Job is created, suspended, resumed, scaled, looked after; its end is `ended`'s.

use super::{Decision, Draft, JobPatch, Note, Order, PROGRESS_SECONDS, SOON_SECONDS, WAIT_SECONDS};
use super::{deadline_left, ended, progress, unhindered};
use crate::api::{ConditionType, RunShards, condition, holds};
use crate::condition::Said;
use crate::facts::{Act, Activity, JobFact, Kept, RunFacts, UnderWay};
use crate::indexes;
use crate::job::{PATIENCE_SECONDS, is_stuck};
use crate::moment::Moment;
use crate::reason::Reason;
use crate::settle::Settled;
use pipeline::spec::Recompute;
use std::sync::Arc;

/// A commit is short, and killing it leaves open whether it published: it gets at least so long, seconds.
const COMMIT_SECONDS_MIN: i64 = 600;

pub(super) fn decide(run: &RunFacts, facts: &UnderWay, now: Moment) -> Decision {
    let Some(act) = Act::of(run.status.phase) else { return Decision::Rest(None) };
    let words = match &facts.words {
        Kept::Good(words) => words,
        Kept::Again(words) => return Decision::CreateWords(Arc::clone(words)),
        Kept::Lost => {
            let message =
                format!("the ConfigMap {}-words is gone or changed, and so are the words; make a new Run", run.name);
            return Draft::of(run, now).failed(Reason::WordsLost, &message);
        }
    };
    match &facts.job {
        JobFact::Foreign => {
            let message =
                format!("the Job {} exists and is not this Run's; give the Run another name", run.job_name(act));
            Draft::of(run, now).failed(Reason::NameTaken, &message)
        }
        JobFact::Going => Decision::Rest(Some(SOON_SECONDS)),
        JobFact::Absent => absent(run, act, words, now),
        JobFact::Active(job) => active(run, act, words, job, now),
        JobFact::Ended(end) => ended::decide(run, act, words, end, now),
    }
}

/// The shards at a time that are wanted now.
fn wanted_parallelism(run: &RunFacts, words: &Settled) -> u32 {
    run.spec.parallelism.unwrap_or(words.workers.parallelism)
}

/// No Job: it was not created yet, was deleted to be queued anew, or vanished.
fn absent(run: &RunFacts, act: Act, words: &Arc<Settled>, now: Moment) -> Decision {
    if run.is_suspended() {
        return suspended(run, act, now).unwrap_or(Decision::Rest(None));
    }
    if holds(&run.status.conditions, ConditionType::Suspended) {
        return resumed(run, act, now);
    }
    let parallelism = wanted_parallelism(run, words);
    if run.status.parallelism != Some(parallelism) {
        return scaled(run, parallelism, now);
    }
    if deadline_left(run, words, now).is_some_and(|left| left <= 0) && act != Act::Commit {
        return too_late(run, words, now);
    }
    Decision::CreateJob(Box::new(order(run, act, words, now)))
}

fn order(run: &RunFacts, act: Act, words: &Arc<Settled>, now: Moment) -> Order {
    let status = &run.status;
    let attempt = status.attempt.unwrap_or(1);
    let plan = status.plan.clone().unwrap_or_default();
    let known_base = status.plan.as_ref().and_then(|plan| plan.first_base);
    let least = if act == Act::Commit { COMMIT_SECONDS_MIN } else { 1 };
    Order {
        act,
        attempt,
        words: Arc::clone(words),
        image: status.image.clone().unwrap_or_default(),
        memory_bytes: status.memory_bytes.unwrap_or(words.workers.memory_bytes),
        parallelism: status.parallelism.unwrap_or(words.workers.parallelism),
        batches: plan.batches.unwrap_or(1),
        plan: plan.hash,
        // The first try too: its pod may be started again after it published.
        since: (act == Act::Plan).then(|| known_base.map_or("none".into(), |base| base.to_string())),
        range: run.spec.range.as_ref().map(|range| format!("{}..{}", range.from, range.to)),
        recompute_all: run.spec.recompute == Some(Recompute::All),
        queue: status.queue.clone(),
        deadline_seconds: deadline_left(run, words, now).map(|left| left.max(least)),
    }
}

fn active(run: &RunFacts, act: Act, words: &Settled, job: &Activity, now: Moment) -> Decision {
    let queued = run.status.queue.is_some();
    if let Some(decision) = steer(run, act, words, job, queued, now) {
        return decision;
    }
    if run.is_suspended() {
        return suspended(run, act, now).unwrap_or(Decision::Rest(None));
    }
    // Waiting in a queue is not working: there the deadline counts from when the act's Job was let in.
    let left = match job.started.filter(|_| queued) {
        Some(admitted) => words.workers.deadline_seconds.map(|deadline| deadline - now.since(admitted)),
        None => deadline_left(run, words, now),
    };
    if left.is_some_and(|left| left <= 0) && act != Act::Commit && !(queued && job.suspended) {
        return too_late(run, words, now);
    }
    let told = told(run, act, job, queued, now);
    let again = told.as_ref().map_or_else(|| look_again(job, now), |_| None);
    let decision = told.unwrap_or(Decision::Rest(again));
    progressed(run, act, job, decision, now).until(left)
}

/// Suspends, resumes and scales; `None` where the Job is as it should be. A Job in a queue is never changed, only deleted:
/// its `suspend` and `parallelism` are the queue's.
fn steer(run: &RunFacts, act: Act, words: &Settled, job: &Activity, queued: bool, now: Moment) -> Option<Decision> {
    let suspend = run.is_suspended();
    if suspend != job.suspended {
        match (queued, suspend) {
            (true, true) => return Some(Decision::DeleteJob(act)),
            (true, false) => {}
            (false, _) => return Some(Decision::PatchJob(act, JobPatch { suspend: Some(suspend), parallelism: None })),
        }
    } else if suspend && queued {
        // Suspended by the queue, and now by its owner too: nothing of it shall be admitted.
        return Some(Decision::DeleteJob(act));
    }
    if !suspend && holds(&run.status.conditions, ConditionType::Suspended) {
        return Some(resumed(run, act, now));
    }
    let parallelism = wanted_parallelism(run, words);
    let written = run.status.parallelism == Some(parallelism);
    match (act, queued) {
        (Act::Shards, true) if !written => Some(Decision::DeleteJob(act)),
        (Act::Shards, false) if job.parallelism != parallelism => {
            Some(Decision::PatchJob(act, JobPatch { suspend: None, parallelism: Some(parallelism) }))
        }
        _ if !written => Some(scaled(run, parallelism, now)),
        _ => None,
    }
}

/// Whoever waits in a queue starts a new attempt after it was stopped: the old Job is gone, and its name may linger there.
fn suspended(run: &RunFacts, act: Act, now: Moment) -> Option<Decision> {
    let mut draft = Draft::of(run, now);
    let is_news = !holds(&run.status.conditions, ConditionType::Suspended);
    if is_news && run.status.queue.is_some() {
        draft.next_attempt();
    }
    if let Some(shards) = &mut draft.status.shards {
        shards.active = 0;
    }
    // Also where the act before this one ended meanwhile.
    draft.suspend(act);
    let note = Note::new(Reason::Suspended, "suspended: its pods are stopped, finished shards are kept");
    draft.write(note.filter(|_| is_news))
}

fn resumed(run: &RunFacts, act: Act, now: Moment) -> Decision {
    let mut draft = Draft::of(run, now);
    let since = condition(&run.status.conditions, ConditionType::Suspended).map(|told| told.last_transition_time);
    let more = since.map_or(0, |since| now.since(since).max(0));
    draft.status.suspended_seconds = Some(run.status.suspended_seconds.unwrap_or(0) + more);
    draft.say(unhindered(act));
    draft.resume();
    draft.write(Note::new(Reason::Resumed, "resumed")).unwrap_or(Decision::Rest(None))
}

fn scaled(run: &RunFacts, parallelism: u32, now: Moment) -> Decision {
    let mut draft = Draft::of(run, now);
    draft.status.parallelism = Some(parallelism);
    if run.status.queue.is_some() && run.status.phase == crate::api::Phase::Running {
        draft.next_attempt();
    }
    draft.write(None).unwrap_or(Decision::Rest(None))
}

fn too_late(run: &RunFacts, words: &Settled, now: Moment) -> Decision {
    let deadline = crate::moment::span_text(words.workers.deadline_seconds.unwrap_or(0));
    let message =
        format!("it took longer than workers.deadline ({deadline}); finished shards are kept for the next Run");
    Draft::of(run, now).failed(Reason::DeadlineExceeded, &message)
}

/// Tells what the Job waits for, or that it waits no longer.
fn told(run: &RunFacts, act: Act, job: &Activity, queued: bool, now: Moment) -> Option<Decision> {
    let kind = act.condition();
    let said = match (&job.trouble, queued && job.suspended) {
        (_, true) => {
            let queue = run.status.queue.as_deref().unwrap_or_default();
            Said::no(kind, Reason::WaitingForQueue, format!("the queue {queue} has not admitted the Job"))
        }
        (Some(trouble), _) => Said::no(kind, trouble.reason, trouble.message.clone()),
        // Unready pods that nobody looked at yet change nothing.
        (None, _) if is_stuck(job, now) => return None,
        (None, _) => unhindered(act),
    };
    let known = condition(&run.status.conditions, kind).map(|told| told.reason);
    let note = match (known == Some(said.reason), said.reason == act.under_way()) {
        (false, false) => Note::new(said.reason, said.message.clone()),
        _ => None,
    };
    let mut draft = Draft::of(run, now);
    // What Kubernetes says of one trouble changes from look to look; the word does not.
    if known != Some(said.reason) {
        draft.say(said);
    }
    draft.write(note)
}

/// When pods that are not ready yet are worth a look.
fn look_again(job: &Activity, now: Moment) -> Option<i64> {
    let started = job.started.filter(|_| job.ready == 0 && !job.suspended)?;
    let left = started.plus(PATIENCE_SECONDS).since(now);
    Some(if left > 0 { left } else { WAIT_SECONDS })
}

/// Adds the progress of shards to what is written, at most once in five seconds.
fn progressed(run: &RunFacts, act: Act, job: &Activity, decision: Decision, now: Moment) -> Decision {
    let Some(plan) = run.status.plan.as_ref().filter(|_| act == Act::Shards) else { return decision };
    let before = run.status.shards.clone().unwrap_or_default();
    let batches = plan.batches.unwrap_or(1);
    let mut shards = RunShards {
        done: plan.reused + indexes::shards(&job.completed_indexes, plan.stale, batches),
        failed: indexes::shards(&job.failed_indexes, plan.stale, batches),
        active: job.active,
        progress: String::new(),
        completed_indexes: indexes::shown(&job.completed_indexes),
        failed_indexes: indexes::shown(&job.failed_indexes),
        time: before.time,
    };
    shards.progress = progress(&shards, plan.shards);
    if shards == before {
        return decision;
    }
    let wait = before.time.map_or(0, |time| PROGRESS_SECONDS - now.since(time));
    shards.time = Some(now);
    match decision {
        Decision::Write(mut status, note) => {
            status.shards = Some(shards);
            Decision::Write(status, note)
        }
        Decision::Rest(again) if wait > 0 => Decision::Rest(Some(again.map_or(wait, |again| again.min(wait)))),
        _ => {
            let mut status = run.status.clone();
            status.shards = Some(shards);
            Decision::Write(Box::new(status), None)
        }
    }
}

impl Decision {
    /// Rests no longer than so many seconds.
    fn until(self, seconds: Option<i64>) -> Self {
        match (self, seconds) {
            (Self::Rest(again), Some(left)) => Self::Rest(Some(again.map_or(left, |again| again.min(left)))),
            (other, _) => other,
        }
    }
}
