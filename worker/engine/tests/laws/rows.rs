//! Grid and control rows = trying every point and every candidate; window bounds and what windows know = looking at each value.

use fleetloom_engine::control::{draw, rank};
use fleetloom_engine::event::Onset;
use fleetloom_engine::grid::points;
use fleetloom_engine::window::{End, Window, bounds, latest_known};
use pipeline::pipeline::Controls;
use pipeline::time::Span;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn sorted(range: std::ops::Range<i64>, most: usize) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(range, 0..most).prop_map(|mut times| {
        times.sort_unstable();
        times
    })
}

proptest! {
    #![proptest_config(crate::cases(2_000))]

    #[test]
    fn a_grid_point_is_where_an_observation_keeps_the_robot_alive(
        one in sorted(-100..100, 12), other in sorted(-100..100, 12), every_ns in 1_i64..20, alive_ns in 0_i64..30,
        from_ns in -120_i64..120, length in 0_i64..150
    ) {
        let span = Span { from_ns, to_ns: from_ns + length };
        let is_alive = |point: i64| one.iter().chain(&other).any(|time| (point - alive_ns..=point).contains(time));
        let wanted: Vec<i64> =
            (span.from_ns..span.to_ns).filter(|point| point % every_ns == 0 && is_alive(*point)).collect();
        prop_assert_eq!(points(&[&one, &other], every_ns, alive_ns, span), wanted);
    }

    #[test]
    fn controls_are_the_best_ranked_candidates_of_each_kept_onset(
        times in sorted(0..200, 80), onset_times in sorted(0..200, 6), kept in prop::collection::vec(any::<bool>(), 6),
        per_event in 0_u32..5, apart_ns in 0_i64..20, within_ns in 0_i64..80, seed: u64
    ) {
        let onsets: Vec<Onset> = onset_times
            .iter()
            .zip(&kept)
            .map(|(&time_ns, &kept)| Onset { observation: 0, time_ns, kept })
            .collect();
        let rule = Controls { per_event, apart_ns, within_ns, seed };
        let drawn = draw("amr-7", &onsets, &times, &rule);
        let (mut wanted, mut short) = (BTreeSet::new(), Vec::new());
        for onset in onsets.iter().filter(|onset| onset.kept) {
            let distinct: BTreeSet<i64> = times.iter().copied().collect();
            let mut near: Vec<i64> = distinct
                .into_iter()
                .filter(|t| onset_times.iter().all(|onset| (t - onset).abs() >= apart_ns.max(1)))
                .filter(|t| (t - onset.time_ns).abs() <= within_ns)
                .collect();
            near.sort_by_key(|t| rank(seed, "amr-7", onset.time_ns, *t));
            if near.len() < per_event as usize {
                short.push(onset.time_ns);
            }
            near.truncate(per_event as usize);
            wanted.extend(near.into_iter().map(|t| times.iter().rposition(|time| *time == t).unwrap()));
        }
        prop_assert_eq!(drawn.observations, wanted.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(drawn.short, short);
    }

    #[test]
    fn a_draw_needs_only_its_context(
        times in sorted(0..600, 200), onset_times in sorted(0..600, 12), apart_ns in 1_i64..20, within_ns in 0_i64..40,
        from in 0_i64..600, length in 0_i64..200
    ) {
        let onsets: Vec<Onset> =
            onset_times.iter().map(|&time_ns| Onset { observation: 0, time_ns, kept: true }).collect();
        let rule = Controls { per_event: 2, apart_ns, within_ns, seed: 1 };
        let own = |at: &usize, times: &[i64]| (from..from + length).contains(&times[*at]);
        let whole = draw("r", &onsets, &times, &rule);
        let whole: Vec<i64> = whole.observations.iter().filter(|at| own(at, &times)).map(|at| times[*at]).collect();
        let context = from - 2 * within_ns - apart_ns..from + length + 2 * within_ns + apart_ns;
        let times: Vec<i64> = times.into_iter().filter(|t| context.contains(t)).collect();
        let onsets: Vec<Onset> = onsets.into_iter().filter(|onset| context.contains(&onset.time_ns)).collect();
        let part = draw("r", &onsets, &times, &rule);
        let part: Vec<i64> = part.observations.iter().filter(|at| own(at, &times)).map(|at| times[*at]).collect();
        prop_assert_eq!(part, whole);
    }

    #[test]
    fn bounds_hold_what_lies_in_the_window(
        start in prop_oneof![Just(0_i64), Just(i64::MIN), Just(i64::MAX - 100)], rows in sorted(0..100, 30),
        times in sorted(0..100, 60), lags in prop::collection::vec(0_i64..50, 60),
        span_ns in prop_oneof![1_i64..40, Just(i64::MAX)], before_row: bool
    ) {
        let shifted = |times: &[i64]| -> Vec<i64> { times.iter().map(|t| start.saturating_add(*t)).collect() };
        let (rows, times) = (shifted(&rows), shifted(&times));
        let known: Vec<i64> = times.iter().zip(&lags).map(|(t, lag)| t.saturating_add(*lag)).collect();
        let window = Window { span_ns, end: if before_row { End::BeforeRow } else { End::AtRow } };
        let bounds = bounds(&rows, &times, window).unwrap();
        let latest = latest_known(&bounds, &known, |at| at % 3 != 0);
        for (row, &t) in rows.iter().enumerate() {
            let start = i128::from(t) - i128::from(span_ns);
            let is_inside = |time: i64| {
                let after_start = if before_row { i128::from(time) >= start } else { i128::from(time) > start };
                after_start && if before_row { time < t } else { time <= t }
            };
            let inside: Vec<usize> = (0..times.len()).filter(|at| is_inside(times[*at])).collect();
            prop_assert_eq!(bounds.range(row).collect::<Vec<_>>(), inside.clone());
            let wanted = inside.into_iter().filter(|at| at % 3 != 0).map(|at| known[at]).max();
            prop_assert_eq!(latest[row], wanted);
        }
    }
}
