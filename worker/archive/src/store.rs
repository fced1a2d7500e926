//! The one door to stored bytes: list, pinned ranged reads, conditional puts, deletes. Not a file system: keys are flat,
//! `/`-separated, relative to the store's prefix, without a leading slash.
//!
//! A folder, an S3 bucket and an in-memory store implement it here. Each passes [`crate::conformance`]. Limits, prefixes
//! and faults are stores around a store.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::ops::Range;

/// A stored blob, as a listing names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Key below the store's prefix.
    pub key: String,
    /// Size.
    pub bytes: u64,
    /// Entity tag; on a folder made of size and modification time.
    pub etag: Option<String>,
    /// Version id on a versioned bucket.
    pub version: Option<String>,
    /// Last modification, ns since the epoch, as exactly as the answer says it: a listing in ms, a head in s, a put of a
    /// bucket not at all. It is no part of the object's state.
    pub modified_ns: Option<i64>,
}

/// An object's state that a read insists on: by version id, else by entity tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pin {
    /// Key below the store's prefix.
    pub key: String,
    /// Read exactly this version.
    pub version: Option<String>,
    /// Without a version: refuse ([`StoreError::Changed`]) anything whose tag differs.
    pub etag: Option<String>,
    /// Size when it was pinned.
    pub bytes: u64,
}

impl Object {
    /// The name of this object's state: equal for equal key, size, tag and version, known without opening the object.
    pub fn state_id(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        self.feed(&mut hasher);
        hasher.finalize()
    }

    /// Feeds key, size, tag and version, each preceded by its length, so that no two states feed the same bytes.
    pub(crate) fn feed(&self, hasher: &mut blake3::Hasher) {
        feed_text(hasher, Some(&self.key));
        hasher.update(&self.bytes.to_le_bytes());
        feed_text(hasher, self.etag.as_deref());
        feed_text(hasher, self.version.as_deref());
    }

    /// The pin of this state.
    pub fn pin(&self) -> Pin {
        Pin { key: self.key.clone(), version: self.version.clone(), etag: self.etag.clone(), bytes: self.bytes }
    }
}

/// Feeds a text with its length; an absent one differs from an empty one.
pub(crate) fn feed_text(hasher: &mut blake3::Hasher, text: Option<&str>) {
    let length = text.map_or(u64::MAX, |t| t.len() as u64);
    hasher.update(&length.to_le_bytes());
    hasher.update(text.unwrap_or_default().as_bytes());
}

/// When a put may take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Always: replaces what is there.
    Always,
    /// Only where nothing is (`If-None-Match: *`); else [`StoreError::Exists`]. Exactly one of many parallel ones wins.
    IfAbsent,
}

/// How an object's bytes are best asked for, and sent: what one request costs decides how far apart two members may lie to
/// share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Most bytes of one read, at most [`READ_BYTES_MAX`], and of one part of an upload.
    pub block_bytes: u64,
    /// Unwanted bytes that are cheaper to read than to skip.
    pub gap_bytes: u64,
    /// Unwanted bytes that all reads of a shard may come to: beyond, gaps are skipped after all.
    pub waste_bytes: u64,
    /// Reads under way at a time.
    pub parallel: usize,
}

/// No single ranged read asks for more than this: it bounds what a reader holds, and what a broken transfer repeats.
pub const READ_BYTES_MAX: u64 = 8 << 20;

impl Reading {
    /// For stores behind a network: a request costs some 30 ms, as much as transferring a few MiB.
    pub const REMOTE: Self =
        Self { block_bytes: READ_BYTES_MAX, gap_bytes: 512 << 10, waste_bytes: 8 << 20, parallel: 8 };
    /// For folders and memory: a read costs microseconds, so small blocks share the work evenly among threads. What lies in
    /// small gaps is read ahead by the system anyway.
    pub const LOCAL: Self = Self { block_bytes: 256 << 10, gap_bytes: 32 << 10, waste_bytes: u64::MAX, parallel: 4 };
}

/// Stored bytes behind flat keys.
#[async_trait]
pub trait Store: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// How reads of this store, and uploads to it, are best cut.
    fn reading(&self) -> Reading {
        Reading::REMOTE
    }

    /// Every object whose key starts with `prefix`, in no particular order. Unfinished uploads are not listed.
    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>>;

    /// The current state of one object; [`StoreError::NotFound`] if there is none.
    async fn head(&self, key: &str) -> Result<Object, StoreError>;

    /// The bytes `range` of exactly the pinned state. A range past the end is cut at the end.
    ///
    /// Errors: [`StoreError::Changed`] when the state is no longer there, [`StoreError::NotFound`] when the key is gone.
    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// The whole current object.
    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError>;

    /// Stores `bytes` whole and durable, or not at all.
    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError>;

    /// Starts storing an object that is too large to hold. Nothing is visible before [`Upload::finish`].
    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError>;

    /// Removes an object; one that is not there is no error.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// What is being written, or was left by a writer that was killed, where that takes names beside the objects' (a folder);
    /// none elsewhere. A store around a store that leaves this out hides them, and nothing else.
    async fn unfinished(&self) -> Result<Vec<Object>, StoreError> {
        Ok(Vec::new())
    }

    /// Removes what [`Store::unfinished`] named; what is not there any more is no error.
    async fn discard(&self, key: &str) -> Result<(), StoreError> {
        Err(StoreError::Invalid { place: format!("{self}/{key}"), why: "nothing unfinished is kept here".to_owned() })
    }
}

/// An object being stored in pieces. Dropping it without [`Upload::finish`] leaves nothing visible.
#[async_trait]
pub trait Upload: Send {
    /// Appends a piece.
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError>;
    /// Makes the object visible, whole and durable.
    async fn finish(self: Box<Self>) -> Result<Object, StoreError>;
    /// Removes what was written.
    async fn abort(self: Box<Self>) -> Result<(), StoreError>;
}

/// What a store could not do, by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such object, folder or bucket.
    #[error("{place}: not there; check the spelling, and whether it was moved or removed")]
    NotFound {
        /// Store and key.
        place: String,
    },
    /// A conditional put found something.
    #[error("{place}: exists already")]
    Exists {
        /// Store and key.
        place: String,
    },
    /// The pinned state is gone: the input changed.
    #[error("{place}: was replaced after it was listed")]
    Changed {
        /// Store and key.
        place: String,
    },
    /// No permission.
    #[error("{place}: no permission to {verb}; check owner and mode (or the bucket policy)")]
    Denied {
        /// Store and key.
        place: String,
        /// `read`, `write`, `list` or `delete`.
        verb: &'static str,
    },
    /// No room.
    #[error("{place}: no space left; free some and run again, finished shards are kept")]
    Full {
        /// Store and key.
        place: String,
    },
    /// The words or the key cannot be a place in this store.
    #[error("{place}: {why}")]
    Invalid {
        /// Store and key.
        place: String,
        /// What is wrong and what to write.
        why: String,
    },
    /// What says who we are is not accepted any more, or by our clock not yet: it was right and will be again.
    #[error("{place}: {why}")]
    Expired {
        /// The store.
        place: String,
        /// What is out of date and what to do.
        why: String,
    },
    /// It failed in a way that may pass, and had no effect.
    #[error("{place}: storage unavailable")]
    Unavailable {
        /// Store and key.
        place: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer of a write was lost: it may or may not have taken effect.
    #[error("{place}: the answer was lost; whether it was written is unknown")]
    Unknown {
        /// Store and key.
        place: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
