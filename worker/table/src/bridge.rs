//! The Delta log's way to bytes: an [`object_store::ObjectStore`] over our [`Store`], so that source and result, data and log
//! go through one door, and one fault wrapper sits under all.
//!
//! Not a general object store: copies, renames and conditional replacement are refused, because nothing of ours does them.
//! Listings come sorted: the Delta kernel relies on it for every scheme but `file`.

use crate::object::read_range;
use archive::store::{Object, Put, Store, StoreError, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;
use url::Url;

/// How object_store calls this store in its errors.
const NAME: &str = "fleetloom";

/// Where the kernel thinks the table lies: paths below it are keys of our store.
const LOCATION: &str = "result:///";

/// Our [`Store`] as an [`ObjectStore`].
#[derive(Debug)]
pub struct Bridge {
    store: Arc<dyn Store>,
}

impl Bridge {
    /// A view of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

/// The Delta log of the table at the root of `store`.
pub fn log_store(store: &Arc<dyn Store>) -> LogStoreRef {
    let bridge: Arc<dyn ObjectStore> = Arc::new(Bridge::new(Arc::clone(store)));
    default_logstore(Arc::clone(&bridge), bridge, &location(), &StorageConfig::default())
}

/// [`LOCATION`] as a URL.
fn location() -> Url {
    Url::parse(LOCATION).unwrap_or_else(|error| unreachable!("a constant URL: {error}"))
}

impl fmt::Display for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Bridge {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let when = match opts.mode {
            PutMode::Overwrite => Put::Always,
            PutMode::Create => Put::IfAbsent,
            PutMode::Update(_) => return Err(unsupported("conditional replacement")),
        };
        let object = self.store.put(location.as_ref(), payload.into(), when).await.map_err(translated)?;
        Ok(put_result(object))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.store.upload(location.as_ref()).await.map_err(translated)?;
        Ok(Box::new(Multipart {
            place: location.to_string(),
            waiting: Arc::default(),
            upload: Arc::new(Mutex::new(Some(upload))),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.range.is_none() && options.version.is_none() && !options.head {
            return self.get_whole(location, &options).await;
        }
        let object = self.store.head(location.as_ref()).await.map_err(translated)?;
        let meta = meta(&object)?;
        options.check_preconditions(&meta)?;
        if options.head {
            return Ok(result(meta, 0..0, Bytes::new()));
        }
        let range = match &options.range {
            Some(range) => range.as_range(meta.size).map_err(|error| generic(Box::new(error)))?,
            None => 0..meta.size,
        };
        let mut pin = object.pin();
        if options.version.is_some() {
            pin.version = options.version;
        }
        let bytes = read_range(self.store.as_ref(), &pin, range.clone()).await.map_err(translated)?;
        Ok(result(meta, range, bytes))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = Arc::clone(&self.store);
        let delete = move |location: Path| {
            let store = Arc::clone(&store);
            async move {
                store.delete(location.as_ref()).await.map_err(translated)?;
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = Arc::clone(&self.store);
        let folder = folder(prefix);
        let listing = async move {
            let objects: Vec<Object> = store.list(&folder).try_collect().await.map_err(translated)?;
            let mut metas = objects.iter().map(meta).collect::<Result<Vec<_>>>()?;
            metas.sort_unstable_by(|left, right| left.location.cmp(&right.location));
            Ok::<_, Error>(stream::iter(metas.into_iter().map(Ok)))
        };
        stream::once(listing).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = folder(prefix);
        let metas: Vec<ObjectMeta> = self.list(prefix).try_collect().await?;
        let mut common_prefixes = BTreeSet::new();
        let mut objects = Vec::new();
        for meta in metas {
            let below = meta.location.as_ref().strip_prefix(&folder).unwrap_or_default();
            match below.split_once('/') {
                Some((child, _)) => _ = common_prefixes.insert(Path::from(format!("{folder}{child}"))),
                None => objects.push(meta),
            }
        }
        let common_prefixes = common_prefixes.into_iter().collect();
        Ok(ListResult { common_prefixes, objects })
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(unsupported("copy"))
    }
}

impl Bridge {
    /// One state, whole: no request between its metadata and its bytes.
    async fn get_whole(&self, location: &Path, options: &GetOptions) -> Result<GetResult> {
        let (object, bytes) = self.store.get(location.as_ref()).await.map_err(translated)?;
        let meta = meta(&object)?;
        options.check_preconditions(&meta)?;
        let range = 0..meta.size;
        Ok(result(meta, range, bytes))
    }
}

/// An upload in parts, appended in the order in which they were put, whatever order their futures are polled in.
struct Multipart {
    place: String,
    waiting: Arc<std::sync::Mutex<VecDeque<Bytes>>>,
    upload: Arc<Mutex<Option<Box<dyn Upload>>>>,
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart").field("place", &self.place).finish_non_exhaustive()
    }
}

#[async_trait]
impl MultipartUpload for Multipart {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(data.into());
        let (waiting, upload) = (Arc::clone(&self.waiting), Arc::clone(&self.upload));
        let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        Box::pin(async move {
            let mut upload = upload.lock().await;
            let upload = upload.as_mut().ok_or_else(|| unsupported("a part after the end of an upload"))?;
            while let Some(piece) = next() {
                upload.write(piece).await.map_err(translated)?;
            }
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let upload = self.take().await?;
        Ok(put_result(upload.finish().await.map_err(translated)?))
    }

    async fn abort(&mut self) -> Result<()> {
        self.take().await?.abort().await.map_err(translated)
    }
}

impl Multipart {
    async fn take(&self) -> Result<Box<dyn Upload>> {
        self.upload.lock().await.take().ok_or_else(|| unsupported("ending an upload twice"))
    }
}

/// The key prefix of a folder: object_store's prefixes end at a `/`.
fn folder(prefix: Option<&Path>) -> String {
    match prefix.map(Path::as_ref) {
        None | Some("") => String::new(),
        Some(prefix) => format!("{prefix}/"),
    }
}

fn meta(object: &Object) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(&object.key)?,
        last_modified: DateTime::<Utc>::from_timestamp_nanos(object.modified_ns.unwrap_or(0)),
        size: object.bytes,
        e_tag: object.etag.clone(),
        version: object.version.clone(),
    })
}

fn result(meta: ObjectMeta, range: Range<u64>, bytes: Bytes) -> GetResult {
    let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
    GetResult { payload, meta, range, attributes: Attributes::new() }
}

fn put_result(object: Object) -> PutResult {
    PutResult { e_tag: object.etag, version: object.version }
}

/// Our errors in object_store's words. What has no word of its own there stays whole inside `Generic`.
fn translated(error: StoreError) -> Error {
    let path = match &error {
        StoreError::NotFound { place }
        | StoreError::Exists { place }
        | StoreError::Changed { place }
        | StoreError::Denied { place, .. } => place.clone(),
        _ => return generic(Box::new(error)),
    };
    match &error {
        StoreError::NotFound { .. } => Error::NotFound { path, source: Box::new(error) },
        StoreError::Exists { .. } => Error::AlreadyExists { path, source: Box::new(error) },
        StoreError::Changed { .. } => Error::Precondition { path, source: Box::new(error) },
        _ => Error::PermissionDenied { path, source: Box::new(error) },
    }
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: NAME, source }
}

fn unsupported(what: &str) -> Error {
    Error::NotSupported { source: format!("{what} is not done by this store").into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory;
    use object_store::{GetRange, ObjectStoreExt};

    fn bridge() -> Bridge {
        Bridge::new(memory())
    }

    fn create() -> PutOptions {
        PutMode::Create.into()
    }

    async fn keys(listing: BoxStream<'static, Result<ObjectMeta>>) -> Vec<String> {
        listing.map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn a_second_create_is_already_exists_and_leaves_the_first() {
        let (store, key) = (bridge(), Path::from("a/b"));
        store.put_opts(&key, "one".into(), create()).await.unwrap();
        let error = store.put_opts(&key, "two".into(), create()).await.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "one");
        store.put(&key, "three".into()).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "three");
    }

    #[tokio::test]
    async fn ranges_are_those_of_object_store() {
        let (store, key) = (bridge(), Path::from("x"));
        store.put(&key, "0123456789".into()).await.unwrap();
        for (range, text) in [
            (GetRange::Bounded(2..4), "23"),
            (GetRange::Bounded(8..99), "89"),
            (GetRange::Offset(7), "789"),
            (GetRange::Suffix(3), "789"),
        ] {
            let got = store.get_opts(&key, GetOptions::new().with_range(Some(range))).await.unwrap();
            assert_eq!(got.bytes().await.unwrap(), text);
        }
        let past = store.get_opts(&key, GetOptions::new().with_range(Some(GetRange::Bounded(10..11)))).await;
        assert!(matches!(past, Err(Error::Generic { .. })));
        assert_eq!(store.head(&key).await.unwrap().size, 10);
        assert_eq!(store.get_ranges(&key, &[0..2, 5..6]).await.unwrap(), vec![Bytes::from("01"), Bytes::from("5")]);
    }

    #[tokio::test]
    async fn a_replaced_object_fails_its_precondition() {
        let (store, key) = (bridge(), Path::from("x"));
        let old = store.put(&key, "old".into()).await.unwrap();
        store.put(&key, "new".into()).await.unwrap();
        let options = GetOptions { if_match: old.e_tag.clone(), ..GetOptions::default() };
        assert!(matches!(store.get_opts(&key, options).await, Err(Error::Precondition { .. })));
        let options = GetOptions { if_match: old.e_tag, range: Some(GetRange::Bounded(0..1)), ..GetOptions::default() };
        assert!(matches!(store.get_opts(&key, options).await, Err(Error::Precondition { .. })));
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let (store, key) = (bridge(), Path::from("x"));
        assert!(matches!(store.get(&key).await, Err(Error::NotFound { .. })));
        assert!(matches!(store.head(&key).await, Err(Error::NotFound { .. })));
        store.delete(&key).await.unwrap();
    }

    #[tokio::test]
    async fn listings_are_sorted_and_end_at_folders() {
        let store = bridge();
        for key in ["d/b", "d/a", "d/c/x", "d/c/y", "dd/z", "e"] {
            store.put(&Path::from(key), "1".into()).await.unwrap();
        }
        assert_eq!(keys(store.list(Some(&Path::from("d")))).await, ["d/a", "d/b", "d/c/x", "d/c/y"]);
        assert_eq!(keys(store.list(None)).await.len(), 6);
        let after = store.list_with_offset(Some(&Path::from("d")), &Path::from("d/b"));
        assert_eq!(keys(after).await, ["d/c/x", "d/c/y"]);
        let one = store.list_with_delimiter(Some(&Path::from("d"))).await.unwrap();
        assert_eq!(one.common_prefixes, [Path::from("d/c")]);
        assert_eq!(one.objects.len(), 2);
    }

    #[tokio::test]
    async fn parts_are_appended_in_the_order_they_were_put() {
        let (store, key) = (bridge(), Path::from("m"));
        let mut upload = store.put_multipart(&key).await.unwrap();
        let (first, second) = (upload.put_part("ab".into()), upload.put_part("cd".into()));
        second.await.unwrap();
        first.await.unwrap();
        assert!(matches!(store.head(&key).await, Err(Error::NotFound { .. })));
        upload.complete().await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "abcd");
        let mut upload = store.put_multipart(&Path::from("n")).await.unwrap();
        upload.put_part("x".into()).await.unwrap();
        upload.abort().await.unwrap();
        assert!(matches!(store.head(&Path::from("n")).await, Err(Error::NotFound { .. })));
    }

    #[tokio::test]
    async fn copies_renames_and_replacements_are_refused() {
        let (store, key) = (bridge(), Path::from("x"));
        let put = store.put(&key, "1".into()).await.unwrap();
        assert!(matches!(store.copy(&key, &Path::from("y")).await, Err(Error::NotSupported { .. })));
        assert!(matches!(store.rename(&key, &Path::from("y")).await, Err(Error::NotSupported { .. })));
        let update = PutMode::Update(put.into());
        assert!(matches!(store.put_opts(&key, "2".into(), update.into()).await, Err(Error::NotSupported { .. })));
    }
}
