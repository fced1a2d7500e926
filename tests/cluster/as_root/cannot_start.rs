//! Pods that cannot start: the Run says why in the word that its documents have for it, and goes on when it is mended. Most of it
//! is waiting, so it comes early in the order of names.

use super::field::{Field, condition};
use super::fleet::{Fleet, workers};
use super::{images, shared};
use serde_json::{Value, json};

/// A Pipeline of a name whose Run of that name starts one pod.
fn start(field: &Field, fleet: &Fleet, name: &str, more: &str) {
    fleet.pipeline(field, name, &[&workers(&format!("inline: 1m{more}"))], &field.result(name));
    field.start(name, name, &json!({}));
}

/// Waits until a Run says what keeps its pod from starting, and insists that an event says it too.
fn stuck(field: &Field, run: &str, reason: &str, message: &str) {
    let told = |run: &Value| condition(run, "Planned")["reason"] == reason;
    let found = field.kubectl.until("run", run, told).unwrap_or_else(|error| panic!("{error}"));
    let said = condition(&found, "Planned")["message"].as_str().expect("a sentence");
    assert!(said.contains(message), "{reason}: {said}");
    let events = format!("--field-selector=reason={reason},involvedObject.name={run},type=Warning");
    let events = field.kubectl.run(&["get", "events", &events, "-o", "name"]).expect("events can be listed");
    assert_eq!(events.lines().count(), 1, "{events}");
}

/// Waits for the good end of a Run that was stuck.
fn mended(field: &Field, fleet: &Fleet, run: &str) {
    let found = field.complete(run);
    assert_eq!(condition(&found, "Planned")["reason"], "Planned", "{found:#}");
    assert_eq!((&found["status"]["attempt"], field.digest(run)), (&json!(1), fleet.digest.clone()), "{found:#}");
}

#[test]
fn a_pod_without_image_node_or_quota_is_told_of_within_its_time_and_the_run_goes_on_when_that_is_mended() {
    let [field, poor] = ["no-place", "no-quota"].map(Field::new);
    let fleets = [&field, &poor].map(|field| Fleet::new(field, 1, 1));
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}},
    });
    poor.kubectl.apply(&quota.to_string()).unwrap();
    let (image, label) = ("localhost/fleetloom:comes-later", "fleetloom.test/no-place");
    start(&field, &fleets[0], "image", &format!(", image: \"{image}\""));
    start(&field, &fleets[0], "node", &format!(", pod: {{nodeSelector: {{{label}: \"here\"}}}}"));
    start(&field, &fleets[0], "config", ", pod: {env: [{name: X, valueFrom: {secretKeyRef: {name: late, key: x}}}]}");
    start(&poor, &fleets[1], "quota", "");

    stuck(&field, "node", "Unschedulable", "didn't match Pod's node affinity/selector");
    stuck(&field, "image", "ImagePull", image);
    stuck(&field, "config", "ContainerConfig", "late");
    stuck(&poor, "quota", "NoPods", "describe job");

    shared().kubectl().run(&["label", "node", "node", &format!("{label}=here")]).unwrap();
    shared().tag(&images().worker, image).unwrap();
    let late = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}, "stringData": {"x": "y"}});
    field.kubectl.apply(&late.to_string()).unwrap();
    poor.kubectl.delete("resourcequota", "none").unwrap();

    for run in ["node", "image", "config"] {
        mended(&field, &fleets[0], run);
    }
    mended(&poor, &fleets[1], "quota");
    shared().kubectl().run(&["label", "node", "node", &format!("{label}-")]).unwrap();
}
