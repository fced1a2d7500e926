//! A trace says where every published number came from, and what it says is what was published.

use crate::words::{OBJECT, SMALL, change, example, good, small};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Outcome, fleetloom};
use fleetloom_tests::{python, shown};
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Runs `fleetloom trace` of a row of a pipeline.
fn trace(file: &Path, pipeline: &str, (robot, time): (&str, &str), more: &[&str]) -> Outcome {
    let file = file.display().to_string();
    let place = ["trace", "-f", &file, "--pipeline", pipeline, "--robot", robot, "--time", time];
    fleetloom(&[&place, more].concat())
}

/// What a trace tells programs.
fn told(file: &Path, pipeline: &str, row: (&str, &str), more: &[&str]) -> Value {
    let outcome = trace(file, pipeline, row, &[&["--json"], more].concat()).expect(0);
    let told: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    assert_eq!(told["equal"], true, "{outcome}");
    told
}

/// An example, run into a place of its own.
fn ran(name: &str, pipeline: &str) -> (Place, std::path::PathBuf) {
    let place = Place::new();
    let file = place.words(&example(&place, name));
    fleetloom(&["run", "-f", &file.display().to_string(), "--pipeline", pipeline]).expect(0);
    (place, file)
}

/// The rows of the latest version.
fn rows(file: &Path, pipeline: &str) -> Vec<Map<String, Value>> {
    let file = file.display().to_string();
    let show = ["show", "-f", &file, "--pipeline", pipeline, "--section", "rows", "--rows", "100000", "--json"];
    let shown: Value = serde_json::from_str(&fleetloom(&show).expect(0).stdout).expect("show prints JSON");
    shown["firstRows"].as_array().expect("rows").iter().map(|row| row.as_object().expect("a row").clone()).collect()
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().unwrap_or_else(|| panic!("{what} is no text: {value}"))
}

#[test]
fn a_nearest_match_is_traced_to_its_member_and_record() {
    let (_place, file) = ran("comma", "comma-drive");
    let row = ("rav4-01", "2018-08-02T16:15:18.390488Z");
    let told = told(&file, "comma-drive", row, &[]);
    let found = |join: usize| &told["rows"][0]["matches"][join]["found"];
    // Read off the archive by hand: the nearest of 104 Hz, and the last of 10 Hz at or before.
    for (join, signal, record, dt_ns, column, value) in
        [(0, "accel", 353, -1_136_000, "x", -0.734_603_881_835_937_5), (3, "fix", 32, -3_028_000, "alt", 27.484)]
    {
        let found = found(join);
        assert_eq!((&found["signal"], &found["record"]), (&signal.into(), &record.into()), "{found:#}");
        assert_eq!(found["object"], "2018-08-02.zip");
        assert_eq!(found["member"], "rav4-01/1533226515000.json.gz");
        assert_eq!(found["values"][column], value);
        assert_eq!(told["rows"][0]["matches"][join]["dtNs"], dt_ns);
    }
    let by_number = trace(&file, "comma-drive", ("rav4-01", "1533226518390.488"), &["--json"]).expect(0);
    assert_eq!(serde_json::from_str::<Value>(&by_number.stdout).unwrap(), told);
}

#[test]
fn a_window_of_42_s_holds_the_values_that_its_statistics_are_of() {
    let (_place, file) = ran("ur3", "ur3-stops");
    let row = ("ur3-01", "2022-10-26T08:21:33.139Z");
    let told = told(&file, "ur3-stops", row, &["--column", "current_j0_mean"]);
    let feature = &told["rows"][0]["windows"][0]["features"][0];
    let lines = feature["values"].as_array().expect("values");
    let values: Vec<f64> = lines.iter().map(|line| line["value"].as_f64().expect("a number")).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let published = told["rows"][0]["published"]["current_j0_mean"].as_f64().expect("a number");
    // Counted in the archive by hand.
    assert_eq!((values.len(), values[0], values[41]), (42, -0.072_051_22, 0.236_653_179));
    assert!((mean - published).abs() < 1e-15 && (published - 0.033_549_779_880_952_38).abs() < 1e-15);
    assert_eq!(
        (&feature["statistics"].as_array().unwrap().len(), &feature["statistics"][0]["equal"]),
        (&1, &true.into())
    );
    let place = |line: &Value| (line["from"][0]["member"].clone(), line["from"][0]["record"].clone());
    assert_eq!(place(&lines[0]), ("ur3-01/1666772450000.json.gz".into(), 1.into()));
    assert_eq!(place(&lines[41]), ("ur3-01/1666772490000.json.gz".into(), 3.into()));
    assert!(told["rows"][0]["matches"].as_array().unwrap().is_empty(), "only the column is told: {told:#}");
}

