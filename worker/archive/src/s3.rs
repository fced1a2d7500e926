//! A prefix of an S3 bucket as a store: AWS, and every server that speaks its words.
//!
//! ```text
//! settings ─► client ─┬─► list      pages of objects, or of current versions
//!                     ├─► read      ranged, by version id, else If-Match
//!                     ├─► put       whole, If-None-Match where nothing may be
//!                     └─► upload    in parts
//!             each through call (permits, tries, limits); what fails becomes trouble, then a StoreError
//! ```
//!
//! **Once.** A conditional put is sent again only after an answer that says it had no effect. Lost answers are
//! [`StoreError::Unknown`], and [`StoreError::Exists`] is said only by a server that was asked once: the caller reads back.
//!
//! **Pins.** On the source's side of a versioned bucket an object is its version, read for ever. Elsewhere it is its entity
//! tag, and a read of another is [`StoreError::Changed`].

mod call;
mod client;
mod list;
pub mod settings;
mod trouble;
mod upload;

use crate::open::Side;
use crate::store::{Object, Pin, Put, READ_BYTES_MAX, Store, StoreError, Upload};
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::{Bytes, BytesMut};
use call::{Calls, Effect};
use futures::stream::BoxStream;
use list::{NULL, Versions};
use pipeline::spec::StoreSpec;
use settings::{Environment, Limits, Settings};
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::OnceCell;
use trouble::{Kind, Trouble};

/// Longest key that S3 takes, bytes.
const KEY_BYTES_MAX: usize = 1024;

/// Stored bytes below a prefix of a bucket. Clones share their connections.
#[derive(Clone)]
pub struct S3Store(Arc<Bucket>);

/// What the clones share: requests to one bucket, and what had to be found out before the first.
struct Bucket {
    settings: Settings,
    calls: Calls,
    client: OnceCell<Client>,
    versions: OnceCell<Versions>,
}

impl S3Store {
    /// The store of a URL `s3://bucket/prefix/`. Nothing is asked yet, neither the bucket nor whoever gives keys.
    ///
    /// Errors: [`StoreError::Invalid`] when the words or the environment cannot be right.
    pub fn new(spec: &StoreSpec, side: Side, environment: &Environment) -> Result<Self, StoreError> {
        Self::with_limits(spec, side, environment, Limits::default())
    }

    /// The same with other time limits.
    pub fn with_limits(
        spec: &StoreSpec,
        side: Side,
        environment: &Environment,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let settings = Settings { limits, ..Settings::read(spec, side, environment)? };
        let (client, versions) = (OnceCell::new(), OnceCell::new());
        Ok(Self(Arc::new(Bucket { settings, calls: Calls::new(limits), client, versions })))
    }
}

impl Bucket {
    async fn put_once(&self, key: &str, bytes: &Bytes, when: Put) -> Result<Object, Trouble> {
        let client = self.client().await?;
        let (condition, effect) = match when {
            Put::Always => (None, Effect::Repeatable),
            Put::IfAbsent => (Some("*".to_owned()), Effect::Once),
        };
        let attempt = || {
            let request = client.put_object().bucket(&self.settings.bucket).key(self.full(key));
            request.set_if_none_match(condition.clone()).body(ByteStream::from(bytes.clone())).send()
        };
        let answer = self.ask(effect, attempt).await?;
        Ok(self.object(key, bytes.len() as u64, answer.e_tag(), answer.version_id(), None))
    }

    async fn remove(&self, key: &str) -> Result<(), Trouble> {
        let request = self.client().await?.delete_object().bucket(&self.settings.bucket).key(self.full(key));
        match self.ask(Effect::Repeatable, || request.clone().send()).await {
            Ok(_) | Err(Trouble { kind: Kind::Missing, .. }) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    async fn client(&self) -> Result<&Client, Trouble> {
        self.client.get_or_try_init(|| Box::pin(client::connect(&self.settings))).await
    }

    /// Sends a request until there is an answer that more tries would not change.
    async fn ask<T, E, F>(&self, effect: Effect, attempt: impl Fn() -> F) -> Result<T, Trouble>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.calls.call(effect, || async { attempt().await.map_err(|error| Trouble::of(&error)) }).await
    }

    async fn ask_head(&self, key: &str) -> Result<Object, Trouble> {
        let request = self.client().await?.head_object().bucket(&self.settings.bucket).key(self.full(key));
        let answer = self.ask(Effect::Repeatable, || request.clone().send()).await?;
        let bytes = length(answer.content_length())?;
        Ok(self.object(key, bytes, answer.e_tag(), answer.version_id(), answer.last_modified()))
    }

    /// Gets an object's bytes, all of them: an answer that breaks off is asked for again like one that was lost.
    /// `wanted` is the length that it must have, where the caller knows it.
    async fn ask_bytes(
        &self,
        request: GetObjectFluentBuilder,
        wanted: Option<u64>,
    ) -> Result<(GetObjectOutput, Bytes), Trouble> {
        let attempt = || async {
            let mut answer = request.clone().send().await.map_err(|error| Trouble::of(&error))?;
            let bytes = collect(&mut answer, wanted).await?;
            Ok((answer, bytes))
        };
        self.calls.call(Effect::Repeatable, attempt).await
    }

    async fn ask_whole(&self, key: &str) -> Result<(Object, Bytes), Trouble> {
        let request = self.client().await?.get_object().bucket(&self.settings.bucket).key(self.full(key));
        let (answer, bytes) = self.ask_bytes(request, None).await?;
        let length = bytes.len() as u64;
        Ok((self.object(key, length, answer.e_tag(), answer.version_id(), answer.last_modified()), bytes))
    }

    async fn ask_range(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, Trouble> {
        let request = self.client().await?.get_object().bucket(&self.settings.bucket).key(self.full(&pin.key));
        let request =
            request.range(format!("bytes={}-{}", range.start, range.end - 1)).set_version_id(pin.version.clone());
        // The version `null` is replaced in place: it is pinned by its tag like an object without versions.
        let tagged = pin.version.as_deref().is_none_or(|version| version == NULL);
        let tag = pin.etag.as_ref().filter(|_| tagged).map(|tag| format!("\"{tag}\""));
        let (_, bytes) = self.ask_bytes(request.set_if_match(tag), Some(range.end - range.start)).await?;
        Ok(bytes)
    }

    /// The key as the bucket knows it.
    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.settings.prefix)
    }

