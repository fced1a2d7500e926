//! What a run over the simulated archive must find: counts in the words of the account, and every onset.
//!
//! Computed from what the documents are meant to be, not from their text, by rules written down a second time here.

use super::damage::{Damage, Flaw, Signal, Step};
use super::document::{Document, robot_name};
use super::robot::State;
use serde::Serialize;
use std::collections::BTreeMap;

/// `memory` of the event in `fleetloom.yaml`.
const MEMORY_US: i64 = 600_000_000;
/// Observations of later documents are never earlier than their document's start by more than this (a step backward).
const REORDER_US: i64 = 100_000_000;

type Counts = BTreeMap<&'static str, u64>;

/// What a run must find; serialized as `truth.json`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Truth {
    /// As in the account.
    pub(crate) members: Members,
    /// As in the account, by signal.
    pub(crate) signals: BTreeMap<&'static str, Observations>,
    /// As in the account.
    pub(crate) rows: Rows,
    /// As in the account, by event.
    pub(crate) events: BTreeMap<&'static str, Onsets>,
    /// How often each kind of damage was done.
    pub(crate) damage: Counts,
    /// Every onset of `aborted`, by robot and time.
    pub(crate) onsets: Vec<Onset>,
}

/// Members, as in the account.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Members {
    pub(crate) read: u64,
    pub(crate) documents: u64,
    pub(crate) quarantined: Counts,
}

/// Observations of a signal, as in the account.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Observations {
    pub(crate) read: u64,
    pub(crate) kept: u64,
    pub(crate) duplicate: u64,
    pub(crate) quarantined: Counts,
    pub(crate) nan: Counts,
}

/// Base rows: one per kept observation of `mission`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Rows {
    pub(crate) base: u64,
}

/// Onsets, as in the account.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Onsets {
    pub(crate) onsets: u64,
    pub(crate) censored: u64,
    pub(crate) refractory: u64,
}

/// One onset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Onset {
    pub(crate) robot: String,
    pub(crate) time_ns: i64,
}

impl Truth {
    /// Enters one document.
    pub(super) fn enter(&mut self, document: &Document) {
        if let Some(word) = document.damage.word() {
            *self.damage.entry(word).or_default() += 1;
        }
        let uploads = match document.damage {
            Damage::Silent => return,
            Damage::Copied | Damage::Reuploaded => 2,
            _ => 1,
        };
        self.members.read += uploads;
        if document.damage == Damage::Torn {
            *self.members.quarantined.entry("unreadable").or_default() += 1;
            return;
        }
        self.members.documents += uploads;
        for signal in Signal::ALL {
            let records = u64::from(document.records(signal));
            let entry = self.signals.entry(signal.name()).or_default();
            entry.read += records * uploads;
            entry.duplicate += records * (uploads - 1);
            match document.damage {
                Damage::Stepped(Step::Far) if records > 0 => *entry.quarantined.entry("late").or_default() += records,
                Damage::Record(spot, flaw) if spot.signal == signal => entry.flawed(signal, flaw, records),
                _ => entry.kept += records,
            }
        }
    }

    /// Closes the count: `events` and `onsets` of all robots.
    pub(super) fn close(&mut self, robots: impl Iterator<Item = Watch>) {
        let mut all = Onsets::default();
        for (watch, robot) in robots.zip(0..) {
            let watch = watch.finished();
            let mut name = Vec::new();
            robot_name(&mut name, robot);
            let name = String::from_utf8_lossy(&name);
            all.censored += watch.censored;
            all.onsets += watch.onsets_us.len() as u64;
            self.onsets.extend(watch.onsets_us.iter().map(|us| Onset { robot: name.to_string(), time_ns: us * 1_000 }));
        }
        self.events.insert("aborted", all);
        self.rows.base = self.signals.get(Signal::Mission.name()).map_or(0, |mission| mission.kept);
    }
}

impl Observations {
    fn flawed(&mut self, signal: Signal, flaw: Flaw, records: u64) {
        self.kept += records;
        let kind = match flaw {
            Flaw::Twice => {
                self.read += 1;
                self.duplicate += 1;
                return;
            }
            Flaw::NotANumber => {
                *self.nan.entry(signal.nan_column()).or_default() += 1;
                return;
            }
            Flaw::WrongType => "mismatch",
            Flaw::NoTime => "no_time",
            Flaw::ZeroTime | Flaw::FarFuture => "time_out_of_range",
            Flaw::Late => "late",
        };
        self.kept -= 1;
        *self.quarantined.entry(kind).or_default() += 1;
    }
}

/// Watches one robot's kept mission observations for onsets, in order of time although steps mix their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// Not yet judged, by time, µs.
    waiting: Vec<(i64, bool)>,
    last: Option<(i64, bool)>,
    onsets_us: Vec<i64>,
    censored: u64,
}

impl Watch {
    /// Sees one document; documents come in order of their start.
    pub(super) fn see(&mut self, document: &Document) {
        self.judge(document.start_ms * 1_000 - REORDER_US);
        let lost = match document.damage {
            Damage::Silent | Damage::Torn | Damage::Stepped(Step::Far) => return,
            Damage::Record(spot, flaw) if spot.signal == Signal::Mission => match flaw {
                Flaw::Twice | Flaw::NotANumber => None,
                _ => Some(spot.index),
            },
            _ => None,
        };
        for second in (0..5).filter(|second| Some(*second) != lost) {
            let at = document.mission_us(second);
            let aborted = document.ticks[second as usize].state == State::Aborted;
            let place = self.waiting.partition_point(|(other, _)| *other < at);
            self.waiting.insert(place, (at, aborted));
        }
    }

    fn finished(mut self) -> Self {
        self.judge(i64::MAX);
        self
    }

    /// Judges what waits before `until_us`.
    fn judge(&mut self, until_us: i64) {
        let ready = self.waiting.partition_point(|(at, _)| *at < until_us);
        for (at, aborted) in self.waiting.drain(..ready) {
            match self.last.filter(|(last, _)| at - last <= MEMORY_US) {
                None if aborted => self.censored += 1,
                Some((_, false)) if aborted => self.onsets_us.push(at),
                _ => {}
            }
            self.last = Some((at, aborted));
        }
    }
}
