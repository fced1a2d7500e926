//! What the relations give is what their definitions say.

use super::{Row, ask, session};
use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use fleetloom_engine::statistic::{Output, Series, View, compute};
use fleetloom_engine::window::{End, Window, bounds};
use pipeline::spec::Statistic;
use proptest::prelude::*;

/// Few robots, times close together, some of either missing; in any order.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let robot = prop_oneof![8 => prop::sample::select(vec!["a", "b", "c"]).prop_map(Some), 1 => Just(None)];
    let time = prop_oneof![12 => (-30_i64..30).prop_map(Some), 1 => Just(None)];
    let value = prop_oneof![6 => (-1e3..1e3_f64).prop_map(Some), 1 => Just(None)];
    prop::collection::vec((robot, time, value), 0..50)
}

/// The distance of the nearest in a direction, if it is near enough: of two equally far ones the earlier.
fn brute_force(left: &Row, right: &[Row], direction: &str, tolerance: i64) -> Option<i64> {
    let (robot, time) = (left.0?, left.1?);
    let distances = right.iter().filter(|row| row.0 == Some(robot)).filter_map(|row| Some(row.1? - time));
    let is_near = |distance: &i64| match direction {
        "Backward" => (-tolerance..=0).contains(distance),
        "Forward" => (0..=tolerance).contains(distance),
        _ => distance.abs() <= tolerance,
    };
    distances.filter(is_near).min_by_key(|distance| (distance.abs(), *distance))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_nearest_join_is_what_brute_force_finds(
        left in rows(), right in rows(), batch_rows in 1_usize..9, tolerance in 0_i64..20,
        direction in prop::sample::select(vec!["Nearest", "Backward", "Forward"]),
    ) {
        let context = session(&[("l", &left), ("r", &right)], batch_rows);
        let sql = format!(
            "SELECT n, time, r_time, r_dt_us, r_v FROM nearest_join(l, r, tolerance => '{tolerance}ns', direction => '{direction}')"
        );
        let found = ask(&context, &sql).unwrap();
        prop_assert_eq!(found.num_rows(), left.len(), "each row of the left once");
        let numbers = found.column(0).as_primitive::<Int64Type>();
        let times = |column: usize| found.column(column).as_primitive::<TimestampNanosecondType>().clone();
        let (times, matches) = (times(1), times(2));
        for row in 0..found.num_rows() {
            let of = &left[usize::try_from(numbers.value(row)).unwrap()];
            let distance = matches.is_valid(row).then(|| matches.value(row) - times.value(row));
            prop_assert_eq!(distance, brute_force(of, &right, direction, tolerance), "{:?}", of);
            prop_assert_eq!(found.column(3).is_valid(row), distance.is_some());
            let value = found.column(4).as_primitive::<Float64Type>();
            let value = value.is_valid(row).then(|| value.value(row));
            let is_there = |other: &Row| (other.0, other.1, other.2) == (of.0, Some(matches.value(row)), value);
            prop_assert!(distance.map_or(value.is_none(), |_| right.iter().any(is_there)));
        }
        let mut seen: Vec<i64> = numbers.values().to_vec();
        seen.sort_unstable();
        prop_assert!(seen.iter().copied().eq(0..i64::try_from(left.len()).unwrap()));
    }

    #[test]
    fn a_look_back_gives_the_kernels_own_bits(rows in rows(), batch_rows in 1_usize..9, span in 1_i64..25) {
        let context = session(&[("s", &rows)], batch_rows);
        let sql = format!(
            "SELECT robot, time, v_mean_{span}ns, v_std_{span}ns, v_p95_{span}ns, v_count_{span}ns, n \
             FROM look_back(s, span => '{span}ns', columns => 'v', statistics => 'mean, std, p95, count')"
        );
        let found = ask(&context, &sql).unwrap();
        prop_assert_eq!(found.num_rows(), rows.len(), "each row once");
        let wanted = [Statistic::Mean, Statistic::Std, Statistic::P95, Statistic::Count];
        let robots = found.column(0).as_string::<i32>();
        let times = found.column(1).as_primitive::<TimestampNanosecondType>();
        let order = found.column(6).as_primitive::<Int64Type>();
        for robot in ["a", "b", "c"] {
            let own: Vec<usize> = (0..found.num_rows())
                .filter(|row| robots.is_valid(*row) && times.is_valid(*row) && robots.value(*row) == robot)
                .collect();
            let own_times: Vec<i64> = own.iter().map(|row| times.value(*row)).collect();
            let value = |row: &usize| rows[usize::try_from(order.value(*row)).unwrap()].2;
            let values: Vec<f64> = own.iter().map(|row| value(row).unwrap_or_default()).collect();
            let valid = NullBuffer::from_iter(own.iter().map(|row| value(row).is_some()));
            let window = Window { span_ns: span, end: End::AtRow };
            let bounds = bounds(&own_times, &own_times, window).unwrap();
            let view = View { rows: &own_times, times: &own_times, known: None, bounds: &bounds, window };
            let outputs = compute(&view, Series::Number(&values), Some(&valid), &wanted);
            for (output, column) in outputs.iter().zip(2..) {
                let column = found.column(column);
                for (at, row) in own.iter().enumerate() {
                    match output {
                        Output::Number(values, valid) => {
                            let valid = valid.as_ref().is_none_or(|valid| valid.is_valid(at));
                            let found = column.as_primitive::<Float64Type>();
                            prop_assert_eq!(found.is_valid(*row), valid);
                            prop_assert!(!valid || found.value(*row).to_bits() == values[at].to_bits());
                        }
                        Output::Integer(values, _) => {
                            prop_assert_eq!(column.as_primitive::<Int64Type>().value(*row), values[at]);
                        }
                        Output::Take(_) => prop_assert!(false, "no statistic of numbers"),
                    }
                }
            }
        }
    }
}
