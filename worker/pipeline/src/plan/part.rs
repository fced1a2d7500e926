//! A part: robots × span, and which members it owns, needs as context, or never sees.
//!
//! ```text
//!            back            span             forward
//!        ├───────────┼─────────────────────┼───────────┤      observations
//!   margin                                                margin
//!  ├────┼───────────────────────────────────────────────┼──────┤   members, by stamp
//!          context          own                context
//! ```

use crate::member::{Member, Stamp};
use crate::time::{DAY_NS, Day, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The robots whose hash starts with `bits` bits equal to `value`; no bits: all robots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bucket {
    /// How many leading bits count, at most 64.
    pub bits: u8,
    /// Their value.
    pub value: u64,
}

impl Bucket {
    /// All robots.
    pub const ALL: Self = Self { bits: 0, value: 0 };
    /// Deepest halving of the robots: two that share so many bits stay together.
    pub const BITS_MAX: u8 = 32;

    /// Whether a robot of that hash (see [`robot_hash`]) is in it.
    pub fn holds(self, hash: u64) -> bool {
        self.bits == 0 || hash >> (64 - u32::from(self.bits)) == self.value
    }

    /// Whether some robot may be in both.
    pub fn meets(self, other: Self) -> bool {
        let (short, long) = if self.bits <= other.bits { (self, other) } else { (other, self) };
        long.value >> (long.bits - short.bits) == short.value
    }

    /// The two halves: next bit 0, next bit 1.
    pub fn halves(self) -> [Self; 2] {
        let bits = self.bits + 1;
        [Self { bits, value: self.value << 1 }, Self { bits, value: self.value << 1 | 1 }]
    }
}

/// The place of a robot among the buckets: the first 64 bits of BLAKE3 of its name, big-endian.
pub fn robot_hash(robot: &str) -> u64 {
    let hash = blake3::hash(robot.as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Robots × span: the rows of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// The rows' times.
    #[serde(flatten)]
    pub span: Span,
    /// The rows' robots.
    pub bucket: Bucket,
}

/// Along what parts can be cut so that each half reads less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// By robot: a member's name tells whose its observations are.
    pub by_robot: bool,
    /// In time: it tells more of it than the day.
    pub in_time: bool,
}

/// What a member is to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Its stamp and robot are in the part: counted here, and only here.
    Own,
    /// It may hold observations that a row of the part sees: read, not counted.
    Context,
}

/// How far a part looks beyond its span, ns: observations by `back` and `forward`, members by stamp by as much more as a
/// stamp may stray from its observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Observations before the span.
    pub back_ns: i64,
    /// Observations after it.
    pub forward_ns: i64,
    /// How much time follows a stamp.
    pub covers_ns: i64,
    /// How far an observation may stray from what its member covers.
    pub lateness_ns: i64,
    /// How long after an observation rows may still come: a grid's `alive`.
    pub alive_ns: i64,
}

impl Sight {
    /// The time that a member's observations may lie in, unless they are late. `None`: any time.
    pub fn window(self, stamp: Stamp) -> Option<Span> {
        let (from_ns, covers_ns) = match stamp {
            Stamp::At(ns) => (ns, self.covers_ns),
            Stamp::Day(day) => (day.start_ns(), DAY_NS.max(self.covers_ns)),
            Stamp::Absent => return None,
        };
        Some(Span {
            from_ns: from_ns.saturating_sub(self.lateness_ns),
            to_ns: from_ns.saturating_add(covers_ns).saturating_add(self.lateness_ns).saturating_add(1),
        })
    }

    /// The days that rows may lie in whose observations lie in `window`.
    pub(super) fn days(self, window: Span) -> impl Iterator<Item = Day> {
        let last_ns = window.to_ns.saturating_sub(1).saturating_add(self.alive_ns);
        (Day::of(window.from_ns).0..=Day::of(last_ns).0).map(Day)
    }

    /// The observations that a part sees.
    ///
    /// Besides the reach of the rules it holds whatever can be a duplicate of an own member's observation, so that the
    /// account does not depend on the cut.
    pub fn context(self, span: Span) -> Span {
        let strays_ns = self.lateness_ns.saturating_add(1);
        let follows_ns = strays_ns.saturating_add(self.covers_ns.max(0));
        Span {
            from_ns: span.from_ns.saturating_sub(self.back_ns.max(strays_ns)),
            to_ns: span.to_ns.saturating_add(self.forward_ns.max(follows_ns)),
        }
    }
}

