//! The columns of the result, named in one place: for `check` (double names), the engine (output) and the table (schema).
//!
//! ```text
//! robot date time [row_kind] known_at | own columns | per join: its columns, dt | derived | features | [label …] valid …
//! ```

use crate::pipeline::{Pipeline, Rows, Source};
use crate::spec::Statistic;

/// One column of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub meaning: Meaning,
}

/// What a column of the result holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The robot's name (text).
    Robot,
    /// The row's UTC day (date; the partition).
    Date,
    /// The row's time (timestamp).
    Time,
    /// `event` or `control` (text); event rows only.
    RowKind,
    /// When everything in the row was known (timestamp).
    KnownAt,
    /// A column of the row's own signal.
    Own {
        /// Index of the signal.
        signal: usize,
        /// Index of its column.
        column: usize,
    },
    /// A column of a joined signal.
    Joined {
        /// Index into [`Pipeline::joins`].
        join: usize,
        /// Index of the column in the signal.
        column: usize,
    },
    /// Match time minus row time, µs (int64).
    JoinDt {
        /// Index into [`Pipeline::joins`].
        join: usize,
    },
    /// Index into [`Pipeline::derives`].
    Derived(usize),
    /// A statistic over a window.
    Feature {
        /// Index into [`Pipeline::windows`].
        window: usize,
        /// Index into its features.
        feature: usize,
        /// Index into the feature's statistics.
        statistic: usize,
    },
    /// Whether the event comes (bool).
    Label,
    /// When it comes (timestamp).
    LabelEventTime,
    /// Whether the row is valid (bool).
    Valid,
    /// Why it is not (text).
    InvalidReason,
}

/// All columns of the result, in order.
pub fn result_columns(pipeline: &Pipeline) -> Vec<ResultColumn> {
    let mut columns = Columns(Vec::new());
    columns.push("robot", Meaning::Robot);
    columns.push("date", Meaning::Date);
    columns.push("time", Meaning::Time);
    if matches!(pipeline.rows, Rows::Event { .. }) {
        columns.push("row_kind", Meaning::RowKind);
    }
    columns.push("known_at", Meaning::KnownAt);
    columns.push_own(pipeline);
    columns.push_joins(pipeline);
    for (index, derive) in pipeline.derives.iter().enumerate() {
        columns.push(&derive.name, Meaning::Derived(index));
    }
    columns.push_features(pipeline);
    if pipeline.label.is_some() {
        columns.push("label", Meaning::Label);
        columns.push("label_event_time", Meaning::LabelEventTime);
    }
    columns.push("valid", Meaning::Valid);
    columns.push("invalid_reason", Meaning::InvalidReason);
    columns.0
}

impl Pipeline {
    /// `<signal>_<column>` or the derived name: how the result and feature names spell a value.
    pub fn source_name(&self, source: Source) -> String {
        match source {
            Source::Signal { signal, column } => {
                let signal = &self.archive.signals[signal];
                format!("{}_{}", signal.name, signal.columns[column].name)
            }
            Source::Derived(index) => self.derives[index].name.clone(),
        }
    }
}

impl Statistic {
    /// As written in YAML and in column names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Mean => "mean",
            Self::Std => "std",
            Self::Min => "min",
            Self::Max => "max",
            Self::Range => "range",
            Self::Sum => "sum",
            Self::First => "first",
            Self::Last => "last",
            Self::Delta => "delta",
            Self::Slope => "slope",
            Self::Rms => "rms",
            Self::Skew => "skew",
            Self::Kurtosis => "kurtosis",
            Self::MeanAbsChange => "mean_abs_change",
            Self::MaxAbsChange => "max_abs_change",
            Self::P05 => "p05",
            Self::P25 => "p25",
            Self::P50 => "p50",
            Self::P75 => "p75",
            Self::P95 => "p95",
            Self::FractionTrue => "fraction_true",
            Self::Changes => "changes",
            Self::TimeSinceChange => "time_since_change",
        }
    }
}

struct Columns(Vec<ResultColumn>);

impl Columns {
    fn push(&mut self, name: &str, meaning: Meaning) {
        self.0.push(ResultColumn { name: name.to_owned(), meaning });
    }

    fn push_own(&mut self, pipeline: &Pipeline) {
        let Some(signal) = pipeline.row_signal() else { return };
        for column in 0..pipeline.archive.signals[signal].columns.len() {
            let name = pipeline.source_name(Source::Signal { signal, column });
            self.push(&name, Meaning::Own { signal, column });
        }
    }

    fn push_joins(&mut self, pipeline: &Pipeline) {
        for (index, join) in pipeline.joins.iter().enumerate() {
            for column in &join.columns {
                let name = pipeline.source_name(Source::Signal { signal: join.signal, column: *column });
                self.push(&name, Meaning::Joined { join: index, column: *column });
            }
            let name = format!("{}_dt_us", pipeline.archive.signals[join.signal].name);
            self.push(&name, Meaning::JoinDt { join: index });
        }
    }

    fn push_features(&mut self, pipeline: &Pipeline) {
        for (w, window) in pipeline.windows.iter().enumerate() {
            for (f, feature) in window.features.iter().enumerate() {
                let source = pipeline.source_name(feature.column);
                for (s, statistic) in feature.statistics.iter().enumerate() {
                    let mut name = format!("{source}_{}", statistic.word());
                    if !window.suffix.is_empty() {
                        name = format!("{name}_{}", window.suffix);
                    }
                    self.push(&name, Meaning::Feature { window: w, feature: f, statistic: s });
                }
            }
        }
    }
}
