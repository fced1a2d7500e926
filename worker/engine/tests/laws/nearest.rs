//! Nearest join = looking at every observation.

use fleetloom_engine::nearest::{NO_MATCH, account, nearest, nearest_known};
use pipeline::spec::Direction;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Times close together (ties, exact hits) or anywhere, both ends of `i64` included; sorted.
fn times() -> impl Strategy<Value = Vec<i64>> {
    let near = -20_i64..20;
    let ends = prop_oneof![i64::MIN..i64::MIN + 3, i64::MAX - 3..=i64::MAX];
    let time = prop_oneof![8 => near, 1 => ends, 1 => any::<i64>()];
    prop::collection::vec(time, 0..60).prop_map(|mut times| {
        times.sort_unstable();
        times
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Nearest), Just(Direction::Backward), Just(Direction::Forward)]
}

fn tolerance() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0_u64..12, 1 => Just(u64::MAX), 1 => any::<u64>()]
}

/// The semantics' table, observation by observation.
fn brute_force(t: i64, right: &[i64], direction: Direction, tolerance_ns: u64, sees: impl Fn(usize) -> bool) -> u32 {
    let mut best: Option<(u128, i64, usize)> = None;
    for (at, &time) in right.iter().enumerate() {
        let is_on_side = match direction {
            Direction::Nearest => true,
            Direction::Backward => time <= t,
            Direction::Forward => time >= t,
        };
        let distance = (i128::from(time) - i128::from(t)).unsigned_abs();
        if !is_on_side || distance > u128::from(tolerance_ns) || !sees(at) {
            continue;
        }
        // Less distance first, then the earlier time, then the last of equal times.
        if best.is_none_or(|(least, earliest, _)| (distance, time) <= (least, earliest)) {
            best = Some((distance, time, at));
        }
    }
    best.map_or(NO_MATCH, |(_, _, at)| u32::try_from(at).unwrap())
}

proptest! {
    #![proptest_config(crate::cases(2_000))]

    #[test]
    fn a_match_is_what_brute_force_finds(
        left in times(), right in times(), direction in direction(), tolerance_ns in tolerance()
    ) {
        let take = nearest(&left, &right, direction, tolerance_ns).unwrap();
        let wanted: Vec<u32> =
            left.iter().map(|&t| brute_force(t, &right, direction, tolerance_ns, |_| true)).collect();
        prop_assert_eq!(take, wanted);
    }

    #[test]
    fn a_row_that_sees_what_is_known_matches_what_brute_force_finds(
        left in times(), right in times(), lags in prop::collection::vec(0_i64..10, 60), direction in direction(),
        tolerance_ns in tolerance()
    ) {
        let known: Vec<i64> = right.iter().zip(&lags).map(|(time, lag)| time.saturating_add(*lag)).collect();
        let take = nearest_known(&left, &right, &known, direction, tolerance_ns).unwrap();
        let wanted: Vec<u32> = left
            .iter()
            .map(|&t| brute_force(t, &right, direction, tolerance_ns, |at| known[at] < t))
            .collect();
        prop_assert_eq!(take, wanted);
    }

    #[test]
    fn matches_are_counted_one_by_one(
        left in times(), right in times(), direction in direction(), tolerance_ns in tolerance(), cut in 0.0..1.0_f64
    ) {
        let take = nearest(&left, &right, direction, tolerance_ns).unwrap();
        let cut = (left.len() as f64 * cut) as usize;
        let account = account(&left, &right, &take, cut..left.len());
        let own: Vec<usize> = (cut..left.len()).filter(|&row| take[row] != NO_MATCH).collect();
        let distance = |row: usize| right[take[row] as usize].abs_diff(left[row]);
        let mut distances = BTreeMap::new();
        for &row in &own {
            let bound = std::iter::once(0).chain((0..64).map(|k| 1_u64 << k));
            let bound = bound.into_iter().find(|us| u128::from(*us) * 1_000 >= u128::from(distance(row))).unwrap();
            *distances.entry(bound).or_insert(0) += 1;
        }
        prop_assert_eq!(account.rows, (left.len() - cut) as u64);
        prop_assert_eq!(account.matched, own.len() as u64);
        prop_assert_eq!(account.matched + account.unmatched, account.rows);
        let reused = own.iter().filter(|&&row| take[..row].contains(&take[row])).count();
        prop_assert_eq!(account.reused, reused as u64);
        let ahead = own.iter().filter(|&&row| right[take[row] as usize] > left[row]).count();
        prop_assert_eq!(account.looked_ahead, ahead as u64);
        prop_assert_eq!(account.distance_us, distances);
    }
}
