//! Sharding is invisible: however an archive is cut and whoever computes it, the same rows, bit for bit.

use crate::words::{OBJECT, SMALL, change, fleet, good};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::shown::{count, shown};
use fleetloom_tests::{program, python};
use std::fs;
use std::path::Path;

/// Hours of the fleet: over midnight, so that there are two days to cut.
const HOURS: u32 = 26;

/// Words of a fleet with something added to its pipeline.
fn with(file: &Path, added: &str) -> String {
    change(&fs::read_to_string(file).expect("the words are there"), "\n  result:", &format!("\n  {added}\n  result:"))
}

/// Publishes the archive with other words into a result of its own; returns (shards, digest of the rows).
fn published(place: &Place, name: &str, words: &str, arguments: &[&str]) -> (usize, String) {
    let words = change(words, "url: result/", &format!("url: {name}/"));
    let file = place.write(&format!("{name}.yaml"), words).display().to_string();
    let mut all = vec!["run", "-f", &file];
    all.extend(arguments);
    program::fleetloom(&all).expect(0);
    (place.names(&format!("{name}/_fleetloom/reports")).len(), python::digest(&place.path(name)))
}

#[test]
fn every_cut_gives_the_same_rows() {
    let (place, file) = fleet(4, HOURS, 11, true);
    let (days, whole) = published(&place, "whole", &with(&file, "shards: {bytes: 10Gi}"), &[]);
    let mut counts = vec![days];
    for bytes in ["20Mi", "5Mi", "1Mi"] {
        let (shards, rows) = published(&place, bytes, &with(&file, &format!("shards: {{bytes: {bytes}}}")), &[]);
        assert_eq!(rows, whole, "{shards} shards of {bytes}");
        counts.push(shards);
    }
    assert!(counts.is_sorted() && counts[0] <= 3 && counts[3] >= 7, "shards: {counts:?}");
}

/// JSON bytes that all shards unpacked, from their reports.
fn unpacked_bytes(place: &Place) -> u64 {
    let bytes = |name: &String| {
        let text = fs::read(place.path(&format!("result/_fleetloom/reports/{name}"))).expect("the report is there");
        let report: serde_json::Value = serde_json::from_slice(&text).expect("a report is JSON");
        report["timings"]["unpack"]["bytes"].as_u64().expect("a report says what was unpacked")
    };
    place.reports().iter().map(bytes).sum()
}

#[test]
fn a_run_decodes_no_member_twice() {
    for order in ["robot", "time"] {
        let place = Place::new();
        let out = place.folder().display().to_string();
        let fleet = ["simulate", "--robots", "4", "--hours", "26", "--seed", "3", "--order", order, "--out", &out];
        program::fleetloom(&fleet).expect(0);
        let file = place.words(&with(&place.path("fleetloom.yaml"), "shards: {bytes: 1Mi}"));
        program::run(&file).expect(0);
        let shards = place.reports().len();
        assert!(shards >= 7, "{shards} shards");
        assert_eq!(unpacked_bytes(&place), count(&shown(&file), "members.json_bytes"), "{shards} shards, by {order}");
    }
}

#[test]
fn a_grid_goes_on_into_a_day_without_members() {
    let place = Place::new();
    place.write(OBJECT, pack::zip(&[good("r1", 43_195)]));
    let words = change(SMALL, "covers: 5s", "covers: 1s\n  lateness: 0s");
    let words = change(
        &words,
        "rows: {signal: speed}",
        "rows: {every: 5s, alive: 30s}\n  join: [{signal: speed, tolerance: 1m}]",
    );
    let file = place.words(&words);
    program::run(&file).expect(0);
    assert_eq!(count(&shown(&file), "rows.written"), 7, "the points from 23:59:55 to 00:00:25");
}

#[test]
fn threads_and_memory_change_nothing() {
    let (place, file) = fleet(6, 2, 5, true);
    let words = with(&file, "shards: {bytes: 1Mi}");
    let (_, whole) = published(&place, "plain", &words, &[]);
    let efforts = [
        ("one", ["--threads", "1"]),
        ("two", ["--threads", "2"]),
        ("three", ["--threads", "3"]),
        ("five", ["--threads", "5"]),
        ("eight", ["--threads", "8"]),
        ("least", ["--memory", "64Mi"]),
        ("little", ["--memory", "128Mi"]),
        ("all", ["--memory", "1Ti"]),
    ];
    for (name, arguments) in efforts {
        assert_eq!(published(&place, name, &words, &arguments).1, whole, "{arguments:?}");
    }
}
