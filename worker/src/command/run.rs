//! `fleetloom run`: plan, shards and commit of each pipeline, one after the other.

use crate::Context;
use crate::cli::RunArgs;
use crate::command::plan::show_plan;
use crate::console::{Console, print};
use crate::fault::{Exit, Result};
use crate::plan::{Ask, Planned, plan};
use crate::progress::Progress;
use crate::run::{Ran, Watch, run as run_all};
use crate::summary::{Read, Summary};
use crate::words::{self, Ready};
use crate::work::{Work, runtime};
use pipeline::run::Run;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;
use tokio::runtime::Handle;

/// Runs the pipelines of the files in their order, as their Runs ask; the first that fails ends it.
pub(crate) fn run(args: &RunArgs, context: &Context) -> Result {
    let runtime = runtime()?;
    let Ready { compiled, runs, .. } = words::ready(&args.words)?;
    let mut exit = Exit::Done;
    for one in compiled {
        let work = Work::open(one, args.budget.effort(), context.stop.clone())?;
        let runs: Vec<&Run> = runs.iter().filter(|run| run.pipeline == work.pipeline().name).collect();
        for run in runs.iter().filter(|run| run.suspend) {
            context.console.say(&format!("Run {} is suspended; it is left out", run.name));
        }
        for ask in args.scope.asks(&runs)? {
            if args.dry_run {
                show_plan(&runtime.block_on(plan(&work, &ask))?, args.json)?;
            } else if carry_out(args, context, &work, runtime.handle(), &ask)? && args.strict {
                exit = Exit::Loss;
            }
        }
    }
    Ok(exit)
}

/// Carries out one run and prints what it came to. Returns whether anything was lost.
fn carry_out(args: &RunArgs, context: &Context, work: &Work, runtime: &Handle, ask: &Ask) -> Result<bool> {
    let begun = Instant::now();
    let shown = Shown { console: &context.console, progress: Mutex::default() };
    let ran = run_all(work, runtime, ask, &shown)?;
    let summary = Summary {
        pipeline: &work.pipeline().name,
        run: &ask.run,
        plan: &ran.planned.plan.hash(),
        source: &ran.planned.plan.source,
        table: &work.result.to_string(),
        version: ran.committed.version,
        published: ran.committed.published,
        account: &ran.committed.account,
        ledger: &ran.committed.ledger,
        read: Some(Read { listing: &ran.planned.listing, elapsed: begun.elapsed() }),
    };
    print(&if args.json { format!("{:#}\n", summary.json()) } else { summary.text() })?;
    Ok(lost(&ran))
}

/// Whether anything failed or went to quarantine.
fn lost(ran: &Ran) -> bool {
    !ran.failed.is_empty() || ran.committed.account.quarantined() > 0
}

/// Shows how far the shards have come.
struct Shown<'a> {
    console: &'a Console,
    progress: Mutex<Option<Progress>>,
}

impl Watch for Shown<'_> {
    fn planned(&self, planned: &Planned) {
        let stale = planned.plan.stale().map(|index| &planned.plan.shards[index].inputs);
        let (members, bytes) =
            stale.fold((0, 0), |(members, bytes), inputs| (members + inputs.members, bytes + inputs.bytes));
        if members > 0 {
            let progress = Progress::start(self.console, &planned.plan.pipeline, members, bytes);
            *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        }
    }

    fn passed(&self, members: u64, bytes: u64) {
        if let Some(progress) = self.progress.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            progress.add(members, bytes);
        }
    }

    fn computed(&self) {
        if let Some(progress) = self.progress.lock().unwrap_or_else(PoisonError::into_inner).take() {
            progress.finish();
        }
    }
}
