//! The Jobs of a Run in a queue. The test is the queue: it sees suspended Jobs by their label, says where their pods go, lets them
//! in and takes them out again, as Kueue does; the operator must not fight any of it.

use super::field::{Field, condition};
use super::fleet::{Fleet, NEVER, workers};
use super::gate::Way;
use fleetloom_tests::proxy::{Choice, Moment};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::time::SystemTime;

/// The label by which a queue finds what waits in it.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";

/// Changes a Job, as a queue does.
fn patch(field: &Field, job: &str, words: &Value) {
    field.kubectl.run(&["patch", "job", job, "--type=merge", "-p", &words.to_string()]).expect("a Job can be patched");
}

/// Waits until a Job stands in the queue.
fn waiting(field: &Field, job: &str) -> Value {
    let job = field.kubectl.until("job", job, |job| job["spec"]["suspend"] == true).expect("it waits");
    assert_eq!(job["metadata"]["labels"][QUEUE], "nights", "{job:#}");
    assert!(job["status"]["active"].is_null(), "no pod before it is let in: {job:#}");
    job
}

/// Lets a Job in: first where its pods go, then that they may start.
fn admit(field: &Field, job: &str, parallelism: u32) {
    waiting(field, job);
    let pod = json!({"nodeSelector": place(), "tolerations": [toleration()]});
    patch(field, job, &json!({"spec": {"template": {"spec": pod}}}));
    patch(field, job, &json!({"spec": {"suspend": false, "parallelism": parallelism}}));
}

fn place() -> Value {
    json!({"kubernetes.io/hostname": "node"})
}

fn toleration() -> Value {
    json!({"key": "spot", "operator": "Exists", "effect": "NoSchedule"})
}

