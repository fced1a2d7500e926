//! The frame of a computation: dense values, per row its bounds, and the canonical order in which windows are summed up.
//!
//! Rounding must not depend on where the data begins, so values are combined in one order only: blocks of length `span`
//! aligned to the epoch, and a window is the suffix of one block joined with the prefix of the next (van Herk / Gil–Werman).
//!
//! ```text
//! blocks    |------- B-1 -------|-------- B --------|        block k = [k * span, (k + 1) * span), floor division
//! window              (=========|=======t]                   suffix of B-1 from its end backwards to the window's start,
//!                      <--------|-------->                   prefix of B from its start forwards to t
//!                              origin
//! ```
//!
//! **Nothing outside a window is touched.** Let t = B * span + o with 0 <= o < span. `(t - span, t]` begins after
//! (B - 1) * span + o >= (B - 1) * span and `[t - span, t)` begins at it, so a window never reaches into block B - 2; it ends
//! at or before t, so never beyond B. Its part in B is what lies in B up to t: a prefix of B. Its part in B - 1 is what lies in
//! B - 1 from its start on: a suffix of B - 1. (With o = span - 1 the first kind is all of B, with o = 0 the second is all of
//! B - 1.) So a result is a function of the window's own values and of t alone, and an outlier leaves with its block's fold.

use super::summary::Summary;
use super::{View, all};
use crate::sorted::{position, seek};
use arrow::buffer::NullBuffer;
use std::borrow::Cow;
use std::ops::Range;

/// Rows whose windows end in one block, with the part of the values that they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// The rows.
    pub(super) rows: Range<usize>,
    /// First value in the window of the first row.
    pub(super) first: usize,
    /// First value at or after `origin_ns`.
    pub(super) middle: usize,
    /// Where the block begins (the least `i64` when it began before that).
    pub(super) origin_ns: i64,
}

/// Rows, bounds and values without nulls: positions count non-null values only.
pub(super) struct Frame<'a, T: Clone> {
    pub(super) rows: &'a [i64],
    pub(super) times: Cow<'a, [i64]>,
    pub(super) values: Cow<'a, [T]>,
    pub(super) from: Cow<'a, [u32]>,
    pub(super) to: Cow<'a, [u32]>,
    /// Where each value stood before nulls were left out; `None` when none was.
    pub(super) places: Option<Vec<u32>>,
    pub(super) groups: Vec<Group>,
}

/// Most values of a block that are summed up before the rows come to them: few enough to stay in the nearest cache, and more than
/// most windows hold.
const AHEAD_MAX: usize = 1 << 12;

/// Most values copied at a time for rows that see only what is known.
const SEEN_MAX: usize = 1 << 18;

impl<'a, T: Copy> Frame<'a, T> {
    /// All rows of the view, with the values that are neither null nor unusable.
    pub(super) fn of(view: &View<'a>, values: &'a [T], valid: Option<&NullBuffer>, usable: impl Fn(T) -> bool) -> Self {
        let keep = |at: usize| valid.is_none_or(|valid| valid.is_valid(at)) && usable(values[at]);
        let is_whole = valid.is_none_or(|valid| valid.null_count() == 0) && all(values, &usable);
        let mut frame = if is_whole { Self::whole(view, values) } else { Self::without_nulls(view, values, keep) };
        frame.groups = groups(frame.rows, &frame.times, &frame.from, &frame.to, view.window.span_ns);
        frame
    }

    fn whole(view: &View<'a>, values: &'a [T]) -> Self {
        Self {
            rows: view.rows,
            times: Cow::Borrowed(view.times),
            values: Cow::Borrowed(values),
            from: Cow::Borrowed(&view.bounds.from),
            to: Cow::Borrowed(&view.bounds.to),
            places: None,
            groups: Vec::new(),
        }
    }

    fn without_nulls(view: &View<'a>, values: &[T], keep: impl Fn(usize) -> bool) -> Self {
        let mut before = Vec::with_capacity(values.len() + 1);
        let mut places = Vec::with_capacity(values.len());
        for at in 0..values.len() {
            before.push(position(places.len()));
            if keep(at) {
                places.push(position(at));
            }
        }
        before.push(position(places.len()));
        let moved = |ends: &[u32]| ends.iter().map(|&end| before[end as usize]).collect();
        Self {
            rows: view.rows,
            times: places.iter().map(|&at| view.times[at as usize]).collect(),
            values: places.iter().map(|&at| values[at as usize]).collect(),
            from: moved(&view.bounds.from),
            to: moved(&view.bounds.to),
            places: Some(places),
            groups: Vec::new(),
        }
    }

