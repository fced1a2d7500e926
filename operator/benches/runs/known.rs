//! Runs that have ended long ago, as an operator leaves them: fifty thousand of them, made cheaply.

use crate::real::call::{get, post};
use crate::real::offer::{create, pipeline_name};
use crate::real::{RUNS, World, run};
use kube::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KIND: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/runs.fleetloom.dev";
/// Until the API server must have understood that a kind has changed.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// Makes so many, of so many Pipelines in turn. While they are made their kind has no status apart, so that one call writes both.
pub(crate) async fn make(world: &World, client: &Client, known: u32, pipelines: u32) {
    if known == 0 {
        return;
    }
    eprintln!("  making {known} Runs that have ended");
    let kind: Value = get(client, KIND).await.expect("the kind is there");
    let kubectl = world.kubectl();
    let without = r#"[{"op": "remove", "path": "/spec/versions/0/subresources"}]"#;
    kubectl
        .run(&["patch", "crd", "runs.fleetloom.dev", "--type", "json", "-p", without])
        .expect("a kind can be changed");
    until_status_is(client, "together", false).await;
    let runs = (0..known).map(|number| ended(&format!("known-{number}"), &pipeline_name(number % pipelines)));
    create(client, RUNS, runs).await;
    let subresources = &kind["spec"]["versions"][0]["subresources"];
    let with = json!([{"op": "add", "path": "/spec/versions/0/subresources", "value": subresources}]).to_string();
    kubectl.run(&["patch", "crd", "runs.fleetloom.dev", "--type", "json", "-p", &with]).expect("a kind can be changed");
    until_status_is(client, "apart", true).await;
}

/// Waits until the API server keeps the status of a new Run, or does not.
async fn until_status_is(client: &Client, name: &str, apart: bool) {
    let began = Instant::now();
    for number in 0.. {
        let path = format!("{RUNS}?dryRun=All");
        let made: Value =
            post(client, &path, &ended(&format!("{name}-{number}"), "none")).await.expect("a Run is taken");
        if made["status"]["phase"].is_null() == apart {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "the status is not {name}");
        tokio::time::sleep(POLL).await;
    }
}

/// A Run that three Jobs brought to its end, with all that its status says then.
fn ended(name: &str, pipeline: &str) -> Value {
    let at = "2026-11-24T18:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
               "lastTransitionTime": at})
    };
    let mut run = run(name, pipeline);
    run["status"] = json!({
        "phase": "Complete", "attempt": 1, "parallelism": 8, "image": "ghcr.io/fleetloom/fleetloom:0.1.0",
        "words": "0f3c6a1d2b4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8", "startTime": at, "completionTime": at,
        "duration": "3m5s",
        "source": {"version": "source-1", "objects": 1, "members": 2, "bytes": 3},
        "plan": {"hash": "3b9c", "uri": "s3://features/a/_fleetloom/plans/3b9c.json", "base": 6, "firstBase": 6,
                 "shards": 40, "stale": 30, "reused": 10, "batches": 17, "seconds": 4_000},
        "shards": {"done": 40, "failed": 0, "active": 0, "progress": "40/40", "completedIndexes": "0-16",
                   "failedIndexes": "", "time": at},
        "result": {"url": "s3://features/a/", "version": 7, "rows": 7_409, "invalid": 1, "quarantined": 0, "bytes": 99},
        "conditions": [
            condition("Accepted", "True", "Accepted", ""),
            condition("Planned", "True", "Planned", "30 of 40 shards are to be computed"),
            condition("Running", "False", "ShardsEnded", ""),
            condition("Committed", "True", "Published", "version 7 with 7409 rows"),
            condition("Complete", "True", "Published", "version 7 with 7409 rows"),
        ],
    });
    run
}
