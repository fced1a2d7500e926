//! The checked Pipeline: what a row is, what is joined to it, what is computed, what is to be learnt.
//!
//! Made by [`crate::check`]; every name is an index into [`Pipeline::archive`] or into the pipeline itself. Expressions
//! stay text here: their types are checked by the `engine` crate, which alone knows SQL.

use crate::archive::Archive;
use crate::pattern;
use crate::spec::{Direction, Edge, Invalid, Over, PipelineSpec, Statistic};
use crate::time::{DAY_NS, Day, Span, words};

/// A pipeline with its archive, ready to plan and compute.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// `metadata.name`: the owner of the table.
    pub name: String,
    /// What it reads.
    pub archive: Archive,
    /// Which robots take part.
    pub robots: RobotFilter,
    /// Whole UTC days, half-open; `None`: all.
    pub range: Option<DayRange>,
    /// What a row is.
    pub rows: Rows,
    /// The named events.
    pub events: Vec<Event>,
    /// What is joined to a row, in order.
    pub joins: Vec<Join>,
    /// Computed columns, each seeing the earlier ones.
    pub derives: Vec<Derive>,
    /// `where`: which rows are written.
    pub filter: Option<String>,
    /// Look-back windows.
    pub windows: Vec<Window>,
    /// What is to be learnt.
    pub label: Option<Label>,
    /// Gates of the publication.
    pub tolerate: Tolerate,
    /// Aim for the stored bytes of one shard (`shards.bytes`).
    pub shard_bytes: u64,
    /// The words as written, for what needs no checking: `result`, `workers`, `schedule`, `onChange`.
    pub spec: PipelineSpec,
}

/// How long files of old versions stay readable, when nothing is said.
pub const RETENTION_DEFAULT_NS: i64 = 7 * DAY_NS;

impl Pipeline {
    /// What becomes of invalid rows (`result.invalid`, Keep).
    pub fn invalid(&self) -> Invalid {
        self.spec.result.invalid.unwrap_or(Invalid::Keep)
    }

    /// How long files of old versions stay readable (`result.retention`, 7d), ns.
    pub fn retention_ns(&self) -> i64 {
        let written = self.spec.result.retention.as_deref().map(words::duration_ns);
        written.and_then(Result::ok).unwrap_or(RETENTION_DEFAULT_NS)
    }

    /// Index of the signal whose observations are the base rows; `None` for a grid.
    pub fn row_signal(&self) -> Option<usize> {
        row_signal(&self.rows, &self.events)
    }
}

/// Shell-like patterns over robot names: included by any of `include` (all when empty), excluded by none of `exclude`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RobotFilter {
    /// Patterns with `*`.
    pub include: Vec<String>,
    /// Patterns with `*`.
    pub exclude: Vec<String>,
}

impl RobotFilter {
    /// Whether the robot takes part.
    pub fn accepts(&self, robot: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| pattern::glob(pattern, robot));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

/// `[from, to)` in whole UTC days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayRange {
    /// First day.
    pub from: Day,
    /// Day after the last.
    pub to: Day,
}

impl DayRange {
    /// From the first day's first instant to the last day's end.
    pub fn span(self) -> Span {
        Span { from_ns: self.from.start_ns(), to_ns: self.to.start_ns() }
    }

    /// Whether it holds the day.
    pub fn contains(self, day: Day) -> bool {
        self.from <= day && day < self.to
    }
}

/// What a row of the result is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// One per observation of a signal.
    Signal {
        /// Index of the signal.
        signal: usize,
    },
    /// A grid aligned to the epoch.
    Grid {
        /// Step, ns.
        every_ns: i64,
        /// Signal whose observations keep the robot alive; `None`: any mapped signal.
        during: Option<usize>,
        /// A point lives when there was an observation in the `alive_ns` before it.
        alive_ns: i64,
    },
    /// The onsets of an event, and controls.
    Event {
        /// Index into [`Pipeline::events`].
        event: usize,
        /// Rows without an onset to compare with.
        controls: Option<Controls>,
    },
}

