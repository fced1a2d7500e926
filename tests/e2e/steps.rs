//! Plan, shard and commit are the run in three acts; what is done already is not done again.

use crate::words::{OBJECT, SMALL, START_MS, change, example, fleet, good, small};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, fleetloom};
use fleetloom_tests::python;
use std::fs;
use std::time::{Duration, SystemTime};

#[test]
fn plan_shard_and_commit_are_the_run() {
    let (place, file) = fleet(4, 26, 21, true);
    program::run(&file).expect(0);
    let run = python::digest(&place.result());
    let words = change(&fs::read_to_string(&file).unwrap(), "url: result/", "url: steps/");
    let file = place.words(&words).display().to_string();
    let plan: serde_json::Value =
        serde_json::from_str(&fleetloom(&["plan", "-f", &file, "--json"]).expect(0).stdout).unwrap();
    let hash = plan["hash"].as_str().expect("a plan has a hash").to_owned();
    let shards = plan["stale"].as_array().expect("a plan lists its stale shards").len();
    assert!(shards > 1, "{plan:#}");
    for index in (0..shards).rev() {
        fleetloom(&["shard", "-f", &file, "--plan", &hash, "--index", &index.to_string()]).expect(0);
    }
    assert!(place.names("steps/_delta_log").is_empty(), "shards publish nothing");
    fleetloom(&["commit", "-f", &file, "--plan", &hash]).expect(0);
    assert_eq!(python::digest(&place.path("steps")), run);
    fleetloom(&["commit", "-f", &file, "--plan", &hash]).expect(0);
    assert_eq!(place.names("steps/_delta_log").iter().filter(|name| name.ends_with(".json")).count(), 1);
}

#[test]
fn a_commit_without_its_shards_publishes_nothing() {
    let (place, file) = small(&[good("r1", 0)]);
    let file = file.display().to_string();
    let plan: serde_json::Value =
        serde_json::from_str(&fleetloom(&["plan", "-f", &file, "--json"]).expect(0).stdout).unwrap();
    let outcome = fleetloom(&["commit", "-f", &file, "--plan", plan["hash"].as_str().unwrap()]);
    assert_ne!(outcome.code(), 0, "{outcome}");
    assert!(place.versions().is_empty(), "{outcome}");
}

#[test]
fn a_second_run_publishes_nothing_and_says_so_at_once() {
    for (name, tables) in [("ur3", 2), ("comma", 1)] {
        let place = Place::new();
        let file = place.words(&example(&place, name));
        program::run(&file).expect(0);
        let logs = || -> usize {
            let folders = place.names("");
            folders
                .iter()
                .map(|f| place.names(&format!("{f}/_delta_log")).iter().filter(|n| n.ends_with(".json")).count())
                .sum()
        };
        assert_eq!(logs(), tables);
        let again = program::run(&file).expect(0).says("nothing");
        assert!(again.elapsed < Duration::from_secs(1), "{:?}\n{again}", again.elapsed);
        assert_eq!(logs(), tables);
    }
}

#[test]
fn a_new_day_computes_only_itself() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    let first = place.reports();
    place.write("archive/2024-05-03.zip", pack::zip(&[good("r1", 2 * 86_400)]));
    program::run(&file).expect(0).says("reused");
    assert_eq!((place.versions().len(), place.reports().len()), (2, first.len() + 1));
    assert!(first.iter().all(|report| place.reports().contains(report)));
    assert_eq!(rows(&place), 3);
    fs::remove_file(place.path("archive/2024-05-01.zip")).unwrap();
    program::run(&file).expect(0);
    assert_eq!((place.versions().len(), rows(&place)), (3, 1));
}

