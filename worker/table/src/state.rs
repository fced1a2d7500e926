//! What a version of a table holds: its files, columns, properties, and who made it.
//!
//! Read through deltalake's snapshot, checkpoints included. A version is *ours* when its commit names a ledger that is there,
//! unchanged, and lists exactly the live files; nothing is built on any other.

use crate::bridge::log_store;
use crate::delta::{OWNER, Provenance, commit_info, provenance, schema_arrow};
use crate::error::TableError;
use crate::layout::{self, LOG, PARTITION};
use crate::ledger::{Ledger, read_ledger};
use crate::part::DataFile;
use archive::store::{Store, StoreError};
use arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::{CommitInfo, LogicalFileView, Snapshot};
use futures::TryStreamExt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A file that a version holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// Its key under the result's URL.
    pub path: String,
    /// Its day, `YYYY-MM-DD`; empty when a foreign writer gave none.
    pub date: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows, where its statistics say.
    pub rows: Option<u64>,
}

impl From<&DataFile> for LiveFile {
    fn from(file: &DataFile) -> Self {
        Self { path: file.path.clone(), date: file.date.clone(), bytes: file.bytes, rows: Some(file.rows) }
    }
}

/// One version of a table.
#[derive(Debug, Clone)]
pub struct TableState {
    /// The version.
    pub version: u64,
    /// The table's id: the same in every version.
    pub table_id: String,
    /// When the table was made, ms since the epoch.
    pub created_ms: i64,
    /// When the version was made, ms since the epoch, as its commit says.
    pub committed_ms: Option<i64>,
    /// Its columns, `date` among them.
    pub schema: SchemaRef,
    /// Its properties.
    pub properties: BTreeMap<String, String>,
    /// Its files, sorted by path.
    pub files: Vec<LiveFile>,
    /// What made it; `None`: something else did.
    pub provenance: Option<Provenance>,
    pub(crate) schema_json: Value,
}

impl TableState {
    /// The table at `version`, or at its latest. `None`: there is no table.
    ///
    /// Errors: [`TableError::Refused`] when there is a table but not that version.
    pub async fn open(store: &Arc<dyn Store>, version: Option<u64>) -> Result<Option<Self>, TableError> {
        let Some(latest) = latest_version(store.as_ref()).await? else { return Ok(None) };
        if let Some(version) = version.filter(|version| *version > latest) {
            let why = format!("{store} has no version {version}; its latest is {latest}");
            return Err(TableError::Refused(why));
        }
        let version = version.unwrap_or(latest);
        let log = log_store(store);
        let delta = |error| TableError::delta(store, error);
        let snapshot = Snapshot::try_new(log.as_ref(), Some(version)).await.map_err(delta)?;
        let views: Vec<LogicalFileView> = snapshot.file_views(log.as_ref(), None).try_collect().await.map_err(delta)?;
        let mut files: Vec<LiveFile> = views.iter().map(live_file).collect();
        files.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        let info = read_info(store.as_ref(), version).await?;
        Self::new(&snapshot, files, info.as_ref()).map(Some)
    }

    fn new(snapshot: &Snapshot, files: Vec<LiveFile>, info: Option<&CommitInfo>) -> Result<Self, TableError> {
        let schema_json = serde_json::to_value(snapshot.schema().as_ref())
            .map_err(|error| TableError::malformed(LOG, error.to_string()))?;
        let metadata = snapshot.metadata();
        Ok(Self {
            version: snapshot.version(),
            table_id: metadata.id().to_owned(),
            created_ms: metadata.created_time().unwrap_or(0),
            committed_ms: info.and_then(|info| info.timestamp),
            schema: Arc::<Schema>::new(schema_arrow(&schema_json)?),
            properties: metadata.configuration().iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            files,
            provenance: info.and_then(provenance),
            schema_json,
        })
    }

    /// The pipeline that owns the table.
    pub fn pipeline(&self) -> Option<&str> {
        self.properties.get(OWNER).map(String::as_str)
    }

    /// Rows of the version; `None` when some file does not say.
    pub fn rows(&self) -> Option<u64> {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// The ledger of a version of ours.
    ///
    /// Errors: [`TableError::Refused`] with what to do when something else made the version.
    pub async fn ledger(&self, store: &Arc<dyn Store>) -> Result<Ledger, TableError> {
        let Some(provenance) = &self.provenance else { return Err(self.foreign(store, "its commit names no ledger")) };
        let ledger = match read_ledger(store.as_ref(), &provenance.ledger, &provenance.ledger_hash).await {
            Err(TableError::Store(StoreError::NotFound { .. })) => {
                return Err(self.foreign(store, &format!("its ledger {} is gone", provenance.ledger)));
            }
            ledger => ledger?,
        };
        let listed: BTreeSet<&str> = ledger.files().map(|file| file.path.as_str()).collect();
        let live: BTreeSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        if listed != live {
            let odd = listed.symmetric_difference(&live).next().copied().unwrap_or_default();
            return Err(self.foreign(store, &format!("its ledger does not fit its files (see {odd})")));
        }
        Ok(ledger)
    }

    fn foreign(&self, store: &Arc<dyn Store>, why: &str) -> TableError {
        TableError::Refused(format!(
            "version {} of {store} was not made by fleetloom: {why}; restore an earlier version with the program that \
             wrote it, or write the result to another URL",
            self.version
        ))
    }
}

/// The greatest version whose commit is there; `None`: no table.
pub async fn latest_version(store: &dyn Store) -> Result<Option<u64>, TableError> {
    let mut objects = store.list(LOG);
    let mut latest = None;
    while let Some(object) = objects.try_next().await? {
        latest = latest.max(layout::commit_version(&object.key));
    }
    Ok(latest)
}

/// The `commitInfo` of a version; `None` when it has none.
pub(crate) async fn read_info(store: &dyn Store, version: u64) -> Result<Option<CommitInfo>, TableError> {
    let (_, commit) = store.get(&layout::commit(version)).await?;
    Ok(commit_info(&commit))
}

fn live_file(view: &LogicalFileView) -> LiveFile {
    LiveFile {
        path: view.path().into_owned(),
        date: view.partition_values_map().remove(PARTITION).flatten().unwrap_or_default(),
        bytes: u64::try_from(view.size()).unwrap_or(0),
        rows: view.num_records().map(|rows| rows as u64),
    }
}
