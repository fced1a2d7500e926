//! A bucket's listing, page by page: of objects, or where reads are to be pinned by version, of current versions.
//!
//! A listing of versions names every old one too, so it is asked for only where it pins something: on the source's side of
//! a versioned bucket. A result piles up old versions and is never read by version.

use super::call::Effect;
use super::trouble::{Kind, Trouble};
use super::{Bucket, bare, modified_ns};
use crate::open::Side;
use crate::store::{Object, StoreError};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, Object as Listed, ObjectVersion};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

/// What a listing has to know about versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    /// Objects have none, or nobody needs them, or we may not ask: entity tags pin then.
    None,
    /// Objects have one each; `null` is that of an object from before versioning began, or while it was suspended.
    Kept,
    /// We may list versions, but not ask whether they are kept. Without versions, each is `null`.
    Untold,
}

/// The version id of what was stored without one.
pub(super) const NULL: &str = "null";

/// Where a listing goes on: a key and a version, or a token.
#[derive(Debug, Clone, Default)]
struct Marker {
    key: Option<String>,
    version: Option<String>,
    /// The last object so far: versitygw names it again on the next page of versions.
    last: Option<String>,
}

/// A page, and where the next begins.
type Page = (Vec<Object>, Option<Marker>);

impl Bucket {
    /// The objects below a prefix. Pages are asked for as they are wanted.
    pub(super) fn listing(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        let prefix = format!("{}{prefix}", self.settings.prefix);
        stream::try_unfold(Some(Marker::default()), move |marker| {
            let prefix = prefix.clone();
            async move {
                let Some(marker) = marker else { return Ok(None) };
                let page = Box::pin(self.page(&prefix, marker)).await;
                let (objects, next) = page.map_err(|trouble| self.error(trouble, "", "list"))?;
                Ok::<_, StoreError>(Some((stream::iter(objects).map(Ok), next)))
            }
        })
        .try_flatten()
        .boxed()
    }

    async fn page(&self, prefix: &str, marker: Marker) -> Result<Page, Trouble> {
        let client = self.client().await?;
        let found = self.versions.get_or_try_init(|| self.find_versions(client));
        match *found.await? {
            Versions::None => self.objects(client, prefix, marker).await,
            known => self.current_versions(client, prefix, marker, known).await,
        }
    }

    /// What listings of this store need to know about versions.
    async fn find_versions(&self, client: &Client) -> Result<Versions, Trouble> {
        if self.settings.side == Side::Result {
            return Ok(Versions::None);
        }
        let request = client.get_bucket_versioning().bucket(&self.settings.bucket);
        match self.ask(Effect::Repeatable, || request.clone().send()).await {
            Ok(answer) => Ok(match answer.status() {
                Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended) => Versions::Kept,
                _ => Versions::None,
            }),
            Err(Trouble { kind: Kind::Denied, .. }) => self.try_versions(client).await,
            Err(Trouble { kind: Kind::Unsupported, .. }) => Ok(Versions::None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Whether versions may be listed, where nobody says whether there are any.
    async fn try_versions(&self, client: &Client) -> Result<Versions, Trouble> {
        let request =
            client.list_object_versions().bucket(&self.settings.bucket).prefix(&self.settings.prefix).max_keys(1);
        match self.ask(Effect::Repeatable, || request.clone().send()).await {
            Ok(_) => Ok(Versions::Untold),
            Err(Trouble { kind: Kind::Denied | Kind::Unsupported, .. }) => Ok(Versions::None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn objects(&self, client: &Client, prefix: &str, marker: Marker) -> Result<Page, Trouble> {
        let request = client.list_objects_v2().bucket(&self.settings.bucket).prefix(prefix);
        let request = request.set_continuation_token(marker.key);
        let answer = self.ask(Effect::Repeatable, || request.clone().send()).await?;
        let objects = answer.contents().iter().filter_map(|listed| self.listed(listed)).collect();
        let next = answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true));
        Ok((objects, next.map(|key| Marker { key: Some(key), ..Marker::default() })))
    }

    async fn current_versions(
        &self,
        client: &Client,
        prefix: &str,
        marker: Marker,
        known: Versions,
    ) -> Result<Page, Trouble> {
        let request = client.list_object_versions().bucket(&self.settings.bucket).prefix(prefix);
        let request = request.set_key_marker(marker.key.clone()).set_version_id_marker(marker.version.clone());
        let answer = self.ask(Effect::Repeatable, || request.clone().send()).await?;
        let latest = answer.versions().iter().filter(|version| version.is_latest() == Some(true));
        let objects = latest.filter_map(|version| self.version(version, known));
        let objects: Vec<Object> = objects.filter(|object| Some(&object.key) != marker.last.as_ref()).collect();
        let more = answer.is_truncated == Some(true) && answer.next_key_marker.is_some();
        let last = objects.last().map(|object| object.key.clone()).or(marker.last);
        let next = Marker { key: answer.next_key_marker, version: answer.next_version_id_marker, last };
        Ok((objects, more.then_some(next)))
    }

    fn listed(&self, listed: &Listed) -> Option<Object> {
        let bytes = listed.size().and_then(|bytes| u64::try_from(bytes).ok())?;
        Some(Object {
            key: self.key_below(listed.key()?, bytes)?,
            bytes,
            etag: listed.e_tag().map(bare),
            version: None,
            modified_ns: listed.last_modified().and_then(modified_ns),
        })
    }

    fn version(&self, version: &ObjectVersion, known: Versions) -> Option<Object> {
        let bytes = version.size().and_then(|bytes| u64::try_from(bytes).ok())?;
        let id = version.version_id().filter(|id| known == Versions::Kept || *id != NULL);
        Some(Object {
            key: self.key_below(version.key()?, bytes)?,
            bytes,
            etag: version.e_tag().map(bare),
            version: id.map(str::to_owned),
            modified_ns: version.last_modified().and_then(modified_ns),
        })
    }

    /// The key below the store's prefix; none for the empty objects that consoles keep as folders.
    fn key_below(&self, key: &str, bytes: u64) -> Option<String> {
        let below = key.strip_prefix(&self.settings.prefix)?;
        let folder = below.is_empty() || (below.ends_with('/') && bytes == 0);
        (!folder).then(|| below.to_owned())
    }
}
