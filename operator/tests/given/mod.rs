//! What every API server of these tests is given, be it in memory or a real one: paths, words, and what pods say.

use serde_json::{Value, json};

pub(crate) const RUNS: &str = "/apis/fleetloom.dev/v1alpha1/namespaces/fleet/runs";
pub(crate) const PIPELINES: &str = "/apis/fleetloom.dev/v1alpha1/namespaces/fleet/pipelines";
pub(crate) const ARCHIVES: &str = "/apis/fleetloom.dev/v1alpha1/namespaces/fleet/archives";
pub(crate) const JOBS: &str = "/apis/batch/v1/namespaces/fleet/jobs";
pub(crate) const PODS: &str = "/api/v1/namespaces/fleet/pods";
pub(crate) const MAPS: &str = "/api/v1/namespaces/fleet/configmaps";

/// An Archive.
pub(crate) fn archive() -> Value {
    json!({"apiVersion": "fleetloom.dev/v1alpha1", "kind": "Archive", "metadata": {"name": "ur3"}, "spec": {
        "store": {"url": "s3://telemetry/ur3/"}, "objects": "{date}.zip", "members": "{robot}/{millis}.json.gz",
        "format": "Json", "robot": {"capture": "robot"},
        "signals": [{"name": "status", "times": [{"name": "event", "field": "/ts", "unit": "ms"}],
                     "columns": [{"name": "stop", "type": "bool"}]}]}})
}

/// A Pipeline that reads it; `more` is merged into its spec.
pub(crate) fn pipeline(name: &str, more: &Value) -> Value {
    let mut spec =
        json!({"archive": "ur3", "rows": {"signal": "status"}, "result": {"store": {"url": "s3://features/a/"}}});
    merge(&mut spec, more);
    json!({"apiVersion": "fleetloom.dev/v1alpha1", "kind": "Pipeline", "metadata": {"name": name}, "spec": spec})
}

/// A Run of a Pipeline.
pub(crate) fn run(name: &str, pipeline: &str) -> Value {
    json!({"apiVersion": "fleetloom.dev/v1alpha1", "kind": "Run", "metadata": {"name": name},
           "spec": {"pipeline": pipeline}})
}

/// The message of an act, as a worker writes it.
pub(crate) fn message(act: &str, stale: u64) -> Value {
    let source = json!({"version": "source-1", "objects": 1, "members": 2, "bytes": 3});
    match act {
        "plan" => json!({"act": "planned", "plan": "3b9c", "uri": "s3://features/a/_fleetloom/plans/3b9c.json",
                         "source": source, "base": 6, "shards": 40, "stale": stale, "bytes": 9, "seconds": 4_000}),
        "shards" => json!({"act": "computed", "shards": 1, "rows": 9}),
        "poll" => json!({"act": "listed", "version": "source-1", "objects": 1, "members": 0, "bytes": 3}),
        _ => published(),
    }
}

/// The message of whoever published.
pub(crate) fn published() -> Value {
    let source = json!({"version": "source-1", "objects": 1, "members": 2, "bytes": 3});
    json!({"act": "published", "plan": "3b9c", "source": source, "url": "s3://features/a/", "version": 7, "shards": 40,
           "reused": 10, "rows": 7_409, "invalid": 1, "quarantined": 0, "bytes": 99, "failed": 0})
}

/// The status of a pod whose worker has ended.
pub(crate) fn exited(exit: i32, reason: &str, message: &Value, at: &str) -> Value {
    let state = json!({"terminated": {"exitCode": exit, "reason": reason, "message": message.to_string(),
                                      "finishedAt": at}});
    json!({"containerStatuses": [{"name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                                  "state": state}]})
}

/// Takes out of a Run's status what differs from one life to the next of the same Run: times, and what went wrong on the way.
pub(crate) fn timeless(status: &mut Value) {
    for field in ["startTime", "completionTime", "duration"] {
        status[field] = Value::Null;
    }
    status["shards"]["time"] = Value::Null;
    let conditions = status["conditions"].as_array_mut().expect("a Run that was looked at has conditions");
    conditions.retain(|condition| condition["type"] != json!("Degraded"));
    for condition in conditions {
        condition["lastTransitionTime"] = Value::Null;
    }
}

/// A JSON merge patch.
pub(crate) fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}
