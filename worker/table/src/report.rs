//! Reports: what the accepted attempt at a shard says. The first report of a key wins, for ever; any later plan with the same
//! key reuses it.

use crate::error::{TableError, placed};
use crate::layout::{self, REPORTS};
use crate::part::DataFile;
use crate::patience::{Patience, Waiting};
use archive::store::{Put, Store, StoreError};
use bytes::Bytes;
use engine::account::Account;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Layout of a report's JSON.
pub const FORMAT: u32 = 1;

/// Reports read at a time: a request behind a network takes some 30 ms and a report a few KiB.
const READS: usize = 32;

/// What one attempt at a shard did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Layout of this JSON, [`FORMAT`].
    pub format: u32,
    /// The shard's key.
    pub key: String,
    /// Random id of the attempt: part of its files' names.
    pub attempt: String,
    /// Its data files, sorted by path; none for a shard without rows.
    pub files: Vec<DataFile>,
    /// Its rows.
    pub rows: u64,
    /// What came in, went out, was dropped.
    pub account: Account,
    /// By step: what it took.
    pub timings: BTreeMap<String, Timing>,
    /// Most memory the process held, bytes; 0 where the system does not say.
    pub peak_memory_bytes: u64,
    /// Its quarantine file, if it refused anything.
    pub quarantine: Option<String>,
    /// When it was written, ms since the epoch.
    pub written_ms: i64,
}

/// What one step took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// Time, summed over threads.
    pub seconds: f64,
    /// Bytes that passed.
    pub bytes: u64,
}

/// Whose report is there after a put.
#[derive(Debug, Clone, PartialEq)]
pub enum Placed {
    /// Ours.
    Written,
    /// An earlier one of the same key: our own files are garbage.
    Lost(Box<Report>),
}

/// Puts a report where none is. Whatever the store answers, what is then there decides; once this was called, the attempt's
/// files must not be deleted.
///
/// Errors: nobody knows whose report is there (exit 4), or the store refuses.
pub async fn put_report(store: &dyn Store, report: &Report, patience: Patience) -> Result<Placed, TableError> {
    let name = layout::report(&report.key);
    let bytes: Bytes = serde_json::to_vec(report).map_err(|error| TableError::writing(&name, &error))?.into();
    let mut waiting = patience.start();
    loop {
        let Err(answer) = store.put(&name, bytes.clone(), Put::IfAbsent).await else { return Ok(Placed::Written) };
        match read_back(store, &report.key, &mut waiting).await {
            Ok(Some(found)) if found.attempt == report.attempt => return Ok(Placed::Written),
            Ok(Some(found)) => return Ok(Placed::Lost(Box::new(found))),
            Ok(None) if may_pass(&answer) && waiting.pause().await => {}
            Ok(None) => return Err(answer.into()),
            Err(error) => return Err(error),
        }
    }
}

/// Whether another try may end otherwise. "Exists" where nothing is then found is a hiccup too.
fn may_pass(answer: &StoreError) -> bool {
    matches!(answer, StoreError::Exists { .. } | StoreError::Unavailable { .. } | StoreError::Unknown { .. })
}

async fn read_back(store: &dyn Store, key: &str, waiting: &mut Waiting) -> Result<Option<Report>, TableError> {
    loop {
        match read_report(store, key).await {
            Err(TableError::Store(error)) if may_pass(&error) && waiting.pause().await => {}
            found => return found,
        }
    }
}

