//! `fleetloom run`: plan, shards and commit of each pipeline, one after the other.

use crate::Context;
use crate::cli::RunArgs;
use crate::command::plan::show_plan;
use crate::console::{Console, print};
use crate::fault::{Exit, Result};
use crate::plan::{Planned, plan};
use crate::progress::Progress;
use crate::run::{Ran, Watch, run as run_all};
use crate::summary::Summary;
use crate::words;
use crate::work::{Work, runtime};
use engine::account::Account;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

/// Runs the pipelines of the files in their order; the first that fails ends it.
pub(crate) fn run(args: &RunArgs, context: &Context) -> Result {
    let runtime = runtime()?;
    let mut exit = Exit::Done;
    for compiled in words::compiled(&args.words)? {
        let work = Work::open(compiled, args.budget.effort(), context.stop.clone())?;
        let ask = args.scope.ask();
        if args.dry_run {
            let planned = runtime.block_on(plan(&work, &ask))?;
            show_plan(&planned, args.json)?;
            continue;
        }
        let begun = Instant::now();
        let shown = Shown { console: &context.console, progress: Mutex::default() };
        let ran = run_all(&work, runtime.handle(), &ask, &shown)?;
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
            elapsed: begun.elapsed(),
        };
        print(&if args.json { format!("{:#}\n", summary.json()) } else { summary.text() })?;
        if args.strict && lost(&ran) {
            exit = Exit::Loss;
        }
    }
    Ok(exit)
}

/// Whether anything failed or went to quarantine.
fn lost(ran: &Ran) -> bool {
    !ran.failed.is_empty() || refused(&ran.committed.account) > 0
}

/// Members, lines and observations in quarantine.
fn refused(account: &Account) -> u64 {
    let signals = account.signals.values().map(|signal| &signal.quarantined);
    signals.chain([&account.members.quarantined]).flat_map(|counts| counts.values()).sum()
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
