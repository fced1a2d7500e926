//! `fleetloom shard`.

use crate::Context;
use crate::cli::ShardArgs;
use crate::fault::{Fault, Result};

/// Not there yet.
pub(crate) fn shard(args: &ShardArgs, _context: &Context) -> Result {
    crate::words::pipelines(&args.words)?;
    Err(Fault::broken("shard: not in this build"))
}
