//! What is known of one column of many rows without keeping them: rows, nulls, mean and spread. Pure.
//!
//! Mean and standard deviation are of the finite values; a bool counts as 0 or 1. Welford's and Chan's updates: no
//! subtraction of large sums, and parts can be joined.

use crate::cell::{Cell, Cells};
use arrow::array::{Array, ArrayRef};

/// Sums of one column.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// Rows.
    pub rows: u64,
    /// Rows without a value.
    pub nulls: u64,
    values: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Counts all rows of a column; `None` for a type that no result has.
    pub(crate) fn add_all(&mut self, column: &ArrayRef) -> Option<()> {
        let cells = Cells::new(column)?;
        (0..column.len()).for_each(|row| self.add(cells.at(row)));
        Some(())
    }

    /// Counts a row. A number that is not finite enters neither mean nor spread.
    pub(crate) fn add(&mut self, cell: Cell<'_>) {
        self.rows += 1;
        self.nulls += u64::from(cell == Cell::Null);
        if let Some(value) = cell.number().filter(|value| value.is_finite()) {
            self.values += 1;
            let away = value - self.mean;
            self.mean += away / self.values as f64;
            self.squares += away * (value - self.mean);
        }
    }

    /// Both together.
    pub(crate) fn join(self, other: Self) -> Self {
        let (rows, nulls) = (self.rows + other.rows, self.nulls + other.nulls);
        if self.values == 0 || other.values == 0 {
            let some = if self.values == 0 { other } else { self };
            return Self { rows, nulls, ..some };
        }
        let values = self.values + other.values;
        let away = other.mean - self.mean;
        let share = other.values as f64 / values as f64;
        Self {
            rows,
            nulls,
            values,
            mean: self.mean + away * share,
            squares: self.squares + other.squares + away * away * self.values as f64 * share,
        }
    }

    /// The share of rows without a value, in 0..=1; `None` of no rows.
    pub fn null_share(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.nulls as f64 / self.rows as f64)
    }

    /// The mean; `None` without finite values, or when it is too large to be told.
    pub fn mean(&self) -> Option<f64> {
        (self.values > 0).then_some(self.mean).filter(|mean| mean.is_finite())
    }

    /// The sample standard deviation (n-1); `None` of fewer than two finite values, or when it is too large to be told.
    pub fn std(&self) -> Option<f64> {
        let std = (self.values > 1).then(|| (self.squares / (self.values - 1) as f64).sqrt());
        std.filter(|std| std.is_finite())
    }
}

/// How far a mean went, in standard deviations of the values before; where those were all the same, of the values after;
/// where these are too, infinitely far. 0 when it stayed. `None` when either has no mean.
pub fn mean_shift(before: &Moments, after: &Moments) -> Option<f64> {
    let way = (after.mean()? - before.mean()?).abs();
    if way == 0.0 {
        return Some(0.0);
    }
    let spread = [before.std(), after.std()].into_iter().flatten().find(|std| *std > 0.0);
    Some(spread.map_or(f64::INFINITY, |std| way / std))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.add(Cell::Float(*value)));
        moments
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        let none = Moments::default();
        assert_eq!((none.null_share(), none.mean(), none.std()), (None, None, None));
        let mut one = of(&[3.0]);
        assert_eq!((one.null_share(), one.mean(), one.std()), (Some(0.0), Some(3.0), None));
        one.add(Cell::Null);
        one.add(Cell::Float(f64::INFINITY));
        one.add(Cell::Text("x"));
        assert_eq!((one.rows, one.null_share(), one.mean()), (4, Some(0.25), Some(3.0)));
    }

    #[test]
    fn a_shift_is_measured_by_what_spreads() {
        let shift = |before: &[f64], after: &[f64]| mean_shift(&of(before), &of(after));
        assert_eq!(shift(&[-1.0, 1.0, 0.0], &[2.0]), Some(2.0));
        assert_eq!(shift(&[5.0, 5.0], &[5.0]), Some(0.0));
        assert_eq!(shift(&[0.0, 0.0], &[1.0, 3.0, 2.0]), Some(2.0));
        assert_eq!(shift(&[5.0, 5.0], &[7.0, 7.0]), Some(f64::INFINITY));
        assert_eq!(shift(&[], &[7.0]), None);
    }

    proptest! {
        #[test]
        fn joined_parts_are_the_whole(left in prop::collection::vec(-1e3f64..1e3, 0..20), right in prop::collection::vec(-1e3f64..1e3, 0..20)) {
            let (joined, whole) = (of(&left).join(of(&right)), of(&[left.clone(), right.clone()].concat()));
            prop_assert_eq!(joined.rows, whole.rows);
            for (one, other) in [(joined.mean(), whole.mean()), (joined.std(), whole.std())] {
                prop_assert_eq!(one.is_some(), other.is_some());
                prop_assert!((one.unwrap_or(0.0) - other.unwrap_or(0.0)).abs() < 1e-9);
            }
        }
    }
}
