//! Runs through their whole life on a real node: a real kubelet starts our real image, and the operator from the chart drives.
//! What becomes of every single call of the operator is in its own tests.

use super::field::{Field, OPERATOR, chart, condition};
use super::shared;
use super::twin::{SMALL, Twin};
use fleetloom_tests::cluster::signal;
use fleetloom_tests::pack;
use fleetloom_tests::program;
use fleetloom_tests::python;
use fleetloom_tests::words::{change, example};
use rustix::process::Signal;
use serde_json::{Value, json};

/// The fleet of the simulator in the field: its Pipeline there, and the digest that its table has on this machine.
fn fleet(field: &Field<'_>, robots: u32, hours: u32, workers: &str) -> (String, String) {
    let twin = Twin::fleet(field, "fleet", (robots, hours), "shards: {bytes: 1Mi}");
    let whole = twin.here(&[]);
    twin.apply(&format!("{workers}, {SMALL}"));
    (twin.name.to_owned(), whole)
}

fn done(run: &Value) -> u64 {
    run["status"]["shards"]["done"].as_u64().unwrap_or_default()
}

#[test]
fn the_file_of_the_laptop_gives_its_tables_in_one_pod_a_run() {
    let field = Field::new("tour");
    let folder = python::repository().join("manifests/examples/ur3");
    let words = example("ur3");
    let here = change(&words, "url: ur3/", &format!("url: \"file://{}/\"", folder.display()));
    let here = change(&here, "url: ../../out/", &format!("url: file://{}/", field.place.folder().display()));
    program::run(&field.place.words(&here)).expect(0);
    let there = change(&words, "url: ur3/", &field.archive(&folder));
    let tables = ["ur3-stops", "ur3-before-stops"];
    let there = tables
        .iter()
        .fold(there, |words, table| change(&words, &format!("url: ../../out/{table}/"), &field.result(table)));
    field.kubectl.apply(&there).unwrap();
    for table in tables {
        field.start(&format!("{table}-first"), table, &json!({}));
    }
    for table in tables {
        let run = format!("{table}-first");
        field.kubectl.run(&["wait", "--for=condition=Complete", &format!("run/{run}"), "--timeout=180s"]).unwrap();
        let status = field.complete(&run)["status"].clone();
        assert_eq!((&status["phase"], &status["result"]["version"]), (&"Complete".into(), &0.into()), "{status:#}");
        assert_eq!(field.digest(table), python::digest(&field.place.path(table)), "{table}");
        assert_eq!(field.jobs(&run).len(), 1, "a small Run is finished by its plan pod");
        assert_eq!(status["source"]["members"], 1498, "{status:#}");
    }
    field.start("again", "ur3-stops", &json!({}));
    let again = field.complete("again");
    assert_eq!(condition(&again, "Complete")["reason"], "NothingToDo", "{again:#}");
    let shown = field.kubectl.run(&["get", "runs"]).unwrap();
    println!("{shown}");
    assert!(shown.lines().next().unwrap_or_default().starts_with("NAME"), "{shown}");
    for column in ["PIPELINE", "PHASE", "DONE", "FAILED", "ROWS", "VERSION", "AGE"] {
        assert!(shown.contains(column), "{shown}");
    }
    assert!(shown.contains("7409"), "{shown}");
}

