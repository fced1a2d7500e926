//! Words of a crowd: an Archive that nobody reads, and Pipelines whose pods end as they say (`tests/cluster/crowd.yaml`), with
//! the messages of a worker.

use serde_json::{Map, Value, json};

/// How the pods of the acts end: for each act a list of which the first that fits holds.
pub(super) struct Ends {
    pub(super) plan: Value,
    pub(super) shards: Value,
    pub(super) commit: Value,
}

impl Ends {
    /// All of them well, after a plan of so many shards, which take so long together.
    pub(super) fn well(shards: u64, seconds: u64) -> Self {
        let plan = json!([done(&planned(shards, seconds))]);
        Self { plan, shards: json!([done(&computed())]), commit: json!([done(&published(shards, 0))]) }
    }
}

/// An end with exit code 0.
pub(super) fn done(message: &Value) -> Value {
    json!({"exit": 0, "message": message.to_string()})
}

/// An end with another exit code, and the message of a worker that ends so.
pub(super) fn failed(exit: u8) -> Value {
    let failure = json!({"shard": 3, "reason": "torn", "place": "r1"});
    let message =
        json!({"act": "failed", "code": exit, "sentence": sentence(exit), "failed": 1, "failures": [failure]});
    json!({"exit": exit, "message": message.to_string()})
}

/// What that worker says.
pub(super) fn sentence(exit: u8) -> String {
    format!("the worker says why it ended with {exit}")
}

/// The same end, with further words of when it fits and what else it is.
pub(super) fn when(end: Value, more: &Value) -> Value {
    let mut end = end;
    let more = more.as_object().cloned().unwrap_or_default();
    end.as_object_mut().expect("an end is an object").extend(more);
    end
}

fn source() -> Value {
    json!({"version": "source-1", "objects": 1, "members": 2, "bytes": 3})
}

/// A plan of shards, all of them stale.
pub(super) fn planned(shards: u64, seconds: u64) -> Value {
    json!({"act": "planned", "plan": "3b9c", "uri": "s3://features/a/_fleetloom/plans/3b9c.json", "source": source(),
           "shards": shards, "stale": shards, "bytes": 9, "seconds": seconds})
}

fn computed() -> Value {
    json!({"act": "computed", "shards": 1, "rows": 9})
}

/// A version in which some shards are missing.
pub(super) fn published(shards: u64, failed: u64) -> Value {
    let failures: Vec<Value> = (0..failed.min(10)).map(|shard| json!({"shard": shard, "reason": "torn"})).collect();
    json!({"act": "published", "plan": "3b9c", "source": source(), "url": "s3://features/a/", "version": 7,
           "shards": shards, "reused": 0, "rows": 7_409, "invalid": 1, "quarantined": 0, "bytes": 99, "failed": failed,
           "failures": failures})
}

fn resource(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "fleetloom.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// An Archive.
pub(super) fn archive() -> Value {
    let times = json!([{"name": "event", "field": "/ts", "unit": "ms"}]);
    let spec = json!({
        "store": {"url": "s3://telemetry/a/"}, "objects": "{date}.zip", "members": "{robot}/{millis}.json",
        "format": "Json", "robot": {"capture": "robot"},
        "signals": [{"name": "status", "times": times, "columns": [{"name": "stop", "type": "bool"}]}],
    });
    resource("Archive", "a", &spec)
}

/// A Pipeline, with further words of `workers`. Its Runs go side by side.
pub(super) fn pipeline(name: &str, ends: &Ends, workers: &Value) -> Value {
    let Ends { plan, shards, commit } = ends;
    let ends = [("plan", plan), ("shards", shards), ("commit", commit)];
    let mut annotations: Map<String, Value> = ends
        .map(|(act, ends)| (format!("ends.test.fleetloom.dev/{act}"), json!(ends.to_string())))
        .into_iter()
        .collect();
    let mut workers = workers.clone();
    if let Some(takes) = workers.as_object_mut().and_then(|words| words.remove("takes")) {
        annotations.insert("takes.test.fleetloom.dev".into(), takes);
    }
    workers["pod"] = json!({"annotations": annotations});
    let never = json!({"cron": ["0 0 1 1 *"], "suspend": true, "concurrency": "Allow"});
    let spec = json!({
        "archive": "a", "rows": {"signal": "status"}, "result": {"store": {"url": format!("s3://features/{name}/")}},
        "workers": workers, "schedule": never,
    });
    resource("Pipeline", name, &spec)
}

/// A Run.
pub(super) fn run(name: &str, pipeline: &str) -> Value {
    resource("Run", name, &json!({"pipeline": pipeline}))
}
