//! `fleetloom commit`.

use crate::Context;
use crate::cli::CommitArgs;
use crate::fault::{Fault, Result};

/// Not there yet.
pub(crate) fn commit(args: &CommitArgs, _context: &Context) -> Result {
    crate::words::pipelines(&args.words)?;
    Err(Fault::broken("commit: not in this build"))
}
