//! Sorted times: the check that they are, and a search that begins at the last answer.
//!
//! All kernels take times ascending (equal times allowed). Whoever hands over others gets [`Unsorted`], never a wrong answer.

use std::fmt;

/// Which of a kernel's two inputs is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The rows that ask.
    Rows,
    /// The observations or values that are looked at.
    Observations,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows => "rows",
            Self::Observations => "observations",
        })
    }
}

/// Times that go back. The caller adds the partition (robot and signal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the times of the {side} are not sorted: position {row} is earlier than the one before it; sort them by time first"
)]
pub struct Unsorted {
    /// Which input.
    pub side: Side,
    /// First position that is earlier than its predecessor.
    pub row: usize,
}

/// Refuses times that go back. Empty and single are sorted.
///
/// # Panics
/// With `u32::MAX` times or more: positions are kept in 32 bits, and one robot's signal in one shard never comes near.
pub(crate) fn check(times: &[i64], side: Side) -> Result<(), Unsorted> {
    assert!(times.len() < u32::MAX as usize, "a robot's signal in one shard holds fewer than 2^32 - 1 observations");
    // Compares many pairs at once, and does not tell where.
    if times.is_sorted() {
        return Ok(());
    }
    let at = times.windows(2).position(|pair| pair[0] > pair[1]);
    at.map_or(Ok(()), |at| Err(Unsorted { side, row: at + 1 }))
}

/// A position as it is kept in take lists and bounds.
#[allow(clippy::cast_possible_truncation, reason = "`check` refuses slices whose positions need more than 32 bits")]
pub(crate) fn position(index: usize) -> u32 {
    index as u32
}

/// How many of the sorted `times` are `before`, which must hold for a prefix. Gallops from `hint` in either direction, so a
/// near answer costs a few comparisons and a far one a logarithm.
#[inline]
pub(crate) fn seek(times: &[i64], hint: usize, before: impl Fn(i64) -> bool) -> usize {
    let hint = hint.min(times.len());
    if hint < times.len() && before(times[hint]) {
        gallop_forward(times, hint, before)
    } else if hint > 0 && !before(times[hint - 1]) {
        gallop_backward(times, hint - 1, before)
    } else {
        hint
    }
}

/// The same where the answer is `hint` or more, and mostly none, one or two more: those are counted without a branch for each,
/// which jitter would make a coin toss.
#[inline]
pub(crate) fn seek_ahead(times: &[i64], hint: usize, before: impl Fn(i64) -> bool) -> usize {
    match times.get(hint..).and_then(|rest| rest.first_chunk()) {
        Some(&[one, other, third]) if !before(third) => hint + usize::from(before(one)) + usize::from(before(other)),
        _ => seek(times, hint, before),
    }
}

/// `times[low]` is before; the answer is greater than `low`.
#[inline]
fn gallop_forward(times: &[i64], mut low: usize, before: impl Fn(i64) -> bool) -> usize {
    let mut step = 1;
    while let Some(&time) = times.get(low + step) {
        if !before(time) {
            return low + 1 + times[low + 1..low + step].partition_point(|&t| before(t));
        }
        low += step;
        step *= 2;
    }
    low + 1 + times[low + 1..].partition_point(|&t| before(t))
}

/// `times[high]` is not before; the answer is at most `high`.
fn gallop_backward(times: &[i64], mut high: usize, before: impl Fn(i64) -> bool) -> usize {
    let mut step = 1;
    while step <= high {
        if before(times[high - step]) {
            let low = high - step + 1;
            return low + times[low..high].partition_point(|&t| before(t));
        }
        high -= step;
        step *= 2;
    }
    times[..high].partition_point(|&t| before(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeking_from_any_hint_finds_the_partition_point() {
        let times: Vec<i64> = (0..50).map(|i| i / 3).collect();
        for target in -1..20 {
            let want = times.partition_point(|&t| t <= target);
            for hint in 0..60 {
                assert_eq!(seek(&times, hint, |t| t <= target), want, "target {target} hint {hint}");
                if hint <= want {
                    assert_eq!(seek_ahead(&times, hint, |t| t <= target), want, "target {target} hint {hint}");
                }
            }
        }
        assert_eq!(seek(&[], 3, |_| true), 0);
    }

    #[test]
    fn the_first_step_back_is_named() {
        assert_eq!(check(&[1, 1, 3, 2, 1], Side::Rows), Err(Unsorted { side: Side::Rows, row: 3 }));
        assert_eq!(check(&[], Side::Rows), Ok(()));
    }
}
