//! Every call of a run goes wrong once, in every way: the next run publishes the rows of a run that nothing happened to, as
//! one version, and at no boundary between two calls does a reader see half of one.
//!
//! ```text
//! for each call, for each fault: run ─► fault ─► late calls land ─► run again, a new client ─► same rows, one version
//! ```

use crate::fault::Fault as RunFault;
use crate::plan::Ask;
use crate::run::{Ran, Unwatched, run};
use crate::stop::Stop;
use crate::work::{Effort, Work, runtime};
use archive::faulty::{Fault, Faults};
use archive::memory::MemoryStore;
use archive::store::Store;
use arrow::array::RecordBatch;
use engine::compile::{Compiled, compile};
use futures::{FutureExt, TryStreamExt};
use pipeline::read::Words;
use pipeline::spec::Recompute;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex, Once};
use std::time::Instant;
use table::scan::file_rows;
use table::state::TableState;
use tokio::runtime::Runtime;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The small pipeline of the tests, whose windows look over the cuts inside a day. Some telemetry may be bad.
fn words() -> String {
    let small = include_str!("../../tests/small.yaml");
    let more = "\n  tolerate: {quarantined: 50%}\n  shards: {bytes: 1Ki}\n  result:";
    assert_eq!(small.matches("\n  result:").count(), 1, "the words moved on");
    small.replace("\n  result:", more)
}

/// 2024-05-01T12:00:00Z and the same time of the next day, ms.
const STARTS_MS: [i64; 2] = [1_714_564_800_000, 1_714_651_200_000];
/// Members of a robot and day, a minute apart.
const MEMBERS: i64 = 12;

fn compiled() -> Compiled {
    let words = Words::read(&words(), None, Some("/fleet"));
    compile(&pipeline::check::check(&words).unwrap().pipelines[0]).unwrap()
}

