//! `fleetloom show`: a version of the table, for people and for programs.

use crate::cli::ShowArgs;
use crate::fault::{Fault, Result};
use crate::words;

/// Not there yet.
pub(crate) fn show(args: &ShowArgs) -> Result {
    words::pipeline(&args.words)?;
    Err(Fault::broken("show: not in this build"))
}
