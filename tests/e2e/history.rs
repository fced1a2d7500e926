//! What became of a table: its history, tags, going back, comparing versions, and the gate on their drift.

use crate::words::{OBJECT, SMALL, change, document, fleet, good, member, small};
use fleetloom_tests::pack::{self, Entry};
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Outcome, fleetloom};
use fleetloom_tests::python;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Runs a verb and its words on a file.
pub(crate) fn verb(file: &Path, words: &str) -> Outcome {
    let file = file.display().to_string();
    let arguments: Vec<&str> = words.split(' ').chain(["-f", &file]).collect();
    fleetloom(&arguments)
}

/// The same with `--json`.
pub(crate) fn json(file: &Path, words: &str) -> Value {
    let outcome = verb(file, &format!("{words} --json")).expect(0);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("not JSON: {error}\n{outcome}"))
}

/// An entry of a list of objects whose fields have these texts.
fn entry<'a>(list: &'a Value, fields: &[(&str, &str)]) -> &'a Value {
    let fits = |one: &&Value| fields.iter().all(|(name, text)| one[*name] == **text);
    list.as_array().and_then(|list| list.iter().find(fits)).unwrap_or_else(|| panic!("no {fields:?} in {list:#}"))
}

/// A stored member at second `n` with another value than [`good`] gives it.
fn other(robot: &str, n: i64, v: &str) -> Entry {
    Entry::stored(member(robot, n), document(n, v).as_bytes())
}

/// Three versions: two rows; one more; the same rows with one feature more.
fn three_versions() -> (Place, std::path::PathBuf) {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    place.write(OBJECT, pack::zip(&[good("r1", 0), good("r1", 5), good("r2", 7)]));
    verb(&file, "run --run-id later").expect(0);
    place.words(&change(SMALL, "[count, mean]", "[count, mean, max]"));
    program::run(&file).expect(0);
    (place, file)
}

#[test]
fn the_history_tells_who_made_each_version_and_what_changed() {
    let (place, file) = three_versions();
    verb(&file, "tag good 1").expect(0);
    let history = json(&file, "history");
    let versions = &history["versions"];
    let told: Vec<_> =
        versions.as_array().unwrap().iter().map(|one| (one["version"].as_u64(), one["rows"].as_u64())).collect();
    assert_eq!(told, [(Some(2), Some(3)), (Some(1), Some(3)), (Some(0), Some(2))]);
    assert_eq!((&versions[1]["run"], &versions[1]["tags"][0]), (&"later".into(), &"good".into()));
    assert_eq!(
        versions[0]["changes"],
        serde_json::json!(["pipeline.windows[0].features[0].statistics"]),
        "{versions:#}"
    );
    assert_eq!((&versions[1]["changes"], &versions[2]["changes"]), (&serde_json::json!([]), &Value::Null));
    assert_ne!(versions[0]["source"], versions[2]["source"]);
    assert_eq!(versions[0]["shards"]["done"], 1);
    assert!(versions[0]["elapsedMs"].as_u64().is_some_and(|ms| ms < 240_000), "{versions:#}");
    let limited = verb(&file, "history --limit 1").expect(0).says("pipeline.windows[0].features").says("2 older");
    assert!(!limited.stdout.contains("later"), "{limited}");
    place.write("empty.yaml", change(SMALL, "url: result/", "url: nothing/"));
    verb(&place.path("empty.yaml"), "history").expect(2).says("no table is there yet");
}

#[test]
fn a_version_is_named_by_number_tag_latest_or_time() {
    let (_place, file) = three_versions();
    verb(&file, "tag good 1").expect(0).says("version 1");
    let version =
        |name: &str| json(&file, &format!("show --section schema --version {name}"))["version"].as_u64().unwrap();
    assert_eq!((version("0"), version("good"), version("latest"), version("2999-01-01")), (0, 1, 2, 2));
    let history = json(&file, "history");
    let time = |at: usize| history["versions"][at]["time"].as_str().unwrap();
    assert_eq!((version(time(0)), version(time(1)), version(time(2))), (2, 1, 0), "at or before");
    verb(&file, "show --version 2020-01-01").expect(2).says("2020-01-01");
    verb(&file, "show --version gud").expect(2).says("no tag `gud`; write good");
    verb(&file, "show --version 9").expect(2).says("its latest is 2");
    verb(&file, "show --version 2020-1-1").expect(2).says("2026-11-01T12:00:00Z");
}

#[test]
fn a_tag_stays_where_it_is_unless_it_is_forced() {
    let (_place, file) = three_versions();
    verb(&file, "tag").expect(0).says("no version");
    verb(&file, "tag good 0").expect(0);
    verb(&file, "tag good 0").expect(0).says("already");
    verb(&file, "tag good latest").expect(2).says("--force");
    verb(&file, "tag good latest --force").expect(0).says("was at version 0");
    verb(&file, "tag first 0").expect(0);
    let tags = json(&file, "tag");
    assert_eq!(entry(&tags["tags"], &[("name", "good")])["version"], 2);
    verb(&file, "tag good --delete").expect(0).says("version 2");
    verb(&file, "tag good --delete").expect(2).says("no tag `good`");
    verb(&file, "tag best 17").expect(2).says("no version 17");
    verb(&file, "tag best").expect(2).says("--delete");
    verb(&file, "tag 2026-11-01 1").expect(2).says("cannot be a tag");
}

