//! What ends a Run, takes it away or makes it smaller: its deadline, its time after the end, its Pipeline's memory of old Runs,
//! and a scale.

use super::field::{Field, condition};
use super::twin::{SMALL, Twin};
use fleetloom_tests::cluster::signal;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::thread;

#[test]
fn runs_end_at_their_deadline_go_when_their_time_is_over_and_shrink_when_they_are_scaled_down() {
    // Side by side, for much of it is waiting.
    thread::scope(|scope| {
        for scene in [a_deadline_leaves_no_pod, old_runs_go, scaled_down_to_one_pod] {
            scope.spawn(scene);
        }
    });
}

/// A Run before a store that never answers.
fn a_deadline_leaves_no_pod() {
    let field = Field::new("deadline");
    let twin = Twin::lines(&field, "late", "");
    twin.write_days([1]);
    twin.apply(&format!("deadline: 20s, {SMALL}"));
    // It takes connections, as every listening socket does, and nobody reads what comes.
    let silent = TcpListener::bind((field.cluster().machine(), 0)).expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("it is bound"));
    field.patch("archive", twin.name, &json!({"spec": {"store": {"endpoint": endpoint}}}));
    field.start("late", twin.name, &json!({}));
    field.at_work("late", "plan", 1);
    let run = field.ended("late");
    let failed = condition(&run, "Failed");
    assert_eq!(failed["reason"], "DeadlineExceeded", "{run:#}");
    assert!(failed["message"].as_str().is_some_and(|told| told.contains("workers.deadline")), "{run:#}");
    let labels = "fleetloom.dev/run=late";
    field.kubectl.run(&["wait", "--for=delete", "pod", "-l", labels, "--timeout=120s"]).expect("its pods go");
    assert!(!field.published(twin.name).exists(), "nothing is written");
}

/// A Run with a time to live, and more Runs of a Pipeline's own than it keeps.
fn old_runs_go() {
    let field = Field::new("history");
    // What a schedule makes belongs to its Pipeline; New Year is far away.
    let more = "range: {from: 2024-05-01, to: 2024-06-01}\n  \
                schedule: {cron: [\"0 0 1 1 *\"], keepSucceeded: 1, keepFailed: 1}";
    let twin = Twin::lines(&field, "kept", more);
    twin.write_days([1, 2]);
    let whole = twin.here(&[]);
    twin.apply(&format!("inline: 1m, {SMALL}"));
    let pipeline = field.kubectl.get("pipeline", twin.name).expect("an answer").expect("it is there");
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
        field.kubectl.until_gone("run", gone).expect("it goes");
        field.kubectl.until_gone("job", &format!("{gone}-1-plan")).expect("it goes");
        field.kubectl.until_gone("configmap", &format!("{gone}-words")).expect("it goes");
    }
    let left = field.kubectl.list("run", "").expect("Runs can be listed");
    let names: Vec<&Value> = left.iter().map(|run| &run["metadata"]["name"]).collect();
    assert_eq!(names, ["bad-2", "by-hand", "good-2"]);
    assert_eq!(twin.there(), whole, "the table stays");
}

/// A Run of three pods, of which two are asked to go.
fn scaled_down_to_one_pod() {
    let field = Field::new("fewer");
    let twin = Twin::fleet(&field, "fleet", (6, 48), "shards: {bytes: 1Mi}");
    let whole = twin.here(&[]);
    twin.apply(&format!("inline: 0s, parallelism: 3, {SMALL}"));
    field.start("fewer", twin.name, &json!({}));
    // Held where they are, so that none is done before two of them are asked to go.
    let pods = field.at_work("fewer", "shards", 3);
    pods.iter().for_each(|pod| signal(pod, Signal::STOP).expect("it is at work"));
    field.kubectl.run(&["scale", "run/fewer", "--replicas=1"]).expect("a Run can be scaled");
    let alone = |job: &Value| job["spec"]["parallelism"] == 1 && job["status"]["active"] == 1;
    let job =
        field.kubectl.until("job", "fewer-1-shards", alone).unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
    pods.iter().for_each(|pod| signal(pod, Signal::CONT).expect("it is held"));
    let run = field.complete("fewer");
    assert_eq!(run["status"]["parallelism"], 1, "{run:#}");
    let after = field.kubectl.get("job", "fewer-1-shards").expect("an answer").expect("it is there");
    assert_eq!(after["metadata"]["uid"], job["metadata"]["uid"], "nothing restarts");
    assert_eq!(twin.there(), whole);
}
