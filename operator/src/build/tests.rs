//! What is built, as text to be read: `BLESS=1` writes it anew.

use super::*;
use crate::testing;
use std::sync::Arc;

fn settled(pipeline: &Pipeline) -> Arc<Settled> {
    Arc::new(crate::settle::settle(&testing::archive(), pipeline).unwrap())
}

fn order(act: Act) -> Order {
    let words = settled(&testing::pipeline());
    Order {
        act,
        attempt: 2,
        image: "ghcr.io/fleetloom/fleetloom:0.1.0".into(),
        memory_bytes: words.workers.memory_bytes,
        words,
        parallelism: 8,
        batches: 40,
        plan: if act == Act::Plan { String::new() } else { "3b9c".into() },
        since: (act == Act::Plan).then(|| "none".into()),
        range: None,
        recompute_all: false,
        queue: None,
        deadline_seconds: Some(21_600),
    }
}

fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "BLESS=1 writes {path} anew");
}

#[test]
fn the_jobs_of_the_three_acts_are_as_they_were_read() {
    for act in [Act::Plan, Act::Shards, Act::Commit] {
        golden(act.word(), &crate::yaml::of(&job(&testing::run(), &order(act)).unwrap()));
    }
}

#[test]
fn words_and_poll_are_as_they_were_read() {
    let (run, pipeline) = (testing::run(), testing::pipeline());
    let settled = settled(&pipeline);
    golden("words", &crate::yaml::of(&words(&run, &settled)));
    golden("poll", &crate::yaml::of(&poll(&pipeline, &settled, "image", testing::NOW).unwrap()));
    golden("scheduled-run", &crate::yaml::of(&super::run(&pipeline, "ur3-stops-29925720")));
}

#[test]
fn everything_a_person_may_ask_of_a_pod_reaches_it() {
    let mut pipeline = testing::pipeline();
    let workers = json!({
        "image": "mine", "retries": 1,
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "2Gi", "ephemeral-storage": "20Gi"}},
        "pod": {
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "batch", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
            "priorityClassName": "low",
            "serviceAccountName": "features",
            "imagePullSecrets": [{"name": "pull"}],
            "labels": {"team": "arms", "app.kubernetes.io/name": "not-ours-to-change"},
            "annotations": {"note": "x"},
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy"}, {"name": "TMPDIR", "value": "/elsewhere"}],
        },
    });
    pipeline.spec.0.workers = Some(serde_json::from_value(workers).unwrap());
    pipeline.spec.0.result.store = serde_json::from_value(json!({
        "url": "s3://features/x/", "endpoint": "https://objects.data:9000",
        "ca": {"configMap": "objects-ca", "key": "ca.crt"},
    }))
    .unwrap();
    let queued = Order {
        words: settled(&pipeline),
        queue: Some("nights".into()),
        memory_bytes: 4 << 30,
        range: Some("2022-10-26..2022-10-27".into()),
        recompute_all: true,
        ..order(Act::Plan)
    };
    golden("everything", &crate::yaml::of(&job(&testing::run(), &queued).unwrap()));
}

#[test]
fn what_is_no_part_of_a_pod_is_told() {
    let mut pipeline = testing::pipeline();
    let pod = json!({"pod": {"tolerations": [{"key": ["not", "a", "text"]}]}});
    pipeline.spec.0.workers = Some(serde_json::from_value(pod).unwrap());
    let order = Order { words: settled(&pipeline), ..order(Act::Shards) };
    assert!(job(&testing::run(), &order).unwrap_err().contains("spec.workers.pod"));
}

#[test]
fn names_fit_and_carry_the_attempt() {
    let mut run = testing::run();
    run.metadata.name = Some("r".repeat(pipeline::name::RUN_MAX));
    for act in [Act::Plan, Act::Shards, Act::Commit] {
        let name = job(&run, &Order { attempt: 99, ..order(act) }).unwrap().metadata.name.unwrap();
        assert!(name.ends_with(&format!("-99-{}", act.word())), "{name}");
        // The host name of a pod of the last index has to be a DNS label.
        assert!(name.len() + "-4999".len() <= pipeline::name::LABEL_MAX, "{name}");
    }
    let poll = poll_name(&"p".repeat(pipeline::name::PIPELINE_MAX), testing::NOW);
    assert!(poll.len() <= pipeline::name::LABEL_MAX - 6, "{poll}");
}
