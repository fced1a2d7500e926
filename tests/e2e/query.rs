//! SQL over signals and tables: what it counts is what a run accounts for, what it joins is what a run publishes, and what a
//! condition leaves out is not read.

use crate::words::{SMALL, change, example, fleet, good, small};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Outcome, fleetloom};
use fleetloom_tests::shown::{count, shown};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `fleetloom query` with more arguments.
fn query(file: &Path, sql: &str, more: &[&str]) -> Outcome {
    let file = file.display().to_string();
    fleetloom(&[&["query", "-f", &file, sql], more].concat())
}

/// The rows of an answer.
fn rows(file: &Path, sql: &str) -> Vec<Value> {
    let outcome = query(file, sql, &["--format", "json"]).expect(0);
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
}

/// The one number of an answer.
fn number(file: &Path, sql: &str) -> u64 {
    let rows = rows(file, sql);
    let [row] = rows.as_slice() else { panic!("{sql}: not one row: {rows:?}") };
    let value = row.as_object().and_then(|row| row.values().next());
    value.and_then(Value::as_u64).unwrap_or_else(|| panic!("{sql}: no number: {row}"))
}

/// A metric of an operator in what `EXPLAIN ANALYZE` says.
fn metric(said: &str, operator: &str, name: &str) -> f64 {
    let line = said.lines().find(|line| line.trim_start().starts_with(operator));
    let line = line.unwrap_or_else(|| panic!("no {operator} in\n{said}"));
    let (_, value) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {line}"));
    let value: String = value.chars().take_while(|c| !matches!(c, ',' | ']')).collect();
    let (digits, unit) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    let scale = match unit {
        "K" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        _ => 1.0,
    };
    (digits.parse::<f64>().unwrap_or_else(|_| panic!("{value} is no number in {line}")) * scale).round()
}

#[test]
fn an_archive_is_looked_at_before_there_is_a_pipeline() {
    let place = Place::new();
    let (archive, _) = example(&place, "ur3").split_once("\n---").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let file = place.words(&archive);
    for signal in ["current", "temperature", "speed", "tool", "ur3.status"] {
        let rows = rows(&file, &format!("SELECT robot, count(*) AS n FROM {signal} GROUP BY robot"));
        assert_eq!(rows, [serde_json::json!({"robot": "ur3-01", "n": 7_409})], "{signal}");
    }
    assert_eq!(number(&file, "SELECT count(*) FROM current WHERE j0 IS NULL"), 46);
    query(&file, "SHOW TABLES", &[]).expect(0).says("| status      | signal | archive ur3 |");
    query(&file, "DESCRIBE current", &[]).expect(0).says("| j0     | float64   | A    |");
    assert_eq!(place.names("."), ["pipeline.yaml"], "a query writes nothing beside the words");
}

#[test]
fn what_a_run_kept_of_a_damaged_archive_is_what_a_query_counts() {
    let (_place, file) = fleet(4, 3, 11, true);
    let before: Vec<u64> = ["odometry", "pose", "mission", "battery"]
        .map(|signal| number(&file, &format!("SELECT count(*) FROM {signal}")))
        .to_vec();
    program::run(&file).expect(0);
    let account = shown(&file);
    for (signal, before) in ["odometry", "pose", "mission", "battery"].iter().zip(before) {
        let kept = count(&account, &format!("signals.{signal}.kept"));
        assert!(kept > 0 && count(&account, &format!("signals.{signal}.read")) > kept, "the archive is damaged");
        // Before there was a table, and with its lists.
        assert_eq!((before, number(&file, &format!("SELECT count(*) FROM {signal}"))), (kept, kept), "{signal}");
    }
    let late = count(&account, "signals.odometry.quarantined.late");
    let said = query(&file, "SELECT count(*) FROM odometry", &[]).expect(0);
    said.says("odometry: left out, as a run does").says(&format!("late {late}"));
}

#[test]
fn joins_and_windows_are_those_that_a_run_published() {
    let place = Place::new();
    let file = place.words(&example(&place, "ur3"));
    program::run(&file).expect(0);
    let joined = "nearest_join(nearest_join(status, current, tolerance => '500ms'), temperature, tolerance => '5s', \
                  direction => 'Backward')";
    let looked =
        format!("look_back({joined}, span => '42s', columns => 'current_j0', statistics => 'mean, std, slope')");
    let same = ["current_j0", "current_j5", "current_dt_us", "temperature_j0", "temperature_j5", "temperature_dt_us"]
        .map(|column| format!("(q.{column} IS NOT DISTINCT FROM r.{column})"));
    let windows = ["mean", "std", "slope"]
        .map(|statistic| format!("(q.current_j0_{statistic}_42s IS NOT DISTINCT FROM r.current_j0_{statistic})"));
    let equal = [same.as_slice(), &windows].concat().join(" AND ");
    let sql = format!(
        "SELECT count(*) FROM {looked} AS q JOIN ur3_stops AS r ON q.robot = r.robot AND q.time = r.time WHERE {equal}"
    );
    assert_eq!(number(&file, &sql), 7_409);
    assert_eq!(number(&file, "SELECT count(*) FROM \"ur3-stops\" WHERE label"), 909);
    assert_eq!(number(&file, "SELECT count(*) FROM result.ur3_before_stops WHERE row_kind = 'event'"), 108);
}

