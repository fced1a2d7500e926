//! Events: the onsets of a condition over one signal, as a table that every reader of the event shares.
//!
//! A line per observation whose condition is known: `time`, its position among the signal's observations, whether it is an
//! onset, whether the onset is kept.

use super::layout::TIME;
use super::{Robot, Step, derive, values};
use crate::event::{Onset, Rule, onsets};
use crate::expression::Expression;
use crate::schema::time_type;
use crate::steps;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use datafusion::common::Result;
use datafusion::physical_plan::PhysicalExpr;
use pipeline::pipeline::Event;
use pipeline::time::words::duration_text;
use std::fmt;
use std::sync::Arc;

/// Evaluates `when` and finds the onsets. Child: the signal's observations.
#[derive(Debug)]
pub(super) struct EventStep {
    event: Event,
    when: Expression,
}

impl EventStep {
    pub(super) fn new(event: &Event, when: &Expression) -> Self {
        Self { event: event.clone(), when: when.clone() }
    }
}

impl fmt::Display for EventStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { name, edge, refractory_ns, memory_ns, .. } = &self.event;
        let (refractory, memory) = (duration_text(*refractory_ns), duration_text(*memory_ns));
        write!(f, "name={name}, edge={edge:?}, refractory={refractory}, memory={memory}, when={}", self.when.text())
    }
}

impl Step for EventStep {
    const NAME: &'static str = "EventExec";
    const STEP: steps::Step = steps::Step::Event;

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("time", time_type(), false),
            Field::new("observation", DataType::UInt32, false),
            Field::new("onset", DataType::Boolean, false),
            Field::new("kept", DataType::Boolean, false),
        ]))
    }

    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let observations = &inputs[0];
        let times = values::times(observations, TIME);
        let evaluated = self.when.evaluate(observations);
        derive::count(robot, &self.event.name, &evaluated, times);
        let condition = evaluated.values.as_boolean();
        let found = onsets(times, condition.iter(), Rule::from(&self.event));
        let counts = found.account(robot.span());
        robot.count(|account| account.events.entry(self.event.name.clone()).or_default().merge(&counts));
        let known = (0_u32..).take(times.len()).filter(|&at| condition.is_valid(at as usize));
        let observation: Vec<u32> = known.collect();
        let (mut onset, mut kept) = (vec![false; observation.len()], vec![false; observation.len()]);
        let mut line = 0;
        for found in &found.all {
            line += observation[line..].partition_point(|&at| (at as usize) < found.observation);
            (onset[line], kept[line]) = (true, found.kept);
        }
        let columns: Vec<ArrayRef> = vec![
            values::time_array(found.known_times, None),
            Arc::new(UInt32Array::from(observation)),
            Arc::new(BooleanArray::from(onset)),
            Arc::new(BooleanArray::from(kept)),
        ];
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![self.when.physical()]
    }
}

/// The onsets of an event's table, kept or not.
pub(super) fn all_onsets(table: &RecordBatch) -> Vec<Onset> {
    let (times, observation) = (values::times(table, TIME), table.column(1).as_primitive::<UInt32Type>());
    let (onset, kept) = (table.column(2).as_boolean(), table.column(3).as_boolean());
    let lines = (0..table.num_rows()).filter(|&line| onset.value(line));
    let to_onset = |line: usize| Onset {
        observation: observation.value(line) as usize,
        time_ns: times[line],
        kept: kept.value(line),
    };
    lines.map(to_onset).collect()
}

/// Times (ns, ascending) of an event's onsets, kept or not.
pub(super) fn all_times(table: &RecordBatch) -> Vec<i64> {
    all_onsets(table).iter().map(|onset| onset.time_ns).collect()
}

/// Times (ns, ascending) of an event's kept onsets.
pub(super) fn kept_times(table: &RecordBatch) -> Vec<i64> {
    all_onsets(table).iter().filter(|onset| onset.kept).map(|onset| onset.time_ns).collect()
}
