//! A simulated archive read back by a second, slow reader that knows the rules of the account but not the simulator.

use super::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;

const LATENESS_US: i64 = 600_000_000;
const COVERS_US: i64 = 5_000_000;

fn request(out: &Path, robots: u32, hours: u32) -> Request {
    let start = Day::parse("2026-01-01").unwrap();
    Request { robots, hours, seed: 7, start, out: out.to_owned(), dirty: false, order: Order::Robot, threads: 2 }
}

fn made(request: &Request) -> Written {
    simulate(request, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Members of all zips in archive order: zip, name, stored bytes.
fn members(out: &Path) -> Vec<(String, String, Vec<u8>)> {
    let mut zips: Vec<_> = fs::read_dir(out.join("archive")).unwrap().map(|entry| entry.unwrap().path()).collect();
    zips.sort();
    let mut members = Vec::new();
    for path in zips {
        let zip_name = path.file_name().unwrap().to_string_lossy().into_owned();
        members.extend(raw_members(&fs::read(&path).unwrap()).into_iter().map(|(n, b)| (zip_name.clone(), n, b)));
    }
    members
}

/// The `zip` crate keeps one of equal names only, so the local headers are walked.
fn raw_members(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut at = 0;
    let mut members = Vec::new();
    while zip[at..].starts_with(b"PK\x03\x04") {
        let size = u32::from_le_bytes(zip[at + 18..at + 22].try_into().unwrap()) as usize;
        let name = u16::from_le_bytes(zip[at + 26..at + 28].try_into().unwrap()) as usize;
        let data = at + 30 + name;
        members.push((String::from_utf8(zip[at + 30..data].to_vec()).unwrap(), zip[data..data + size].to_vec()));
        at = data + size;
    }
    members
}

fn unzipped(gzip: &[u8]) -> Option<String> {
    let mut text = vec![0; 1 << 16];
    let bytes = libdeflater::Decompressor::new().gzip_decompress(gzip, &mut text).ok()?;
    text.truncate(bytes);
    Some(String::from_utf8(text).unwrap())
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let [one, two, three] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    for (folder, threads, seed) in [(&one, 1, 7), (&two, 3, 7), (&three, 1, 8)] {
        made(&Request { dirty: true, threads, seed, ..request(folder.path(), 3, 25) });
    }
    let read = |folder: &tempfile::TempDir, name: &str| fs::read(folder.path().join(name)).unwrap();
    for name in ["archive/2026-01-01.zip", "archive/2026-01-02.zip", "truth.json", "fleetloom.yaml"] {
        assert_eq!(read(&one, name), read(&two, name), "{name}");
    }
    assert_ne!(read(&one, "archive/2026-01-01.zip"), read(&three, "archive/2026-01-01.zip"));
}

#[test]
fn the_bytes_are_the_same_on_every_machine() {
    let folder = tempfile::tempdir().unwrap();
    made(&Request { dirty: true, ..request(folder.path(), 2, 1) });
    let crc = libdeflater::crc32(&fs::read(folder.path().join("archive/2026-01-01.zip")).unwrap());
    assert_eq!(crc, 0x5C22_79A0, "a changed simulator changes what people compare: say so in the changelog");
}

#[test]
fn the_shape_is_the_reference_task() {
    let folder = tempfile::tempdir().unwrap();
    let written = made(&request(folder.path(), 10, 1));
    assert_eq!(written.members, 7_200);
    let per_document = |bytes: u64| bytes / written.members;
    assert!((2_700..2_900).contains(&per_document(written.json_bytes)), "{written:?}");
    assert!((800..900).contains(&per_document(written.zip_bytes)), "{written:?}");
    let zip = ::zip::ZipArchive::new(File::open(&written.zips[0]).unwrap()).unwrap();
    assert_eq!(zip.len(), 7_200);
    let truth = truth_of(folder.path());
    assert_eq!(truth["signals"]["odometry"]["kept"], 7_200 * 25);
    assert_eq!(truth["rows"]["base"], 36_000);
    assert_eq!(truth["damage"], json!({}));
}

#[test]
fn both_orders_hold_the_same_members() {
    let [by_robot, by_time] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    made(&Request { dirty: true, ..request(by_robot.path(), 2, 25) });
    made(&Request { dirty: true, order: Order::Time, ..request(by_time.path(), 2, 25) });
    let (mut first, mut second) = (members(by_robot.path()), members(by_time.path()));
    assert_ne!(first, second);
    first.sort();
    second.sort();
    assert_eq!(first, second);
}

#[test]
fn a_zip_that_is_there_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    made(&request(folder.path(), 1, 1));
    let again = simulate(&request(folder.path(), 1, 1), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(again, Err(SimulateError::Exists(_))));
}

#[test]
fn a_stopped_simulation_leaves_no_half_zip() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = simulate(&request(folder.path(), 2, 24), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(SimulateError::Stopped)));
    assert_eq!(fs::read_dir(folder.path().join("archive")).unwrap().count(), 0);
}