impl Part {
    /// The two halves of a part whose observations do not fit into memory: in time, unless a half would read more context than
    /// rows, else by robot, as far as names tell either. `None`: it cannot be cut any smaller.
    pub fn halves(self, sight: Sight, axes: Axes) -> Option<[Self; 2]> {
        let Span { from_ns, to_ns } = self.span;
        let half_ns = to_ns.saturating_sub(from_ns) / 2;
        if axes.in_time && self.span != Span::ALL && half_ns > sight.back_ns.saturating_add(sight.forward_ns) {
            let middle_ns = from_ns.saturating_add(half_ns);
            let spans = [Span { from_ns, to_ns: middle_ns }, Span { from_ns: middle_ns, to_ns }];
            return Some(spans.map(|span| Self { span, ..self }));
        }
        let divisible = axes.by_robot && self.bucket.bits < Bucket::BITS_MAX;
        divisible.then(|| self.bucket.halves().map(|bucket| Self { bucket, ..self }))
    }

    /// The pieces of a part, of which some were found too large, and some of their pieces too.
    pub fn pieces(self, sight: Sight, axes: Axes, too_large: &BTreeSet<Self>) -> Vec<Self> {
        match self.halves(sight, axes).filter(|_| too_large.contains(&self)) {
            Some(halves) => halves.into_iter().flat_map(|half| half.pieces(sight, axes, too_large)).collect(),
            None => vec![self],
        }
    }

    /// Whether some member may be read by both parts; a day with a member that is stamped by the day is not cut in time.
    pub fn shares(&self, sight: Sight, other: &Self) -> bool {
        let strays_ns = sight.covers_ns.saturating_add(sight.lateness_ns).saturating_add(1);
        let sees = |part: &Self| sight.context(part.span).widen(strays_ns, strays_ns);
        self.bucket.meets(other.bucket) && sees(self).intersect(sees(other)).is_some()
    }

    /// What `member` is to this part. `robot` is its robot's hash where that is known from its name.
    pub fn role(&self, sight: Sight, stamp: Stamp, robot: Option<u64>) -> Option<Role> {
        if robot.is_some_and(|hash| !self.bucket.holds(hash)) {
            return None;
        }
        let Some(window) = sight.window(stamp) else { return Some(Role::Own) };
        if self.span.contains(stamp_start(stamp)) {
            return Some(Role::Own);
        }
        window.intersect(sight.context(self.span)).is_some().then_some(Role::Context)
    }
}

/// The hash of a member's robot, where its name tells it.
pub fn member_robot(member: &Member) -> Option<u64> {
    member.robot.as_deref().map(robot_hash)
}

/// The instant that decides which part owns a member.
fn stamp_start(stamp: Stamp) -> i64 {
    match stamp {
        Stamp::At(ns) => ns,
        Stamp::Day(day) => day.start_ns(),
        Stamp::Absent => i64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR_NS;

    const SIGHT: Sight = Sight { back_ns: HOUR_NS, forward_ns: HOUR_NS, covers_ns: 0, lateness_ns: 0, alive_ns: 0 };

    const BOTH: Axes = Axes { by_robot: true, in_time: true };

    fn hours(from: i64, to: i64) -> Part {
        Part { span: Span { from_ns: from * HOUR_NS, to_ns: to * HOUR_NS }, bucket: Bucket::ALL }
    }

    #[test]
    fn a_part_is_halved_in_time_then_by_robot_then_not_at_all() {
        assert_eq!(hours(0, 24).halves(SIGHT, BOTH), Some([hours(0, 12), hours(12, 24)]));
        let by_robot = hours(0, 4).halves(SIGHT, BOTH).unwrap();
        assert_eq!(by_robot.map(|part| part.bucket), Bucket::ALL.halves());
        assert_eq!(hours(0, 4).halves(SIGHT, Axes { by_robot: false, ..BOTH }), None);
        let all = Part { span: Span::ALL, bucket: Bucket::ALL };
        assert_eq!(all.halves(SIGHT, BOTH).unwrap()[0].span, Span::ALL);
    }

    #[test]
    fn where_names_tell_the_day_alone_both_halves_of_it_would_read_all_of_it() {
        let by_robot = hours(0, 24).halves(SIGHT, Axes { in_time: false, ..BOTH }).unwrap();
        assert_eq!(
            by_robot.map(|part| (part.span, part.bucket)),
            Bucket::ALL.halves().map(|half| (hours(0, 24).span, half))
        );
        assert_eq!(hours(0, 24).halves(SIGHT, Axes { by_robot: false, in_time: false }), None);
    }

    #[test]
    fn pieces_of_pieces_tile_the_part() {
        let too_large = BTreeSet::from([hours(0, 24), hours(12, 24), hours(30, 31)]);
        assert_eq!(hours(0, 24).pieces(SIGHT, BOTH, &too_large), [hours(0, 12), hours(12, 18), hours(18, 24)]);
        assert_eq!(hours(24, 48).pieces(SIGHT, BOTH, &too_large), [hours(24, 48)]);
    }

    #[test]
    fn buckets_meet_where_one_holds_the_other() {
        let [left, right] = Bucket::ALL.halves();
        assert!(left.meets(Bucket::ALL) && left.halves()[1].meets(left) && !left.meets(right));
        assert!(!left.halves()[1].meets(right));
    }
}
