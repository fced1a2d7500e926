//! What goes on at the same time.

use super::{Planned, Watch, run};
use crate::stop::Stop;
use crate::testing::{ask, speeds};
use crate::work::{Effort, Work};
use archive::counting::Counting;
use archive::memory::MemoryStore;
use archive::store::{Put, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// 2024-05-01T12:00:00Z.
const NOON_MS: u64 = 1_714_564_800_000;
const DAY_MS: u64 = 86_400_000;
/// Days of the archive, a shard each.
const DAYS: u64 = 4;

/// Holds each shard's chunk back until a document of the next shard was read.
struct HoldsBack {
    source: Counting,
    chunks: AtomicU64,
}

impl Watch for HoldsBack {
    fn planned(&self, _: &Planned) {}

    fn passed(&self, _: u64, _: u64) {
        let chunk = self.chunks.fetch_add(1, Ordering::Relaxed) + 1;
        let read = || self.source.counts().read;
        let deadline = Instant::now() + Duration::from_secs(60);
        while read() < (chunk + 1).min(DAYS) {
            assert!(Instant::now() < deadline, "chunk {chunk}: {} documents were read", read());
            std::thread::yield_now();
        }
    }

    fn computed(&self) {}
}

#[test]
fn the_next_shard_is_read_before_the_last_robots_of_one_are_computed() {
    let runtime = Runtime::new().unwrap();
    let (source, result) = (MemoryStore::new(), MemoryStore::new());
    for day in 0..DAYS {
        let ms = NOON_MS + day * DAY_MS;
        let document = format!(r#"{{"speed": [{{"ts": {ms}, "v": 1}}]}}"#);
        runtime.block_on(source.put(&format!("r1_{ms}.json"), document.into(), Put::Always)).unwrap();
    }
    let source = Counting::around(Arc::new(source));
    let compiled = speeds(r#"objects: "{robot}_{millis}.json""#);
    let effort = Effort { threads: 1, ..Effort::default() };
    let work = Work::between(Arc::new(source.clone()), Arc::new(result), compiled, effort, Stop::default());
    let watch = HoldsBack { source, chunks: AtomicU64::new(0) };
    let ran = run(&work, runtime.handle(), &ask(), &watch).unwrap();
    assert_eq!((ran.committed.version, ran.planned.plan.shards.len() as u64), (0, DAYS));
    assert_eq!(watch.chunks.into_inner(), DAYS);
}
