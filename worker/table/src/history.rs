//! The history of a table: its versions and who made them, newest first.

use crate::delta::{Provenance, provenance};
use crate::error::TableError;
use crate::layout::{self, LOG};
use crate::object::read_range;
use crate::state::{TableState, read_info};
use archive::store::{Object, Store, StoreError};
use futures::stream::{self, StreamExt, TryStreamExt};
use pipeline::meaning::differences;
use pipeline::plan::{Plan, digest};
use pipeline::time::MILLI_NS;
use serde_json::Value;

/// Commits read at a time.
const READS: usize = 16;

/// How many versions a run's own is looked for in: others publish less often while its pod is started again.
const LOOKED_BACK: usize = 64;

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

/// The version that a run published after `base` (`None`: whenever), newest first, at most 64 versions back:
/// what a plan looks for first, whose pod may be a repeated one.
pub async fn published_by(store: &dyn Store, run: &str, base: Option<u64>) -> Result<Option<VersionInfo>, TableError> {
    let first = base.map_or(0, |base| base.saturating_add(1));
    let mut commits = commits(store, first).await?;
    commits.truncate(LOOKED_BACK);
    let mut infos = stream::iter(&commits).map(|(version, object)| info(store, *version, object)).buffered(READS);
    while let Some(info) = infos.try_next().await? {
        if info.provenance.as_ref().is_some_and(|made| made.run == run) {
            return Ok(Some(info));
        }
    }
    Ok(None)
}

/// What made a version; `None`: something else than we did.
pub async fn made_by(store: &dyn Store, version: u64) -> Result<Option<Provenance>, TableError> {
    Ok(read_info(store, version).await?.as_ref().and_then(provenance))
}

/// The newest version that was committed before an instant, as the commits say; `None`: none was.
///
/// Reads from the newest version back to that one.
pub async fn committed_before(store: &dyn Store, end_ns: i64) -> Result<Option<u64>, TableError> {
    let commits = commits(store, 0).await?;
    let mut infos = stream::iter(&commits).map(|(version, object)| info(store, *version, object)).buffered(READS);
    while let Some(info) = infos.try_next().await? {
        if info.committed_ms.is_some_and(|ms| ms.saturating_mul(MILLI_NS) < end_ns) {
            return Ok(Some(info.version));
        }
    }
    Ok(None)
}

/// The fields in which the words of a plan differ from those that made its base, the engine's version among them. `None`:
/// there is no base, or its plan is gone.
pub async fn changes(
    store: &dyn Store,
    base: Option<&TableState>,
    meaning: &Value,
    engine: &str,
) -> Result<Option<Vec<String>>, TableError> {
    let Some(made) = base.and_then(|base| base.provenance.as_ref()) else { return Ok(None) };
    let mut fields = Vec::new();
    if made.meaning != digest(meaning.to_string().as_bytes()) {
        let Some(before) = read_plan(store, &made.plan).await? else { return Ok(None) };
        fields = differences(&before.meaning, meaning);
    }
    if made.engine != engine {
        fields.push(format!("engine (was {})", made.engine));
    }
    Ok(Some(fields))
}

/// The plan of that hash; `None` when it is gone, or of another layout.
pub async fn read_plan(store: &dyn Store, hash: &str) -> Result<Option<Plan>, TableError> {
    match store.get(&layout::plan(hash)).await {
        Ok((_, bytes)) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::{APPLICATION, Origin};
    use crate::testing::memory;
    use archive::counting::{Counting, Counts};
    use archive::store::Put;
    use serde_json::json;
    use std::sync::Arc;

    /// Puts the commit of a version that names many files, `minute` minutes after the epoch.
    async fn commit(store: &dyn Store, version: u64, minute: i64) {
        let origin = Origin { changes: Some(vec!["pipeline.where".to_owned()]), ..Origin::default() };
        let made = Provenance { run: format!("run-{version}"), rows: version, origin, ..Provenance::default() };
        let info = json!({"commitInfo": {"timestamp": minute * 60_000, "operation": "WRITE", APPLICATION: made}});
        let add =
            json!({"add": {"path": "date=2022-10-26/part-0123456789abcdef0123456789abcdef-a.parquet"}}).to_string();
        let lines = [vec![info.to_string()], vec![add; 1_000]].concat().join("\n");
        store.put(&layout::commit(version), lines.into(), Put::IfAbsent).await.unwrap();
    }

    #[tokio::test]
    async fn a_long_history_reads_the_beginning_of_each_commit_and_nothing_else() {
        let inner = memory();
        for version in 0..1_000 {
            commit(inner.as_ref(), version, i64::try_from(version).unwrap()).await;
        }
        let store = Counting::around(Arc::clone(&inner));
        let versions = history(&store, usize::MAX).await.unwrap();
        assert_eq!((versions.len(), versions[0].version, versions[999].version), (1_000, 999, 0));
        let made = versions[7].provenance.as_ref().unwrap();
        assert_eq!((made.run.as_str(), made.rows, made.origin.changes.as_ref().unwrap().len()), ("run-992", 992, 1));
        let counts = store.counts();
        assert_eq!(counts, Counts { list: 1, read: 1_000, read_bytes: counts.read_bytes, ..Counts::default() });
        assert!(counts.read_bytes <= 1_000 * INFO_BYTES, "{} bytes", counts.read_bytes);
        let store = Counting::around(Arc::clone(&inner));
        assert_eq!(history(&store, 10).await.unwrap().len(), 10);
        assert_eq!((store.counts().list, store.counts().read, store.counts().get), (1, 10, 0));
    }

    #[tokio::test]
    async fn the_newest_version_before_an_instant_is_found_though_clocks_differ() {
        let store = memory();
        for (version, minute) in [(0, 10), (1, 20), (2, 15), (3, 30)] {
            commit(store.as_ref(), version, minute).await;
        }
        let minute_ns = 60 * 1_000 * MILLI_NS;
        let found = |minute: i64| committed_before(store.as_ref(), minute * minute_ns + 1);
        assert_eq!(
            (found(9).await.unwrap(), found(10).await.unwrap(), found(14).await.unwrap()),
            (None, Some(0), Some(0))
        );
        assert_eq!(
            (found(15).await.unwrap(), found(29).await.unwrap(), found(30).await.unwrap()),
            (Some(2), Some(2), Some(3))
        );
    }
}
