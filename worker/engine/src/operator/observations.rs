//! The leaf of every plan: the observations of one signal, in memory.

use super::layout::observations_schema;
use super::{Robot, Step, StepExec, values};
use crate::steps;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use pipeline::pipeline::Pipeline;
use std::fmt;
use std::sync::Arc;

use super::Robots;

/// Gives the observations of a signal, their times as timestamps.
#[derive(Debug)]
pub(super) struct Observations {
    signal: usize,
    name: String,
    schema: SchemaRef,
}

impl Observations {
    pub(super) fn plan(pipeline: &Pipeline, signal: usize, robots: &Arc<Robots>) -> Arc<dyn ExecutionPlan> {
        let name = pipeline.archive.signals[signal].name.clone();
        let step = Self { signal, name, schema: observations_schema(pipeline, signal) };
        StepExec::plan(step, Vec::new(), robots)
    }
}

impl fmt::Display for Observations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal={}", self.name)
    }
}

impl Step for Observations {
    const NAME: &'static str = "ObservationsExec";
    const STEP: steps::Step = steps::Step::Rows;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, robot: &Robot, _inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let batch = robot
            .observations(self.signal)
            .ok_or_else(|| exec_datafusion_err!("robot {}: signal {} was not handed over", robot.name(), self.name))?;
        // Int64 nanoseconds and timestamps in nanoseconds share their buffer.
        let clock = |column: usize| {
            let times = batch.column(column).as_primitive_opt::<Int64Type>();
            let times = times.ok_or_else(|| exec_datafusion_err!("signal {}: its times are no Int64", self.name))?;
            Ok(values::time_array(times.values().clone(), None))
        };
        let clocks: Vec<_> = (0..super::layout::OBSERVED).map(clock).collect::<Result<_>>()?;
        // What follows the signal's columns says where they were read, which no rule sees.
        let columns = batch.columns().iter().take(self.schema.fields().len()).skip(super::layout::OBSERVED).cloned();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), clocks.into_iter().chain(columns).collect())?)
    }
}
