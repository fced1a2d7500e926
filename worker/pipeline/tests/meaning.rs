//! Which words touch rows, and how far a row can look: the canonical meaning and the reach of pipelines.

use fleetloom_pipeline::check::check;
use fleetloom_pipeline::meaning::{differences, meaning};
use fleetloom_pipeline::pipeline::Pipeline;
use fleetloom_pipeline::reach::{Margin, Reach, member_margin, reach};
use fleetloom_pipeline::read::Words;

const WHOLE: &str = include_str!("words/whole.yaml");
const SECOND_NS: i64 = 1_000_000_000;
const MEMORY: i64 = 600;

fn pipeline(text: &str) -> Pipeline {
    match check(&Words::read(text, None, Some("/home/ada"))) {
        Ok(mut checked) => checked.pipelines.remove(0),
        Err(mistakes) => panic!("{mistakes:?}"),
    }
}

/// The whole example with one piece of text replaced by another, which must be there.
fn with(old: &str, new: &str) -> Pipeline {
    assert!(WHOLE.contains(old), "{old}");
    pipeline(&WHOLE.replacen(old, new, 1))
}

fn changed(old: &str, new: &str) -> String {
    differences(&meaning(&pipeline(WHOLE)), &meaning(&with(old, new))).join(" ")
}

#[test]
fn words_that_touch_no_row_change_nothing() {
    for (old, new) in [
        ("metadata: {name: ur3, labels: {team: robots}}", "metadata: {name: ur3}"),
        ("name: ur3-stops}", "name: other}\n# a comment"),
        ("pipeline: ur3-stops", "pipeline: ur3-stops  "),
        ("data/ur3/", "elsewhere/"),
        ("out/ur3-stops/", "out/"),
        ("telemetry-read", "another"),
        ("{from: 2022-10-01, to: 2022-11-01}", "{from: 2022-10-05, to: 2022-11-01}"),
        ("failedShards: 0", "failedShards: 3"),
        ("bytes: 256Mi", "bytes: 1Mi"),
        ("retention: 7d", "retention: 9d"),
        ("parallelism: 8", "parallelism: 80"),
        ("poll: 5m", "poll: 6m"),
        ("    clock: event\n", ""),
        ("    duplicates: Last\n", ""),
        ("  lateness: 10m\n", ""),
        ("  lateness: 10m\n", "  lateness: 600s\n"),
        (", refractory: 0s, memory: 10m", ""),
        ("excludes: [protective_stop, grip_lost]", "excludes: [grip_lost, protective_stop]"),
        (", lead: 0s", ""),
        ("columns: [j5, j0]", "columns: [j0, j5]"),
        ("    over: Rows\n", ""),
        ("    invalid: Keep\n", ""),
        ("[\"current.*\", effort]", "[current.j0, current.j1, effort]"),
        ("[\"\", \"-1\"]", "[\"-1\", \"\"]"),
    ] {
        // The Run names its pipeline; a renamed pipeline takes it along.
        let text = WHOLE.replacen(old, new, 1);
        assert_ne!(text, WHOLE, "{old}");
        let text =
            if old == "name: ur3-stops}" { text.replace("pipeline: ur3-stops", "pipeline: other") } else { text };
        let (old_meaning, new_meaning) = (meaning(&pipeline(WHOLE)), meaning(&pipeline(&text)));
        assert_eq!(old_meaning.to_string(), new_meaning.to_string(), "{old} -> {new}");
        assert!(differences(&old_meaning, &new_meaning).is_empty());
    }
}

#[test]
fn a_change_that_touches_rows_is_named_by_its_field() {
    assert_eq!(changed("lateness: 10m", "lateness: 11m"), "archive.lateness");
    assert_eq!(changed("scale: 0.001", "scale: 0.002"), "archive.signals[current].columns[j1].scale");
    assert_eq!(changed("{name: j0, unit: A}", "{name: j0, unit: mA}"), "archive.signals[current].columns[j0].unit");
    assert_eq!(changed("zone: UTC}", "zone: Asia/Tokyo}"), "archive.signals[temperature].times[event].unit.zone");
    assert_eq!(changed("/type: joint", "/type: tool"), "archive.signals[temperature].match[/type].text");
    assert_eq!(changed("exclude: []", "exclude: [ur3-9]"), "pipeline.robots.exclude");
    assert_eq!(changed("tolerance: 500ms", "tolerance: 501ms"), "pipeline.join[current].tolerance");
    assert_eq!(changed("memory: 10m", "memory: 24h"), "pipeline.events[protective_stop].memory");
    assert_eq!(changed("span: 42s", "span: 43s"), "pipeline.windows[0].span");
    assert_eq!(changed("[last, delta]", "[last]"), "pipeline.windows[0].features[3].statistics");
    assert_eq!(
        changed("{signal: status}", "{every: 1s}"),
        "pipeline.rows.signal pipeline.rows.every pipeline.rows.alive"
    );
    assert_eq!(changed("invalid: Keep", "invalid: Drop"), "pipeline.result.invalid");
    assert_eq!(
        changed("    - {name: j0, unit: A}\n", "    - {name: j9}\n    - {name: j0, unit: A}\n"),
        "archive.signals[current].columns[j9] pipeline.join[current].columns pipeline.windows[0].features"
    );
    assert_eq!(
        changed(
            "  - {name: grip_lost, signal: status, when: \"grip_lost\", edge: Rise}\n",
            "  - {name: grip_lost, signal: status, when: \"grip_lost\", edge: Fall}\n"
        ),
        "pipeline.events[grip_lost].edge"
    );
}

