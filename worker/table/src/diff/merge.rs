//! The rows of one version's part, in the order of robot and time, whatever files they lie in.
//!
//! ```text
//! file a   r1 t0 ─ r1 t2 ─ r2 t0        ┐
//! file b   r1 t1 ─ r1 t2                ┴─►  r1 t0 │ r1 t1 │ r1 t2, r1 t2 │ r2 t0      groups of equal robot and time
//! ```
//!
//! Held: a batch of each file, and the group at hand.

use crate::cell::Cells;
use crate::error::TableError;
use crate::rows::RowStream;
use arrow::array::{Array, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;
use std::sync::Arc;

/// The columns that say which row is which.
pub(crate) const ROBOT: &str = "robot";
pub(crate) const TIME: &str = "time";
pub(crate) const KIND: &str = "row_kind";

/// A batch with its keys and the compared columns, typed.
#[derive(Debug)]
pub(crate) struct Rows {
    robots: StringArray,
    times: TimestampMicrosecondArray,
    kinds: Option<StringArray>,
    cells: Vec<Cells>,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    rows: Arc<Rows>,
    at: usize,
}

impl Rows {
    /// `None` when a column is missing or of a type that no result has, or a row has no robot or time.
    fn new(batch: &RecordBatch, columns: &[String]) -> Option<Self> {
        let robots = batch.column_by_name(ROBOT)?.as_string_opt::<i32>()?.clone();
        let times = batch.column_by_name(TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?.clone();
        let kinds = match batch.column_by_name(KIND) {
            Some(kinds) => Some(kinds.as_string_opt::<i32>()?.clone()),
            None => None,
        };
        let cells =
            columns.iter().map(|name| batch.column_by_name(name).and_then(Cells::new)).collect::<Option<_>>()?;
        (robots.null_count() == 0 && times.null_count() == 0).then_some(Self { robots, times, kinds, cells })
    }
}

impl Row {
    pub(crate) fn robot(&self) -> &str {
        self.rows.robots.value(self.at)
    }

    pub(crate) fn time_us(&self) -> i64 {
        self.rows.times.value(self.at)
    }

    /// `event` or `control`; empty in tables without them.
    pub(crate) fn kind(&self) -> &str {
        match &self.rows.kinds {
            Some(kinds) if kinds.is_valid(self.at) => kinds.value(self.at),
            _ => "",
        }
    }

    /// The compared columns, in their order.
    pub(crate) fn cells(&self) -> &[Cells] {
        &self.rows.cells
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn key(&self) -> (&str, i64) {
        (self.robot(), self.time_us())
    }
}

/// One file being read.
struct Lane {
    name: String,
    stream: RowStream,
    head: Option<Row>,
}

/// One version's rows.
pub(crate) struct Side {
    columns: Arc<[String]>,
    lanes: Vec<Lane>,
}

impl Side {
    /// The rows of sorted streams, each with a name for messages. Of equal rows those of earlier streams come first.
    pub(crate) async fn new(streams: Vec<(String, RowStream)>, columns: &Arc<[String]>) -> Result<Self, TableError> {
        let mut side = Self { columns: Arc::clone(columns), lanes: Vec::new() };
        for (name, stream) in streams {
            let mut lane = Lane { name, stream, head: None };
            lane.load(&side.columns).await?;
            side.lanes.push(lane);
        }
        Ok(side)
    }

    /// Robot and time of the next group; `None`: there is none.
    pub(crate) fn key(&self) -> Option<(&str, i64)> {
        self.lanes.iter().filter_map(|lane| lane.head.as_ref()).map(Row::key).min()
    }

    /// All rows of the least robot and time, in their order; none at the end.
    ///
    /// Errors: a file that is not sorted: what follows would be compared with the wrong rows.
    pub(crate) async fn group(&mut self) -> Result<Vec<Row>, TableError> {
        let mut group = Vec::new();
        let Some((robot, time_us)) = self.key().map(|(robot, time_us)| (robot.to_owned(), time_us)) else {
            return Ok(group);
        };
        for lane in &mut self.lanes {
            while let Some(row) = lane.head.take_if(|head| head.key() == (robot.as_str(), time_us)) {
                lane.advance(&row, &self.columns).await?;
                group.push(row);
            }
        }
        Ok(group)
    }
}

impl Lane {
    /// Puts the row after `last` at the head.
    async fn advance(&mut self, last: &Row, columns: &[String]) -> Result<(), TableError> {
        if last.at + 1 < last.rows.robots.len() {
            self.head = Some(Row { rows: Arc::clone(&last.rows), at: last.at + 1 });
        } else {
            self.load(columns).await?;
        }
        match &self.head {
            Some(head) if head.key() < last.key() => {
                Err(TableError::malformed(&self.name, "its rows are not sorted by robot and time; it is not ours"))
            }
            _ => Ok(()),
        }
    }

    /// Puts the first row of the next batch that has one at the head.
    async fn load(&mut self, columns: &[String]) -> Result<(), TableError> {
        self.head = None;
        while let Some(batch) = self.stream.try_next().await? {
            let rows = Rows::new(&batch, columns).ok_or_else(|| {
                TableError::malformed(
                    &self.name,
                    "its columns are not those of the table, or a row has no robot or time",
                )
            })?;
            if batch.num_rows() > 0 {
                self.head = Some(Row { rows: Arc::new(rows), at: 0 });
                break;
            }
        }
        Ok(())
    }
}
