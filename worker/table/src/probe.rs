//! What a store must do for a result to be safe in it, tried out: a put that takes effect only where nothing is, one winner
//! among parallel ones, and every read and listing seeing what was written before.
//!
//! The first commit on a store runs it; `doctor` runs it when asked. What held is kept in [`layout::STORE`].

use crate::error::TableError;
use crate::layout;
use archive::store::{Put, Store, StoreError};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Creators of one key at a time.
const CREATORS: usize = 8;

/// What a store was seen to do.
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
}

impl Proof {
    /// Whether a result is safe in it.
    pub fn holds(&self) -> bool {
        self.creates_once && self.one_winner && self.reads_writes
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broken = [
            (self.creates_once, "a conditional put replaced an object that was there"),
            (self.one_winner, "two parallel conditional puts of one key both took effect, or none did"),
            (self.reads_writes, "an object that was written was not read or listed at once"),
        ];
        let words: Vec<&str> = broken.iter().filter(|(holds, _)| !holds).map(|(_, words)| *words).collect();
        if words.is_empty() { write!(f, "keeps its conditional writes") } else { write!(f, "{}", words.join("; ")) }
    }
}

/// Tries the store out under a name of its own and removes what it wrote.
///
/// Errors: the store could not be asked.
pub async fn probe(store: &dyn Store, now_ms: i64) -> Result<Proof, TableError> {
    let key = layout::probe(&Uuid::new_v4().simple().to_string());
    let raced = format!("{key}-raced");
    let proof = Proof {
        proved_ms: now_ms,
        creates_once: creates_once(store, &key).await?,
        one_winner: one_winner(store, &raced).await?,
        reads_writes: reads_writes(store, &key).await?,
    };
    store.delete(&key).await?;
    store.delete(&raced).await?;
    Ok(proof)
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
        return Err(TableError::Refused(format!(
            "{store} cannot hold a result safely: {proof}; use a store with conditional writes (AWS S3, MinIO, Ceph from \
             20 on, SeaweedFS, a local folder), or turn them on in this one"
        )));
    }
    let json = serde_json::to_vec_pretty(&proof).map_err(|error| TableError::writing(layout::STORE, &error))?;
    store.put(layout::STORE, json.into(), Put::Always).await?;
    Ok(proof)
}

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
    let listed: Vec<_> = store.list(key).try_collect().await?;
    let same = |found: &archive::store::Object| found.key == key && found.bytes == put.bytes;
    Ok(bytes == "third" && object.etag == put.etag && listed.iter().any(same))
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
mod tests {
    use super::*;
    use crate::testing::memory;
    use archive::faulty::{Fault, Faults};

    #[tokio::test]
    async fn a_sound_store_is_proved_once_and_left_clean() {
        let store = memory();
        let proof = proved(store.as_ref(), 7).await.unwrap();
        assert!(proof.holds());
        assert_eq!(proved(store.as_ref(), 8).await.unwrap(), proof);
        let left: Vec<_> = store.list("").map_ok(|object| object.key).try_collect().await.unwrap();
        assert_eq!(left, [layout::STORE]);
    }

    #[tokio::test]
    async fn a_store_that_replaces_is_refused_with_what_to_do() {
        let store = Faults::of_creates("_fleetloom/probe-", &[Fault::Replaced; 99]).around(&memory());
        let error = proved(store.as_ref(), 7).await.unwrap_err().to_string();
        assert!(error.contains("replaced an object") && error.contains("use a store with"), "{error}");
    }
}
