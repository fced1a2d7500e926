//! What follows from a shard whose observations did not fit into memory: the next plan cuts it in two, as long as that helps.

use crate::fault::{Exit, Fault};
use crate::work::Work;
use pipeline::plan::{Axes, Part, axes, sight};
use table::splits::write_split;
use tokio::runtime::Handle;

/// Leaves word to the next plan where a shard ended for want of memory and can be cut. Says whether it did, and the fault with
/// what follows from it.
///
/// `robots` is how many the shard holds: to halve one is no use.
pub(crate) fn split(
    work: &Work,
    runtime: &Handle,
    part: Part,
    robots: usize,
    fault: Fault,
) -> Result<(Fault, bool), Fault> {
    if fault.exit() != Exit::Memory {
        return Ok((fault, false));
    }
    let pipeline = work.pipeline();
    let axes = axes(&pipeline.archive);
    if part.halves(sight(pipeline), Axes { by_robot: axes.by_robot && robots > 1, ..axes }).is_none() {
        let end = "the shard cannot be cut any smaller: give it more (--memory, or `workers.resources`)";
        return Ok((fault.with_remedy(end), false));
    }
    runtime.block_on(write_split(work.result.as_ref(), part))?;
    Ok((fault.with_remedy("the next plan cuts the shard in two: run again"), true))
}
