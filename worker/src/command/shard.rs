//! `fleetloom shard`: compute one shard of a stored plan (second act of a run).

use crate::Context;
use crate::cli::ShardArgs;
use crate::fault::{Exit, Fault, Result};
use crate::plan::{read, sources_of};
use crate::present::count;
use crate::shard::{Shards, write_failure};
use crate::split::split;
use crate::words;
use crate::work::{Work, runtime};

/// Computes a shard of the plan, unless its report is there.
pub(crate) fn shard(args: &ShardArgs, context: &Context) -> Result {
    let runtime = runtime()?;
    let work = Work::open(words::only(&args.words)?, args.budget.effort(), context.stop.clone())?;
    let plan = runtime.block_on(read(&work, &args.plan))?;
    let shards = plan.shards.len();
    let index = args.index as usize;
    let out = || Fault::request(format!("--index {index}: plan {} has {shards} shards, numbered from 0", args.plan));
    let one = plan.shards.get(index).ok_or_else(out)?;
    let sources = runtime.block_on(sources_of(&work, &plan))?;
    match Shards::new(&work, runtime.handle(), &sources)?.compute(one, &[], &|_, _| ()) {
        Ok(report) => {
            context.console.say(&format!("shard {index} of {shards}: {} rows", count(report.rows)));
            Ok(Exit::Done)
        }
        Err(fault) => {
            let (fault, _) = split(&work, runtime.handle(), one.part, fault)?;
            if fault.exit() != Exit::Stopped {
                write_failure(&work, runtime.handle(), &args.plan, one, &fault)?;
            }
            Err(fault)
        }
    }
}
