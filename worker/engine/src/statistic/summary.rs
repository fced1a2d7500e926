//! Summaries of consecutive values: what grows at either end, joins with what follows, and tells statistics.

use pipeline::spec::Statistic;

/// A summary of consecutive values that grows at either end and can be joined with the summary of what follows.
pub(super) trait Summary: Copy {
    /// What is summed up.
    type Value: Copy;
    /// The summary of nothing.
    const EMPTY: Self;
    /// With one later value.
    fn append(self, value: Self::Value) -> Self;
    /// With one earlier value.
    fn prepend(self, value: Self::Value) -> Self;
    /// With all that `later` sums up; never called with two empty ones.
    fn join(self, later: Self) -> Self;
}

/// A summary of numbers that tells statistics.
pub(super) trait Told: Summary<Value = f64> {
    /// Whether it tells this one.
    fn tells(statistic: Statistic) -> bool;
    /// Puts one that it tells behind the entries, an entry for each window.
    fn fill<'w>(statistic: Statistic, entries: &mut Vec<f64>, windows: impl Iterator<Item = &'w Self>)
    where
        Self: 'w;
}

/// Two summaries in one sweep: values are loaded once, and a processor works on one sum while it waits for the other.
impl<A: Summary, B: Summary<Value = A::Value>> Summary for (A, B) {
    type Value = A::Value;
    const EMPTY: Self = (A::EMPTY, B::EMPTY);

    #[inline]
    fn append(self, value: A::Value) -> Self {
        (self.0.append(value), self.1.append(value))
    }

    #[inline]
    fn prepend(self, value: A::Value) -> Self {
        (self.0.prepend(value), self.1.prepend(value))
    }

    #[inline]
    fn join(self, later: Self) -> Self {
        (self.0.join(later.0), self.1.join(later.1))
    }
}

impl<A: Told, B: Told> Told for (A, B) {
    fn tells(statistic: Statistic) -> bool {
        A::tells(statistic) || B::tells(statistic)
    }

    #[inline]
    fn fill<'w>(statistic: Statistic, entries: &mut Vec<f64>, windows: impl Iterator<Item = &'w Self>)
    where
        Self: 'w,
    {
        if A::tells(statistic) {
            A::fill(statistic, entries, windows.map(|(one, _)| one));
        } else {
            B::fill(statistic, entries, windows.map(|(_, other)| other));
        }
    }
}

/// Puts what is got of each window behind the entries.
#[inline]
pub(super) fn put<S>(entries: &mut Vec<f64>, windows: impl Iterator<Item = S>, get: impl Fn(S) -> f64) {
    entries.extend(windows.map(get));
}
