//! Event and control rows: nothing known at or after the row may be in it.

use crate::fixture::{Observed, floats, integers, rows, seconds, speed, status, texts, truths, words};

const SPEC: &str = "rows: {event: stop, controls: {perEvent: 2, apart: 5s, within: 100s, seed: 7}}
events: [{name: stop, signal: status, when: stop, edge: Rise}]
join: [{signal: speed, direction: Nearest, tolerance: 1s, columns: [mps]}]
derive: [{name: both, expression: \"coalesce(speed.mps, 0) + coalesce(status.n, 0)\"}]
windows:
- {span: 4s, suffix: \"\", features: [{columns: [status.n, speed.mps, both], statistics: [count, max, last]}], requires: {count: 3}, excludes: [stop]}
- {span: 4s, over: Observations, suffix: o, features: [{columns: [speed.mps], statistics: [count, last]}]}
label: {event: stop}";

fn statuses() -> Vec<Observed> {
    (0..30).map(|i| status(f64::from(i), Some(i == 10 || i == 12), i64::from(i))).collect()
}

fn speeds() -> Vec<Observed> {
    (0..30).map(|i| speed(f64::from(i) + 0.1, f64::from(i))).collect()
}

#[test]
fn event_rows_are_the_onsets_and_their_controls() {
    let rows = rows(&words(SPEC), &[statuses(), speeds()]);
    let kinds = texts(&rows, "row_kind");
    let times: Vec<f64> = seconds(&rows, "time").into_iter().flatten().collect();
    let events: Vec<f64> =
        times.iter().zip(&kinds).filter(|(_, kind)| kind.as_deref() == Some("event")).map(|(t, _)| *t).collect();
    assert_eq!(events, [10.0, 12.0]);
    assert!(times.is_sorted());
    for (t, kind) in times.iter().zip(&kinds) {
        assert!(kind.as_deref() == Some("event") || (t - 10.0).abs() >= 5.0 && (t - 12.0).abs() >= 5.0, "{t}");
    }
    let labels: Vec<Option<bool>> = kinds.iter().map(|kind| Some(kind.as_deref() == Some("event"))).collect();
    assert_eq!(truths(&rows, "label"), labels);
    let account = &rows.account.rows;
    assert_eq!((account.kinds["event"], account.too_few_controls), (2, 0));
    assert!((2..=4).contains(&account.kinds["control"]));
    assert_eq!(account.base, account.written);
    assert_eq!(rows.account.joins["speed"].rows, account.base);
}

#[test]
fn an_event_row_sees_only_what_was_known_before_it() {
    let rows = rows(&words(SPEC), &[statuses(), speeds()]);
    let row = seconds(&rows, "time").iter().position(|t| *t == Some(10.0)).unwrap();
    // The speed at 10.1 is nearer than the one at 9.1, but comes after.
    assert_eq!((floats(&rows, "speed_mps")[row], integers(&rows, "speed_dt_us")[row]), (Some(9.0), Some(-900_000)));
    assert_eq!((integers(&rows, "status_n")[row], truths(&rows, "status_stop")[row]), (None, None));
    assert_eq!(floats(&rows, "both")[row], Some(9.0));
    assert_eq!(seconds(&rows, "known_at")[row], Some(10.0));
    // Base rows 6 to 9 with their own nearest matches: 6.1 to 9.1, all known before 10.
    assert_eq!(integers(&rows, "status_n_count")[row], Some(4));
    assert_eq!(floats(&rows, "status_n_last")[row], Some(9.0));
    assert_eq!(floats(&rows, "speed_mps_last")[row], Some(9.0));
    assert_eq!(floats(&rows, "both_last")[row], Some(18.0));
    assert_eq!(
        (integers(&rows, "speed_mps_count_o")[row], floats(&rows, "speed_mps_last_o")[row]),
        (Some(4), Some(9.0))
    );
    assert_eq!(truths(&rows, "valid")[row], Some(true));
}

#[test]
fn a_base_row_whose_match_comes_after_the_event_is_not_in_its_window() {
    // The row at 9 matches the speed at 9.9; the one at 10.4 is nobody's before 10.
    let mut fast = statuses();
    fast[9].0 = crate::fixture::at(9.95);
    fast[9].1 = fast[9].0;
    let speeds = vec![speed(6.0, 6.0), speed(7.0, 7.0), speed(8.0, 8.0), speed(10.4, 99.0)];
    let rows = rows(&words(SPEC), &[fast, speeds]);
    let row = seconds(&rows, "time").iter().position(|t| *t == Some(10.0)).unwrap();
    assert_eq!(integers(&rows, "status_n_count")[row], Some(3));
    assert_eq!(floats(&rows, "speed_mps_max")[row], Some(8.0));
}

#[test]
fn an_earlier_event_in_the_window_is_no_reason_for_itself() {
    let rows = rows(&words(SPEC), &[statuses(), speeds()]);
    let times: Vec<f64> = seconds(&rows, "time").into_iter().flatten().collect();
    let reasons = texts(&rows, "invalid_reason");
    let of = |t: f64| reasons[times.iter().position(|time| *time == t).unwrap()].clone();
    assert_eq!(of(10.0), None);
    assert_eq!(of(12.0).as_deref(), Some("event"));
}

#[test]
fn the_draw_is_the_same_every_time() {
    let draw = || seconds(&rows(&words(SPEC), &[statuses(), speeds()]), "time");
    assert_eq!(draw(), draw());
}
