//! Labels: whether the event comes, and what of validity that decides.

use super::event_rows::EVENT;
use super::layout::{KNOWN_AT, MARKS, ROW_KIND, TIME};
use super::{Robot, Step, event, values};
use crate::label::{Label, Rule, labels};
use crate::steps;
use crate::validity::Validity;
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt8Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{SchemaRef, UInt8Type};
use datafusion::common::Result;
use pipeline::time::words::duration_text;
use std::fmt;
use std::sync::Arc;

/// Judges rows by the time after they are known. Children: rows, the event's table.
#[derive(Debug)]
pub(super) struct LabelStep {
    pub(super) event: String,
    pub(super) rule: Rule,
    pub(super) schema: SchemaRef,
}

impl fmt::Display for LabelStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lead, horizon) = (duration_text(self.rule.lead_ns), duration_text(self.rule.horizon_ns));
        write!(f, "event={}, lead={lead}, horizon={horizon}", self.event)
    }
}

impl Step for LabelStep {
    const NAME: &'static str = "LabelExec";
    const STEP: steps::Step = steps::Step::Label;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, _robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let [rows, table] = inputs else { unreachable!("a label has two inputs") };
        let onsets = event::kept_times(table);
        let known_at = values::times(rows, KNOWN_AT);
        let found = labels(known_at, &onsets, values::times(table, TIME), self.rule);
        let marks = rows.column(MARKS).as_primitive::<UInt8Type>().values().to_vec();
        let mut validity = Validity::from_marks(marks);
        validity.foresee(values::times(rows, TIME), known_at, &onsets, self.rule.lead_ns);
        let label: BooleanArray = found
            .iter()
            .map(|label| match label {
                Label::Positive(_) => Some(true),
                Label::Negative => Some(false),
                Label::Unknown => None,
            })
            .collect();
        let time = |label: &Label| if let Label::Positive(time) = label { Some(*time) } else { None };
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns[MARKS] = Arc::new(UInt8Array::from(validity.into_marks()));
        columns.push(Arc::new(label));
        columns.push(optional_times(found.iter().map(time)));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

fn optional_times(times: impl ExactSizeIterator<Item = Option<i64>> + Clone) -> ArrayRef {
    let valid = NullBuffer::from_iter(times.clone().map(|time| time.is_some()));
    let times: Vec<i64> = times.map(Option::unwrap_or_default).collect();
    values::time_array(times, Some(valid).filter(|valid| valid.null_count() > 0))
}

/// Event rows: the label is the kind of the row. Child: rows.
#[derive(Debug)]
pub(super) struct KindLabel {
    pub(super) event: String,
    pub(super) schema: SchemaRef,
}

impl fmt::Display for KindLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event={}, by=row_kind", self.event)
    }
}

impl Step for KindLabel {
    const NAME: &'static str = "LabelExec";
    const STEP: steps::Step = steps::Step::Label;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, _robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let rows = &inputs[0];
        let times = values::times(rows, TIME);
        let kinds = rows.column(ROW_KIND).as_string::<i32>();
        let is_event: Vec<bool> = kinds.iter().map(|kind| kind == Some(EVENT)).collect();
        let at = times.iter().zip(&is_event).map(|(&time, &is_event)| is_event.then_some(time));
        let columns = vec![optional_times(at), Arc::new(BooleanArray::from(is_event)) as ArrayRef];
        values::appended(rows, columns.into_iter().rev().collect(), &self.schema)
    }
}
