//! Every object name under a result's URL, spelled here and nowhere else.
//!
//! ```text
//! _delta_log/<version>.json                     date=<day>/part-<shard key>-<attempt>.parquet
//! _fleetloom/members/<content id>.parquet       sources/<version>.parquet      plans/<hash>.json, <hash>.estimate.json
//! _fleetloom/reports/<shard key>.json           failures/<plan>/<shard>-<attempt>.json
//! _fleetloom/ledger/<plan>-<write>.parquet      quarantine/<shard key>-<attempt>.parquet
//! _fleetloom/inline/<plan>  store.json  splits/<part>.json  tags/<name>.json  probe-<id>
//! ```
//!
//! Keys, hashes, attempts and names come in ready: letters, digits, `.`, `_` and `-` only. Delta readers ignore
//! `_fleetloom/`.

use archive::folder::TEMPORARY;

/// Partition column of every table: the UTC day of the row's time.
pub const PARTITION: &str = "date";

/// Prefix of every data file.
pub const DATA: &str = "date=";

/// Prefix of the Delta log.
pub const LOG: &str = "_delta_log/";

/// Prefix of everything that is neither rows nor the Delta log.
pub const OWN: &str = "_fleetloom/";

/// Prefix of the plans.
pub const PLANS: &str = "_fleetloom/plans/";

/// Prefix of the marks of plans that a plan pod carries out itself.
const INLINE: &str = "_fleetloom/inline/";

/// Prefix of the failures.
const FAILURES: &str = "_fleetloom/failures/";

/// Prefix of the reports.
pub const REPORTS: &str = "_fleetloom/reports/";

/// Prefix of the tags.
pub const TAGS: &str = "_fleetloom/tags/";

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

/// The mark of whoever plans and means to carry the plan out in the same process: it does so once.
pub fn inline(hash: &str) -> String {
    format!("{INLINE}{hash}")
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
    format!("{TAGS}{name}.json")
}

/// The tag in the name of an object; `None` for other names.
pub fn tag_name(name: &str) -> Option<&str> {
    name.strip_prefix(TAGS)?.strip_suffix(".json")
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

/// What an object is for, in the order in which vacuum deletes: who names goes before what is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What an attempt at a shard did.
    Report,
    /// The shards of a version, or of an attempt to publish one.
    Ledger,
    /// A plan.
    Plan,
    /// Predictions beside a plan.
    Estimate,
    /// The mark of a plan that was carried out by who made it.
    Inline,
    /// Why an attempt failed.
    Failure,
    /// The objects of a source version.
    Sources,
    /// The members of an object.
    Members,
    /// What an attempt refused.
    Quarantine,
    /// Rows.
    Data,
    /// What a probe left.
    Probe,
    /// A file of a folder that never took its name.
    Unfinished,
}

impl Kind {
    /// All, in the order in which they are deleted.
    pub const ALL: [Self; 12] = [
        Self::Report,
        Self::Ledger,
        Self::Plan,
        Self::Estimate,
        Self::Inline,
        Self::Failure,
        Self::Sources,
        Self::Members,
        Self::Quarantine,
        Self::Data,
        Self::Probe,
        Self::Unfinished,
    ];

    /// Its word, in the plural.
    pub fn word(self) -> &'static str {
        match self {
            Self::Report => "reports",
            Self::Ledger => "ledgers",
            Self::Plan => "plans",
            Self::Estimate => "estimates",
            Self::Inline => "inline marks",
            Self::Failure => "failures",
            Self::Sources => "sources",
            Self::Members => "member lists",
            Self::Quarantine => "quarantine",
            Self::Data => "data files",
            Self::Probe => "probes",
            Self::Unfinished => "unfinished",
        }
    }
}

/// What an object is for; `None` for what vacuum never touches: the Delta log, splits, tags, the store's proof, and whatever is
/// none of ours.
pub fn kind(name: &str) -> Option<Kind> {
    let file = name.rsplit('/').next().unwrap_or(name);
    if file.starts_with(TEMPORARY) {
        return Some(Kind::Unfinished);
    }
    if name.starts_with(DATA) && file.starts_with("part-") && file.ends_with(".parquet") {
        return Some(Kind::Data);
    }
    let own = name.strip_prefix(OWN)?;
    if own.starts_with("probe-") {
        return Some(Kind::Probe);
    }
    match (own.split_once('/')?.0, own.ends_with(".json"), own.ends_with(".parquet")) {
        ("reports", true, _) => Some(Kind::Report),
        ("plans", true, _) if own.ends_with(".estimate.json") => Some(Kind::Estimate),
        ("plans", true, _) => Some(Kind::Plan),
        ("inline", ..) => Some(Kind::Inline),
        ("failures", true, _) => Some(Kind::Failure),
        ("ledger", _, true) => Some(Kind::Ledger),
        ("sources", _, true) => Some(Kind::Sources),
        ("members", _, true) => Some(Kind::Members),
        ("quarantine", _, true) => Some(Kind::Quarantine),
        _ => None,
    }
}

/// The hash in the name of a plan; `None` for other names.
pub fn plan_hash(name: &str) -> Option<&str> {
    name.strip_prefix(PLANS)?.strip_suffix(".json").filter(|hash| !hash.contains('.'))
}

/// The plan that an estimate, a mark or a failure belongs to, as an object's name.
pub fn plan_of(name: &str) -> Option<String> {
    let estimate = name.strip_prefix(PLANS).and_then(|rest| rest.strip_suffix(".estimate.json"));
    let failure = || name.strip_prefix(FAILURES)?.split_once('/').map(|(hash, _)| hash);
    let inline = || name.strip_prefix(INLINE);
    estimate.or_else(inline).or_else(failure).map(plan)
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
    fn reports_and_tags_are_found_by_their_names_and_back() {
        assert_eq!(report_key(&report("abc")), Some("abc"));
        assert_eq!(report_key("_fleetloom/plans/abc.json"), None);
        assert_eq!((tag_name(&tag("v1.2")), tag_name(&report("abc"))), (Some("v1.2"), None));
    }

    #[test]
    fn what_belongs_to_a_plan_is_found_by_its_name() {
        for (name, kind_) in
            [(estimate("p"), Kind::Estimate), (inline("p"), Kind::Inline), (failure("p", "s", "a"), Kind::Failure)]
        {
            assert_eq!((kind(&name), plan_of(&name)), (Some(kind_), Some(plan("p"))), "{name}");
        }
        assert_eq!((kind(&plan("p")), plan_of(&plan("p"))), (Some(Kind::Plan), None));
    }

    #[test]
    fn files_of_one_day_are_told_apart() {
        assert_eq!(data("2022-10-26", "k", "a", 0), "date=2022-10-26/part-k-a.parquet");
        assert_eq!(data("2022-10-26", "k", "a", 2), "date=2022-10-26/part-k-a-2.parquet");
    }
}
