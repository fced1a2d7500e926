//! When a Pipeline is due: cron lines in a time zone, with the meaning of Kubernetes' CronJob. Pure; the time is an argument.
//!
//! ```text
//!  last ──┤ missed │ missed │ due ├── now ──────► next        at most one start makes up for all that is past
//! ```
//! Daylight saving: a line with a fixed hour follows the clock on the wall. A time that does not exist is due at the next
//! minute that does, one that comes twice is due the first time. A line with `*` in its hour follows elapsed time.

mod line;

pub use line::Line;

use crate::moment::Moment;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use pipeline::spec::{Concurrency, ScheduleSpec};
use pipeline::time::{SECOND_NS, words::duration_ns};

/// How far ahead a next time is looked for, days: eight years hold a 29th of February even around 2100.
const AHEAD_DAYS: i32 = 8 * 366;

/// Most missed times that are counted: more are as bad.
const MISSED_MAX: u64 = 100_000;

/// Most minutes of a day: clocks go back by hours, not more.
const DAY_MINUTES_MAX: i64 = 26 * 60;

/// A schedule, ready.
#[derive(Debug, Clone)]
pub struct Schedule {
    lines: Vec<Line>,
    zone: TimeZone,
    deadline_seconds: Option<i64>,
    is_suspended: bool,
    concurrency: Concurrency,
}

/// What a schedule asks for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Nothing before `next` (`None`: never again).
    Nothing {
        /// The next time.
        next: Option<Moment>,
    },
    /// A Run for the time `at`.
    Start {
        /// The newest time that is past.
        at: Moment,
        /// Times before it that were not started.
        missed: u64,
    },
    /// No Run: all that is past is later than its deadline allows.
    Missed {
        /// The newest of them.
        at: Moment,
        /// How many they are.
        missed: u64,
    },
    /// A Run for the time `at`, once no other Run is active.
    Held {
        /// The newest time that is past.
        at: Moment,
        /// When to look again at the latest: then it is too late for it, or another time is due.
        until: Option<Moment>,
    },
}

impl Schedule {
    /// Reads the words.
    ///
    /// Errors: a sentence; none for words that `check` let pass.
    pub fn read(words: &ScheduleSpec) -> Result<Self, String> {
        let zone = words.time_zone.as_deref().unwrap_or("Etc/UTC");
        let deadline_ns = words.starting_deadline.as_deref().map(duration_ns).transpose()?;
        Ok(Self {
            lines: words.cron.iter().map(|line| Line::parse(line)).collect::<Result<_, _>>()?,
            zone: TimeZone::get(zone).map_err(|_| format!("{zone:?} is no IANA time zone; write Europe/Berlin"))?,
            deadline_seconds: deadline_ns.map(|ns| (ns / SECOND_NS).max(1)),
            is_suspended: words.suspend.unwrap_or(false),
            concurrency: words.concurrency.unwrap_or(Concurrency::Forbid),
        })
    }

    /// What is due at `now`, after everything up to `last` was dealt with (`created`, where nothing was yet).
    pub fn due(&self, last: Option<Moment>, created: Moment, is_active: bool, now: Moment) -> Due {
        if self.is_suspended {
            return Due::Nothing { next: None };
        }
        let since = last.unwrap_or(created).max(created);
        let (missed, newest) = self.past(since, now);
        let Some(at) = newest else { return Due::Nothing { next: self.next(now) } };
        let late = |at: Moment| self.deadline_seconds.is_some_and(|deadline| now.since(at) > deadline);
        if late(at) {
            return Due::Missed { at, missed: missed + 1 };
        }
        if is_active && self.concurrency == Concurrency::Forbid {
            let too_late = self.deadline_seconds.map(|deadline| at.plus(deadline + 1));
            let until = [too_late, self.next(now)].into_iter().flatten().min();
            return Due::Held { at, until };
        }
        Due::Start { at, missed }
    }

    /// The first time after `now`.
    pub fn next(&self, now: Moment) -> Option<Moment> {
        let mut day = self.zone.to_datetime(now.timestamp()).date();
        for _ in 0..AHEAD_DAYS {
            let first = self.lines.iter().flat_map(|line| self.times(line, day)).filter(|at| *at > now).min();
            if first.is_some() {
                return first;
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The newest time in `(since, now]`, and how many there are before it.
    fn past(&self, since: Moment, now: Moment) -> (u64, Option<Moment>) {
        let mut times: Vec<Moment> = Vec::new();
        let first = self.zone.to_datetime(since.timestamp()).date();
        let mut day = self.zone.to_datetime(now.timestamp()).date();
        let mut before = 0u64;
        let mut newest = None;
        while day >= first && before < MISSED_MAX {
            times.clear();
            let of_day = self.lines.iter().flat_map(|line| self.times(line, day));
            times.extend(of_day.filter(|at| *at > since && *at <= now));
            times.sort_unstable();
            times.dedup();
            if newest.is_none() {
                newest = times.pop();
            }
            before += times.len() as u64;
            let Ok(yesterday) = day.yesterday() else { break };
            day = yesterday;
        }
        (before, newest)
    }

    /// The times of a line on one day of the zone's calendar.
    fn times(&self, line: &Line, day: Date) -> Vec<Moment> {
        if !line.is_on(day) {
            Vec::new()
        } else if line.follows_elapsed_time() {
            self.elapsed(line, day)
        } else {
            line.times().filter_map(|(hour, minute)| self.on_the_wall(day, hour, minute)).collect()
        }
    }

    /// Each minute of the day as it passes: 23 to 25 hours of them.
    fn elapsed(&self, line: &Line, day: Date) -> Vec<Moment> {
        let Ok(begin) = self.zone.to_timestamp(day.at(0, 0, 0, 0)) else { return Vec::new() };
        let first = begin.as_second().div_euclid(60) * 60;
        let minutes = (0..DAY_MINUTES_MAX).map(|minute| Moment(first + minute * 60));
        minutes
            .filter(|at| {
                let local = self.zone.to_datetime(at.timestamp());
                local.date() == day && line.is_at(local.hour(), local.minute())
            })
            .collect()
    }

    /// The instant at which the clock shows that time: the first of two, and for none the end of the gap.
    fn on_the_wall(&self, day: Date, hour: i8, minute: i8) -> Option<Moment> {
        let local = day.at(hour, minute, 0, 0);
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let is_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let earlier = ambiguous.earlier().ok()?;
        // In a gap the earlier reading lies before the change of clocks, and the first valid minute is that change.
        if is_gap {
            self.zone.following(earlier).next().map(|change| change.timestamp().into())
        } else {
            Some(earlier.into())
        }
    }
}

/// Name of the Run for a scheduled time.
pub fn run_name(pipeline: &str, at: Moment) -> String {
    format!("{pipeline}-{}", at.minute())
}

/// The scheduled time that a Run's name tells; `None` for other names.
pub fn run_time(pipeline: &str, run: &str) -> Option<Moment> {
    let minute: i64 = run.strip_prefix(pipeline)?.strip_prefix('-')?.parse().ok()?;
    minute.checked_mul(60).map(Moment).filter(|at| run_name(pipeline, *at) == run)
}

#[cfg(test)]
mod tests;
