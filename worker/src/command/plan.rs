//! `fleetloom plan`.

use crate::Context;
use crate::cli::PlanArgs;
use crate::fault::{Fault, Result};

/// Not there yet.
pub(crate) fn plan(args: &PlanArgs, _context: &Context) -> Result {
    crate::words::pipelines(&args.words)?;
    Err(Fault::broken("plan: not in this build"))
}