/// The report of a key; `None`: there is none.
pub async fn read_report(store: &dyn Store, key: &str) -> Result<Option<Report>, TableError> {
    let name = layout::report(key);
    let bytes = match store.get(&name).await {
        Ok((_, bytes)) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let why = |error: &dyn ToString| {
        TableError::malformed(&placed(store, &name), format!("{}; remove it and run again", error.to_string()))
    };
    let report: Report = serde_json::from_slice(&bytes).map_err(|error| why(&error))?;
    if report.format != FORMAT || report.key != key {
        return Err(why(&"it is not the report that its name promises"));
    }
    Ok(Some(report))
}

/// The reports that there are among `keys`, by key.
pub async fn read_reports(store: &dyn Store, keys: &[String]) -> Result<BTreeMap<String, Report>, TableError> {
    let reads = stream::iter(keys).map(|key| read_report(store, key));
    let found: Vec<Option<Report>> = reads.buffered(READS).try_collect().await?;
    Ok(found.into_iter().flatten().map(|report| (report.key.clone(), report)).collect())
}

/// All keys that have a report, with the time it was stored, ns since the epoch, where the store says.
pub async fn report_keys(store: &dyn Store) -> Result<BTreeMap<String, Option<i64>>, TableError> {
    let key = |object: &archive::store::Object| Some((layout::report_key(&object.key)?.to_owned(), object.modified_ns));
    let objects: Vec<_> = store.list(REPORTS).try_collect().await?;
    Ok(objects.iter().filter_map(key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory;
    use archive::faulty::{Fault, Faults};
    use std::time::Duration;

    const PATIENCE: Patience = Patience { deadline: Duration::from_millis(200), pause: Duration::from_millis(1) };

    fn report(key: &str, attempt: &str) -> Report {
        Report {
            format: FORMAT,
            key: key.to_owned(),
            attempt: attempt.to_owned(),
            files: Vec::new(),
            rows: 3,
            account: Account::default(),
            timings: BTreeMap::from([("decode".to_owned(), Timing { seconds: 0.5, bytes: 7 })]),
            peak_memory_bytes: 1,
            quarantine: None,
            written_ms: 5,
        }
    }

    #[tokio::test]
    async fn the_first_report_of_a_key_wins() {
        let store = memory();
        let first = report("k", "a");
        assert_eq!(put_report(store.as_ref(), &first, PATIENCE).await.unwrap(), Placed::Written);
        let lost = put_report(store.as_ref(), &report("k", "b"), PATIENCE).await.unwrap();
        assert_eq!(lost, Placed::Lost(Box::new(first.clone())));
        assert_eq!(read_report(store.as_ref(), "k").await.unwrap(), Some(first));
    }

    #[tokio::test]
    async fn a_lost_answer_is_settled_by_what_is_there() {
        for faults in [
            &[Fault::Lost][..],
            &[Fault::Twice],
            &[Fault::Dropped],
            &[Fault::Late],
            &[Fault::Busy, Fault::Dropped, Fault::Lost],
        ] {
            let store = Faults::of_creates(REPORTS, faults).around(&memory());
            let placed = put_report(store.as_ref(), &report("k", "a"), PATIENCE).await.unwrap();
            assert_eq!(placed, Placed::Written, "{faults:?}");
        }
    }

    #[tokio::test]
    async fn a_store_that_refuses_is_not_asked_again() {
        let store = Faults::of_creates(REPORTS, &[Fault::Denied]).around(&memory());
        let error = put_report(store.as_ref(), &report("k", "a"), PATIENCE).await.unwrap_err();
        assert!(matches!(error, TableError::Store(StoreError::Denied { .. })), "{error}");
    }

    #[tokio::test]
    async fn reports_are_read_many_at_a_time_and_listed() {
        let store = memory();
        let keys: Vec<String> = (0..100).map(|key| format!("k{key}")).collect();
        for key in &keys[..60] {
            put_report(store.as_ref(), &report(key, "a"), PATIENCE).await.unwrap();
        }
        assert_eq!(read_reports(store.as_ref(), &keys).await.unwrap().len(), 60);
        assert_eq!(report_keys(store.as_ref()).await.unwrap().len(), 60);
    }

    #[tokio::test]
    async fn a_damaged_report_says_what_to_do() {
        let store = memory();
        store.put(&layout::report("k"), "{".into(), Put::Always).await.unwrap();
        let error = read_report(store.as_ref(), "k").await.unwrap_err();
        assert!(error.to_string().contains("remove it and run again"), "{error}");
    }
}
