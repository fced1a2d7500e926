//! The plan behind a base, whole: a run over some days carries the others over, and what is known of those stands in earlier
//! plans.
//!
//! ```text
//! version 7   days 3..5   plan c ─┐
//! version 6   days 1..2   plan b ─┼─► what made each live shard, what it read, what its day was cut from
//! version 5   all days    plan a ─┘
//! ```

use crate::fault::Fault;
use crate::work::Work;
use pipeline::plan::Plan;
use std::collections::HashSet;
use table::history::{made_by, read_plan};
use table::state::TableState;

/// Earlier plans looked at: a table that was patched more often than this since its last whole run computes a little twice.
const PLANS_MAX: usize = 100;

/// The plan that made the base, with the shards that it carried over as earlier plans describe them; `None`: it is gone.
///
/// Errors: the table belongs to another pipeline, or something else wrote it.
pub(super) async fn before(work: &Work, base: &TableState) -> Result<Option<Plan>, Fault> {
    if let Some(owner) = base.pipeline().filter(|owner| *owner != work.pipeline().name) {
        let why = format!("belongs to pipeline `{owner}`; give this pipeline a result URL of its own");
        return Err(Fault::request(format!("{}: the table {why}", work.result)));
    }
    let ledger = base.ledger(&work.result).await?;
    let store = work.result.as_ref();
    let Some(made) = &base.provenance else { return Ok(None) };
    let Some(mut whole) = read_plan(store, &made.plan).await? else { return Ok(None) };
    let live: HashSet<&str> = ledger.lines.iter().map(|line| line.key.as_str()).collect();
    let (mut range, mut version) = (whole.range, whole.base);
    for _ in 0..PLANS_MAX {
        let (Some(_), Some(earlier)) = (range, version) else { break };
        let Some(made) = made_by(store, earlier).await? else { break };
        let Some(plan) = read_plan(store, &made.plan).await? else { break };
        (range, version) = (plan.range, plan.base);
        whole.recall(&plan, &live);
    }
    Ok(Some(whole))
}
