//! What a Pipeline says about the pods of its workers, on pods that really run with it.

use super::field::Field;
use super::fleet::Fleet;
use super::shared;
use fleetloom_tests::words::change;
use serde_json::{Value, json};

/// The words for workers, each in a field of a pod's spec. The keys of the result's bucket come by `env` alone.
fn pod() -> Value {
    let key =
        |name: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "features-write", "key": name}}});
    json!({
        "nodeSelector": {"kubernetes.io/hostname": "node"},
        "tolerations": [{"key": "batch", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}]}}},
        "topologySpreadConstraints": [{
            "maxSkew": 8, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"fleetloom.dev/pipeline": "fleet"}},
        }],
        "priorityClassName": "template-low",
        "serviceAccountName": "features",
        "imagePullSecrets": [{"name": "registry"}],
        "labels": {"team": "arms"},
        "annotations": {"note": "as written"},
        "env": [key("AWS_ACCESS_KEY_ID"), key("AWS_SECRET_ACCESS_KEY"), {"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}],
    })
}

/// What pods refer to.
fn references(field: &Field) {
    let class = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "template-low"},
        "value": -10, "preemptionPolicy": "Never",
    });
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "features", "annotations": {
            "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/features",
        }},
    });
    let registry = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "registry"},
        "stringData": {".dockerconfigjson": "{\"auths\":{}}"},
    });
    for object in [class, account, registry] {
        field.kubectl.apply(&object.to_string()).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Insists that a pod's spec, or its template's, has every field of `asked`.
fn has(spec: &Value, asked: &Value, place: &str) {
    for (name, value) in asked.as_object().expect("an object") {
        assert_eq!(spec[name], *value, "{place}: {name}");
    }
}

/// Insists that a list of a pod has everything that was asked for.
fn holds(list: &Value, asked: Option<&Value>, place: &str) {
    let [list, asked] = [Some(list), asked].map(|list| list.and_then(Value::as_array).expect("a list"));
    assert!(!asked.is_empty() && asked.iter().all(|one| list.contains(one)), "{place}: {list:?}");
}

#[test]
fn whatever_a_pipeline_asks_for_its_pods_is_on_the_jobs_of_all_acts_and_they_run_with_it() {
    let field = Field::new("template");
    let fleet = Fleet::new(&field, 1, 1);
    references(&field);
    let resources = json!({"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi", "ephemeral-storage": "1Gi"}});
    let workers = json!({"inline": "0s", "resources": resources, "pod": pod()});
    let result = change(&field.result("fleet"), ", credentialsSecret: features-write", "");
    fleet.pipeline(&field, "fleet", &[&format!("workers: {workers}")], &result);
    field.start("asked", "fleet", &json!({}));
    field.complete("asked");
    assert_eq!(field.digest("fleet"), fleet.digest, "the keys from the Secret arrived");
    let mut asked = pod();
    let fields = asked.as_object_mut().expect("an object");
    let (labels, annotations, env) = (fields.remove("labels"), fields.remove("annotations"), fields.remove("env"));
    for act in ["plan", "shards", "commit"] {
        let job = field.kubectl.get("job", &format!("asked-1-{act}")).unwrap().expect("it is there");
        has(&job["spec"]["template"]["spec"], &asked, &format!("Job {act}"));
        let pods = field.pods("asked", act);
        assert!(!pods.is_empty(), "{act}");
        for pod in &pods {
            assert_eq!(pod["status"]["phase"], "Succeeded", "{act}");
            // The cluster adds tolerations of its own to pods.
            let mut of_pod = asked.clone();
            let tolerations = of_pod.as_object_mut().and_then(|fields| fields.remove("tolerations"));
            holds(&pod["spec"]["tolerations"], tolerations.as_ref(), act);
            has(&pod["spec"], &of_pod, &format!("pod {act}"));
            assert_eq!(pod["spec"]["priority"], -10, "{act}");
            has(&pod["metadata"]["labels"], labels.as_ref().expect("labels"), act);
            has(&pod["metadata"]["annotations"], annotations.as_ref().expect("annotations"), act);
            holds(&pod["spec"]["containers"][0]["env"], env.as_ref(), act);
            // An identity is there when the cloud puts its token there: none of the API server's comes along.
            assert_eq!(pod["spec"]["automountServiceAccountToken"], false, "{act}");
            let volumes = pod["spec"]["volumes"].as_array().expect("a list");
            assert!(volumes.iter().all(|volume| volume["projected"].is_null()), "{volumes:?}");
        }
    }
    field.keeps_secrets(&[]);
    shared().kubectl().delete("priorityclass", "template-low").unwrap();
}
