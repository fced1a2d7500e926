//! Changes: `mean_abs_change` and `max_abs_change` of numbers; all statistics of bool and text.

use super::frame::Frame;
use super::number::counts;
use super::summary::{Summary, Told, put};
use super::{Output, some_null};
use crate::nearest::NO_MATCH;
use crate::sorted::position;
use arrow::buffer::{BooleanBuffer, NullBuffer};
use pipeline::spec::Statistic;

/// Steps between consecutive numbers, with the ends that the next step begins or ends at.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// Number of values, not of steps.
    count: f64,
    first: f64,
    last: f64,
    sum: f64,
    max: f64,
}

impl Steps {
    #[inline]
    fn one(value: f64) -> Self {
        Self { count: 1.0, first: value, last: value, sum: 0.0, max: 0.0 }
    }
}

impl Summary for Steps {
    type Value = f64;
    const EMPTY: Self = Self { count: 0.0, first: 0.0, last: 0.0, sum: 0.0, max: 0.0 };

    #[inline]
    fn append(self, value: f64) -> Self {
        if self.count == 0.0 { Self::one(value) } else { self.join(Self::one(value)) }
    }

    #[inline]
    fn prepend(self, value: f64) -> Self {
        if self.count == 0.0 { Self::one(value) } else { Self::one(value).join(self) }
    }

    #[inline]
    fn join(self, later: Self) -> Self {
        let step = (later.first - self.last).abs();
        let max = if later.max > self.max { later.max } else { self.max };
        Self {
            count: self.count + later.count,
            first: self.first,
            last: later.last,
            sum: self.sum + step + later.sum,
            max: if step > max { step } else { max },
        }
    }
}

impl Told for Steps {
    fn tells(statistic: Statistic) -> bool {
        matches!(statistic, Statistic::MeanAbsChange | Statistic::MaxAbsChange)
    }

    #[inline]
    fn fill<'w>(statistic: Statistic, entries: &mut Vec<f64>, windows: impl Iterator<Item = &'w Self>) {
        let some = |steps: &Self, value: f64| if steps.count < 2.0 { f64::NAN } else { value };
        match statistic {
            Statistic::MeanAbsChange => put(entries, windows, |s| some(s, s.sum / (s.count - 1.0))),
            _ => put(entries, windows, |s| some(s, s.max)),
        }
    }
}

/// The wanted statistics of a frame of bool or text, in the order wanted; `is_true` gives 1 where a bool is true.
pub(super) fn compute<T: Copy + PartialEq>(
    frame: &Frame<'_, T>,
    is_true: impl Fn(usize) -> u32 + Copy,
    wanted: &[Statistic],
) -> Vec<Output> {
    let of = |statistic: &Statistic| match statistic {
        Statistic::Count => Output::Integer(counts(frame), None),
        Statistic::First => take(frame, |window| window.start),
        Statistic::Last => take(frame, |window| window.end - 1),
        Statistic::FractionTrue => fraction_true(frame, is_true),
        Statistic::Changes => changes(frame),
        Statistic::TimeSinceChange => time_since_change(frame),
        _ => unreachable!("check lets no statistic of numbers stand for bool or text"),
    };
    wanted.iter().map(of).collect()
}

/// A position per window that is not empty.
fn take<T: Copy>(frame: &Frame<'_, T>, at: impl Fn(std::ops::Range<usize>) -> usize) -> Output {
    let one = |row| match frame.window(row) {
        window if window.is_empty() => NO_MATCH,
        window => frame.place(at(window)),
    };
    Output::Take((0..frame.rows.len()).map(one).collect())
}

fn fraction_true<T: Copy>(frame: &Frame<'_, T>, is_true: impl Fn(usize) -> u32) -> Output {
    let mut count = 0;
    let counted = (0..frame.values.len()).map(|at| {
        count += is_true(at);
        count
    });
    let running: Vec<u32> = std::iter::once(0).chain(counted).collect();
    let share = |row| {
        let window = frame.window(row);
        // 0 / 0 is NaN: an empty window has no share.
        f64::from(running[window.end] - running[window.start]) / f64::from(frame.count(row))
    };
    Output::numbers((0..frame.rows.len()).map(share).collect())
}

/// Consecutive unequal values, by running counts: exact, so the order of counting does not matter.
fn changes<T: Copy + PartialEq>(frame: &Frame<'_, T>) -> Output {
    let mut count = 0;
    let running: Vec<i64> = (0..frame.values.len())
        .map(|at| {
            count += i64::from(is_change(frame, at));
            count
        })
        .collect();
    let inside = |row| match frame.window(row) {
        window if window.is_empty() => 0,
        window => running[window.end - 1] - running[window.start],
    };
    Output::Integer((0..frame.rows.len()).map(inside).collect(), not_empty(frame))
}

fn time_since_change<T: Copy + PartialEq>(frame: &Frame<'_, T>) -> Output {
    const NS_PER_S: f64 = 1e9;
    let mut last = 0;
    let latest: Vec<u32> = (0..frame.values.len())
        .map(|at| {
            last = if is_change(frame, at) { position(at) } else { last };
            last
        })
        .collect();
    let since = |row| {
        let window = frame.window(row);
        match window.end.checked_sub(1).map(|at| latest[at] as usize) {
            Some(change) if change > window.start => frame.rows[row].abs_diff(frame.times[change]) as f64 / NS_PER_S,
            _ => f64::NAN,
        }
    };
    Output::numbers((0..frame.rows.len()).map(since).collect())
}

fn is_change<T: Copy + PartialEq>(frame: &Frame<'_, T>, at: usize) -> bool {
    at > 0 && frame.values[at] != frame.values[at - 1]
}

fn not_empty<T: Copy>(frame: &Frame<'_, T>) -> Option<NullBuffer> {
    some_null(BooleanBuffer::collect_bool(frame.rows.len(), |row| frame.count(row) > 0))
}
