//! The operator of `look_back`: each row with statistics over the rows of its robot in the span before it, itself among them.
//!
//! ```text
//! rows of a robot   ….......|============|=======|?
//!                    dropped  tail         to give  not whole: rows of the same time may follow
//! ```
//! What is held is a span of one robot and about as many rows again: then the cost of putting both together is small.

use super::node::{LookRule, looked_at};
use super::peak;
use super::place::{Place, Run};
use crate::operator::{feature_type, statistics};
use crate::statistic::View;
use crate::window::{End, Window, bounds};
use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::SchemaRef;
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
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Rows that are put behind a tail at a time, at least.
const ROWS_MIN: usize = 8 << 10;

/// Looks back over a relation that is sorted by robot and time.
#[derive(Debug)]
pub(super) struct LookBackExec {
    rule: LookRule,
    input: Arc<dyn ExecutionPlan>,
    place: Place,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LookBackExec {
    /// Gives the columns of `schema`: those of the input, and the features.
    pub(super) fn new(rule: LookRule, input: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Result<Self> {
        let place = Place::of(&input.schema(), "look_back: its input")?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), [place.order()?]),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Ok(Self { rule, input, place, schema, properties, metrics })
    }
}

impl DisplayAs for LookBackExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match kind {
            DisplayFormatType::TreeRender => write!(f, "{}", self.rule),
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "LookBackExec: {}", self.rule),
        }
    }
}

