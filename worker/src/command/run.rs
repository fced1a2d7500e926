//! `fleetloom run`.

use crate::Context;
use crate::cli::RunArgs;
use crate::fault::{Fault, Result};

/// Not there yet.
pub(crate) fn run(args: &RunArgs, _context: &Context) -> Result {
    crate::words::compiled(&args.words)?;
    Err(Fault::broken("run: not in this build"))
}
