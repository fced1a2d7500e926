//! `min`, `max`, `range` and `sum`.

use super::frame::{Frame, Summary};
use super::number::{Column, family, fill};
use pipeline::spec::Statistic;

/// Least and greatest value.
#[derive(Clone, Copy)]
struct Extremes {
    min: f64,
    max: f64,
}

impl Summary for Extremes {
    type Value = f64;
    const EMPTY: Self = Self { min: f64::INFINITY, max: f64::NEG_INFINITY };

    #[inline]
    fn append(self, value: f64) -> Self {
        self.join(Self { min: value, max: value })
    }

    #[inline]
    fn prepend(self, value: f64) -> Self {
        Self { min: value, max: value }.join(self)
    }

    #[inline]
    fn join(self, later: Self) -> Self {
        // Not `f64::min`: which zero it gives is not promised, and ours must be the same everywhere. The earlier stays.
        Self {
            min: if later.min < self.min { later.min } else { self.min },
            max: if later.max > self.max { later.max } else { self.max },
        }
    }
}

/// The sum, in canonical order.
#[derive(Clone, Copy)]
struct Total(f64);

impl Summary for Total {
    type Value = f64;
    // The sum of nothing is -0: added to any value it leaves that value, the sign of a zero included.
    const EMPTY: Self = Self(-0.0);

    #[inline]
    fn append(self, value: f64) -> Self {
        Self(self.0 + value)
    }

    #[inline]
    fn prepend(self, value: f64) -> Self {
        Self(value + self.0)
    }

    #[inline]
    fn join(self, later: Self) -> Self {
        Self(self.0 + later.0)
    }
}

/// Fills the columns of this family.
pub(super) fn compute(frame: &Frame<'_, f64>, columns: &mut [Column]) {
    let values = &*frame.values;
    let mut spread = family(columns, |s| matches!(s, Statistic::Min | Statistic::Max | Statistic::Range));
    if !spread.is_empty() {
        frame.sweep(
            |at, _| values[at],
            |rows, windows: &[Extremes]| {
                for (statistic, column) in &mut spread {
                    let entries = &mut column[rows.clone()];
                    match statistic {
                        Statistic::Min => fill(entries, windows, |extremes| extremes.min),
                        Statistic::Max => fill(entries, windows, |extremes| extremes.max),
                        _ => fill(entries, windows, |extremes| extremes.max - extremes.min),
                    }
                }
            },
        );
    }
    for (_, column) in family(columns, |s| s == Statistic::Sum) {
        frame.sweep(|at, _| values[at], |rows, windows: &[Total]| fill(&mut column[rows], windows, |total| total.0));
    }
}
