//! Statistics of numbers: shares the columns out to the families and applies the rule for infinities. No arithmetic here.

use super::change::Steps;
use super::extremes::{Extremes, Total};
use super::frame::Frame;
use super::moments::{self, Moments};
use super::summary::Told;
use super::{Output, all, rank};
use pipeline::spec::Statistic;

/// A statistic and its values per row; NaN stands for null. Its family puts them behind each other.
pub(super) type Column = (Statistic, Vec<f64>);

/// The columns of one family.
pub(super) type Family<'c> = Vec<(Statistic, &'c mut Vec<f64>)>;

/// The wanted statistics of a frame of numbers, in the order wanted.
pub(super) fn compute(frame: &Frame<'_, f64>, wanted: &[Statistic]) -> Vec<Output> {
    let rows = frame.rows.len();
    let mut columns: Vec<Column> = wanted.iter().map(|&statistic| (statistic, Vec::with_capacity(rows))).collect();
    ends(frame, &mut columns);
    told(frame, &mut columns);
    moments::compute(frame, &mut columns);
    rank::compute(frame, &mut columns);
    infinities(frame, &mut columns);
    empty_windows(frame, &mut columns);
    let output = |(statistic, values)| match statistic {
        Statistic::Count => Output::Integer(counts(frame), None),
        _ => Output::numbers(values),
    };
    columns.into_iter().map(output).collect()
}

/// Number of values in each window.
pub(super) fn counts<T: Copy>(frame: &Frame<'_, T>) -> Vec<i64> {
    (0..frame.rows.len()).map(|row| i64::from(frame.count(row))).collect()
}

/// The columns whose statistic `belongs`.
pub(super) fn family(columns: &mut [Column], belongs: impl Fn(Statistic) -> bool) -> Family<'_> {
    columns.iter_mut().filter(|(statistic, _)| belongs(*statistic)).map(|(s, values)| (*s, values)).collect()
}

/// What is told by sums over the values alone: moments and extremes in one sweep where both are wanted.
fn told(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    let order = columns.iter().map(|(statistic, _)| moments::order(*statistic)).max().unwrap_or(0);
    match order {
        0 => tell::<Extremes>(frame, columns),
        1 => with_extremes::<Moments<1>>(frame, columns),
        2 => with_extremes::<Moments<2>>(frame, columns),
        3 => with_extremes::<Moments<3>>(frame, columns),
        _ => with_extremes::<Moments<4>>(frame, columns),
    }
    tell::<Total>(frame, columns);
    tell::<Steps>(frame, columns);
}

fn with_extremes<S: Told>(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    if columns.iter().any(|(statistic, _)| Extremes::tells(*statistic)) {
        tell::<(S, Extremes)>(frame, columns);
    } else {
        tell::<S>(frame, columns);
    }
}

/// Fills the columns that `S` tells.
fn tell<S: Told>(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    let values = &*frame.values;
    let mut columns = family(columns, S::tells);
    if columns.is_empty() {
        return;
    }
    frame.sweep(
        |at, _| values[at],
        |_, windows: &[S]| {
            for (statistic, column) in &mut columns {
                S::fill(*statistic, column, windows.iter());
            }
        },
    );
}

/// Nothing has no statistics: the families need not look.
fn empty_windows(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    if frame.from.iter().zip(&*frame.to).fold(true, |filled, (from, to)| filled & (from != to)) {
        return;
    }
    let mut columns = family(columns, |statistic| statistic != Statistic::Count);
    for row in (0..frame.rows.len()).filter(|&row| frame.count(row) == 0) {
        columns.iter_mut().for_each(|(_, column)| column[row] = f64::NAN);
    }
}

/// `first`, `last`, `delta`: by position.
fn ends(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    let values = &*frame.values;
    for (statistic, column) in family(columns, |s| matches!(s, Statistic::First | Statistic::Last | Statistic::Delta)) {
        column.extend((0..frame.rows.len()).map(|row| match frame.window(row) {
            window if window.is_empty() => f64::NAN,
            window => {
                let (first, last) = (values[window.start], values[window.end - 1]);
                match statistic {
                    Statistic::First => first,
                    Statistic::Last => last,
                    _ => last - first,
                }
            }
        }));
    }
}

/// Where a window holds an infinity: `mean` is what IEEE says, and what has no meaning becomes null.
fn infinities(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    if all(&frame.values, f64::is_finite) {
        return;
    }
    let plus = running(&frame.values, f64::INFINITY);
    let minus = running(&frame.values, f64::NEG_INFINITY);
    let columns = family(columns, |s| !keeps_infinities(s));
    for (statistic, column) in columns {
        for (row, out) in column.iter_mut().enumerate() {
            let window = frame.window(row);
            let holds = |running: &[u32]| running[window.end] > running[window.start];
            *out = match (statistic, holds(&plus), holds(&minus)) {
                (_, false, false) => *out,
                (Statistic::Mean, true, false) => f64::INFINITY,
                (Statistic::Mean, false, true) => f64::NEG_INFINITY,
                _ => f64::NAN,
            };
        }
    }
}

/// Statistics that are right by themselves when a window holds an infinity.
fn keeps_infinities(statistic: Statistic) -> bool {
    use Statistic::{Count, First, Last, Max, Min, Range, Sum};
    matches!(statistic, Count | Min | Max | Range | First | Last | Sum)
}

/// How many of the values before each position are `wanted`.
fn running(values: &[f64], wanted: f64) -> Vec<u32> {
    let mut count = 0;
    let counted = values.iter().map(|&value| {
        count += u32::from(value == wanted);
        count
    });
    std::iter::once(0).chain(counted).collect()
}
