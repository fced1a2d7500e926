//! What the operator writes under `status` of the three kinds. Never an entry per shard: at most 8 KiB.

use crate::moment::Moment;
use crate::reason::Reason;
use pipeline::act::{Failure, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares a struct of a status: camelCase, absent where empty.
macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($body:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($body)* }
    };
}

/// Where a Run stands. Complete and Failed are ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Nothing was started yet.
    #[default]
    Pending,
    /// The plan is being made.
    Planning,
    /// Shards are being computed.
    Running,
    /// The version is being published.
    Committing,
    /// The table holds what was asked for.
    Complete,
    /// It does not, and this Run will not change that.
    Failed,
}

impl Phase {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Planning, Self::Running, Self::Committing, Self::Complete, Self::Failed];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Planning => "Planning",
            Self::Running => "Running",
            Self::Committing => "Committing",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }

    /// Whether nothing follows.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Complete | Self::Failed)
    }
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The words are good on this cluster.
    Accepted,
    /// A plan lies ready.
    Planned,
    /// Shards are being computed.
    Running,
    /// A version is published.
    Committed,
    /// The end, with what was asked for.
    Complete,
    /// The end, without.
    Failed,
    /// `spec.suspend` holds.
    Suspended,
    /// The operator cannot do what it wants to; it goes on trying.
    Degraded,
}

impl ConditionType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Planned,
        Self::Running,
        Self::Committed,
        Self::Complete,
        Self::Failed,
        Self::Suspended,
        Self::Degraded,
    ];
}

/// One condition, as Kubernetes has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// `True` or `False`.
    pub status: Holds,
    /// The generation of the words that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    pub last_transition_time: Moment,
    /// A word of a closed list.
    pub reason: Reason,
    /// A sentence.
    #[serde(default)]
    pub message: String,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Holds {
    /// It does.
    True,
    /// It does not.
    False,
}

status!(
    /// `status` of an Archive.
    ArchiveStatus {
        /// Accepted.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
        pub conditions: Vec<Condition>,
    }
);

status!(
    /// `status` of a Pipeline.
    PipelineStatus {
        /// Accepted, Degraded.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
        pub conditions: Vec<Condition>,
        /// The newest scheduled time that was started or passed over; none that is not later starts.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_schedule_time: Option<Moment>,
        /// Scheduled times that were not started: too late, or while another start was made up for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub missed: Option<u64>,
        /// The source version of the newest Run that ended well.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_source: Option<String>,
        /// The poll that is under way or was the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub poll: Option<Poll>,
        /// Names of Runs that have not ended, at most ten.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
        pub active: Vec<String>,
        /// How many there are.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub active_count: Option<u32>,
        /// Name of the newest Run.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_run: Option<String>,
    }
);

status!(
    /// A look at the archive's version, for `onChange`.
    Poll {
        /// When it was begun.
        pub time: Moment,
        /// The version that it found; absent while it is under way, and where it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub source: Option<String>,
        /// Whether it ended.
        pub ended: bool,
    }
);

status!(
    /// `status` of a Run.
    RunStatus {
        /// Where it stands.
        pub phase: Phase,
        /// Accepted, Planned, Running, Committed, Complete, Failed, Suspended, Degraded.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
        pub conditions: Vec<Condition>,
        /// The attempt that is under way; its number is in the names of its Jobs.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attempt: Option<u32>,
        /// How often a new plan had to be made because the input or the base changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub replans: Option<u32>,
        /// How often an act was done again because its message was lost.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub repeats: Option<u32>,
        /// Memory of the workers, bytes, where the words' did not suffice.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub memory_bytes: Option<u64>,
        /// Shards at a time.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub parallelism: Option<u32>,
        /// The workers' image, as it was when the Run started.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image: Option<String>,
        /// Hash of the resolved words in the ConfigMap of the Run.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub words: Option<String>,
        /// The queue that its Jobs wait in.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub queue: Option<String>,
        /// What it reads.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub source: Option<RunSource>,
        /// The plan.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub plan: Option<RunPlan>,
        /// How its shards are doing.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub shards: Option<RunShards>,
        /// At most ten failed shards.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
        pub failures: Vec<RunFailure>,
        /// What it published, or the version that already held it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub result: Option<RunResult>,
        /// When it left Pending.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub start_time: Option<Moment>,
        /// When it ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub completion_time: Option<Moment>,
        /// From start to end.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub duration: Option<String>,
        /// Seconds for which it was suspended so far; its deadline does not count them.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub suspended_seconds: Option<i64>,
    }
);

status!(
    /// What a Run reads.
    RunSource {
        /// The archive's version.
        pub version: String,
        /// Objects.
        pub objects: u64,
        /// Members that its shards read as their own.
        pub members: u64,
        /// Stored bytes.
        pub bytes: u64,
    }
);

impl From<&Source> for RunSource {
    fn from(source: &Source) -> Self {
        let Source { version, objects, members, bytes } = source.clone();
        Self { version, objects, members, bytes }
    }
}

status!(
    /// The plan of a Run.
    RunPlan {
        /// Its hash.
        pub hash: String,
        /// Where it lies.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub uri: String,
        /// The version it was made against; absent: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub base: Option<u64>,
        /// The base of the Run's first plan; absent: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub first_base: Option<u64>,
        /// All shards.
        pub shards: u64,
        /// Those to be computed.
        pub stale: u64,
        /// Those whose reports were there before.
        pub reused: u64,
        /// Into how many indexes of the shard Job the stale ones are batched; absent where none is stale.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub batches: Option<u32>,
        /// Stored bytes that the stale ones read.
        pub bytes: u64,
        /// Predicted seconds of one core.
        pub seconds: u64,
    }
);

status!(
    /// How the shards of a Run are doing.
    RunShards {
        /// Shards that have a report.
        pub done: u64,
        /// Shards in failed batches; once committed, failed shards.
        pub failed: u64,
        /// Pods at work.
        pub active: u32,
        /// `37/40`: done of all.
        pub progress: String,
        /// Completed indexes of the shard Job, cut at 1 KiB.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub completed_indexes: String,
        /// Failed indexes of the shard Job, cut at 1 KiB.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub failed_indexes: String,
        /// When this was written; at most once per five seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub time: Option<Moment>,
    }
);

status!(
    /// A shard that failed.
    RunFailure {
        /// Its index in the plan.
        pub shard: u64,
        /// Why.
        pub reason: String,
        /// Robot, day or member, as far as it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub place: Option<String>,
    }
);

impl From<&Failure> for RunFailure {
    fn from(failure: &Failure) -> Self {
        let Failure { shard, reason, place } = failure.clone();
        Self { shard, reason, place }
    }
}

status!(
    /// What a Run published.
    RunResult {
        /// Where the table lies.
        pub url: String,
        /// Its version.
        pub version: u64,
        /// Rows.
        pub rows: u64,
        /// Rows that are not valid.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub invalid: Option<u64>,
        /// Observations in quarantine.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub quarantined: Option<u64>,
        /// Bytes of data files.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bytes: Option<u64>,
    }
);

/// The condition of that type.
pub fn condition(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether the condition of that type holds.
pub fn holds(conditions: &[Condition], kind: ConditionType) -> bool {
    condition(conditions, kind).is_some_and(|condition| condition.status == Holds::True)
}
