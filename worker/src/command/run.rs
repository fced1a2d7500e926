//! `fleetloom run`.

use crate::Context;
use crate::cli::RunArgs;
use crate::fault::{Fault, Result};

/// Not there yet.
pub(crate) fn run(args: &RunArgs, _context: &Context) -> Result {
    crate::words::pipelines(&args.words)?;
    Err(Fault::broken("run: not in this build"))
}