/// A small archive whose one member has no stamp and holds an observation on each of three days.
fn without_stamps() -> (Place, String) {
    let place = Place::new();
    let days = [0, 86_400, 2 * 86_400].map(|second| format!(r#"{{"ts": {}, "v": 1}}"#, START_MS + second * 1000));
    let member = pack::Entry::stored("r1/all.json", format!(r#"{{"speed": [{}]}}"#, days.join(", ")).as_bytes());
    place.write("archive/all.zip", pack::zip(&[member]));
    let words = change(&change(SMALL, "{date}.zip", "*.zip"), "{millis}.json*", "*.json");
    let file = place.words(&words).display().to_string();
    (place, file)
}

#[test]
fn a_range_never_drops_rows_outside_it() {
    let (place, file) = without_stamps();
    fleetloom(&["run", "-f", &file]).expect(0);
    assert_eq!(rows(&place), 3);
    let range = ["run", "-f", &file, "--range", "2024-05-02..2024-05-03"];
    fleetloom(&range).expect(2).says("without --range");
    assert_eq!((place.versions().len(), rows(&place)), (1, 3));
}

#[test]
fn an_old_report_whose_files_are_not_live_is_not_reused() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    let report = place.path("result/_fleetloom/reports").join(&place.reports()[0]);
    place.words(&change(SMALL, "[count, mean]", "[count]"));
    program::run(&file).expect(0);
    place.words(SMALL);
    let plan = || fleetloom(&["plan", "-f", &file.display().to_string()]).expect(0);
    plan().says("1 reused");
    let old = SystemTime::now() - Duration::from_secs(30 * 86_400);
    fs::File::options().write(true).open(report).and_then(|report| report.set_modified(old)).unwrap();
    plan().says("0 reused");
}

#[test]
fn a_data_file_that_somebody_removed_is_made_again() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    let day = "result/date=2024-05-01";
    let file_name = place.names(day).remove(0);
    place.words(&change(SMALL, "[count, mean]", "[count]"));
    program::run(&file).expect(0);
    fs::remove_file(place.path(&format!("{day}/{file_name}"))).unwrap();
    place.words(SMALL);
    program::run(&file).expect(0).says("1 done");
    assert_eq!((place.versions().len(), rows(&place)), (3, 1));
    program::run(&file).expect(0).says("nothing changed");
}

#[test]
fn what_was_recomputed_on_demand_stays_until_something_changes() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    fleetloom(&["run", "-f", &file.display().to_string(), "--recompute", "all"]).expect(0).says("1 done");
    let files = place.names("result/date=2024-05-01");
    program::run(&file).expect(0).says("nothing changed");
    assert_eq!((place.versions().len(), place.names("result/date=2024-05-01")), (2, files));
}

#[test]
fn days_that_a_range_carried_over_stay_as_they_are() {
    let (place, file) = small(&[good("r1", 0)]);
    place.write("archive/2024-05-03.zip", pack::zip(&[good("r1", 2 * 86_400)]));
    let file = file.display().to_string();
    let all = ["run", "-f", &file, "--recompute", "all"];
    fleetloom(&all).expect(0).says("done");
    fleetloom(&[&all[..], &["--range", "2024-05-01..2024-05-02"]].concat()).expect(0).says("carried");
    fleetloom(&["run", "-f", &file]).expect(0).says("nothing changed");
    assert_eq!(place.versions().len(), 2);
    place.words(&change(SMALL, "[count, mean]", "[count]"));
    fleetloom(&[&all[..], &["--range", "2024-05-01..2024-05-02"]].concat()).expect(2).says("recompute all days once");
}

#[test]
fn a_table_with_rows_is_not_emptied_by_a_pattern_that_matches_nothing() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    place.words(&change(SMALL, "{date}.zip", "{date}.zap"));
    program::run(&file).expect(2).says("no object matches");
    place.words(&change(SMALL, "{robot}/{millis}.json*", "{robot}-{millis}.json*"));
    program::run(&file).expect(2).says("no member of 2024-05-01.zip matches").says("mend `members`");
    place.words(SMALL);
    program::run(&file).expect(0).says("nothing changed");
    assert_eq!((place.versions().len(), rows(&place)), (1, 1));
}

#[test]
fn an_object_that_is_gone_since_the_plan_is_a_changed_input() {
    let (place, file) = small(&[good("r1", 0)]);
    let file = file.display().to_string();
    let plan: serde_json::Value =
        serde_json::from_str(&fleetloom(&["plan", "-f", &file, "--json"]).expect(0).stdout).unwrap();
    fs::remove_file(place.path(OBJECT)).unwrap();
    let hash = plan["hash"].as_str().unwrap();
    fleetloom(&["shard", "-f", &file, "--plan", hash, "--index", "0"]).expect(5).says("2024-05-01.zip");
}

/// Live rows of a table.
fn rows(place: &Place) -> usize {
    let digest = python::digest(&place.result());
    digest.split(' ').next().and_then(|n| n.parse().ok()).expect("a digest begins with the number of rows")
}

#[test]
fn changed_words_make_a_new_version() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    place.words(&change(SMALL, "[count, mean]", "[count, mean, max]"));
    program::run(&file).expect(0);
    assert_eq!(place.versions().len(), 2);
    assert!(python::rows(&place.result()).contains("speed_v_max_10s: float64"));
    place.words(SMALL);
    program::run(&file).expect(0);
    assert_eq!((place.versions().len(), place.reports().len()), (3, 2), "the first report is used again");
}

#[test]
fn a_gate_that_is_not_met_publishes_nothing() {
    let bad = pack::Entry::stored(crate::words::member("r1", 5), b"{");
    let (place, file) = small(&[good("r1", 0), bad]);
    place.words(&change(SMALL, "\n  result:", "\n  tolerate: {quarantined: \"1%\"}\n  result:"));
    program::run(&file).expect(7).says("quarantined");
    assert!(place.versions().is_empty());
    place.words(&change(SMALL, "\n  result:", "\n  tolerate: {quarantined: \"60%\"}\n  result:"));
    program::run(&file).expect(0);
    assert_eq!(place.versions().len(), 1);
}

#[test]
fn a_table_belongs_to_one_pipeline() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    place.words(&change(SMALL, "kind: Pipeline\nmetadata: {name: small}", "kind: Pipeline\nmetadata: {name: other}"));
    program::run(&file).expect(2).says("small");
    assert_eq!(place.versions().len(), 1);
}
