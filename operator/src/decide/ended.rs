//! A Job has ended: which act follows, which attempt, or which end. A pod's message says what was done.

use super::{Decision, Draft, Note, REPEATS_MAX, REPLANS_MAX, progress};
use crate::api::{ConditionType, Phase, RunFailure, RunPlan, RunResult, RunShards, RunSource, holds};
use crate::condition::Said;
use crate::facts::{Act, End, How, RunFacts};
use crate::indexes;
use crate::moment::Moment;
use crate::reason::Reason;
use crate::settle::Settled;
use pipeline::act::{Failed, Message, NothingToDo, Planned, Published, Source};

/// Exit codes of the worker, as `fleetloom` documents them.
mod exit {
    pub(super) const WRONG: i32 = 2;
    pub(super) const STORAGE: i32 = 4;
    pub(super) const CHANGED: i32 = 5;
    pub(super) const GATE: i32 = 7;
    pub(super) const BROKEN: i32 = 70;
}

pub(super) fn decide(run: &RunFacts, act: Act, words: &Settled, end: &End, now: Moment) -> Decision {
    let draft = Draft::of(run, now);
    match (&end.how, act) {
        (How::Complete, Act::Shards) => commit(draft, end),
        (How::Complete, Act::Plan | Act::Commit) => done(draft, act, words, end.message.as_ref()),
        (How::Policy(code), _) => policy(draft, code.or(end.code), failed(end)),
        (How::Deadline, Act::Commit) => {
            let message = "the commit took longer than it may; a new Run finds whether it published";
            draft.failed(Reason::DeadlineExceeded, message)
        }
        (How::Deadline, _) => draft.failed(
            Reason::DeadlineExceeded,
            "it took longer than workers.deadline; finished shards are kept for the next Run",
        ),
        (How::Tries(_), _) if end.memory && run.status.memory_bytes.is_none() => more_memory(draft, act, words),
        // What failed is the commit's to judge: it alone knows what is tolerated.
        (How::Tries(_), Act::Shards) => commit(draft, end),
        (How::Tries(told), _) => tried(draft, act, end, told),
    }
}

/// What the pod that failed says of itself.
fn failed(end: &End) -> Option<&Failed> {
    match &end.message {
        Some(Message::Failed(failed)) => Some(failed),
        _ => None,
    }
}

/// The shards that failed, as the act that looked at all of them tells: how many, and some of them.
fn failures(draft: &mut Draft<'_>, failed: &Failed) {
    draft.status.failures = failed.failures.iter().map(RunFailure::from).collect();
    if let Some(shards) = draft.status.shards.as_mut().filter(|_| failed.failed > 0) {
        shards.failed = failed.failed;
    }
}

/// The act did what it was to do, if its message tells what.
fn done(draft: Draft<'_>, act: Act, words: &Settled, message: Option<&Message>) -> Decision {
    match (act, message) {
        (Act::Plan, Some(Message::Planned(planned))) => plan(draft, words, planned),
        (_, Some(Message::Published(published))) => complete(draft, published),
        (_, Some(Message::NothingToDo(nothing))) => unchanged(draft, nothing),
        _ => lost(draft, act),
    }
}

fn plan(mut draft: Draft<'_>, words: &Settled, planned: &Planned) -> Decision {
    let parallelism = draft.status.parallelism.unwrap_or(words.workers.parallelism);
    let first_base = match &draft.status.plan {
        Some(before) => before.first_base,
        None => planned.base,
    };
    let reused = planned.shards.saturating_sub(planned.stale);
    let batches = (planned.stale > 0).then(|| indexes::batches(planned.stale, planned.seconds, parallelism));
    draft.status.plan = Some(RunPlan {
        hash: planned.plan.clone(),
        uri: planned.uri.clone(),
        base: planned.base,
        first_base,
        shards: planned.shards,
        stale: planned.stale,
        reused,
        batches,
        bytes: planned.bytes,
        seconds: planned.seconds,
    });
    let mut shards = RunShards { done: reused, ..RunShards::default() };
    shards.progress = progress(&shards, planned.shards);
    draft.status.shards = Some(shards);
    draft.status.source = Some(RunSource::from(&planned.source));
    let message = format!("{} of {} shards are to be computed", planned.stale, planned.shards);
    draft.say(Said::yes(ConditionType::Planned, Reason::Planned, message.clone()));
    if batches.is_some() {
        draft.begin(Act::Shards);
    } else {
        draft.say(Said::no(ConditionType::Running, Reason::NothingStale, "every shard has its report already"));
        draft.begin(Act::Commit);
    }
    written(draft, Note::new(Reason::Planned, message))
}

