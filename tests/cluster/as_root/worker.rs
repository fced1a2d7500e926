//! The worker's own image on a real node: built from the `Containerfile`, run under the strictest rules there are for pods, on
//! buckets; its table is that of this machine.

use super::{images, shared};
use fleetloom_tests::place::Place;
use fleetloom_tests::words::{change, example};
use fleetloom_tests::{program, python};
use serde_json::{Value, json};
use std::fs;

/// No image is larger, bytes.
const IMAGE_MAX: u64 = 150_000_000;

/// The tables of the UR3 example.
const TABLES: [&str; 2] = ["ur3-stops", "ur3-before-stops"];

/// The words of the UR3 example, its archive and its tables elsewhere.
fn words(archive: &str, table: impl Fn(&str) -> String) -> String {
    TABLES.iter().fold(change(&example("ur3"), "url: ur3/", archive), |text, name| {
        change(&text, &format!("url: ../../out/{name}/"), &table(name))
    })
}

/// A pod that meets the restricted Pod Security Standard and runs the program on the words of a ConfigMap.
fn pod(image: &str) -> Value {
    let keys = shared().store().environment().map(|(name, value)| json!({"name": name, "value": value}));
    let scratch = json!({"name": "TMPDIR", "value": "/scratch"});
    let container = json!({
        "name": "fleetloom", "image": image, "imagePullPolicy": "Never",
        "args": ["run", "-f", "/etc/fleetloom/words.yaml"],
        "env": keys.into_iter().chain([scratch]).collect::<Vec<_>>(),
        "resources": {"limits": {"memory": "512Mi"}},
        "securityContext": {
            "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "words", "mountPath": "/etc/fleetloom", "readOnly": true},
            {"name": "scratch", "mountPath": "/scratch"},
        ],
    });
    let volumes = json!([
        {"name": "words", "configMap": {"name": "words"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
    ]);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"},
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
            "containers": [container], "volumes": volumes,
        },
    })
}

#[test]
fn the_worker_image_makes_the_tables_of_this_machine_in_buckets_under_the_strictest_rules_for_pods() {
    let (place, images) = (Place::new(), images());
    for image in [&images.worker, &images.operator] {
        let size = fs::metadata(&image.tar).unwrap().len();
        println!("{}: {:.1} MB", image.name, size as f64 / 1e6);
        assert!(size < IMAGE_MAX, "{}: {size} bytes", image.name);
    }
    let archive = python::repository().join("manifests/examples/ur3");
    let here = words(&format!("url: \"file://{}/\"", archive.display()), |table| {
        format!("url: \"file://{}/\"", place.path(table).display())
    });
    program::run(&place.words(&here)).expect(0);
    let store = shared().store();
    store.put_folder("telemetry", "ur3/", &archive);
    let at = |url: &str| format!("url: \"s3://{url}/\", endpoint: \"{}\", pathStyle: true", store.endpoint());
    let there = words(&at("telemetry/ur3"), |table| at(&format!("features/{table}")));
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    }});
    shared().kubectl().apply(&space.to_string()).unwrap();
    let kubectl = shared().kubectl().within("restricted");
    kubectl.until("serviceaccount", "default", |_| true).unwrap();
    let words = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words"}, "data": {"words.yaml": there},
    });
    kubectl.apply(&words.to_string()).unwrap();
    kubectl.apply(&pod(&images.worker.name).to_string()).unwrap();
    let pod =
        kubectl.until("pod", "worker", |pod| ["Succeeded", "Failed"].iter().any(|end| pod["status"]["phase"] == *end));
    let said = kubectl.logs("worker").unwrap();
    assert_eq!(pod.unwrap()["status"]["phase"], "Succeeded", "{said}");
    for table in TABLES {
        let published = python::digest(&store.files("features").join(table));
        assert_eq!(published, python::digest(&place.path(table)), "{table}: {said}");
    }
}
