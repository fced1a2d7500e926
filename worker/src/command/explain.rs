//! `fleetloom explain`: the physical plan that computes a pipeline's rows.

use crate::cli::ExplainArgs;
use crate::fault::{Fault, Result};
use crate::words;

/// Not there yet.
pub(crate) fn explain(args: &ExplainArgs) -> Result {
    words::pipeline(&args.words)?;
    Err(Fault::broken("explain: not in this build"))
}