#[test]
fn a_large_run_is_three_jobs_and_its_table_is_the_laptops() {
    let field = Field::new("three-jobs");
    let (pipeline, whole) = fleet(&field, 4, 26, "inline: 0s, parallelism: 2");
    field.start("large", &pipeline, &json!({}));
    let status = field.complete("large")["status"].clone();
    let names: Vec<Value> = field.jobs("large").iter().map(|job| job["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["large-1-commit", "large-1-plan", "large-1-shards"]);
    let stale = status["plan"]["stale"].as_u64().expect("a number");
    assert!(stale > 4 && status["shards"]["done"] == stale, "{status:#}");
    assert_eq!(field.digest("fleet"), whole);
    let spec = &field.kubectl.get("job", "large-1-shards").unwrap().expect("it is there")["spec"];
    assert_eq!((&spec["completionMode"], &spec["podReplacementPolicy"]), (&"Indexed".into(), &"Failed".into()));
    // Everything has a report already: there is no shard Job, whatever is asked for in words that touch no row.
    field.start("reuse", &pipeline, &json!({"recompute": "Stale"}));
    field.complete("reuse");
    assert!(!field.jobs("reuse").iter().any(|job| job["metadata"]["name"] == "reuse-1-shards"));
}

#[test]
fn a_run_is_suspended_resumed_and_scaled_and_an_upgrade_of_the_operator_disturbs_nothing() {
    let field = Field::new("suspended");
    let (pipeline, whole) = fleet(&field, 6, 48, "inline: 0s, parallelism: 1");
    field.start("slow", &pipeline, &json!({"suspend": true}));
    field.kubectl.until("run", "slow", |run| condition(run, "Suspended")["status"] == "True").unwrap();
    assert!(field.jobs("slow").is_empty(), "nothing is started");
    let patch = |words: &str| field.kubectl.run(&["patch", "run", "slow", "--type=merge", "-p", words]).unwrap();
    patch(r#"{"spec":{"suspend":false}}"#);
    field.kubectl.until("job", "slow-1-shards", |job| job["status"]["active"] == 1).unwrap();
    patch(r#"{"spec":{"suspend":true}}"#);
    field
        .kubectl
        .until("job", "slow-1-shards", |job| job["spec"]["suspend"] == true && job["status"]["active"].is_null())
        .unwrap();
    patch(r#"{"spec":{"suspend":false}}"#);
    field.kubectl.run(&["scale", "run/slow", "--replicas=2"]).unwrap();
    let job = field.kubectl.until("job", "slow-1-shards", |job| job["spec"]["parallelism"] == 2).unwrap();
    chart(shared(), &["upgrade", "fleetloom", "--set", "podAnnotations.upgrade=now", "--wait", "--timeout", "120s"]);
    field.complete("slow");
    let after = field.kubectl.get("job", "slow-1-shards").unwrap().expect("it is there");
    assert_eq!(after["metadata"]["uid"], job["metadata"]["uid"], "nothing restarts");
    assert_eq!(field.digest("fleet"), whole);
}

#[test]
fn workers_that_are_killed_stopped_and_evicted_cost_tries_and_no_row() {
    let field = Field::new("killed");
    let (pipeline, whole) = fleet(&field, 6, 48, "inline: 0s, parallelism: 2, retries: 5");
    field.start("killed", &pipeline, &json!({}));
    let mut hurt = Vec::new();
    for how in ["kill", "stop", "delete", "evict"] {
        let mut pod = None;
        let running = |job: &Value| {
            let pods = field.pods("killed", "shards");
            pod = pods.into_iter().find(|pod| {
                let begun = !pod["status"]["containerStatuses"][0]["state"]["running"].is_null();
                begun && pod["metadata"]["deletionTimestamp"].is_null() && !hurt.contains(&pod["metadata"]["uid"])
            });
            pod.is_some() || !job["status"]["completionTime"].is_null()
        };
        field.kubectl.until("job", "killed-1-shards", running).unwrap();
        let pod = pod.unwrap_or_else(|| panic!("the shards were done before one could be hurt: {how}"));
        hurt.push(pod["metadata"]["uid"].clone());
        let name = pod["metadata"]["name"].as_str().expect("a name");
        match how {
            "kill" => signal(&pod, Signal::KILL),
            "stop" => signal(&pod, Signal::TERM),
            "delete" => field.kubectl.run(&["delete", "pod", name, "--wait=false"]).map(drop),
            _ => {
                let words = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
                let path = format!("/api/v1/namespaces/{}/pods/{name}/eviction", field.name);
                field.kubectl.fed(&["create", "--raw", &path, "-f", "-"], &words.to_string()).map(drop)
            }
        }
        .unwrap();
    }
    let run = field.complete("killed");
    assert_eq!(run["status"]["shards"]["failed"], 0, "{run:#}");
    assert_eq!(done(&run), run["status"]["plan"]["stale"].as_u64().expect("a number"));
    assert_eq!(field.digest("fleet"), whole);
}

/// An archive of one object of as many lines, whose texts of 1 KB a worker holds all at once: they are one robot's.
fn one_object(field: &Field<'_>, lines: u64) {
    let filler = "x".repeat(960);
    let line = |n: u64| format!("{{\"ts\": {}, \"v\": {n}, \"filler\": \"{filler}\"}}\n", 1_714_564_800_000 + n * 10);
    let text: String = (0..lines).map(line).collect();
    let packed = pack::gzip(text.as_bytes());
    shared().store().put("telemetry", &format!("{}/2024-05-01-r1.json.gz", field.name), &packed);
}

/// One signal of lines, a row for each; pods of 128Mi.
const LINES: &str = r#"
apiVersion: fleetloom.dev/v1alpha1
kind: Archive
metadata: {name: lines}
spec:
  store: {ARCHIVE}
  objects: "{date}-{robot}.json.gz"
  format: NdJson
  robot: {capture: robot}
  signals: [{name: speed, times: [{name: ts, unit: ms}], columns: [{name: v}, {name: filler, type: string}]}]
---
apiVersion: fleetloom.dev/v1alpha1
kind: Pipeline
metadata: {name: lines}
spec:
  archive: lines
  rows: {signal: speed}
  workers: {inline: 0s, retries: 1, resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 128Mi}}}
  result: {store: {RESULT}}
"#;

#[test]
fn memory_that_does_not_suffice_is_doubled_once_and_then_the_run_fails_with_a_sentence() {
    let field = Field::new("memory");
    let words = change(LINES, "ARCHIVE", &field.archive(field.place.folder()));
    field.kubectl.apply(&change(&words, "RESULT", &field.result("lines"))).unwrap();
    one_object(&field, 400_000);
    field.start("little", "lines", &json!({}));
    let run = field.ended("little");
    assert_eq!(run["status"]["memoryBytes"], 256 << 20, "{run:#}");
    assert_eq!(condition(&run, "Failed")["reason"], "MemoryExceeded", "{run:#}");
    let sentence = condition(&run, "Failed")["message"].as_str().expect("a sentence");
    assert!(sentence.contains("spec.workers.resources"), "{sentence}");
}

#[test]
fn wrong_words_and_a_missing_secret_end_a_run_with_what_to_do() {
    let field = Field::new("wrong");
    let (pipeline, _) = fleet(&field, 1, 1, "inline: 1m");
    let refused = |patch: &str, run: &str, said: &[&str]| {
        field.kubectl.run(&["patch", "pipeline", &pipeline, "--type=merge", "-p", patch]).unwrap();
        field.start(run, &pipeline, &json!({}));
        let ended = field.ended(run);
        let message = condition(&ended, "Failed")["message"].as_str().unwrap_or_default().to_owned();
        for words in said {
            assert!(message.contains(words), "{run}: {message}");
        }
    };
    refused(r#"{"spec":{"rows":{"signal":"nowhere"}}}"#, "unknown-signal", &["spec.rows.signal", "nowhere"]);
    refused(
        r#"{"spec":{"rows":{"signal":"mission"},"result":{"store":{"credentialsSecret":"nobody"}}}}"#,
        "no-secret",
        &["nobody"],
    );
    assert!(!field.published("fleet").join("_delta_log").exists(), "nothing is published");
}

#[test]
fn a_deleted_run_leaves_no_pod_and_no_half_version() {
    let field = Field::new("deleted");
    let (pipeline, _) = fleet(&field, 6, 48, "inline: 0s, parallelism: 2");
    field.start("gone", &pipeline, &json!({}));
    field.kubectl.until("job", "gone-1-shards", |job| job["status"]["active"].as_u64() > Some(0)).unwrap();
    field.kubectl.delete("run", "gone").unwrap();
    field.kubectl.run(&["wait", "--for=delete", "pod", "-l", "fleetloom.dev/run=gone", "--timeout=120s"]).unwrap();
    field.kubectl.run(&["wait", "--for=delete", "job", "-l", "fleetloom.dev/run=gone", "--timeout=120s"]).unwrap();
    assert!(field.kubectl.get("configmap", "gone-words").unwrap().is_none());
    assert!(!field.published("fleet").join("_delta_log").exists(), "nothing is published");
}

#[test]
fn the_operator_may_neither_read_secrets_nor_create_pods_and_holds_no_key() {
    let field = Field::new("rights");
    let account = format!("--as=system:serviceaccount:{OPERATOR}:fleetloom-operator");
    let can = |verb: &str, what: &str| {
        let (what, part) = what.split_once('/').unwrap_or((what, ""));
        let part = format!("--subresource={part}");
        let said = shared().kubectl().run(&["auth", "can-i", verb, what, &part, "--all-namespaces", &account]);
        said.is_ok_and(|said| said.trim() == "yes")
    };
    for (verb, what) in
        [("get", "secrets"), ("list", "secrets"), ("create", "pods"), ("delete", "pods"), ("watch", "pods")]
    {
        assert!(!can(verb, what), "{verb} {what}");
    }
    for (verb, what) in [("create", "jobs.batch"), ("list", "pods"), ("update", "runs.fleetloom.dev/status")] {
        assert!(can(verb, what), "{verb} {what}");
    }
    let pod = field.kubectl.within(OPERATOR).run(&["get", "deployment", "fleetloom-operator", "-o", "json"]).unwrap();
    let keys = shared().store().keys();
    assert!(!pod.contains(&keys.id) && !pod.contains(&keys.secret) && !pod.contains("secretKeyRef"), "{pod}");
}
