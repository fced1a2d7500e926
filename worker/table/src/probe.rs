//! What a store must do for a result to be safe in it, tried out: a put that takes effect only where nothing is, one winner
//! among parallel ones, every read and listing seeing what was written or deleted before, and pinned reads.
//!
//! The plan of a first version runs it, and its commit where the proof has gone since; `doctor` runs it when asked. What held is
//! kept in [`layout::STORE`].

use crate::error::TableError;
use crate::layout;
use archive::store::{Object, Pin, Put, Store, StoreError};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Creators of one key at a time.
const CREATORS: usize = 16;

/// How often a store is tried out before it is believed not to hold.
const TRIES: u32 = 3;

/// What a store was seen to do. A proof that lacks one of these is of an earlier program, and is proved anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// When, ms since the epoch.
    pub proved_ms: i64,
    /// A second create of a key is refused and changes nothing.
    pub creates_once: bool,
    /// Of parallel creates of a key, exactly one takes effect.
    pub one_winner: bool,
    /// What was written is read and listed at once.
    pub reads_writes: bool,
    /// What was deleted is neither read nor listed.
    pub deletes: bool,
    /// A key that was deleted can be created again.
    pub creates_again: bool,
    /// A large object is not seen before it is whole.
    pub uploads_whole: bool,
    /// A pinned read gives the pinned state or says that it is gone, never another.
    pub keeps_pins: bool,
}

/// One thing that a store was tried for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// What was tried.
    pub what: &'static str,
    /// Whether the store did it.
    pub holds: bool,
    /// What that means, as a clause.
    pub meaning: &'static str,
}

impl Proof {
    /// Whether a result is safe in it.
    pub fn holds(&self) -> bool {
        self.trials().iter().all(|trial| trial.holds)
    }

    /// Each thing that was tried, with what came of it.
    pub fn trials(&self) -> [Trial; 7] {
        let trial = |what, holds, kept, broken| Trial { what, holds, meaning: if holds { kept } else { broken } };
        [
            trial(
                "a conditional put creates once",
                self.creates_once,
                "no commit replaces another",
                "a conditional put replaced an object that was there",
            ),
            trial(
                "sixteen creators, one winner",
                self.one_winner,
                "of runs that publish at a time one wins, and the others know",
                "two parallel conditional puts of one key both took effect, or none did",
            ),
            trial(
                "reads and listings see what was put",
                self.reads_writes,
                "a commit sees every report",
                "an object that was written was not read or listed at once",
            ),
            trial(
                "reads and listings miss what was deleted",
                self.deletes,
                "vacuum frees what it deletes",
                "an object that was deleted was still read or listed",
            ),
            trial(
                "a deleted key can be created again",
                self.creates_again,
                "a shard that vacuum forgot can be computed again",
                "a key that was deleted could not be created again (on versitygw and others when the bucket keeps versions: \
                 use an unversioned bucket for results)",
            ),
            trial(
                "a large upload is invisible before it ends",
                self.uploads_whole,
                "no reader meets half a file",
                "a large object was seen before it was whole, or was not whole after",
            ),
            trial(
                "a pinned read refuses a replaced object",
                self.keeps_pins,
                "nothing is read from two states of an object",
                "a pinned read gave the bytes of another state",
            ),
        ]
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trials = self.trials();
        let broken: Vec<&str> = trials.iter().filter(|trial| !trial.holds).map(|trial| trial.meaning).collect();
        if broken.is_empty() { write!(f, "keeps its promises") } else { write!(f, "{}", broken.join("; ")) }
    }
}

