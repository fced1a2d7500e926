//! What the operator creates: the ConfigMap of words, the Jobs of the three acts, the Job of a poll. Pure.
//!
//! Every one belongs to its Run or Pipeline (`blockOwnerDeletion: false`), so that deleting that one deletes all of it, and
//! nobody needs a finalizer. Names carry the attempt: a second create of the same one collides.

pub(crate) mod pod;

use crate::api::{Pipeline, Run};
use crate::decide::Order;
use crate::facts::Act;
use crate::moment::Moment;
use crate::settle::Settled;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Resource, ResourceExt};
use pipeline::spec::{API_VERSION, RunSpec};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The label that a watch on our Jobs selects by, and its value.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "fleetloom-operator");
/// The label with the name of the Run.
pub const RUN: &str = "fleetloom.dev/run";
/// The label with the UID of the Run.
pub const RUN_UID: &str = "fleetloom.dev/run-uid";
/// The label with the name of the Pipeline.
pub const PIPELINE: &str = "fleetloom.dev/pipeline";
/// The label with the act.
pub const ACT: &str = "fleetloom.dev/act";
/// The label with the attempt.
pub const ATTEMPT: &str = "fleetloom.dev/attempt";
/// The label by which Kueue finds what waits in its queues.
pub const QUEUE: &str = "kueue.x-k8s.io/queue-name";
/// How long a poll may take: a listing of a million objects is minutes.
const POLL_SECONDS_MAX: i64 = 900;
/// How long the Job of a poll stays after its end, seconds.
const POLL_TTL_SECONDS: i32 = 600;
/// The key of the words in their ConfigMap.
pub const WORDS_KEY: &str = "words.yaml";

/// Name of the ConfigMap of a Run's words.
pub fn words_name(run: &str) -> String {
    format!("{run}-words")
}

/// Name of the ConfigMap of a Pipeline's words for its polls.
pub fn poll_words_name(pipeline: &str) -> String {
    format!("{pipeline}-poll")
}

/// Name of the Job that polls for a Pipeline, for a look begun at that time.
pub fn poll_name(pipeline: &str, begun: Moment) -> String {
    format!("{pipeline}-poll-{}", begun.minute())
}

/// The words of a Run, for its pods: immutable, as what they say must not change under it.
pub fn words(run: &Run, settled: &Settled) -> ConfigMap {
    let labels = labels_of_run(run, &settled.name);
    words_of(&metadata(&words_name(&run.name_any()), run, &labels), settled, true)
}

/// The words of a Pipeline, for its polls: written again before each.
pub fn poll_words(pipeline: &Pipeline, settled: &Settled) -> ConfigMap {
    let name = poll_words_name(&pipeline.name_any());
    words_of(&metadata(&name, pipeline, &labels_of_poll(pipeline)), settled, false)
}

fn words_of(metadata: &Value, settled: &Settled, immutable: bool) -> ConfigMap {
    let object = json!({"metadata": metadata, "immutable": immutable, "data": {WORDS_KEY: settled.text}});
    serde_json::from_value(object).expect("a ConfigMap of texts is one")
}

/// The Job of an act.
///
/// Errors: a sentence, where `workers.pod` holds what is no part of a pod.
pub fn job(run: &Run, order: &Order) -> Result<Job, String> {
    let uid = run.uid().unwrap_or_default();
    let name = format!("{}-{}-{}", run.name_any(), order.attempt, order.act.word());
    let mut labels = labels_of_run(run, &order.words.name);
    labels.insert(ACT.into(), order.act.word().into());
    labels.insert(ATTEMPT.into(), order.attempt.to_string());
    let pod = pod::Pod {
        words: words_name(&run.name_any()),
        settled: &order.words,
        image: &order.image,
        memory_bytes: order.memory_bytes,
        args: args(order, &uid),
        labels: &labels,
    };
    let mut spec = json!({
        "template": pod.template(),
        "podFailurePolicy": failure_policy(order.act),
        "podReplacementPolicy": "Failed",
    });
    match order.act {
        Act::Plan | Act::Commit => spec["backoffLimit"] = json!(order.words.workers.retries),
        Act::Shards => {
            spec["completionMode"] = json!("Indexed");
            spec["completions"] = json!(order.batches);
            spec["parallelism"] = json!(order.parallelism);
            spec["backoffLimitPerIndex"] = json!(order.words.workers.retries);
        }
    }
    if let Some(seconds) = order.deadline_seconds {
        spec["activeDeadlineSeconds"] = json!(seconds);
    }
    if let Some(queue) = &order.queue {
        labels.insert(QUEUE.into(), queue.clone());
        // The queue starts it.
        spec["suspend"] = json!(true);
    }
    typed(json!({"metadata": metadata(&name, run, &labels), "spec": spec}))
}

