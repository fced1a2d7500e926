//! DataFusion physical operators: thin adapters over the kernels. One partition is one robot, one batch is all it has.
//!
//! ```text
//! inputs (one batch each) --> Step::run: slices -> kernel -> arrays --> one batch
//! ```
//! A [`Step`] says what is done with a robot's batches; [`StepExec`] makes an `ExecutionPlan` of it, once for all of them.
//! Nothing here waits: every stream is ready when it is first polled.

mod derive;
mod event;
mod event_rows;
mod join;
mod label;
mod layout;
mod observations;
mod plan;
mod result;
mod robots;
mod rows;
pub(crate) mod trace;
mod values;
mod window;
mod written;

pub(crate) use derive::Derived;
pub(crate) use layout::{Appended, Layout, OBSERVED, observations_schema, observations_scope};
pub(crate) use plan::{Plan, Rules, plan};
pub(crate) use result::Output;
pub(crate) use robots::{Robot, Robots};
pub(crate) use window::{FeatureRule, FrameRule, WindowRule, feature_type, statistics};

use crate::steps;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, apply_expression_roots,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricType, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What an operator does with the batches of one robot. Its `Display` shows its parameters in `explain`.
pub(crate) trait Step: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Name of the operator in a plan.
    const NAME: &'static str;

    /// The step of a report that it belongs to.
    const STEP: steps::Step;

    /// Of what [`Step::run`] gives.
    fn schema(&self) -> SchemaRef;

    /// One batch per child in, one batch out.
    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch>;

    /// Expressions evaluated, for DataFusion's walks.
    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }
}

/// A [`Step`] in a physical plan.
pub(crate) struct StepExec<S> {
    step: Arc<S>,
    children: Vec<Arc<dyn ExecutionPlan>>,
    robots: Arc<Robots>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// One cell per partition where several operators read this one: it runs once.
    memo: Arc<[OnceLock<RecordBatch>]>,
}

impl<S: Step> StepExec<S> {
    /// An operator that runs whenever it is read.
    pub(crate) fn plan(step: S, children: Vec<Arc<dyn ExecutionPlan>>, robots: &Arc<Robots>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self::new(step, children, robots, Arc::new([])))
    }

    /// An operator with several readers: it runs once per robot and keeps its batch.
    pub(crate) fn shared(
        step: S,
        children: Vec<Arc<dyn ExecutionPlan>>,
        robots: &Arc<Robots>,
    ) -> Arc<dyn ExecutionPlan> {
        let memo = (0..robots.len()).map(|_| OnceLock::new()).collect();
        Arc::new(Self::new(step, children, robots, memo))
    }

    fn new(
        step: S,
        children: Vec<Arc<dyn ExecutionPlan>>,
        robots: &Arc<Robots>,
        memo: Arc<[OnceLock<RecordBatch>]>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(step.schema()),
            Partitioning::UnknownPartitioning(robots.len().max(1)),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            step: Arc::new(step),
            children,
            robots: Arc::clone(robots),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            memo,
        }
    }
}

impl<S: Step> StepExec<S> {
    /// The operator's rules.
    fn step(&self) -> &S {
        &self.step
    }
}

impl<S: Step> fmt::Debug for StepExec<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(S::NAME).field("step", &self.step).field("children", &self.children).finish_non_exhaustive()
    }
}

impl<S: Step> DisplayAs for StepExec<S> {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match kind {
            DisplayFormatType::TreeRender => write!(f, "{}", self.step),
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "{}: {}", S::NAME, self.step),
        }
    }
}

impl<S: Step> ExecutionPlan for StepExec<S> {
    fn name(&self) -> &str {
        S::NAME
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.children.iter().collect()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.step.expressions(), f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            step: Arc::clone(&self.step),
            children,
            robots: Arc::clone(&self.robots),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
            memo: self.memo.iter().map(|_| OnceLock::new()).collect(),
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let children = self.children.iter().map(|child| child.execute(partition, Arc::clone(&context)));
        let children: Vec<SendableRecordBatchStream> = children.collect::<Result<_>>()?;
        if partition >= self.robots.len() {
            return Err(exec_datafusion_err!("{}: there is no robot {partition}", S::NAME));
        }
        let robot = self.robots.robot(partition);
        let (step, memo) = (Arc::clone(&self.step), Arc::clone(&self.memo));
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let output_bytes = MetricBuilder::new(&self.metrics).with_type(MetricType::Summary).output_bytes(partition);
        let batch = async move {
            let kept = memo.get(partition);
            if let Some(batch) = kept.and_then(OnceLock::get) {
                return Ok(batch.clone());
            }
            let mut inputs = Vec::with_capacity(children.len());
            for child in children {
                inputs.push(whole(child).await?);
            }
            let began = Instant::now();
            let batch = S::STEP.span().in_scope(|| step.run(&robot, &inputs))?;
            let (elapsed, bytes) = (began.elapsed(), batch.get_array_memory_size());
            robot.spend(S::STEP, elapsed, bytes);
            metrics.elapsed_compute().add_duration(elapsed);
            metrics.record_output(batch.num_rows());
            output_bytes.add(bytes);
            Ok(kept.map_or_else(|| batch.clone(), |cell| cell.get_or_init(|| batch.clone()).clone()))
        };
        let stream = stream::once(batch).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.step.schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// All of a stream as one batch.
async fn whole(stream: SendableRecordBatchStream) -> Result<RecordBatch> {
    let schema = stream.schema();
    let mut batches: Vec<RecordBatch> = stream.try_collect().await?;
    match batches.len() {
        1 => Ok(batches.swap_remove(0)),
        _ => Ok(concat_batches(&schema, &batches)?),
    }
}