#[test]
fn an_observation_says_where_it_was_read() {
    let place = Place::new();
    let file = place.words(&example(&place, "comma"));
    let sql = "SELECT object, member, record FROM accel WHERE time = '2018-08-02T16:15:18.389352Z'";
    let found = rows(&file, sql);
    // As a trace says of the row that is joined to it.
    let expected = serde_json::json!({
        "object": "2018-08-02.zip", "member": "rav4-01/1533226515000.json.gz", "record": 353
    });
    assert_eq!(found, [expected]);
}

#[test]
fn a_condition_on_time_or_robot_leaves_members_and_files_unread() {
    let (_place, file) = fleet(6, 30, 5, false);
    let analyzed = |sql: &str| query(&file, &format!("EXPLAIN ANALYZE {sql}"), &[]).expect(0).stdout;
    let read = |sql: &str| {
        let said = analyzed(sql);
        ["members", "bytes_read", "requests"].map(|name| metric(&said, "SignalExec", name))
    };
    let all = read("SELECT max(linear) FROM odometry");
    let robot = read("SELECT max(linear) FROM odometry WHERE robot = 'robot-0003' OR robot = 'robot-0004'");
    let time =
        read("SELECT max(linear) FROM odometry WHERE time >= '2026-01-01T03:00:00Z' AND time < '2026-01-01T04:00:00Z'");
    assert_eq!(all[0], f64::from(6 * 30 * 720));
    for (part, most) in [(robot, 0.4), (time, 0.1)] {
        assert!(part.iter().zip(all).take(2).all(|(part, all)| *part <= all * most), "{part:?} of {all:?}");
    }
    let join = analyzed(
        "SELECT count(*) FROM nearest_join(mission, pose, tolerance => '1s') WHERE time < '2026-01-01T01:00:00Z'",
    );
    assert!(metric(&join, "SignalExec", "members") <= all[0] * 0.1, "{join}");
    assert_eq!(metric(&join, "NearestJoinExec", "output_rows"), f64::from(6 * 3600), "{join}");
    program::run(&file).expect(0);
    let counted = number(&file, "SELECT count(*) FROM aborts WHERE date = '2026-01-02'");
    assert!(counted > 0 && counted < number(&file, "SELECT count(*) FROM aborts"));
    let said = analyzed("SELECT robot FROM aborts WHERE time >= '2026-01-02T00:00:00Z'");
    let line = said.lines().find(|line| line.contains("ResultExec")).expect("a table is read");
    assert!(line.contains("files=1 of 2"), "{line}");
}

