//! What ends a Run, takes it away or makes it smaller: its deadline, its time after the end, its Pipeline's memory of old Runs,
//! and a scale.

use super::field::{Field, condition};
use super::twin::{SMALL, Twin};
use fleetloom_tests::cluster::signal;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;

#[test]
fn a_deadline_ends_a_run_before_a_store_that_never_answers_and_leaves_no_pod() {
    let field = Field::new("deadline");
    let twin = Twin::lines(&field, "late", "");
    twin.write_days([1]);
    twin.apply(&format!("deadline: 20s, {SMALL}"));
    // It takes connections, as every listening socket does, and nobody reads what comes.
    let silent = TcpListener::bind((field.cluster().machine(), 0)).unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    field.patch("archive", twin.name, &json!({"spec": {"store": {"endpoint": endpoint}}}));
    field.start("late", twin.name, &json!({}));
    field.at_work("late", "plan", 1);
    let run = field.ended("late");
    let failed = condition(&run, "Failed");
    assert_eq!(failed["reason"], "DeadlineExceeded", "{run:#}");
    assert!(failed["message"].as_str().is_some_and(|told| told.contains("workers.deadline")), "{run:#}");
    let labels = "fleetloom.dev/run=late";
    field.kubectl.run(&["wait", "--for=delete", "pod", "-l", labels, "--timeout=120s"]).unwrap();
    assert!(!field.published(twin.name).exists(), "nothing is written");
}

#[test]
fn a_run_goes_when_its_time_is_over_and_a_pipeline_keeps_as_many_of_its_own_as_it_says() {
    let field = Field::new("history");
    // What a schedule makes belongs to its Pipeline; New Year is far away.
    let more = "range: {from: 2024-05-01, to: 2024-06-01}\n  \
                schedule: {cron: [\"0 0 1 1 *\"], keepSucceeded: 1, keepFailed: 1}";
    let twin = Twin::lines(&field, "kept", more);
    twin.write_days([1, 2]);
    let whole = twin.here(&[]);
    twin.apply(&format!("inline: 1m, {SMALL}"));
    let pipeline = field.kubectl.get("pipeline", twin.name).unwrap().expect("it is there");
    let owner = json!([{"apiVersion": "fleetloom.dev/v1alpha1", "kind": "Pipeline", "name": twin.name,
                        "uid": pipeline["metadata"]["uid"], "controller": true}]);
    let own = |name: &str, more: &Value| {
        field.start_as(&json!({"name": name, "ownerReferences": owner}), twin.name, more);
        field.ended(name)
    };
    field.start("by-hand", twin.name, &json!({}));
    field.complete("by-hand");
    own("good-1", &json!({}));
    own("good-2", &json!({}));
    let elsewhere = json!({"range": {"from": "2025-01-01", "to": "2025-01-02"}});
    let failed = own("bad-1", &elsewhere);
    assert_eq!(condition(&failed, "Failed")["reason"], "RequestWrong", "{failed:#}");
    own("bad-2", &elsewhere);
    field.start("brief", twin.name, &json!({"ttlSecondsAfterFinished": 1}));
    for gone in ["good-1", "bad-1", "brief"] {
        field.kubectl.until_gone("run", gone).unwrap();
        field.kubectl.until_gone("job", &format!("{gone}-1-plan")).unwrap();
        field.kubectl.until_gone("configmap", &format!("{gone}-words")).unwrap();
    }
    let names: Vec<Value> =
        field.kubectl.list("run", "").unwrap().iter().map(|run| run["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["bad-2", "by-hand", "good-2"]);
    assert_eq!(twin.there(), whole, "the table stays");
}

#[test]
fn a_run_that_is_scaled_down_goes_on_with_one_pod() {
    let field = Field::new("fewer");
    let twin = Twin::fleet(&field, "fleet", (6, 48), "shards: {bytes: 1Mi}");
    let whole = twin.here(&[]);
    twin.apply(&format!("inline: 0s, parallelism: 3, {SMALL}"));
    field.start("fewer", twin.name, &json!({}));
    // Held where they are, so that none is done before two of them are asked to go.
    let pods = field.at_work("fewer", "shards", 3);
    pods.iter().for_each(|pod| signal(pod, Signal::STOP).unwrap());
    field.kubectl.run(&["scale", "run/fewer", "--replicas=1"]).unwrap();
    let alone = |job: &Value| job["spec"]["parallelism"] == 1 && job["status"]["active"] == 1;
    let job = field.kubectl.until("job", "fewer-1-shards", alone).unwrap();
    pods.iter().for_each(|pod| signal(pod, Signal::CONT).unwrap());
    let run = field.complete("fewer");
    assert_eq!(run["status"]["parallelism"], 1, "{run:#}");
    let after = field.kubectl.get("job", "fewer-1-shards").unwrap().expect("it is there");
    assert_eq!(after["metadata"]["uid"], job["metadata"]["uid"], "nothing restarts");
    assert_eq!(twin.there(), whole);
}
