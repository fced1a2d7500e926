//! The probe on sound stores and on stores that each break one promise.

use super::*;
use crate::testing::memory;
use archive::faulty::{Fault, Faults};
use archive::folder::{FolderStore, MissingRoot};
use archive::store::{Reading, Upload};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// The promise that a store breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// A conditional put replaces.
    Replaces,
    /// A conditional put that finds something says that it took effect.
    Flatters,
    /// A listing names nothing.
    ListsNothing,
    /// A delete does nothing.
    KeepsDeleted,
    /// A deleted key counts as existing for a conditional put.
    RemembersDeleted,
    /// An unfinished upload is seen.
    ShowsUnfinished,
    /// A pin is not looked at.
    IgnoresPins,
}

/// A store around a store that breaks one promise.
#[derive(Debug)]
struct Liar {
    inner: Arc<dyn Store>,
    lie: Lie,
    deleted: Mutex<BTreeSet<String>>,
}

impl Liar {
    fn new(lie: Lie) -> Self {
        Self { inner: memory(), lie, deleted: Mutex::default() }
    }
}

impl fmt::Display for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Liar {
    fn reading(&self) -> Reading {
        self.inner.reading()
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        if self.lie == Lie::ListsNothing { stream::empty().boxed() } else { self.inner.list(prefix) }
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        self.inner.head(key).await
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        let etag = pin.etag.clone().filter(|_| self.lie != Lie::IgnoresPins);
        self.inner.read(&Pin { etag, ..pin.clone() }, range).await
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        self.inner.get(key).await
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        if when == Put::IfAbsent && self.lie == Lie::RemembersDeleted && self.deleted.lock().unwrap().contains(key) {
            return Err(StoreError::Exists { place: key.to_owned() });
        }
        let when = if self.lie == Lie::Replaces { Put::Always } else { when };
        match self.inner.put(key, bytes, when).await {
            Err(StoreError::Exists { .. }) if self.lie == Lie::Flatters => self.inner.head(key).await,
            put => put,
        }
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        if self.lie == Lie::ShowsUnfinished {
            self.inner.put(key, Bytes::from_static(b"half"), Put::Always).await?;
        }
        self.inner.upload(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.deleted.lock().unwrap().insert(key.to_owned());
        if self.lie == Lie::KeepsDeleted { Ok(()) } else { self.inner.delete(key).await }
    }
}

async fn left(store: &dyn Store) -> Vec<String> {
    store.list("").map_ok(|object| object.key).try_collect().await.unwrap()
}

#[tokio::test]
async fn a_sound_store_is_proved_once_and_left_clean() {
    let folder = tempfile::tempdir().unwrap();
    for store in [memory(), Arc::new(FolderStore::new(folder.path(), MissingRoot::Empty))] {
        let proof = proved(store.as_ref(), 7).await.unwrap();
        assert!(proof.holds(), "{proof}");
        assert_eq!(proved(store.as_ref(), 8).await.unwrap(), proof);
        assert_eq!(left(store.as_ref()).await, [layout::STORE]);
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_or_that_is_sent_twice_is_tried_anew() {
    // Two creates of a key, a read, and the sixteen that race.
    for call in [1, 2, 4, 19] {
        for fault in [Fault::Lost, Fault::Dropped, Fault::Twice] {
            let inner = memory();
            let store = Faults::at(call, fault).around(&inner);
            assert!(probe(store.as_ref(), 7).await.unwrap().holds(), "{fault:?} at {call}");
            assert_eq!(left(inner.as_ref()).await, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn each_broken_promise_fails_its_own_trial() {
    let table = [
        (Lie::Replaces, "a conditional put creates once"),
        (Lie::Flatters, "sixteen creators"),
        (Lie::ListsNothing, "see what was put"),
        (Lie::KeepsDeleted, "miss what was deleted"),
        (Lie::RemembersDeleted, "can be created again"),
        (Lie::ShowsUnfinished, "a large upload"),
        (Lie::IgnoresPins, "a pinned read"),
    ];
    for (lie, what) in table {
        let store = Liar::new(lie);
        let proof = probe(&store, 7).await.unwrap();
        let trials = proof.trials();
        let broken: Vec<&str> = trials.iter().filter(|trial| !trial.holds).map(|trial| trial.what).collect();
        assert!(broken.iter().any(|broken| broken.contains(what)), "{lie:?}: {broken:?}");
        assert_eq!(left(store.inner.as_ref()).await.is_empty(), lie != Lie::KeepsDeleted, "{lie:?} is left clean");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_refused_with_what_to_do() {
    let error = proved(&Liar::new(Lie::Replaces), 7).await.unwrap_err().to_string();
    assert!(error.contains("replaced an object") && error.contains("use a store with"), "{error}");
    let error = proved(&Liar::new(Lie::RemembersDeleted), 7).await.unwrap_err().to_string();
    assert!(error.contains("use an unversioned bucket for results"), "{error}");
}

#[tokio::test]
async fn a_proof_of_an_earlier_program_is_proved_anew() {
    let store = memory();
    let old = r#"{"provedMs": 1, "createsOnce": true, "oneWinner": true, "readsWrites": true}"#;
    store.put(layout::STORE, old.into(), Put::Always).await.unwrap();
    assert_eq!(proved(store.as_ref(), 7).await.unwrap().proved_ms, 7);
}
