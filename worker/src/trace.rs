//! The trace: the published rows of one robot at one time, computed again from the pinned inputs in their reach, and what each
//! came from.
//!
//! ```text
//! version ─► shards whose span holds the time ─► published rows
//!                └─► plan, objects ─► observe (a span of one µs) ─► Compiled::trace ─► rows again, causes
//! ```
//! A cut is invisible to rows, so a shard of one microsecond gives the row that the whole shard gave: only the robot's members
//! in the row's own reach are read.

use crate::fault::Fault;
use crate::past::{Past, resized, stray, unreadable};
use crate::plan::Sources;
use crate::shard::{Observations, observe};
use crate::work::Work;
use arrow::array::{Array, RecordBatch};
use engine::trace::Cause;
use pipeline::plan::{Part, robot_hash};
use pipeline::time::{Day, MICRO_NS, Span, display};
use std::collections::BTreeMap;
use table::ledger::LedgerLine;
use table::scan::{rows_at, times_of};
use table::state::LiveFile;
use table::version::VersionName;
use tokio::runtime::Handle;

/// Which rows are traced.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The version.
    pub(crate) version: VersionName,
    /// The robot.
    pub(crate) robot: String,
    /// The rows' time, µs since the epoch.
    pub(crate) time_us: i64,
}

/// The rows of one robot at one time.
#[derive(Debug)]
pub(crate) struct Traced {
    /// The version that was looked at.
    pub(crate) version: u64,
    /// Almost always one.
    pub(crate) shards: Vec<TracedShard>,
}

/// The rows that one shard has of them.
#[derive(Debug)]
pub(crate) struct TracedShard {
    /// Its key.
    pub(crate) key: String,
    /// The plan that made it, by name.
    pub(crate) plan: String,
    /// The version of the archive that was read.
    pub(crate) source: String,
    /// A published file that is not as large as the ledger says.
    pub(crate) resized: Option<String>,
    /// Published rows, one batch each, with what was computed now.
    pub(crate) rows: Vec<TracedRow>,
    /// Rows that were computed now and are not published.
    pub(crate) extra: usize,
    observations: Option<Observations>,
    sources: Sources,
}

/// A published row and its like.
#[derive(Debug)]
pub(crate) struct TracedRow {
    /// As published.
    pub(crate) published: RecordBatch,
    /// As computed now, and from what; `None`: no such row comes out.
    pub(crate) again: Option<(RecordBatch, Cause)>,
}

/// Where an observation was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Key of the object.
    pub(crate) object: &'a str,
    /// Its version id, on a versioned bucket.
    pub(crate) version: Option<&'a str>,
    /// Name of the member; empty for a plain object.
    pub(crate) member: &'a str,
    /// Position of the record in its signal's walk, from 0.
    pub(crate) record: u64,
}

impl TracedShard {
    /// Where an observation was read.
    pub(crate) fn place(&self, signal: usize, position: usize) -> Option<Place<'_>> {
        let (member, record) = self.observations.as_ref()?.place(signal, position)?;
        let object = self.sources.objects.get(member.object as usize)?;
        Some(Place { object: &object.key, version: object.version.as_deref(), member: &member.name, record })
    }

    /// The robot's observations of a signal: time, known time, columns.
    pub(crate) fn observations(&self, signal: usize) -> Option<&RecordBatch> {
        self.observations.as_ref()?.robot.signals.get(signal)
    }
}

impl TracedRow {
    /// Positions of the published columns in which the row differs; none when there is no such row.
    pub(crate) fn differences(&self) -> Vec<usize> {
        let Some((again, _)) = &self.again else { return Vec::new() };
        let schema = self.published.schema();
        let differs = |column: &usize| match again.column_by_name(schema.field(*column).name()) {
            Some(again) => again.to_data() != self.published.column(*column).to_data(),
            None => true,
        };
        (0..self.published.num_columns()).filter(differs).collect()
    }
}

/// Traces rows. Blocks: call it outside the runtime's threads.
pub(crate) fn trace(work: &Work, runtime: &Handle, asked: &Asked) -> Result<Traced, Fault> {
    let past = runtime.block_on(Past::open(work, &asked.version))?;
    let mut shards = Vec::new();
    for line in past.ledger.lines.iter().filter(|line| may_hold(line, asked)) {
        let resized = runtime.block_on(resized(work, line))?;
        let rows = runtime.block_on(published(work, &past, line, asked));
        let rows = rows.map_err(|fault| unreadable(resized.as_ref(), fault))?;
        if !rows.is_empty() {
            let shard = traced(work, runtime, &past, line, (asked, rows))?;
            shards.push(TracedShard { resized, ..shard });
        }
    }
    if shards.is_empty() {
        return Err(runtime.block_on(absent(work, &past, asked))?);
    }
    Ok(Traced { version: past.state.version, shards })
}

