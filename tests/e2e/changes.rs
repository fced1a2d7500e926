//! What a change costs: a run computes the shards that see it and no other, and ends with the rows of a run from nothing.

use crate::words::{change, fleet};
use fleetloom_tests::pack::{self, Entry};
use fleetloom_tests::place::Place;
use fleetloom_tests::{program, python};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The day that is changed, between two others: 17,280 members.
const DAY: &str = "archive/2026-01-02.zip";

/// One robot for three days, cut into shards of three hours, published once.
struct Published {
    place: Place,
    file: PathBuf,
    words: String,
}

/// What a plan says of its shards.
struct Planned {
    shards: usize,
    stale: usize,
    reasons: String,
}

impl Published {
    fn new() -> Self {
        let (place, file) = fleet(1, 72, 17, false);
        let words = fs::read_to_string(&file).expect("the words are there");
        let words = change(&words, "\n  result:", "\n  shards: {bytes: 2Mi}\n  result:");
        let file = place.words(&words);
        program::run(&file).expect(0);
        Self { place, file, words }
    }

    /// Packs the changed day anew.
    fn repack(&self, change: impl FnOnce(&mut Vec<Entry>)) {
        let mut entries = Entry::all_of(&fs::read(self.place.path(DAY)).expect("the day is there"));
        assert_eq!(entries.len(), 17_280);
        change(&mut entries);
        self.place.write(DAY, pack::zip(&entries));
    }

    fn plan(&self) -> Planned {
        let file = self.file.display().to_string();
        let said = program::fleetloom(&["plan", "-f", &file, "--json"]).expect(0).stdout;
        let plan: Value = serde_json::from_str(&said).expect("a plan is JSON");
        let shards = plan["plan"]["shards"].as_array().expect("a plan has shards").len();
        let stale = plan["stale"].as_array().expect("a plan lists its stale shards").len();
        let reasons = program::fleetloom(&["run", "-f", &file, "--dry-run"]).expect(0).stdout;
        Planned { shards, stale, reasons }
    }

    /// Runs, and compares with a run of the same words from nothing.
    fn run_is_a_run_from_nothing(&self) {
        program::run(&self.file).expect(0);
        let words = fs::read_to_string(&self.file).expect("the words are there");
        let fresh = self.place.write("fresh.yaml", change(&words, "url: result/", "url: fresh/"));
        program::run(&fresh).expect(0);
        assert_eq!(python::digest(&self.place.result()), python::digest(&self.place.path("fresh")));
        fs::remove_dir_all(self.place.path("fresh")).expect("the table can be removed");
        let after = self.plan();
        assert_eq!(after.stale, 0, "{}", after.reasons);
    }

    /// After a change: between `least` and `most` shards are stale and say why; after a run the rows are right.
    fn costs(&self, what: &str, least: usize, most: usize, why: &str) {
        let Planned { shards, stale, reasons } = self.plan();
        eprintln!("{what}: {stale} of {shards} shards are computed again");
        assert!(shards >= 18 && (least..=most).contains(&stale), "{what}: {stale} of {shards}\n{reasons}");
        assert!(stale == 0 || reasons.contains(why), "{what}: {reasons}");
        self.run_is_a_run_from_nothing();
    }
}

/// Another value in a document: every pose somewhat to the right.
fn moved(entry: &Entry) -> Entry {
    let mut document: Value = serde_json::from_slice(&pack::gunzip(entry.bytes())).expect("a document is JSON");
    for pose in document["pose"].as_array_mut().expect("a document has poses") {
        pose["x"] = Value::from(pose["x"].as_f64().unwrap_or_default() + 1.0);
    }
    entry.with_bytes(&pack::gzip(&serde_json::to_vec(&document).expect("JSON")))
}

#[test]
fn five_changed_members_of_a_day() {
    let table = Published::new();
    // 13:53 to 13:54, in the middle of a shard from 12:00 to 15:00.
    table.repack(|entries| entries[10_000..10_005].iter_mut().for_each(|entry| *entry = moved(entry)));
    table.costs("5 of 17,280 members changed", 1, 1, "changed and 4 more");
    // 12:01, which the shard before looks at too.
    table.repack(|entries| entries[8_652] = moved(&entries[8_652]));
    table.costs("a member at a border changed", 2, 2, "context changed");
}

#[test]
fn members_that_are_removed_or_come_late() {
    let table = Published::new();
    let mut taken = Vec::new();
    table.repack(|entries| taken.extend(entries.drain(10_000..10_001)));
    table.costs("a member removed", 1, 1, "removed");
    table.repack_with(taken);
    table.costs("a late member, at the end of its zip", 1, 1, "added");
}

impl Published {
    /// Adds members at the end of the changed day, of which one was removed.
    fn repack_with(&self, more: Vec<Entry>) {
        let mut entries = Entry::all_of(&fs::read(self.place.path(DAY)).expect("the day is there"));
        entries.extend(more);
        self.place.write(DAY, pack::zip(&entries));
    }
}

#[test]
fn objects_that_are_stored_again_renamed_or_removed() {
    let table = Published::new();
    table.repack(|_| ());
    table.costs("a day stored again unchanged", 0, 0, "");
    let (day, renamed) = (table.place.path(DAY), table.place.path("archive/2026-01-02-again.zip"));
    table.place.words(&change(&table.words, "objects: \"{date}.zip\"", "objects: \"**.zip\""));
    program::run(&table.file).expect(0);
    fs::rename(&day, &renamed).expect("the day can be renamed");
    let own = table.plan();
    table.costs("a day renamed", 8, own.shards - 8, "added");
    fs::remove_file(&renamed).expect("the day can be removed");
    table.costs("a day removed", 1, 3, "removed");
}

#[test]
fn words_that_change_rows_and_words_that_do_not() {
    let table = Published::new();
    table.place.words(&format!("# a comment\n{}", table.words));
    table.costs("a comment edited", 0, 0, "");
    let all = table.plan().shards;
    table.place.words(&change(
        &table.words,
        "statistics: [mean, std, min, max]",
        "statistics: [mean, std, min, max, last]",
    ));
    table.costs("a feature added", all, all, "pipeline changed");
    table.place.words(&change(&table.words, "tolerance: 200ms", "tolerance: 201ms"));
    table.costs("a tolerance changed", all, all, "tolerance");
    table.place.words(&change(&table.words, "\n  result:", "\n  workers: {parallelism: 3}\n  result:"));
    table.costs("a parallelism changed, back to the first words", 0, 0, "");
    let file = table.file.display().to_string();
    program::fleetloom(&["run", "-f", &file, "--threads", "1"]).expect(0).says("nothing changed");
}
