//! A run that its plan pod finishes itself: when it is predicted to be short and to fit, and nobody tried before.
//!
//! Whoever means to do so first makes a mark that can be made once. A pod that finds it there was started anew after one that
//! did not come to its end, and leaves the work to a shard Job, which is better at failing.

use crate::fault::Result;
use crate::plan::Planned;
use crate::work::{Effort, Work};
use archive::store::{Put, StoreError};
use pipeline::plan::Plan;
use std::time::Duration;
use table::estimate::Estimate;
use table::layout;

/// Share of the memory that a predicted peak may be: predictions are not promises.
const PEAK_SHARE: (u64, u64) = (3, 4);

/// Whether this process is to carry a plan out. One without stale shards has nothing to compute and is only committed, which
/// may be repeated.
pub(crate) async fn is_ours(work: &Work, planned: &Planned, most: Duration) -> Result<bool> {
    let nothing_stale = planned.plan.stale().next().is_none();
    Ok(nothing_stale || (is_small(&planned.estimate, work.effort, most) && mark(work, &planned.plan).await?))
}

/// Whether the work is predicted to take less than `most` and to fit into memory. Where nothing was measured, the budget is
/// taken at its word.
fn is_small(estimate: &Estimate, effort: Effort, most: Duration) -> bool {
    let threads = f64::from(u32::try_from(effort.threads).unwrap_or(u32::MAX));
    let (part, whole) = PEAK_SHARE;
    let fits = estimate.peak_bytes.is_none_or(|peak| peak / part < effort.memory_bytes / whole);
    fits && estimate.core_seconds / threads < most.as_secs_f64()
}

/// Makes the mark of a plan; false: it is there, or may be.
async fn mark(work: &Work, plan: &Plan) -> Result<bool> {
    match work.result.put(&layout::inline(&plan.hash()), "{}".into(), Put::IfAbsent).await {
        Ok(_) => Ok(true),
        Err(StoreError::Exists { .. } | StoreError::Unknown { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(core_seconds: f64, peak_bytes: Option<u64>) -> Estimate {
        Estimate { format: 1, measured: 0, bytes: 0, core_seconds, peak_bytes, shards: Vec::new() }
    }

    #[test]
    fn a_run_is_small_by_its_time_on_all_threads_and_by_its_peak() {
        let effort = Effort { threads: 2, memory_bytes: 400 };
        let small = |seconds, peak| is_small(&estimate(seconds, peak), effort, Duration::from_secs(60));
        assert!(small(119.0, None) && small(119.0, Some(299)));
        assert!(!small(120.0, None) && !small(0.0, Some(300)));
        assert!(!is_small(&estimate(0.0, None), effort, Duration::ZERO), "nothing is shorter than nothing");
    }
}
