//! A store around a store that counts what is asked of it, by verb: tests bound with it what planning and reading cost.
//!
//! A listing counts once, whatever its pages; an upload counts once, and its pieces not at all.

use crate::store::{Object, Pin, Put, Reading, Store, StoreError, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store whose calls are counted. Clones share the count.
#[derive(Debug, Clone)]
pub struct Counting {
    inner: Arc<dyn Store>,
    calls: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    list: AtomicU64,
    head: AtomicU64,
    read: AtomicU64,
    get: AtomicU64,
    put: AtomicU64,
    upload: AtomicU64,
    delete: AtomicU64,
    read_bytes: AtomicU64,
}

/// Calls so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`Store::list`].
    pub list: u64,
    /// [`Store::head`].
    pub head: u64,
    /// [`Store::read`].
    pub read: u64,
    /// [`Store::get`].
    pub get: u64,
    /// [`Store::put`].
    pub put: u64,
    /// [`Store::upload`].
    pub upload: u64,
    /// [`Store::delete`].
    pub delete: u64,
    /// Bytes that [`Store::read`] returned.
    pub read_bytes: u64,
}

impl Counting {
    /// Counts what is asked of `inner` from now on.
    pub fn around(inner: Arc<dyn Store>) -> Self {
        Self { inner, calls: Arc::default() }
    }

    /// The calls so far, failed ones too.
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { list, head, read, get, put, upload, delete, read_bytes } = &*self.calls;
        Counts {
            list: of(list),
            head: of(head),
            read: of(read),
            get: of(get),
            put: of(put),
            upload: of(upload),
            delete: of(delete),
            read_bytes: of(read_bytes),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Counting {
    fn reading(&self) -> Reading {
        self.inner.reading()
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        count(&self.calls.list);
        self.inner.list(prefix)
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        count(&self.calls.head);
        self.inner.head(key).await
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        count(&self.calls.read);
        let bytes = self.inner.read(pin, range).await?;
        self.calls.read_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        count(&self.calls.get);
        self.inner.get(key).await
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        count(&self.calls.put);
        self.inner.put(key, bytes, when).await
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        count(&self.calls.upload);
        self.inner.upload(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        count(&self.calls.delete);
        self.inner.delete(key).await
    }
}
