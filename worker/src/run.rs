//! The run: plan, shards, commit in one process, by the same functions that pods call one at a time.

mod shards;

pub(crate) use shards::{Computed, shards};

use crate::commit::{Committed, commit};
use crate::fault::{Exit, Fault};
use crate::plan::{Ask, Planned, plan};
use crate::work::Work;
use engine::steps::PROFILE;
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
    mut planned: Planned,
    watch: &dyn Watch,
    may_split: bool,
) -> Result<Option<Ran>, Fault> {
    watch.planned(&planned);
    // Nobody needs them behind the shards, and of many objects they are large.
    let (sources, plan) = (std::mem::take(&mut planned.sources), &planned.plan);
    let Computed { failed, split, .. } = shards(work, runtime, plan, &sources, plan.stale().collect(), watch)?;
    drop(sources);
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

#[cfg(test)]
mod tests;
