//! An archive that changes while a Run reads it. A queue holds the Run between two acts: its Jobs wait until they are let in.

use super::field::Field;
use super::twin::{SMALL, Twin, UNVERSIONED, VERSIONED};
use serde_json::{Value, json};
use std::thread;

/// A day and six hours of one robot: two objects.
const SIZE: (u32, u32) = (1, 30);

/// The object that is replaced.
const OBJECT: &str = "2026-01-02.zip";

/// Lets the Job of that name in, as a queue does.
fn admit(field: &Field<'_>, job: &str) {
    waiting(field, job);
    field.patch("job", job, &json!({"spec": {"suspend": false}}));
}

/// Waits until a Job stands in the queue.
fn waiting(field: &Field<'_>, job: &str) {
    let waits = |job: &Value| job["spec"]["suspend"] == true;
    field.kubectl.until("job", job, waits).unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
}

/// A Run whose shards wait, and under which an object is replaced; digests of what it planned to read, and of what there is now.
fn replaced(field: &Field<'_>, twin: &Twin<'_>) -> [String; 2] {
    let old = twin.here(&[]);
    twin.apply(&format!("inline: 0s, {SMALL}"));
    field.kubectl.run(&["label", "pipeline", twin.name, "kueue.x-k8s.io/queue-name=held"]).expect("it can be labelled");
    field.start("held", twin.name, &json!({}));
    admit(field, "held-1-plan");
    waiting(field, "held-1-shards");
    twin.put(OBJECT, &twin.of_another_life(OBJECT, SIZE));
    admit(field, "held-1-shards");
    let new = twin.here(&[]);
    assert_ne!(old, new);
    [old, new]
}

fn where_versions_are_kept() {
    let field = Field::new("versions");
    let twin = Twin::fleet(&field, "fleet", SIZE, "").within(VERSIONED);
    let [old, new] = replaced(&field, &twin);
    admit(&field, "held-1-commit");
    let run = field.complete("held");
    assert_eq!((&run["status"]["attempt"], twin.there()), (&json!(1), old), "the version of the plan is read: {run:#}");
    field.kubectl.run(&["label", "pipeline", twin.name, "kueue.x-k8s.io/queue-name-"]).expect("it can be taken off");
    field.start("next", twin.name, &json!({}));
    field.complete("next");
    assert_eq!(twin.there(), new, "the next Run takes it");
}

fn where_they_are_not() {
    let field = Field::new("no-versions");
    let twin = Twin::fleet(&field, "fleet", SIZE, "").within(UNVERSIONED);
    let [_, new] = replaced(&field, &twin);
    for job in ["held-2-plan", "held-2-shards", "held-2-commit"] {
        admit(&field, job);
    }
    let run = field.complete("held");
    let status = &run["status"];
    assert_eq!((&status["attempt"], &status["replans"]), (&json!(2), &json!(1)), "{run:#}");
    assert_eq!(status["result"]["version"], 0, "one version is published: {run:#}");
    assert_eq!(twin.there(), new, "what there is now");
    let told = field.kubectl.run(&["get", "events", "--field-selector=reason=InputChanged", "-o", "name"]);
    assert!(!told.expect("events can be listed").is_empty(), "{}", field.told());
}

#[test]
fn an_object_replaced_under_a_run_is_read_as_planned_where_versions_are_kept_and_planned_anew_where_not() {
    thread::scope(|scope| {
        scope.spawn(where_versions_are_kept);
        scope.spawn(where_they_are_not);
    });
}
