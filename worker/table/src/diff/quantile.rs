//! The quantiles p05, p50 and p95 of numbers: linear interpolation between closest ranks (type 7), as features compute them.
//! Pure.

/// Which.
const PERCENTS: [usize; 3] = [5, 50, 95];

/// The quantiles of the finite values, whatever their order; `None` without any.
pub(crate) fn quantiles(values: &mut Vec<f64>) -> Option<[f64; 3]> {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(PERCENTS.map(|percent| {
        let (rank, rest) = (last * percent / 100, last * percent % 100);
        let low = values[rank];
        if rest == 0 { low } else { low + (values[rank + 1] - low) * (rest as f64 / 100.0) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_closest_ranks() {
        assert_eq!(quantiles(&mut vec![]), None);
        assert_eq!(quantiles(&mut vec![f64::INFINITY]), None);
        assert_eq!(quantiles(&mut vec![7.0]), Some([7.0; 3]));
        assert_eq!(quantiles(&mut vec![4.0, 1.0, 9.0, 2.0]), Some([1.0 + 0.15, 3.0, 4.0 + 5.0 * 0.85]));
        let mut hundred: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(quantiles(&mut hundred), Some([5.0, 50.0, 95.0]));
    }
}
