//! A store in memory: what tests read from and write to. It can keep old versions, as a versioned bucket does.

use crate::store::{Object, Pin, Put, Reading, Store, StoreError, Upload};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Stored bytes in memory. Clones share the same objects.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    versioned: bool,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// States of each key, oldest first; an unversioned store keeps the last one only.
    states: BTreeMap<String, Vec<State>>,
    /// States made so far; numbers the versions.
    made: u64,
}

/// One state of a key.
#[derive(Debug, Clone)]
enum State {
    Stored(Object, Bytes),
    Deleted,
}

impl MemoryStore {
    /// A store in which a replaced object is gone.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store in which every state of an object keeps a version id, deleted or replaced.
    pub fn versioned() -> Self {
        Self { versioned: true, shelf: Arc::default() }
    }

    /// Stores or replaces an object at once.
    pub fn insert(&self, key: impl Into<String>, bytes: impl Into<Bytes>) -> Object {
        self.shelf().store(key.into(), bytes.into(), self.versioned)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Every change is one insertion, so a panic elsewhere leaves nothing half done.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, key: &str) -> String {
        format!("{self}/{key}")
    }
}

impl Shelf {
    fn current(&self, key: &str) -> Option<(&Object, &Bytes)> {
        match self.states.get(key)?.last()? {
            State::Stored(object, bytes) => Some((object, bytes)),
            State::Deleted => None,
        }
    }

    /// The state a pin names, or whether the key is there at all.
    fn pinned(&self, pin: &Pin) -> Result<Bytes, bool> {
        let states = self.states.get(&pin.key).map(Vec::as_slice).unwrap_or_default();
        if pin.version.is_some() {
            let stored = states.iter().find_map(|state| match state {
                State::Stored(object, bytes) if object.version == pin.version => Some(bytes.clone()),
                _ => None,
            });
            return stored.ok_or(!states.is_empty());
        }
        let (object, bytes) = self.current(&pin.key).ok_or(false)?;
        if pin.etag.is_none() || pin.etag == object.etag { Ok(bytes.clone()) } else { Err(true) }
    }

    fn store(&mut self, key: String, bytes: Bytes, versioned: bool) -> Object {
        self.made += 1;
        let object = Object {
            key: key.clone(),
            bytes: bytes.len() as u64,
            etag: Some(blake3::hash(&bytes).to_hex()[..32].to_owned()),
            version: versioned.then(|| format!("v{}", self.made)),
            modified_ns: SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|d| d.as_nanos().try_into().ok()),
        };
        self.push(key, State::Stored(object.clone(), bytes), versioned);
        object
    }

    fn push(&mut self, key: String, state: State, versioned: bool) {
        let states = self.states.entry(key).or_default();
        if !versioned {
            states.clear();
        }
        states.push(state);
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:")
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn reading(&self) -> Reading {
        Reading::LOCAL
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        let shelf = self.shelf();
        let from = shelf.states.range(prefix.to_owned()..);
        let keys = from.map(|(key, _)| key).take_while(|key| key.starts_with(prefix));
        let objects: Vec<_> = keys.filter_map(|key| Some(Ok(shelf.current(key)?.0.clone()))).collect();
        stream::iter(objects).boxed()
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        let found = self.shelf().current(key).map(|(object, _)| object.clone());
        found.ok_or_else(|| StoreError::NotFound { place: self.place(key) })
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        let place = self.place(&pin.key);
        let changed_or_gone =
            |there| if there { StoreError::Changed { place } } else { StoreError::NotFound { place } };
        let bytes = self.shelf().pinned(pin).map_err(changed_or_gone)?;
        let cut = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(cut(range.start)..cut(range.end.max(range.start))))
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        let found = self.shelf().current(key).map(|(object, bytes)| (object.clone(), bytes.clone()));
        found.ok_or_else(|| StoreError::NotFound { place: self.place(key) })
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        let mut shelf = self.shelf();
        if key.is_empty() {
            return Err(StoreError::Invalid { place: self.place(key), why: "a key must not be empty".to_owned() });
        }
        if when == Put::IfAbsent && shelf.current(key).is_some() {
            return Err(StoreError::Exists { place: self.place(key) });
        }
        Ok(shelf.store(key.to_owned(), bytes, self.versioned))
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(MemoryUpload { store: self.clone(), key: key.to_owned(), bytes: BytesMut::new() }))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let mut shelf = self.shelf();
        if shelf.current(key).is_some() {
            shelf.push(key.to_owned(), State::Deleted, self.versioned);
        }
        Ok(())
    }
}

/// An object being put together.
#[derive(Debug)]
struct MemoryUpload {
    store: MemoryStore,
    key: String,
    bytes: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&piece);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Object, StoreError> {
        Ok(self.store.insert(self.key, self.bytes))
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}