#[test]
fn a_meaning_survives_being_stored_as_json() {
    for scale in ["0.1", "1e-300", "2.2250738585072014e-308", "123456789012345680000", "-5"] {
        let meaning = meaning(&with("scale: 0.001", &format!("scale: {scale}")));
        let stored: serde_json::Value = serde_json::from_str(&meaning.to_string()).unwrap();
        assert_eq!(stored, meaning);
        assert!(differences(&stored, &meaning).is_empty());
    }
}

fn reaches(old: &str, new: &str) -> (i64, i64) {
    let Reach { back_ns, forward_ns } = reach(&with(old, new));
    (back_ns / SECOND_NS, forward_ns / SECOND_NS)
}

#[test]
fn the_reach_is_the_sum_along_the_chain() {
    // Back: 2 windows of 42 s, Backward 5 s, memory. Forward: Nearest 0.5 s, lateness (a known clock), horizon, memory.
    let Reach { back_ns, forward_ns } = reach(&pipeline(WHOLE));
    assert_eq!(back_ns, (2 * 42 + 5 + MEMORY) * SECOND_NS);
    assert_eq!(forward_ns, (600 + 10 + MEMORY) * SECOND_NS + SECOND_NS / 2);
}

#[test]
fn each_term_of_the_reach_counts() {
    let back = 2 * 42 + 5 + MEMORY;
    let forward = 600 + 10 + MEMORY;
    assert_eq!(reaches("span: 42s", "span: 50s"), (back + 16, forward));
    assert_eq!(reaches("tolerance: 500ms", "tolerance: 20s"), (back + 15, forward + 20));
    assert_eq!(
        reaches("direction: Nearest, tolerance: 500ms", "direction: Forward, tolerance: 20s"),
        (back, forward + 20)
    );
    assert_eq!(reaches("refractory: 0s", "refractory: 7s"), (back + 7, forward));
    assert_eq!(reaches("memory: 10m", "memory: 20m"), (back + 600, forward + 600));
    assert_eq!(reaches("    known: logged\n", ""), (back, forward - 600));
    assert_eq!(reaches("lead: 0s", "lead: 3s"), (back, forward + 3));
    assert_eq!(reaches("horizon: 10s", "horizon: 1h"), (back, forward + 3_590));
    assert_eq!(reaches("{signal: status}", "{every: 1s}"), (back + 30, forward));
    assert_eq!(reaches("  label: {event: protective_stop, horizon: 10s, lead: 0s}\n", ""), (back, 600));
}

#[test]
fn controls_reach_further_on_both_sides() {
    let text = WHOLE
        .replace("{signal: status}", "{event: protective_stop, controls: {perEvent: 3, apart: 120s}}")
        .replace(", horizon: 10s, lead: 0s", "");
    let Reach { back_ns, forward_ns } = reach(&pipeline(&text));
    let controls = 2 * 3_600 + 120;
    assert_eq!(back_ns, (2 * 42 + 5 + MEMORY + controls) * SECOND_NS);
    assert_eq!(forward_ns, (600 + MEMORY + controls) * SECOND_NS + SECOND_NS / 2);
}

#[test]
fn an_endless_reach_stops_at_the_end_of_time() {
    let longest = WHOLE
        .replace("memory: 10m", "memory: 106751d")
        .replace("span: 42s", "span: 106751d")
        .replace("horizon: 10s", "horizon: 106751d");
    assert_eq!(reach(&pipeline(&longest)), Reach { back_ns: i64::MAX, forward_ns: i64::MAX });
}

#[test]
fn members_are_looked_for_with_lateness_and_what_they_cover() {
    let archive = pipeline(WHOLE).archive;
    assert_eq!(member_margin(&archive), Margin { before_ns: 605 * SECOND_NS, after_ns: 600 * SECOND_NS });
}
