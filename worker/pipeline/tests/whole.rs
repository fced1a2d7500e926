//! Words in which nothing is wrong: every field of the three kinds, and what becomes of them.

use fleetloom_pipeline::check::{Checked, check};
use fleetloom_pipeline::columns::result_columns;
use fleetloom_pipeline::pipeline::{Rows, Source};
use fleetloom_pipeline::read::Words;

fn ready(text: &str) -> Checked {
    match check(&Words::read(text, Some("whole.yaml"), Some("/home/ada/fleet"))) {
        Ok(checked) => checked,
        Err(mistakes) => panic!("{}", mistakes.iter().map(|mistake| format!("{mistake}\n")).collect::<String>()),
    }
}

#[test]
fn a_file_with_every_field_has_no_mistake() {
    let checked = ready(include_str!("words/whole.yaml"));
    let (archive, pipeline, run) = (&checked.archives[0], &checked.pipelines[0], &checked.runs[0]);
    assert_eq!(archive.store.url, "file:///home/ada/fleet/data/ur3/");
    assert_eq!(pipeline.spec.result.store.url, "file:///home/ada/fleet/out/ur3-stops/");
    assert_eq!(archive.signals[0].known_clock, Some(1));
    assert_eq!(pipeline.rows, Rows::Signal { signal: 2 });
    assert_eq!(pipeline.joins[1].columns, [0, 1], "in the signal's order");
    assert_eq!(pipeline.windows[0].features[2].column, Source::Derived(0));
    assert_eq!((pipeline.windows[0].suffix.as_str(), pipeline.windows[1].suffix.as_str()), ("", "10s"));
    assert_eq!((pipeline.tolerate.drift[0].null_share, pipeline.tolerate.drift[0].mean_shift), (Some(0.05), Some(3.0)));
    assert_eq!(run.pipeline, pipeline.name);
    let notes: Vec<String> = checked.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["Pipeline ur3-stops: spec.windows[1].features: the label's own signal status feeds features here \
          (status_mode); a model may learn the label from itself"]
    );
}

#[test]
fn result_columns_come_in_the_order_of_the_words() {
    let checked = ready(include_str!("words/whole.yaml"));
    let names: Vec<String> = result_columns(&checked.pipelines[0]).into_iter().map(|column| column.name).collect();
    assert_eq!(
        names.join(" "),
        "robot date time known_at status_protective_stop status_grip_lost status_cycle status_mode status_since \
         current_j0 current_j1 current_dt_us temperature_j0 temperature_j5 temperature_dt_us effort \
         current_j0_mean current_j0_std current_j0_min current_j0_max current_j0_slope \
         current_j1_mean current_j1_std current_j1_min current_j1_max current_j1_slope \
         effort_mean effort_std effort_min effort_max effort_slope temperature_j0_last temperature_j0_delta \
         status_mode_changes_10s status_mode_last_10s status_grip_lost_changes_10s status_grip_lost_last_10s \
         label label_event_time valid invalid_reason"
    );
}

#[test]
fn the_shortest_words_are_enough() {
    let checked = ready(
        "\
apiVersion: fleetloom.dev/v1alpha1
kind: Archive
metadata: {name: comma}
spec:
  store: {url: ../data/comma}
  objects: '{robot}/{seconds}.json'
  format: NdJson
  robot: {capture: robot}
  signals:
  - {name: speed, at: '/speed[*]', times: [{name: t, unit: s}], columns: [{name: speed}]}
  - {name: fix, at: '/signals/*', times: [{name: t, field: ../ts, unit: ms}], columns: [{name: key, field: '@key', type: string}]}
---
apiVersion: fleetloom.dev/v1alpha1
kind: Pipeline
metadata: {name: grid, creationTimestamp: null, uid: x}
spec:
  archive: comma
  rows: {every: 1s}
  join: [{signal: speed, tolerance: 10ms}]
  result: {store: {url: file:///tmp/grid}}
status: {phase: Complete}
",
    );
    let pipeline = &checked.pipelines[0];
    assert_eq!(pipeline.archive.store.url, "file:///home/ada/data/comma/");
    assert_eq!(pipeline.rows, Rows::Grid { every_ns: 1_000_000_000, during: None, alive_ns: 30_000_000_000 });
    assert_eq!((pipeline.archive.lateness_ns, pipeline.archive.covers_ns), (600_000_000_000, 0));
    assert!(checked.notes.is_empty());
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let text = format!("\u{feff}{}", include_str!("words/whole.yaml").replace('\n', "\r\n"));
    assert_eq!(ready(&text), ready(include_str!("words/whole.yaml")));
}

#[test]
fn a_field_with_a_position_in_brackets_is_noted() {
    let checked = ready(
        r#"
apiVersion: fleetloom.dev/v1alpha1
kind: Archive
metadata: {name: arm}
spec:
  store: {url: data}
  objects: "{robot}.json"
  format: Json
  robot: {capture: robot}
  signals:
  - name: pose
    times: [{name: event, field: /ts, unit: ms}]
    columns: [{name: j0, field: "/q[0]"}, {name: j1, field: /q/1}]
"#,
    );
    let [note] = &checked.notes[..] else { panic!("{:?}", checked.notes) };
    let wanted =
        "Archive arm: spec.signals[pose].columns[j0]: reads the key `q[0]`; an element of an array is written /q/0";
    assert_eq!(note.to_string(), wanted);
}
