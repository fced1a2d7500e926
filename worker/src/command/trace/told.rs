//! What is told of a row, ready to be printed: as JSON just as it stands, as text by `text.rs`.

use serde::Serialize;
use serde_json::{Map, Value};

/// The rows of one robot at one time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    pub(super) table: String,
    pub(super) version: u64,
    pub(super) robot: String,
    pub(super) time: String,
    /// Whether every row is what was published, bit for bit.
    pub(super) equal: bool,
    pub(super) rows: Vec<Row>,
    /// Rows that were computed now and are not published.
    pub(super) extra_rows: usize,
}

/// A published row and what it came from. What was not asked for is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) shard: String,
    pub(super) plan: String,
    pub(super) source: String,
    pub(super) equal: bool,
    /// A published file that is not as large as the ledger says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resized: Option<String>,
    /// Values of the published row.
    pub(super) published: Map<String, Value>,
    pub(super) differences: Vec<Difference>,
    #[serde(flatten)]
    pub(super) cause: Option<Cause>,
}

/// A column in which the row differs from what was published.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    pub(super) column: String,
    pub(super) published: Value,
    pub(super) recomputed: Value,
}

/// What a row came from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cause {
    pub(super) time_ns: i64,
    pub(super) known_at: String,
    /// What was known last.
    pub(super) known_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Base>,
    pub(super) matches: Vec<Match>,
    pub(super) derived: Vec<Derived>,
    pub(super) windows: Vec<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validity: Option<Validity>,
}

/// Where an observation was read.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Place {
    pub(super) signal: String,
    pub(super) object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) member: String,
    pub(super) record: u64,
}

/// An observation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Observation {
    #[serde(flatten)]
    pub(super) place: Option<Place>,
    pub(super) time: String,
    pub(super) time_ns: i64,
    pub(super) known: String,
    pub(super) values: Map<String, Value>,
}

/// Why there is a row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Base {
    /// `observation`, `point`, `event` or `control`.
    pub(super) kind: &'static str,
    pub(super) why: String,
    pub(super) observations: Vec<Observation>,
}

/// What a join found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Match {
    pub(super) signal: String,
    pub(super) direction: String,
    pub(super) tolerance: String,
    /// Match time minus row time, ns.
    pub(super) dt_ns: Option<i64>,
    pub(super) found: Option<Observation>,
}

/// What a derived column was computed from.
#[derive(Debug, Serialize)]
pub(super) struct Derived {
    pub(super) column: String,
    pub(super) expression: String,
    pub(super) published: Value,
    pub(super) inputs: Map<String, Value>,
    pub(super) from: Vec<Place>,
}

/// What a window held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Window {
    pub(super) span: String,
    pub(super) over: String,
    /// As an interval: `(from, to]`, or `[from, to)` before event and control rows.
    pub(super) interval: String,
    pub(super) features: Vec<Feature>,
}

/// The statistics of one column over a window, and its values there.
#[derive(Debug, Serialize)]
pub(super) struct Feature {
    pub(super) column: String,
    pub(super) statistics: Vec<Statistic>,
    pub(super) values: Vec<Line>,
}

/// One statistic.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statistic {
    /// Its column of the result.
    pub(super) column: String,
    pub(super) published: Value,
    /// Of the values that are told, and no others.
    pub(super) recomputed: Value,
    pub(super) equal: bool,
}

/// A value in a window.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) time: String,
    pub(super) time_ns: i64,
    pub(super) value: Value,
    /// False where an event or control row does not see it: it was not known before the row.
    pub(super) seen: bool,
    pub(super) from: Vec<Place>,
}

/// What a label was judged from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Label {
    pub(super) event: String,
    pub(super) published: Value,
    /// Where onsets count: `(known_at + lead, known_at + lead + horizon]`; `None`: the row's kind decides.
    pub(super) interval: Option<String>,
    pub(super) onsets: Vec<Onset>,
    pub(super) looked_before: Option<String>,
    pub(super) looked_after: Option<String>,
    pub(super) why: String,
}

/// An onset after the row.
#[derive(Debug, Serialize)]
pub(super) struct Onset {
    pub(super) time: String,
    /// False where `refractory` dropped it.
    pub(super) kept: bool,
    pub(super) from: Option<Place>,
}

/// Whether the row is valid, and every rule that was put to it.
#[derive(Debug, Serialize)]
pub(super) struct Validity {
    pub(super) valid: Value,
    pub(super) reason: Value,
    pub(super) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Serialize)]
pub(super) struct Rule {
    pub(super) reason: &'static str,
    /// Whether it speaks against the row.
    pub(super) holds: bool,
    /// The window's span; `None`: the label's rule.
    pub(super) window: Option<String>,
    pub(super) of: String,
    pub(super) found: String,
}
