//! The operator that reads a signal: a thread scans the archive part by part, and gives batches as they are taken.
//!
//! ```text
//! thread    scan ─► chunk ─► robot ─► batch ──► channel ──► stream ─► the operators above
//! ```
//! The channel holds little, so a reader that is slow or stops early (`LIMIT`) slows or ends the thread.

use super::archive::{Known, Reading};
use super::error::passing;
use super::reader::{Measured, Reader};
use crate::fault::Fault;
use crate::shard::Cuts;
use crate::stop::Stop;
use crate::work::Work;
use archive::counting::Counting;
use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use engine::account::Account;
use engine::relation::Wanted;
use futures::stream;
use pipeline::time::{Span, display};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{Receiver, channel};

/// Batches that wait for a reader.
const WAITING_MAX: usize = 2;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Robot,
    Time,
    Known,
    /// A column of the signal.
    Column(usize),
    /// Key of the object.
    Object,
    /// Name of the member.
    Member,
    /// Position of the record in its signal's walk.
    Record,
}

/// Reads the observations of a signal.
pub(super) struct SignalExec {
    scanning: Arc<Scanning>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What is read.
pub(super) struct Scanning {
    pub(super) archive: Arc<Reading>,
    pub(super) signal: usize,
    pub(super) known: Known,
    pub(super) wanted: Wanted,
    pub(super) cuts: Cuts,
    pub(super) parts: Vec<Part>,
    pub(super) schema: SchemaRef,
}

impl SignalExec {
    /// Gives the `parts` of a signal, as `schema` names them.
    pub(super) fn new(
        (archive, signal): (Arc<Reading>, usize),
        known: Known,
        wanted: Wanted,
        cuts: Cuts,
        (parts, schema): (Vec<Part>, SchemaRef),
    ) -> Result<Self> {
        let order = if cuts.is_by_robot { order(&parts) } else { None };
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), order),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let scanning = Scanning { archive, signal, known, wanted, cuts, parts, schema };
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Ok(Self { scanning: Arc::new(scanning), properties, metrics })
    }
}

/// By robot, then by time, as far as both are given.
fn order(parts: &[Part]) -> Option<LexOrdering> {
    let by = |(part, name)| {
        let at = parts.iter().position(|one| *one == part)?;
        Some(PhysicalSortExpr::new(
            Arc::new(Column::new(name, at)),
            SortOptions { descending: false, nulls_first: false },
        ))
    };
    LexOrdering::new([(Part::Robot, "robot"), (Part::Time, "time")].into_iter().map_while(by))
}

impl fmt::Debug for SignalExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalExec").field("reads", &self.to_string()).finish_non_exhaustive()
    }
}

impl fmt::Display for SignalExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scanning { archive, signal, wanted, cuts, schema, .. } = &*self.scanning;
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let signal = &archive.archive().signals[*signal].name;
        write!(f, "signal={}.{signal}, columns=[{}]", archive.archive().name, columns.join(", "))?;
        if let Some(robots) = &wanted.robots {
            write!(f, ", robots=[{}]", robots.iter().map(String::as_str).collect::<Vec<_>>().join(", "))?;
        }
        if wanted.span != Span::ALL {
            write!(f, ", time {}", span_text(wanted.span))?;
        }
        write!(f, ", members={} of {} bytes", cuts.members, cuts.stored_bytes)?;
        if cuts.parts.len() > 1 { write!(f, ", pieces={}", cuts.parts.len()) } else { Ok(()) }
    }
}

/// A span, one end of which may be open.
fn span_text(Span { from_ns, to_ns }: Span) -> String {
    match (from_ns, to_ns) {
        (i64::MIN, to_ns) => format!("before {}", display(to_ns)),
        (from_ns, i64::MAX) => format!("from {}", display(from_ns)),
        (from_ns, to_ns) => format!("from {} to {}", display(from_ns), display(to_ns)),
    }
}

impl DisplayAs for SignalExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match kind {
            DisplayFormatType::TreeRender => write!(f, "{self}"),
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "SignalExec: {self}"),
        }
    }
}

impl ExecutionPlan for SignalExec {
    fn name(&self) -> &'static str {
        "SignalExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
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
        if children.is_empty() { Ok(self) } else { internal_err!("a signal has no inputs") }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (sender, receiver) = channel(WAITING_MAX);
        let archive = &self.scanning.archive;
        let stop = archive.stop();
        let robots = self.scanning.wanted.robots.as_ref();
        let work = archive.work(&self.scanning.known, robots, stop.clone()).map_err(passing)?;
        let source = Counting::around(Arc::clone(&work.source));
        let reader = Reader {
            work: Arc::new(Work { source: Arc::new(source.clone()), ..work }),
            scanning: Arc::clone(&self.scanning),
            sender,
            batch_rows: context.session_config().batch_size(),
            account: Account::default(),
            last: None,
            since: Instant::now(),
            measured: Measured::new(&self.metrics, partition, source),
        };
        let thread = std::thread::Builder::new().name("signal".into()).spawn(move || reader.run())?;
        archive.keep(thread);
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let taking = Taking { receiver, stop: EndsWith(stop), metrics };
        let batches =
            stream::try_unfold(
                taking,
                |mut taking| async move { Ok(taking.next().await?.map(|batch| (batch, taking))) },
            );
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.scanning.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// A batch, or the end: a thread that ends without saying so has failed.
pub(super) type Given = Result<Option<RecordBatch>>;

/// The taking end.
struct Taking {
    receiver: Receiver<Given>,
    stop: EndsWith,
    metrics: BaselineMetrics,
}

/// Stops a reader when nobody takes what it reads any more.
struct EndsWith(Stop);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.ask();
    }
}

impl Taking {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let given = self.receiver.recv().await;
        let given = given.unwrap_or_else(|| Err(passing(Fault::broken("a thread that read a signal ended early"))));
        if given.is_err() {
            self.stop.0.ask();
        }
        Ok(given?.map(|batch| batch.record_output(&self.metrics)))
    }
}
