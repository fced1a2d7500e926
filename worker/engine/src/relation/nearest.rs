//! The operator of `nearest_join`: each row of the left once, beside the row of the right that is nearest to it in time.

use super::held::Held;
use super::node::JoinRule;
use super::peak;
use super::place::{Place, Run};
use crate::nearest::{NO_MATCH, nearest};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_expr::{Distribution, OrderingRequirements};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, Partitioning, PhysicalExpr,
    PlanProperties,
};
use futures::{TryStreamExt, stream};
use pipeline::time::floor_us;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Joins two relations that are sorted by robot and time.
#[derive(Debug)]
pub(super) struct NearestJoinExec {
    rule: JoinRule,
    inputs: [Arc<dyn ExecutionPlan>; 2],
    places: [Place; 2],
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl NearestJoinExec {
    /// Gives the columns of `schema`: those of the left, those of the right but its robot, and the distance.
    pub(super) fn new(rule: JoinRule, inputs: [Arc<dyn ExecutionPlan>; 2], schema: SchemaRef) -> Result<Self> {
        let place = |input: usize| Place::of(&inputs[input].schema(), "nearest_join: an input");
        let places = [place(0)?, place(1)?];
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), [places[0].order()?]),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Ok(Self { rule, inputs, places, schema, properties, metrics })
    }
}

impl DisplayAs for NearestJoinExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match kind {
            DisplayFormatType::TreeRender => write!(f, "{}", self.rule),
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "NearestJoinExec: {}", self.rule),
        }
    }
}

impl ExecutionPlan for NearestJoinExec {
    fn name(&self) -> &'static str {
        "NearestJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.places.iter().map(|place| place.order().ok().map(OrderingRequirements::from)).collect()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true, false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok(inputs) = children.try_into() else { return internal_err!("a nearest join has two inputs") };
        Ok(Arc::new(Self::new(self.rule.clone(), inputs, Arc::clone(&self.schema))?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let [left, right] = &self.inputs;
        let of_right = right.schema();
        let columns: Vec<usize> =
            (0..of_right.fields().len()).filter(|column| *column != self.places[1].robot).collect();
        let kept: SchemaRef = Arc::new(of_right.project(&columns)?);
        let joining = Joining {
            rule: self.rule.clone(),
            left: left.execute(partition, Arc::clone(&context))?,
            place: self.places[0],
            right: Held::new(right.execute(partition, Arc::clone(&context))?, self.places[1], &kept),
            columns,
            schema: Arc::clone(&self.schema),
            waiting: VecDeque::new(),
            last: None,
            metrics: BaselineMetrics::new(&self.metrics, partition),
            reservation: MemoryConsumer::new("nearest_join").register(context.memory_pool()),
            peak: peak(&self.metrics, partition),
        };
        let batches = stream::try_unfold(joining, |mut joining| async move {
            Ok(joining.next().await?.map(|batch| (batch, joining)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The operator at work.
struct Joining {
    rule: JoinRule,
    left: SendableRecordBatchStream,
    place: Place,
    right: Held,
    /// Those of the right that are given.
    columns: Vec<usize>,
    schema: SchemaRef,
    /// Runs of left rows that were read and not joined yet, with their times.
    waiting: VecDeque<(Run, RecordBatch, Vec<i64>)>,
    /// The robot that was read last.
    last: Option<Arc<str>>,
    metrics: BaselineMetrics,
    reservation: MemoryReservation,
    peak: Gauge,
}

impl Joining {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some((run, rows, times)) = self.waiting.pop_front() {
                return Ok(Some(self.join(&run, &rows, &times).await?));
            }
            let Some(batch) = self.left.try_next().await? else { return Ok(None) };
            let keys = self.place.keys(&batch)?;
            for run in keys.runs() {
                let rows = batch.slice(run.rows.start, run.rows.len());
                if run.robot.is_some() && run.robot < self.last {
                    return internal_err!("the left rows of a nearest join are not sorted by robot");
                }
                self.last = run.robot.clone().or(self.last.take());
                let times = if run.robot.is_some() { keys.times(&run).to_vec() } else { Vec::new() };
                self.waiting.push_back((run, rows, times));
            }
        }
    }

    /// The rows of a run with their matches.
    async fn join(&mut self, run: &Run, rows: &RecordBatch, times: &[i64]) -> Result<RecordBatch> {
        if let (Some(robot), Some(first), Some(last)) = (&run.robot, times.first(), times.last()) {
            let (back_ns, forward_ns) = self.rule.reach();
            let (from_ns, to_ns) = (first.saturating_sub(back_ns), last.saturating_add(forward_ns));
            self.right.reach(robot, from_ns, to_ns).await?;
        }
        let bytes = self.right.bytes();
        self.reservation.try_resize(bytes)?;
        self.peak.set_max(bytes);
        let timer = self.metrics.elapsed_compute().timer();
        let joined = joined(&self.rule, &mut self.right, &self.columns, (run, rows, times), &self.schema)?;
        timer.done();
        Ok(joined.record_output(&self.metrics))
    }
}

fn joined(
    rule: &JoinRule,
    right: &mut Held,
    columns: &[usize],
    (run, rows, times): (&Run, &RecordBatch, &[i64]),
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let mut positions = vec![None; rows.num_rows()];
    let mut dt: Vec<Option<i64>> = vec![None; rows.num_rows()];
    if let Some(robot) = &run.robot {
        let held = right.times();
        let matches = nearest(times, held, rule.direction, rule.tolerance_ns.unsigned_abs());
        let matches = matches
            .map_err(|unsorted| DataFusionError::Internal(format!("robot {robot}, nearest_join: {unsorted}")))?;
        for (row, at) in matches.into_iter().enumerate().filter(|(_, at)| *at != NO_MATCH) {
            positions[row] = Some(at as usize);
            dt[row] = Some(floor_us(held[at as usize].saturating_sub(times[row])));
        }
    }
    let mut all: Vec<ArrayRef> = rows.columns().to_vec();
    all.extend(right.gather(columns, &positions)?);
    all.push(Arc::new(Int64Array::from(dt)));
    Ok(RecordBatch::try_new(fitting(schema, &all), all)?)
}

/// The schema with what the columns say of nulls: an optimizer may know better than the plan.
fn fitting(schema: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let fits =
        |(field, column): (&Arc<arrow::datatypes::Field>, &ArrayRef)| field.is_nullable() || column.null_count() == 0;
    if schema.fields().iter().zip(columns).all(fits) {
        return Arc::clone(schema);
    }
    let nullable = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(nullable.collect::<Vec<_>>()))
}
