//! How far a long act has come: a bar on a terminal, plain lines at a bounded rate elsewhere. On stderr.

use crate::console::Console;
use crate::present::{bytes, count};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a bar is drawn anew.
const FRAME: Duration = Duration::from_millis(200);
/// Least time between two plain lines: a log of a day's run stays readable.
const LINE: Duration = Duration::from_secs(10);

/// A long act under way. Shared by reference among threads.
#[derive(Debug)]
pub(crate) struct Progress {
    console: Console,
    bar: Option<ProgressBar>,
    title: String,
    begun: Instant,
    total: Done,
    members: AtomicU64,
    bytes: AtomicU64,
    /// When the next plain line is due, ms since `begun`.
    line_ms: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Done {
    members: u64,
    bytes: u64,
}

impl Progress {
    /// Starts to show `title`. A total of 0 is unknown.
    pub(crate) fn start(console: &Console, title: &str, total_members: u64, total_bytes: u64) -> Self {
        let bar = console.is_terminal().then(|| {
            let bar = console.bars().add(ProgressBar::new(total_members.max(1)));
            let color = if console.is_colored() { ".cyan" } else { "" };
            let template = format!("{{prefix}} {{bar:24{color}}} {{msg}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_prefix(title.to_owned());
            bar
        });
        Self {
            console: console.clone(),
            bar,
            title: title.to_owned(),
            begun: Instant::now(),
            total: Done { members: total_members, bytes: total_bytes },
            members: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            line_ms: AtomicU64::new(if console.is_terminal() { 0 } else { millis(LINE) }),
        }
    }

    /// Counts what was done. Cheap; from any thread.
    pub(crate) fn add(&self, members: u64, bytes: u64) {
        self.members.fetch_add(members, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let now_ms = millis(self.begun.elapsed());
        let due_ms = self.line_ms.load(Ordering::Relaxed);
        let next_ms = now_ms + millis(if self.bar.is_some() { FRAME } else { LINE });
        let mine = || self.line_ms.compare_exchange(due_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if now_ms >= due_ms && mine() {
            self.show();
        }
    }

    /// Takes the bar away; the closing summary says the rest.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&self) {
        let done = Done { members: self.members.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) };
        let line = line(done, self.total, self.begun.elapsed());
        match &self.bar {
            Some(bar) => {
                bar.set_position(done.members);
                bar.set_message(line);
            }
            None => self.console.say(&format!("{}: {line}", self.title)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `12,345 of 43,200 members, 34.1 MB of 121 MB, 210 MB/s, 0:12 left`.
fn line(done: Done, total: Done, elapsed: Duration) -> String {
    let of =
        |total: u64, text: fn(u64) -> String| if total > 0 { format!(" of {}", text(total)) } else { String::new() };
    let seconds = elapsed.as_secs_f64().max(1e-3);
    let mut parts = vec![
        format!("{}{} members", count(done.members), of(total.members, count)),
        format!("{}{}", bytes(done.bytes), of(total.bytes, bytes)),
        format!("{}/s", bytes(per(done.bytes, seconds))),
    ];
    let share = match (total.bytes, total.members) {
        (0, 0) => None,
        (0, members) => Some(ratio(done.members, members)),
        (bytes, _) => Some(ratio(done.bytes, bytes)),
    };
    if let Some(share) = share.filter(|share| *share > 0.0 && *share <= 1.0) {
        let left_s = per(1, share / (1.0 - share) / seconds);
        parts.push(format!("{}:{:02} left", left_s / 60, left_s % 60));
    }
    parts.join(", ")
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// `n / by`, rounded; a division by zero gives 0.
#[expect(clippy::cast_possible_truncation, reason = "saturates; only shown")]
fn per(n: u64, by: f64) -> u64 {
    let rate = n as f64 / by;
    if rate.is_finite() { rate.round() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_rate_and_time_left() {
        let done = Done { members: 10_800, bytes: 30_000_000 };
        let total = Done { members: 43_200, bytes: 120_000_000 };
        assert_eq!(
            line(done, total, Duration::from_secs(30)),
            "10,800 of 43,200 members, 30.0 MB of 120 MB, 1.00 MB/s, 1:30 left"
        );
    }

    #[test]
    fn unknown_totals_are_left_out() {
        let nothing = Done { members: 0, bytes: 0 };
        assert_eq!(line(nothing, nothing, Duration::ZERO), "0 members, 0 B, 0 B/s");
        let more = Done { members: 5, bytes: 7 };
        assert_eq!(line(more, nothing, Duration::from_secs(1)), "5 members, 7 B, 7 B/s");
    }
}