    /// An object as this store names it: on the result's side without a version, because nothing is read by it there.
    fn object(
        &self,
        key: &str,
        bytes: u64,
        tag: Option<&str>,
        version: Option<&str>,
        modified: Option<&DateTime>,
    ) -> Object {
        Object {
            key: key.to_owned(),
            bytes,
            etag: tag.map(bare),
            version: version.filter(|_| self.settings.side == Side::Source).map(str::to_owned),
            modified_ns: modified.and_then(modified_ns),
        }
    }

    fn error(&self, trouble: Trouble, key: &str, verb: &'static str) -> StoreError {
        trouble.into_error(&self.settings, self.settings.place(key), verb)
    }

    /// Refuses what is no key.
    fn check(&self, key: &str) -> Result<(), StoreError> {
        let why = match key {
            "" => "a key must not be empty",
            key if key.len() + self.settings.prefix.len() > KEY_BYTES_MAX => "a key must not be longer than 1024 bytes",
            key if key.contains('\0') => "a key must not hold a NUL byte",
            _ => return Ok(()),
        };
        Err(StoreError::Invalid { place: self.settings.place(key), why: why.to_owned() })
    }
}

/// The body of an answer, in one piece. One of another length than `wanted` is not read.
async fn collect(answer: &mut GetObjectOutput, wanted: Option<u64>) -> Result<Bytes, Trouble> {
    let length = length(answer.content_length())?;
    match wanted {
        Some(wanted) if length < wanted => return Err(Trouble::new(Kind::Gone, "")),
        Some(wanted) if length > wanted => return Err(Trouble::new(Kind::Refused, "it does not keep to a range")),
        _ => {}
    }
    let mut bytes = BytesMut::with_capacity(usize::try_from(length.min(READ_BYTES_MAX)).unwrap_or_default());
    while let Some(piece) = answer.body.try_next().await.map_err(|error| Trouble::torn(&error))? {
        bytes.extend_from_slice(&piece);
    }
    match bytes.len() as u64 == length {
        true => Ok(bytes.freeze()),
        false => Err(Trouble::new(Kind::Lost, "the answer was shorter than it said")),
    }
}

fn length(said: Option<i64>) -> Result<u64, Trouble> {
    let length = said.and_then(|length| u64::try_from(length).ok());
    length.ok_or_else(|| Trouble::new(Kind::Refused, "an answer that does not say its length"))
}

/// An entity tag without its quotes: some servers list them with and some without.
fn bare(tag: &str) -> String {
    tag.trim_matches('"').to_owned()
}

fn modified_ns(time: &DateTime) -> Option<i64> {
    i64::try_from(time.as_nanos()).ok()
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.settings.fmt(f)
    }
}

/// The place: a client's own text would hold keys.
impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Store").field(&self.0.settings).finish()
    }
}

#[async_trait]
impl Store for S3Store {
    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        self.0.listing(prefix)
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        self.0.check(key)?;
        self.0.ask_head(key).await.map_err(|trouble| self.0.error(trouble, key, "read"))
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.0.check(&pin.key)?;
        let range = range.start..range.end.min(pin.bytes);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.0.ask_range(pin, range).await.map_err(|trouble| self.0.error(trouble, &pin.key, "read"))
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        self.0.check(key)?;
        self.0.ask_whole(key).await.map_err(|trouble| self.0.error(trouble, key, "read"))
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        self.0.check(key)?;
        self.0.put_once(key, &bytes, when).await.map_err(|trouble| self.0.error(trouble, key, "write"))
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.0.check(key)?;
        Ok(Box::new(upload::S3Upload::new(Arc::clone(&self.0), key.to_owned())))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.check(key)?;
        self.0.remove(key).await.map_err(|trouble| self.0.error(trouble, key, "delete"))
    }
}