/// Every shard had its tries.
fn commit(mut draft: Draft<'_>, end: &End) -> Decision {
    if let (Some(plan), Some(shards)) = (&draft.status.plan, &mut draft.status.shards) {
        let batches = plan.batches.unwrap_or(1);
        shards.done = plan.reused + indexes::shards(&end.completed_indexes, plan.stale, batches);
        shards.failed = indexes::shards(&end.failed_indexes, plan.stale, batches);
        shards.active = 0;
        shards.completed_indexes = indexes::shown(&end.completed_indexes);
        shards.failed_indexes = indexes::shown(&end.failed_indexes);
        shards.progress = progress(shards, plan.shards);
    }
    // Whether memory was what they lacked is asked again when the commit does not tolerate it.
    let reason = if end.memory { Reason::MemoryExceeded } else { Reason::ShardsEnded };
    draft.say(Said::no(ConditionType::Running, reason, ""));
    draft.begin(Act::Commit);
    written(draft, Note::new(Reason::ShardsEnded, "the shard Job has ended; the version is being committed"))
}

fn complete(mut draft: Draft<'_>, published: &Published) -> Decision {
    draft.status.result = Some(RunResult {
        url: published.url.clone(),
        version: published.version,
        rows: published.rows,
        invalid: Some(published.invalid),
        quarantined: Some(published.quarantined),
        bytes: Some(published.bytes),
    });
    draft.status.failures = published.failures.iter().map(RunFailure::from).collect();
    let done = published.shards.saturating_sub(published.failed);
    found(&mut draft, &published.plan, &published.source, (published.shards, published.reused));
    counted(&mut draft, done, published.failed, published.shards);
    let message = format!("version {} with {} rows", published.version, published.rows);
    ended_well(draft, Reason::Published, message)
}

fn unchanged(mut draft: Draft<'_>, nothing: &NothingToDo) -> Decision {
    draft.status.result = Some(RunResult {
        url: nothing.url.clone(),
        version: nothing.version,
        rows: nothing.rows,
        ..RunResult::default()
    });
    found(&mut draft, &nothing.plan, &nothing.source, (nothing.shards, nothing.shards));
    counted(&mut draft, nothing.shards, 0, nothing.shards);
    ended_well(draft, Reason::NothingToDo, format!("version {} holds it already", nothing.version))
}

/// A plan pod that finished the Run alone tells the plan only at the end.
fn found(draft: &mut Draft<'_>, hash: &str, source: &Source, (shards, reused): (u64, u64)) {
    let mut known = RunSource::from(source);
    if let Some(before) = &draft.status.source
        && known.members == 0
    {
        known.members = before.members;
    }
    draft.status.source = Some(known);
    if draft.status.plan.as_ref().is_none_or(|plan| plan.hash != hash) {
        let stale = shards.saturating_sub(reused);
        draft.status.plan = Some(RunPlan { hash: hash.to_owned(), shards, stale, reused, ..RunPlan::default() });
    }
}

fn counted(draft: &mut Draft<'_>, done: u64, failed: u64, all: u64) {
    let mut shards = draft.status.shards.take().unwrap_or_default();
    shards.done = done;
    shards.failed = failed;
    shards.active = 0;
    shards.progress = progress(&shards, all);
    draft.status.shards = Some(shards);
}

fn ended_well(mut draft: Draft<'_>, reason: Reason, message: String) -> Decision {
    draft.status.phase = Phase::Complete;
    if !holds(&draft.status.conditions, ConditionType::Planned) {
        draft.say(Said::yes(ConditionType::Planned, Reason::Planned, ""));
    }
    draft.say(Said::yes(ConditionType::Committed, reason, message.clone()));
    draft.say(Said::yes(ConditionType::Complete, reason, message.clone()));
    draft.end();
    written(draft, Note::new(reason, message))
}

