//! Cells: a member list in short, an entry per hour of its stamps. Kept beside the list's name, they tell a plan what changed
//! without opening it.
//!
//! ```text
//! members in archive order   08:59:55  09:00:00  09:00:05  …            (17,280 a day and robot)
//! cells                      hour 8: digest, count, bytes   hour 9: …   (24 a day)
//! ```

use super::digest::Digest;
use super::key::feed_member;
use super::part::{Part, Sight};
use crate::member::{Member, Stamp};
use crate::time::{DAY_NS, Day, HOUR_NS, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Hours of a day.
const HOURS: i64 = DAY_NS / HOUR_NS;

/// When the members of a cell were stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// Within this hour since the epoch.
    Hour(i64),
    /// On this day since the epoch, nothing finer.
    Day(i32),
    /// They tell no time.
    Never,
}

/// The members of one object and one hour, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Their hour.
    pub when: When,
    /// Digest of what the list says of them, in archive order.
    pub digest: String,
    /// How many they are.
    pub members: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// The earliest stamp, ns since the epoch; a day's is its first instant, none is 0.
    pub first_ns: i64,
    /// The latest.
    pub last_ns: i64,
}

impl When {
    /// Where a stamp belongs.
    pub fn of(stamp: Stamp) -> Self {
        match stamp {
            Stamp::At(ns) => Self::Hour(ns.div_euclid(HOUR_NS)),
            Stamp::Day(Day(day)) => Self::Day(day),
            Stamp::Absent => Self::Never,
        }
    }

    /// The first hour that it covers; `None`: it tells no time.
    pub(super) fn hour(self) -> Option<i64> {
        match self {
            Self::Hour(hour) => Some(hour),
            Self::Day(day) => Some(i64::from(day) * HOURS),
            Self::Never => None,
        }
    }
}

impl Cell {
    /// The time that observations of its members may lie in, unless they are late. `None`: any time.
    pub(super) fn window(&self, sight: Sight) -> Option<Span> {
        let stamp = |ns| match self.when {
            When::Hour(_) => Stamp::At(ns),
            When::Day(day) => Stamp::Day(Day(day)),
            When::Never => Stamp::Absent,
        };
        let (first, last) = (sight.window(stamp(self.first_ns))?, sight.window(stamp(self.last_ns))?);
        Some(Span { from_ns: first.from_ns, to_ns: last.to_ns })
    }

    /// Whether a shard of that part may read one of its members. Never wrongly false.
    pub(super) fn is_near(&self, sight: Sight, part: &Part) -> bool {
        let Some(window) = self.window(sight) else { return true };
        let stamps = Span { from_ns: self.first_ns, to_ns: self.last_ns.saturating_add(1) };
        stamps.intersect(part.span).is_some() || window.intersect(sight.context(part.span)).is_some()
    }
}

/// Puts members into cells as they pass by in archive order.
#[derive(Debug, Default)]
pub struct Cells {
    by_hour: BTreeMap<When, (Digest, Cell)>,
}

impl Cells {
    /// Adds a member; `content` names its bytes.
    pub fn add(&mut self, member: &Member, content: &[u8]) {
        let when = When::of(member.stamp);
        let at_ns = match member.stamp {
            Stamp::At(ns) => ns,
            Stamp::Day(day) => day.start_ns(),
            Stamp::Absent => 0,
        };
        let empty = || Cell { when, digest: String::new(), members: 0, bytes: 0, first_ns: at_ns, last_ns: at_ns };
        let (digest, cell) = self.by_hour.entry(when).or_insert_with(|| (Digest::default(), empty()));
        feed_member(digest, member, content);
        cell.members += 1;
        cell.bytes = cell.bytes.saturating_add(member.stored_bytes);
        cell.first_ns = cell.first_ns.min(at_ns);
        cell.last_ns = cell.last_ns.max(at_ns);
    }

    /// The cells, by hour.
    pub fn finish(self) -> Vec<Cell> {
        self.by_hour.into_values().map(|(digest, cell)| Cell { digest: digest.hex(), ..cell }).collect()
    }
}
