//! `fleetloom commit`: publish what the shards of a stored plan reported (third act of a run).

use crate::Context;
use crate::cli::CommitArgs;
use crate::commit::commit as publish;
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::message;
use crate::plan::{planned_ms, read};
use crate::summary::Summary;
use crate::words;
use crate::work::{Effort, Work, run_id, runtime};

/// Publishes the plan as one version of the table.
pub(crate) fn commit(args: &CommitArgs, context: &Context) -> Result {
    let runtime = runtime()?;
    let work = Work::open(words::only(&args.words)?, Effort::default(), context.stop.clone())?;
    let plan = runtime.block_on(read(&work, &args.plan))?;
    let run = args.run_id.clone().unwrap_or_else(run_id);
    let started_ms = runtime.block_on(planned_ms(&work, &args.plan))?;
    let committed = runtime.block_on(publish(&work, &plan, &run, started_ms))?;
    context.messages.say(&runtime.block_on(message::committed(&work, &plan, &committed))?)?;
    let summary = Summary {
        pipeline: &work.pipeline().name,
        run: &run,
        plan: &args.plan,
        source: &plan.source,
        table: &work.result.to_string(),
        version: committed.version,
        published: committed.published,
        account: &committed.account,
        ledger: &committed.ledger,
        read: None,
    };
    print(&if args.json { format!("{:#}\n", summary.json()) } else { summary.text() })?;
    Ok(Exit::Done)
}
