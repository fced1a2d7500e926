//! A replay gives the published rows again, bit for bit, or shows the first difference; it writes nothing to the result.

use crate::words::{OBJECT, change, fleet, good, small};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Outcome, fleetloom};
use fleetloom_tests::python;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs `fleetloom replay`.
fn replay(file: &Path, arguments: &[&str]) -> Outcome {
    let file = file.display().to_string();
    fleetloom(&[&["replay", "-f", &file], arguments].concat())
}

/// The ledger of a version.
fn ledger(file: &Path, version: &str) -> Vec<Value> {
    let file = file.display().to_string();
    let show = fleetloom(&["show", "-f", &file, "--section", "ledger", "--version", version, "--json"]).expect(0);
    let shown: Value = serde_json::from_str(&show.stdout).expect("show prints JSON");
    shown["ledger"].as_array().expect("a ledger").clone()
}

/// Every file below a folder, with its size.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it is readable")) {
        let state = entry.metadata().expect("the file is there");
        if state.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), state.len()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_shard_of_several_days_is_given_again_bit_for_bit() {
    let (place, file) = fleet(2, 27, 17, true);
    let words = fs::read_to_string(&file).unwrap();
    let file = place.words(&change(&words, "\n  result:", "\n  shards: {bytes: 4Mi}\n  result:"));
    program::run(&file).expect(0);
    let shards = ledger(&file, "0");
    assert!(shards.len() >= 6, "{} shards", shards.len());
    let before = files(&place.result());
    for (index, shard) in shards.iter().enumerate() {
        let key = shard["key"].as_str().unwrap();
        let outcome =
            replay(&file, &["--shard", key, "--json", "--threads", if index % 2 == 0 { "1" } else { "3" }]).expect(0);
        let said: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!((&said["equal"], &said["rows"]["equal"]), (&true.into(), &shard["rows"]), "{outcome}");
    }
    replay(&file, &["--index", "0"]).expect(0).says("equal: ").says("bit for bit, and the account");
    assert_eq!(files(&place.result()), before, "a replay writes nothing to the result");
}

#[test]
fn a_shard_that_was_carried_over_is_replayed_by_the_plan_that_made_it() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    place.write("archive/2024-05-02.zip", pack::zip(&[good("r1", 86_400)]));
    program::run(&file).expect(0);
    place.write("archive/2024-05-02.zip", pack::zip(&[good("r1", 86_400), good("r1", 86_405)]));
    let run = ["run", "-f", &file.display().to_string(), "--range", "2024-05-02..2024-05-03"].map(str::to_owned);
    fleetloom(&run).expect(0);
    let shards = ledger(&file, "1");
    assert_eq!(shards.iter().map(|shard| &shard["state"]).collect::<Vec<_>>(), ["carried", "done"]);
    for shard in &shards {
        replay(&file, &["--shard", shard["key"].as_str().unwrap()]).expect(0).says("bit for bit");
    }
    // The first version read a zip that was replaced since.
    let old = ledger(&file, "0");
    replay(&file, &["--version", "0", "--shard", old[1]["key"].as_str().unwrap()]).expect(5).says("2024-05-02.zip");
    replay(&file, &["--version", "0", "--shard", old[0]["key"].as_str().unwrap()]).expect(0);
}

#[test]
fn an_input_that_was_replaced_or_removed_ends_with_5_and_its_name() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    place.write(OBJECT, pack::zip(&[good("r1", 0), good("r1", 6)]));
    replay(&file, &["--index", "0"]).expect(5).says("2024-05-01.zip").says("was replaced");
    fs::remove_file(place.path(OBJECT)).unwrap();
    replay(&file, &["--index", "0"]).expect(5).says("2024-05-01.zip");
}

#[test]
fn other_words_are_refused_unless_their_effect_is_asked_for() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    let other = change(&fs::read_to_string(&file).unwrap(), "span: 10s", "span: 5s\n    suffix: 10s");
    let other = place.write("other.yaml", other);
    replay(&other, &["--index", "0"]).expect(2).says("pipeline.windows[0].span").says("--other-words");
    let outcome = replay(&other, &["--index", "0", "--other-words"]).expect(5).says("as other words");
    assert!(
        outcome.stdout.contains("| r1    | 2024-05-01T12:00:05Z | speed_v_count_10s | 2         | 1          |"),
        "{outcome}"
    );
    replay(&file, &["--index", "0", "--other-words"]).expect(0);
    for (arguments, why) in [
        (&["--shard", "xyz"][..], "has no shard xyz"),
        (&["--index", "7"], "has 1 shards"),
        (&["--index", "0", "--version", "3"], "no version 3"),
    ] {
        replay(&file, arguments).expect(2).says(why);
    }
}

/// A table with one shard whose published file a script changed.
fn tampered(same: &[&str]) -> (Place, PathBuf) {
    let entries: Vec<_> = (0..600).map(|n| good("r1", n * 5)).collect();
    let (place, file) = small(&entries);
    program::run(&file).expect(0);
    let day = "result/date=2024-05-01";
    let data = place.path(day).join(&place.names(day)[0]).display().to_string();
    let arguments = [data.as_str(), "speed_v", "7"];
    python::script("tamper.py", &[&arguments, same].concat());
    (place, file)
}

#[test]
fn a_published_file_that_was_changed_is_told_by_its_first_difference() {
    let (_place, file) = tampered(&[]);
    let outcome =
        replay(&file, &["--index", "0"]).expect(5).says("the ledger says").says("a published file was changed");
    assert!(
        outcome.stdout.contains("| r1    | 2024-05-01T12:00:35Z | speed_v | 36.0      | 35.0       |"),
        "{outcome}"
    );
    assert!(outcome.stdout.contains("599 rows equal, 1 different"), "{outcome}");
}

#[test]
fn a_difference_that_nothing_explains_is_a_broken_promise() {
    let (_place, file) = tampered(&["same"]);
    let outcome = replay(&file, &["--index", "0", "--json"]).expect(70);
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&said["resized"], &said["rows"]["different"]), (&Value::Null, &1.into()), "{outcome}");
    assert_eq!(said["rows"]["first"]["column"], "speed_v");
    let file = file.display().to_string();
    fleetloom(&["trace", "-f", &file, "--robot", "r1", "--time", "2024-05-01T12:00:35Z"])
        .expect(70)
        .says("| speed_v |");
}

#[test]
fn a_published_file_that_is_torn_or_gone_is_a_changed_table() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    let day = "result/date=2024-05-01";
    let data = place.path(day).join(&place.names(day)[0]);
    let trace =
        ["trace", "-f", &file.display().to_string(), "--robot", "r1", "--time", "1714564800"].map(str::to_owned);
    fs::write(&data, b"PAR1PAR1").unwrap();
    replay(&file, &["--index", "0"]).expect(5).says("has 8 bytes, the ledger says");
    fleetloom(&trace).expect(5).says("has 8 bytes, the ledger says");
    fs::remove_file(data).unwrap();
    replay(&file, &["--index", "0"]).expect(5).says("part-");
    fleetloom(&trace).expect(5).says("part-");
}
