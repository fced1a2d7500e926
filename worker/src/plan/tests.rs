//! What planning asks of stores: nothing of an object that is as it was.

use super::plan;
use crate::run::{Unwatched, run};
use crate::stop::Stop;
use crate::testing::{ask, speeds};
use crate::work::{Effort, Work};
use archive::counting::{Counting, Counts};
use archive::memory::MemoryStore;
use archive::store::{Put, Store};
use std::io::{Cursor, Write};
use std::sync::Arc;
use tokio::runtime::{Handle, Runtime};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Objects of the archive: more than any plan may look at one by one.
const OBJECTS: u64 = 10_000;

/// 2024-05-01T00:00:00Z.
const START_MS: u64 = 1_714_521_600_000;

/// A zip of one member, stamped `ms` after the start.
fn object(ms: u64) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(format!("r1/{}.json", START_MS + ms), SimpleFileOptions::default()).unwrap();
    write!(zip, r#"{{"speed": [{{"ts": {}, "v": 1}}]}}"#, START_MS + ms).unwrap();
    zip.finish().unwrap().into_inner()
}

/// A table of an archive of many objects, and what is asked of its two stores from now on.
struct Table {
    work: Work,
    source: Counting,
    result: Counting,
}

impl Table {
    fn published(runtime: &Handle) -> Self {
        let (source, result) = (MemoryStore::new(), MemoryStore::new());
        let (source, result): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source), Arc::new(result));
        for n in 0..OBJECTS {
            let key = format!("{n:05}.zip");
            runtime.block_on(source.put(&key, object(n * 1000).into(), Put::Always)).unwrap();
        }
        let (source, result) = (Counting::around(source), Counting::around(result));
        let compiled = speeds("objects: \"*.zip\"\n  members: \"{robot}/{millis}.json\"");
        // What another process plans from is what was stored.
        let work = || {
            let (source, result) = (Arc::new(source.clone()), Arc::new(result.clone()));
            Work::between(source, result, compiled.clone(), Effort::default(), Stop::default())
        };
        assert_eq!(run(&work(), runtime, &ask(), &Unwatched).unwrap().committed.version, 0);
        Self { work: work(), source, result }
    }

    /// Calls that read one object or another.
    fn reads(&self) -> u64 {
        let of = |Counts { head, read, get, .. }: Counts| head + read + get;
        of(self.source.counts()) + of(self.result.counts())
    }
}

#[test]
fn of_ten_thousand_objects_a_plan_looks_at_those_that_changed() {
    let runtime = Runtime::new().unwrap();
    let table = Table::published(runtime.handle());
    let before = table.reads();
    let planned = runtime.block_on(plan(&table.work, &ask())).unwrap();
    assert_eq!(planned.plan.stale().count(), 0);
    let unchanged = table.reads() - before;
    assert!(unchanged < 30, "{unchanged} reads to see that nothing changed");

    let day_after = table.work.source.put("99999.zip", object(130_000_000).into(), Put::Always);
    runtime.block_on(day_after).unwrap();
    let before = table.reads();
    let planned = runtime.block_on(plan(&table.work, &ask())).unwrap();
    assert_eq!((planned.plan.stale().count(), planned.plan.shards.len()), (1, 3));
    let one_more = table.reads() - before;
    assert!(one_more < 100, "{one_more} reads to plan one object more");
}
