//! What a Run needs next: `decide(run, facts, now)`, pure and total. It and `build` know the whole life of a Run.
//!
//! ```text
//! Pending ─words, others─► Planning ─plan Job─► Running ─shard Job─► Committing ─commit Job─► Complete
//!    │                        │  └── nothing stale ──────────────────────┘  ▲         │
//!    │                        └── published, or nothing to do: small Runs ──│─────────┴──► Failed
//!    └── words refused ─────────────────────────────────────────────────────┴───────────────►
//! ```
//! One decision is one call: a status is written before the Job that it names is created, so that whoever comes next
//! creates the same Job under the same name and collides. Every act is idempotent, so a Job that is gone is made again.

mod ended;
mod start;
mod under_way;

#[cfg(test)]
mod tests;

use crate::api::{ConditionType, RunShards, RunStatus, condition, holds};
use crate::condition::{Said, set};
use crate::facts::{Act, Facts, JobFact, RunFacts};
use crate::moment::{Moment, span_text};
use crate::reason::Reason;
use crate::settle::Settled;
use std::sync::Arc;

/// How often a Run may get a new plan because the input or the base changed.
pub const REPLANS_MAX: u32 = 3;

/// How often an act is done again because its message was lost, before the Run fails: a pod whose end is lost five times
/// is not lost by chance.
pub const REPEATS_MAX: u32 = 5;

/// Progress is written at most once in so many seconds.
pub const PROGRESS_SECONDS: i64 = 5;

/// How soon a Run looks again while it waits for what no watch tells, seconds.
const WAIT_SECONDS: i64 = 30;

/// How soon a Run looks again for what is about to change, seconds.
const SOON_SECONDS: i64 = 2;

/// What to do next: one call, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing, until something changes or so many seconds have passed.
    Rest(Option<i64>),
    /// Write the status, and tell of it.
    Write(Box<RunStatus>, Option<Note>),
    /// Write the words down for the pods.
    CreateWords(Arc<Settled>),
    /// Create a Job.
    CreateJob(Box<Order>),
    /// Suspend, resume or scale the Job of an act.
    PatchJob(Act, JobPatch),
    /// Delete the Job of an act.
    DeleteJob(Act),
    /// Delete other Runs of the Pipeline: name and UID.
    DeleteOthers(Vec<(String, String)>),
    /// Delete this Run: its time is over.
    DeleteRun,
}

/// An event: written once, when the status is. Whether it is a warning is the reason's.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The word.
    pub reason: Reason,
    /// A sentence.
    pub message: String,
}

impl Note {
    /// That event.
    pub fn new(reason: Reason, message: impl Into<String>) -> Option<Self> {
        Some(Self { reason, message: message.into() })
    }
}

/// Everything that `build` needs to make a Job, beside the Run's own name and UID.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Which act.
    pub act: Act,
    /// Which attempt.
    pub attempt: u32,
    /// Words of the Run.
    pub words: Arc<Settled>,
    /// Image of the worker.
    pub image: String,
    /// Memory of a pod, bytes.
    pub memory_bytes: u64,
    /// Pods at a time.
    pub parallelism: u32,
    /// Indexes of the shard Job.
    pub batches: u32,
    /// Hash of the plan; empty for the plan act.
    pub plan: String,
    /// Where to look for what this Run published already: a version, or `none` for all of them. `None` on a first attempt.
    pub since: Option<String>,
    /// Days to recompute, `FROM..TO`.
    pub range: Option<String>,
    /// Whether everything is computed anew.
    pub recompute_all: bool,
    /// The queue it waits in.
    pub queue: Option<String>,
    /// How long the Job may take, seconds.
    pub deadline_seconds: Option<i64>,
}

/// What is changed on a Job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobPatch {
    /// `spec.suspend`.
    pub suspend: Option<bool>,
    /// `spec.parallelism`.
    pub parallelism: Option<u32>,
}

/// What the Run needs next.
pub fn decide(run: &RunFacts, facts: &Facts, now: Moment) -> Decision {
    match facts {
        Facts::Start(start) => start::decide(run, start, now),
        Facts::UnderWay(under_way) => under_way::decide(run, under_way, now),
        Facts::Over(job) => over(run, job, now),
    }
}

/// A Run that has ended: its last Job must not go on, and it is removed when its time is over.
fn over(run: &RunFacts, job: &JobFact, now: Moment) -> Decision {
    if matches!(job, JobFact::Active(_)) {
        return Decision::DeleteJob(run.last_act());
    }
    let Some((ttl, ended)) = run.spec.ttl_seconds_after_finished.zip(run.status.completion_time) else {
        return Decision::Rest(None);
    };
    match ended.plus(ttl.into()).since(now) {
        left if left > 0 => Decision::Rest(Some(left)),
        _ => Decision::DeleteRun,
    }
}