/// Waits until the condition of an act has a reason.
fn told(field: &Field, run: &str, kind: &str, reason: &str) -> Value {
    field
        .kubectl
        .until("run", run, |run| condition(run, kind)["reason"] == reason)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The reports of shards, and when each was written.
fn reports(field: &Field) -> BTreeMap<String, SystemTime> {
    let folder = fs::read_dir(field.published("fleet").join("_fleetloom/reports")).into_iter().flatten().flatten();
    let written = folder.map(|entry| {
        let time = entry.metadata().and_then(|about| about.modified()).expect("a file has a time");
        (entry.file_name().to_string_lossy().into_owned(), time)
    });
    written.filter(|(name, _)| name.ends_with(".json")).collect()
}

fn suspend(field: &Field, run: &str, suspend: bool) {
    let words = json!({"spec": {"suspend": suspend}}).to_string();
    field.kubectl.run(&["patch", "run", run, "--type=merge", "-p", &words]).expect("a Run can be patched");
}

#[test]
fn a_queue_lets_jobs_in_and_takes_them_out_and_a_suspended_run_comes_back_to_it_with_its_finished_shards() {
    let field = Field::new("queue");
    let (fleet, way) = (Fleet::new(&field, 4, 26), Way::new());
    let result = field.result_at(&way.endpoint(), "fleet");
    fleet.pipeline(&field, "fleet", &[&workers("inline: 0s, parallelism: 2")], &result);
    field.kubectl.run(&["label", "pipeline", "fleet", &format!("{QUEUE}=nights")]).unwrap();
    field.start("waits", "fleet", &json!({}));

    let run = told(&field, "waits", "Planned", "WaitingForQueue");
    assert_eq!((&run["status"]["queue"], &run["status"]["phase"]), (&json!("nights"), &json!("Planning")));
    assert!(condition(&run, "Planned")["message"].as_str().unwrap().contains("nights"), "{run:#}");
    admit(&field, "waits-1-plan", 1);

    // Some shards are done, then the owner wants it to stop: its Job leaves the queue.
    let (busy, shards) = (way.gate(Moment::Request, "/queue/fleet/_fleetloom/reports/", 2), "waits-1-shards");
    told(&field, "waits", "Running", "WaitingForQueue");
    admit(&field, shards, 1);
    busy.reached();
    told(&field, "waits", "Running", "ComputingShards");
    let job = field.kubectl.get("job", shards).unwrap().expect("it is there");
    let template = &job["spec"]["template"]["spec"];
    assert_eq!((&job["spec"]["parallelism"], &template["nodeSelector"]), (&json!(1), &place()), "not fought over");
    assert_eq!(template["tolerations"], json!([toleration()]));
    suspend(&field, "waits", true);
    let run = told(&field, "waits", "Running", "Suspended");
    assert_eq!((&condition(&run, "Suspended")["status"], &run["status"]["attempt"]), (&json!("True"), &json!(2)));
    assert!(field.kubectl.get("job", shards).unwrap().is_none());
    busy.open(Choice::Lose);
    field.kubectl.run(&["wait", "--for=delete", "pod", "-l", "fleetloom.dev/act=shards", "--timeout=120s"]).unwrap();
    let kept = reports(&field);
    assert!(kept.len() >= 2, "{kept:?}");

    // It comes back as another Job, is taken out by the queue while it works, and let in again.
    suspend(&field, "waits", false);
    let (busy, shards) = (way.gate(Moment::Request, "/queue/fleet/_fleetloom/reports/", 0), "waits-2-shards");
    admit(&field, shards, 2);
    busy.reached();
    told(&field, "waits", "Running", "ComputingShards");
    patch(&field, shards, &json!({"spec": {"suspend": true}}));
    told(&field, "waits", "Running", "WaitingForQueue");
    busy.open(Choice::Pass);
    let job = field.kubectl.until("job", shards, |job| job["status"]["active"].is_null()).unwrap();
    assert_eq!(job["spec"]["suspend"], true, "not fought over");
    patch(&field, shards, &json!({"spec": {"suspend": false}}));
    admit(&field, "waits-2-commit", 1);
    let run = field.complete("waits");
    assert_eq!((&run["status"]["attempt"], &run["status"]["shards"]["failed"]), (&json!(2), &json!(0)), "{run:#}");
    assert_eq!((field.versions("fleet"), field.digest("fleet")), (1, fleet.digest));
    let all = reports(&field);
    assert!(
        kept.len() < all.len() && kept.iter().all(|(name, time)| all.get(name) == Some(time)),
        "none is done twice"
    );
    for act in ["plan", "shards", "commit"] {
        let pods = field.pods("waits", act);
        assert!(!pods.is_empty() && pods.iter().all(|pod| pod["spec"]["nodeSelector"] == place()), "{act}: {pods:#?}");
    }
    field.keeps_secrets(&[]);
}

#[test]
fn the_label_of_a_run_puts_that_run_alone_into_a_queue() {
    let field = Field::new("one-in-queue");
    let fleet = Fleet::new(&field, 1, 1);
    let concurrency = format!("schedule: {{{NEVER}, concurrency: Allow}}");
    fleet.pipeline(&field, "fleet", &[&workers("inline: 1m"), &concurrency], &field.result("fleet"));
    let run = json!({
        "apiVersion": "fleetloom.dev/v1alpha1", "kind": "Run", "spec": {"pipeline": "fleet"},
        "metadata": {"name": "labelled", "labels": {QUEUE: "nights"}},
    });
    field.kubectl.apply(&run.to_string()).unwrap();
    waiting(&field, "labelled-1-plan");
    field.start("free", "fleet", &json!({}));
    field.complete("free");
    let shown = field.kubectl.run(&["get", "run", "labelled", "-o", "wide"]).unwrap();
    assert!(shown.contains("QUEUE") && shown.contains("nights"), "{shown}");
    assert!(field.pods("labelled", "plan").is_empty(), "it still waits");
    admit(&field, "labelled-1-plan", 1);
    assert_eq!(condition(&field.complete("labelled"), "Complete")["reason"], "NothingToDo");
    assert_eq!(field.digest("fleet"), fleet.digest);
}