    /// The rows from `start` on, as many as fit a bounded copy, each with a group and a copy of the values of its own: those
    /// of its window that are known before it.
    pub(super) fn seen(
        view: &View<'a>,
        known: &[i64],
        start: usize,
        values: &[T],
        valid: Option<&NullBuffer>,
        usable: impl Fn(T) -> bool,
    ) -> Self {
        let (mut places, mut from, mut to, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut row = start;
        while row < view.rows.len() && places.len() < SEEN_MAX {
            let t = view.rows[row];
            let first = places.len();
            let is_seen =
                |&at: &usize| known[at] < t && valid.is_none_or(|valid| valid.is_valid(at)) && usable(values[at]);
            places.extend(view.bounds.range(row).filter(is_seen).map(position));
            let origin_ns = origin(t, view.window.span_ns);
            let middle = first + places[first..].partition_point(|&at| view.times[at as usize] < origin_ns);
            groups.push(Group { rows: row - start..row - start + 1, first, middle, origin_ns });
            from.push(position(first));
            to.push(position(places.len()));
            row += 1;
        }
        Self {
            rows: &view.rows[start..row],
            times: places.iter().map(|&at| view.times[at as usize]).collect(),
            values: places.iter().map(|&at| values[at as usize]).collect(),
            from: Cow::Owned(from),
            to: Cow::Owned(to),
            places: Some(places),
            groups,
        }
    }

    /// The values in the window of a row.
    pub(super) fn window(&self, row: usize) -> Range<usize> {
        self.from[row] as usize..self.to[row] as usize
    }

    /// Number of values in the window of a row.
    pub(super) fn count(&self, row: usize) -> u32 {
        self.to[row] - self.from[row]
    }

    /// Where the value stood before nulls were left out.
    pub(super) fn place(&self, at: usize) -> u32 {
        self.places.as_ref().map_or(position(at), |places| places[at])
    }

    /// Hands `each` the rows of a group and the summaries of their windows, group by group, in the canonical order. An empty
    /// window has the summary of nothing. `value` gets a position and the origin of the rows' block.
    #[inline]
    pub(super) fn sweep<S: Summary>(
        &self,
        value: impl Fn(usize, i64) -> S::Value,
        mut each: impl FnMut(Range<usize>, &[S]),
    ) {
        let (mut folds, mut windows) = (Folds::<S>::default(), Vec::new());
        for group in &self.groups {
            let (from, to) = (&self.from[group.rows.clone()], &self.to[group.rows.clone()]);
            let end = to.last().map_or(group.middle, |end| *end as usize);
            folds.fold(group, end, |at| value(at, group.origin_ns));
            let mut running = folds.prefixes.last().copied().unwrap_or(S::EMPTY);
            let mut reached = group.middle + folds.prefixes.len();
            windows.clear();
            windows.extend(from.iter().zip(to).map(|(&start, &end)| {
                while reached < end as usize {
                    running = running.append(value(reached, group.origin_ns));
                    reached += 1;
                }
                folds.window(group.middle - start as usize, end as usize - group.middle, running)
            }));
            each(group.rows.clone(), &windows);
        }
    }
}

/// Summaries of a group's values, from where its block begins backwards and forwards.
struct Folds<S> {
    /// The last value before it, the last two, and so on.
    suffixes: Vec<S>,
    /// The first value from it on, the first two, and so on: at most [`AHEAD_MAX`].
    prefixes: Vec<S>,
}

impl<S> Default for Folds<S> {
    fn default() -> Self {
        Self { suffixes: Vec::new(), prefixes: Vec::new() }
    }
}

impl<S: Summary> Folds<S> {
    /// Sums up the values of a group, of which `end` is the first that none of its rows sees.
    #[inline]
    fn fold(&mut self, group: &Group, end: usize, value: impl Fn(usize) -> S::Value) {
        let Self { suffixes, prefixes } = self;
        let (before, after) = (group.middle - group.first, (end - group.middle).min(AHEAD_MAX));
        for (folds, length) in [(&mut *suffixes, before), (&mut *prefixes, after)] {
            folds.clear();
            folds.resize(length, S::EMPTY);
        }
        let (mut suffix, mut prefix) = (S::EMPTY, S::EMPTY);
        let mut prepend = |step: usize| {
            suffix = suffix.prepend(value(group.middle - 1 - step));
            suffix
        };
        let mut append = |step: usize| {
            prefix = prefix.append(value(group.middle + step));
            prefix
        };
        // Both at a time: each sum waits for itself, and neither for the other.
        let both = before.min(after);
        let ((near, far), (early, late)) = (suffixes.split_at_mut(both), prefixes.split_at_mut(both));
        for (step, (suffix, prefix)) in near.iter_mut().zip(early).enumerate() {
            (*suffix, *prefix) = (prepend(step), append(step));
        }
        far.iter_mut().zip(both..).for_each(|(suffix, step)| *suffix = prepend(step));
        late.iter_mut().zip(both..).for_each(|(prefix, step)| *prefix = append(step));
    }

