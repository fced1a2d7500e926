//! Event and control rows: the observations of an event's signal at which a row is written.
//!
//! Nothing may be known at or after such a row's time but its stamp. So its own columns are null: what they hold was known
//! only with the row. It is known at its own time; what it is joined to and looks back at was known before.

use super::layout::{Layout, OBSERVED, TIME};
use super::rows::{beginning, first_own};
use super::{Robot, Step, event, values};
use crate::control::draw;
use crate::event::Onset;
use crate::steps;
use arrow::array::{RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use pipeline::pipeline::Controls;
use pipeline::time::words::duration_text;
use std::fmt;
use std::sync::Arc;

/// The kind of a row that stands at an onset.
pub(super) const EVENT: &str = "event";
/// The kind of a row that does not.
pub(super) const CONTROL: &str = "control";

/// Kept onsets and drawn controls. Children: the event's table, the observations of its signal.
#[derive(Debug)]
pub(super) struct EventRows {
    event: String,
    controls: Option<Controls>,
    schema: SchemaRef,
}

impl EventRows {
    pub(super) fn new(event: &str, controls: Option<Controls>, own: usize, layout: &Layout) -> Self {
        Self { event: event.to_owned(), controls, schema: layout.schema(first_own(true) + own) }
    }
}

impl fmt::Display for EventRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event={}", self.event)?;
        let Some(Controls { per_event, apart_ns, within_ns, seed }) = &self.controls else { return Ok(()) };
        let (apart, within) = (duration_text(*apart_ns), duration_text(*within_ns));
        write!(f, ", controls={per_event} per event, apart={apart}, within={within}, seed={seed}")
    }
}

impl Step for EventRows {
    const NAME: &'static str = "EventRowsExec";
    const STEP: steps::Step = steps::Step::Rows;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let observations = &inputs[1];
        let rows = self.chosen(robot, inputs);
        let places: UInt32Array = rows.iter().map(|&(at, _)| crate::sorted::position(at)).collect();
        let time = values::gathered(observations.column(TIME), &places)?;
        let mut columns = beginning(&time, &time);
        columns.push(Arc::new(StringArray::from_iter_values(rows.iter().map(|&(_, kind)| kind))));
        let own = observations.columns().iter().skip(OBSERVED);
        columns.extend(own.map(|column| new_null_array(column.data_type(), rows.len())));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl EventRows {
    /// The observations at which rows stand, in order, and the kind of each row.
    pub(super) fn chosen(&self, robot: &Robot, inputs: &[RecordBatch]) -> Vec<(usize, &'static str)> {
        let [table, observations] = inputs else { unreachable!("event rows have two inputs") };
        let onsets = event::all_onsets(table);
        let kept = onsets.iter().filter(|onset| onset.kept).map(|onset| (onset.observation, EVENT));
        let mut rows: Vec<(usize, &str)> = kept.collect();
        if let Some(controls) = &self.controls {
            let drawn = draw(robot.name(), &onsets, values::times(observations, TIME), controls);
            let too_few = drawn.too_few(robot.span());
            robot.count(|account| account.rows.too_few_controls += too_few);
            rows.extend(drawn.observations.into_iter().map(|at| (at, CONTROL)));
            rows.sort_unstable();
        }
        rows
    }

    /// The kept onsets for which a control was drawn, ns. An onset draws the same whichever others are kept: those only keep
    /// candidates away.
    pub(super) fn drawn_for(&self, robot: &Robot, inputs: &[RecordBatch], control: usize) -> Vec<i64> {
        let ([table, observations], Some(controls)) = (inputs, &self.controls) else { return Vec::new() };
        let times = values::times(observations, TIME);
        let onsets = event::all_onsets(table);
        let near = onsets
            .iter()
            .filter(|onset| onset.kept && onset.time_ns.abs_diff(times[control]) <= controls.within_ns.unsigned_abs());
        let draws = |wanted: &&Onset| {
            let alone: Vec<Onset> = onsets.iter().map(|onset| Onset { kept: onset == *wanted, ..*onset }).collect();
            draw(robot.name(), &alone, times, controls).observations.contains(&control)
        };
        near.filter(draws).map(|onset| onset.time_ns).collect()
    }
}
