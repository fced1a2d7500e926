//! Where rows came from: for each row the observations behind every column, told by the operators that made it.
//!
//! ```text
//! observations of one robot ─► the plan ─► rows
//!                                 └── each operator, by its own rules: which match, which values in the window, which onsets
//! ```
//! Nothing is computed here that the plan does not compute: an operator is run on what it is given and then asked what of it
//! went into one row. So a trace that gives the published rows says how they were made, not how they might have been.
//! Positions are those of [`RobotSignals`]; what stands there, and in which member it was read, the caller looks up.

use crate::arrange::RobotSignals;
use crate::compile::Compiled;
use crate::compute::ComputeError;
use crate::event::Onset;
use crate::operator::Robots;
use crate::operator::trace::trace;
use crate::validity::Reason;
use crate::window::Window;
use arrow::array::{ArrayRef, RecordBatch};
use pipeline::spec::Direction;
use pipeline::time::Span;
use std::sync::Arc;

/// An observation of the robot: a signal and a position in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Observed {
    /// Index of the signal.
    pub signal: usize,
    /// Position in the signal's batch.
    pub position: usize,
}

/// Rows of the result, and what each came from.
#[derive(Debug)]
pub struct Trace {
    /// As [`Compiled::compute`] gives them.
    pub rows: RecordBatch,
    /// A cause per row.
    pub causes: Vec<Cause>,
}

/// What one row came from.
#[derive(Debug)]
pub struct Cause {
    /// The row's time, ns.
    pub time_ns: i64,
    /// When everything in it was known, ns.
    pub known_at_ns: i64,
    /// Why there is a row.
    pub base: Base,
    /// Per join of the pipeline.
    pub matches: Vec<MatchCause>,
    /// Per derived column of the pipeline.
    pub derived: Vec<DerivedCause>,
    /// Per window of the pipeline.
    pub windows: Vec<WindowCause>,
    /// What the label was judged from; `None`: there is no label, or the row's kind decides it.
    pub label: Option<LabelCause>,
    /// Every rule of validity that was put to the row.
    pub judgements: Vec<Judgement>,
}

/// Why there is a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// It stands at an observation.
    Observation(Observed),
    /// It is a point of a grid: the last observation of each signal that kept the robot alive there.
    Point(Vec<Observed>),
    /// It stands at a kept onset.
    Onset(Observed),
    /// It is a control, drawn for these kept onsets, ns.
    Control {
        /// Where it stands.
        at: Observed,
        /// For which onsets.
        onsets_ns: Vec<i64>,
    },
}

/// What one join found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchCause {
    /// The direction as this row took it: rows that see only what is known take Nearest for Backward.
    pub direction: Direction,
    /// The match; `None`: nothing within the tolerance.
    pub found: Option<Observed>,
}

/// What one derived column was computed from.
#[derive(Debug)]
pub struct DerivedCause {
    /// The columns of the row that the expression names, as expressions write them, with their one value.
    pub inputs: Vec<(String, ArrayRef)>,
    /// The observations behind them.
    pub from: Vec<Observed>,
}

/// What one window held.
#[derive(Debug)]
pub struct WindowCause {
    /// Its shape.
    pub window: Window,
    /// Where its values come from: the base rows, or the observations of a signal.
    pub frames: Vec<FrameCause>,
    /// Per feature of the window.
    pub features: Vec<FeatureCause>,
}

/// The rows or observations inside a window, in time order.
#[derive(Debug)]
pub struct FrameCause {
    /// Whose observations; `None`: base rows.
    pub signal: Option<usize>,
    /// Their times, ns.
    pub times_ns: Vec<i64>,
    /// When each was known, ns.
    pub known_ns: Vec<i64>,
    /// Whether the row sees it: event and control rows see only what was known before them.
    pub seen: Vec<bool>,
}

/// The values of one column inside a window, and what they come to.
#[derive(Debug)]
pub struct FeatureCause {
    /// Index of its frame.
    pub frame: usize,
    /// A value per line of the frame.
    pub values: ArrayRef,
    /// The observations behind each value.
    pub from: Vec<Vec<Observed>>,
    /// The statistics of these values and no others, in the order of the words, one value each.
    pub statistics: Vec<ArrayRef>,
}

/// What a label was judged from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCause {
    /// Index of the event.
    pub event: usize,
    /// Onsets count after this, ns: `known_at + lead`.
    pub after_ns: i64,
    /// And up to this, ns: `after + horizon`.
    pub to_ns: i64,
    /// Onsets after the row's time and up to `to_ns`, kept or not; a position counts among the event's observations.
    pub onsets: Vec<Onset>,
    /// The last time before `to_ns` at which the condition was known, ns.
    pub looked_before_ns: Option<i64>,
    /// The first time at or after `to_ns` at which it was, ns.
    pub looked_after_ns: Option<i64>,
}

/// One rule of validity, put to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The reason that it would give.
    pub reason: Reason,
    /// Whether it speaks against the row.
    pub holds: bool,
    /// Index of the window whose rule it is; `None`: the label's.
    pub window: Option<usize>,
    /// The signal, derived column or event that was looked at.
    pub of: String,
    /// What was found.
    pub found: Found,
}

/// What a rule of validity looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// So many times with a value.
    Count {
        /// How many.
        count: u64,
        /// `requires.count`.
        least: u64,
    },
    /// The longest hole.
    Hole {
        /// Where it begins, ns.
        from_ns: i64,
        /// Where it ends, ns.
        to_ns: i64,
        /// `requires.gap`, ns.
        most_ns: i64,
    },
    /// Onsets at these times, ns.
    Onsets(Vec<i64>),
}

impl Compiled {
    /// The rows of a robot in `span`, as [`Compiled::compute`] makes them of the same observations, and what each came from.
    /// Meant for few rows: it runs every operator some times over.
    ///
    /// # Errors
    /// See [`ComputeError`].
    pub fn trace(&self, robot: &RobotSignals, span: Span) -> Result<Trace, ComputeError> {
        let robots = Arc::new(Robots::new(vec![robot.clone()], span));
        trace(self, &robots).map_err(|source| ComputeError { robot: Arc::clone(&robot.robot), source })
    }
}