#[test]
fn an_independent_reader_finds_exactly_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    made(&Request { dirty: true, ..request(folder.path(), 2, 30) });
    let truth = truth_of(folder.path());
    assert_eq!(truth["damage"].as_object().unwrap().len(), 16, "every kind occurs: {}", truth["damage"]);
    let mut reader = Reader::default();
    for (zip, name, bytes) in members(folder.path()) {
        reader.member(&zip, &name, &bytes);
    }
    let found = reader.account();
    for part in ["members", "signals", "rows", "events", "onsets"] {
        assert_eq!(found[part], truth[part], "{part}");
    }
    let next_day = truth["damage"]["next_day_members"].as_u64().unwrap();
    assert_eq!(reader.in_another_zip, next_day);
}

fn truth_of(out: &Path) -> Value {
    serde_json::from_slice(&fs::read(out.join("truth.json")).unwrap()).unwrap()
}

#[derive(Default)]
struct Reader {
    read: u64,
    documents: u64,
    unreadable: u64,
    in_another_zip: u64,
    signals: BTreeMap<&'static str, Found>,
    states: BTreeMap<(String, i64), bool>,
    times: HashSet<(&'static str, String, i64)>,
}

#[derive(Default)]
struct Found {
    read: u64,
    kept: u64,
    duplicate: u64,
    quarantined: BTreeMap<&'static str, u64>,
    nan: BTreeMap<String, u64>,
}

impl Reader {
    fn member(&mut self, zip: &str, name: &str, bytes: &[u8]) {
        self.read += 1;
        let (robot, stamp) = name.strip_suffix(".json.gz").unwrap().split_once('/').unwrap();
        let stamp_ms: i64 = stamp.parse().unwrap();
        let day = Day::of(stamp_ms * MILLI_NS);
        self.in_another_zip += u64::from(zip != format!("{day}.zip"));
        let Some(text) = unzipped(bytes) else {
            self.unreadable += 1;
            return;
        };
        self.documents += 1;
        let document: Value = serde_json::from_str(&text.replace(":NaN", ":\"is NaN\"")).unwrap();
        assert_eq!(document["agentId"], robot);
        for signal in ["odometry", "pose", "mission", "battery"] {
            for record in document[signal].as_array().unwrap() {
                self.record(signal, robot, stamp_ms * 1_000, record);
            }
        }
    }

    fn record(&mut self, signal: &'static str, robot: &str, stamp_us: i64, record: &Value) {
        let found = self.signals.entry(signal).or_default();
        found.read += 1;
        let us = micros(&record["ts"]);
        let kind = match us {
            None => Some("no_time"),
            Some(us) if !(631_152_000_000_000..4_102_444_800_000_000).contains(&us) => Some("time_out_of_range"),
            Some(us) if us < stamp_us - LATENESS_US || us > stamp_us + COVERS_US + LATENESS_US => Some("late"),
            Some(_) if record.as_object().unwrap().iter().any(|(column, value)| !fits(column, value)) => {
                Some("mismatch")
            }
            Some(_) => None,
        };
        if let Some(kind) = kind {
            *found.quarantined.entry(kind).or_default() += 1;
            return;
        }
        for (column, _) in record.as_object().unwrap().iter().filter(|(_, value)| **value == "is NaN") {
            *found.nan.entry(column.clone()).or_default() += 1;
        }
        let us = us.unwrap();
        if signal == "mission" {
            self.states.insert((robot.to_owned(), us), record["state"] == "Aborted");
        }
        let new = self.times.insert((signal, robot.to_owned(), us));
        found.kept += u64::from(new);
        found.duplicate += u64::from(!new);
    }

    fn account(&self) -> Value {
        let (mut censored, mut onsets) = (0, Vec::new());
        let mut last: Option<(&String, i64, bool)> = None;
        for ((robot, us), aborted) in &self.states {
            match last.filter(|(who, when, _)| *who == robot && us - when <= 600_000_000) {
                None if *aborted => censored += 1,
                Some((_, _, false)) if *aborted => onsets.push(json!({"robot": robot, "time_ns": us * 1000})),
                _ => {}
            }
            last = Some((robot, *us, *aborted));
        }
        let signal = |found: &Found| {
            json!({"read": found.read, "kept": found.kept, "duplicate": found.duplicate,
                   "quarantined": found.quarantined, "nan": found.nan})
        };
        let signals: BTreeMap<_, _> = self.signals.iter().map(|(name, found)| (name, signal(found))).collect();
        json!({
            "members": {"read": self.read, "documents": self.documents, "quarantined": {"unreadable": self.unreadable}},
            "signals": signals,
            "rows": {"base": self.signals["mission"].kept},
            "events": {"aborted": {"onsets": onsets.len(), "censored": censored, "refractory": 0}},
            "onsets": onsets,
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "stamps of this archive are far below 2^53 us")]
fn micros(ms: &Value) -> Option<i64> {
    ms.as_f64().map(|ms| (ms * 1000.0).round() as i64)
}

fn fits(column: &str, value: &Value) -> bool {
    match column {
        "ts" => true,
        "frameId" | "missionId" | "state" => value.is_string(),
        _ => value.is_number() || value == "is NaN",
    }
}
