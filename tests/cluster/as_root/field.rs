//! A namespace of a test on a node, with the operator at work on it: installed from the chart and this project's own images, once
//! on the shared node; the keys of the buckets in Secrets; only pods that meet the restricted Pod Security Standard.

use super::{images, shared};
use fleetloom_tests::cluster::{Cluster, Kubectl, find, has_condition};
use fleetloom_tests::place::Place;
use fleetloom_tests::python;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The operator's own namespace.
pub(super) const OPERATOR: &str = "fleetloom-system";

/// How a test installs the chart, which waits until the operator is ready.
pub(super) const INSTALL: [&str; 6] = ["install", "fleetloom", "--create-namespace", "--wait", "--timeout", "120s"];

/// Where everything of one test lies.
pub(super) struct Field<'c> {
    /// The node.
    cluster: &'c Cluster,
    /// `kubectl` in the test's namespace.
    pub(super) kubectl: Kubectl,
    /// Its name, which is also the prefix of what it keeps in buckets.
    pub(super) name: &'static str,
    /// A folder on this machine.
    pub(super) place: Place,
}

impl Field<'static> {
    /// A new namespace on the shared node.
    pub(super) fn new(name: &'static str) -> Self {
        operator();
        Self::on(shared(), name)
    }
}

impl<'c> Field<'c> {
    /// A new namespace on a node.
    pub(super) fn on(cluster: &'c Cluster, name: &'static str) -> Self {
        let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        }});
        cluster.kubectl().apply(&space.to_string()).expect("a namespace can be made");
        let kubectl = cluster.kubectl().within(name);
        kubectl.until("serviceaccount", "default", |_| true).expect("it is made with the namespace");
        let keys = cluster.store().keys();
        for secret in ["telemetry-read", "features-write"] {
            let data = json!({"AWS_ACCESS_KEY_ID": keys.id, "AWS_SECRET_ACCESS_KEY": keys.secret});
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": data});
            kubectl.apply(&secret.to_string()).expect("a Secret can be made");
        }
        Self { cluster, kubectl, name, place: Place::new() }
    }

    /// The node that it lies on.
    pub(super) const fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// Stores a folder as an archive of the test's own; its words, to stand between braces.
    pub(super) fn archive(&self, folder: &Path) -> String {
        self.cluster.store().put_folder("telemetry", &format!("{}/", self.name), folder);
        self.store(&format!("telemetry/{}", self.name), "telemetry-read")
    }

    /// The words of a result of the test's own, to stand between braces.
    pub(super) fn result(&self, table: &str) -> String {
        self.store(&format!("features/{}/{table}", self.name), "features-write")
    }

    /// The words of a store, to stand between braces.
    pub(super) fn store(&self, url: &str, secret: &str) -> String {
        let endpoint = self.cluster.store().endpoint();
        format!("url: \"s3://{url}/\", endpoint: \"{endpoint}\", pathStyle: true, credentialsSecret: {secret}")
    }

    /// Where that result lies on this machine.
    pub(super) fn published(&self, table: &str) -> PathBuf {
        self.cluster.store().files("features").join(self.name).join(table)
    }

    /// A digest of that result's rows.
    pub(super) fn digest(&self, table: &str) -> String {
        python::digest(&self.published(table))
    }

    /// Starts a Run, with further words of its spec.
    pub(super) fn start(&self, run: &str, pipeline: &str, more: &Value) {
        self.start_as(&json!({"name": run}), pipeline, more);
    }

    /// Starts a Run with that metadata.
    pub(super) fn start_as(&self, metadata: &Value, pipeline: &str, more: &Value) {
        let mut spec = json!({"pipeline": pipeline});
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let run = json!({"apiVersion": "fleetloom.dev/v1alpha1", "kind": "Run", "metadata": metadata, "spec": spec});
        self.kubectl.apply(&run.to_string()).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Changes words of a resource.
    pub(super) fn patch(&self, kind: &str, name: &str, words: &Value) {
        let patched = self.kubectl.run(&["patch", kind, name, "--type=merge", "-p", &words.to_string()]);
        patched.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until a Run has ended, well or not.
    pub(super) fn ended(&self, run: &str) -> Value {
        let ended = |run: &Value| has_condition(run, "Complete") || has_condition(run, "Failed");
        self.kubectl.until("run", run, ended).unwrap_or_else(|error| panic!("{error}\n{}", self.told()))
    }

    /// Waits until a Run is Complete.
    pub(super) fn complete(&self, run: &str) -> Value {
        let run = self.ended(run);
        assert!(has_condition(&run, "Complete"), "{run:#}\n{}", self.told());
        assert!(run["status"].to_string().len() <= 8 << 10, "{run}");
        run
    }

    /// Waits until so many pods of an act of a Run are at work, and gives them.
    pub(super) fn at_work(&self, run: &str, act: &str, count: usize) -> Vec<Value> {
        let mut working = Vec::new();
        let seen = self.kubectl.until("run", run, |_| {
            working = self.pods(run, act);
            working.retain(|pod| pod["status"]["containerStatuses"][0]["state"]["running"].is_object());
            working.len() == count
        });
        seen.unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
        working
    }

    /// The Jobs of a Run, by name.
    pub(super) fn jobs(&self, run: &str) -> Vec<Value> {
        self.kubectl.list("job", &format!("fleetloom.dev/run={run}")).expect("Jobs can be listed")
    }

    /// The pods of an act of a Run.
    pub(super) fn pods(&self, run: &str, act: &str) -> Vec<Value> {
        self.kubectl
            .list("pod", &format!("fleetloom.dev/run={run},fleetloom.dev/act={act}"))
            .expect("pods can be listed")
    }

    /// What the cluster tells of the test, for messages.
    pub(super) fn told(&self) -> String {
        let all = self.kubectl.run(&["get", "runs,jobs,pods,events", "-o", "wide"]);
        let operator = self.kubectl.within(OPERATOR);
        let log = operator.run(&["logs", "deployment/fleetloom-operator", "--tail=40"]);
        [all, log].map(|text| text.unwrap_or_else(|error| error.to_string())).join("\n")
    }
}

/// The condition of that type.
pub(super) fn condition<'v>(resource: &'v Value, kind: &str) -> &'v Value {
    let conditions = resource["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Gives both images to the shared node and installs the chart.
fn operator() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        images();
        chart(shared(), &INSTALL);
    });
}

/// Installs or upgrades the chart on a node with this project's images.
pub(super) fn chart(cluster: &Cluster, verb: &[&str]) {
    let chart = python::repository().join("helm").display().to_string();
    let values = [
        "image.repository=localhost/fleetloom-operator",
        "image.pullPolicy=Never",
        "worker.image.repository=localhost/fleetloom",
        "fullnameOverride=fleetloom-operator",
    ];
    let set = values.map(|value| ["--set", value]).concat();
    helm(cluster, &[verb, &[chart.as_str()], &set[..]].concat());
}

/// Calls helm about what lies in the operator's namespace of a node.
pub(super) fn helm(cluster: &Cluster, words: &[&str]) {
    let kubectl = cluster.kubectl();
    let mut command = Command::new(find("helm").expect("helm: `make nodes` builds it"));
    command.args(words).args(["--namespace", OPERATOR]).env("KUBECONFIG", kubectl.kubeconfig());
    let said = command.output().expect("helm starts");
    let [out, err] = [&said.stdout, &said.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let pods = || kubectl.within(OPERATOR).run(&["describe", "pods"]).unwrap_or_default();
    assert!(said.status.success(), "{out}{err}{}", pods());
}
