//! Validity: which rows are not fit to learn from, and why. Rows are marked, never dropped here.
//!
//! ```text
//! window      start        v   v       v    t          gap    a hole longer than allowed, the ends included
//!               |--hole----|---|--hole-|-h--|          count  too few v
//!               |        x                  |          event  an onset x that `excludes` names
//!                                           t ...x... known_at ...x... known_at + lead
//!                                          event_in_match     event_in_lead
//! ```
//! A row has the first reason that holds, in this order, over all its windows and signals.

use crate::sorted::{Unsorted, seek};
use crate::window::{Window, bounds};
use pipeline::pipeline::Requires;

/// Why a row is invalid, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A hole in a signal longer than `requires.gap`.
    Gap,
    /// Fewer values than `requires.count`.
    Count,
    /// An onset named in `excludes` inside the window.
    Event,
    /// The label's onset lies after the row, but not after what it knows.
    EventInMatch,
    /// The label's onset leaves less warning than `lead`.
    EventInLead,
}

impl Reason {
    /// All of them, the strongest first.
    pub const ALL: [Self; 5] = [Self::Gap, Self::Count, Self::Event, Self::EventInMatch, Self::EventInLead];

    /// Its word in `invalid_reason` and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Count => "count",
            Self::Event => "event",
            Self::EventInMatch => "event_in_match",
            Self::EventInLead => "event_in_lead",
        }
    }

    fn mark(self) -> u8 {
        1 << self as u8
    }
}

/// Where one signal (or derived column) has values: what `requires` is judged on.
#[derive(Debug, Clone, Copy)]
pub struct Presence<'a> {
    /// Times with a non-null value in at least one named column, ns, ascending.
    pub times: &'a [i64],
    /// For event and control rows: when each became known, ns; a row at `t` sees what is known before `t`. `None`: all.
    pub known: Option<&'a [i64]>,
}

/// The reasons found so far, per row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    marks: Vec<u8>,
}

impl Validity {
    /// So many rows, all valid.
    pub fn new(rows: usize) -> Self {
        Self { marks: vec![0; rows] }
    }

    /// As [`Validity::into_marks`] left it.
    pub fn from_marks(marks: Vec<u8>) -> Self {
        Self { marks }
    }

    /// A byte per row that travels with it between operators.
    pub fn into_marks(self) -> Vec<u8> {
        self.marks
    }

    /// The strongest reason against a row; `None`: it is valid.
    pub fn reason(&self, row: usize) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| self.marks[row] & reason.mark() != 0)
    }

    /// Judges `requires` of a window on one signal for the rows at `rows` (ns, ascending).
    ///
    /// Holes run from the window's start to the first value, between values, and from the last value to `t`; without any
    /// value the whole window is one. A hole of exactly `gap` is allowed.
    ///
    /// # Errors
    /// [`Unsorted`] when rows or values go back in time.
    pub fn require(
        &mut self,
        rows: &[i64],
        presence: Presence<'_>,
        window: Window,
        requires: Requires,
    ) -> Result<(), Unsorted> {
        let bounds = bounds(rows, presence.times, window)?;
        let gap = requires.gap_ns.map_or(u64::MAX, i64::unsigned_abs);
        let holes = Holes::of(presence.times, gap);
        for (row, &t) in rows.iter().enumerate() {
            let inside = bounds.range(row);
            let (count, has_gap) = match presence.known {
                None => (inside.len() as u64, holes.is_in(inside, t, window.span_ns)),
                Some(known) => {
                    let seen = inside.filter(|&at| known[at] < t).map(|at| presence.times[at]);
                    count_and_gap(seen, t, window.span_ns, gap)
                }
            };
            self.mark_if(row, Reason::Gap, has_gap);
            self.mark_if(row, Reason::Count, requires.count.is_some_and(|least| count < least));
        }
        Ok(())
    }

    /// Marks the rows at `rows` with an onset in their window. `onsets` (ns, ascending) are all of one event named in
    /// `excludes`, kept or not. The window of an event row ends before its own onset, which so is not counted.
    ///
    /// # Errors
    /// [`Unsorted`] when rows or onsets go back in time.
    pub fn exclude(&mut self, rows: &[i64], onsets: &[i64], window: Window) -> Result<(), Unsorted> {
        let bounds = bounds(rows, onsets, window)?;
        for row in 0..rows.len() {
            self.mark_if(row, Reason::Event, !bounds.range(row).is_empty());
        }
        Ok(())
    }

    /// Marks rows whose label's event happens too early to be foretold: in `(time, known_at]` or
    /// `(known_at, known_at + lead]`. `onsets` are the kept ones of the label's event (ns, ascending); `known_at` (ns) runs
    /// beside `rows` (ns), both in any order.
    pub fn foresee(&mut self, rows: &[i64], known_at: &[i64], onsets: &[i64], lead_ns: i64) {
        let (mut of_row, mut of_known) = (0, 0);
        for (row, (&t, &known)) in rows.iter().zip(known_at).enumerate() {
            of_row = seek(onsets, of_row, |onset| onset <= t);
            of_known = seek(onsets, of_known, |onset| onset <= known);
            let warned = known.saturating_add(lead_ns);
            self.mark_if(row, Reason::EventInMatch, of_row < of_known);
            self.mark_if(row, Reason::EventInLead, onsets.get(of_known).is_some_and(|&onset| onset <= warned));
        }
    }

    fn mark_if(&mut self, row: usize, reason: Reason, holds: bool) {
        if holds {
            self.marks[row] |= reason.mark();
        }
    }
}

