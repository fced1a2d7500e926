//! `mean`, `std`, `skew`, `kurtosis`, `rms` and `slope`: moments about the mean, joined by Chan's and Pébay's formulas.
//!
//! Never a subtraction of sums, never a fused multiply-add. Equal values give exactly their mean and exactly no variance.
//! A mean does not depend on which higher moments are computed beside it: each order adds terms of its own only.
//! Source: P. Pébay, Formulas for Robust, One-Pass Parallel Computation of Covariances and Arbitrary-Order Statistical
//! Moments, SAND2008-6212.

use super::all;
use super::frame::Frame;
use super::number::{Column, family};
use super::summary::{Summary, Told, put};
use pipeline::spec::Statistic;

/// Places in `Moments::sums`.
const MEAN: usize = 0;
const SECOND: usize = 1;
const THIRD: usize = 2;
const FOURTH: usize = 3;

/// Count, mean, and sums of powers of the distance from the mean up to `ORDER` (1 to 4). No more than is asked for: a sweep keeps
/// one for each value of a block, in the nearest cache if it is small.
#[derive(Clone, Copy)]
pub(super) struct Moments<const ORDER: usize> {
    count: f64,
    /// The mean, then the sums from the second power on.
    sums: [f64; ORDER],
}

impl<const ORDER: usize> Summary for Moments<ORDER> {
    type Value = f64;
    const EMPTY: Self = Self { count: 0.0, sums: [0.0; ORDER] };

    #[inline]
    fn append(self, value: f64) -> Self {
        let before = self.count;
        let count = before + 1.0;
        let delta = value - self.mean();
        let step = delta * (1.0 / count);
        let term = delta * before * step;
        let mut sums = self.sums;
        if ORDER >= 4 {
            sums[FOURTH] = self.of(FOURTH)
                + term * step * step * (count * count - 3.0 * count + 3.0)
                + 6.0 * step * step * self.of(SECOND)
                - 4.0 * step * self.of(THIRD);
        }
        if ORDER >= 3 {
            sums[THIRD] = self.of(THIRD) + term * step * (count - 2.0) - 3.0 * step * self.of(SECOND);
        }
        if ORDER >= 2 {
            sums[SECOND] = self.of(SECOND) + term;
        }
        sums[MEAN] = self.mean() + step;
        Self { count, sums }
    }

    /// Moments do not know the order of values.
    #[inline]
    fn prepend(self, value: f64) -> Self {
        self.append(value)
    }

    #[inline]
    fn join(self, later: Self) -> Self {
        let (a, b) = (self.count, later.count);
        let count = a + b;
        let inverse = 1.0 / count;
        let delta = later.mean() - self.mean();
        let step = delta * inverse;
        let term = delta * a * (step * b);
        let mut sums = self.sums;
        if ORDER >= 4 {
            sums[FOURTH] = self.of(FOURTH)
                + later.of(FOURTH)
                + term * step * step * (a * a - a * b + b * b)
                + 6.0 * step * step * (a * a * later.of(SECOND) + b * b * self.of(SECOND))
                + 4.0 * step * (a * later.of(THIRD) - b * self.of(THIRD));
        }
        if ORDER >= 3 {
            sums[THIRD] = self.of(THIRD)
                + later.of(THIRD)
                + term * step * (a - b)
                + 3.0 * step * (a * later.of(SECOND) - b * self.of(SECOND));
        }
        if ORDER >= 2 {
            sums[SECOND] = self.of(SECOND) + later.of(SECOND) + term;
        }
        sums[MEAN] = self.mean() + delta * (b * inverse);
        Self { count, sums }
    }
}

impl<const ORDER: usize> Moments<ORDER> {
    #[inline]
    fn mean(&self) -> f64 {
        self.of(MEAN)
    }

    /// A sum; 0 beyond `ORDER`.
    #[inline]
    fn of(&self, which: usize) -> f64 {
        self.sums.get(which).copied().unwrap_or(0.0)
    }

    /// NaN where it is null, as the following.
    #[inline]
    fn std(&self) -> f64 {
        // A single value: 0 / 0.
        (self.of(SECOND) / (self.count - 1.0)).sqrt()
    }

    #[inline]
    fn skew(&self) -> f64 {
        let variance = self.of(SECOND) / self.count;
        let is_defined = self.count >= 3.0 && variance > 0.0;
        if is_defined { self.of(THIRD) / self.count / (variance * variance.sqrt()) } else { f64::NAN }
    }

    #[inline]
    fn kurtosis(&self) -> f64 {
        let variance = self.of(SECOND) / self.count;
        let is_defined = self.count >= 4.0 && variance > 0.0;
        if is_defined { self.of(FOURTH) / self.count / (variance * variance) - 3.0 } else { f64::NAN }
    }
}

/// Co-moments of time and value.
#[derive(Clone, Copy)]
struct Trend {
    count: f64,
    time: f64,
    value: f64,
    /// Sum of squares of time about its mean.
    times: f64,
    /// Sum of products of time and value about their means.
    products: f64,
}

