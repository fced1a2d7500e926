//! Nearest join: for each row the position of the observation that serves it. Two galloping pointers over sorted times.
//!
//! ```text
//! observations     3           7  7            after = how many lie at or before t
//!                  |           |  |            Backward  = after - 1           (the last of equals by itself)
//! row t = 5  ------+-----^-----+--+----->      Forward   = the last of the equals that begin at `after`
//!                      after = 1               Nearest   = the closer; equally far: the earlier
//! ```
//!
//! One robot and one signal at a time: grouping by robot is the caller's. Rows and observations without a time or a robot do
//! not exist here (decode refuses them), so "null never matches" holds by construction.

use crate::account::JoinAccount;
use crate::sorted::{Side, Unsorted, check, position, seek, seek_ahead};
use pipeline::spec::Direction;
use std::ops::Range;

/// The entry of a row without a match.
pub const NO_MATCH: u32 = u32::MAX;

/// For each row (time in ns, ascending) the position of its match among `right` (times in ns, ascending), or [`NO_MATCH`].
///
/// `tolerance_ns` is inclusive; 0 takes exact times only. Of equal times the last is taken; of two equally far ones the
/// earlier. Distances are unsigned: nothing overflows at either end of `i64`. Empty in, empty out.
///
/// # Errors
/// [`Unsorted`] when either side goes back in time.
pub fn nearest(left: &[i64], right: &[i64], direction: Direction, tolerance_ns: u64) -> Result<Vec<u32>, Unsorted> {
    check(left, Side::Rows)?;
    check(right, Side::Observations)?;
    let mut neighbours = Neighbours { right, after: 0, run: (usize::MAX, 0) };
    Ok(match direction {
        Direction::Backward => left.iter().map(|&t| neighbours.backward(t, tolerance_ns)).collect(),
        Direction::Forward => left.iter().map(|&t| neighbours.forward(t, tolerance_ns)).collect(),
        Direction::Nearest => left.iter().map(|&t| neighbours.nearest(t, tolerance_ns)).collect(),
    })
}

/// As [`nearest`], but a row at `t` sees only observations known before `t`: the join of event and control rows.
///
/// `known` (ns) runs beside `right` and is nowhere less; it need not ascend. As what is known before `t` also happened before
/// `t`, Nearest means Backward here and Forward never matches: the match is the latest of the known observations, the last of
/// equals, if it is within `tolerance_ns`.
///
/// # Errors
/// [`Unsorted`] when either side goes back in time.
pub fn nearest_known(
    left: &[i64],
    right: &[i64],
    known: &[i64],
    direction: Direction,
    tolerance_ns: u64,
) -> Result<Vec<u32>, Unsorted> {
    check(left, Side::Rows)?;
    check(right, Side::Observations)?;
    assert_eq!(right.len(), known.len(), "each observation has a known time");
    if direction == Direction::Forward {
        return Ok(vec![NO_MATCH; left.len()]);
    }
    let arrival = by_known(known);
    let mut arrived = arrival.iter().copied().peekable();
    let mut latest = None;
    let take = left.iter().map(|&t| {
        // The greatest position that has become known is the latest time, and the last of its equals.
        while let Some(at) = arrived.next_if(|&at| known[at as usize] < t) {
            latest = latest.max(Some(at));
        }
        latest.filter(|&at| right[at as usize].abs_diff(t) <= tolerance_ns).unwrap_or(NO_MATCH)
    });
    Ok(take.collect())
}

/// Positions in the order in which they become known. Linear when `known` ascends.
fn by_known(known: &[i64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..position(known.len())).collect();
    order.sort_by_key(|&at| known[at as usize]);
    order
}

/// The pointer into the observations while rows pass by.
struct Neighbours<'a> {
    right: &'a [i64],
    /// How many observations lie at or before the row.
    after: usize,
    /// Start and last position of the run of equal times that follows; remembered, so that long runs are walked once.
    run: (usize, usize),
}