#[test]
fn rows_go_out_in_three_formats_from_three_places() {
    let (place, file) = small(&[good("r1", 0), good("r1", 5), good("r2", 3)]);
    let sql = "SELECT robot, v FROM speed ORDER BY robot, v";
    query(&file, sql, &[]).expect(0).says("| robot |   v |").says("| r1    | 0.0 |");
    let csv = query(&file, sql, &["--format", "csv"]).expect(0);
    assert_eq!(csv.stdout, "robot,v\r\nr1,0.0\r\nr1,5.0\r\nr2,3.0\r\n");
    let json = query(&file, sql, &["--format", "json", "--limit", "1"]).expect(0);
    assert_eq!(json.stdout, "{\"robot\":\"r1\",\"v\":0.0}\n");
    let sql_file = place.write("ask.sql", format!("{sql};\n"));
    let words = file.display().to_string();
    let from_file =
        fleetloom(&["query", "-f", &words, "--format", "csv", "--sql-file", &sql_file.display().to_string()]);
    assert_eq!(from_file.expect(0).stdout, csv.stdout);
    let mut command = Command::new(program::path());
    command.args(["query", "-f", &words, "--format", "csv", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("stdin is piped").write_all(sql.as_bytes()).expect("stdin is read");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()), (Some(0), csv.stdout));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it() {
    let (_place, file) = fleet(3, 24, 3, false);
    let words = file.display().to_string();
    let mut command = Command::new(program::path());
    command.args(["query", "-f", &words, "--format", "csv", "SELECT * FROM odometry"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let header = lines.next().expect("a header").expect("text");
    assert!(header.starts_with("robot,time,known,linear,angular"), "{header}");
    drop(lines);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn what_cannot_be_asked_says_what_can() {
    let (_place, file) = small(&[good("r1", 0)]);
    for (sql, said) in [
        ("SELECT * FROM sped", "did you mean speed?"),
        ("SELECT * FROM other.speed", "there is no table other.speed"),
        ("SELECT w FROM speed", "did you mean v? The columns are robot, time, known, v, object, member, record"),
        ("SELECT * FROM result.small", "no table is there yet"),
        ("SELECT * FROM nearest_join(speed, sped, tolerance => '1s')", "did you mean speed?"),
        ("SELECT 1; SELECT 2", "ask one at a time"),
        ("SELEC 1", "the SQL cannot be read"),
        ("CREATE TABLE t AS SELECT 1", "a query only reads"),
        ("INSERT INTO speed VALUES (1)", "a query only reads"),
        ("COPY speed TO 'speed.csv'", "a query only reads"),
        ("SET datafusion.execution.batch_size = 1", "a query only reads"),
        ("EXPLAIN ANALYZE INSERT INTO speed SELECT * FROM speed", "a query only reads"),
        ("", "there is no SQL"),
    ] {
        query(&file, sql, &[]).expect(2).says(said);
    }
}

#[test]
fn one_name_of_two_archives_must_be_qualified() {
    let place = Place::new();
    place.write("archive/2024-05-01.zip", pack::zip(&[good("r1", 0)]));
    place.write("second/2024-05-01.zip", pack::zip(&[good("r1", 0), good("r1", 1)]));
    let (archive, _) = SMALL.split_once("\n---").expect("two documents");
    let second = change(&change(archive, "name: small", "name: small-2"), "url: archive/", "url: second/");
    let file = place.words(&format!("{archive}\n---\n{second}"));
    query(&file, "SELECT * FROM speed", &[]).expect(2).says("write small.speed or small_2.speed");
    assert_eq!(number(&file, "SELECT count(*) FROM small_2.speed"), 2);
    assert_eq!(number(&file, "SELECT count(*) FROM \"small-2\".speed a JOIN small.speed b ON a.time = b.time"), 1);
}

#[test]
fn an_old_version_is_asked_by_its_name() {
    let (place, file) = small(&[good("r1", 0)]);
    program::run(&file).expect(0);
    place.write("archive/2024-05-02.zip", pack::zip(&[good("r1", 86_400)]));
    program::run(&file).expect(0);
    let asked = |more: &[&str]| {
        query(&file, "SELECT count(*) AS n FROM small", &[&["--format", "csv"], more].concat()).expect(0).stdout
    };
    assert_eq!((asked(&[]), asked(&["--version", "0"])), ("n\r\n2\r\n".into(), "n\r\n1\r\n".into()));
    query(&file, "SELECT * FROM small", &["--version", "7"]).expect(2).says("has no version 7");
}

#[test]
fn a_query_that_is_asked_to_stop_ends_with_143() {
    let (_place, file) = fleet(6, 24, 9, false);
    let words = file.display().to_string();
    let sql = "SELECT count(*) FROM odometry a JOIN odometry b ON a.robot = b.robot WHERE a.linear < b.linear";
    let run = program::start(&["query", "-f", &words, sql]);
    run.let_pass(std::time::Duration::from_millis(500));
    run.signal(Signal::INT);
    run.finish().expect(143).says("stopped as asked");
}

#[test]
fn little_memory_is_kept_to_by_spilling_or_ends_with_6() {
    let (_place, file) = fleet(8, 24, 2, false);
    let words = file.display().to_string();
    // 3.5 million rows, sorted by what they are not in order of: more than the share of memory that sorting has.
    let sql = "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY linear DESC, angular) AS n FROM odometry)";
    let run = program::start(&["query", "-f", &words, "--memory", "128Mi", sql]);
    let peak = run.peak_kib();
    run.finish().expect(0).says("| 3456000 |");
    assert!(peak < 300 << 10, "peak {peak} KiB");
    // The greatest of so many are held, and cannot be spilled.
    let sql = "SELECT linear FROM odometry ORDER BY linear DESC, angular LIMIT 1 OFFSET 3000000";
    query(&file, sql, &["--memory", "128Mi"]).expect(6).says("give it more with --memory");
}

#[test]
fn an_analysis_of_a_pipeline_says_each_operators_rows_and_publishes_nothing() {
    let place = Place::new();
    let file = place.words(&example(&place, "ur3"));
    let words = file.display().to_string();
    let said = fleetloom(&["explain", "-f", &words, "--pipeline", "ur3-stops", "--analyze"]).expect(0);
    let said = said.says("1 robot; 1,498 (1.03 MB) members read");
    for operator in ["ResultExec", "WindowExec", "NearestJoinExec", "ObservationsExec"] {
        let line = said.stdout.lines().find(|line| line.trim_start().starts_with(operator)).expect(operator);
        assert!(line.contains("[rows=7,409, time=") && line.contains(", memory="), "{line}");
    }
    assert_eq!(place.names("."), ["pipeline.yaml"], "nothing was published");
    let none = fleetloom(&[
        "explain",
        "-f",
        &words,
        "--pipeline",
        "ur3-stops",
        "--analyze",
        "--range",
        "2020-01-01..2020-01-02",
    ]);
    none.expect(0).says("[rows=0");
    let _ = fs::metadata(place.path("ur3-stops")).expect_err("no table was made");
}
