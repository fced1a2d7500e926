//! What a plan's work will take, from what earlier shards of the table took: beside the plan, never in it, for measured figures
//! must not change which shards there are.
//!
//! Seconds go with stored bytes, own and context. Memory does not: a worker computes by groups of robots, so a shard takes what
//! the greediest measured one took, and more only where it is larger than any of them.

use crate::error::TableError;
use crate::layout;
use crate::report::{Report, Timing};
use archive::store::{Put, Store};
use pipeline::plan::Plan;
use serde::{Deserialize, Serialize};

/// Layout of an estimate's JSON.
const FORMAT: u32 = 1;
/// Stored bytes a second where nothing was measured: what a slow machine does on dense telemetry.
const UNMEASURED_BYTES_PER_SECOND: f64 = 20e6;
/// Steps that wait for stores: they do not take a core.
const WAITING: [&str; 2] = ["list", "read"];

/// Predictions for the stale shards of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Layout of this JSON.
    pub format: u32,
    /// Reports that it was made from; 0: a guess.
    pub measured: u64,
    /// Stored bytes to read, context included.
    pub bytes: u64,
    /// Seconds of one core.
    pub core_seconds: f64,
    /// Most memory that a worker will hold, bytes; `None` where nothing was measured.
    pub peak_bytes: Option<u64>,
    /// By stale shard, in the order of the plan.
    pub shards: Vec<ShardEstimate>,
}

/// The prediction for one shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardEstimate {
    /// Its index in the plan.
    pub index: usize,
    /// Stored bytes to read, context included.
    pub bytes: u64,
    /// Seconds of one core.
    pub core_seconds: f64,
    /// Most memory that its worker will hold, bytes.
    pub peak_bytes: Option<u64>,
}

/// What some shards took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Measured {
    reports: u64,
    bytes: u64,
    core_seconds: f64,
    largest_bytes: u64,
    peak_bytes: u64,
}

impl Measured {
    /// Adds a report that says how much it read; one that read nothing says nothing.
    fn add(self, report: &Report) -> Self {
        let bytes = report.timings.get("read").map_or(0, |timing| timing.bytes);
        if bytes == 0 {
            return self;
        }
        let steps = report.timings.iter().filter(|(step, _)| !WAITING.contains(&step.as_str()));
        let core_seconds: f64 = steps.map(|(_, Timing { seconds, .. })| seconds).sum();
        Self {
            reports: self.reports + 1,
            bytes: self.bytes.saturating_add(bytes),
            core_seconds: self.core_seconds + core_seconds,
            largest_bytes: self.largest_bytes.max(bytes),
            peak_bytes: self.peak_bytes.max(report.peak_memory_bytes),
        }
    }

    fn core_seconds(self, bytes: u64) -> f64 {
        let bytes_per_second = if self.reports == 0 {
            UNMEASURED_BYTES_PER_SECOND
        } else {
            self.bytes as f64 / self.core_seconds.max(1e-9)
        };
        bytes as f64 / bytes_per_second
    }

    fn peak_bytes(self, bytes: u64) -> Option<u64> {
        if self.peak_bytes == 0 {
            return None;
        }
        let larger = (bytes as f64 / self.largest_bytes as f64).max(1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest whole number, saturating")]
        Some((self.peak_bytes as f64 * larger) as u64)
    }
}

/// Predicts what the stale shards of a plan take, from reports of the same table.
pub fn estimate<'r>(plan: &Plan, reports: impl IntoIterator<Item = &'r Report>) -> Estimate {
    let measured = reports.into_iter().fold(Measured::default(), Measured::add);
    let shards: Vec<ShardEstimate> = plan
        .stale()
        .map(|index| {
            let inputs = &plan.shards[index].inputs;
            let bytes = inputs.bytes.saturating_add(inputs.context_bytes);
            let (core_seconds, peak_bytes) = (measured.core_seconds(bytes), measured.peak_bytes(bytes));
            ShardEstimate { index, bytes, core_seconds, peak_bytes }
        })
        .collect();
    Estimate {
        format: FORMAT,
        measured: measured.reports,
        bytes: shards.iter().fold(0, |sum: u64, shard| sum.saturating_add(shard.bytes)),
        core_seconds: shards.iter().map(|shard| shard.core_seconds).sum(),
        peak_bytes: shards.iter().filter_map(|shard| shard.peak_bytes).max(),
        shards,
    }
}

/// Writes an estimate beside its plan; a newer one replaces it.
pub async fn write_estimate(store: &dyn Store, plan: &str, estimate: &Estimate) -> Result<(), TableError> {
    let name = layout::estimate(plan);
    let json = serde_json::to_vec_pretty(estimate).map_err(|error| TableError::writing(&name, &error))?;
    store.put(&name, json.into(), Put::Always).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::FORMAT as REPORT_FORMAT;
    use engine::account::Account;
    use pipeline::plan::{Bucket, Cut, Inputs, Part, Reason, Shard, State};
    use pipeline::time::Span;
    use std::collections::BTreeMap;

    /// A plan of stale shards with these own and context bytes.
    fn plan_of(bytes: &[(u64, u64)]) -> Plan {
        let shard = |&(bytes, context_bytes): &(u64, u64)| Shard {
            key: String::new(),
            part: Part { span: Span::ALL, bucket: Bucket::ALL },
            seen: String::new(),
            inputs: Inputs { bytes, context_bytes, ..Inputs::default() },
            state: State::Stale(Reason::New),
        };
        Plan {
            format: 0,
            pipeline: String::new(),
            meaning: serde_json::Value::Null,
            engine: String::new(),
            source: String::new(),
            base: None,
            range: None,
            asked_by: None,
            cut: Cut::default(),
            shards: bytes.iter().map(shard).collect(),
        }
    }

    fn report_that_read(bytes: u64, core_seconds: f64, peak_memory_bytes: u64) -> Report {
        let read = ("read".to_owned(), Timing { seconds: 100.0, bytes });
        let decode = ("decode".to_owned(), Timing { seconds: core_seconds, bytes: 0 });
        Report {
            format: REPORT_FORMAT,
            key: String::new(),
            attempt: String::new(),
            files: Vec::new(),
            rows: 0,
            account: Account::default(),
            timings: BTreeMap::from([read, decode]),
            peak_memory_bytes,
            quarantine: None,
            written_ms: 0,
        }
    }

    #[test]
    fn nothing_measured_is_a_guess_by_bytes() {
        let found = estimate(&plan_of(&[(10_000_000, 10_000_000)]), []);
        assert_eq!((found.measured, found.bytes, found.peak_bytes), (0, 20_000_000, None));
        assert!((found.core_seconds - 1.0).abs() < 1e-9);
    }

    #[test]
    fn seconds_go_with_bytes_and_memory_only_beyond_the_largest_measured_shard() {
        let reports =
            [report_that_read(100, 2.0, 1_000), report_that_read(300, 6.0, 900), report_that_read(0, 9.0, 9_999)];
        let found = estimate(&plan_of(&[(50, 0), (500, 100)]), &reports);
        assert_eq!((found.measured, found.bytes), (2, 650));
        assert!((found.core_seconds - 13.0).abs() < 1e-9);
        assert_eq!(found.shards.iter().map(|shard| shard.peak_bytes).collect::<Vec<_>>(), [Some(1_000), Some(2_000)]);
        assert_eq!(found.peak_bytes, Some(2_000));
    }
}
