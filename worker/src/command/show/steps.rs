//! What the shards of a version took: seconds and bytes per step, and the largest peak of memory.

use crate::present::{Align, Frame, Table, bytes, count, share};
use serde_json::{Value, json};
use table::report::{Report, Timing};

/// The steps in the order in which data passes them.
const ORDER: [&str; 13] = [
    "list", "read", "unpack", "decode", "arrange", "rows", "join", "derive", "event", "window", "label", "result",
    "write",
];

/// What some shards took.
#[derive(Debug, Default)]
pub(super) struct Steps {
    shards: u64,
    peak_memory_bytes: u64,
    /// In the order of [`ORDER`]; one that none of these shards has is not there.
    timings: Vec<(&'static str, Timing)>,
}

impl Steps {
    /// The sum over reports.
    pub(super) fn of<'r>(reports: impl Iterator<Item = &'r Report>) -> Self {
        let mut sum = [None; ORDER.len()];
        let (mut shards, mut peak_memory_bytes) = (0, 0);
        for report in reports {
            shards += 1;
            peak_memory_bytes = report.peak_memory_bytes.max(peak_memory_bytes);
            for (name, into) in ORDER.iter().zip(&mut sum) {
                *into = more(*into, report.timings.get(*name));
            }
        }
        let known = ORDER.into_iter().zip(sum);
        Self { shards, peak_memory_bytes, timings: known.filter_map(|(name, sum)| Some((name, sum?))).collect() }
    }

    /// A line per step, for people.
    pub(super) fn text(&self, frame: Frame) -> String {
        if self.shards == 0 {
            return "no shard was computed for this version\n".into();
        }
        let all: f64 = self.timings.iter().map(|(_, timing)| timing.seconds).sum();
        let mut table = Table::new([
            ("step", Align::Left),
            ("seconds", Align::Right),
            ("share", Align::Right),
            ("bytes", Align::Right),
            ("bytes/s", Align::Right),
        ]);
        for (name, Timing { seconds, bytes: passed }) in &self.timings {
            let speed = if *passed > 0 {
                format!("{}/s", bytes(whole(*passed as f64 / seconds.max(1e-9))))
            } else {
                String::new()
            };
            let passed = if *passed > 0 { bytes(*passed) } else { String::new() };
            table.row([
                (*name).to_owned(),
                format!("{seconds:.3}"),
                share(micros(*seconds), micros(all)),
                passed,
                speed,
            ]);
        }
        let (shards, peak) = (count(self.shards), bytes(self.peak_memory_bytes));
        format!("{}{shards} shards, seconds of all their threads; memory peaked at {peak}\n", table.text(frame))
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let step =
            |(name, timing): &(&str, Timing)| json!({"step": name, "seconds": timing.seconds, "bytes": timing.bytes});
        json!({
            "shards": self.shards,
            "peakMemoryBytes": self.peak_memory_bytes,
            "steps": self.timings.iter().map(step).collect::<Vec<_>>(),
        })
    }
}

fn more(sum: Option<Timing>, timing: Option<&Timing>) -> Option<Timing> {
    let Some(timing) = timing else { return sum };
    let sum = sum.unwrap_or_default();
    Some(Timing { seconds: sum.seconds + timing.seconds, bytes: sum.bytes.saturating_add(timing.bytes) })
}

fn micros(seconds: f64) -> u64 {
    whole(seconds * 1e6)
}

#[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest whole number, saturating")]
#[expect(clippy::cast_sign_loss, reason = "times and sizes are not negative; less than 0 becomes 0")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_reports_are_added_up_in_the_order_of_the_path() {
        let sum = [Some(Timing { seconds: 0.5, bytes: 7 }), None, Some(Timing { seconds: 0.25, bytes: 1 })];
        let added = sum.iter().fold(None, |sum, timing| more(sum, timing.as_ref()));
        assert_eq!(added, Some(Timing { seconds: 0.75, bytes: 8 }));
        let steps = Steps { shards: 1, peak_memory_bytes: 5, timings: vec![("read", added.unwrap_or_default())] };
        assert_eq!(steps.json()["steps"][0]["bytes"], 8);
        assert!(Steps::of(std::iter::empty()).text(Frame::of_stdout()).contains("no shard"));
    }
}
