//! Observations of robots in, rows of the result out: a DataFusion plan with a partition per robot, run on the caller's threads.
//!
//! Nothing here waits for anything, so there is no runtime: [`Computation::robot`] runs one robot to its end on the thread that
//! calls it, and several threads may call it for different robots at once. Laying out a computation costs some microseconds;
//! what is dear (expressions) was made by [`crate::compile::compile`].

use crate::account::Account;
use crate::arrange::RobotSignals;
use crate::compile::Compiled;
use crate::operator::{Plan, Robots, plan};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, TryStreamExt};
use pipeline::time::Span;
use std::sync::Arc;

/// The rows of one robot.
#[derive(Debug, Clone)]
pub struct RobotRows {
    /// Its name.
    pub robot: Arc<str>,
    /// Rows of the span in the result's schema, by time; may be empty.
    pub batch: RecordBatch,
}

/// Why rows could not be computed. Bad data never ends here: this is a broken promise of ours.
#[derive(Debug, thiserror::Error)]
#[error("the rows of robot {robot} could not be computed")]
pub struct ComputeError {
    /// The robot.
    pub robot: Arc<str>,
    /// What DataFusion said.
    #[source]
    pub source: DataFusionError,
}

/// Some robots about to be computed.
#[derive(Debug)]
pub struct Computation {
    context: Arc<TaskContext>,
    plan: Plan,
    robots: Arc<Robots>,
}

impl Compiled {
    /// Lays out the computation of `inputs`: per robot and signal all observations of `span` and its context (see
    /// [`pipeline::reach`]). Only rows and onsets inside `span` are given and counted.
    pub fn start(&self, inputs: Vec<RobotSignals>, span: Span) -> Computation {
        let robots = Arc::new(Robots::new(inputs, span));
        Computation { context: Arc::clone(&self.context), plan: plan(&self.rules, &robots), robots }
    }
}

impl Computation {
    /// How many robots there are.
    pub fn robots(&self) -> usize {
        self.robots.len()
    }

    /// Computes the robot at `index` of the inputs, on this thread, with its account: joins, rows, events, labels, expressions.
    /// Once per robot: a second call would find its events counted already.
    ///
    /// # Errors
    /// See [`ComputeError`].
    pub fn robot(&self, index: usize) -> Result<(RobotRows, Account), ComputeError> {
        let robot = self.robots.robot(index);
        let failed = |source| ComputeError { robot: Arc::clone(robot.name()), source };
        let batch = self.run(&self.plan.rows, index).map_err(failed)?;
        // An event that no row needs is counted all the same.
        for event in &self.plan.events {
            self.run(event, index).map_err(failed)?;
        }
        Ok((RobotRows { robot: Arc::clone(robot.name()), batch }, robot.take_account()))
    }

    /// The plan that gives the rows.
    pub(crate) fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan.rows
    }

    fn run(&self, plan: &Arc<dyn ExecutionPlan>, partition: usize) -> Result<RecordBatch, DataFusionError> {
        let stream = plan.execute(partition, Arc::clone(&self.context))?;
        let batches: Vec<RecordBatch> = match stream.try_collect().now_or_never() {
            Some(batches) => batches?,
            None => unreachable!("operators do no I/O, so their streams are ready"),
        };
        Ok(concat_batches(&plan.schema(), &batches)?)
    }
}
