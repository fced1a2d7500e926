//! What `decide` sees: plain values, no client, no Kubernetes types. `observe` makes them.

use crate::api::{ConditionType, Phase, RunStatus, holds};
use crate::moment::Moment;
use crate::reason::Reason;
use crate::settle::Settled;
use pipeline::act::Message;
use pipeline::spec::RunSpec;
use std::sync::Arc;

/// One of the three acts of a Run, each a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// Makes the plan; finishes a small Run alone.
    Plan,
    /// Computes the stale shards.
    Shards,
    /// Publishes.
    Commit,
}

impl Act {
    /// The value of the label, and the end of the Job's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Shards => "shards",
            Self::Commit => "commit",
        }
    }

    /// The condition that tells of it.
    pub fn condition(self) -> ConditionType {
        match self {
            Self::Plan => ConditionType::Planned,
            Self::Shards => ConditionType::Running,
            Self::Commit => ConditionType::Committed,
        }
    }

    /// What its condition says while it is under way.
    pub fn under_way(self) -> Reason {
        match self {
            Self::Plan => Reason::Planning,
            Self::Shards => Reason::ComputingShards,
            Self::Commit => Reason::Committing,
        }
    }

    /// The act that a phase is about; `None` before the first and after the last.
    pub fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Planning => Some(Self::Plan),
            Phase::Running => Some(Self::Shards),
            Phase::Committing => Some(Self::Commit),
            Phase::Pending | Phase::Complete | Phase::Failed => None,
        }
    }
}

/// A Run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// Its name.
    pub name: String,
    /// Its generation.
    pub generation: Option<i64>,
    /// When it was created.
    pub created: Moment,
    /// Its words.
    pub spec: RunSpec,
    /// Value of its queue label.
    pub queue: Option<String>,
    /// What was decided so far.
    pub status: RunStatus,
}

impl RunFacts {
    /// Whether it shall not work.
    pub fn is_suspended(&self) -> bool {
        self.spec.suspend.unwrap_or(false)
    }

    /// Name of the Job of an act, in the attempt that is under way.
    pub fn job_name(&self, act: Act) -> String {
        format!("{}-{}-{}", self.name, self.status.attempt.unwrap_or(1), act.word())
    }

    /// The act whose Job was the last that this Run needed.
    pub fn last_act(&self) -> Act {
        let conditions = &self.status.conditions;
        let told = |act: Act| conditions.iter().any(|condition| condition.kind == act.condition());
        if told(Act::Commit) {
            Act::Commit
        } else if holds(conditions, ConditionType::Planned) {
            Act::Shards
        } else {
            Act::Plan
        }
    }
}

/// What was looked at. That depends on the phase: nothing more is read than is needed.
#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// A Run that is Pending.
    Start(Start),
    /// A Run that has an act under way.
    UnderWay(UnderWay),
    /// A Run that has ended, and the last Job that it may have left at work.
    Over(JobFact),
}

/// What a Run needs to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Its words.
    pub words: Words,
    /// Value of its Pipeline's queue label.
    pub queue: Option<String>,
    /// The Pipeline's other Runs.
    pub others: Others,
    /// The image of workers whose words name none.
    pub image: String,
}

/// The words of a Run that has not started.
#[derive(Debug, Clone, PartialEq)]
pub enum Words {
    /// No Pipeline of that name.
    NoPipeline,
    /// No Archive of the name that the Pipeline gives.
    NoArchive(String),
    /// Mistakes, one sentence each.
    Refused(Vec<String>),
    /// Good, and not written down yet.
    Good(Arc<Settled>),
    /// Written down for this Run.
    Kept(Arc<Settled>),
    /// The name of their ConfigMap is taken by something else.
    Taken,
}

/// Whether other Runs of the Pipeline stand in the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Others {
    /// None.
    None,
    /// That one has to end first.
    Before(String),
    /// These are to be deleted first: name and UID.
    Replaced(Vec<(String, String)>),
}

/// What a Run with an act under way is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderWay {
    /// Its words as they were written down.
    pub words: Kept,
    /// The Job of the act, in the attempt that is under way.
    pub job: JobFact,
}

/// The words of a Run that has started.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// As they were.
    Good(Arc<Settled>),
    /// Their ConfigMap is gone, and the Pipeline and Archive still say the same.
    Again(Arc<Settled>),
    /// Gone, or others.
    Lost,
}

/// A Job as it was found.
#[derive(Debug, Clone, PartialEq)]
pub enum JobFact {
    /// There is none of that name.
    Absent,
    /// It belongs to something else.
    Foreign,
    /// It is being deleted.
    Going,
    /// It has not ended.
    Active(Activity),
    /// It has.
    Ended(End),
}

/// A Job that has not ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// `spec.suspend`.
    pub suspended: bool,
    /// `spec.parallelism`.
    pub parallelism: u32,
    /// Pods that are not finished.
    pub active: u32,
    /// Those of them that are ready.
    pub ready: u32,
    /// Since when it is under way; `None` while it is suspended.
    pub started: Option<Moment>,
    /// Completed indexes.
    pub completed_indexes: String,
    /// Failed indexes.
    pub failed_indexes: String,
    /// What keeps its pods from being ready, where that was looked at.
    pub trouble: Option<Trouble>,
}

/// What keeps pods from being ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// In a word.
    pub reason: Reason,
    /// In Kubernetes' own words.
    pub message: String,
}

/// A Job that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// How.
    pub how: How,
    /// When.
    pub at: Moment,
    /// Completed indexes.
    pub completed_indexes: String,
    /// Failed indexes.
    pub failed_indexes: String,
    /// The message that counts: of the pod that succeeded, or that failed last.
    pub message: Option<Message>,
    /// Whether one of its pods ran out of memory: exit 6, or OOMKilled.
    pub memory: bool,
    /// The exit code of the pod that failed last.
    pub code: Option<i32>,
}

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// All of it succeeded.
    Complete,
    /// A pod's exit code failed it at once; `None` where the code could not be read.
    Policy(Option<i32>),
    /// It took too long.
    Deadline,
    /// Tries were used up, of some indexes or of all; Kubernetes' own words.
    Tries(String),
}