impl Neighbours<'_> {
    #[inline]
    fn backward(&mut self, t: i64, tolerance_ns: u64) -> u32 {
        self.after = seek_ahead(self.right, self.after, |time| time <= t);
        match self.after.checked_sub(1) {
            Some(at) if self.right[at].abs_diff(t) <= tolerance_ns => position(at),
            _ => NO_MATCH,
        }
    }

    #[inline]
    fn forward(&mut self, t: i64, tolerance_ns: u64) -> u32 {
        self.after = seek_ahead(self.right, self.after, |time| time <= t);
        if self.after > 0 && self.right[self.after - 1] == t {
            return position(self.after - 1);
        }
        match self.right.get(self.after) {
            Some(&time) if time.abs_diff(t) <= tolerance_ns => position(self.last_of_next()),
            _ => NO_MATCH,
        }
    }

    #[inline]
    fn nearest(&mut self, t: i64, tolerance_ns: u64) -> u32 {
        self.after = seek_ahead(self.right, self.after, |time| time <= t);
        let around = self.after.checked_sub(1).and_then(|from| self.right[from..].first_chunk::<3>());
        if let Some(&[behind, ahead, next]) = around {
            let (back, forth) = (t.abs_diff(behind), ahead.abs_diff(t));
            let is_ahead = forth < back;
            // Which of the two is as good as random, so nothing branches on it; only equal times do.
            if ahead != next {
                let at = position(self.after - 1 + usize::from(is_ahead));
                return if back.min(forth) <= tolerance_ns { at } else { NO_MATCH };
            }
        }
        self.nearest_of_any(t, tolerance_ns)
    }

    /// The same at the ends, and before equal times.
    fn nearest_of_any(&mut self, t: i64, tolerance_ns: u64) -> u32 {
        let back = self.after.checked_sub(1).map(|at| self.right[at].abs_diff(t));
        let ahead = self.right.get(self.after).map(|time| time.abs_diff(t));
        match (back, ahead) {
            (Some(back), ahead) if ahead.is_none_or(|ahead| back <= ahead) && back <= tolerance_ns => {
                position(self.after - 1)
            }
            (back, Some(ahead)) if back.is_none_or(|back| ahead < back) && ahead <= tolerance_ns => {
                position(self.last_of_next())
            }
            _ => NO_MATCH,
        }
    }

    /// The last of the equal times that begin at `after`.
    #[inline]
    fn last_of_next(&mut self) -> usize {
        if self.run.0 != self.after {
            let time = self.right[self.after];
            self.run = (self.after, seek(self.right, self.after, |other| other <= time) - 1);
        }
        self.run.1
    }
}

/// Counts the matches of the rows at `own` positions; `take` is what [`nearest`] gave for all of `left`.
///
/// A row reuses when the row before it, own or not, has the same match: matches never go back, so that is any earlier row.
/// Distances are counted under the least power of two of microseconds that is not less; 0 is exact.
pub fn account(left: &[i64], right: &[i64], take: &[u32], own: Range<usize>) -> JoinAccount {
    let mut matched = 0;
    let mut reused = 0;
    let mut looked_ahead = 0;
    let mut distances = [0_u64; 66];
    for row in own.clone() {
        let at = take[row];
        if at == NO_MATCH {
            continue;
        }
        matched += 1;
        reused += u64::from(row > 0 && take[row - 1] == at);
        let time = right[at as usize];
        looked_ahead += u64::from(time > left[row]);
        distances[distance_class(time.abs_diff(left[row]))] += 1;
    }
    let rows = own.len() as u64;
    let counted = distances.iter().enumerate().filter(|(_, count)| **count > 0);
    JoinAccount {
        rows,
        matched,
        unmatched: rows - matched,
        reused,
        looked_ahead,
        distance_us: counted.map(|(class, &count)| (class_bound_us(class), count)).collect(),
    }
}

/// 0 for exact, else 1 + the exponent of the least power of two of microseconds not less than the distance.
fn distance_class(distance_ns: u64) -> usize {
    match distance_ns.div_ceil(1000) {
        0 => 0,
        us => 1 + us.next_power_of_two().trailing_zeros() as usize,
    }
}

