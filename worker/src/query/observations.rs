//! The operator that reads a signal: a thread scans the archive part by part, and gives batches as they are taken.
//!
//! ```text
//! thread    scan ─► chunk ─► robot ─► batch ──► channel ──► stream ─► the operators above
//! ```
//! The channel holds little, so a reader that is slow or stops early (`LIMIT`) slows or ends the thread.

use super::archive::{Known, Reading};
use super::error::passing;
use crate::fault::{Exit, Fault};
use crate::shard::{Cuts, Scanned, Traces, scan};
use crate::stop::Stop;
use crate::work::Work;
use archive::counting::Counting;
use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Int64Type, SchemaRef, UInt32Type, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricType, MetricsSet, RecordOutput, Time,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use engine::account::Account;
use engine::arrange::RobotSignals;
use engine::relation::Wanted;
use futures::stream;
use pipeline::time::Span;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Batches that wait for a reader.
const WAITING_MAX: usize = 2;
/// Position of the signal's first column in a robot's batch, behind time and known time.
const OBSERVED: usize = 2;

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
struct Scanning {
    archive: Arc<Reading>,
    signal: usize,
    known: Known,
    wanted: Wanted,
    cuts: Cuts,
    parts: Vec<Part>,
    schema: SchemaRef,
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
            arrow::compute::SortOptions { descending: false, nulls_first: false },
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
            write!(f, ", span={}", wanted.span)?;
        }
        write!(f, ", members={} of {} bytes", cuts.members, cuts.stored_bytes)?;
        if cuts.parts.len() > 1 { write!(f, ", pieces={}", cuts.parts.len()) } else { Ok(()) }
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
type Given = Result<Option<RecordBatch>>;

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

/// What a reader measures besides rows.
struct Measured {
    reading: Time,
    members: Count,
    requests: Gauge,
    bytes: Gauge,
    peak: Gauge,
    source: Counting,
}

impl Measured {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize, source: Counting) -> Self {
        let builder = || MetricBuilder::new(metrics).with_type(MetricType::Summary);
        Self {
            reading: builder().elapsed_compute(partition),
            members: builder().counter("members", partition),
            requests: builder().gauge("requests", partition),
            bytes: builder().gauge("bytes_read", partition),
            peak: builder().peak_memory_usage("peak_mem_used", partition),
            source,
        }
    }

    fn chunk(&self, scanned: &Scanned) {
        self.members.add(scanned.members.len());
        let counts = self.source.counts();
        let fits = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        self.requests.set(fits(counts.read));
        self.bytes.set(fits(counts.read_bytes));
        self.peak.set_max(scanned.robots.iter().map(RobotSignals::bytes).sum());
    }
}

/// The thread.
struct Reader {
    work: Arc<Work>,
    scanning: Arc<Scanning>,
    sender: Sender<Given>,
    batch_rows: usize,
    account: Account,
    /// The robot that was given last.
    last: Option<Arc<str>>,
    /// When the scan went on.
    since: Instant,
    measured: Measured,
}

impl Reader {
    fn run(mut self) {
        let sender = self.sender.clone();
        let read = catch_unwind(AssertUnwindSafe(|| {
            let read = self.read();
            self.scanning.archive.met(self.scanning.signal, std::mem::take(&mut self.account));
            read
        }));
        let end = match read {
            Ok(Ok(())) => Ok(None),
            Ok(Err(fault)) if fault.exit() == Exit::Memory => {
                Err(passing(fault.with_remedy("ask for less time or fewer robots, or give it more with --memory")))
            }
            Ok(Err(fault)) => Err(passing(fault)),
            // It was said where it happened.
            Err(_) => return,
        };
        // Nobody may be there any more.
        let _ = sender.blocking_send(end);
    }

    fn read(&mut self) -> Result<(), Fault> {
        let scanning = Arc::clone(&self.scanning);
        let needs = |part: &Part| matches!(part, Part::Object | Part::Member | Part::Record);
        let traces = if scanning.parts.iter().any(needs) { Traces::Kept } else { Traces::Dropped };
        let work = Arc::clone(&self.work);
        self.since = Instant::now();
        for part in &scanning.cuts.parts {
            let runtime = scanning.archive.runtime();
            scan(&work, runtime, &scanning.known.sources, (*part, traces), &mut |scanned| {
                self.measured.reading.add_duration(self.since.elapsed());
                self.measured.chunk(&scanned);
                self.account.merge(&scanned.account);
                self.chunk(part.span, &scanned)?;
                self.since = Instant::now();
                Ok(())
            })?;
        }
        self.measured.reading.add_duration(self.since.elapsed());
        Ok(())
    }

