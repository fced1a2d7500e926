//! What is kept and what goes, case by case and for any facts; and on a store in memory.

use super::*;
use crate::testing::memory;
use archive::store::Put;
use proptest::prelude::*;

const HOUR_NS: i64 = YOUNG_NS / 24;
const NOW_NS: i64 = 1_000_000 * HOUR_NS;
const RETENTION_NS: i64 = 7 * YOUNG_NS;

/// An object of that age.
fn object(key: &str, hours: Option<i64>) -> Object {
    let modified_ns = hours.map(|hours| NOW_NS - hours * HOUR_NS);
    Object { key: key.to_owned(), bytes: 1, etag: None, version: None, modified_ns }
}

fn facts(objects: Vec<Object>) -> Facts {
    Facts { now_ns: NOW_NS, retention_ns: RETENTION_NS, objects, ..Facts::default() }
}

fn gone(facts: &Facts) -> Vec<String> {
    decide(facts).goes.into_iter().map(|(_, object)| object.key).collect()
}

const FILE: &str = "date=2024-05-01/part-k-a.parquet";
const OLD: Option<i64> = Some(1_000);
const YOUNG: Option<i64> = Some(1);

#[test]
fn the_version_that_was_live_at_the_horizon_is_kept() {
    let commits = BTreeMap::from([(0, Some(10)), (1, Some(20)), (2, Some(30)), (3, Some(40))]);
    let kept = |horizon| kept(&commits, &BTreeSet::new(), horizon).into_iter().collect::<Vec<_>>();
    assert_eq!(kept(5), [0, 1, 2, 3]);
    assert_eq!(kept(25), [1, 2, 3], "version 1 was live at 25");
    assert_eq!(kept(30), [1, 2, 3], "until just then");
    assert_eq!(kept(31), [2, 3]);
    assert_eq!(kept(99), [3], "the latest always");
}