    /// The summary of a window with so many values before the block begins, and so many after; these are `running` where they
    /// are more than were summed up ahead.
    #[inline]
    fn window(&self, before: usize, after: usize, running: S) -> S {
        let prefix = |last: usize| self.prefixes.get(last).copied().unwrap_or(running);
        match (before.checked_sub(1), after.checked_sub(1)) {
            (Some(first), Some(last)) => self.suffixes[first].join(prefix(last)),
            (Some(first), None) => self.suffixes[first],
            (None, Some(last)) => prefix(last),
            (None, None) => S::EMPTY,
        }
    }
}

/// Cuts the rows at the borders of epoch-aligned blocks.
fn groups(rows: &[i64], times: &[i64], from: &[u32], to: &[u32], span_ns: i64) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let origin_ns = origin(rows[start], span_ns);
        let end_ns = rows[start].div_euclid(span_ns).checked_add(1).and_then(|next| next.checked_mul(span_ns));
        let stop = seek(rows, start, |t| end_ns.is_none_or(|end| t < end));
        let (first, last) = (from[start] as usize, to[stop - 1] as usize);
        let middle = first + times[first..last].partition_point(|&time| time < origin_ns);
        groups.push(Group { rows: start..stop, first, middle, origin_ns });
        start = stop;
    }
    groups
}

/// Where the block of an instant begins; the least `i64` when it begins before that.
fn origin(t: i64, span_ns: i64) -> i64 {
    t.div_euclid(span_ns).checked_mul(span_ns).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{End, Window, bounds};

    /// Positions that follow each other.
    #[derive(Debug, Clone, Copy)]
    struct Row {
        first: usize,
        len: usize,
    }

    impl Summary for Row {
        type Value = usize;
        const EMPTY: Self = Self { first: 0, len: 0 };

        fn append(self, at: usize) -> Self {
            if self.len == 0 { Self { first: at, len: 1 } } else { self.join(Self { first: at, len: 1 }) }
        }

        fn prepend(self, at: usize) -> Self {
            if self.len == 0 { Self { first: at, len: 1 } } else { Self { first: at, len: 1 }.join(self) }
        }

        fn join(self, later: Self) -> Self {
            assert_eq!(self.first + self.len, later.first);
            Self { len: self.len + later.len, ..self }
        }
    }

    #[test]
    fn a_sweep_sums_up_each_window_however_many_values_a_block_holds() {
        let times: Vec<i64> = (-20_000..20_000).collect();
        let many = i64::try_from(AHEAD_MAX).unwrap();
        for (span_ns, end) in
            [3, many, many + 1, 3 * many].into_iter().flat_map(|n| [(n, End::AtRow), (n, End::BeforeRow)])
        {
            for apart in [1, 999] {
                let rows: Vec<i64> = times.iter().copied().step_by(apart).collect();
                let window = Window { span_ns, end };
                let bounds = bounds(&rows, &times, window).unwrap();
                let view = View { rows: &rows, times: &times, known: None, bounds: &bounds, window };
                let frame = Frame::of(&view, &times, None, |_| true);
                let mut seen = 0;
                frame.sweep(
                    |at, _| at,
                    |rows, windows: &[Row]| {
                        for (row, window) in rows.zip(windows) {
                            assert_eq!(window.len, bounds.range(row).len());
                            assert!(window.len == 0 || window.first == bounds.range(row).start);
                            seen += 1;
                        }
                    },
                );
                assert_eq!(seen, rows.len());
            }
        }
    }
}
