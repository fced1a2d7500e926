//! What goes on at the same time.

use super::{Ask, Planned, Watch, run};
use crate::stop::Stop;
use crate::work::{Effort, Work};
use archive::counting::Counting;
use archive::memory::MemoryStore;
use archive::store::{Put, Store};
use engine::compile::compile;
use pipeline::check::check;
use pipeline::read::Words;
use pipeline::spec::Recompute;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// 2024-05-01T12:00:00Z.
const NOON_MS: u64 = 1_714_564_800_000;
const DAY_MS: u64 = 86_400_000;
/// Days of the archive, a shard each.
const DAYS: u64 = 4;

const WORDS: &str = r#"
apiVersion: fleetloom.dev/v1alpha1
kind: Archive
metadata: {name: days}
spec:
  store: {url: /archive/}
  objects: "{robot}_{millis}.json"
  format: Json
  robot: {capture: robot}
  signals:
  - {name: speed, at: "/speed[*]", times: [{name: event, field: /ts, unit: ms}], columns: [{name: v}]}
---
apiVersion: fleetloom.dev/v1alpha1
kind: Pipeline
metadata: {name: days}
spec:
  archive: days
  rows: {signal: speed}
  result: {store: {url: /result/}}
"#;

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
    let compiled = compile(&check(&Words::read(WORDS, None, Some("/"))).unwrap().pipelines[0]).unwrap();
    let effort = Effort { threads: 1, ..Effort::default() };
    let work = Work::between(Arc::new(source.clone()), Arc::new(result), compiled, effort, Stop::default());
    let ask = Ask { run: "r".to_owned(), range: None, recompute: Recompute::Stale, asked_ms: 0 };
    let watch = HoldsBack { source, chunks: AtomicU64::new(0) };
    let ran = run(&work, runtime.handle(), &ask, &watch).unwrap();
    assert_eq!((ran.committed.version, ran.planned.plan.shards.len() as u64), (0, DAYS));
    assert_eq!(watch.chunks.into_inner(), DAYS);
}
