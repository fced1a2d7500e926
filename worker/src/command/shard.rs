//! `fleetloom shard`: compute one shard, or a batch of stale ones, of a stored plan (second act of a run).

use crate::Context;
use crate::cli::{ShardArgs, Which};
use crate::fault::{Exit, Fault, Result};
use crate::plan::{read, sources_of};
use crate::present::count;
use crate::run::{Computed, Unwatched, shards};
use crate::words;
use crate::work::{Work, runtime};
use pipeline::act::{self, Message};
use pipeline::plan::Plan;

/// Where Kubernetes tells a pod of an Indexed Job which one it is.
const INDEX: &str = "JOB_COMPLETION_INDEX";

/// Computes the shards, unless their reports are there. After one that failed it goes on with the others.
pub(crate) fn shard(args: &ShardArgs, context: &Context) -> Result {
    let runtime = runtime()?;
    let work = Work::open(words::only(&args.words)?, args.budget.effort(), context.stop.clone())?;
    let plan = runtime.block_on(read(&work, &args.plan))?;
    let chosen = chosen(&args.which, &plan)?;
    let all = chosen.len();
    let compute = |sources| shards(&work, runtime.handle(), &plan, &sources, chosen, &Unwatched);
    let computed = runtime.block_on(sources_of(&work, &plan)).and_then(compute).map_err(with_remedy)?;
    work.stop.check()?;
    let Computed { done, rows, failed, .. } = computed;
    if let Some(fault) = worst(failed) {
        return Err(if all > 1 {
            fault.noting(&Fault::broken(format!("{} of {all} shards failed", all - done)))
        } else {
            fault
        });
    }
    context.messages.say(&Message::Computed(act::Computed { shards: done as u64, rows }))?;
    let (done, of) = (count(done as u64), count(plan.shards.len() as u64));
    context.console.say(&format!("{done} of {of} shards: {} rows", count(rows)));
    Ok(Exit::Done)
}

/// What ends an act of its own is not planned anew here.
fn with_remedy(fault: Fault) -> Fault {
    if fault.exit() == Exit::Changed { fault.with_remedy("plan again") } else { fault }
}

/// The fault that says what to do next: a shard that did not fit is cut or given more, and that helps no other fault.
fn worst(mut failed: Vec<Fault>) -> Option<Fault> {
    let memory = failed.iter().position(|fault| fault.exit() == Exit::Memory);
    (!failed.is_empty()).then(|| failed.swap_remove(memory.unwrap_or(0)))
}

/// The indices that are asked for.
fn chosen(which: &Which, plan: &Plan) -> Result<Vec<usize>> {
    match (which.index, which.batches) {
        (Some(index), _) => {
            let (index, shards) = (index as usize, plan.shards.len());
            let out = || Fault::request(format!("--index {index}: the plan has {shards} shards, numbered from 0"));
            plan.shards.get(index).map(|_| vec![index]).ok_or_else(out)
        }
        (None, batches) => {
            let batches = batches.unwrap_or(1) as usize;
            Ok(batch(&plan.stale().collect::<Vec<_>>(), completion_index(batches)?, batches).to_vec())
        }
    }
}

/// The `index`-th of `batches` equal parts, of which none is empty unless there are more of them than shards.
fn batch(stale: &[usize], index: usize, batches: usize) -> &[usize] {
    let at = |index: usize| index * stale.len() / batches;
    &stale[at(index)..at(index + 1)]
}

fn completion_index(batches: usize) -> Result<usize> {
    let odd = |what: String| {
        Fault::request(format!("--batches {batches}: {what}; Kubernetes sets it in pods of an Indexed Job"))
    };
    let text = std::env::var(INDEX).map_err(|_| odd(format!("{INDEX} is not set")))?;
    let index = text.parse().ok().filter(|index| *index < batches);
    index.ok_or_else(|| odd(format!("{INDEX}={text} is no number from 0 to {}", batches - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_shard_once_and_differ_by_one_at_most() {
        for (shards, batches) in [(10, 3), (3, 3), (2, 5), (0, 1), (5_000, 7)] {
            let stale: Vec<usize> = (0..shards).map(|index| index * 2).collect();
            let parts: Vec<&[usize]> = (0..batches).map(|index| batch(&stale, index, batches)).collect();
            assert_eq!(parts.concat(), stale);
            let sizes = parts.iter().map(|part| part.len());
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "{shards} in {batches}");
        }
    }
}
