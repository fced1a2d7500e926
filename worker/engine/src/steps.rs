//! What computing took, step by step: for reports and people, never for rows.

use std::collections::BTreeMap;
use std::time::Duration;
use tracing::{Span, trace_span};

/// A step of computing a robot's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Base rows: of a signal, a grid or events.
    Rows,
    /// Nearest joins.
    Join,
    /// Derived columns.
    Derive,
    /// Onsets.
    Event,
    /// Look-back windows.
    Window,
    /// Labels.
    Label,
    /// Filters, names and units of the result.
    Result,
}

/// Target of the spans that `fleetloom run --profile` writes.
pub const PROFILE: &str = "profile";

impl Step {
    /// A span of the profile.
    pub(crate) fn span(self) -> Span {
        match self {
            Self::Rows => trace_span!(target: PROFILE, "rows"),
            Self::Join => trace_span!(target: PROFILE, "join"),
            Self::Derive => trace_span!(target: PROFILE, "derive"),
            Self::Event => trace_span!(target: PROFILE, "event"),
            Self::Window => trace_span!(target: PROFILE, "window"),
            Self::Label => trace_span!(target: PROFILE, "label"),
            Self::Result => trace_span!(target: PROFILE, "result"),
        }
    }

    /// Its word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Join => "join",
            Self::Derive => "derive",
            Self::Event => "event",
            Self::Window => "window",
            Self::Label => "label",
            Self::Result => "result",
        }
    }
}

/// What one step took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// On the thread that computed.
    pub time: Duration,
    /// Of what it gave, columns that it only passed on included.
    pub bytes: u64,
}

/// What each step took; steps that a pipeline has not are not there.
pub type Steps = BTreeMap<Step, Spent>;

/// Adds what a step took once more.
pub(crate) fn add(steps: &mut Steps, step: Step, time: Duration, bytes: usize) {
    let spent = steps.entry(step).or_default();
    spent.time += time;
    spent.bytes = spent.bytes.saturating_add(bytes as u64);
}
