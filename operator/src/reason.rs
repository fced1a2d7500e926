//! The closed list of reasons: the same word in a condition, an event, a metric and a log line, and what it means.
//!
//! [`struct@Error`] is what a call to the API server came to: each [`Step`] has its reason.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;

macro_rules! reasons {
    ($($name:ident = $meaning:literal),+ $(,)?) => {
        /// Why a condition is as it is. A closed list: each word has one meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)+
            /// A word of another version of the operator.
            #[serde(other)]
            Other,
        }

        impl Reason {
            /// All of them but [`Self::Other`].
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is written.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ Self::Other => "Other" }
            }

            /// One sentence for the documents.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ Self::Other => "A word of another version of the operator." }
            }
        }
    };
}

reasons! {
    // Words.
    Accepted = "The words have no mistake.",
    WordsRefused = "The words have mistakes; the message names each with its YAML path and what to write.",
    PipelineMissing = "There is no Pipeline of that name in the namespace; the Run waits for it.",
    ArchiveMissing = "There is no Archive of that name in the namespace; what names it waits.",
    // Waiting.
    OtherRunActive = "Another Run of the Pipeline has to end first (`schedule.concurrency: Forbid`).",
    ReplacingOther = "Other Runs of the Pipeline are being deleted first (`schedule.concurrency: Replace`).",
    WaitingForQueue = "The queue has not admitted the Job yet.",
    ImagePull = "A pod cannot get its image.",
    Unschedulable = "No node takes a pod.",
    ContainerConfig = "A pod's container cannot be made: a ConfigMap, Secret key or security setting is missing or wrong.",
    NoPods = "The Job has no pod: a quota or an admission rule may refuse them.",
    PodsNotReady = "Pods exist, and none of them has been ready for 30 seconds.",
    // The acts.
    Planning = "The plan Job is under way.",
    Planned = "A plan lies ready.",
    ComputingShards = "The shard Job is under way.",
    NothingStale = "Every shard of the plan has a report already, so no shard Job is needed.",
    ShardsEnded = "The shard Job has ended; the commit judges what failed.",
    Committing = "The commit Job is under way.",
    Published = "A new version is published.",
    NothingToDo = "The newest version already holds what the plan would publish.",
    // New attempts.
    InputChanged = "The input or the base changed under the Run (exit 5): a new plan is made.",
    MoreMemory = "The memory did not suffice (exit 6, or OOMKilled): the act is done again with twice as much.",
    MessageLost = "The end of an act was lost with its pod: the act is done again, and finds what was done.",
    // Ends without a version.
    RequestWrong = "The request is wrong (exit 2): words, expression, permission or a missing Secret.",
    InputChanging = "The input or the base changed under four plans in a row (exit 5).",
    GateRefused = "A gate of `tolerate` refused the version (exit 7).",
    MemoryExceeded = "Twice the memory did not suffice either.",
    StorageUnavailable = "The storage could not be reached in any of the tries (exit 4).",
    BrokenPromise = "A promise of ours was broken (exit 70): please report it.",
    ActFailed = "An act failed in every try, for a reason the message tells as far as it is known.",
    DeadlineExceeded = "The Run took longer than `workers.deadline`.",
    WordsLost = "The ConfigMap with the Run's words is gone or is another one, and the words have changed since.",
    NameTaken = "An object of the name that the Run needs exists and is not its own.",
    ObjectRefused = "The API server refuses the object that the operator makes of the words; the message is the server's.",
    // Suspension.
    Suspended = "`spec.suspend` is true: no work is started, and pods are stopped.",
    Resumed = "`spec.suspend` is false again.",
    // Pipelines.
    ScheduleStarted = "A Run was created for a scheduled time.",
    ScheduleMissed = "Scheduled times have passed without a Run: too late, or made up for by one start.",
    ChangeStarted = "A Run was created because the archive has a new version.",
    PollFailed = "The archive could not be listed; the message says why, in the words of the pod if there was one.",
    // The operator and the API server.
    ReadRunFailed = "Reading a Run failed.",
    ReadPipelineFailed = "Reading a Pipeline failed.",
    ReadArchiveFailed = "Reading an Archive failed.",
    ReadWordsFailed = "Reading the ConfigMap of words failed.",
    ReadRunsFailed = "Listing the Runs of a Pipeline failed.",
    ReadJobFailed = "Reading a Job failed.",
    ReadPodsFailed = "Listing the pods of a Job failed.",
    CreateWordsFailed = "Creating the ConfigMap of words failed.",
    CreateJobFailed = "Creating a Job failed.",
    PatchJobFailed = "Suspending, resuming or scaling a Job failed.",
    DeleteJobFailed = "Deleting a Job failed.",
    CreateRunFailed = "Creating a Run failed.",
    DeleteRunFailed = "Deleting a Run failed.",
    WriteStatusFailed = "Writing a status failed.",
    Recovered = "What failed before works again.",
}

