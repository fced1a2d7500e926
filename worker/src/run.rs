//! The run: plan, shards, commit in one process, by the same functions that pods call one at a time.

use crate::commit::{Committed, commit};
use crate::fault::{Exit, Fault};
use crate::plan::{Ask, Planned, plan, sources_of};
use crate::shard::{Shards, write_failure};
use crate::split::split;
use crate::work::Work;
use engine::steps::PROFILE;
use pipeline::plan::{Bucket, Part, Plan};
use tokio::runtime::Handle;
use tracing::trace_span;

/// How often a run plans anew when its input or its base changed under it.
const PLANS_MAX: usize = 3;
/// How often a run plans anew to cut shards that did not fit into memory: each time into halves.
const SPLITS_MAX: usize = 8;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The plan that was carried out.
    pub(crate) planned: Planned,
    /// The version that holds its rows.
    pub(crate) committed: Committed,
    /// Shards that failed, within what the pipeline tolerates.
    pub(crate) failed: Vec<Fault>,
}

/// Who is told how a run goes on.
pub(crate) trait Watch: Sync {
    /// A plan was made.
    fn planned(&self, planned: &Planned);
    /// Own members of a stale shard were computed: how many, and their stored bytes.
    fn passed(&self, members: u64, bytes: u64);
    /// All shards are done or failed.
    fn computed(&self);
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    fn planned(&self, _: &Planned) {}
    fn passed(&self, _: u64, _: u64) {}
    fn computed(&self) {}
}

/// Runs a pipeline to a published version. Blocks: call it outside the runtime's threads.
pub(crate) fn run(work: &Work, runtime: &Handle, ask: &Ask, watch: &dyn Watch) -> Result<Ran, Fault> {
    go_on(work, runtime, ask, None, watch)
}

/// The same from a plan that was just made, if one was.
pub(crate) fn go_on(
    work: &Work,
    runtime: &Handle,
    ask: &Ask,
    mut made: Option<Planned>,
    watch: &dyn Watch,
) -> Result<Ran, Fault> {
    let _said_in = tracing::error_span!("run", run = ask.run, pipeline = work.pipeline().name).entered();
    let (mut changes, mut splits) = (0, 0);
    loop {
        let plan_anew = || trace_span!(target: PROFILE, "plan").in_scope(|| runtime.block_on(plan(work, ask)));
        let planned = made.take().map_or_else(plan_anew, Ok);
        let ran = planned.and_then(|planned| once(work, runtime, ask, planned, watch, splits < SPLITS_MAX));
        match ran {
            Err(fault) if fault.exit() == Exit::Changed && changes + 1 < PLANS_MAX => {
                changes += 1;
                tracing::warn!(%fault, changes, "planning anew");
            }
            Ok(None) => splits += 1,
            Ok(Some(ran)) => return Ok(ran),
            Err(fault) => return Err(fault),
        }
    }
}

/// Computes and publishes; `None`: shards are to be cut in two first, if that `may` be.
fn once(
    work: &Work,
    runtime: &Handle,
    ask: &Ask,
    planned: Planned,
    watch: &dyn Watch,
    may_split: bool,
) -> Result<Option<Ran>, Fault> {
    watch.planned(&planned);
    let Computed { failed, split, .. } = shards(work, runtime, &planned.plan, planned.plan.stale().collect(), watch)?;
    watch.computed();
    work.stop.check()?;
    if split > 0 && may_split {
        tracing::info!(split, "planning anew with shards cut in two");
        return Ok(None);
    }
    let committed = || runtime.block_on(commit(work, &planned.plan, &ask.run, Some(ask.asked_ms)));
    match trace_span!(target: PROFILE, "commit").in_scope(committed) {
        Ok(committed) => Ok(Some(Ran { planned, committed, failed })),
        // What made a shard fail says more than the gate that counts failed shards.
        Err(fault) => match failed.into_iter().next() {
            Some(cause) if fault.exit() == Exit::Gate => Err(cause.noting(&fault)),
            _ => Err(fault),
        },
    }
}

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
    mut indices: Vec<usize>,
    watch: &dyn Watch,
) -> Result<Computed, Fault> {
    let sources = runtime.block_on(sources_of(work, plan))?;
    let hash = plan.hash();
    let mut computed = Computed::default();
    indices.sort_by_key(|index| reading_order(plan.shards[*index].part));
    let parts: Vec<Part> = indices.iter().map(|index| plan.shards[*index].part).collect();
    let mut shards = Shards::new(work, runtime, &sources)?;
    for (place, index) in indices.into_iter().enumerate() {
        work.stop.check()?;
        let one = &plan.shards[index];
        let _said_in = tracing::error_span!("shard", shard = index, key = one.key).entered();
        let seen = |members, bytes| watch.passed(members, bytes);
        let computing = trace_span!(target: PROFILE, "shard", shard = index);
        let fault = match computing.in_scope(|| shards.compute(one, &parts[place + 1..], &seen)) {
            Ok(report) => {
                (computed.done, computed.rows) = (computed.done + 1, computed.rows + report.rows);
                continue;
            }
            Err(fault) => fault,
        };
        if matches!(fault.exit(), Exit::Stopped | Exit::Storage | Exit::Changed) {
            return Err(fault);
        }
        let (fault, was_split) = split(work, runtime, one.part, shards.robots(), fault)?;
        if was_split {
            tracing::warn!(shard = index, %fault, "a shard did not fit into memory");
        } else {
            tracing::error!(shard = index, %fault, "a shard failed");
        }
        write_failure(work, runtime, &hash, one, &fault)?;
        computed.failed.push(fault);
        computed.split += usize::from(was_split);
    }
    Ok(computed)
}

/// Robots first, then time: a shard and the one after it then read the same members about the border between them, and what
/// they share is little.
fn reading_order(part: Part) -> (u64, u8, i64) {
    let Bucket { bits, value } = part.bucket;
    (if bits == 0 { 0 } else { value << (64 - u32::from(bits)) }, bits, part.span.from_ns)
}
