//! The figures of two real archives, counted by hand and by two other programs before Fleetloom was there.

use crate::words::{change, example};
use fleetloom_tests::place::Place;
use fleetloom_tests::shown::{count, of_pipeline};
use fleetloom_tests::{program, python};
use serde_json::Value;

/// Runs one pipeline of changed example words and returns what its table says of itself.
fn ran(example_name: &str, pipeline: &str, changes: &[(&str, &str)]) -> (Place, Value) {
    let place = Place::new();
    let words = changes.iter().fold(example(&place, example_name), |words, (from, to)| change(&words, from, to));
    let file = place.words(&words);
    let file_text = file.display().to_string();
    program::fleetloom(&["run", "-f", &file_text, "--pipeline", pipeline]).expect(0);
    let shown = of_pipeline(&file, Some(pipeline));
    (place, shown)
}

/// Insists on counts of the account.
fn counts(shown: &Value, expected: &[(&str, u64)]) {
    for (path, wanted) in expected {
        assert_eq!(count(shown, path), *wanted, "{path} in {:#}", shown["account"]);
    }
}

/// Values of a column of the rows for which `keep` holds, as the canonical text writes them.
fn column(rows: &str, name: &str, keep: impl Fn(&dyn Fn(&str) -> String) -> bool) -> Vec<String> {
    let (_, table) = rows.split_once("\n\n").expect("a schema, then rows");
    let mut lines = table.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let at = |name: &str| header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name}"));
    lines.filter(|line| keep(&|n| line[at(n)].clone())).map(|line| line[at(name)].clone()).collect()
}

#[test]
fn ur3_loses_nothing_and_finds_its_stops_and_labels() {
    let (_place, shown) = ran("ur3", "ur3-stops", &[]);
    counts(&shown, &[("members.read", 1_498), ("members.documents", 1_498)]);
    for signal in ["current", "temperature", "speed", "tool", "status"] {
        let at = |what| format!("signals.{signal}.{what}");
        counts(&shown, &[(&at("read"), 7_409), (&at("kept"), 7_409), (&at("duplicate"), 0)]);
    }
    counts(&shown, &[("signals.current.nulls.j0", 46), ("signals.current.nulls.j1", 54)]);
    counts(&shown, &[("events.protective_stop.onsets", 108), ("events.grip_lost.onsets", 76)]);
    counts(&shown, &[("label.positive", 909), ("label.negative", 6_480), ("label.unknown", 20)]);
    counts(&shown, &[("rows.base", 7_409), ("rows.written", 7_409)]);
}

#[test]
fn a_longer_memory_finds_the_grip_loss_behind_the_hole() {
    let (_place, shown) = ran("ur3", "ur3-stops", &[("when: grip_lost}", "when: grip_lost, memory: 24h}")]);
    counts(&shown, &[("events.grip_lost.onsets", 77), ("events.protective_stop.onsets", 108)]);
}

#[test]
fn event_rows_hold_earlier_stops_and_holes_as_counted() {
    let (place, shown) = ran("ur3", "ur3-before-stops", &[]);
    counts(&shown, &[("rows.kinds.event", 108), ("rows.invalid.gap", 4), ("rows.invalid.event", 50)]);
    let rows = python::rows(&place.path("ur3-before-stops"));
    let held: Vec<u32> = column(&rows, "status_cycle_count", |cell| cell("row_kind") == "event")
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    assert_eq!((held.len(), held.iter().min(), held.iter().max()), (108, Some(&19), Some(&41)));
}

#[test]
fn event_rows_without_requirements_hold_53_stops_and_69_of_both() {
    let free = ("requires: {gap: 5s}", "requires: {count: 1}");
    let (place, _) = ran("ur3", "ur3-before-stops", &[free]);
    assert_eq!(invalid_events(&place), 53);
    let both = ("requires: {gap: 5s}\n    excludes: [protective_stop]", "excludes: [protective_stop, grip_lost]");
    let (place, _) = ran("ur3", "ur3-before-stops", &[both]);
    assert_eq!(invalid_events(&place), 69);
}

/// Event rows whose window holds an excluded event.
fn invalid_events(place: &Place) -> usize {
    let rows = python::rows(&place.path("ur3-before-stops"));
    let of_event = |cell: &dyn Fn(&str) -> String| cell("row_kind") == "event" && cell("invalid_reason") == "event";
    column(&rows, "time", of_event).len()
}

#[test]
fn the_draw_of_controls_is_the_same_on_every_run() {
    let rows = || {
        let (place, _) = ran("ur3", "ur3-before-stops", &[]);
        python::rows(&place.path("ur3-before-stops"))
    };
    let (first, second) = (rows(), rows());
    assert_eq!(first, second);
    let drawn = column(&first, "time", |cell| cell("row_kind") == "control");
    assert_eq!(drawn.len(), 78, "{drawn:?}");
    let other = ran("ur3", "ur3-before-stops", &[("apart: 120s}", "apart: 120s, seed: 1}")]);
    assert_ne!(column(&python::rows(&other.0.path("ur3-before-stops")), "time", |c| c("row_kind") == "control"), drawn);
}

#[test]
fn comma_matches_every_clock_as_counted() {
    let (_place, shown) = ran("comma", "comma-drive", &[]);
    counts(&shown, &[("rows.base", 4_974), ("joins.accel.matched", 4_974), ("joins.accel.looked_ahead", 2_505)]);
    counts(&shown, &[("joins.accel.reused", 4_974 - 4_639), ("joins.gyro.matched", 4_973)]);
    counts(&shown, &[("joins.mag.matched", 4_929), ("joins.mag.looked_ahead", 2_468)]);
    counts(&shown, &[("joins.fix.matched", 4_931), ("joins.fix.looked_ahead", 0), ("joins.steering.matched", 4_813)]);
}

#[test]
fn comma_matches_within_narrow_tolerances_as_counted() {
    let narrow = [
        ("signal: accel, tolerance: 10ms", "signal: accel, tolerance: 2ms"),
        ("signal: fix, direction: Backward, tolerance: 150ms", "signal: fix, tolerance: 20ms"),
    ];
    let (_place, shown) = ran("comma", "comma-drive", &narrow);
    counts(&shown, &[("joins.accel.matched", 2_073), ("joins.accel.looked_ahead", 1_029)]);
    counts(&shown, &[("joins.fix.matched", 1_826)]);
}

#[test]
fn stamps_with_decimals_are_exact() {
    let (place, _) = ran("comma", "comma-drive", &[]);
    let times = column(&python::rows(&place.path("comma-drive")), "time", |_| true);
    assert!(times.iter().any(|t| t == "2018-08-02T16:15:15.002730Z"), "1533226515002.73 ms");
}

#[test]
fn a_division_by_zero_is_a_null_and_a_count() {
    let failing = "{name: inverse, expression: \"100 / (status.cycle - 154)\"}\n  - {name: effort,";
    let (place, shown) = ran("ur3", "ur3-stops", &[("{name: effort,", failing)]);
    let rows = python::rows(&place.path("ur3-stops"));
    let zero = column(&rows, "inverse", |cell| cell("status_cycle") == "154");
    assert!(!zero.is_empty() && zero.iter().all(|value| value == "-"));
    let others = column(&rows, "inverse", |cell| cell("status_cycle") == "155");
    assert!(!others.is_empty() && others.iter().all(|value| value == "100"));
    counts(&shown, &[("expression_errors.inverse", zero.len() as u64)]);
}
