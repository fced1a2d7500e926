//! The history of a table: its versions and who made them, newest first.

use crate::delta::{Provenance, provenance};
use crate::error::TableError;
use crate::layout::{self, LOG};
use crate::object::read_range;
use crate::state::read_info;
use archive::store::{Object, Store};
use futures::stream::{self, StreamExt, TryStreamExt};

/// Commits read at a time.
const READS: usize = 16;

/// Our commits say who made them in less than this; the rest is file names.
const INFO_BYTES: u64 = 16 << 10;

/// A version of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// The version.
    pub version: u64,
    /// When it was made, ms since the epoch, as its commit says.
    pub committed_ms: Option<i64>,
    /// Delta's word for what was done.
    pub operation: Option<String>,
    /// What made it; `None`: something else did.
    pub provenance: Option<Provenance>,
}

/// The newest `limit` versions, newest first. No table: none.
pub async fn history(store: &dyn Store, limit: usize) -> Result<Vec<VersionInfo>, TableError> {
    let mut commits = commits(store, 0).await?;
    commits.truncate(limit);
    stream::iter(&commits).map(|(version, object)| info(store, *version, object)).buffered(READS).try_collect().await
}

/// The version that a run published after `base` (`None`: since there is a table): what a repeated plan looks for first.
pub async fn published_by(store: &dyn Store, run: &str, base: Option<u64>) -> Result<Option<VersionInfo>, TableError> {
    let first = base.map_or(0, |base| base.saturating_add(1));
    let commits = commits(store, first).await?;
    let mut infos = stream::iter(&commits).map(|(version, object)| info(store, *version, object)).buffered(READS);
    while let Some(info) = infos.try_next().await? {
        if info.provenance.as_ref().is_some_and(|made| made.run == run) {
            return Ok(Some(info));
        }
    }
    Ok(None)
}

/// The commits from a version on, newest first.
async fn commits(store: &dyn Store, first: u64) -> Result<Vec<(u64, Object)>, TableError> {
    let objects: Vec<Object> = store.list(LOG).try_collect().await?;
    let version = |object: Object| Some((layout::commit_version(&object.key)?, object));
    let mut commits: Vec<(u64, Object)> = objects.into_iter().filter_map(version).collect();
    commits.retain(|(version, _)| *version >= first);
    commits.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    Ok(commits)
}

/// Reads the beginning of a commit, and the rest where that does not say.
async fn info(store: &dyn Store, version: u64, object: &Object) -> Result<VersionInfo, TableError> {
    let start = read_range(store, &object.pin(), 0..INFO_BYTES.min(object.bytes)).await?;
    let info = match crate::delta::commit_info(&start) {
        None if object.bytes > INFO_BYTES => read_info(store, version).await?,
        info => info,
    };
    Ok(VersionInfo {
        version,
        committed_ms: info.as_ref().and_then(|info| info.timestamp),
        operation: info.as_ref().and_then(|info| info.operation.clone()),
        provenance: info.as_ref().and_then(provenance),
    })
}
