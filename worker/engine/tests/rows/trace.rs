//! A trace gives the rows that the plan gives, and what it names is what went into them.

use crate::fixture::{Observed, at, compiled, robot, rows, speed, status, two_clocks, words};
use arrow::array::RecordBatch;
use fleetloom_engine::trace::{Base, Cause, Found, Observed as Place, Trace};
use fleetloom_engine::validity::Reason;
use pipeline::columns::{Meaning, result_columns};
use pipeline::pipeline::Pipeline;
use pipeline::time::Span;

const STATUS: usize = 0;
const SPEED: usize = 1;

const EVENTS: &str = "rows: {event: stop, controls: {perEvent: 2, apart: 5s, within: 100s, seed: 7}}
events: [{name: stop, signal: status, when: stop, edge: Rise}]
join: [{signal: speed, direction: Nearest, tolerance: 1s, columns: [mps]}]
derive: [{name: both, expression: \"coalesce(speed.mps, 0) + coalesce(status.n, 0)\"}, {name: twice, expression: \"both * 2\"}]
windows:
- {span: 4s, suffix: \"\", features: [{columns: [status.n, twice], statistics: [count, max, last]}], requires: {count: 3}, excludes: [stop]}
- {span: 4s, over: Observations, suffix: o, features: [{columns: [speed.mps], statistics: [count, last]}]}
label: {event: stop}";

const ROWS: &str = "rows: {signal: status}
events: [{name: stop, signal: status, when: stop, edge: Rise}]
join: [{signal: speed, direction: Backward, tolerance: 1s}]
where: \"status.n <> 3\"
windows:
- {span: 4s, suffix: \"\", features: [{columns: [status.n, speed.mps], statistics: [mean, std, slope, p50]}, {columns: [status.stop, status.mode], statistics: [count, last, changes, time_since_change]}], requires: {count: 3, gap: 2s}}
label: {event: stop, horizon: 5s, lead: 1s}";

const GRID: &str = "rows: {every: 3s, alive: 2s}
join: [{signal: speed, tolerance: 1s, columns: [mps]}]
windows: [{span: 6s, suffix: \"\", features: [{columns: [speed.mps], statistics: [mean, delta]}]}]";

fn statuses() -> Vec<Observed> {
    (0..30).map(|i| status(f64::from(i), Some(i == 10 || i == 12), i64::from(i))).collect()
}

fn speeds() -> Vec<Observed> {
    (0..30).map(|i| speed(f64::from(i) + 0.1, f64::from(i))).collect()
}

fn traced(pipeline: &Pipeline, span: Span) -> Trace {
    compiled(pipeline).trace(&robot(pipeline, &[statuses(), speeds()]), span).unwrap()
}

/// The cause of the row at some second.
fn cause(pipeline: &Pipeline, second: f64) -> Cause {
    let mut trace = traced(pipeline, Span { from_ns: at(second), to_ns: at(second) + 1 });
    assert_eq!(trace.causes.len(), 1, "one row at {second}");
    trace.causes.pop().unwrap()
}

/// The column of a row with that meaning is the statistic of the values that are told.
fn insist_on_statistics(pipeline: &Pipeline, row: &RecordBatch, cause: &Cause) {
    for column in result_columns(pipeline) {
        let Meaning::Feature { window, feature, statistic } = column.meaning else { continue };
        let told = &cause.windows[window].features[feature].statistics[statistic];
        assert_eq!(row.column_by_name(&column.name).unwrap(), told, "{} at {}", column.name, cause.time_ns);
    }
}

#[test]
fn a_trace_of_one_row_gives_the_row_of_the_whole_and_its_statistics() {
    for pipeline in [words(EVENTS), words(ROWS), two_clocks(ROWS), words(GRID)] {
        let all = rows(&pipeline, &[statuses(), speeds()]).batch;
        let whole = traced(&pipeline, Span::ALL);
        assert_eq!((&whole.rows, whole.causes.len()), (&all, all.num_rows()));
        assert!(all.num_rows() > 3);
        for (row, cause) in whole.causes.iter().enumerate() {
            let row = all.slice(row, 1);
            insist_on_statistics(&pipeline, &row, cause);
            let alone = traced(&pipeline, Span { from_ns: cause.time_ns, to_ns: cause.time_ns + 1 });
            assert_eq!(alone.rows, row);
        }
    }
}

#[test]
fn a_row_names_its_observation_its_match_and_its_rules() {
    let cause = cause(&words(ROWS), 9.0);
    assert_eq!(cause.base, Base::Observation(Place { signal: STATUS, position: 9 }));
    assert_eq!(cause.matches[0].found, Some(Place { signal: SPEED, position: 8 }));
    let window = &cause.windows[0];
    assert_eq!(window.frames[0].times_ns, [6.0, 7.0, 8.0, 9.0].map(at));
    let from: Vec<_> = window.features[1].from.iter().map(|from| from[0].position).collect();
    assert_eq!(from, [5, 6, 7, 8]);
    let label = cause.label.unwrap();
    assert_eq!((label.after_ns, label.to_ns), (at(10.0), at(15.0)));
    assert_eq!(label.onsets.iter().map(|onset| onset.time_ns).collect::<Vec<_>>(), [10.0, 12.0].map(at));
    let told: Vec<_> = cause.judgements.iter().map(|one| (one.reason, one.of.as_str(), one.holds)).collect();
    assert_eq!(
        told,
        [
            (Reason::Gap, "status", false),
            (Reason::Count, "status", false),
            (Reason::Gap, "speed", false),
            (Reason::Count, "speed", false),
            (Reason::EventInMatch, "stop", false),
            (Reason::EventInLead, "stop", true),
        ]
    );
    assert_eq!(cause.judgements[5].found, Found::Onsets(vec![at(10.0)]));
}

#[test]
fn an_event_row_names_what_was_known_before_it() {
    let pipeline = words(EVENTS);
    let cause = cause(&pipeline, 10.0);
    assert_eq!(cause.base, Base::Onset(Place { signal: STATUS, position: 10 }));
    // The speed at 10.1 is nearer than the one at 9.1, but comes after.
    assert_eq!(cause.matches[0].found, Some(Place { signal: SPEED, position: 9 }));
    // Its own columns are null: only the match is behind what is derived from both.
    assert_eq!(cause.derived[1].from, [Place { signal: SPEED, position: 9 }]);
    let (rows, observations) = (&cause.windows[0], &cause.windows[1]);
    assert_eq!(rows.frames[0].times_ns, [6.0, 7.0, 8.0, 9.0].map(at));
    let last = [Place { signal: STATUS, position: 9 }, Place { signal: SPEED, position: 9 }];
    assert_eq!((rows.features[1].from[3].as_slice(), &rows.frames[0].seen), (&last[..], &vec![true; 4]));
    assert_eq!(observations.features[0].from[0], [Place { signal: SPEED, position: 6 }]);
    let controls = traced(&pipeline, Span::ALL).causes;
    let drawn = controls.iter().filter_map(|cause| match &cause.base {
        Base::Control { onsets_ns, .. } => Some(onsets_ns.clone()),
        _ => None,
    });
    assert!(drawn.clone().count() >= 2 && drawn.into_iter().all(|onsets| !onsets.is_empty()));
}

#[test]
fn a_value_that_was_not_known_yet_is_told_as_unseen() {
    let mut late = speeds();
    late[8].1 = at(20.0);
    let pipeline = two_clocks(EVENTS);
    let span = Span { from_ns: at(10.0), to_ns: at(10.0) + 1 };
    let trace = compiled(&pipeline).trace(&robot(&pipeline, &[statuses(), late]), span).unwrap();
    let window = &trace.causes[0].windows[1];
    assert_eq!(window.frames[0].seen, [true, true, false, true]);
    insist_on_statistics(&pipeline, &trace.rows, &trace.causes[0]);
}

#[test]
fn a_point_of_a_grid_names_what_keeps_it_alive() {
    let cause = cause(&words(GRID), 3.0);
    let alive = [Place { signal: STATUS, position: 3 }, Place { signal: SPEED, position: 2 }];
    assert_eq!(cause.base, Base::Point(alive.to_vec()));
    assert_eq!(cause.matches[0].found, Some(Place { signal: SPEED, position: 3 }));
}
