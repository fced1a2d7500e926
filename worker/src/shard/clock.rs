//! Where a shard's time goes: seconds and bytes per step, summed over threads. Goes into reports, never into rows.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use table::report::Timing;

/// A step of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Waiting for stored bytes.
    Read,
    /// Zip, gzip, zstd, CRC.
    Unpack,
    /// JSON to columns.
    Decode,
    /// Sorting, duplicates.
    Arrange,
    /// Joins, windows, labels.
    Compute,
    /// Parquet.
    Write,
}

const STEPS: [(Step, &str); 6] = [
    (Step::Read, "read"),
    (Step::Unpack, "unpack"),
    (Step::Decode, "decode"),
    (Step::Arrange, "arrange"),
    (Step::Compute, "compute"),
    (Step::Write, "write"),
];

/// Time and bytes by step.
#[derive(Debug, Default)]
pub(super) struct Clock {
    spent: Mutex<[(Duration, u64); STEPS.len()]>,
}

impl Clock {
    /// Runs `work` and adds what it took.
    pub(super) fn time<T>(&self, step: Step, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)[step as usize].0 += start.elapsed();
        done
    }

    /// Adds bytes that passed a step.
    pub(super) fn pass(&self, step: Step, bytes: usize) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)[step as usize].1 += bytes as u64;
    }

    /// What each step took.
    pub(super) fn timings(&self) -> BTreeMap<String, Timing> {
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let timing = |(duration, bytes): (Duration, u64)| Timing { seconds: duration.as_secs_f64(), bytes };
        STEPS.iter().map(|(step, name)| ((*name).to_owned(), timing(spent[*step as usize]))).collect()
    }
}
