//! What differs between two versions: rows, statistics per robot, day and column, the largest changes with their place.
//!
//! ```text
//! files of both ─► parts (a day, some robots) ─► merge by robot and time ─► compare ─► robot's day ─► summary, lines
//!                  the same files: not read                                    └► again per block of columns: quantiles
//! ```
//!
//! Equal files are equal rows, so only parts whose files differ are read. Memory: a row group of each file of one part, the
//! lines of its robots, and `VALUES_BYTES` of values for the quantiles (more only when one column of a part holds more).

mod compare;
mod lines;
mod merge;
mod parts;
mod quantile;
mod schema;
mod summary;

pub use crate::cell::Value;
pub use compare::{Change, ColumnDay, RobotDay, RowCounts, Statistics};
pub use lines::LineWriter;
pub(crate) use schema::compare as common;
pub use schema::{Column, SchemaChange};
pub use summary::{ColumnSummary, Shift, Summary};

use crate::cell::Cells;
use crate::error::TableError;
use crate::rows::{RowStream, some_columns};
use crate::state::TableState;
use archive::store::Store;
use arrow::array::{Array, AsArray, RecordBatch};
use compare::Comparison;
use futures::TryStreamExt;
use merge::{KIND, ROBOT, Side, TIME};
use parts::{File, Part, Parts, parts, placed};
use quantile::quantiles;
use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Values held for quantiles at a time, bytes.
const VALUES_BYTES: u64 = 64 << 20;

/// Values of all files' batches at a time, bytes, as far as batches can be that short.
const BATCHES_BYTES: usize = 64 << 20;

/// Most rows of a batch.
const BATCH_ROWS_MAX: usize = 8 << 10;

/// Fewest rows of a batch: below that, reading costs more than comparing.
const BATCH_ROWS_MIN: usize = 64;

/// Bytes of one value in memory.
const VALUE_BYTES: usize = 8;

/// Two versions being compared, part by part.
pub struct Diff {
    store: Arc<dyn Store>,
    before: TableState,
    after: TableState,
    columns: Vec<Column>,
    names: Arc<[String]>,
    schema: Vec<SchemaChange>,
    parts: VecDeque<Part>,
    summary: Summary,
}

impl Diff {
    /// Finds out what has to be read; no row is read yet.
    ///
    /// Errors: a version that is ours by its words, but whose ledger is gone or does not fit.
    pub async fn open(store: &Arc<dyn Store>, before: TableState, after: TableState) -> Result<Self, TableError> {
        let (columns, schema) = schema::compare(&before.schema, &after.schema);
        let Parts { differing, days_compared, days_same } =
            parts(with_robots(store, &before).await?, with_robots(store, &after).await?);
        let names: Arc<[String]> = columns.iter().map(|column| column.name.clone()).collect();
        let summary = Summary::new(columns.len(), days_compared, days_same);
        Ok(Self { store: Arc::clone(store), before, after, columns, names, schema, parts: differing.into(), summary })
    }

    /// The columns that are compared: those of both versions, with the same type.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How the schemas differ.
    pub fn schema(&self) -> &[SchemaChange] {
        &self.schema
    }

    /// Compares the next part. The robots' days of it that differ, maybe none; `None` when all is compared.
    pub async fn next(&mut self) -> Result<Option<Vec<RobotDay>>, TableError> {
        let Some(part) = self.parts.pop_front() else { return Ok(None) };
        let mut days = self.compare(&part).await?;
        self.measure(&part, &mut days).await?;
        days.iter().for_each(|day| self.summary.add(day));
        Ok(Some(days))
    }

    /// What was found so far; all of it after [`Diff::next`] gave `None`.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Compares the rows of a part.
    async fn compare(&mut self, part: &Part) -> Result<Vec<RobotDay>, TableError> {
        let files = part.before.len() + part.after.len();
        let batch_rows = batch_rows(files, self.columns.len());
        let mut before = self.side(&self.before, &part.before, batch_rows).await?;
        let mut after = self.side(&self.after, &part.after, batch_rows).await?;
        let mut comparison = Comparison::new(self.columns.len());
        let mut days = Vec::new();
        while let Some((robot, from)) = next(&before, &after) {
            if robot != comparison.robot() {
                days.extend(self.end(&mut comparison, &part.date));
            }
            let old = if from.is_le() { before.group().await? } else { Vec::new() };
            let new = if from.is_ge() { after.group().await? } else { Vec::new() };
            comparison.group(&old, &new);
        }
        days.extend(self.end(&mut comparison, &part.date));
        Ok(days)
    }