/// Running counts of holes between values.
struct Holes<'a> {
    times: &'a [i64],
    gap: u64,
    /// How many of the values up to each come more than `gap` after the one before.
    running: Vec<u32>,
}

impl<'a> Holes<'a> {
    fn of(times: &'a [i64], gap: u64) -> Self {
        let mut count = 0;
        let after_hole = |at: usize| at > 0 && times[at].abs_diff(times[at - 1]) > gap;
        let running = (0..times.len()).map(|at| {
            count += u32::from(after_hole(at));
            count
        });
        Self { times, gap, running: running.collect() }
    }

    /// Whether the window of a row at `t` that holds the values `inside` has a hole.
    fn is_in(&self, inside: std::ops::Range<usize>, t: i64, span_ns: i64) -> bool {
        let span = span_ns.unsigned_abs();
        if inside.is_empty() {
            return span > self.gap;
        }
        let (first, last) = (inside.start, inside.end - 1);
        span - self.times[first].abs_diff(t) > self.gap
            || self.running[last] > self.running[first]
            || self.times[last].abs_diff(t) > self.gap
    }
}

/// The same, value by value: how many are seen, and whether there is a hole.
fn count_and_gap(seen: impl Iterator<Item = i64>, t: i64, span_ns: i64, gap: u64) -> (u64, bool) {
    // How long before `t` the last value seen lies, at first the window's start.
    let mut ago = span_ns.unsigned_abs();
    let (mut count, mut has_gap) = (0, false);
    for time in seen {
        let next = time.abs_diff(t);
        has_gap |= ago - next > gap;
        ago = next;
        count += 1;
    }
    (count, has_gap || ago > gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::End;

    const AT_ROW: Window = Window { span_ns: 10, end: End::AtRow };

    fn judged(t: i64, times: &[i64], count: Option<u64>, gap_ns: Option<i64>) -> Option<Reason> {
        let mut validity = Validity::new(1);
        validity.require(&[t], Presence { times, known: None }, AT_ROW, Requires { count, gap_ns }).unwrap();
        validity.reason(0)
    }

    #[test]
    fn holes_are_measured_at_both_ends_and_between() {
        assert_eq!(judged(10, &[5], None, Some(5)), None);
        assert_eq!(judged(10, &[6], None, Some(5)), Some(Reason::Gap));
        assert_eq!(judged(10, &[4], None, Some(5)), Some(Reason::Gap));
        assert_eq!(judged(10, &[2, 8], None, Some(5)), Some(Reason::Gap));
        assert_eq!(judged(10, &[2, 7, 10], None, Some(5)), None);
        assert_eq!(judged(10, &[], None, Some(10)), None);
        assert_eq!(judged(10, &[], None, Some(9)), Some(Reason::Gap));
    }

    #[test]
    fn a_hole_speaks_before_a_count() {
        assert_eq!(judged(10, &[5], Some(2), Some(5)), Some(Reason::Count));
        assert_eq!(judged(10, &[5], Some(2), Some(1)), Some(Reason::Gap));
        assert_eq!(judged(10, &[5], Some(1), None), None);
    }

    #[test]
    fn an_onset_in_the_window_speaks_unless_it_is_the_row_itself() {
        let mut validity = Validity::new(3);
        validity.exclude(&[10, 11, 20], &[0, 10], AT_ROW).unwrap();
        assert_eq!([0, 1, 2].map(|row| validity.reason(row)), [Some(Reason::Event), Some(Reason::Event), None]);
        let mut validity = Validity::new(2);
        validity.exclude(&[10, 20], &[10], Window { span_ns: 10, end: End::BeforeRow }).unwrap();
        assert_eq!([0, 1].map(|row| validity.reason(row)), [None, Some(Reason::Event)]);
    }

    #[test]
    fn an_onset_between_row_and_warning_speaks() {
        let mut validity = Validity::new(5);
        validity.foresee(&[10, 9, 4, 3, 2], &[10, 10, 6, 8, 8], &[10], 2);
        let wanted = [None, Some(Reason::EventInMatch), None, Some(Reason::EventInLead), Some(Reason::EventInLead)];
        assert_eq!([0, 1, 2, 3, 4].map(|row| validity.reason(row)), wanted);
    }

    #[test]
    fn the_ends_of_time_are_judged_too() {
        let window = Window { span_ns: i64::MAX, end: End::AtRow };
        let mut validity = Validity::new(2);
        let presence = Presence { times: &[i64::MIN, i64::MAX], known: None };
        let requires = Requires { count: Some(1), gap_ns: Some(i64::MAX) };
        validity.require(&[i64::MIN, i64::MAX], presence, window, requires).unwrap();
        validity.foresee(&[i64::MIN, i64::MAX], &[i64::MAX, i64::MAX], &[0], i64::MAX);
        assert_eq!([validity.reason(0), validity.reason(1)], [Some(Reason::EventInMatch), None]);
    }
}
