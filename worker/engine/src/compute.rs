//! Observations of a robot in, its rows of the result out: a DataFusion plan run on the caller's thread.
//!
//! Nothing here waits for anything, so there is no runtime: [`Compiled::compute`] runs a robot to its end on the thread that
//! calls it, and any number of threads may call it at once. Making the plan costs some microseconds; what is dear (expressions)
//! was made by [`crate::compile::compile`].

use crate::account::Account;
use crate::arrange::RobotSignals;
use crate::compile::Compiled;
use crate::operator::{Plan, Robots, plan};
use crate::steps::Steps;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::DataFusionError;
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
    /// Of the span: joins, rows, events, labels, expressions.
    pub account: Account,
    /// What its steps took.
    pub steps: Steps,
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

impl Compiled {
    /// The rows of a robot, from all its observations of `span` and its context (see [`pipeline::reach`]). Only rows and onsets
    /// inside `span` are given and counted.
    ///
    /// # Errors
    /// See [`ComputeError`].
    pub fn compute(&self, robot: RobotSignals, span: Span) -> Result<RobotRows, ComputeError> {
        let name = Arc::clone(&robot.robot);
        let robots = Arc::new(Robots::new(vec![robot], span));
        let plan = self.plan(&robots);
        let failed = |source| ComputeError { robot: Arc::clone(&name), source };
        let batch = self.run(&plan.rows).map_err(failed)?;
        // An event that no row needs is counted all the same.
        for event in &plan.events {
            self.run(event).map_err(failed)?;
        }
        let robot = robots.robot(0);
        Ok(RobotRows { robot: name, batch, account: robot.take_account(), steps: robot.take_steps() })
    }

    /// The plan over some robots, a partition each.
    pub(crate) fn plan(&self, robots: &Arc<Robots>) -> Plan {
        plan(&self.rules, robots)
    }

    pub(crate) fn run(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<RecordBatch, DataFusionError> {
        let stream = plan.execute(0, Arc::clone(&self.context))?;
        let batches: Vec<RecordBatch> = match stream.try_collect().now_or_never() {
            Some(batches) => batches?,
            None => unreachable!("operators do no I/O, so their streams are ready"),
        };
        Ok(concat_batches(&plan.schema(), &batches)?)
    }
}