    fn end(&mut self, comparison: &mut Comparison, date: &str) -> Option<RobotDay> {
        let (day, changes) = comparison.take(date)?;
        self.summary.keep(changes);
        Some(day)
    }

    async fn side(&self, state: &TableState, files: &[File], batch_rows: usize) -> Result<Side, TableError> {
        let mut names: Vec<&str> = vec![ROBOT, TIME, KIND];
        names.extend(self.names.iter().map(String::as_str));
        let mut streams: Vec<(String, RowStream)> = Vec::new();
        for file in files {
            let stream = some_columns(&self.store, &state.schema, &file.path, &names, batch_rows).await?;
            streams.push((file.path.clone(), stream));
        }
        Side::new(streams, &self.names).await
    }

    /// Fills in the quantiles, some columns at a time.
    async fn measure(&self, part: &Part, days: &mut [RobotDay]) -> Result<(), TableError> {
        if days.is_empty() {
            return Ok(());
        }
        let places: HashMap<String, usize> = days.iter().zip(0..).map(|(day, at)| (day.robot.clone(), at)).collect();
        let numbers: Vec<usize> = (0..self.columns.len()).filter(|at| self.columns[*at].is_number()).collect();
        for (state, files, version) in [(&self.before, &part.before, true), (&self.after, &part.after, false)] {
            let rows: u64 = files.iter().map(|file| file.rows).sum();
            let most = (VALUES_BYTES / (VALUE_BYTES as u64 * rows.max(1))).max(1);
            for block in numbers.chunks(usize::try_from(most).unwrap_or(usize::MAX)) {
                let values = self.values(state, files, block, &places).await?;
                for (place, columns) in values.into_iter().enumerate() {
                    for (at, mut values) in block.iter().zip(columns) {
                        let column = &mut days[place].columns[*at];
                        let side = if version { &mut column.before } else { &mut column.after };
                        side.quantiles = quantiles(&mut values);
                    }
                }
            }
        }
        Ok(())
    }

    /// The numbers of some columns, by robot (as `places` counts them) and column.
    async fn values(
        &self,
        state: &TableState,
        files: &[File],
        block: &[usize],
        places: &HashMap<String, usize>,
    ) -> Result<Vec<Vec<Vec<f64>>>, TableError> {
        let mut values = vec![vec![Vec::new(); block.len()]; places.len()];
        let mut names = vec![ROBOT];
        names.extend(block.iter().map(|at| self.names[*at].as_str()));
        for file in files {
            let mut batches = some_columns(&self.store, &state.schema, &file.path, &names, BATCH_ROWS_MAX).await?;
            while let Some(batch) = batches.try_next().await? {
                gather(&batch, &names[1..], places, &mut values)
                    .ok_or_else(|| TableError::malformed(&file.path, "its columns are not those of the table"))?;
            }
        }
        Ok(values)
    }
}

/// A version's files, with their robots where its ledger says.
async fn with_robots(store: &Arc<dyn Store>, state: &TableState) -> Result<Vec<(String, String, File)>, TableError> {
    let ledger = match &state.provenance {
        Some(_) => Some(state.ledger(store).await?),
        None => None,
    };
    Ok(placed(state, ledger.as_ref()))
}

/// The robot that comes next, and in which version: less is before, greater is after, equal is both.
fn next<'a>(before: &'a Side, after: &'a Side) -> Option<(&'a str, Ordering)> {
    match (before.key(), after.key()) {
        (Some(old), Some(new)) => Some((old.min(new).0, old.cmp(&new))),
        (Some(old), None) => Some((old.0, Ordering::Less)),
        (None, Some(new)) => Some((new.0, Ordering::Greater)),
        (None, None) => None,
    }
}

fn batch_rows(files: usize, columns: usize) -> usize {
    let row_bytes = VALUE_BYTES * columns.max(1) * files.max(1);
    (BATCHES_BYTES / row_bytes).clamp(BATCH_ROWS_MIN, BATCH_ROWS_MAX)
}

/// Adds a batch's numbers; `None` when a column is missing.
fn gather(
    batch: &RecordBatch,
    names: &[&str],
    places: &HashMap<String, usize>,
    values: &mut [Vec<Vec<f64>>],
) -> Option<()> {
    let robots = batch.column_by_name(ROBOT)?.as_string_opt::<i32>()?;
    let places: Vec<Option<&usize>> = (0..robots.len()).map(|row| places.get(robots.value(row))).collect();
    for (column, name) in names.iter().enumerate() {
        let cells = Cells::new(batch.column_by_name(name)?)?;
        for (row, place) in places.iter().enumerate() {
            if let (Some(place), Some(number)) = (place, cells.at(row).number()) {
                values[**place][column].push(number);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
