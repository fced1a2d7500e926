//! Labels of observation and grid rows, and events in the account.

use crate::fixture::{at, rows, rows_of, seconds, speed, status, texts, truths, two_clocks, words};
use pipeline::time::Span;

const LABELLED: &str = "rows: {signal: status}
events: [{name: stop, signal: status, when: stop, edge: Rise, memory: 5s}]
label: {event: stop, horizon: 2s}";

fn stops() -> Vec<crate::fixture::Observed> {
    (0..10).map(|i| status(f64::from(i), Some(i == 4 || i == 5), i64::from(i))).collect()
}

#[test]
fn a_label_says_whether_the_event_comes() {
    let rows = rows(&words(LABELLED), &[stops(), vec![]]);
    let labels = truths(&rows, "label");
    assert_eq!(labels[..6], [Some(false), Some(false), Some(true), Some(true), Some(false), Some(false)]);
    assert_eq!(labels[7..], [Some(false), None, None]);
    assert_eq!(seconds(&rows, "label_event_time")[1..4], [None, Some(4.0), Some(4.0)]);
    let account = &rows.account;
    assert_eq!((account.label.positive, account.label.negative, account.label.unknown), (2, 6, 2));
    assert_eq!((account.events["stop"].onsets, account.events["stop"].censored), (1, 0));
}

#[test]
fn onsets_are_counted_where_they_lie() {
    let own = Span { from_ns: at(5.0), to_ns: at(10.0) };
    let rows = rows_of(&words(LABELLED), &[stops(), vec![]], own);
    assert_eq!(rows.account.events["stop"].onsets, 0);
    assert_eq!(rows.batch.num_rows(), 5);
}

#[test]
fn an_event_that_nothing_needs_is_counted_all_the_same() {
    let words =
        words("rows: {signal: speed}\nevents: [{name: stop, signal: status, when: \"NOT status.stop\", edge: Fall}]");
    let rows = rows(&words, &[stops(), vec![speed(0.0, 1.0)]]);
    assert_eq!(rows.account.events["stop"].onsets, 1);
}

#[test]
fn a_label_is_judged_from_what_is_known() {
    let spec = format!("{LABELLED}\njoin: [{{signal: speed, direction: Nearest, tolerance: 5s}}]");
    let mut late = speed(2.0, 1.0);
    late.1 = at(5.0);
    let rows = rows(&two_clocks(&spec), &[stops(), vec![late, speed(7.5, 1.0)]]);
    // Rows 0 to 4 match the late speed: known at 5, after the stop at 4.
    let reasons = texts(&rows, "invalid_reason");
    assert_eq!(reasons[2].as_deref(), Some("event_in_match"));
    assert_eq!(reasons[4], None);
    assert_eq!(truths(&rows, "label")[2], Some(false));
}

#[test]
fn lead_time_makes_early_events_invalid() {
    let spec = LABELLED.replace("horizon: 2s", "horizon: 2s, lead: 1s");
    let rows = rows(&words(&spec), &[stops(), vec![]]);
    let reasons = texts(&rows, "invalid_reason");
    assert_eq!(reasons[3].as_deref(), Some("event_in_lead"));
    assert_eq!(truths(&rows, "label")[1..4], [Some(true), Some(true), Some(false)]);
}