impl Summary for Trend {
    type Value = (f64, f64);
    const EMPTY: Self = Self { count: 0.0, time: 0.0, value: 0.0, times: 0.0, products: 0.0 };

    #[inline]
    fn append(self, (time, value): (f64, f64)) -> Self {
        self.join(Self { count: 1.0, time, value, times: 0.0, products: 0.0 })
    }

    #[inline]
    fn prepend(self, (time, value): (f64, f64)) -> Self {
        Self { count: 1.0, time, value, times: 0.0, products: 0.0 }.join(self)
    }

    #[inline]
    fn join(self, later: Self) -> Self {
        let count = self.count + later.count;
        let share = later.count * (1.0 / count);
        let (time, value) = (later.time - self.time, later.value - self.value);
        let weight = self.count * share;
        Self {
            count,
            time: self.time + time * share,
            value: self.value + value * share,
            times: self.times + later.times + time * weight * time,
            products: self.products + later.products + time * weight * value,
        }
    }
}

impl<const ORDER: usize> Told for Moments<ORDER> {
    fn tells(statistic: Statistic) -> bool {
        (1..=ORDER).contains(&order(statistic))
    }

    #[inline]
    fn fill<'w>(statistic: Statistic, entries: &mut Vec<f64>, windows: impl Iterator<Item = &'w Self>) {
        match statistic {
            Statistic::Mean => put(entries, windows, Self::mean),
            Statistic::Std => put(entries, windows, Self::std),
            Statistic::Skew => put(entries, windows, Self::skew),
            _ => put(entries, windows, Self::kurtosis),
        }
    }
}

/// The highest moment a statistic needs; 0 for those of others.
pub(super) fn order(statistic: Statistic) -> usize {
    match statistic {
        Statistic::Mean => 1,
        Statistic::Std => 2,
        Statistic::Skew => 3,
        Statistic::Kurtosis => 4,
        _ => 0,
    }
}

/// Fills the columns of this family that [`Moments`] does not tell, and mends those that it could not.
pub(super) fn compute(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    squares(frame, columns);
    slope(frame, columns);
    huge(frame, columns);
}

/// `rms`: the root of the mean of squares.
fn squares(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    let values = &*frame.values;
    for (_, column) in family(columns, |statistic| statistic == Statistic::Rms) {
        frame.sweep(
            |at, _| values[at] * values[at],
            |_, windows: &[Moments<1>]| put(column, windows.iter(), |squares| squares.mean().sqrt()),
        );
    }
}

/// `mean` and `rms` again where they left the numbers on their way, on values made smaller by a power of two, which costs no
/// digit of values this large. Only then: where all went well not a bit is touched. Values that are infinite themselves are
/// judged by whoever calls ([`super::number`]).
fn huge(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    /// Neither differences nor squares of less overflow.
    const HUGE: f64 = 1e154;
    /// Differences of quarters do not overflow.
    const OF_VALUES: f64 = 0.25;
    /// 2^-600: the squares of what is left are at most 2^848, and what vanishes is no digit of a mean over 2^1000.
    const OF_SQUARES: f64 = f64::from_bits((1023 - 600) << 52);
    let values = &*frame.values;
    for (statistic, column) in family(columns, |s| matches!(s, Statistic::Mean | Statistic::Rms)) {
        let is_huge = |value: &f64| value.is_finite() && value.abs() > HUGE;
        if all(column, f64::is_finite) || !values.iter().any(is_huge) {
            continue;
        }
        let is_mean = statistic == Statistic::Mean;
        let small = |at: usize| if is_mean { values[at] * OF_VALUES } else { (values[at] * OF_SQUARES).powi(2) };
        let large = |mean: f64| if is_mean { mean / OF_VALUES } else { mean.sqrt() / OF_SQUARES };
        frame.sweep(
            |at, _| small(at),
            |rows, windows: &[Moments<1>]| {
                for (entry, window) in column[rows].iter_mut().zip(windows).filter(|(entry, _)| !entry.is_finite()) {
                    // Rounding may lead over the greatest number, which no mean exceeds.
                    *entry = large(window.mean()).clamp(f64::MIN, f64::MAX);
                }
            },
        );
    }
}

/// `slope`: times are taken from where the row's block begins, so that they are small and do not depend on the cut. They are
/// exact while the span is at most 2^53 ns (104 days). Equal times only: 0 / 0, null.
fn slope(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    const NS_PER_S: f64 = 1e9;
    let (values, times) = (&*frame.values, &*frame.times);
    for (_, column) in family(columns, |statistic| statistic == Statistic::Slope) {
        frame.sweep(
            |at, origin_ns| ((times[at] - origin_ns) as f64, values[at]),
            |_, windows: &[Trend]| {
                put(column, windows.iter(), |trend| trend.products / trend.times * NS_PER_S);
            },
        );
    }
}