/// The instants that the result writes as this time.
fn instants(time_us: i64) -> Span {
    let from_ns = time_us.saturating_mul(MICRO_NS);
    Span { from_ns, to_ns: from_ns.saturating_add(MICRO_NS) }
}

/// Whether rows of the robot at the time may be a shard's. Members whose name tells no robot are with the first bucket.
fn may_hold(line: &LedgerLine, asked: &Asked) -> bool {
    let bits = format!("{:064b}", robot_hash(&asked.robot));
    let is_first = line.robots.bytes().all(|bit| bit == b'0');
    line.span.intersect(instants(asked.time_us)).is_some() && (is_first || bits.starts_with(&line.robots))
}

/// The published rows of a shard, one after the other.
async fn published(work: &Work, past: &Past, line: &LedgerLine, asked: &Asked) -> Result<Vec<RecordBatch>, Fault> {
    let day = Day::of(instants(asked.time_us).from_ns).to_string();
    let mut rows = Vec::new();
    for file in line.files.iter().filter(|file| file.date == day) {
        let file = LiveFile::from(file);
        let found = rows_at(&work.result, &past.state.schema, &file, &asked.robot, asked.time_us).await?;
        rows.extend(found.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1))));
    }
    Ok(rows)
}

/// Computes the rows of a shard again.
fn traced(
    work: &Work,
    runtime: &Handle,
    past: &Past,
    line: &LedgerLine,
    (asked, published): (&Asked, Vec<RecordBatch>),
) -> Result<TracedShard, Fault> {
    let made = runtime.block_on(past.made(work, line))?;
    if let Some(stray) = stray(work, &made.plan) {
        let version = past.state.version;
        return Err(Fault::request(format!(
            "version {version} cannot be traced: {stray}; use the file and the program that made it"
        )));
    }
    let span = instants(asked.time_us).intersect(line.span).unwrap_or_else(|| unreachable!("the shard holds the time"));
    let part = Part { span, bucket: made.shard().part.bucket };
    let observations = observe(work, runtime, &made.sources, part, &asked.robot)?;
    let mut again = Vec::new();
    if let Some(observations) = &observations {
        let trace = work.compiled.trace(&observations.robot, span)?;
        let rows = (0..trace.rows.num_rows()).map(|row| trace.rows.slice(row, 1));
        again.extend(rows.zip(trace.causes));
    }
    let extra = again.len().saturating_sub(published.len());
    let mut again = again.into_iter();
    let rows = published.into_iter().map(|published| TracedRow { published, again: again.next() }).collect();
    Ok(TracedShard {
        key: line.key.clone(),
        plan: made.plan.hash(),
        source: made.plan.source.clone(),
        resized: None,
        rows,
        extra,
        observations,
        sources: made.sources,
    })
}

/// Says that there is no such row, and which are nearest.
async fn absent(work: &Work, past: &Past, asked: &Asked) -> Result<Fault, Fault> {
    let (version, robot, time_us) = (past.state.version, &asked.robot, asked.time_us);
    let mut days: BTreeMap<&str, Vec<&LiveFile>> = BTreeMap::new();
    past.state.files.iter().for_each(|file| days.entry(&file.date).or_default().push(file));
    let day = Day::of(instants(time_us).from_ns).to_string();
    let (mut before, mut after) = (None, None);
    for files in days.range(..=day.as_str()).rev().map(|(_, files)| files) {
        let times = times(work, past, files, robot).await?;
        before = times.iter().copied().filter(|time| *time < time_us).max();
        if before.is_some() {
            break;
        }
    }
    for files in days.range(day.as_str()..).map(|(_, files)| files) {
        let times = times(work, past, files, robot).await?;
        after = times.iter().copied().filter(|time| *time > time_us).min();
        if after.is_some() {
            break;
        }
    }
    let text = |us: i64| display(us.saturating_mul(MICRO_NS));
    let nearest: Vec<String> = [before, after].into_iter().flatten().map(text).collect();
    let what = format!("version {version} has no row of robot `{robot}` at {}", text(time_us));
    Ok(Fault::request(match nearest.as_slice() {
        [] => format!("version {version} has no row of a robot `{robot}`"),
        [one] => format!("{what}; the nearest is at {one}"),
        _ => format!("{what}; the nearest are at {}", nearest.join(" and ")),
    }))
}

async fn times(work: &Work, past: &Past, files: &[&LiveFile], robot: &str) -> Result<Vec<i64>, Fault> {
    let mut all = Vec::new();
    for file in files {
        work.stop.check()?;
        all.extend(times_of(&work.result, &past.state.schema, file, robot).await?);
    }
    Ok(all)
}
