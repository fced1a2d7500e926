//! `fleetloom trace`: where a published row came from.

mod focus;
mod tell;
mod text;
mod told;

use crate::Context;
use crate::cli::TraceArgs;
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::Frame;
use crate::trace::{Asked, trace as run};
use crate::words;
use crate::work::{Work, runtime};
use focus::Focus;
use told::Told;

/// Traces the rows of one robot at one time.
pub(crate) fn trace(args: &TraceArgs, context: &Context) -> Result {
    let runtime = runtime()?;
    let work = Work::open(words::only(&args.words)?, args.budget.effort(), context.stop.clone())?;
    let focus = Focus::on(work.pipeline(), args.column.as_deref())?;
    let asked = Asked { version: args.at.version.clone(), robot: args.robot.clone(), time_us: args.time };
    let traced = run(&work, runtime.handle(), &asked)?;
    let told = tell::tell(&work, &traced, &asked, &focus)?;
    let json = || serde_json::to_string_pretty(&told).map(|json| json + "\n");
    let said = if args.json { json() } else { Ok(text::text(&told, &focus, Frame::of_stdout())) };
    print(&said.map_err(|error| Fault::broken(error.to_string()))?)?;
    Ok(exit(&told))
}

/// A row that is another than its inputs give was changed after it was published, or a promise of ours is broken.
fn exit(told: &Told) -> Exit {
    match (told.equal, told.rows.iter().any(|row| row.resized.is_some())) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Changed,
        (false, false) => Exit::Broken,
    }
}