#[test]
fn tags_unknown_times_and_clocks_put_back_keep_versions() {
    let commits = BTreeMap::from([(0, Some(10)), (1, None), (2, Some(30)), (3, Some(5)), (4, Some(6))]);
    let tagged = BTreeSet::from([2, 9]);
    assert_eq!(kept(&commits, &tagged, 99).into_iter().collect::<Vec<_>>(), [0, 1, 2, 4]);
    assert_eq!(kept(&commits, &BTreeSet::new(), 20).into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_young_report_keeps_its_old_files_and_an_old_one_goes_before_them() {
    let report = layout::report("k");
    let named = BTreeMap::from([(report.clone(), vec![FILE.to_owned()])]);
    let of = |hours| Facts { reports: named.clone(), ..facts(vec![object(FILE, OLD), object(&report, hours)]) };
    assert!(gone(&of(YOUNG)).is_empty());
    assert!(gone(&of(None)).is_empty(), "without a time nothing is old");
    assert_eq!(gone(&of(OLD)), [report.as_str(), FILE]);
}

#[test]
fn nothing_younger_than_a_day_goes_whatever_the_retention() {
    let mut facts = facts(vec![object(FILE, Some(23))]);
    facts.retention_ns = 0;
    assert!(gone(&facts).is_empty());
    facts.objects = vec![object(FILE, Some(25))];
    assert_eq!(gone(&facts), [FILE]);
}

#[test]
fn a_suspended_run_keeps_its_plan_inputs_and_old_reports() {
    let (plan, sources, failure) = (layout::plan("p"), layout::sources("s"), layout::failure("p", "k", "a"));
    let reports = [layout::report("new"), layout::report("old")];
    let needs = PlanNeeds { reports: reports.clone().into(), inputs: [sources.clone()].into() };
    let things = |hours| {
        vec![
            object(&plan, OLD),
            object(&sources, OLD),
            object(&failure, OLD),
            object(&layout::estimate("p"), OLD),
            object(&reports[0], hours),
            object(&reports[1], OLD),
            object(FILE, OLD),
        ]
    };
    let of = |hours| Facts {
        plans: [(plan.clone(), needs.clone())].into(),
        reports: [(reports[1].clone(), vec![FILE.to_owned()])].into(),
        ..facts(things(hours))
    };
    assert!(gone(&of(YOUNG)).is_empty());
    assert_eq!(gone(&of(OLD)).len(), 7);
}

#[test]
fn what_is_never_touched_has_no_kind() {
    let never =
        [layout::commit(3), layout::split("x"), layout::STORE.to_owned(), layout::tag("t"), "notes.txt".to_owned()];
    let objects = never.iter().map(|key| object(key, OLD)).collect();
    assert!(gone(&facts(objects)).is_empty());
    let leavings = [layout::probe("x"), format!("date=2024-05-01/{}1-1", archive::folder::TEMPORARY)];
    let objects = |hours| leavings.iter().map(|key| object(key, Some(hours))).collect();
    assert_eq!(gone(&facts(objects(25))).len(), 2, "they need no retention");
    assert!(gone(&facts(objects(23))).is_empty());
}

/// A few names of every kind, so that references meet.
fn name() -> impl Strategy<Value = String> {
    (0..9u8, 0..4u8).prop_map(|(kind, n)| {
        let n = n.to_string();
        match kind {
            0 => layout::report(&n),
            1 => layout::plan(&n),
            2 => layout::estimate(&n),
            3 => layout::sources(&n),
            4 => layout::members(&n),
            5 => layout::ledger(&n, "w"),
            6 => layout::quarantine(&n, "a"),
            7 => layout::failure(&n, "s", "a"),
            _ => layout::data("2024-05-01", &n, "a", 0),
        }
    })
}

fn file() -> impl Strategy<Value = String> {
    name().prop_filter("files", |name| matches!(layout::kind(name), Some(Kind::Data | Kind::Quarantine)))
}

fn input() -> impl Strategy<Value = String> {
    name().prop_filter("inputs", |name| matches!(layout::kind(name), Some(Kind::Sources | Kind::Members)))
}

prop_compose! {
    fn any_facts()(
        objects in prop::collection::btree_map(name(), prop::option::weighted(0.9, 0i64..400), 0..30),
        versions_need in prop::collection::btree_set(name(), 0..6),
        reports in prop::collection::btree_map((0..4u8).prop_map(|n| layout::report(&n.to_string())),
            prop::collection::vec(file(), 0..3), 0..4),
        plans in prop::collection::btree_map((0..4u8).prop_map(|n| layout::plan(&n.to_string())),
            (prop::collection::btree_set((0..4u8).prop_map(|n| layout::report(&n.to_string())), 0..3),
             prop::collection::btree_set(input(), 0..3)), 0..4),
        retention_hours in 0i64..300,
    ) -> Facts {
        Facts {
            now_ns: NOW_NS,
            retention_ns: retention_hours * HOUR_NS,
            objects: objects.iter().map(|(key, hours)| object(key, *hours)).collect(),
            versions_need,
            reports,
            plans: plans.into_iter().map(|(plan, (reports, inputs))| (plan, PlanNeeds { reports, inputs })).collect(),
        }
    }
}

proptest! {
    #[test]
    fn nothing_needed_ever_goes_and_a_second_sweep_finds_nothing(facts in any_facts()) {
        let goes: BTreeSet<String> = gone(&facts).into_iter().collect();
        let limit_ns = NOW_NS - facts.retention_ns.max(YOUNG_NS);
        prop_assert!(goes.is_disjoint(&facts.versions_need));
        let stays = |key: &str| facts.objects.iter().any(|object| object.key == key) && !goes.contains(key);
        for object in &facts.objects {
            let old = object.modified_ns.is_some_and(|ns| ns < limit_ns);
            prop_assert!(old || !goes.contains(&object.key), "{} is young", object.key);
        }
        for (report, files) in &facts.reports {
            prop_assert!(!stays(report) || files.iter().all(|file| !goes.contains(file)), "{report} lost a file");
        }
        for (plan, needs) in &facts.plans {
            prop_assert!(!stays(plan) || needs.inputs.iter().all(|input| !goes.contains(input)), "{plan}");
            let young = facts.objects.iter().any(|o| o.key == *plan && o.modified_ns.is_none_or(|ns| ns >= limit_ns));
            prop_assert!(!young || needs.reports.is_disjoint(&goes), "{plan} lost a report");
        }
        let mut after = facts.clone();
        after.objects.retain(|object| !goes.contains(&object.key));
        after.reports.retain(|report, _| !goes.contains(report));
        after.plans.retain(|plan, _| !goes.contains(plan));
        prop_assert!(gone(&after).is_empty());
    }

    #[test]
    fn a_version_that_was_live_within_the_retention_is_kept(
        steps in prop::collection::vec(0i64..50, 1..20), horizon in 0i64..500, tag in 0u64..20,
    ) {
        let times = steps.iter().scan(0, |at, step| { *at += step; Some(*at) });
        let commits: BTreeMap<u64, Option<i64>> = (0..).zip(times.map(Some)).collect();
        let kept = kept(&commits, &[tag].into(), horizon);
        for (version, at) in &commits {
            let end = commits.get(&(version + 1)).copied().flatten();
            let live = end.is_none_or(|end| end >= horizon) || *version == tag;
            prop_assert_eq!(kept.contains(version), live, "{} made at {:?}", version, at);
        }
    }
}

#[tokio::test]
async fn a_sweep_deletes_only_when_asked_and_twice_is_once() {
    let store = memory();
    store.put(FILE, "rows".into(), Put::Always).await.unwrap();
    store.put(layout::STORE, "{}".into(), Put::Always).await.unwrap();
    let now_ns = store.head(FILE).await.unwrap().modified_ns.unwrap() + 2 * RETENTION_NS;
    let ask = |delete| Ask { now_ns, retention_ns: RETENTION_NS, delete };
    assert_eq!(sweep(&store, ask(false)).await.unwrap().sweep.goes.len(), 1);
    assert!(store.head(FILE).await.is_ok(), "it was only counted");
    assert_eq!(sweep(&store, ask(true)).await.unwrap().sweep.goes.len(), 1);
    assert!(store.head(FILE).await.is_err());
    assert!(store.head(layout::STORE).await.is_ok());
    assert!(sweep(&store, ask(true)).await.unwrap().sweep.goes.is_empty());
}