#[test]
fn a_label_and_a_reason_are_traced_to_their_onset_and_hole() {
    let (_place, file) = ran("ur3", "ur3-stops");
    let labelled = told(&file, "ur3-stops", ("ur3-01", "2022-10-26T08:17:33.929Z"), &["--column", "label"]);
    let label = &labelled["rows"][0]["label"];
    assert_eq!((&label["published"], &label["onsets"].as_array().unwrap().len()), (&true.into(), &1));
    assert_eq!(label["onsets"][0]["time"], "2022-10-26T08:17:40.967Z");
    assert_eq!(label["onsets"][0]["from"]["member"], "ur3-01/1666772260000.json.gz");
    let holed = told(&file, "ur3-stops", ("ur3-01", "2022-10-26T08:17:23.857Z"), &["--column", "invalid_reason"]);
    let validity = &holed["rows"][0]["validity"];
    assert_eq!(validity["reason"], "gap");
    let first = &validity["rules"][0];
    assert_eq!((&first["reason"], &first["holds"], &first["of"]), (&"gap".into(), &true.into(), &"current".into()));
    assert!(text(&first["found"], "what was found").starts_with("longest hole 39990ms"), "{first}");
}

#[test]
fn event_rows_and_controls_are_traced_by_what_was_known_before_them() {
    let (_place, file) = ran("ur3", "ur3-before-stops");
    let rows = rows(&file, "ur3-before-stops");
    for kind in ["event", "control"] {
        for row in rows.iter().filter(|row| row["row_kind"] == kind).step_by(20) {
            let time = text(&row["time"], "time");
            let told = told(&file, "ur3-before-stops", ("ur3-01", time), &[]);
            let cause = &told["rows"][0];
            assert_eq!(cause["base"]["kind"], kind);
            let at = cause["timeNs"].as_i64().unwrap();
            let lines = cause["windows"][0]["features"].as_array().unwrap();
            let lines = lines.iter().flat_map(|feature| feature["values"].as_array().unwrap());
            let times: Vec<i64> = lines.map(|line| line["timeNs"].as_i64().unwrap()).collect();
            assert!(!times.is_empty() && times.iter().all(|time| at - 42_000_000_000 <= *time && *time < at));
            if kind == "control" {
                assert!(text(&cause["base"]["why"], "why").contains("drawn for the onsets at 2022"), "{cause:#}");
            }
        }
    }
}

/// Grids, events, infinities, text and bool, clocks that lag, lines, tars, members without stamps: whatever columns there are.
#[test]
fn every_row_of_every_golden_case_is_traced_to_what_was_published() {
    let cases = python::repository().join("tests/golden");
    let mut traced = 0;
    for case in fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()) {
        let place = Place::new();
        python::script("golden.py", &[case.as_path(), place.folder()]);
        let file = place.path("case.yaml");
        program::run(&file).expect(0);
        let pipeline = shown::shown(&file)["pipeline"].as_str().unwrap().to_owned();
        let rows = rows(&file, &pipeline);
        for row in &rows {
            let (robot, time) = (text(&row["robot"], "robot"), text(&row["time"], "time"));
            let told = told(&file, &pipeline, (robot, time), &[]);
            let same = |other: &&Map<String, Value>| (&other["robot"], &other["time"]) == (&row["robot"], &row["time"]);
            assert_eq!(told["rows"].as_array().unwrap().len(), rows.iter().filter(same).count(), "{told:#}");
            assert!(
                told["rows"].as_array().unwrap().iter().any(|told| told["published"] == Value::Object(row.clone()))
            );
            traced += 1;
        }
    }
    assert!(traced > 120, "{traced} rows");
}