impl ExecutionPlan for LookBackExec {
    fn name(&self) -> &'static str {
        "LookBackExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.place.order().ok().map(OrderingRequirements::from)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return internal_err!("a look back has an input") };
        Ok(Arc::new(Self::new(self.rule.clone(), input, Arc::clone(&self.schema))?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let looking = Looking {
            rule: self.rule.clone(),
            input: self.input.execute(partition, Arc::clone(&context))?,
            place: self.place,
            schema: Arc::clone(&self.schema),
            robot: None,
            tail: None,
            given: 0,
            more: Vec::new(),
            ready: VecDeque::new(),
            batch_rows: context.session_config().batch_size(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            reservation: MemoryConsumer::new("look_back").register(context.memory_pool()),
            peak: peak(&self.metrics, partition),
        };
        let batches = stream::try_unfold(looking, |mut looking| async move {
            Ok(looking.next().await?.map(|batch| (batch, looking)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The operator at work.
struct Looking {
    rule: LookRule,
    input: SendableRecordBatchStream,
    place: Place,
    schema: SchemaRef,
    robot: Option<Arc<str>>,
    /// Rows of the robot that rows to come look back at, or that were not given yet.
    tail: Option<RecordBatch>,
    /// How many of the tail's rows were given.
    given: usize,
    /// Rows of the robot behind the tail.
    more: Vec<RecordBatch>,
    ready: VecDeque<RecordBatch>,
    batch_rows: usize,
    metrics: BaselineMetrics,
    reservation: MemoryReservation,
    peak: Gauge,
}

impl Looking {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch.record_output(&self.metrics)));
            }
            match self.input.try_next().await? {
                Some(batch) => self.add(&batch)?,
                None if self.is_empty() => return Ok(None),
                None => self.look(Rest::None)?,
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.tail.is_none() && self.more.is_empty()
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        for Run { robot, rows } in self.place.keys(batch)?.runs() {
            let rows = batch.slice(rows.start, rows.len());
            let Some(robot) = robot else {
                self.look(Rest::None)?;
                let features = self.nulls(&rows)?;
                self.give(&rows, features)?;
                continue;
            };
            if self.robot.as_ref() != Some(&robot) {
                if self.robot.as_ref() > Some(&robot) {
                    return internal_err!("the rows of a look back are not sorted by robot");
                }
                self.look(Rest::None)?;
                self.robot = Some(robot);
            }
            self.more.push(rows);
        }
        let more: usize = self.more.iter().map(RecordBatch::num_rows).sum();
        self.hold()?;
        if more >= ROWS_MIN.max(self.tail.as_ref().map_or(0, RecordBatch::num_rows)) {
            self.look(Rest::MayFollow)?;
        }
        Ok(())
    }

    /// Gives all rows that see their whole window, and keeps what rows to come look back at.
    fn look(&mut self, rest: Rest) -> Result<()> {
        let parts: Vec<&RecordBatch> = self.tail.iter().chain(&self.more).collect();
        let Some(first) = parts.first() else { return Ok(()) };
        let timer = self.metrics.elapsed_compute().clone();
        let timer = timer.timer();
        let all = concat_batches(&first.schema(), parts)?;
        let keys = self.place.keys(&all)?;
        let times = keys.times(&Run { robot: None, rows: 0..all.num_rows() });
        let whole = match (rest, times.last()) {
            (Rest::MayFollow, Some(last)) => times.partition_point(|time| time < last),
            _ => times.len(),
        };
        let rows = self.given..whole.max(self.given);
        let features = self.features(&all, times, rows.clone())?;
        self.give(&all.slice(rows.start, rows.len()), features)?;
        self.more.clear();
        (self.tail, self.given) = match (rest, times.get(whole)) {
            (Rest::MayFollow, Some(next)) => {
                let first = times.partition_point(|time| *time <= next.saturating_sub(self.rule.span_ns));
                (Some(all.slice(first, times.len() - first)), rows.end - first)
            }
            _ => (None, 0),
        };
        timer.done();
        self.hold()
    }

    /// The features of some rows of all that are held.
    fn features(&self, all: &RecordBatch, times: &[i64], rows: std::ops::Range<usize>) -> Result<Vec<ArrayRef>> {
        let window = Window { span_ns: self.rule.span_ns, end: End::AtRow };
        let rows = &times[rows];
        let reach = bounds(rows, times, window).map_err(|unsorted| {
            let robot = self.robot.as_deref().unwrap_or_default();
            DataFusionError::Internal(format!("robot {robot}, look_back: {unsorted}"))
        })?;
        let view = View { rows, times, known: None, bounds: &reach, window };
        let mut features = Vec::new();
        for name in &self.rule.columns {
            let Some(column) = all.column_by_name(name) else { return internal_err!("{name} is not in the rows") };
            let wanted = self.rule.of(column.data_type());
            let column = cast(column, &looked_at(column.data_type()))?;
            features.extend(statistics(&view, &column, &wanted)?);
        }
        Ok(features)
    }

    /// No features: of rows without a robot or a time.
    fn nulls(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let mut features = Vec::new();
        for name in &self.rule.columns {
            let Some(column) = rows.column_by_name(name) else { return internal_err!("{name} is not in the rows") };
            let kind = looked_at(column.data_type());
            let kinds = self.rule.of(&kind).into_iter().filter_map(|statistic| feature_type(&kind, statistic));
            features.extend(kinds.map(|kind| new_null_array(&kind, rows.num_rows())));
        }
        Ok(features)
    }

    /// Makes rows ready with their features, a batch's worth each.
    fn give(&mut self, rows: &RecordBatch, features: Vec<ArrayRef>) -> Result<()> {
        let columns: Vec<ArrayRef> = rows.columns().iter().cloned().chain(features).collect();
        let whole = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let mut start = 0;
        while start < whole.num_rows() {
            let rows = self.batch_rows.clamp(1, whole.num_rows() - start);
            self.ready.push_back(whole.slice(start, rows));
            start += rows;
        }
        Ok(())
    }

    /// Asks for the memory of what is held.
    fn hold(&mut self) -> Result<()> {
        let parts = self.tail.iter().chain(&self.more);
        let slice = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
        let bytes = parts.flat_map(|batch| batch.columns().iter().map(slice)).sum();
        self.reservation.try_resize(bytes)?;
        self.peak.set_max(bytes);
        Ok(())
    }
}

/// Whether rows of the robot may follow those that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    MayFollow,
}