/// Reasons of events that are no warning.
const NORMAL: [Reason; 12] = [
    Reason::OtherRunActive,
    Reason::ReplacingOther,
    Reason::WaitingForQueue,
    Reason::Planning,
    Reason::Planned,
    Reason::ShardsEnded,
    Reason::Published,
    Reason::NothingToDo,
    Reason::Suspended,
    Reason::Resumed,
    Reason::ScheduleStarted,
    Reason::ChangeStarted,
];

/// Reasons of conditions that no event tells of: they are no transition, or go along with one that is told.
const QUIET: [Reason; 7] = [
    Reason::Accepted,
    Reason::PipelineMissing,
    Reason::ArchiveMissing,
    Reason::ComputingShards,
    Reason::NothingStale,
    Reason::Committing,
    Reason::Recovered,
];

/// How a reason is told as an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// All goes as it should.
    Normal,
    /// Worth a look.
    Warning,
    /// By no event.
    Never,
}

impl Reason {
    /// How it is told as an event.
    pub fn told(self) -> Told {
        if NORMAL.contains(&self) {
            Told::Normal
        } else if QUIET.contains(&self) {
            Told::Never
        } else {
            Told::Warning
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Any text: a CRD of one version must not refuse a word of another.
impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        "Reason".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

/// A call to the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// GET of a Run.
    ReadRun,
    /// GET of a Pipeline.
    ReadPipeline,
    /// GET of an Archive.
    ReadArchive,
    /// GET of a Run's ConfigMap.
    ReadWords,
    /// LIST of a Pipeline's Runs.
    ReadRuns,
    /// GET of a Job.
    ReadJob,
    /// LIST of a Job's pods.
    ReadPods,
    /// POST of a ConfigMap.
    CreateWords,
    /// POST of a Job.
    CreateJob,
    /// PATCH of a Job.
    PatchJob,
    /// DELETE of a Job.
    DeleteJob,
    /// POST of a Run.
    CreateRun,
    /// DELETE of a Run.
    DeleteRun,
    /// PUT of a status.
    WriteStatus,
}

impl Step {
    /// The word that says that it failed.
    pub fn reason(self) -> Reason {
        match self {
            Self::ReadRun => Reason::ReadRunFailed,
            Self::ReadPipeline => Reason::ReadPipelineFailed,
            Self::ReadArchive => Reason::ReadArchiveFailed,
            Self::ReadWords => Reason::ReadWordsFailed,
            Self::ReadRuns => Reason::ReadRunsFailed,
            Self::ReadJob => Reason::ReadJobFailed,
            Self::ReadPods => Reason::ReadPodsFailed,
            Self::CreateWords => Reason::CreateWordsFailed,
            Self::CreateJob => Reason::CreateJobFailed,
            Self::PatchJob => Reason::PatchJobFailed,
            Self::DeleteJob => Reason::DeleteJobFailed,
            Self::CreateRun => Reason::CreateRunFailed,
            Self::DeleteRun => Reason::DeleteRunFailed,
            Self::WriteStatus => Reason::WriteStatusFailed,
        }
    }
}

/// A call that failed.
#[derive(Debug, Error)]
#[error("{}", step.reason())]
pub struct Error {
    /// Which one.
    pub step: Step,
    /// What the client says.
    #[source]
    pub source: Box<kube::Error>,
}

impl Error {
    /// What the server says, or the client where no server answered.
    pub fn sentence(&self) -> String {
        match &*self.source {
            kube::Error::Api(status) if !status.message.is_empty() => format!("{} ({})", status.message, status.code),
            other => other.to_string(),
        }
    }

    /// Whether an object of that name is there already.
    pub fn is_there(&self) -> bool {
        matches!(&*self.source, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists")
    }

    /// Whether somebody else wrote the object in between: not worth a word, only another look.
    pub fn is_overtaken(&self) -> bool {
        self.step == Step::WriteStatus && self.is_conflict()
    }

    /// Whether what is stored is in the way.
    pub fn is_conflict(&self) -> bool {
        matches!(&*self.source, kube::Error::Api(status) if status.code == 409)
    }

    /// Whether the object itself is refused, so that trying again is of no use.
    pub fn is_refusal(&self) -> bool {
        matches!(&*self.source, kube::Error::Api(status) if matches!(status.code, 400 | 413 | 422))
    }

    /// Whether the object is not there.
    pub fn is_missing(&self) -> bool {
        matches!(&*self.source, kube::Error::Api(status) if status.code == 404)
    }
}

/// Names the step of a call that fails.
pub(crate) trait During<T> {
    /// The value, or the error with its step.
    fn during(self, step: Step) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, kube::Error> {
    fn during(self, step: Step) -> Result<T, Error> {
        self.map_err(|source| Error { step, source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_written_as_its_word_and_an_unknown_one_is_read() {
        for reason in Reason::ALL {
            let written = serde_json::to_string(reason).unwrap();
            assert_eq!(written, format!("\"{}\"", reason.word()));
            assert_eq!(serde_json::from_str::<Reason>(&written).unwrap(), *reason);
        }
        assert_eq!(serde_json::from_str::<Reason>("\"FromTheFuture\"").unwrap(), Reason::Other);
    }
}