/// Ends that come while a Job may be at work.
pub const LEAVES_A_JOB: [Reason; 2] = [Reason::DeadlineExceeded, Reason::WordsLost];

/// Whether a Run that has ended may have left a Job at work, so that it is worth a look.
pub fn may_have_left_a_job(status: &RunStatus) -> bool {
    let failed = condition(&status.conditions, ConditionType::Failed).map(|condition| condition.reason);
    failed.is_some_and(|reason| LEAVES_A_JOB.contains(&reason))
}

/// The status of a Run whose object the API server refuses: trying again is of no use.
pub fn refused(run: &RunFacts, sentence: &str, now: Moment) -> (RunStatus, Option<Note>) {
    Draft::of(run, now).fail(Reason::ObjectRefused, sentence)
}

/// A status in the making.
struct Draft<'r> {
    run: &'r RunFacts,
    status: RunStatus,
    now: Moment,
}

impl<'r> Draft<'r> {
    fn of(run: &'r RunFacts, now: Moment) -> Self {
        Self { run, status: run.status.clone(), now }
    }

    fn say(&mut self, said: Said) {
        set(&mut self.status.conditions, said, self.run.generation, self.now);
    }

    /// The decision to write it, where it says something new; `None` where all of it is written already.
    fn write(self, note: Option<Note>) -> Option<Decision> {
        (self.status != self.run.status).then(|| Decision::Write(Box::new(self.status), note))
    }

    /// Goes on to another act.
    fn begin(&mut self, act: Act) {
        self.status.phase = match act {
            Act::Plan => crate::api::Phase::Planning,
            Act::Shards => crate::api::Phase::Running,
            Act::Commit => crate::api::Phase::Committing,
        };
        let no_longer: &[Act] = match act {
            Act::Plan => &[Act::Shards, Act::Commit],
            Act::Shards => &[Act::Commit],
            Act::Commit => &[],
        };
        for act in no_longer {
            self.status.conditions.retain(|condition| condition.kind != act.condition());
        }
        self.say(unhindered(act));
    }

    /// The owner wants no work.
    fn suspend(&mut self, act: Act) {
        let why = "spec.suspend is true";
        self.say(Said::no(act.condition(), Reason::Suspended, why));
        self.say(Said::yes(ConditionType::Suspended, Reason::Suspended, why));
    }

    /// The owner wants work again, if there was a time when they did not.
    fn resume(&mut self) {
        if holds(&self.status.conditions, ConditionType::Suspended) {
            self.say(Said::no(ConditionType::Suspended, Reason::Resumed, ""));
        }
    }

    /// The next attempt, whose Jobs have other names.
    fn next_attempt(&mut self) {
        self.status.attempt = Some(self.status.attempt.unwrap_or(1) + 1);
    }

    /// The end without a version.
    fn fail(mut self, reason: Reason, sentence: &str) -> (RunStatus, Option<Note>) {
        self.status.phase = crate::api::Phase::Failed;
        self.stop_shards();
        self.say(Said::yes(ConditionType::Failed, reason, sentence));
        self.end();
        (self.status, Note::new(reason, sentence))
    }

    fn failed(self, reason: Reason, sentence: &str) -> Decision {
        let (status, note) = self.fail(reason, sentence);
        Decision::Write(Box::new(status), note)
    }

    /// No shard is at work any more.
    fn stop_shards(&mut self) {
        if holds(&self.status.conditions, ConditionType::Running) {
            self.say(Said::no(ConditionType::Running, Reason::ShardsEnded, ""));
        }
        if let Some(shards) = &mut self.status.shards {
            shards.active = 0;
        }
    }

    fn end(&mut self) {
        self.status.completion_time = Some(self.now);
        self.status.duration = self.status.start_time.map(|start| span_text(self.now.since(start)));
    }
}

/// What the condition of an act says while nothing keeps it from its work. Of the three only Running holds then.
fn unhindered(act: Act) -> Said {
    match act {
        Act::Shards => Said::yes(act.condition(), act.under_way(), ""),
        Act::Plan | Act::Commit => Said::no(act.condition(), act.under_way(), ""),
    }
}

/// Seconds that are left of the Run's deadline; `None` without one. Suspended time does not count.
fn deadline_left(run: &RunFacts, words: &Settled, now: Moment) -> Option<i64> {
    let start = run.status.start_time?;
    let suspended = run.status.suspended_seconds.unwrap_or(0);
    words.workers.deadline_seconds.map(|deadline| deadline + suspended - now.since(start))
}

/// `37/40`.
fn progress(shards: &RunShards, all: u64) -> String {
    format!("{}/{all}", shards.done)
}
