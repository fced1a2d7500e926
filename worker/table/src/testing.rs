//! Stores and rows for this crate's tests.

use crate::commit::Publication;
use crate::delta::Origin;
use crate::ledger::{Ledger, LedgerLine, LineState};
use crate::part::PartWriter;
use crate::state::TableState;
use archive::memory::MemoryStore;
use archive::store::{Object, Pin, Put, Store, StoreError, Upload};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use pipeline::time::Span;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An empty store in memory.
pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

/// The columns of a small result.
pub(crate) fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("robot", DataType::Utf8, true),
        Field::new("date", DataType::Date32, true),
        Field::new("time", time, true),
        Field::new("speed_v", DataType::Float64, true).with_metadata([("unit".to_owned(), "m/s".to_owned())].into()),
        Field::new("speed_dt_us", DataType::Int64, true),
        Field::new("valid", DataType::Boolean, true),
    ]))
}

/// `count` rows of a robot on a day, a second apart; each third value is null.
pub(crate) fn rows(robot: &str, day: i32, count: usize) -> RecordBatch {
    let numbers = || (0..count).map(|row| i64::try_from(row).unwrap());
    let start = i64::from(day) * 86_400_000_000;
    let times = numbers().map(|row| start + row * 1_000_000);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![robot; count])),
        Arc::new(Date32Array::from(vec![day; count])),
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(numbers().map(|row| (row % 3 != 0).then_some(row as f64 * 0.5)).collect::<Float64Array>()),
        Arc::new(Int64Array::from_iter_values(numbers().map(|row| -row))),
        Arc::new(BooleanArray::from_iter(numbers().map(|row| Some(row % 2 == 0)))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Writes a shard of some rows and gives its ledger line.
pub(crate) async fn shard(store: &Arc<dyn Store>, key: &str, day: i32, count: usize) -> LedgerLine {
    let mut part = PartWriter::new(store, &schema(), key, "a").unwrap();
    part.write(&rows("r1", day, count)).await.unwrap();
    let files = part.finish().await.unwrap();
    LedgerLine {
        key: key.to_owned(),
        state: LineState::Done,
        reason: "new".to_owned(),
        span: Span { from_ns: 0, to_ns: 1 },
        robots: String::new(),
        rows: files.iter().map(|file| file.rows).sum(),
        files,
        account: None,
        quarantine: None,
        failure: None,
    }
}

/// A plan with these shards.
pub(crate) fn publication(plan: &str, base: Option<TableState>, lines: Vec<LedgerLine>) -> Publication {
    Publication {
        run: format!("run-{plan}"),
        plan: plan.to_owned(),
        source: "s1".to_owned(),
        pipeline: "p".to_owned(),
        meaning: "m1".to_owned(),
        engine: "1".to_owned(),
        schema: schema(),
        retention_s: 7 * 86_400,
        base,
        ledger: Ledger { lines },
        gates: Vec::new(),
        origin: Origin::default(),
        now_ms: 1_700_000_000_000,
    }
}

/// A store around a store that counts what is asked of it.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: Arc<dyn Store>,
    lists: AtomicU64,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl Counted {
    pub(crate) fn around(inner: &Arc<dyn Store>) -> Self {
        let zero = AtomicU64::default;
        Self { inner: Arc::clone(inner), lists: zero(), reads: zero(), bytes: zero() }
    }

    /// Listings, and reads of any kind.
    pub(crate) fn requests(&self) -> (u64, u64) {
        (self.lists.load(Ordering::Relaxed), self.reads.load(Ordering::Relaxed))
    }

    /// Bytes that were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: &Bytes) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Counted {
    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list(prefix)
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.head(key).await
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        let bytes = self.inner.read(pin, range).await?;
        self.count(&bytes);
        Ok(bytes)
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        let (object, bytes) = self.inner.get(key).await?;
        self.count(&bytes);
        Ok((object, bytes))
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        self.inner.put(key, bytes, when).await
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }
}
