//! What `check` refuses: each mistake with its place in the file, and what to write instead. All of them at once.

use crate::words::{SMALL, change, example};
use fleetloom_tests::place::Place;
use fleetloom_tests::program;

/// Checks changed words of the ur3 example: exit code 2, and every one of these texts is said.
fn refused(changes: &[(&str, &str)], said: &[&str]) {
    let place = Place::new();
    let words = changes.iter().fold(example(&place, "ur3"), |words, (from, to)| change(&words, from, to));
    let outcome = program::check(&place.words(&words)).expect(2);
    said.iter().fold(outcome, |outcome, words| outcome.says(words));
    assert!(place.names("ur3-stops").is_empty(), "check writes nothing");
}

/// The derived column of both pipelines, with another expression.
fn effort(expression: &str, said: &[&str]) {
    refused(&[("\"abs(current.j0) + abs(current.j1) + abs(current.j2)\"", &format!("\"{expression}\""))], said);
}

#[test]
fn both_examples_are_accepted() {
    for name in ["ur3", "comma"] {
        let place = Place::new();
        program::check(&place.words(&example(&place, name))).expect(0);
    }
}

#[test]
fn a_clock_in_an_expression() {
    effort("current.j0 + extract(epoch from now())", &["spec.derive[effort].expression", "now"]);
}

#[test]
fn chance_in_an_expression() {
    effort("current.j0 + random()", &["spec.derive[effort].expression", "random"]);
}

#[test]
fn an_aggregate_in_an_expression() {
    effort("sum(current.j0)", &["spec.derive[effort].expression", "sum", "windows"]);
}

#[test]
fn an_unknown_column_in_an_expression() {
    effort("current.j7 + 1.0", &["spec.derive[effort].expression", "j7"]);
}

#[test]
fn an_expression_that_is_no_sql() {
    effort("current.j0 +", &["spec.derive[effort].expression"]);
}

#[test]
fn a_condition_that_is_no_condition() {
    refused(&[("when: protective_stop}", "when: cycle}")], &["spec.events[protective_stop].when"]);
}

#[test]
fn a_misspelt_field() {
    refused(&[("horizon: 10s", "horizn: 10s")], &["spec.label.horizn", "horizon"]);
}

#[test]
fn a_label_without_its_event() {
    refused(
        &[("label: {event: protective_stop, horizon", "label: {event: protectve_stop, horizon")],
        &["spec.label.event", "protectve_stop", "protective_stop"],
    );
}

#[test]
fn a_result_inside_the_archive() {
    let place = Place::new();
    let words = change(SMALL, "url: result/", "url: archive/result/");
    program::check(&place.words(&words)).expect(2).says("spec.result.store.url").says("archive");
}

#[test]
fn a_result_around_the_archive() {
    let place = Place::new();
    let words = change(SMALL, "url: result/", "url: ./");
    program::check(&place.words(&words)).expect(2).says("spec.result.store.url");
}

#[test]
fn a_tolerance_that_is_no_duration() {
    refused(
        &[("signal: current, tolerance: 500ms", "signal: current, tolerance: 500")],
        &["spec.join[0].tolerance", "500"],
    );
}

#[test]
fn a_signal_that_is_not_mapped() {
    refused(&[("signal: current, tolerance", "signal: curent, tolerance")], &["spec.join[0].signal", "current"]);
}

#[test]
fn a_statistic_that_does_not_exist() {
    refused(&[("[mean, std, min, max, slope]", "[mean, average]")], &["spec.windows[0].features[0]", "average"]);
}

#[test]
fn a_statistic_of_another_type() {
    refused(
        &[("columns: [status.cycle], statistics: [count, delta]", "columns: [status.grip_lost], statistics: [mean]")],
        &["spec.windows[0].features[2]", "grip_lost"],
    );
}

/// Checks changed small words: exit code 2 and one mistake, which says this.
fn one_mistake(changes: &[(&str, &str)], said: &str) {
    let place = Place::new();
    let words = changes.iter().fold(SMALL.to_owned(), |words, (from, to)| change(&words, from, to));
    program::check(&place.words(&words)).expect(2).says("1 mistake;").says(said);
}

#[test]
fn one_mistake_is_one_line() {
    let texts = ("columns: [{name: v}]", "columns: [{name: v, type: string}, {name: w, type: string}]");
    one_mistake(
        &[texts, ("columns: [speed.v], statistics: [count, mean]", "columns: [\"speed.*\"], statistics: [mean]")],
        "speed.v (and 1 more)",
    );
    let event = "rows: {signal: speed}\n  events: [{name: e, signal: speed, when: \"\"}]";
    one_mistake(&[("rows: {signal: speed}", event)], "spec.events[e].when");
    let derive = "rows: {signal: speed}\n  derive: [{name: d, expression: \" \"}]";
    one_mistake(&[("rows: {signal: speed}", derive)], "spec.derive[d].expression");
    one_mistake(&[("rows: {signal: speed}", "where: \"\"\n  rows: {signal: speed}")], "spec.where");
    let join = "rows: {every: 1s}\n  join: [{signal: speed, tolerance: 1s}, {signal: speed, tolerance: 2s}]";
    one_mistake(&[("rows: {signal: speed}", join)], "spec.join[1].signal");
}

#[test]
fn two_columns_of_one_name() {
    refused(&[("{name: effort, expression", "{name: current_j0, expression")], &["current_j0"]);
}

#[test]
fn event_rows_with_a_horizon() {
    refused(
        &[("label: {event: protective_stop}", "label: {event: protective_stop, horizon: 5s}")],
        &["spec.label.horizon"],
    );
}

#[test]
fn a_file_that_is_no_yaml_or_not_there() {
    let place = Place::new();
    program::check(&place.words("kind: [")).expect(2).says("pipeline.yaml");
    program::check(&place.path("absent.yaml")).expect(2).says("absent.yaml");
    program::check(&place.words("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")).expect(2).says("ConfigMap");
}

#[test]
fn all_mistakes_at_once() {
    refused(
        &[
            ("horizon: 10s", "horizn: 10s"),
            ("direction: Backward, tolerance: 5s", "direction: Backwards, tolerance: 5s"),
            ("{count: 10, gap: 5s}", "{count: 10, gap: 5}"),
            ("abs(current.j0) + abs(current.j1)", "abs(current.j9)"),
        ],
        &[
            "spec.label.horizn",
            "spec.join[1].direction",
            "spec.windows[0].requires.gap",
            "spec.derive[effort].expression",
        ],
    );
}

#[test]
fn a_wrong_file_is_not_run_either() {
    let place = Place::new();
    let words = change(SMALL, "rows: {signal: speed}", "rows: {signal: sped}");
    program::run(&place.words(&words)).expect(2).says("spec.rows.signal").says("speed");
    assert!(place.names("result").is_empty());
}