#[test]
fn a_restored_version_is_the_old_one_and_a_run_goes_forward_again() {
    let (place, file) = three_versions();
    let digest_of = |version: &str| {
        let shown = json(&file, &format!("show --version {version} --section schema --section rows --rows 9"));
        (shown["schema"].clone(), shown["firstRows"].clone())
    };
    let newest = python::digest(&place.result());
    let old = digest_of("0");
    verb(&file, "restore 0").expect(0).says("version 3: restored from version 0, 2 rows");
    assert_eq!(digest_of("latest"), old);
    assert!(!python::rows(&place.result()).contains("speed_v_max_10s"), "the old columns are back");
    let history = json(&file, "history");
    assert_eq!(
        (&history["versions"][0]["restored"], &history["versions"][0]["operation"]),
        (&0.into(), &"RESTORE".into())
    );
    assert_eq!(history["versions"][0]["source"], history["versions"][3]["source"]);
    verb(&file, "history").expect(0).says("restored from 0; pipeline.windows[0].features");
    verb(&file, "show --section schema").expect(0).says("restored from version 0");
    verb(&file, "restore 0").expect(0).says("nothing to do");
    verb(&file, "restore latest").expect(0).says("nothing to do");
    assert_eq!(place.versions().len(), 4);

    let reports = place.reports();
    program::run(&file).expect(0).says("1 reused");
    assert_eq!((place.reports(), python::digest(&place.result())), (reports, newest), "nothing is computed again");
    program::run(&file).expect(0).says("nothing changed");
    assert_eq!(place.versions().len(), 5);
    // The words of the restored version, and a member more: only that is computed.
    place.words(SMALL);
    verb(&file, "restore 1").expect(0);
    program::run(&file).expect(0).says("nothing changed");
    place.write("archive/2024-05-02.zip", pack::zip(&[good("r3", 86_400)]));
    program::run(&file).expect(0).says("1 done, 1 reused");
    assert_eq!(json(&file, "show --section schema")["rows"], 4);
}

#[test]
fn what_cannot_be_restored_is_refused_with_a_sentence() {
    let (place, file) = three_versions();
    place.words(&change(SMALL, "kind: Pipeline\nmetadata: {name: small}", "kind: Pipeline\nmetadata: {name: other}"));
    verb(&file, "restore 0").expect(2).says("belongs to pipeline `small`");
    place.words(SMALL);
    let ledger = place.names("result/_fleetloom/ledger");
    let live = json(&file, "history");
    let plan = live["versions"][2]["plan"].as_str().unwrap().to_owned();
    let of_plan = |name: &&String| name.starts_with(&plan);
    let name = format!("result/_fleetloom/ledger/{}", ledger.iter().find(of_plan).unwrap());
    let bytes = fs::read(place.path(&name)).unwrap();
    fs::remove_file(place.path(&name)).unwrap();
    verb(&file, "restore 0").expect(2).says("cannot be read any more");
    place.write(&name, bytes);
    let shown = json(&file, "show --version 0 --section ledger");
    let path = shown["ledger"][0]["files"][0]["path"].as_str().unwrap().to_owned();
    fs::remove_file(place.path(&format!("result/{path}"))).unwrap();
    verb(&file, "restore 0").expect(2).says("data files are gone").says(&path);
    assert_eq!(place.versions().len(), 3);
}

#[test]
fn a_diff_tells_rows_statistics_and_the_largest_changes() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5), good("r1", 9), good("r2", 1)]);
    place.write("archive/2024-05-03.zip", pack::zip(&[good("r1", 2 * 86_400)]));
    program::run(&file).expect(0);
    let members = [good("r1", 0), other("r1", 5, "50"), good("r3", 2), good("r2", 1)];
    place.write(OBJECT, pack::zip(&members));
    program::run(&file).expect(0);
    let diff = json(&file, "diff 0 latest");
    assert_eq!(diff["days"], serde_json::json!({"compared": 1, "same": 1}));
    assert_eq!(diff["rows"], serde_json::json!({"before": 3, "after": 3, "added": 1, "removed": 1, "changed": 1}));
    assert_eq!(diff["robotDays"], 2, "r2 is the same");
    let largest = entry(&diff["largestChanges"], &[("column", "speed_v")]);
    assert_eq!((&largest["before"], &largest["after"]), (&5.0.into(), &50.0.into()));
    assert_eq!(largest["time"], "2024-05-01T12:00:05Z");
    let shift = entry(&diff["largestShifts"], &[("column", "speed_v"), ("robot", "r1")]);
    assert_eq!((&shift["before"]["p50"], &shift["after"]["p50"]), (&5.0.into(), &25.0.into()), "{shift:#}");
    let text = verb(&file, "diff 0 1").expect(0).says("1 added, 1 removed, 1 changed").says("columns: the same");
    assert!(text.stdout.contains("| r3") && !text.stdout.contains("| r2"), "{text}");
    verb(&file, "diff 0 1 --limit 1").expect(0).says("more; --limit shows up to");
    verb(&file, "diff 1 1").expect(0).says("no row differs");

    let lines = place.path("lines.parquet").display().to_string();
    verb(&file, &format!("diff 0 1 --parquet {lines}")).expect(0);
    let read = python::script("versions.py", &["lines", &lines]);
    let line = read.lines().find(|line| line.starts_with("r1 2024-05-01 speed_v ")).unwrap_or_else(|| panic!("{read}"));
    assert_eq!(line, "r1 2024-05-01 speed_v 3 2 0 1 1", "{read}");
    verb(&file, "diff 0 1 --parquet no/such/folder.parquet").expect(2).says("folder is not there");
}

