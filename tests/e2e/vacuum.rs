//! Vacuum: what goes after versions aged, what tags, running and suspended runs keep, and what is said of a version that went.

use crate::history::{json, verb};
use crate::words::{OBJECT, SMALL, change, fleet, good, small};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, start};
use fleetloom_tests::python;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

/// Makes everything in the result that many days old.
fn age(place: &Place, days: u32) {
    for path in files(&place.result()) {
        let file = File::options().write(true).open(&path).expect("the file can be opened");
        file.set_modified(SystemTime::now() - DAY * days).expect("its time can be set");
    }
}

/// Two versions a month ago, of which the second replaced all files of the first.
fn two_old_versions() -> (Place, PathBuf) {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    age(&place, 40);
    place.write(OBJECT, pack::zip(&[good("r1", 0), good("r1", 5), good("r2", 7)]));
    program::run(&file).expect(0);
    (place, file)
}

#[test]
fn what_an_old_version_held_goes_and_every_verb_says_so() {
    let (place, file) = two_old_versions();
    verb(&file, "vacuum --delete").expect(0).says("nothing to remove").says("2 of 2 versions");
    age(&place, 30);
    let (before, rows) = (files(&place.result()), python::digest(&place.result()));
    verb(&file, "vacuum").expect(0).says("would remove").says("1 of 2 versions").says("data files").says("--delete");
    assert_eq!(files(&place.result()), before, "nothing was deleted");
    let counted = json(&file, "vacuum");
    let swept = json(&file, "vacuum --delete");
    assert_eq!((&counted["kinds"], &counted["bytes"]), (&swept["kinds"], &swept["bytes"]));
    let gone = before.len() - files(&place.result()).len();
    assert_eq!(swept["objects"].as_u64(), Some(gone as u64));
    assert_eq!((python::digest(&place.result()), place.versions().len()), (rows, 2), "no commit, the same rows");
    for words in ["show --version 0", "diff 0 latest", "restore 0", "tag kept 0", "replay --index 0 --version 0"] {
        verb(&file, words).expect(2).says("vacuum removes what is older").says("fleetloom history");
    }
    let trace = "trace --robot r1 --time 2024-05-01T12:00:00Z --version 0";
    verb(&file, trace).expect(2).says("vacuum removes what is older");
    verb(&file, "vacuum --delete").expect(0).says("nothing to remove");
    verb(&file, "replay --index 0").expect(0);
    verb(&file, "run").expect(0).says("nothing");
    place.write(OBJECT, pack::zip(&[good("r1", 0), good("r1", 5)]));
    program::run(&file).expect(0).says("version 2");
}

#[test]
fn a_tagged_version_stays_readable_whole() {
    let (place, file) = two_old_versions();
    verb(&file, "tag trained 0").expect(0);
    age(&place, 30);
    verb(&file, "vacuum --delete").expect(0).says("2 of 2 versions");
    verb(&file, "replay --index 0 --version trained").expect(5).says("2024-05-01.zip");
    verb(&file, "restore trained").expect(0).says("restored from version 0");
}

#[test]
fn a_suspended_run_is_finished_after_a_vacuum() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    place.words(&change(SMALL, "[count, mean]", "[count, mean, max]"));
    let hash = json(&file, "plan")["hash"].as_str().unwrap().to_owned();
    age(&place, 30);
    verb(&file, &format!("shard --plan {hash} --index 0")).expect(0);
    let swept = json(&file, "vacuum --delete");
    assert_eq!(swept["objects"], 0, "{swept:#}");
    verb(&file, &format!("commit --plan {hash}")).expect(0);
    assert_eq!(place.versions().len(), 2);
}

#[test]
fn a_run_that_goes_on_during_a_vacuum_publishes_the_same_rows() {
    let (place, file) = fleet(4, 6, 7, false);
    program::run(&file).expect(0);
    let rows = python::digest(&place.result());
    place.write("result/date=2024-05-01/part-old-a.parquet", "an attempt without a report");
    age(&place, 40);
    let (text, plans) = (file.display().to_string(), place.names("result/_fleetloom/plans").len());
    let running = start(&["run", "-f", &text, "--recompute", "all"]);
    assert!(running.wait_until(|| place.names("result/_fleetloom/plans").len() > plans), "it plans");
    verb(&file, "vacuum --delete").expect(0).says("removed 1 objects").says("data files");
    running.finish().expect(0).says("version 1");
    assert_eq!(python::digest(&place.result()), rows);
    verb(&file, "vacuum --delete").expect(0).says("nothing to remove");
}

#[test]
fn files_of_killed_writers_go_after_a_day() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    let left = place.write("result/date=2024-05-01/.fleetloom-writing-1-1", "half");
    verb(&file, "vacuum --delete").expect(0).says("nothing to remove");
    File::options().write(true).open(&left).unwrap().set_modified(SystemTime::now() - DAY * 2).unwrap();
    verb(&file, "vacuum --delete").expect(0).says("unfinished");
    assert!(!left.exists());
}
