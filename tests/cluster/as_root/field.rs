//! A namespace of a test on the shared node, with the operator at work on it: installed once, from the chart and this
//! project's own images; the keys of the buckets in Secrets; only pods that meet the restricted Pod Security Standard.

use super::{images, shared};
use fleetloom_tests::cluster::{Kubectl, find, has_condition};
use fleetloom_tests::place::Place;
use fleetloom_tests::python;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The operator's own namespace.
pub(super) const OPERATOR: &str = "fleetloom-system";

/// Where everything of one test lies.
pub(super) struct Field {
    /// `kubectl` in the test's namespace.
    pub(super) kubectl: Kubectl,
    /// Its name, which is also the prefix of what it keeps in buckets.
    pub(super) name: &'static str,
    /// A folder on this machine.
    pub(super) place: Place,
}

impl Field {
    /// A new namespace.
    pub(super) fn new(name: &'static str) -> Self {
        operator();
        let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        }});
        shared().kubectl().apply(&space.to_string()).expect("a namespace can be made");
        let kubectl = shared().kubectl().within(name);
        kubectl.until("serviceaccount", "default", |_| true).expect("it is made with the namespace");
        let keys = shared().store().keys();
        for secret in ["telemetry-read", "features-write"] {
            let data = json!({"AWS_ACCESS_KEY_ID": keys.id, "AWS_SECRET_ACCESS_KEY": keys.secret});
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": data});
            kubectl.apply(&secret.to_string()).expect("a Secret can be made");
        }
        Self { kubectl, name, place: Place::new() }
    }

    /// Stores a folder as an archive of the test's own; its words, to stand between braces.
    pub(super) fn archive(&self, folder: &Path) -> String {
        shared().store().put_folder("telemetry", &format!("{}/", self.name), folder);
        store(&format!("telemetry/{}", self.name), "telemetry-read")
    }

    /// The words of a result of the test's own, to stand between braces.
    pub(super) fn result(&self, table: &str) -> String {
        store(&format!("features/{}/{table}", self.name), "features-write")
    }

    /// Where that result lies on this machine.
    pub(super) fn published(&self, table: &str) -> PathBuf {
        shared().store().files("features").join(self.name).join(table)
    }

    /// A digest of that result's rows.
    pub(super) fn digest(&self, table: &str) -> String {
        python::digest(&self.published(table))
    }

    /// Starts a Run, with further words of its spec.
    pub(super) fn start(&self, run: &str, pipeline: &str, more: &Value) {
        let mut spec = json!({"pipeline": pipeline});
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let run =
            json!({"apiVersion": "fleetloom.dev/v1alpha1", "kind": "Run", "metadata": {"name": run}, "spec": spec});
        self.kubectl.apply(&run.to_string()).unwrap_or_else(|error| panic!("{error}"));
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
    fn told(&self) -> String {
        let all = self.kubectl.run(&["get", "runs,jobs,pods,events", "-o", "wide"]);
        let log = shared().kubectl().within(OPERATOR).run(&["logs", "deployment/fleetloom-operator", "--tail=40"]);
        [all, log].map(|text| text.unwrap_or_else(|error| error.to_string())).join("\n")
    }
}

/// The condition of that type.
pub(super) fn condition<'v>(resource: &'v Value, kind: &str) -> &'v Value {
    let conditions = resource["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn store(url: &str, secret: &str) -> String {
    let endpoint = shared().store().endpoint();
    format!("url: \"s3://{url}/\", endpoint: \"{endpoint}\", pathStyle: true, credentialsSecret: {secret}")
}

/// Gives both images to the node and installs the chart.
fn operator() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        images();
        helm(&["install", "fleetloom", "--create-namespace", "--wait", "--timeout", "120s"]);
    });
}

/// Installs or upgrades the chart with this project's images.
pub(super) fn helm(verb: &[&str]) {
    let chart = python::repository().join("helm");
    let mut command = Command::new(find("helm").expect("helm: `make nodes` builds it"));
    command.args(verb).arg(chart).args(["--namespace", OPERATOR]);
    for value in [
        "image.repository=localhost/fleetloom-operator",
        "image.pullPolicy=Never",
        "worker.image.repository=localhost/fleetloom",
        "fullnameOverride=fleetloom-operator",
    ] {
        command.args(["--set", value]);
    }
    let kubectl = shared().kubectl();
    let said = command.env("KUBECONFIG", kubectl.kubeconfig()).output().expect("helm starts");
    let [out, err] = [&said.stdout, &said.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let pods = || kubectl.within(OPERATOR).run(&["describe", "pods"]).unwrap_or_default();
    assert!(said.status.success(), "{out}{err}{}", pods());
}