/// The act is done again: it finds what was done, and prints the same answer.
fn lost(mut draft: Draft<'_>, act: Act) -> Decision {
    let repeats = draft.status.repeats.unwrap_or(0) + 1;
    if repeats > REPEATS_MAX {
        let message = format!("the {} Job ended {repeats} times without telling what it did", act.word());
        return draft.failed(Reason::MessageLost, &message);
    }
    draft.status.repeats = Some(repeats);
    again(draft, act, Reason::MessageLost, "the message of its pod is lost")
}

/// A new attempt of an act.
fn again(mut draft: Draft<'_>, act: Act, reason: Reason, why: &str) -> Decision {
    draft.next_attempt();
    draft.begin(act);
    let message = format!("{why}: attempt {} of the {} act", draft.status.attempt.unwrap_or(1), act.word());
    draft.say(Said::no(act.condition(), reason, message.clone()));
    written(draft, Note::new(reason, message))
}

/// Twice the memory, once; from the plan on, which knows of splits that a worker asked for.
fn more_memory(mut draft: Draft<'_>, act: Act, words: &Settled) -> Decision {
    draft.status.memory_bytes = Some(words.workers.memory_bytes.saturating_mul(2));
    let from = if act == Act::Shards { Act::Plan } else { act };
    again(draft, from, Reason::MoreMemory, "its memory did not suffice")
}

/// A pod's exit code failed the Job at once.
fn policy(mut draft: Draft<'_>, code: Option<i32>, failed: Option<&Failed>) -> Decision {
    if let Some(failed) = failed {
        failures(&mut draft, failed);
    }
    let said = |otherwise: &str| failed.map_or_else(|| otherwise.to_owned(), |failed| failed.sentence.clone());
    match code {
        Some(exit::WRONG) => {
            draft.failed(Reason::RequestWrong, &said("the request is wrong (exit 2); the pod's log says where"))
        }
        Some(exit::GATE) if lacked_memory(&draft) => {
            let sentence = said("shards failed");
            let message = format!("twice the memory did not suffice; raise spec.workers.resources: {sentence}");
            draft.failed(Reason::MemoryExceeded, &message)
        }
        Some(exit::GATE) => draft.failed(
            Reason::GateRefused,
            &said("a gate of tolerate refused the version (exit 7); the pod's log says which"),
        ),
        Some(exit::CHANGED) => changed(draft, &said("the input or the base changed (exit 5)")),
        _ => draft.failed(Reason::ActFailed, &said("a pod failed the Job at once; its log says why")),
    }
}

/// Whether shards ended for want of memory.
fn lacked_memory(draft: &Draft<'_>) -> bool {
    let mut conditions = draft.status.conditions.iter();
    conditions.any(|it| it.kind == ConditionType::Running && it.reason == Reason::MemoryExceeded)
}

fn changed(mut draft: Draft<'_>, sentence: &str) -> Decision {
    let replans = draft.status.replans.unwrap_or(0) + 1;
    if replans > REPLANS_MAX {
        return draft.failed(Reason::InputChanging, sentence);
    }
    draft.status.replans = Some(replans);
    draft.status.failures = Vec::new();
    again(draft, Act::Plan, Reason::InputChanged, sentence)
}

/// The tries of a plan or commit Job are used up.
fn tried(mut draft: Draft<'_>, act: Act, end: &End, told: &str) -> Decision {
    let failed = failed(end);
    if let Some(failed) = failed {
        failures(&mut draft, failed);
    }
    let reason = match end.code {
        _ if end.memory => Reason::MemoryExceeded,
        Some(exit::STORAGE) => Reason::StorageUnavailable,
        Some(exit::BROKEN) => Reason::BrokenPromise,
        _ => Reason::ActFailed,
    };
    let message = match (failed, end.code) {
        (Some(failed), _) => failed.sentence.clone(),
        (None, Some(code)) => format!("the {} pod ended with exit code {code}; its log says why", act.word()),
        (None, None) => format!("the {} Job failed: {told}", act.word()),
    };
    draft.failed(reason, &message)
}

fn written(draft: Draft<'_>, note: Option<Note>) -> Decision {
    draft.write(note).unwrap_or(Decision::Rest(None))
}
