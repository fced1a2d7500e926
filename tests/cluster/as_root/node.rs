//! What Fleetloom's operator relies on, on a real kubelet: Jobs with a policy for failures, the end of a pod that had too little
//! memory, logs, tokens, and the API server's address inside a pod.

use super::shared;
use fleetloom_tests::cluster::{self, Kubectl, has_condition};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A namespace of a test's own, with the service account that pods need.
fn namespace(name: &str) -> Kubectl {
    let kubectl = shared().kubectl();
    kubectl.run(&["create", "namespace", name]).expect("a namespace can be made");
    let kubectl = kubectl.within(name);
    kubectl.until("serviceaccount", "default", |_| true).expect("controllers make it");
    kubectl
}

/// A container that runs a command in the probe's image.
fn container(command: &[&str]) -> Value {
    json!({"name": "probe", "image": "fleetloom.dev/probe:1", "imagePullPolicy": "Never", "command": command})
}

/// Makes a pod.
fn start(kubectl: &Kubectl, name: &str, container: &Value) {
    let spec = json!({"restartPolicy": "Never", "containers": [container]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    kubectl.apply(&pod.to_string()).expect("a pod can be made");
}

/// Runs a pod to its end and gives it.
fn run(kubectl: &Kubectl, name: &str, container: &Value) -> Value {
    start(kubectl, name, container);
    kubectl.until("pod", name, ended).expect("it ends")
}

/// Whether a pod will not run any more.
fn ended(pod: &Value) -> bool {
    ["Succeeded", "Failed"].iter().any(|end| pod["status"]["phase"] == *end)
}

/// How a pod's one container ended.
fn end(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["state"]["terminated"]
}

/// Runs an Indexed Job of eight, whose index 3 fails with `code`, to its end.
fn job(kubectl: &Kubectl, code: &str) -> Value {
    let on = |action: &str, code: u8| json!({"action": action, "onExitCodes": {"operator": "In", "values": [code]}});
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "eight"},
        "spec": {
            "completionMode": "Indexed", "completions": 8, "parallelism": 4, "backoffLimitPerIndex": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [on("FailJob", 2), on("FailIndex", 6)]},
            "template": {"spec": {
                "restartPolicy": "Never", "containers": [container(&["/program", "fail", "3", code])],
            }},
        },
    });
    kubectl.apply(&job.to_string()).expect("a Job can be made");
    let ended = |job: &Value| has_condition(job, "Failed") || has_condition(job, "Complete");
    kubectl.until("job", "eight", ended).expect("it ends")
}

#[test]
fn the_node_is_ready_and_is_what_it_says() {
    let node = shared().kubectl().get("node", "node").unwrap().unwrap();
    assert!(has_condition(&node, "Ready"), "{node}");
    let is = &node["status"]["nodeInfo"];
    assert_eq!(is["kubeletVersion"], "v1.34.4");
    assert!(is["containerRuntimeVersion"].as_str().unwrap().starts_with("containerd://"), "{is}");
    let version: Value = serde_json::from_str(&shared().kubectl().raw("/version").unwrap()).unwrap();
    assert_eq!(version["gitVersion"], "v1.34.4");
}

#[test]
fn a_failed_index_is_counted_and_the_others_are_done() {
    let kubectl = namespace("one-index-fails");
    let job = job(&kubectl, "6");
    assert_eq!(job["status"]["completedIndexes"], "0-2,4-7", "{job}");
    assert_eq!(job["status"]["failedIndexes"], "3", "{job}");
    assert!(has_condition(&job, "Failed"), "{job}");
}

#[test]
fn a_code_that_fails_the_job_is_named_in_its_message() {
    let kubectl = namespace("the-job-fails");
    let job = job(&kubectl, "2");
    let conditions = job["status"]["conditions"].as_array().unwrap();
    let failed = conditions.iter().find(|condition| condition["type"] == "Failed").unwrap();
    assert_eq!(failed["reason"], "PodFailurePolicy", "{job}");
    assert!(failed["message"].as_str().unwrap().contains("exit code 2"), "{job}");
}

#[test]
fn a_pod_that_takes_more_memory_than_it_may_is_seen_as_such() {
    let mut grows = container(&["/program", "grow"]);
    grows["resources"] = json!({"limits": {"memory": "32Mi"}});
    let pod = run(&namespace("memory"), "grows", &grows);
    assert_eq!((&end(&pod)["reason"], &end(&pod)["exitCode"]), (&json!("OOMKilled"), &json!(137)), "{pod}");
}

#[test]
fn a_process_in_a_pod_can_be_signalled_from_outside() {
    let kubectl = namespace("signals");
    for (name, signal, code) in [("term", Signal::TERM, 143), ("kill", Signal::KILL, 137)] {
        start(&kubectl, name, &container(&["/program", "wait"]));
        let running = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["running"].is_object();
        let pod = kubectl.until("pod", name, running).unwrap();
        cluster::signal(&pod, signal).unwrap();
        let pod = kubectl.until("pod", name, ended).unwrap();
        assert_eq!(end(&pod)["exitCode"], code, "{pod}");
    }
}

#[test]
fn what_a_pod_wrote_can_be_read() {
    let kubectl = namespace("logs");
    let pod = run(&kubectl, "says", &container(&["/program", "say", "forty-two"]));
    assert_eq!(end(&pod)["exitCode"], 0, "{pod}");
    assert_eq!(kubectl.logs("says").unwrap(), "forty-two\n");
}

#[test]
fn a_pod_is_known_to_the_api_server_by_its_token_and_reaches_it_at_the_service_address() {
    let kubectl = namespace("token");
    let pod = run(&kubectl, "asks", &container(&["/kubectl", "auth", "whoami", "-v=6"]));
    let said = kubectl.logs("asks").unwrap();
    assert_eq!(end(&pod)["exitCode"], 0, "{said}\n{pod}");
    assert!(said.contains("system:serviceaccount:token:default"), "{said}");
    assert!(said.contains("https://10.96.0.1:443/"), "{said}");
}

#[test]
fn a_pod_reaches_the_store() {
    let kubectl = namespace("store");
    let endpoint = format!("--server={}", shared().store().endpoint());
    run(&kubectl, "asks", &container(&["/kubectl", "get", "--raw", "/telemetry", &endpoint]));
    let said = kubectl.logs("asks").unwrap();
    assert!(said.contains("AccessDenied") || said.contains("Forbidden"), "{said}");
}