/// The Job that lists a Pipeline's archive.
///
/// Errors: a sentence, where `workers.pod` holds what is no part of a pod.
pub fn poll(pipeline: &Pipeline, settled: &Settled, image: &str, begun: Moment) -> Result<Job, String> {
    let name = poll_name(&pipeline.name_any(), begun);
    let labels = labels_of_poll(pipeline);
    let pod = pod::Pod {
        words: poll_words_name(&pipeline.name_any()),
        settled,
        image: settled.workers.image.as_deref().unwrap_or(image),
        memory_bytes: settled.workers.memory_bytes,
        args: ["source", "-f", pod::WORDS_PATH].map(str::to_owned).to_vec(),
        labels: &labels,
    };
    let spec = json!({
        "template": pod.template(),
        "podFailurePolicy": failure_policy(Act::Plan),
        "podReplacementPolicy": "Failed",
        "backoffLimit": settled.workers.retries,
        // A pod that never starts must not end the polls.
        "activeDeadlineSeconds": POLL_SECONDS_MAX,
        // What it found is in the status by then; a poll that is gone earlier is made again.
        "ttlSecondsAfterFinished": POLL_TTL_SECONDS,
    });
    typed(json!({"metadata": metadata(&name, pipeline, &labels), "spec": spec}))
}

/// A Run that a schedule or a change of the archive asks for.
pub fn run(pipeline: &Pipeline, name: &str) -> Run {
    let spec = RunSpec {
        pipeline: pipeline.name_any(),
        range: None,
        parallelism: None,
        suspend: None,
        recompute: None,
        ttl_seconds_after_finished: None,
    };
    let mut labels = labels_of_poll(pipeline);
    labels.remove(ACT);
    let run = json!({"metadata": metadata(name, pipeline, &labels), "spec": spec});
    serde_json::from_value(run).expect("a Run of a name is one")
}

fn args(order: &Order, uid: &str) -> Vec<String> {
    let mut args = vec![match order.act {
        Act::Plan => "plan",
        Act::Shards => "shard",
        Act::Commit => "commit",
    }];
    let (batches, memory) = (order.batches.to_string(), order.memory_bytes.to_string());
    args.extend(["-f", pod::WORDS_PATH]);
    if order.act != Act::Plan {
        args.extend(["--plan", &order.plan]);
    }
    match order.act {
        Act::Plan => {
            args.extend(["--run-id", uid]);
            args.extend(order.range.iter().flat_map(|range| ["--range", range]));
            args.extend(order.recompute_all.then_some(["--recompute", "all"]).into_iter().flatten());
            args.extend(["--inline", &order.words.workers.inline, "--memory", &memory]);
            args.extend(order.since.iter().flat_map(|since| ["--since", since]));
        }
        Act::Shards => args.extend(["--batches", &batches, "--memory", &memory]),
        Act::Commit => args.extend(["--run-id", uid]),
    }
    args.into_iter().map(str::to_owned).collect()
}

/// What a pod's end means for its Job; the first rule that fits holds, and what fits none costs a try.
fn failure_policy(act: Act) -> Value {
    let code = |action: &str, code: i32| json!({"action": action, "onExitCodes": {"containerName": pod::CONTAINER, "operator": "In", "values": [code]}});
    let mut rules = vec![
        json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}),
        code("Ignore", 143),
        code("FailJob", 2),
        code("FailJob", 5),
        code("FailJob", 7),
    ];
    if act == Act::Shards {
        rules.push(code("FailIndex", crate::job::EXIT_MEMORY));
    }
    json!({"rules": rules})
}

fn labels_of_run(run: &Run, pipeline: &str) -> BTreeMap<String, String> {
    let mut labels = labels(pipeline);
    labels.insert(RUN.into(), run.name_any());
    labels.insert(RUN_UID.into(), run.uid().unwrap_or_default());
    labels
}

fn labels_of_poll(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let mut labels = labels(&pipeline.name_any());
    labels.insert(ACT.into(), "poll".into());
    labels
}

fn labels(pipeline: &str) -> BTreeMap<String, String> {
    [("app.kubernetes.io/name", "fleetloom"), MANAGED_BY, (PIPELINE, pipeline)]
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .into()
}

fn metadata<K: Resource<DynamicType = ()>>(name: &str, owner: &K, labels: &BTreeMap<String, String>) -> Value {
    let meta = owner.meta();
    json!({
        "name": name,
        "namespace": meta.namespace,
        "labels": labels,
        "ownerReferences": [{
            "apiVersion": API_VERSION,
            "kind": K::kind(&()),
            "name": meta.name,
            "uid": meta.uid,
            "controller": true,
            // Deleting the owner must not wait for this object, nor need the right to finalize the owner.
            "blockOwnerDeletion": false,
        }],
    })
}

fn typed<K: DeserializeOwned>(object: Value) -> Result<K, String> {
    serde_json::from_value(object).map_err(|error| {
        format!("spec.workers.pod holds what is no part of a pod: {error}; write it as in a pod's spec")
    })
}

#[cfg(test)]
mod tests;
