//! Every object name under a result's URL, spelled here and nowhere else.
//!
//! ```text
//! _delta_log/<version>.json                     date=<day>/part-<shard key>-<attempt>.parquet
//! _fleetloom/members/<content id>.parquet       sources/<version>.parquet      plans/<hash>.json, <hash>.estimate.json
//! _fleetloom/reports/<shard key>.json           failures/<plan>/<shard>-<attempt>.json
//! _fleetloom/ledger/<plan>-<write>.parquet      quarantine/<shard key>-<attempt>.parquet
//! _fleetloom/store.json  splits/<part>.json  tags/<name>.json  probe-<id>
//! ```
//!
//! Keys, hashes, attempts and names come in ready: letters, digits, `.`, `_` and `-` only. Delta readers ignore
//! `_fleetloom/`.

/// Partition column of every table: the UTC day of the row's time.
pub const PARTITION: &str = "date";

/// Prefix of every data file.
pub const DATA: &str = "date=";

/// Prefix of the Delta log.
pub const LOG: &str = "_delta_log/";

/// Prefix of the reports.
pub const REPORTS: &str = "_fleetloom/reports/";

/// What the store was proved to do.
pub const STORE: &str = "_fleetloom/store.json";

/// Prefix of the parts that are cut in two because a worker's memory did not suffice: an input of the next plan. An object
/// each, for several workers may find one at a time, and a store replaces no object on conditions.
pub const SPLITS: &str = "_fleetloom/splits/";

/// The members of one state of an object.
pub fn members(content_id: &str) -> String {
    format!("_fleetloom/members/{content_id}.parquet")
}

/// The objects of one source version.
pub fn sources(version: &str) -> String {
    format!("_fleetloom/sources/{version}.parquet")
}

/// A plan.
pub fn plan(hash: &str) -> String {
    format!("_fleetloom/plans/{hash}.json")
}

/// Predictions beside a plan.
pub fn estimate(hash: &str) -> String {
    format!("_fleetloom/plans/{hash}.estimate.json")
}

/// What the accepted attempt at a shard says.
pub fn report(shard_key: &str) -> String {
    format!("{REPORTS}{shard_key}.json")
}

/// The shard key in the name of a report; `None` for other names.
pub fn report_key(name: &str) -> Option<&str> {
    name.strip_prefix(REPORTS)?.strip_suffix(".json")
}

/// Why one attempt at a shard failed.
pub fn failure(plan: &str, shard: &str, attempt: &str) -> String {
    format!("{}{shard}-{attempt}.json", failures(plan))
}

/// Prefix of the failures of a plan.
pub fn failures(plan: &str) -> String {
    format!("_fleetloom/failures/{plan}/")
}

/// A part that is cut in two.
pub fn split(part: &str) -> String {
    format!("{SPLITS}{part}.json")
}

/// The ledger of one attempt to publish a plan.
pub fn ledger(plan: &str, write: &str) -> String {
    format!("_fleetloom/ledger/{plan}-{write}.parquet")
}

/// What one attempt at a shard refused.
pub fn quarantine(shard_key: &str, attempt: &str) -> String {
    format!("_fleetloom/quarantine/{shard_key}-{attempt}.parquet")
}

/// A tag: a version that vacuum keeps.
pub fn tag(name: &str) -> String {
    format!("_fleetloom/tags/{name}.json")
}

/// An object that a probe creates and removes.
pub fn probe(id: &str) -> String {
    format!("_fleetloom/probe-{id}")
}

/// A data file of one day (`YYYY-MM-DD`). A shard that had to close a day's file and open another numbers them: `nth` 0 is
/// not written.
pub fn data(date: &str, shard_key: &str, attempt: &str, nth: u32) -> String {
    match nth {
        0 => format!("{DATA}{date}/part-{shard_key}-{attempt}.parquet"),
        nth => format!("{DATA}{date}/part-{shard_key}-{attempt}-{nth}.parquet"),
    }
}

/// The commit that made a version.
pub fn commit(version: u64) -> String {
    format!("{LOG}{version:020}.json")
}

/// The version that a commit made; `None` for other names (checkpoints, checksums, data).
pub fn commit_version(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(LOG)?.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_told_from_their_neighbours() {
        assert_eq!(commit_version(&commit(7)), Some(7));
        assert_eq!(commit_version("_delta_log/00000000000000000007.checkpoint.parquet"), None);
        assert_eq!(commit_version("_delta_log/_last_checkpoint"), None);
        assert_eq!(commit_version("_delta_log/+0000000000000000007.json"), None);
        assert_eq!(commit_version("00000000000000000007.json"), None);
    }

    #[test]
    fn a_report_is_found_by_its_key_and_back() {
        assert_eq!(report_key(&report("abc")), Some("abc"));
        assert_eq!(report_key("_fleetloom/plans/abc.json"), None);
    }

    #[test]
    fn files_of_one_day_are_told_apart() {
        assert_eq!(data("2022-10-26", "k", "a", 0), "date=2022-10-26/part-k-a.parquet");
        assert_eq!(data("2022-10-26", "k", "a", 2), "date=2022-10-26/part-k-a-2.parquet");
    }
}
