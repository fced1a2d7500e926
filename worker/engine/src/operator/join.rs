//! The nearest join. Left: rows; right: the observations of one signal.

use super::layout::{KNOWN, KNOWN_AT, Layout, OBSERVED, TIME};
use super::{Robot, Step, values};
use crate::nearest::{NO_MATCH, account, nearest, nearest_known};
use crate::steps;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use pipeline::pipeline::{Join, Pipeline};
use pipeline::spec::Direction;
use pipeline::time::floor_us;
use pipeline::time::words::duration_text;
use std::fmt;
use std::sync::Arc;

/// What rows may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Whatever is near: rows of a signal or grid, and the base rows of event rows.
    All,
    /// What was known before the row: event and control rows.
    KnownBefore,
}

/// Whose matches are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Rows that are written.
    Yes,
    /// Base rows that only windows look at.
    No,
}

/// Appends the join's columns and `dt`, and moves the known times on.
#[derive(Debug)]
pub(super) struct NearestJoin {
    join: Join,
    signal: String,
    columns: String,
    sight: Sight,
    counted: Counted,
    schema: SchemaRef,
}

impl NearestJoin {
    /// The join at `index` of the pipeline.
    pub(super) fn new(pipeline: &Pipeline, index: usize, sight: Sight, counted: Counted, layout: &Layout) -> Self {
        let join = pipeline.joins[index].clone();
        let signal = &pipeline.archive.signals[join.signal];
        let names: Vec<&str> = join.columns.iter().map(|&column| signal.columns[column].name.as_str()).collect();
        let dt = layout.find(pipeline::columns::Meaning::JoinDt { join: index });
        let schema = layout.schema(dt.map_or(layout.len(), |dt| dt + 1));
        Self { signal: signal.name.clone(), columns: names.join(", "), join, sight, counted, schema }
    }
}

impl fmt::Display for NearestJoin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tolerance = duration_text(self.join.tolerance_ns);
        let direction = seen_direction(self.sight, self.join.direction);
        write!(
            f,
            "signal={}, direction={direction:?}, tolerance={tolerance}, columns=[{}]",
            self.signal, self.columns
        )?;
        if self.sight == Sight::KnownBefore { f.write_str(", sees=known before the row") } else { Ok(()) }
    }
}

impl Step for NearestJoin {
    const NAME: &'static str = "NearestJoinExec";
    const STEP: steps::Step = steps::Step::Join;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let [rows, observations] = inputs else { unreachable!("a join has two inputs") };
        let (left, right) = (values::times(rows, TIME), values::times(observations, TIME));
        let known = values::times(observations, KNOWN);
        let matches = self.matches(robot, inputs)?;
        if self.counted == Counted::Yes {
            let counts = account(left, right, &matches, robot.own(left));
            robot.count(|account| account.joins.entry(self.signal.clone()).or_default().merge(&counts));
        }
        let dt = dt_us(left, right, &matches);
        let known_at = latest(values::times(rows, KNOWN), known, &matches);
        let places = values::places(matches);
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns[KNOWN] = Arc::clone(&known_at);
        columns[KNOWN_AT] = known_at;
        for &column in &self.join.columns {
            columns.push(values::gathered(observations.column(OBSERVED + column), &places)?);
        }
        columns.push(Arc::new(dt));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl NearestJoin {
    /// For each row the position of its match among the observations, or [`NO_MATCH`].
    pub(super) fn matches(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<Vec<u32>> {
        let [rows, observations] = inputs else { unreachable!("a join has two inputs") };
        let (left, right) = (values::times(rows, TIME), values::times(observations, TIME));
        let known = values::times(observations, KNOWN);
        let tolerance_ns = self.join.tolerance_ns.unsigned_abs();
        let matches = match (self.sight, self.join.direction) {
            (Sight::All, direction) => nearest(left, right, direction, tolerance_ns),
            (Sight::KnownBefore, direction) => nearest_known(left, right, known, direction, tolerance_ns),
        };
        matches.map_err(values::unsorted(robot, format_args!("join of {}", self.signal)))
    }

    /// The direction as its rows take it.
    pub(super) fn direction(&self) -> Direction {
        seen_direction(self.sight, self.join.direction)
    }
}

/// Match time minus row time, µs towards minus infinity; null without a match.
fn dt_us(left: &[i64], right: &[i64], matches: &[u32]) -> Int64Array {
    let dt = left.iter().zip(matches).map(|(&t, &at)| {
        // A match is at most a tolerance away, which is an i64, so the difference is one too.
        (at != NO_MATCH).then(|| floor_us(right[at as usize].saturating_sub(t)))
    });
    dt.collect()
}

/// The later of what the row and its match are known at.
fn latest(rows: &[i64], known: &[i64], matches: &[u32]) -> ArrayRef {
    let latest: Vec<i64> = rows
        .iter()
        .zip(matches)
        .map(|(&row, &at)| if at == NO_MATCH { row } else { row.max(known[at as usize]) })
        .collect();
    values::time_array(latest, None)
}

/// The direction as rows that see only what is known take it.
fn seen_direction(sight: Sight, direction: Direction) -> Direction {
    match (sight, direction) {
        (Sight::KnownBefore, Direction::Nearest) => Direction::Backward,
        (_, direction) => direction,
    }
}
