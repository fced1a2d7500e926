//! Base rows and joins.

use crate::fixture::{
    S, Value, at, column, compiled, floats, integers, rows, rows_of, seconds, speed, status, texts, truths, two_clocks,
    words,
};
use arrow::array::Array;
use arrow::datatypes::DataType;
use fleetloom_engine::explain::explain;
use pipeline::time::Span;

const JOINED: &str = "rows: {signal: status}\njoin: [{signal: speed, direction: Nearest, tolerance: 500ms}]";

#[test]
fn a_row_holds_its_own_columns_and_its_match() {
    let words = words(JOINED);
    let signals = [
        vec![status(0.0, Some(false), 1), status(1.0, None, 2), status(9.0, Some(true), 3)],
        vec![speed(0.2, 5.0), speed(0.8, 6.0), speed(1.1, 7.0)],
    ];
    let rows = rows(&words, &signals);
    assert_eq!(seconds(&rows, "time"), [Some(0.0), Some(1.0), Some(9.0)]);
    assert_eq!(truths(&rows, "status_stop"), [Some(false), None, Some(true)]);
    assert_eq!(integers(&rows, "status_n"), [Some(1), Some(2), Some(3)]);
    assert_eq!(texts(&rows, "status_mode")[0].as_deref(), Some("odd"));
    assert_eq!(floats(&rows, "speed_mps"), [Some(5.0), Some(7.0), None]);
    assert_eq!(integers(&rows, "speed_dt_us"), [Some(200_000), Some(100_000), None]);
    assert_eq!(seconds(&rows, "known_at"), [Some(0.2), Some(1.1), Some(9.0)]);
    assert_eq!(truths(&rows, "valid"), [Some(true); 3]);
    assert_eq!(texts(&rows, "robot")[0].as_deref(), Some("r"));
    let join = &rows.account.joins["speed"];
    assert_eq!((join.rows, join.matched, join.unmatched, join.looked_ahead), (3, 2, 1, 2));
}

#[test]
fn the_schema_is_the_results() {
    let words = words(JOINED);
    let schema = compiled(&words).schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names[..5], ["robot", "date", "time", "known_at", "status_stop"]);
    assert_eq!(schema.field_with_name("date").unwrap().data_type(), &DataType::Date32);
    assert_eq!(schema.field_with_name("speed_mps").unwrap().metadata()["unit"], "m/s");
    let rows = rows(&words, &[vec![], vec![]]);
    assert_eq!((rows.batch.schema(), rows.batch.num_rows()), (schema, 0));
    assert!(!column(&rows, "time").is_nullable());
}

#[test]
fn only_the_span_is_given_and_counted() {
    let signals = [(0..10).map(|i| status(f64::from(i), Some(false), i64::from(i))).collect(), vec![speed(4.9, 1.0)]];
    let rows = rows_of(&words(JOINED), &signals, Span { from_ns: at(3.0), to_ns: at(6.0) });
    assert_eq!(integers(&rows, "status_n"), [Some(3), Some(4), Some(5)]);
    assert_eq!((rows.account.rows.base, rows.account.joins["speed"].matched), (3, 1));
}

#[test]
fn a_row_is_known_when_its_last_part_arrives() {
    let words = two_clocks(JOINED);
    let mut late = speed(1.0, 5.0);
    late.1 = at(7.0);
    let mut own = status(2.0, Some(true), 1);
    own.1 = at(4.0);
    let rows = rows(&words, &[vec![status(1.0, Some(false), 0), own], vec![late, speed(2.0, 1.0)]]);
    assert_eq!(seconds(&rows, "known_at"), [Some(7.0), Some(4.0)]);
}

#[test]
fn a_grid_lives_where_its_signal_does() {
    let words = words(
        "rows: {every: 2s, during: speed, alive: 3s}\njoin: [{signal: status, direction: Backward, tolerance: 10s, columns: [n]}]",
    );
    let rows = rows(&words, &[vec![status(0.5, Some(true), 8)], vec![speed(0.0, 1.0), speed(9.0, 1.0)]]);
    assert_eq!(seconds(&rows, "time"), [Some(0.0), Some(2.0), Some(10.0), Some(12.0)]);
    assert_eq!(integers(&rows, "status_n"), [None, Some(8), Some(8), None]);
    assert_eq!(seconds(&rows, "known_at"), [Some(0.0), Some(2.0), Some(10.0), Some(12.0)]);
}

#[test]
fn times_become_microseconds_towards_minus_infinity() {
    let mut early = status(0.0, Some(true), 1);
    early.0 -= 1;
    early.2[3] = Value::I(-1);
    let rows = rows(&words(JOINED), &[vec![early], vec![]]);
    assert_eq!(seconds(&rows, "time"), [Some(-0.000_001)]);
    assert_eq!(seconds(&rows, "status_seen"), [Some(-0.000_001 - 1_577_836_800.0)]);
    assert_eq!(S, 1_000_000_000);
}

#[test]
fn unsorted_observations_are_an_error_that_names_them() {
    let words = words(JOINED);
    let robot = crate::fixture::robot(&words, &[vec![status(1.0, None, 0)], vec![speed(2.0, 0.0), speed(1.0, 0.0)]]);
    let error = compiled(&words).compute(robot, Span::ALL).unwrap_err();
    let source = error.source.to_string();
    assert!(source.contains("robot r, join of speed") && source.contains("position 1"), "{source}");
}

#[test]
fn explain_shows_the_plan_from_the_result_down() {
    let words = words(
        "rows: {event: stop, controls: {perEvent: 2, apart: 10s}}
events: [{name: stop, signal: status, when: stop, edge: Rise}]
join: [{signal: speed, direction: Nearest, tolerance: 500ms, columns: [mps]}]
derive: [{name: twice, expression: \"speed.mps * 2\"}]
windows: [{span: 5s, features: [{columns: [twice], statistics: [mean, max]}], requires: {count: 1, gap: 5s}, excludes: [stop]}]
label: {event: stop}",
    );
    let text = explain(&compiled(&words));
    let depth = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in\n{text}"));
        line.len() - line.trim_start().len()
    };
    let order =
        ["ResultExec", "WrittenExec", "LabelExec", "WindowExec", "DeriveExec", "NearestJoinExec", "EventRowsExec"];
    for pair in order.windows(2) {
        assert!(depth(pair[0]) < depth(pair[1]), "{pair:?} in\n{text}");
    }
    for parameter in [
        "controls=2 per event, apart=10s",
        "tolerance=500ms, columns=[mps], sees=known before the row",
        "twice=speed.mps * 2",
        "span=5s, over=Rows, ends=before the row, features=[twice: mean max], count>=1, gap<=5s, excludes=[stop]",
        "ObservationsExec: signal=speed",
        "EventExec: name=stop, edge=Rise, refractory=0s, memory=10m, when=stop",
    ] {
        assert!(text.contains(parameter), "{parameter} is not in\n{text}");
    }
}