fn class_bound_us(class: usize) -> u64 {
    class.checked_sub(1).map_or(0, |exponent| 1 << exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::spec::Direction::{Backward, Forward, Nearest};

    const ANY: u64 = u64::MAX;

    fn one(right: &[i64], t: i64, direction: Direction, tolerance_ns: u64) -> Option<u32> {
        let take = nearest(&[t], right, direction, tolerance_ns).unwrap();
        (take[0] != NO_MATCH).then_some(take[0])
    }

    #[test]
    fn the_vectors_of_the_semantics_hold() {
        assert_eq!(one(&[3, 7], 5, Nearest, ANY), Some(0));
        assert_eq!(one(&[3, 7], 5, Nearest, 1), None);
        assert_eq!(one(&[5, 5, 5], 5, Nearest, ANY), Some(2));
        assert_eq!(one(&[i64::MIN, i64::MAX], 0, Nearest, ANY), Some(1));
        assert_eq!(one(&[], 0, Nearest, ANY), None);
    }

    #[test]
    fn of_equal_times_the_last_is_taken_on_both_sides() {
        assert_eq!(one(&[3, 3, 9, 9, 9], 4, Backward, ANY), Some(1));
        assert_eq!(one(&[3, 3, 9, 9, 9], 4, Forward, ANY), Some(4));
        assert_eq!(one(&[3, 3, 9, 9, 9], 8, Nearest, ANY), Some(4));
        assert_eq!(one(&[3, 3, 9, 9, 9], 9, Forward, 0), Some(4));
    }

    #[test]
    fn tolerance_is_inclusive_and_zero_means_exact() {
        assert_eq!(one(&[10], 12, Backward, 2), Some(0));
        assert_eq!(one(&[10], 12, Backward, 1), None);
        assert_eq!(one(&[10], 10, Nearest, 0), Some(0));
        assert_eq!(one(&[11], 10, Nearest, 0), None);
    }

    #[test]
    fn the_whole_width_of_i64_is_a_distance() {
        assert_eq!(one(&[i64::MAX], i64::MIN, Forward, ANY), Some(0));
        assert_eq!(one(&[i64::MAX], i64::MIN, Forward, ANY - 1), None);
        assert_eq!(one(&[i64::MIN], i64::MAX, Backward, ANY), Some(0));
    }

    #[test]
    fn unsorted_input_is_an_error_that_names_side_and_row() {
        assert_eq!(nearest(&[2, 1], &[1], Nearest, 0), Err(Unsorted { side: Side::Rows, row: 1 }));
        let error = nearest(&[1], &[1, 3, 2], Nearest, 0).unwrap_err();
        assert_eq!(error, Unsorted { side: Side::Observations, row: 2 });
        assert!(error.to_string().contains("observations are not sorted: position 2"));
    }

    #[test]
    fn what_is_known_at_the_row_is_not_seen() {
        // The observation at 4 becomes known only at 9; the one at 3 at once.
        let take = nearest_known(&[4, 5, 10], &[3, 4], &[3, 9], Nearest, 100).unwrap();
        assert_eq!(take, [0, 0, 1]);
        assert_eq!(nearest_known(&[3], &[3], &[3], Nearest, 100).unwrap(), [NO_MATCH]);
        assert_eq!(nearest_known(&[3], &[1], &[1], Forward, 100).unwrap(), [NO_MATCH]);
    }

    #[test]
    fn the_account_counts_own_rows_only_but_sees_the_row_before() {
        let (left, right) = ([0, 10, 20, 3_000], [9, 21]);
        let take = nearest(&left, &right, Nearest, 100).unwrap();
        assert_eq!(take, [0, 0, 1, NO_MATCH]);
        let account = account(&left, &right, &take, 1..4);
        assert_eq!((account.rows, account.matched, account.unmatched), (3, 2, 1));
        assert_eq!((account.reused, account.looked_ahead), (1, 1));
        assert_eq!(account.distance_us.into_iter().collect::<Vec<_>>(), [(1, 2)]);
    }

    #[test]
    fn distances_are_counted_under_powers_of_two() {
        let bounds = [0, 1, 1_000, 1_001, 2_001, u64::MAX].map(|ns| class_bound_us(distance_class(ns)));
        assert_eq!(bounds, [0, 1, 1, 2, 4, 1 << 55]);
    }
}
