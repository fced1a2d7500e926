//! Which reports a plan can build on: those whose files are there, and stay there while the plan is carried out.

use crate::fault::Fault;
use crate::work::{Work, now_ms};
use futures::TryStreamExt;
use pipeline::time::MILLI_NS;
use std::collections::{BTreeMap, HashMap, HashSet};
use table::layout;
use table::part::DataFile;
use table::report::{read_reports, report_keys};
use table::state::TableState;

/// Reports that an estimate is made from: the latest, as many as are read at once.
const MEASURED: usize = 32;

/// What reports there are.
pub(super) struct Found {
    /// Keys whose rows are there.
    pub(super) reusable: HashSet<String>,
    /// Keys of the latest reports.
    pub(super) latest: Vec<String>,
}

/// Those of `keys` whose report says files that are all there, as large as it says. A file that is not live in the base may
/// be removed once its report is old: such a report counts only for half of the retention.
///
/// A report whose files are gone is removed, with a warning: a worker that found it would take its shard for done.
pub(super) async fn find(work: &Work, base: Option<&TableState>, keys: &HashSet<String>) -> Result<Found, Fault> {
    let mut reports = report_keys(work.result.as_ref()).await?;
    let latest = latest(&reports);
    reports.retain(|key, _| keys.contains(key));
    let live = match base {
        Some(base) => base.ledger(&work.result).await?.lines.into_iter().map(|line| (line.key, line.files)).collect(),
        None => HashMap::new(),
    };
    let oldest_ns = now_ms().saturating_mul(MILLI_NS).saturating_sub(work.pipeline().retention_ns() / 2);
    reports.retain(|key, written_ns| live.contains_key(key) || written_ns.is_none_or(|ns| ns >= oldest_ns));
    let files = files(work, live, reports.into_keys().collect()).await?;
    let there = if files.is_empty() { HashMap::new() } else { data_files(work).await? };
    let mut whole = HashSet::new();
    for (key, files) in files {
        match files.iter().find(|file| there.get(&file.path) != Some(&file.bytes)) {
            None => {
                whole.insert(key);
            }
            Some(file) => {
                tracing::warn!(file = file.path, "a data file is gone or cut; its shard is computed again");
                work.result.delete(&layout::report(&key)).await?;
            }
        }
    }
    Ok(Found { reusable: whole, latest })
}

fn latest(reports: &BTreeMap<String, Option<i64>>) -> Vec<String> {
    let mut by_time: Vec<(&Option<i64>, &String)> = reports.iter().map(|(key, written)| (written, key)).collect();
    by_time.sort_unstable();
    by_time.into_iter().rev().take(MEASURED).map(|(_, key)| key.clone()).collect()
}

/// The files of each key: the base's ledger knows its own, reports tell the others.
async fn files(
    work: &Work,
    mut live: HashMap<String, Vec<DataFile>>,
    keys: Vec<String>,
) -> Result<BTreeMap<String, Vec<DataFile>>, Fault> {
    let (known, unknown): (Vec<String>, Vec<String>) = keys.into_iter().partition(|key| live.contains_key(key));
    let mut files: BTreeMap<_, _> = known.into_iter().filter_map(|key| live.remove_entry(&key)).collect();
    let reports = read_reports(work.result.as_ref(), &unknown).await?;
    files.extend(reports.into_iter().map(|(key, report)| (key, report.files)));
    Ok(files)
}

/// All data files under the result's URL, with their sizes.
async fn data_files(work: &Work) -> Result<HashMap<String, u64>, Fault> {
    let objects = work.result.list(layout::DATA);
    Ok(objects.map_ok(|object| (object.key, object.bytes)).try_collect().await?)
}
