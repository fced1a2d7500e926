//! Windows over rows and observations, validity, and how late windows are known.

use crate::fixture::{Value, at, floats, integers, rows, seconds, speed, status, texts, truths, two_clocks, words};

fn statuses() -> Vec<crate::fixture::Observed> {
    (1..=6).map(|i| status(f64::from(i), Some(i == 3), i64::from(i))).collect()
}

#[test]
fn a_window_over_rows_sees_what_is_joined_and_derived() {
    let words = words(
        "rows: {signal: status}
join: [{signal: speed, direction: Backward, tolerance: 10s, columns: [mps]}]
derive: [{name: twice, expression: \"2 * speed.mps\"}]
windows:
- {span: 3s, suffix: \"\", features: [{columns: [\"speed.*\", twice, status.n], statistics: [count, mean, max]}, {columns: [status.stop, status.mode], statistics: [last, changes]}]}",
    );
    let rows = rows(&words, &[statuses(), vec![speed(2.0, 1.0), speed(5.0, 4.0)]]);
    assert_eq!(integers(&rows, "speed_mps_count"), [Some(0), Some(1), Some(2), Some(3), Some(3), Some(3)]);
    assert_eq!(floats(&rows, "speed_mps_mean")[5], Some(3.0));
    assert_eq!(floats(&rows, "twice_max")[4..], [Some(8.0), Some(8.0)]);
    assert_eq!(floats(&rows, "status_n_mean")[5], Some(5.0));
    assert_eq!(truths(&rows, "status_stop_last")[2..4], [Some(true), Some(false)]);
    assert_eq!(integers(&rows, "status_stop_changes")[..5], [Some(0), Some(0), Some(1), Some(2), Some(1)]);
    assert_eq!(texts(&rows, "status_mode_last")[0].as_deref(), Some("odd"));
}

#[test]
fn a_window_over_observations_sees_each_once() {
    let words = words(
        "rows: {signal: status}
windows: [{span: 3s, over: Observations, suffix: o, features: [{columns: [speed.mps], statistics: [count, sum]}]}]",
    );
    let rows = rows(&words, &[statuses(), vec![speed(2.0, 1.0), speed(2.5, 2.0), speed(5.0, 4.0)]]);
    assert_eq!(integers(&rows, "speed_mps_count_o"), [Some(0), Some(1), Some(2), Some(2), Some(2), Some(1)]);
    assert_eq!(floats(&rows, "speed_mps_sum_o")[4], Some(6.0));
}

#[test]
fn a_row_is_invalid_for_the_first_reason() {
    let words = words(
        "rows: {signal: status}
events: [{name: stop, signal: status, when: stop, edge: Rise}]
windows: [{span: 2s, features: [{columns: [status.n], statistics: [mean]}], requires: {count: 2, gap: 1s}, excludes: [stop]}]",
    );
    let rows = rows(&words, &[statuses(), vec![]]);
    let reasons: Vec<Option<String>> = texts(&rows, "invalid_reason");
    let reasons: Vec<Option<&str>> = reasons.iter().map(Option::as_deref).collect();
    // Row 1 looks back over a hole from -1 to 1; the stop at 3 is in the windows of 3 and 4.
    assert_eq!(reasons, [Some("gap"), None, Some("event"), Some("event"), None, None]);
    assert_eq!(truths(&rows, "valid")[..3], [Some(false), Some(true), Some(false)]);
    assert_eq!(rows.account.rows.invalid["event"], 2);
    assert_eq!(rows.account.rows.valid, 3);
}

#[test]
fn invalid_rows_can_be_left_out() {
    let mut words = words(
        "rows: {signal: status}
windows: [{span: 2s, features: [{columns: [status.n], statistics: [mean]}], requires: {count: 2}}]
where: \"status.n <> 6\"",
    );
    words.spec.result.invalid = Some(pipeline::spec::Invalid::Drop);
    let rows = rows(&words, &[statuses(), vec![]]);
    assert_eq!(integers(&rows, "status_n"), [2, 3, 4, 5].map(Some));
    let account = &rows.account.rows;
    assert_eq!((account.base, account.filtered, account.dropped["count"], account.valid), (6, 1, 1, 4));
}

#[test]
fn a_window_is_known_when_its_latest_value_is() {
    let spec = "rows: {signal: status}
windows:
- {span: 3s, over: Observations, suffix: a, features: [{columns: [speed.mps], statistics: [count]}]}
- {span: 1s, over: Observations, suffix: b, features: [{columns: [speed.load], statistics: [count]}]}";
    let mut late = speed(2.0, 1.0);
    late.1 = at(9.0);
    late.2[1] = Value::Null;
    let rows = rows(&two_clocks(spec), &[statuses(), vec![late, speed(4.0, 1.0)]]);
    let known: Vec<f64> = seconds(&rows, "known_at").into_iter().flatten().collect();
    // A null load is no value: the second window does not wait for it.
    assert_eq!(known, [1.0, 9.0, 9.0, 9.0, 5.0, 6.0]);
}

#[test]
fn a_second_window_does_not_look_back_from_the_first() {
    let spec = "rows: {signal: status}
windows:
- {span: 2s, suffix: a, features: [{columns: [status.n], statistics: [count]}]}
- {span: 2s, suffix: b, features: [{columns: [status.n], statistics: [count]}]}";
    let mut own = statuses();
    own[0].1 = at(8.0);
    let rows = rows(&two_clocks(spec), &[own, vec![]]);
    let known: Vec<f64> = seconds(&rows, "known_at").into_iter().flatten().collect();
    assert_eq!(known, [8.0, 8.0, 3.0, 4.0, 5.0, 6.0]);
}