#[test]
fn a_diff_names_columns_that_only_one_version_has() {
    let (_place, file) = three_versions();
    verb(&file, "diff 1 2").expect(0).says("columns: +speed_v_max_10s (float64)").says("no row differs");
    let diff = json(&file, "diff latest 1");
    let change = entry(&diff["schema"], &[("column", "speed_v_max_10s")]);
    assert_eq!((&change["change"], &change["before"]), (&"removed".into(), &"float64".into()));
}

/// Members of a robot, two seconds apart, with these values.
fn series(values: &[&str]) -> Vec<u8> {
    let seconds = (0..).step_by(2);
    pack::zip(&seconds.zip(values).map(|(second, value)| other("r1", second, value)).collect::<Vec<_>>())
}

#[test]
fn a_version_that_drifts_too_far_is_not_published() {
    let gate = r#"{drift: [{columns: [speed_v], nullShare: "25%", meanShift: 1.5}]}"#;
    let words = change(SMALL, "\n  result:", &format!("\n  tolerate: {gate}\n  result:"));
    let (place, file) = small(&[]);
    place.words(&words);
    place.write(OBJECT, series(&["1", "2", "3", "4"]));
    program::run(&file).expect(0);
    place.write(OBJECT, series(&["2", "3", "4", "5"]));
    program::run(&file).expect(0);
    place.write(OBJECT, series(&["92", "null", "null", "95"]));
    let refused = program::run(&file).expect(7).says("nothing published");
    let wanted = [
        "`speed_v` was null in 0% of the base's rows and is in 50%, tolerate.drift.nullShare is 25%",
        "the mean of `speed_v` went from 3.5 to 93.5",
        "tolerate.drift.meanShift is 1.5",
    ];
    assert!(wanted.iter().all(|words| refused.stderr.contains(words)), "{refused}");
    assert_eq!(place.versions().len(), 2);
    let looser = change(&words, "meanShift: 1.5", "meanShift: 500.0");
    place.words(&change(&looser, "25%", "60%"));
    program::run(&file).expect(0);
    assert_eq!(place.versions().len(), 3);
}

#[test]
fn a_gate_on_a_column_that_is_not_there_is_a_mistake() {
    let (place, file) = small(&[good("r1", 0)]);
    let gate = r#"tolerate: {drift: [{columns: [sped_v], meanShift: 3.0}, {columns: [speed_v]}]}"#;
    place.words(&change(SMALL, "\n  result:", &format!("\n  {gate}\n  result:")));
    program::check(&file).expect(2).says("did you mean speed_v?").says("allows everything");
}

#[test]
fn a_diff_of_a_fleet_agrees_with_the_rows_themselves() {
    let (place, file) = fleet(4, 2, 4, false);
    let words = fs::read_to_string(&file).unwrap();
    // Each version is cut otherwise, so a robot's day lies in other files each time.
    let publish = |words: &str, shards: &str| {
        place.write(
            "fleetloom.yaml",
            change(words, "\n  result:", &format!("\n  shards: {{bytes: {shards}}}\n  result:")),
        );
        program::run(&file).expect(0);
    };
    publish(&words, "200Ki");
    let narrow = change(&words, "tolerance: 200ms", "tolerance: 20ms");
    publish(&narrow, "3Mi");
    publish(&narrow, "10Gi");
    let diff = json(&file, "diff 0 1");
    let table = place.result();
    let told = python::script("versions.py", &["diff", &table.display().to_string(), "0", "1"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(diff["rows"], told["rows"]);
    let columns = diff["columns"].as_array().unwrap();
    assert!(columns.len() > 5 && told["changed"].as_object().unwrap().len() == columns.len(), "{told:#}");
    for column in columns {
        let name = column["column"].as_str().unwrap();
        assert_eq!(column["changed"], told["changed"][name], "{name}");
    }
    assert!(columns.iter().any(|column| column["changed"].as_u64() > Some(100)), "{diff:#}");
    let files = |version: &str| json(&file, &format!("show --section ledger --version {version}"))["files"].as_u64();
    assert!(files("0") > files("1") && files("1") > files("2"), "the cuts differ");
    verb(&file, "diff 1 2").expect(0).says("1 compared").says("no row differs");
}