/// A day's zip. The first robot's third member is no JSON; `more` is added to the last member's value.
fn day(start_ms: i64, more: i64) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (robot, n) in ["r1", "r2"].into_iter().flat_map(|robot| (0..MEMBERS).map(move |n| (robot, n))) {
        let at = start_ms + n * 60_000;
        let v = n + if n == MEMBERS - 1 { more } else { 0 };
        let sound = format!(r#"{{"speed": [{{"ts": {at}, "v": {v}.25}}, {{"ts": {}, "v": {v}}}]}}"#, at + 2_000);
        let text = if (robot, n) == ("r1", 2) { "{\"speed\": [".to_owned() } else { sound };
        zip.start_file(format!("{robot}/{at}.json"), SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn archive() -> MemoryStore {
    let store = MemoryStore::new();
    store.insert("2024-05-01.zip", day(STARTS_MS[0], 0));
    store.insert("2024-05-02.zip", day(STARTS_MS[1], 0));
    store
}

/// The same objects in a store of their own.
fn copy(store: &MemoryStore) -> MemoryStore {
    let other = MemoryStore::new();
    for (key, bytes) in objects(store) {
        other.insert(key, bytes);
    }
    other
}

/// All objects of a store in memory, which answers at once.
fn objects(store: &MemoryStore) -> BTreeMap<String, Vec<u8>> {
    let read = async {
        let mut objects = BTreeMap::new();
        for object in store.list("").try_collect::<Vec<_>>().await.unwrap() {
            objects.insert(object.key.clone(), store.get(&object.key).await.unwrap().1.to_vec());
        }
        objects
    };
    read.now_or_never().expect("memory answers at once")
}

/// What a table holds, bit for bit: its version and, in the order of its files, all rows.
#[derive(Debug, PartialEq)]
struct Rows {
    version: u64,
    batches: Vec<RecordBatch>,
}

fn rows(runtime: &Runtime, store: &MemoryStore) -> Rows {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    runtime.block_on(async {
        let state = TableState::open(&store, None).await.unwrap().expect("a version was published");
        assert!(state.ledger(&store).await.is_ok(), "the version has its ledger");
        let mut batches = Vec::new();
        for file in &state.files {
            let read = file_rows(&store, &state.schema, file).await.unwrap();
            batches.extend(read.try_collect::<Vec<_>>().await.unwrap());
        }
        Rows { version: state.version, batches }
    })
}

/// A reader of its own, which looks at the table between any two calls of a run.
#[derive(Clone)]
struct Reader {
    table: MemoryStore,
    /// Rows of each version that there may be.
    rows: Vec<u64>,
    wrong: Arc<Mutex<Option<String>>>,
}

impl Reader {
    fn of(table: &MemoryStore, rows: &[u64]) -> Self {
        Self { table: table.clone(), rows: rows.to_vec(), wrong: Arc::default() }
    }

    fn look(&self) {
        if let Err(why) = self.whole() {
            self.wrong.lock().unwrap().get_or_insert(why);
        }
    }

    /// Whether the version that is visible now is whole: each of its files is there, as long as it says.
    fn whole(&self) -> Result<(), String> {
        let list = |prefix| -> BTreeMap<String, u64> {
            let objects = self.table.list(prefix).try_collect::<Vec<_>>().now_or_never().expect("memory").unwrap();
            objects.into_iter().map(|object| (object.key, object.bytes)).collect()
        };
        let log: Vec<String> = list("_delta_log/").into_keys().filter(|key| key.ends_with(".json")).collect();
        let Some(wanted) = log.len().checked_sub(1) else { return Ok(()) };
        let mut live: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for key in &log {
            let (_, bytes) = self.table.get(key).now_or_never().expect("memory").unwrap();
            for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let action: Value = serde_json::from_slice(line).map_err(|error| format!("{key}: {error}"))?;
                let path = |kind: &str| action[kind]["path"].as_str().map(str::to_owned);
                path("remove").map(|path| live.remove(&path));
                if let Some(path) = path("add") {
                    let stats: Value = serde_json::from_str(action["add"]["stats"].as_str().unwrap()).unwrap();
                    let size = action["add"]["size"].as_u64().unwrap();
                    live.insert(path, (size, stats["numRecords"].as_u64().unwrap()));
                }
            }
        }
        let there = list("date=");
        if let Some((path, _)) = live.iter().find(|(path, (size, _))| there.get(*path) != Some(size)) {
            return Err(format!("version {wanted} names {path}, which is not there whole"));
        }
        let rows: u64 = live.values().map(|(_, rows)| rows).sum();
        if self.rows.get(wanted) != Some(&rows) {
            return Err(format!("version {wanted} has {rows} rows; all versions: {:?}", self.rows));
        }
        Ok(())
    }

    fn has_seen_whole_versions(&self) -> Result<(), String> {
        self.wrong.lock().unwrap().take().map_or(Ok(()), Err)
    }
}

/// A fleet's archive and what was published of it before.
struct Scene {
    runtime: Runtime,
    compiled: Compiled,
    source: MemoryStore,
    base: MemoryStore,
}

impl Scene {
    /// A run by a new client.
    fn run(&self, result: &MemoryStore, faults: &Faults) -> Option<Result<Ran, RunFault>> {
        let around = |store: &MemoryStore| faults.around(&(Arc::new(store.clone()) as Arc<dyn Store>));
        let effort = Effort { threads: 1, ..Effort::default() };
        let (source, result) = (around(&self.source), around(result));
        let work = Work::between(source, result, self.compiled.clone(), effort, Stop::default());
        let ask = Ask { run: "run".to_owned(), range: None, recompute: Recompute::Stale, asked_ms: 1 };
        let ran = catch_unwind(AssertUnwindSafe(|| run(&work, self.runtime.handle(), &ask, &Unwatched)));
        let ended = match ran {
            _ if faults.is_dead() => None,
            Ok(ran) => Some(ran),
            Err(panic) => resume_unwind(panic),
        };
        self.runtime.block_on(faults.settle());
        ended
    }

    /// What a run that nothing happens to publishes, and how many calls it takes.
    fn undisturbed(&self) -> (MemoryStore, Rows, u64) {
        let (result, faults) = (copy(&self.base), Faults::at(0, Fault::Busy));
        self.run(&result, &faults).unwrap().unwrap();
        let rows = rows(&self.runtime, &result);
        (result, rows, faults.calls())
    }

    /// Every fault at every call; returns how many points were tried. `before`: rows of the versions there are.
    fn try_all(&self, before: &[u64]) -> u64 {
        let (_, wanted, calls) = self.undisturbed();
        let count = wanted.batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let versions = [before, &[count]].concat();
        assert_eq!(wanted.version + 1, versions.len() as u64);
        let (mut points, mut told, mut wrong) = (0, 0, Vec::new());
        for call in 1..=calls {
            for fault in Fault::OF_SOUND_STORES {
                let tried = self.point(call, fault, &versions, &wanted);
                points += 1;
                match tried {
                    Ok(was_told) => told += u64::from(was_told),
                    Err(why) => wrong.push(format!("call {call}, {fault:?}: {why}")),
                }
            }
        }
        println!("{calls} calls, {points} points tried, {told} ended the run they met");
        assert!(wrong.is_empty(), "{} of {points} points:\n{}", wrong.len(), wrong.join("\n"));
        points
    }

    /// One fault, and the run after it. Says whether the first run did not end well.
    fn point(&self, call: u64, fault: Fault, versions: &[u64], wanted: &Rows) -> Result<bool, String> {
        let result = copy(&self.base);
        let reader = Reader::of(&result, versions);
        let watch = || {
            let reader = reader.clone();
            move || reader.look()
        };
        let first = self.run(&result, &Faults::at_watched(call, fault, watch()));
        let was_told = !matches!(first, Some(Ok(_)));
        let again = self.run(&result, &Faults::at_watched(0, Fault::Busy, watch()));
        reader.has_seen_whole_versions()?;
        if let Some(Err(error)) = again {
            return Err(format!("the next run failed: {:?}, after {:?}", error.chain(), first.map(|ran| ran.err())));
        }
        let found = rows(&self.runtime, &result);
        if &found != wanted {
            return Err(format!("version {} instead of {}, or other rows", found.version, wanted.version));
        }
        Ok(was_told)
    }
}

/// Where the Delta kernel waits for a task that died, it panics: in a dead process nobody would hear of that.
fn hush_the_kernel() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = take_hook();
        set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|text| text.starts_with("TokioMultiThreadExecutor has crashed")) {
                told(panic);
            }
        }));
    });
}

fn first_scene() -> Scene {
    hush_the_kernel();
    Scene { runtime: runtime().unwrap(), compiled: compiled(), source: archive(), base: MemoryStore::new() }
}

#[test]
fn whatever_goes_wrong_once_the_first_version_is_published_once_and_whole() {
    let begun = Instant::now();
    let points = first_scene().try_all(&[]);
    println!("the first version: {:?}", begun.elapsed());
    assert!(points > 300, "{points} points");
}

#[test]
fn whatever_goes_wrong_once_a_changed_member_gives_one_more_version() {
    let begun = Instant::now();
    let scene = first_scene();
    let (base, zero, _) = scene.undisturbed();
    scene.source.insert("2024-05-02.zip", day(STARTS_MS[1], 3));
    let count = zero.batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let next = Scene { base, ..scene };
    let (_, one, _) = next.undisturbed();
    assert!(one.version == 1 && one.batches != zero.batches, "the change is published");
    let points = next.try_all(&[count]);
    println!("the next version: {:?}", begun.elapsed());
    assert!(points > 300, "{points} points");
}