/// Index of the signal whose observations are the base rows; `None` for a grid.
pub(crate) fn row_signal(rows: &Rows, events: &[Event]) -> Option<usize> {
    match rows {
        Rows::Signal { signal } => Some(*signal),
        Rows::Grid { .. } => None,
        Rows::Event { event, .. } => Some(events[*event].signal),
    }
}

/// How control rows are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controls {
    /// How many per onset.
    pub per_event: u32,
    /// Least distance from every onset, ns.
    pub apart_ns: i64,
    /// Greatest distance from its own onset, ns.
    pub within_ns: i64,
    /// Seed of the draw.
    pub seed: u64,
}

/// A named onset rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// Index of its signal.
    pub signal: usize,
    /// SQL condition over the signal's own columns.
    pub when: String,
    /// Which change is an onset.
    pub edge: Edge,
    /// An onset less than this after the previous one is dropped, ns.
    pub refractory_ns: i64,
    /// State older than this is forgotten, ns.
    pub memory_ns: i64,
}

/// A signal joined to each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Index of the signal.
    pub signal: usize,
    /// Which neighbour is taken.
    pub direction: Direction,
    /// Greatest distance, inclusive, ns.
    pub tolerance_ns: i64,
    /// Indices of the joined columns, in the signal's order.
    pub columns: Vec<usize>,
}

/// A computed column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derive {
    /// Its name in the result.
    pub name: String,
    /// SQL over the joined row and earlier derived names.
    pub expression: String,
}

/// A look-back window and what is computed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Length, ns.
    pub span_ns: i64,
    /// Whether values are taken per base row or per observation.
    pub over: Over,
    /// Which statistics of which columns, in order; one entry per column and words entry, globs resolved.
    pub features: Vec<Feature>,
    /// Least count and greatest hole for validity.
    pub requires: Option<Requires>,
    /// Indices of events whose onset inside the window makes the row invalid.
    pub excludes: Vec<usize>,
    /// End of the feature names; the span as written when absent in the words.
    pub suffix: String,
}

/// The statistics of one column over one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// The column.
    pub column: Source,
    /// Statistics, in the order written, without repeats.
    pub statistics: Vec<Statistic>,
}

/// A value that a row can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A column of a signal.
    Signal {
        /// Index of the signal.
        signal: usize,
        /// Index of its column.
        column: usize,
    },
    /// Index into [`Pipeline::derives`].
    Derived(usize),
}

/// What a window must hold for its row to be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requires {
    /// Least number of times with a value.
    pub count: Option<u64>,
    /// Greatest hole, ns.
    pub gap_ns: Option<i64>,
}

/// What is to be learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Index of the event.
    pub event: usize,
    /// How far ahead, ns (0 for event rows).
    pub horizon_ns: i64,
    /// How much warning is wanted, ns (0 for event rows).
    pub lead_ns: i64,
}

/// What a publication may lose. Shares are in 0..=1.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerate {
    /// Most failed shards.
    pub failed_shards: u64,
    /// Greatest share of quarantined observations and members; `None`: no gate.
    pub quarantined: Option<f64>,
    /// Greatest share of late observations; `None`: no gate.
    pub late: Option<f64>,
    /// Least share of matched rows per joined signal (index).
    pub min_matched: Vec<(usize, f64)>,
    /// How far columns may drift from the base version.
    pub drift: Vec<Drift>,
}

/// How far columns of the result may drift from the base version. At least one limit is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Patterns with `*` over names of result columns.
    pub columns: Vec<String>,
    /// Greatest change of the share of nulls, in 0..=1.
    pub null_share: Option<f64>,
    /// Greatest shift of the mean, in standard deviations of the base's values.
    pub mean_shift: Option<f64>,
}