/// Tries the store out under names of its own and removes what it wrote, whatever came of it. What does not hold, or whose
/// answer is lost, is tried anew: between here and the store a network may lose an answer or send a request twice.
///
/// Errors: the store could not be asked.
pub async fn probe(store: &dyn Store, now_ms: i64) -> Result<Proof, TableError> {
    for _ in 1..TRIES {
        match once(store, now_ms).await {
            Ok(proof) if proof.holds() => return Ok(proof),
            Err(error) if !matches!(error.store_error(), Some(StoreError::Unknown { .. })) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    once(store, now_ms).await
}

async fn once(store: &dyn Store, now_ms: i64) -> Result<Proof, TableError> {
    let key = layout::probe(&Uuid::new_v4().simple().to_string());
    let [raced, large] = ["raced", "large"].map(|end| format!("{key}-{end}"));
    let proof = tried(store, now_ms, &key, &raced, &large).await;
    for key in [&key, &raced, &large] {
        store.delete(key).await?;
    }
    proof
}

async fn tried(store: &dyn Store, now_ms: i64, key: &str, raced: &str, large: &str) -> Result<Proof, TableError> {
    Ok(Proof {
        proved_ms: now_ms,
        creates_once: creates_once(store, key).await?,
        one_winner: one_winner(store, raced).await?,
        reads_writes: reads_writes(store, key).await?,
        keeps_pins: keeps_pins(store, key).await?,
        deletes: deletes(store, key).await?,
        creates_again: created(store.put(key, Bytes::from_static(b"again"), Put::IfAbsent).await)?,
        uploads_whole: uploads_whole(store, large).await?,
    })
}

/// The proof that the store keeps; tries it out when there is none. Only a proof that holds is kept.
///
/// Errors: [`TableError::Refused`] with what to do when the store does not hold.
pub async fn proved(store: &dyn Store, now_ms: i64) -> Result<Proof, TableError> {
    if let Some(proof) = kept(store).await? {
        return Ok(proof);
    }
    let proof = probe(store, now_ms).await?;
    if !proof.holds() {
        return Err(TableError::Refused(format!("{store} cannot hold a result safely: {proof}; {REMEDY}")));
    }
    let json = serde_json::to_vec_pretty(&proof).map_err(|error| TableError::writing(layout::STORE, &error))?;
    store.put(layout::STORE, json.into(), Put::Always).await?;
    Ok(proof)
}

/// What to do about a store that does not hold.
pub const REMEDY: &str = "use a store with conditional writes (AWS S3, MinIO, Ceph from 20 on, SeaweedFS, a local folder), or turn \
                          them on in this one; `fleetloom doctor` tries it again";

async fn kept(store: &dyn Store) -> Result<Option<Proof>, TableError> {
    match store.get(layout::STORE).await {
        Ok((_, bytes)) => Ok(serde_json::from_slice(&bytes).ok().filter(Proof::holds)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn creates_once(store: &dyn Store, key: &str) -> Result<bool, TableError> {
    let first = created(store.put(key, Bytes::from_static(b"first"), Put::IfAbsent).await)?;
    let second = created(store.put(key, Bytes::from_static(b"second"), Put::IfAbsent).await)?;
    let (_, bytes) = store.get(key).await?;
    Ok(first && !second && bytes == "first")
}

async fn one_winner(store: &dyn Store, key: &str) -> Result<bool, TableError> {
    let names: Vec<Bytes> = (0..CREATORS).map(|creator| Bytes::from(creator.to_string())).collect();
    let answers = join_all(names.iter().map(|name| store.put(key, name.clone(), Put::IfAbsent))).await;
    let won = answers.into_iter().map(created).collect::<Result<Vec<bool>, _>>()?;
    let winners: Vec<&Bytes> = names.iter().zip(&won).filter(|(_, won)| **won).map(|(name, _)| name).collect();
    let (_, bytes) = store.get(key).await?;
    Ok(winners == [&bytes])
}

async fn reads_writes(store: &dyn Store, key: &str) -> Result<bool, TableError> {
    let put = store.put(key, Bytes::from_static(b"third"), Put::Always).await?;
    let (object, bytes) = store.get(key).await?;
    Ok(bytes == "third" && object.etag == put.etag && listed(store, key).await? == Some(put.bytes))
}

/// Pins a state, replaces it with one as long, and reads what was pinned.
async fn keeps_pins(store: &dyn Store, key: &str) -> Result<bool, TableError> {
    let old = Bytes::from_static(b"before");
    let pin = store.put(key, old.clone(), Put::Always).await?.pin();
    let before = pinned(store, &pin).await?;
    store.put(key, Bytes::from_static(b"behind"), Put::Always).await?;
    let after = pinned(store, &pin).await?;
    Ok(before.as_ref() == Some(&old) && after.is_none_or(|bytes| bytes == old))
}

/// The pinned bytes; `None`: the store says that they are gone.
async fn pinned(store: &dyn Store, pin: &Pin) -> Result<Option<Bytes>, TableError> {
    match store.read(pin, 0..pin.bytes).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StoreError::Changed { .. } | StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn deletes(store: &dyn Store, key: &str) -> Result<bool, TableError> {
    store.delete(key).await?;
    Ok(!seen(store, key).await? && listed(store, key).await?.is_none())
}

/// A large object: a byte more than the store moves at a time, so of a bucket's upload a second part.
fn large(store: &dyn Store) -> Bytes {
    let block = usize::try_from(store.reading().block_bytes).unwrap_or_default();
    vec![7; block.saturating_add(1)].into()
}

async fn uploads_whole(store: &dyn Store, key: &str) -> Result<bool, TableError> {
    let large = large(store);
    let bytes = large.len() as u64;
    let mut upload = store.upload(key).await?;
    upload.write(large).await?;
    let early = seen(store, key).await? || listed(store, key).await?.is_some();
    upload.finish().await?;
    Ok(!early && listed(store, key).await? == Some(bytes))
}

async fn seen(store: &dyn Store, key: &str) -> Result<bool, TableError> {
    match store.head(key).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The size with which a listing names a key; `None`: it does not.
async fn listed(store: &dyn Store, key: &str) -> Result<Option<u64>, TableError> {
    let listed: Vec<Object> = store.list(key).try_collect().await?;
    Ok(listed.iter().find(|object| object.key == key).map(|object| object.bytes))
}

/// Whether a conditional put took effect.
fn created<T>(answer: Result<T, StoreError>) -> Result<bool, TableError> {
    match answer {
        Ok(_) => Ok(true),
        Err(StoreError::Exists { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
