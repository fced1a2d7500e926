//! What a run costs: memory that does not grow with the archive's length.

use crate::words::{OBJECT, SMALL, change, fleet};
use fleetloom_tests::place::Place;
use fleetloom_tests::{pack, program, python};
use std::fs;

/// What four days of six robots take at most on two threads, KiB. At most two robots' days are held at once, one that is gathered
/// and one that is computed, and how far these overlap is chance: one day takes 185 to 235 MiB, four take 205 to 235. Held whole,
/// four days would be some 600 MB of observations, 500 of rows and 80 of members.
const FOUR_DAYS_KIB: u64 = 280 << 10;

#[test]
fn memory_does_not_grow_with_the_length_of_the_archive() {
    let (_place, file) = fleet(6, 96, 41, false);
    let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str(), "--threads".as_ref(), "2".as_ref()]);
    let peak = run.peak_kib();
    run.finish().expect(0);
    assert!(peak <= FOUR_DAYS_KIB, "four days of six robots took {peak} KiB");
}

#[test]
fn a_shard_that_does_not_fit_into_memory_is_cut_until_it_does() {
    let (place, file) = fleet(1, 48, 43, false);
    program::run(&file).expect(0);
    let (whole, shards) = (python::digest(&place.result()), place.reports().len());
    fs::remove_dir_all(place.result()).expect("the table can be removed");
    let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str(), "--memory".as_ref(), "128Mi".as_ref()]);
    let peak = run.peak_kib();
    run.finish().expect(0).says("did not fit into memory");
    assert!(peak <= 128 << 10, "{peak} KiB");
    assert!(place.reports().len() > shards && !place.names("result/_fleetloom/splits").is_empty());
    assert_eq!(python::digest(&place.result()), whole);
    program::run(&file).expect(0).says("nothing changed");
}

#[test]
fn robots_whose_objects_tell_only_the_day_are_cut_from_each_other() {
    let place = Place::new();
    let filler = "x".repeat(960);
    for robot in 0..8 {
        let line =
            |n: u64| format!("{{\"ts\": {}, \"v\": {n}, \"filler\": \"{filler}\"}}\n", 1_714_564_800_000 + n * 10);
        let lines: String = (0..8_000).map(line).collect();
        // Packed they are nothing, so that all of them are read together: 64 MB at once.
        place.write(&format!("archive/2024-05-01-r{robot}.json.gz"), pack::gzip(lines.as_bytes()));
    }
    let words = change(SMALL, "\"{date}.zip\"\n  members: \"{robot}/{millis}.json*\"", "\"{date}-{robot}.json.gz\"");
    let words = change(&words, "format: Json", "format: NdJson");
    let words = change(&words, "at: /speed[*]\n    ", "");
    let file =
        place.words(&change(&words, "columns: [{name: v}]", "columns: [{name: v}, {name: filler, type: string}]"));
    program::run(&file).expect(0);
    let whole = python::digest(&place.result());
    fs::remove_dir_all(place.result()).expect("the table can be removed");
    let file = file.display().to_string();
    program::fleetloom(&["run", "-f", &file, "--memory", "128Mi"]).expect(0).says("did not fit into memory");
    assert_eq!(python::digest(&place.result()), whole);
    let splits = place.names("result/_fleetloom/splits").len();
    // The days before and after read them too: into each of those an observation could stray.
    assert!((1..=3 * 7).contains(&splits), "{splits} cuts for eight robots");
}

#[test]
fn a_shard_that_cannot_be_cut_any_smaller_says_what_to_do() {
    let place = Place::new();
    let record = format!(r#"{{"ts": 1714564800000, "v": 1, "pad": "{}"}}"#, "x".repeat(1 << 20));
    let member = |second: u64| {
        let document = format!(r#"{{"speed": [{record}]}}"#)
            .replace("1714564800000", &(1_714_564_800_000 + second * 1000).to_string());
        pack::Entry::deflated(format!("r1/{}.json", 1_714_564_800_000 + second * 1000), document.as_bytes())
    };
    place.write(OBJECT, pack::zip(&(0..48).map(member).collect::<Vec<_>>()));
    let words = change(SMALL, "columns: [{name: v}]", "columns: [{name: v}, {name: pad, type: string}]");
    let words =
        change(&words, "  windows:", "  events: [{name: e, signal: speed, when: \"v > 2\", memory: 2d}]\n  windows:");
    let file = place.words(&words).display().to_string();
    let run = program::fleetloom(&["run", "-f", &file, "--memory", "128Mi"]);
    assert!(run.expect(6).says("give it more (--memory").elapsed.as_secs() < 60);
    assert!(place.versions().is_empty());
    program::fleetloom(&["run", "-f", &file, "--memory", "512Mi"]).expect(0);
}
