//! Base rows: one per observation of a signal, or the points of a grid.

use super::layout::{KNOWN, Layout, OBSERVED, TIME};
use super::{Robot, Step, values};
use crate::grid::points;
use crate::steps;
use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt8Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use pipeline::time::Span;
use pipeline::time::words::duration_text;
use std::fmt;
use std::sync::Arc;

/// A row per observation. Child: the signal's observations.
#[derive(Debug)]
pub(super) struct SignalRows {
    name: String,
    is_event: bool,
    schema: SchemaRef,
}

impl SignalRows {
    /// Rows of the signal called `name`, as the layout begins them; `own` is how many columns it has.
    pub(super) fn new(name: &str, is_event: bool, own: usize, layout: &Layout) -> Self {
        Self { name: name.to_owned(), is_event, schema: layout.schema(first_own(is_event) + own) }
    }
}

/// Position of the row's first own column.
pub(super) fn first_own(is_event: bool) -> usize {
    super::layout::MARKS + 1 + usize::from(is_event)
}

impl fmt::Display for SignalRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal={}", self.name)
    }
}

impl Step for SignalRows {
    const NAME: &'static str = "RowsExec";
    const STEP: steps::Step = steps::Step::Rows;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, _robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let observations = &inputs[0];
        let (time, known) = (observations.column(TIME), observations.column(KNOWN));
        let mut columns = beginning(time, known);
        if self.is_event {
            columns.push(Arc::new(StringArray::new_null(observations.num_rows())));
        }
        columns.extend(observations.columns().iter().skip(OBSERVED).cloned());
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// Time, known, known at, and no marks.
pub(super) fn beginning(time: &ArrayRef, known: &ArrayRef) -> Vec<ArrayRef> {
    let marks = UInt8Array::from(vec![0; time.len()]);
    vec![Arc::clone(time), Arc::clone(known), Arc::clone(known), Arc::new(marks)]
}

/// The points of a grid. Children: the observations that keep the robot alive. A point is known at its own time.
#[derive(Debug)]
pub(super) struct GridRows {
    every_ns: i64,
    pub(super) alive_ns: i64,
    during: String,
    schema: SchemaRef,
}

impl GridRows {
    /// `during` names the signals that keep the robot alive.
    pub(super) fn new(every_ns: i64, alive_ns: i64, during: String, layout: &Layout) -> Self {
        Self { every_ns, alive_ns, during, schema: layout.schema(first_own(false)) }
    }
}

impl fmt::Display for GridRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (every, alive) = (duration_text(self.every_ns), duration_text(self.alive_ns));
        write!(f, "every={every}, during={}, alive={alive}", self.during)
    }
}

impl Step for GridRows {
    const NAME: &'static str = "GridExec";
    const STEP: steps::Step = steps::Step::Rows;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, _robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let observations: Vec<&[i64]> = inputs.iter().map(|batch| values::times(batch, TIME)).collect();
        let time = values::time_array(points(&observations, self.every_ns, self.alive_ns, Span::ALL), None);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), beginning(&time, &time))?)
    }
}