    /// Gives the observations of a chunk that lie in the part's span and in what is wanted.
    fn chunk(&mut self, span: Span, scanned: &Scanned) -> Result<(), Fault> {
        let Some(span) = meet(span, self.scanning.wanted.span) else { return Ok(()) };
        for robot in &scanned.robots {
            if self.scanning.cuts.is_by_robot && self.last.as_ref().is_some_and(|last| *last >= robot.robot) {
                return Err(Fault::broken(format!("the observations of {} came after those of another", robot.robot)));
            }
            self.last = Some(Arc::clone(&robot.robot));
            let Some(observations) = robot.signals.get(self.scanning.signal) else { continue };
            let times = observations.column(0).as_primitive::<Int64Type>().values();
            let from = times.partition_point(|time| *time < span.from_ns);
            let to = times.partition_point(|time| *time < span.from_ns || span.contains(*time));
            let mut start = from;
            while start < to {
                let rows = self.batch_rows.clamp(1, to - start);
                self.give(&robot.robot, &observations.slice(start, rows), scanned)?;
                start += rows;
            }
        }
        Ok(())
    }

    fn give(&self, robot: &str, observations: &RecordBatch, scanned: &Scanned) -> Result<(), Fault> {
        let batch = self.batch(robot, observations, scanned);
        let batch = batch.map_err(|error| Fault::broken(error.to_string()))?;
        // Whoever took what was read has gone: the stop flag says so too.
        self.sender.blocking_send(Ok(Some(batch))).map_err(|_| Fault::stopped())
    }

    fn batch(&self, robot: &str, observations: &RecordBatch, scanned: &Scanned) -> Result<RecordBatch> {
        let rows = observations.num_rows();
        let places = Places { observations, scanned, known: &self.scanning.known };
        let columns = self.scanning.parts.iter().map(|part| -> Result<ArrayRef> {
            Ok(match part {
                Part::Robot => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(robot, rows))),
                Part::Time => clock(observations, 0),
                Part::Known => clock(observations, 1),
                Part::Column(index) => Arc::clone(observations.column(OBSERVED + index)),
                Part::Object => Arc::new(places.texts(|place| place.object)?),
                Part::Member => Arc::new(places.texts(|place| place.member)?),
                Part::Record => Arc::new(places.records()?),
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.scanning.schema), columns, &options)?)
    }
}

/// What both hold.
fn meet(one: Span, other: Span) -> Option<Span> {
    if other == Span::ALL { Some(one) } else { one.intersect(other) }
}

/// Int64 nanoseconds and timestamps in nanoseconds share their buffer.
fn clock(observations: &RecordBatch, column: usize) -> ArrayRef {
    let times = observations.column(column).as_primitive::<Int64Type>().values().clone();
    Arc::new(TimestampNanosecondArray::new(times, None).with_timezone("UTC"))
}

/// Where observations were read: the last two columns of a batch that was decoded to be traced.
struct Places<'a> {
    observations: &'a RecordBatch,
    scanned: &'a Scanned,
    known: &'a Known,
}

/// Where one was read.
struct PlaceOf<'a> {
    object: &'a str,
    member: &'a str,
}

impl Places<'_> {
    fn texts(&self, text: impl for<'a> Fn(&PlaceOf<'a>) -> &'a str) -> Result<StringArray> {
        let members = self.traced(1)?.as_primitive_opt::<UInt32Type>().ok_or_else(untraced)?;
        let place = |index: &u32| {
            let member = self.scanned.members.get(*index as usize)?;
            let object = self.known.sources.objects.get(member.object as usize)?;
            Some(PlaceOf { object: &object.key, member: &member.name })
        };
        Ok(members.values().iter().map(|index| place(index).map(|place| text(&place).to_owned())).collect())
    }

    fn records(&self) -> Result<Int64Array> {
        let records = self.traced(2)?.as_primitive_opt::<UInt64Type>().ok_or_else(untraced)?;
        Ok(Int64Array::from_iter_values(records.values().iter().map(|at| i64::try_from(*at).unwrap_or(i64::MAX))))
    }

    /// The column so many from the end, from 1.
    fn traced(&self, from_end: usize) -> Result<&ArrayRef> {
        let columns = self.observations.columns();
        columns.len().checked_sub(from_end).and_then(|at| columns.get(at)).ok_or_else(untraced)
    }
}

fn untraced() -> DataFusionError {
    exec_datafusion_err!("the observations do not keep where they were read")
}
