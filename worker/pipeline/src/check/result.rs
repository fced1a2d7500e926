//! Result and gate words: what a table is, and what its publication may lose.

use super::desk::Desk;
use super::store;
use crate::archive::Archive;
use crate::columns::{Meaning, result_columns};
use crate::name;
use crate::pattern::glob;
use crate::pipeline::{Drift, Join, Pipeline, RETENTION_DEFAULT_NS, Tolerate};
use crate::spec::{DriftSpec, PipelineSpec, TolerateSpec};
use crate::time::{DAY_NS, words};

/// Readers of the version before must be able to finish.
const RETENTION_LEAST_NS: i64 = DAY_NS;
/// Aim for the stored bytes of a shard, when nothing is said.
const SHARD_BYTES: u64 = 256 << 20;

/// The words with the result's URL made absolute.
pub(super) fn check(words: &PipelineSpec, folder: Option<&str>, desk: &mut Desk) -> PipelineSpec {
    let result = &words.result;
    let store = store::check(&result.store, "spec.result.store", folder, desk);
    if let Some(columns) = &result.partition_by
        && columns != &["date"]
    {
        let what = format!("is [{}], but tables are partitioned by day only", columns.join(", "));
        desk.report("spec.result.partitionBy", what, "write [date], or leave it out");
    }
    let retention_ns = desk.duration("spec.result.retention", result.retention.as_deref(), RETENTION_DEFAULT_NS);
    if retention_ns < RETENTION_LEAST_NS {
        let what = format!("is {}, too short for readers of the version before", words::duration_text(retention_ns));
        desk.report("spec.result.retention", what, "write 24h or more");
    }
    let mut spec = words.clone();
    spec.result.store = store;
    spec
}

/// `shards.bytes`.
pub(super) fn shard_bytes(words: &PipelineSpec, desk: &mut Desk) -> u64 {
    let Some(text) = words.shards.as_ref().and_then(|shards| shards.bytes.as_ref()) else { return SHARD_BYTES };
    let bytes = desk.take("spec.shards.bytes", words::size_bytes(text)).unwrap_or(SHARD_BYTES);
    if bytes == 0 {
        desk.report("spec.shards.bytes", "is 0", "write a size such as 256Mi");
    }
    bytes
}

/// The gates.
pub(super) fn check_tolerate(
    words: Option<&TolerateSpec>,
    archive: &Archive,
    joins: &[Option<Join>],
    desk: &mut Desk,
) -> Tolerate {
    let mut gates =
        Tolerate { failed_shards: 0, quarantined: None, late: None, min_matched: Vec::new(), drift: Vec::new() };
    let Some(words) = words else { return gates };
    let mut share =
        |path: &str, text: &Option<String>| text.as_ref().and_then(|text| desk.take(path, words::share(text)));
    gates.failed_shards = words.failed_shards.unwrap_or(0);
    gates.quarantined = share("spec.tolerate.quarantined", &words.quarantined);
    gates.late = share("spec.tolerate.late", &words.late);
    let joined: Vec<&str> = joins.iter().flatten().map(|join| archive.signals[join.signal].name.as_str()).collect();
    let complete = joins.iter().all(Option::is_some);
    let mut seen: Vec<&str> = Vec::new();
    for (index, least) in words.min_matched.iter().enumerate() {
        let path = format!("spec.tolerate.minMatched[{index}]");
        let share = desk.take(&format!("{path}.share"), words::share(&least.share));
        if seen.contains(&least.signal.as_str()) {
            desk.report(&format!("{path}.signal"), format!("is {}, written twice", least.signal), "keep one of them");
        }
        seen.push(&least.signal);
        let known = joined.contains(&least.signal.as_str());
        if !known && complete {
            desk.find(&format!("{path}.signal"), "joined signal", &least.signal, &joined);
        }
        gates.min_matched.extend(archive.signal(&least.signal).filter(|_| known).zip(share));
    }
    gates.drift = words.drift.iter().enumerate().map(|(index, words)| drift(words, index, desk)).collect();
    gates
}

/// One gate of `tolerate.drift`.
fn drift(words: &DriftSpec, index: usize, desk: &mut Desk) -> Drift {
    let path = format!("spec.tolerate.drift[{index}]");
    if words.columns.is_empty() {
        desk.report(&format!("{path}.columns"), "is empty", "write columns of the result, such as \"current_*\"");
    }
    if words.null_share.is_none() && words.mean_shift.is_none() {
        desk.report(&path, "allows everything", "write nullShare, such as 5%, or meanShift, such as 3.0, or both");
    }
    if words.mean_shift.is_some_and(|most| !(most > 0.0 && most.is_finite())) {
        let remedy = "write how many standard deviations of the base the mean may go, such as 3.0";
        desk.report(&format!("{path}.meanShift"), "is no number above 0", remedy);
    }
    let null_share = words.null_share.as_ref();
    let null_share = null_share.and_then(|text| desk.take(&format!("{path}.nullShare"), words::share(text)));
    Drift { columns: words.columns.clone(), null_share, mean_shift: words.mean_shift }
}

/// Patterns of `tolerate.drift` that judge no column. Robots, times and days are what rows are told by.
pub(super) fn check_drift(pipeline: &Pipeline, desk: &mut Desk) {
    let is_key = |meaning| matches!(meaning, Meaning::Robot | Meaning::Date | Meaning::Time | Meaning::RowKind);
    let columns = result_columns(pipeline).into_iter().filter(|column| !is_key(column.meaning));
    let names: Vec<String> = columns.map(|column| column.name).collect();
    for (index, gate) in pipeline.tolerate.drift.iter().enumerate() {
        for (at, pattern) in gate.columns.iter().enumerate() {
            if !names.iter().any(|name| glob(pattern, name)) {
                let path = format!("spec.tolerate.drift[{index}].columns[{at}]");
                let remedy = match name::nearest(pattern, names.iter().map(String::as_str)) {
                    Some(nearest) => format!("did you mean {nearest}?"),
                    None => "write names of result columns such as current_j0, with * for any characters".to_owned(),
                };
                desk.report(
                    &path,
                    format!("is {pattern}, which matches no column of the result that can drift"),
                    remedy,
                );
            }
        }
    }
}
