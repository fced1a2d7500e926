//! The thread that reads a signal: it scans the archive part by part and hands over what is wanted, batch by batch.

use super::archive::Known;
use super::error::passing;
use super::observations::{Given, Part, Scanning};
use crate::fault::{Exit, Fault};
use crate::shard::{Scanned, Traces, scan};
use crate::work::Work;
use archive::counting::Counting;
use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Int64Type, UInt32Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricType, Time};
use engine::account::Account;
use engine::arrange::RobotSignals;
use pipeline::time::Span;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::Sender;

/// Position of the signal's first column in a robot's batch, behind time and known time.
const OBSERVED: usize = 2;

/// What a reader measures besides rows.
pub(super) struct Measured {
    reading: Time,
    members: Count,
    requests: Gauge,
    bytes: Gauge,
    peak: Gauge,
    source: Counting,
}

impl Measured {
    pub(super) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize, source: Counting) -> Self {
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
pub(super) struct Reader {
    pub(super) work: Arc<Work>,
    pub(super) scanning: Arc<Scanning>,
    pub(super) sender: Sender<Given>,
    pub(super) batch_rows: usize,
    pub(super) account: Account,
    /// The robot that was given last.
    pub(super) last: Option<Arc<str>>,
    /// When the scan went on.
    pub(super) since: Instant,
    pub(super) measured: Measured,
}

impl Reader {
    pub(super) fn run(mut self) {
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
