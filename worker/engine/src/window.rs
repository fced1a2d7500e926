//! Window bounds: which values lie in the look-back window of each row. Bounds only; what is computed in them is
//! [`crate::statistic`]'s.
//!
//! ```text
//! End::AtRow       (t - span, t]     observation and grid rows
//! End::BeforeRow   [t - span, t)     event and control rows
//! ```

use crate::sorted::{Side, Unsorted, check, position, seek_ahead};
use std::collections::VecDeque;

/// Which end of a window belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `(t - span, t]`.
    AtRow,
    /// `[t - span, t)`.
    BeforeRow,
}

/// The shape of a look-back window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Length in ns, greater than 0.
    pub span_ns: i64,
    /// Which end belongs to it.
    pub end: End,
}

impl Window {
    /// The greatest instant before the window of a row at `t`; `None` when the window begins at or before the least `i64`.
    #[inline]
    fn last_before(self, t: i64) -> Option<i64> {
        let start = t.checked_sub(self.span_ns)?;
        match self.end {
            End::AtRow => Some(start),
            End::BeforeRow => start.checked_sub(1),
        }
    }

    /// The greatest instant inside the window of a row at `t`; `None` when there is none.
    #[inline]
    fn last_inside(self, t: i64) -> Option<i64> {
        match self.end {
            End::AtRow => Some(t),
            End::BeforeRow => t.checked_sub(1),
        }
    }
}

/// Per row the positions `from..to` of the values in its window. Neither ever goes back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// First position inside.
    pub from: Vec<u32>,
    /// First position after.
    pub to: Vec<u32>,
}

impl Bounds {
    /// The positions in the window of a row.
    #[inline]
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.from[row] as usize..self.to[row] as usize
    }
}

/// For each row (ns, ascending) which of the values at `times` (ns, ascending) lie in its window. Two pointers.
///
/// # Errors
/// [`Unsorted`] when either side goes back in time.
///
/// # Panics
/// When the span is not positive: `check` refuses such windows.
pub fn bounds(rows: &[i64], times: &[i64], window: Window) -> Result<Bounds, Unsorted> {
    assert!(window.span_ns > 0, "a window has a positive span");
    check(rows, Side::Rows)?;
    check(times, Side::Observations)?;
    let (mut from, mut to) = (0, 0);
    let mut bounds = Bounds { from: Vec::with_capacity(rows.len()), to: Vec::with_capacity(rows.len()) };
    for &t in rows {
        from = window.last_before(t).map_or(0, |last| seek_ahead(times, from, |time| time <= last));
        to = window.last_inside(t).map_or(0, |last| seek_ahead(times, to, |time| time <= last));
        bounds.from.push(position(from));
        bounds.to.push(position(to));
    }
    Ok(bounds)
}

/// Per row the greatest known time (ns) of the values in its window that `counts` says count; `None` for none.
///
/// Only the part of `known_at` that windows add. `known` need not ascend.
pub fn latest_known(bounds: &Bounds, known: &[i64], counts: impl Fn(usize) -> bool) -> Vec<Option<i64>> {
    // Positions whose known time is greater than that of every later one: the front is the window's greatest.
    let mut falling: VecDeque<usize> = VecDeque::new();
    let mut reached = 0;
    (0..bounds.from.len())
        .map(|row| {
            let window = bounds.range(row);
            for at in reached.max(window.start)..window.end {
                if counts(at) {
                    while falling.pop_back_if(|&mut earlier| known[earlier] <= known[at]).is_some() {}
                    falling.push_back(at);
                }
            }
            reached = reached.max(window.end);
            while falling.pop_front_if(|&mut at| at < window.start).is_some() {}
            falling.front().map(|&at| known[at])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(t: i64, times: &[i64], span_ns: i64, end: End) -> std::ops::Range<usize> {
        bounds(&[t], times, Window { span_ns, end }).unwrap().range(0)
    }

    #[test]
    fn a_window_is_half_open_at_its_far_end() {
        assert_eq!(one(10, &[5, 6, 10, 10, 11], 5, End::AtRow), 1..4);
        assert_eq!(one(10, &[5, 5, 6, 10, 11], 5, End::BeforeRow), 0..3);
        assert_eq!(one(10, &[], 5, End::AtRow), 0..0);
    }

    #[test]
    fn a_window_that_begins_before_time_begins_at_its_start() {
        let times = [i64::MIN, i64::MIN + 1, 0, i64::MAX];
        assert_eq!(one(i64::MIN, &times, 5, End::AtRow), 0..1);
        assert_eq!(one(i64::MIN + 5, &times, 5, End::AtRow), 1..2);
        assert_eq!(one(i64::MIN + 5, &times, 5, End::BeforeRow), 0..2);
        assert_eq!(one(i64::MAX, &times, i64::MAX, End::AtRow), 3..4);
    }

    #[test]
    fn the_latest_known_time_leaves_with_its_value() {
        let times = [1, 2, 3, 9];
        let bounds = bounds(&[2, 3, 4, 9, 20], &times, Window { span_ns: 2, end: End::AtRow }).unwrap();
        let known = [50, 4, 3, 9];
        let latest = latest_known(&bounds, &known, |at| at != 2);
        assert_eq!(latest, [Some(50), Some(4), None, Some(9), None]);
    }
}
