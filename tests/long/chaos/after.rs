//! What must be so when nothing goes wrong any more.

use super::fleet::Fleet;
use crate::field::{Field, OPERATOR, condition};
use crate::shared;
use fleetloom_tests::cluster::has_condition;
use fleetloom_tests::{program, python, shown};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long all of it may take to settle: an operator that was killed often is started again after five minutes at most.
pub(super) const SETTLED: Duration = Duration::from_secs(15 * 60);

/// How often it is looked.
const POLL: Duration = Duration::from_secs(1);

/// Why a Run may fail while everything goes wrong: its tries or plans were used up. Never for what it asks.
const EXCUSED: [&str; 5] = ["GateRefused", "ActFailed", "StorageUnavailable", "InputChanging", "MessageLost"];

/// Every Run has ended: well, or for want of luck.
pub(super) fn all_have_ended(field: &Field) {
    let ended = |run: &Value| has_condition(run, "Complete") || has_condition(run, "Failed");
    let runs = field.kubectl.until_each(("runs", ""), 1, SETTLED, ended).unwrap_or_else(|error| panic!("{error}"));
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for run in &runs {
        let failed = condition(run, "Failed")["reason"].as_str();
        assert!(failed.is_none_or(|reason| EXCUSED.contains(&reason)), "{run:#}");
        let reason = failed.or_else(|| condition(run, "Complete")["reason"].as_str()).unwrap_or_default();
        *reasons.entry(reason.to_owned()).or_default() += 1;
        assert!(run["status"].to_string().len() <= 8 << 10, "{run}");
    }
    eprintln!("{} Runs: {reasons:?}", runs.len());
}

/// One more Run, which nothing disturbs, is Complete; its table and account are the laptop's, its history has no gap, and no
/// Run has published twice.
pub(super) fn the_table_is_the_laptops(field: &Field, fleet: &mut Fleet) {
    let last = format!("{}-last", fleet.name);
    field.start(&last, fleet.name, &json!({}));
    let run = field.complete(&last);
    let (rows, account) = fleet.of_the_laptop();
    let there = fleet.words_there(field);
    assert_eq!(python::digest(&field.published(fleet.name)), rows, "{}: {run:#}", fleet.name);
    assert_eq!(shown::account(&shown::shown(&there)), account, "{}", fleet.name);
    whole_history(field, fleet, &there);
}

fn whole_history(field: &Field, fleet: &Fleet, words: &Path) {
    let arguments = ["history", "--json", "--limit", "100000", "-f", &words.display().to_string()];
    let history = program::fleetloom(&arguments).expect(0).stdout;
    let history: Value = serde_json::from_str(&history).unwrap_or_else(|error| panic!("{error}: {history}"));
    let mut versions: Vec<&Value> = history["versions"].as_array().expect("a list").iter().collect();
    versions.reverse();
    let numbers: Vec<u64> = versions.iter().filter_map(|version| version["version"].as_u64()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{}: {history:#}", fleet.name);
    let by: Vec<&str> = versions.iter().filter_map(|version| version["run"].as_str()).collect();
    assert_eq!(by.len(), numbers.len(), "{}: each is some Run's: {history:#}", fleet.name);
    assert_eq!(by.iter().collect::<BTreeSet<_>>().len(), by.len(), "{}: a Run published twice: {by:?}", fleet.name);
    let runs = field.kubectl.list("runs", "").expect("Runs can be listed");
    for run in runs.iter().filter(|run| run["spec"]["pipeline"] == fleet.name) {
        if condition(run, "Complete")["reason"] == "Published" {
            let version = run["status"]["result"]["version"].as_u64().expect("a version");
            let made = usize::try_from(version).ok().and_then(|version| by.get(version));
            assert_eq!(made.copied(), run["metadata"]["uid"].as_str(), "{}: version {version}: {run:#}", fleet.name);
        }
    }
    eprintln!("{}: {} versions, {} Runs of the test", fleet.name, numbers.len(), fleet.runs);
}

/// Every Job and pod belongs to something that is there, as soon as whatever belongs to the last Run that went has followed it.
pub(super) fn nothing_is_without_an_owner(field: &Field) {
    let until = Instant::now() + SETTLED;
    loop {
        let left = without_owner(field);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "{left:#?}");
        thread::park_timeout(POLL);
    }
}

fn without_owner(field: &Field) -> Vec<Value> {
    let all = |kind: &str| field.kubectl.list(kind, "").unwrap_or_else(|error| panic!("{error}"));
    let [runs, pipelines, jobs, pods] = ["runs", "pipelines", "jobs", "pods"].map(all);
    let owners = [&runs, &pipelines, &jobs].into_iter().flatten().map(|owner| owner["metadata"]["uid"].to_string());
    let owners: BTreeSet<String> = owners.collect();
    let owned = |it: &Value| owners.contains(&it["metadata"]["ownerReferences"][0]["uid"].to_string());
    [jobs, pods].into_iter().flatten().filter(|it| !owned(it)).collect()
}

/// When the Runs and Pipelines are removed, all that was made for them goes too.
pub(super) fn nothing_is_left(field: &Field) {
    for kind in ["runs", "pipelines"] {
        field.kubectl.run(&["delete", kind, "--all"]).unwrap_or_else(|error| panic!("{error}"));
    }
    let left = |kind: &str, own: &str| {
        let gone = field.kubectl.until_each((kind, own), 0, SETTLED, |_| false);
        gone.unwrap_or_else(|error| panic!("{error}"));
    };
    left("jobs", "");
    left("pods", "");
    left("configmaps", "app.kubernetes.io/managed-by=fleetloom-operator");
}

/// Neither key of the buckets stands in the log of a pod, the operator's among them. Logs go with their pods: this is looked at
/// again and again.
pub(super) fn no_log_tells_a_key() {
    let mut logs = 0;
    each_file(&shared().folder().join("pods"), &mut |path, text| {
        logs += 1;
        has_no_key(&path.display().to_string(), text);
    });
    assert!(logs > 0, "the kubelet keeps logs of pods");
}

/// Nor in anything of the namespaces but their Secrets.
pub(super) fn nothing_tells_a_key(field: &Field) {
    let of_field = "runs,pipelines,archives,jobs,pods,configmaps,events";
    for (namespace, kinds) in [(field.name, of_field), (OPERATOR, "pods,deployments,configmaps,events")] {
        let kubectl = shared().kubectl().within(namespace);
        let told = kubectl.run(&["get", kinds, "-o", "yaml"]).unwrap_or_else(|error| panic!("{error}"));
        has_no_key(kinds, &told);
    }
}

fn has_no_key(what: &str, text: &str) {
    let keys = shared().store().keys();
    let told = [&keys.id, &keys.secret].iter().any(|key| text.contains(key.as_str()));
    assert!(!told, "{what} tells a key of the buckets");
}

/// Every file below a folder, as text. What goes while it is read is passed over.
fn each_file(folder: &Path, take: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => each_file(&path, take),
            false => take(&path, &String::from_utf8_lossy(&fs::read(&path).unwrap_or_default())),
        }
    }
}
