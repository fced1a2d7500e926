//! The shard flow: from a shard of a plan to data files and a report.
//!
//! ```text
//! members of span and context ─► chunks of robots ─► gather ─► arrange ─► compute ─► files, quarantine ─► report
//!                                                   chunk 1       chunk 0, meanwhile
//! ```
//! A shard whose report is there is done. Files have names of their own attempt; only the report makes them count.

mod attempt;
mod carry;
mod chunk;
mod clock;
mod gather;
mod lists;
mod observe;
mod room;
mod scan;
mod series;

pub(crate) use observe::{Observations, observe};
pub(crate) use scan::{Cuts, Scanned, Traces, cuts, scan};
pub(crate) use series::Series;

use crate::fault::Fault;
use crate::plan::Sources;
use crate::work::{Work, now_ms};
use archive::store::Store;
use attempt::Attempt;
use carry::Turn;
use clock::{Clock, Step};
use engine::account::Account;
use engine::crew::Crew;
use engine::decode::Plan as DecodePlan;
use gather::Tools;
use lists::Lists;
use pipeline::plan::{Part, Shard, sight};
use room::Room;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use table::layout;
use table::ledger::Failure;
use table::part::PartWriter;
use table::patience::Patience;
use table::quarantine::QuarantineWriter;
use table::report::{FORMAT, Placed, Report, put_report, read_report};
use tokio::runtime::Handle;
use uuid::Uuid;

/// What computes shards of one plan.
pub(crate) struct Shards<'a> {
    work: &'a Work,
    runtime: &'a Handle,
    sources: &'a Sources,
    /// Where files and reports go.
    store: &'a Arc<dyn Store>,
    /// Whether reports that are there stand for their shards.
    believes_reports: bool,
    plan: Arc<DecodePlan>,
    crew: Crew,
    room: Room,
    /// Those that nobody uses.
    tools: Mutex<Vec<Tools>>,
}

impl<'a> Shards<'a> {
    /// Those of a plan of these sources.
    pub(crate) fn new(work: &'a Work, runtime: &'a Handle, sources: &'a Sources) -> Result<Self, Fault> {
        let plan = DecodePlan::new(&work.pipeline().archive).map_err(|error| Fault::broken(error.to_string()))?;
        Self::decoding(work, runtime, sources, plan)
    }

    fn decoding(work: &'a Work, runtime: &'a Handle, sources: &'a Sources, plan: DecodePlan) -> Result<Self, Fault> {
        let crew = Crew::new(work.effort.threads).map_err(|error| Fault::broken(error.to_string()))?;
        let (plan, room, tools) = (Arc::new(plan), Room::new(work.effort.room_bytes()), Mutex::default());
        let (store, believes_reports) = (&work.result, true);
        Ok(Self { work, runtime, sources, store, believes_reports, plan, crew, room, tools })
    }

    /// The report of a shard, if it is there.
    fn report(&self, shard: &Shard) -> Result<Option<Report>, Fault> {
        if !self.believes_reports {
            return Ok(None);
        }
        Ok(self.runtime.block_on(read_report(self.store.as_ref(), &shard.key))?)
    }

    /// An attempt at a shard alone, that nobody watches.
    fn attempt<'s>(&'s self, shard: &'s Shard) -> Attempt<'s> {
        Attempt {
            work: self.work,
            runtime: self.runtime,
            sources: self.sources,
            lists: self.lists(shard.part, std::iter::empty()),
            shard,
            store: self.store,
            plan: &self.plan,
            crew: &self.crew,
            room: &self.room,
            tools: &self.tools,
            id: Uuid::new_v4().simple().to_string(),
            clock: Arc::default(),
            seen: &|_, _| (),
            robots: AtomicUsize::new(0),
            wasted_bytes: AtomicU64::new(0),
        }
    }

    /// What a part reads, with `later` ones behind it.
    fn lists(&self, part: Part, later: impl Iterator<Item = (Turn, Part)>) -> Lists<'a> {
        let sight = sight(self.work.pipeline());
        let later = later.filter(|(_, other)| part.shares(sight, other)).collect();
        Lists { work: self.work, runtime: self.runtime, sources: self.sources, part, later }
    }
}

/// Computes a shard into another store than the result's, whatever reports there are; nothing of the result is touched.
/// Blocks: call it outside the runtime's threads.
pub(crate) fn shard_into(
    work: &Work,
    runtime: &Handle,
    sources: &Sources,
    shard: &Shard,
    store: &Arc<dyn Store>,
) -> Result<Report, Fault> {
    let shards = Shards { store, believes_reports: false, ..Shards::new(work, runtime, sources)? };
    match shards.series(&[shard], &|_, _| (), Series::next)? {
        Shown::Before(report) => Ok(*report),
        Shown::Now(filled) => runtime.block_on(filled.close()),
    }
}

/// Writes down why a shard failed.
pub(crate) fn write_failure(
    work: &Work,
    runtime: &Handle,
    plan: &str,
    shard: &Shard,
    fault: &Fault,
) -> Result<(), Fault> {
    let failure = Failure {
        failed_ms: now_ms(),
        attempts: 1,
        reason: fault.reason().to_owned(),
        place: format!("{}", work.source),
        message: fault.to_string(),
    };
    let name = layout::failure(plan, &shard.key, &Uuid::new_v4().simple().to_string());
    let json = serde_json::to_vec(&(&shard.key, failure)).map_err(|error| Fault::broken(error.to_string()))?;
    runtime.block_on(work.result.put(&name, json.into(), archive::store::Put::Always))?;
    Ok(())
}

/// What an attempt writes to.
struct Output {
    part: PartWriter,
    quarantine: QuarantineWriter,
    account: Account,
}

/// What a shard has to show.
pub(crate) enum Shown {
    /// The report of an earlier attempt.
    Before(Box<Report>),
    /// All of its rows, in files that are still open.
    Now(Box<Filled>),
}

/// A shard whose rows are all written and whose files are still open. Dropping it leaves garbage that no report names.
pub(crate) struct Filled {
    store: Arc<dyn Store>,
    key: String,
    attempt: String,
    output: Output,
    clock: Arc<Clock>,
}

impl Filled {
    /// Makes its files visible, and then its report, by which they count. It may close while the next shard is computed.
    pub(crate) async fn close(self) -> Result<Report, Fault> {
        let Output { part, quarantine, account } = self.output;
        let files = self.clock.wait(Step::Write, Box::pin(part.finish())).await?;
        let quarantine = quarantine.finish().await?;
        let report = Report {
            format: FORMAT,
            key: self.key,
            attempt: self.attempt,
            rows: files.iter().map(|file| file.rows).sum(),
            files,
            account,
            timings: self.clock.timings(),
            peak_memory_bytes: crate::memory::peak_bytes(),
            quarantine,
            written_ms: now_ms(),
        };
        match put_report(self.store.as_ref(), &report, Patience::default()).await? {
            Placed::Written => Ok(report),
            Placed::Lost(winner) => Ok(*winner),
        }
    }

    /// Removes what was written.
    pub(crate) async fn abandon(self) {
        Box::pin(self.output.abandon()).await;
    }
}

impl Output {
    /// Removes what was written. What cannot be removed is garbage that no report names: why the attempt ended says more.
    async fn abandon(self) {
        let Self { part, quarantine, .. } = self;
        for removed in [part.abort().await, quarantine.abort().await] {
            if let Err(error) = removed {
                tracing::warn!(%error, "files of an attempt that ended early stay behind");
            }
        }
    }
}
