//! Where a shard's time goes: seconds and bytes per step, summed over threads. Goes into reports, never into rows.

use engine::steps::{PROFILE, Steps};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use table::report::Timing;
use tracing::{Instrument, Span, trace_span};

/// A step of a shard, computing aside: its steps are the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Member lists: what is to be read.
    List,
    /// Waiting for stored bytes.
    Read,
    /// Zip, gzip, zstd, CRC.
    Unpack,
    /// JSON to columns.
    Decode,
    /// Sorting, duplicates.
    Arrange,
    /// Parquet.
    Write,
}

const STEPS: [(Step, &str); 6] = [
    (Step::List, "list"),
    (Step::Read, "read"),
    (Step::Unpack, "unpack"),
    (Step::Decode, "decode"),
    (Step::Arrange, "arrange"),
    (Step::Write, "write"),
];

impl Step {
    /// A span of the profile.
    fn span(self) -> Span {
        match self {
            Self::List => trace_span!(target: PROFILE, "list"),
            Self::Read => trace_span!(target: PROFILE, "read"),
            Self::Unpack => trace_span!(target: PROFILE, "unpack"),
            Self::Decode => trace_span!(target: PROFILE, "decode"),
            Self::Arrange => trace_span!(target: PROFILE, "arrange"),
            Self::Write => trace_span!(target: PROFILE, "write"),
        }
    }
}

/// Time and bytes by step of one thread: what passes member by member takes no lock.
#[derive(Debug, Clone, Default)]
pub(super) struct Laps([(Duration, u64); STEPS.len()]);

impl Laps {
    /// Runs `work` and adds what it took.
    pub(super) fn time<T>(&mut self, step: Step, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.0[step as usize].0 += start.elapsed();
        done
    }

    /// Adds bytes that passed a step.
    pub(super) fn pass(&mut self, step: Step, bytes: usize) {
        self.0[step as usize].1 += bytes as u64;
    }
}

/// Laps that follow each other without a gap: one look at the clock for each.
#[derive(Debug)]
pub(super) struct Stopwatch {
    pub(super) laps: Laps,
    since: Instant,
}

impl Stopwatch {
    /// A stopwatch whose first lap begins now.
    pub(super) fn start() -> Self {
        Self { laps: Laps::default(), since: Instant::now() }
    }

    /// Ends a lap, which was this step's, and begins the next one.
    pub(super) fn lap(&mut self, step: Step) {
        let now = Instant::now();
        self.laps.0[step as usize].0 += now - self.since;
        self.since = now;
    }
}

/// Time and bytes by step of all threads.
#[derive(Debug, Default)]
pub(super) struct Clock {
    spent: Mutex<(Laps, BTreeMap<&'static str, Timing>)>,
}

impl Clock {
    /// Runs `work` and adds what it took.
    pub(super) fn time<T>(&self, step: Step, work: impl FnOnce() -> T) -> T {
        let mut laps = Laps::default();
        let done = step.span().in_scope(|| laps.time(step, work));
        self.add(&laps);
        done
    }

    /// Waits for `work` and adds what it took.
    pub(super) async fn wait<T>(&self, step: Step, work: impl Future<Output = T>) -> T {
        let (start, mut laps) = (Instant::now(), Laps::default());
        let done = work.instrument(step.span()).await;
        laps.0[step as usize].0 += start.elapsed();
        self.add(&laps);
        done
    }

    /// Adds bytes that passed a step.
    pub(super) fn pass(&self, step: Step, bytes: usize) {
        let mut laps = Laps::default();
        laps.pass(step, bytes);
        self.add(&laps);
    }

    /// Adds what a thread took.
    pub(super) fn add(&self, laps: &Laps) {
        let (sum, _) = &mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        for ((time, bytes), (more_time, more_bytes)) in sum.0.iter_mut().zip(laps.0) {
            *time += more_time;
            *bytes += more_bytes;
        }
    }

    /// Adds what computing a robot took.
    pub(super) fn compute(&self, steps: &Steps) {
        let (_, computed) = &mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        for (step, spent) in steps {
            let timing = computed.entry(step.word()).or_default();
            timing.seconds += spent.time.as_secs_f64();
            timing.bytes = timing.bytes.saturating_add(spent.bytes);
        }
    }

    /// What each step took.
    pub(super) fn timings(&self) -> BTreeMap<String, Timing> {
        let (laps, computed) = &*self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let timing = |(duration, bytes): (Duration, u64)| Timing { seconds: duration.as_secs_f64(), bytes };
        let own = STEPS.iter().map(|(step, name)| ((*name).to_owned(), timing(laps.0[*step as usize])));
        own.chain(computed.iter().map(|(name, timing)| ((*name).to_owned(), *timing))).collect()
    }
}
