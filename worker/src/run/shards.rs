//! The shards of a plan, one after the other: while one is computed, the one before closes its files and the members of the one
//! behind it are gathered.
//!
//! ```text
//! shard 0  rows ────► files, report
//! shard 1             rows ────────► files, report
//! ```

use super::Watch;
use crate::fault::Fault;
use crate::plan::Sources;
use crate::shard::{Series, Shards, Shown, write_failure};
use crate::split::split;
use crate::work::Work;
use engine::steps::PROFILE;
use pipeline::plan::{Bucket, Part, Plan, Shard};
use table::report::Report;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span, error_span, trace_span};

/// What computing shards came to.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    /// Shards with a report.
    pub(crate) done: usize,
    /// Their rows.
    pub(crate) rows: u64,
    /// Why the others failed.
    pub(crate) failed: Vec<Fault>,
    /// How many of those the next plan cuts in two.
    pub(crate) split: usize,
}

/// Computes the shards of those indices, one after the other, neighbours in time next to each other. A shard that fails by
/// itself does not stop the others; a stop, a store that is away and a changed input do.
pub(crate) fn shards(
    work: &Work,
    runtime: &Handle,
    plan: &Plan,
    sources: &Sources,
    mut indices: Vec<usize>,
    watch: &dyn Watch,
) -> Result<Computed, Fault> {
    indices.sort_by_key(|index| reading_order(plan.shards[*index].part));
    let in_order: Vec<&Shard> = indices.iter().map(|index| &plan.shards[*index]).collect();
    let shards = Shards::new(work, runtime, sources)?;
    let mut tally = Tally { work, runtime, plan, hash: plan.hash(), computed: Computed::default() };
    let seen = |members, bytes| watch.passed(members, bytes);
    shards.series(&in_order, &seen, |series| tally.compute(series, &indices))?;
    Ok(tally.computed)
}

/// A shard that was computed.
struct Computing {
    index: usize,
    /// How many it met.
    robots: usize,
    /// What is said of it is said in this span.
    said_in: Span,
}

/// A shard that closes its files.
struct Closing {
    shard: Computing,
    report: JoinHandle<Result<Report, Fault>>,
}

/// Computes the shards of a plan and counts what becomes of them.
struct Tally<'a> {
    work: &'a Work,
    runtime: &'a Handle,
    plan: &'a Plan,
    /// The plan's.
    hash: String,
    computed: Computed,
}

impl Tally<'_> {
    /// Computes the shards of those indices, whose series this is.
    fn compute(&mut self, series: &mut Series<'_>, indices: &[usize]) -> Result<(), Fault> {
        let mut closing: Option<Closing> = None;
        for &index in indices {
            let said_in = error_span!("shard", shard = index, key = self.plan.shards[index].key);
            let compute = || {
                self.work.stop.check()?;
                let _profiled = trace_span!(target: PROFILE, "shard", shard = index).entered();
                series.next()
            };
            let shown = said_in.in_scope(compute);
            if let Some(before) = closing.take()
                && let Err(fault) = self.settle(before)
            {
                abandon(self.runtime, shown);
                return Err(fault);
            }
            let shard = Computing { index, robots: series.robots(), said_in };
            match shown {
                Ok(Shown::Before(report)) => self.done(&report),
                Ok(Shown::Now(filled)) => {
                    let close = filled.close().instrument(shard.said_in.clone());
                    closing = Some(Closing { report: self.runtime.spawn(close), shard });
                }
                Err(fault) => self.failed(&shard, fault)?,
            }
        }
        closing.map_or(Ok(()), |last| self.settle(last))
    }

    /// Waits for a shard's report.
    fn settle(&mut self, closing: Closing) -> Result<(), Fault> {
        let panicked = |_| Err(Fault::broken("a task that closed a shard's files panicked"));
        match self.runtime.block_on(closing.report).unwrap_or_else(panicked) {
            Ok(report) => {
                self.done(&report);
                Ok(())
            }
            Err(fault) => self.failed(&closing.shard, fault),
        }
    }

    fn done(&mut self, report: &Report) {
        self.computed.done += 1;
        self.computed.rows += report.rows;
    }

    /// Writes down why a shard failed; an error where that stops the others too.
    fn failed(&mut self, shard: &Computing, fault: Fault) -> Result<(), Fault> {
        let _said_in = shard.said_in.enter();
        if fault.stops_all() {
            return Err(fault);
        }
        let one = &self.plan.shards[shard.index];
        let (fault, was_split) = split(self.work, self.runtime, one.part, shard.robots, fault)?;
        if was_split {
            tracing::warn!(shard = shard.index, %fault, "a shard did not fit into memory");
        } else {
            tracing::error!(shard = shard.index, %fault, "a shard failed");
        }
        write_failure(self.work, self.runtime, &self.hash, one, &fault)?;
        self.computed.failed.push(fault);
        self.computed.split += usize::from(was_split);
        Ok(())
    }
}

/// Removes what was written of a shard that nobody waits for.
fn abandon(runtime: &Handle, shown: Result<Shown, Fault>) {
    if let Ok(Shown::Now(filled)) = shown {
        runtime.block_on(filled.abandon());
    }
}

/// Robots first, then time: a shard and the one after it then read the same members about the border between them, and what
/// they share is little.
fn reading_order(part: Part) -> (u64, u8, i64) {
    let Bucket { bits, value } = part.bucket;
    (if bits == 0 { 0 } else { value << (64 - u32::from(bits)) }, bits, part.span.from_ns)
}