#[test]
fn rows_of_one_time_are_all_told_with_the_record_of_each() {
    let place = Place::new();
    let document = |values: &[i64]| {
        let record = |v: &i64| format!(r#"{{"ts": 1714564800000, "v": {v}}}"#);
        format!(r#"{{"speed": [{}]}}"#, values.iter().map(record).collect::<Vec<_>>().join(", "))
    };
    let entry = |name: &str, values: &[i64]| pack::Entry::stored(name, document(values).as_bytes());
    place.write(OBJECT, pack::zip(&[entry("r1/1714564799000.json", &[1, 2]), entry("r1/1714564800000.json", &[3])]));
    let file = place.words(&change(SMALL, "columns: [{name: v}]", "columns: [{name: v}]\n    duplicates: Keep"));
    program::run(&file).expect(0);
    let told = told(&file, "small", ("r1", "2024-05-01T12:00:00Z"), &[]);
    let of = |row: &Value| {
        (row["base"]["observations"][0]["member"].clone(), row["base"]["observations"][0]["record"].clone())
    };
    let places: Vec<_> = told["rows"].as_array().unwrap().iter().map(of).collect();
    let place = |member: &str, record: u64| (Value::from(member), Value::from(record));
    assert_eq!(
        places,
        [place("r1/1714564799000.json", 0), place("r1/1714564799000.json", 1), place("r1/1714564800000.json", 0)]
    );
}

#[test]
fn where_there_is_no_row_the_nearest_are_named() {
    let (_place, file) = small(&[good("r1", 0), good("r1", 5), good("r2", 3)]);
    program::run(&file).expect(0);
    let at = |robot, time| trace(&file, "small", (robot, time), &[]).expect(2);
    at("r1", "2024-05-01T12:00:03Z").says("the nearest are at 2024-05-01T12:00:00Z and 2024-05-01T12:00:05Z");
    at("r1", "2024-06-01T00:00:00Z").says("the nearest is at 2024-05-01T12:00:05Z");
    at("r3", "2024-05-01T12:00:03Z").says("no row of a robot `r3`");
    trace(&file, "small", ("r1", "2024-05-01T12:00:00Z"), &["--column", "speed_w"]).expect(2).says("no such column");
}

#[test]
fn an_input_that_is_gone_ends_with_5_and_its_name() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    let row = ("r1", "2024-05-01T12:00:05Z");
    trace(&file, "small", row, &[]).expect(0).says("every column is what was published");
    place.write(OBJECT, pack::zip(&[good("r1", 0), good("r1", 6)]));
    trace(&file, "small", row, &[]).expect(5).says("2024-05-01.zip");
    fs::remove_file(place.path(OBJECT)).unwrap();
    trace(&file, "small", row, &[]).expect(5).says("2024-05-01.zip");
}

#[test]
fn a_published_value_that_was_changed_is_shown_beside_what_the_inputs_give() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5)]);
    program::run(&file).expect(0);
    let day = "result/date=2024-05-01";
    let data = place.path(day).join(&place.names(day)[0]);
    python::script("tamper.py", &[data.as_os_str(), "speed_v_mean_10s".as_ref(), "1".as_ref()]);
    let row = ("r1", "2024-05-01T12:00:05Z");
    trace(&file, "small", row, &[]).expect(5).says("| speed_v_mean_10s |       3.5 |        2.5 |").says("ledger says");
    let other = change(&fs::read_to_string(&file).unwrap(), "span: 10s", "span: 9s");
    let other = place.write("other.yaml", other);
    trace(&other, "small", row, &[]).expect(2).says("differ from those that made it in pipeline.windows[0].span");
}
