//! Vacuum: what no kept version, no young report and no young plan needs goes. Nothing of the Delta log does, and no commit is
//! made.
//!
//! ```text
//! commits, tags ─► kept ─► ledgers, plans, reports ─► Facts ─► decide ─► Sweep ─► deletes: reports, ledgers, the rest
//! ```
//! Reports go first and ledgers second, so that whatever ends a sweep early, nothing that is still named has lost its files.

mod gather;

pub use gather::{Ask, Swept, sweep};

use crate::layout::{self, Kind};
use archive::store::Object;
use std::collections::{BTreeMap, BTreeSet};

/// Nothing younger is deleted, whatever the retention: 24 h, ns.
pub const YOUNG_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// Everything that a decision needs.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The time, ns since the epoch.
    pub now_ns: i64,
    /// How long old versions stay, ns.
    pub retention_ns: i64,
    /// What is stored.
    pub objects: Vec<Object>,
    /// Objects that kept versions need: data files, quarantine, ledgers, reports, plans.
    pub versions_need: BTreeSet<String>,
    /// By report: the files it names.
    pub reports: BTreeMap<String, Vec<String>>,
    /// By plan, by its object.
    pub plans: BTreeMap<String, PlanNeeds>,
}

/// What a plan needs to be carried out or looked into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanNeeds {
    /// The reports of its shards.
    pub reports: BTreeSet<String>,
    /// Its source version and the member lists which that names.
    pub inputs: BTreeSet<String>,
}

/// What goes, in the order in which it is to be deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Kind and object.
    pub goes: Vec<(Kind, Object)>,
}

/// The age from which a thing may go, ns.
pub fn horizon_ns(now_ns: i64, retention_ns: i64) -> i64 {
    now_ns.saturating_sub(retention_ns.max(YOUNG_NS))
}

/// The versions to keep: the latest, the tagged, and those that were live at or after the horizon. `commits` are all versions
/// with the time each was stored; of one whose time is unknown nothing is known, so it and the one before are kept.
///
/// A version is live until the next is committed. Clocks that were put back do not shorten its life: the latest time of any
/// commit up to the next counts.
pub fn kept(commits: &BTreeMap<u64, Option<i64>>, tagged: &BTreeSet<u64>, horizon_ns: i64) -> BTreeSet<u64> {
    let mut ended = i64::MIN;
    let mut kept = BTreeSet::new();
    let mut before = None;
    for (version, committed_ns) in commits {
        ended = ended.max(committed_ns.unwrap_or(i64::MIN));
        if committed_ns.is_none() {
            kept.insert(*version);
        }
        if committed_ns.is_none() || ended >= horizon_ns {
            kept.extend(before);
        }
        before = Some(*version);
    }
    kept.extend(before);
    kept.extend(commits.keys().filter(|version| tagged.contains(version)));
    kept
}

/// What goes.
pub fn decide(facts: &Facts) -> Sweep {
    let needed = needed(facts);
    let horizon_ns = horizon_ns(facts.now_ns, facts.retention_ns);
    let goes = facts.objects.iter().filter_map(|object| {
        let kind = layout::kind(&object.key)?;
        let needed = match kind {
            Kind::Estimate | Kind::Inline | Kind::Failure => {
                let plan = layout::plan_of(&object.key);
                needed.contains(object.key.as_str()) || plan.is_some_and(|plan| needed.contains(plan.as_str()))
            }
            Kind::Probe | Kind::Unfinished => false,
            _ => needed.contains(object.key.as_str()),
        };
        (!needed && is_old(object, limit_ns(kind, facts.now_ns, horizon_ns))).then(|| (kind, object.clone()))
    });
    let mut goes: Vec<(Kind, Object)> = goes.collect();
    goes.sort_by(|(kind, object), (other, more)| (kind, &object.key).cmp(&(other, &more.key)));
    Sweep { goes }
}

/// Leavings need no retention.
fn limit_ns(kind: Kind, now_ns: i64, horizon_ns: i64) -> i64 {
    match kind {
        Kind::Probe | Kind::Unfinished => now_ns.saturating_sub(YOUNG_NS),
        _ => horizon_ns,
    }
}

/// Whether a thing is surely older: one without a time is not.
fn is_old(object: &Object, limit_ns: i64) -> bool {
    object.modified_ns.is_some_and(|ns| ns < limit_ns)
}

/// Every object that something kept needs: from versions, from young plans and reports, and on to what those name.
fn needed(facts: &Facts) -> BTreeSet<&str> {
    let horizon_ns = horizon_ns(facts.now_ns, facts.retention_ns);
    let young: BTreeSet<&str> =
        facts.objects.iter().filter(|object| !is_old(object, horizon_ns)).map(|object| object.key.as_str()).collect();
    let mut needed: BTreeSet<&str> = facts.versions_need.iter().map(String::as_str).collect();
    // A suspended run is resumed from its plan: it stays as long as any report of its own is young.
    let alive = facts.plans.iter().filter(|(plan, needs)| {
        young.contains(plan.as_str()) || needs.reports.iter().any(|report| young.contains(report.as_str()))
    });
    for (plan, needs) in alive {
        needed.insert(plan);
        needed.extend(needs.reports.iter().map(String::as_str));
    }
    needed.extend(facts.reports.keys().map(String::as_str).filter(|report| young.contains(report)));
    let inputs = facts.plans.iter().filter(|(plan, _)| needed.contains(plan.as_str()));
    let inputs: Vec<&str> = inputs.flat_map(|(_, needs)| needs.inputs.iter().map(String::as_str)).collect();
    needed.extend(inputs);
    let files = facts.reports.iter().filter(|(report, _)| needed.contains(report.as_str()));
    let files: Vec<&str> = files.flat_map(|(_, files)| files.iter().map(String::as_str)).collect();
    needed.extend(files);
    needed
}

#[cfg(test)]
mod tests;
