//! Stores for this crate's tests: one in memory, and one around it that loses answers.

use archive::memory::MemoryStore;
use archive::store::{Object, Pin, Put, Reading, Store, StoreError, Upload};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// An empty store in memory.
pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

/// What a faulty store does with the next conditional puts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It writes, then the answer is lost.
    Lost,
    /// It writes, a retry of the client finds that, and says so.
    Retried,
    /// It does not write and says nothing.
    Dropped,
    /// It does not write: try again.
    Busy,
    /// It does not write: no permission.
    Denied,
    /// It ignores the condition.
    Replaced,
}

/// A store around a store: each conditional put below a prefix meets the next fault of a list; then all is well.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    inner: Arc<dyn Store>,
    prefix: &'static str,
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl Faulty {
    pub(crate) fn around(inner: &Arc<dyn Store>, prefix: &'static str, faults: &[Fault]) -> Arc<dyn Store> {
        let faults = faults.iter().rev().copied().collect();
        Arc::new(Self { inner: Arc::clone(inner), prefix, faults: Arc::new(Mutex::new(faults)) })
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Faulty {
    fn reading(&self) -> Reading {
        self.inner.reading()
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        self.inner.list(prefix)
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        self.inner.head(key).await
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.inner.read(pin, range).await
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        self.inner.get(key).await
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        let hit = when == Put::IfAbsent && key.starts_with(self.prefix);
        let fault = if hit { self.faults.lock().unwrap().pop() } else { None };
        if fault == Some(Fault::Replaced) {
            return self.inner.put(key, bytes, Put::Always).await;
        }
        if matches!(fault, None | Some(Fault::Lost | Fault::Retried)) {
            let put = self.inner.put(key, bytes, when).await;
            if fault.is_none() {
                return put;
            }
        }
        let (place, source) = (key.to_owned(), "simulated".into());
        Err(match fault {
            Some(Fault::Retried) => StoreError::Exists { place },
            Some(Fault::Busy) => StoreError::Unavailable { place, source },
            Some(Fault::Denied) => StoreError::Denied { place, verb: "write" },
            _ => StoreError::Unknown { place, source },
        })
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }
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
