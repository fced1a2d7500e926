//! Statistics of look-back windows: one entry, [`compute`], over slices of one column of one robot.
//!
//! Every result is a function of the window's own values and the row's time, bit for bit, wherever the data begins
//! (`frame.rs` says why). Values are `f64`, `bool` or text; an int64 column is converted to `f64` first, so only its `count` is
//! an integer. Nulls and NaN are left out. With an infinity in the window count, min, max, range, first, last, sum and mean are
//! what IEEE says and every other statistic of numbers is null; a NaN result is null.
//!
//! Of finite numbers, however large, mean, rms, min, max, first, last and the quantiles are finite. Sum, range, delta and the
//! changes give what IEEE gives: an infinity where they exceed the greatest `f64`. So do std and slope beyond about 1e154,
//! skew beyond 1e102 and kurtosis beyond 1e77, whose powers overflow on their way: an infinity or, where they are NaN, null.
//!
//! ```text
//! frame      dense values, blocks, the canonical order (sweep)
//! summary    what a sweep keeps of consecutive values, and which statistics it tells
//! moments    mean std skew kurtosis rms slope        rank      p05 p25 p50 p75 p95
//! extremes   min max range sum                       change    mean_abs_change max_abs_change, changes of bool and text
//! ```

mod change;
mod extremes;
mod frame;
mod moments;
mod number;
mod rank;
mod summary;

use crate::window::{Bounds, Window};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use frame::Frame;
use pipeline::spec::Statistic;

/// Rows and the values they look back at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Times of the rows, ns, ascending.
    pub rows: &'a [i64],
    /// Times of the values, ns, ascending: base rows (`over: Rows`) or observations.
    pub times: &'a [i64],
    /// For event and control rows: when each value became known, ns, nowhere less than its time. A row at `t` sees only values
    /// known before `t`. `None`: rows see all of their window. This way is meant for few rows: it costs the window's length.
    pub known: Option<&'a [i64]>,
    /// What [`crate::window::bounds`] says of `rows`, `times` and `window`.
    pub bounds: &'a Bounds,
    /// The shape of the windows.
    pub window: Window,
}

/// The values of one column, beside [`View::times`]. What is null is in the validity given with it; its slot is not looked at.
#[derive(Debug, Clone, Copy)]
pub enum Series<'a> {
    /// Numbers; NaN counts as null.
    Number(&'a [f64]),
    /// Truth values.
    Bool(&'a [bool]),
    /// Texts.
    Text(&'a [&'a str]),
}

impl Series<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}

/// One statistic, an entry per row.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Numbers, with NaN in the slots of nulls.
    Number(Vec<f64>, Option<NullBuffer>),
    /// `count` and `changes`.
    Integer(Vec<i64>, Option<NullBuffer>),
    /// `first` and `last` of bool and text: a position in the series, or [`crate::nearest::NO_MATCH`].
    Take(Vec<u32>),
}

impl Output {
    /// Numbers whose NaN are null.
    fn numbers(values: Vec<f64>) -> Self {
        if all(&values, |value| !value.is_nan()) {
            return Self::Number(values, None);
        }
        let valid = BooleanBuffer::collect_bool(values.len(), |row| !values[row].is_nan());
        Self::Number(values, some_null(valid))
    }

    /// Puts the rows of `more` behind these.
    fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Number(values, valid), Self::Number(more, more_valid)) => {
                *valid = behind((values.len(), valid.as_ref()), (more.len(), more_valid.as_ref()));
                values.extend(more);
            }
            (Self::Integer(values, valid), Self::Integer(more, more_valid)) => {
                *valid = behind((values.len(), valid.as_ref()), (more.len(), more_valid.as_ref()));
                values.extend(more);
            }
            (Self::Take(values), Self::Take(more)) => values.extend(more),
            _ => unreachable!("one statistic has one kind of output"),
        }
    }
}

/// A null buffer when there is a null.
fn some_null(valid: BooleanBuffer) -> Option<NullBuffer> {
    Some(NullBuffer::new(valid)).filter(|valid| valid.null_count() > 0)
}

/// Whether each value is so. Asks many at once: it neither stops at the first that is not, nor tells which.
#[inline]
fn all<T: Copy>(values: &[T], is_so: impl Fn(T) -> bool) -> bool {
    values.iter().fold(true, |all, value| all & is_so(*value))
}

/// A number of rows and their validity.
type Validity<'a> = (usize, Option<&'a NullBuffer>);

/// The validity of rows with others behind them.
fn behind((len, valid): Validity<'_>, (more, more_valid): Validity<'_>) -> Option<NullBuffer> {
    let is_valid = |valid: Option<&NullBuffer>, at: usize| valid.is_none_or(|valid| valid.is_valid(at));
    some_null(BooleanBuffer::collect_bool(len + more, |at| {
        if at < len { is_valid(valid, at) } else { is_valid(more_valid, at - len) }
    }))
}

/// The `wanted` statistics of a column for every row, in the order wanted.
///
/// # Panics
/// When the lengths do not fit or a statistic does not apply to the kind of series: `check` refuses such words.
pub fn compute(view: &View<'_>, series: Series<'_>, valid: Option<&NullBuffer>, wanted: &[Statistic]) -> Vec<Output> {
    assert_eq!(view.times.len(), series.len(), "each value has a time");
    assert_eq!(view.rows.len(), view.bounds.from.len(), "each row has its bounds");
    match series {
        Series::Number(values) => frames(view, values, valid, |v: f64| !v.is_nan(), |f| number::compute(f, wanted)),
        Series::Bool(values) => {
            frames(view, values, valid, |_| true, |f| change::compute(f, |at| u32::from(f.values[at]), wanted))
        }
        Series::Text(values) => {
            let refuse = |_: usize| -> u32 { unreachable!("check lets fraction_true stand for bool only") };
            frames(view, values, valid, |_| true, |f| change::compute(f, refuse, wanted))
        }
    }
}

/// Computes frame by frame: one for rows that see all of their window, bounded copies for rows that see what is known.
fn frames<'a, T: Copy>(
    view: &View<'a>,
    values: &'a [T],
    valid: Option<&NullBuffer>,
    usable: impl Fn(T) -> bool + Copy,
    compute: impl Fn(&Frame<'_, T>) -> Vec<Output>,
) -> Vec<Output> {
    let Some(known) = view.known else {
        return compute(&Frame::of(view, values, valid, usable));
    };
    assert_eq!(known.len(), values.len(), "each value has a known time");
    let mut start = 0;
    let mut outputs: Option<Vec<Output>> = None;
    while start < view.rows.len() || outputs.is_none() {
        let frame = Frame::seen(view, known, start, values, valid, usable);
        start += frame.rows.len();
        let more = compute(&frame);
        match &mut outputs {
            None => outputs = Some(more),
            Some(outputs) => outputs.iter_mut().zip(more).for_each(|(output, more)| output.append(more)),
        }
    }
    outputs.unwrap_or_default()
}
