//! Stores for this crate's tests: one in memory, and one that loses answers.

use archive::store::{Object, Pin, Put, Store, StoreError, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
struct Held {
    objects: BTreeMap<String, (u64, Bytes)>,
    states: u64,
}

/// A store in memory. Each state of a key has a tag of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    held: Arc<Mutex<Held>>,
}

impl Memory {
    pub(crate) fn shared() -> Arc<dyn Store> {
        Arc::new(Self::default())
    }

    fn put_now(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        let mut held = self.held.lock().unwrap();
        if when == Put::IfAbsent && held.objects.contains_key(key) {
            return Err(StoreError::Exists { place: key.to_owned() });
        }
        held.states += 1;
        let state = held.states;
        let object = object(key, state, &bytes);
        held.objects.insert(key.to_owned(), (state, bytes));
        Ok(object)
    }
}

fn object(key: &str, state: u64, bytes: &Bytes) -> Object {
    let etag = Some(format!("s{state}"));
    Object { key: key.to_owned(), bytes: bytes.len() as u64, etag, version: None, modified_ns: Some(1) }
}

fn gone(key: &str) -> StoreError {
    StoreError::NotFound { place: key.to_owned() }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory")
    }
}

#[async_trait]
impl Store for Memory {
    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        let held = self.held.lock().unwrap();
        let found = held.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let mut objects: Vec<_> = found.map(|(key, (state, bytes))| Ok(object(key, *state, bytes))).collect();
        objects.reverse();
        stream::iter(objects).boxed()
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        Ok(self.get(key).await?.0)
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        let (object, bytes) = self.get(&pin.key).await?;
        if pin.etag.is_some() && pin.etag != object.etag {
            return Err(StoreError::Changed { place: pin.key.clone() });
        }
        let at = |end: u64| usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(at(range.start)..at(range.end)))
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        let held = self.held.lock().unwrap();
        let (state, bytes) = held.objects.get(key).ok_or_else(|| gone(key))?;
        Ok((object(key, *state, bytes), bytes.clone()))
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        self.put_now(key, bytes, when)
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(MemoryUpload { store: self.clone(), key: key.to_owned(), bytes: Vec::new() }))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.held.lock().unwrap().objects.remove(key);
        Ok(())
    }
}

struct MemoryUpload {
    store: Memory,
    key: String,
    bytes: Vec<u8>,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&piece);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Object, StoreError> {
        self.store.put_now(&self.key, self.bytes.into(), Put::Always)
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
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
