//! `fleetloom simulate`: a fleet's archive on disk, with a bar.

use crate::Context;
use crate::cli::{SimulateArgs, cores};
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::{bytes, count, duration};
use crate::progress::Progress;
use crate::simulate::{Request, SimulateError, Written, simulate as write};
use std::ops::ControlFlow;
use std::time::Instant;

/// JSON of an undamaged document on average, for the time left only.
const DOCUMENT_BYTES: u64 = 2_800;

/// Writes the archive and says where it lies.
pub(crate) fn simulate(args: &SimulateArgs, context: &Context) -> Result {
    let request = Request {
        robots: args.robots,
        hours: args.hours,
        seed: args.seed,
        start: args.start,
        out: args.out.clone(),
        dirty: args.dirty,
        order: args.order,
        threads: args.threads.map_or_else(cores, usize::from),
    };
    let begun = Instant::now();
    let documents = request.documents();
    let progress = Progress::start(&context.console, "simulate", documents, documents.saturating_mul(DOCUMENT_BYTES));
    let mut shown = Written::default();
    let written = write(&request, &mut |written| {
        progress.add(written.members - shown.members, written.json_bytes - shown.json_bytes);
        shown.members = written.members;
        shown.json_bytes = written.json_bytes;
        if context.stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    progress.finish();
    let written = written.map_err(fault)?;
    let out = args.out.display();
    print(&format!(
        "{} members, {} of JSON, {} of zip in {}\n{} under {out}/archive\nnext: fleetloom run -f {out}/fleetloom.yaml\n",
        count(written.members),
        bytes(written.json_bytes),
        bytes(written.zip_bytes),
        duration(begun.elapsed()),
        if written.zips.len() == 1 { "1 zip".into() } else { format!("{} zips", count(written.zips.len() as u64)) },
    ))?;
    Ok(Exit::Done)
}

fn fault(error: SimulateError) -> Fault {
    let exit = match &error {
        SimulateError::Exists(_) | SimulateError::Calendar => Exit::Request,
        SimulateError::Disk { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => Exit::Request,
        SimulateError::Disk { .. } => Exit::Storage,
        SimulateError::Stopped => return Fault::new(Exit::Stopped, "stopped as asked; the unfinished day was removed"),
    };
    Fault::caused(exit, error)
}
