//! What was done, in order: told when the test fails, counted when it does not.

use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

/// The acts so far.
pub(super) struct Story {
    seed: u64,
    begun: Instant,
    lines: Vec<String>,
    counts: BTreeMap<&'static str, (u32, u32)>,
}

impl Story {
    /// Begins, and tells how to begin so again.
    pub(super) fn new(seed: u64, minutes: u64) -> Self {
        eprintln!("FLEETLOOM_CHAOS_SEED={seed} FLEETLOOM_CHAOS_MINUTES={minutes}");
        Self { seed, begun: Instant::now(), lines: Vec::new(), counts: BTreeMap::new() }
    }

    /// Something was done, or could not be.
    pub(super) fn tell(&mut self, act: &'static str, done: Result<String, String>) {
        let (well, not) = self.counts.entry(act).or_default();
        let told = match done {
            Ok(what) => {
                *well += 1;
                what
            }
            Err(why) => {
                *not += 1;
                format!("not done: {}", why.lines().next().unwrap_or_default())
            }
        };
        self.lines.push(format!("{:7.1} s  {act}: {told}", self.begun.elapsed().as_secs_f64()));
    }

    /// All went well.
    pub(super) fn end(self) {
        let counts = self.counts.iter().map(|(act, (well, not))| format!("{act} {well} ({not} not)"));
        eprintln!("seed {}: {}", self.seed, counts.collect::<Vec<_>>().join(", "));
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("FLEETLOOM_CHAOS_SEED={} and this was done:\n{}", self.seed, self.lines.join("\n"));
        }
    }
}
