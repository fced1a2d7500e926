//! `min`, `max`, `range` and `sum`.

use super::summary::{Summary, Told, put};
use pipeline::spec::Statistic;

/// Least and greatest value.
#[derive(Clone, Copy)]
pub(super) struct Extremes {
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
pub(super) struct Total(f64);

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

impl Told for Extremes {
    fn tells(statistic: Statistic) -> bool {
        matches!(statistic, Statistic::Min | Statistic::Max | Statistic::Range)
    }

    #[inline]
    fn fill<'w>(statistic: Statistic, entries: &mut Vec<f64>, windows: impl Iterator<Item = &'w Self>) {
        match statistic {
            Statistic::Min => put(entries, windows, |extremes| extremes.min),
            Statistic::Max => put(entries, windows, |extremes| extremes.max),
            _ => put(entries, windows, |extremes| extremes.max - extremes.min),
        }
    }
}

impl Told for Total {
    fn tells(statistic: Statistic) -> bool {
        statistic == Statistic::Sum
    }

    #[inline]
    fn fill<'w>(_: Statistic, entries: &mut Vec<f64>, windows: impl Iterator<Item = &'w Self>) {
        put(entries, windows, |total| total.0);
    }
}
