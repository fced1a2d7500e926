//! A namespace of a test on a node, with the operator at work on it: installed from the chart and this project's own images, once
//! on the shared node; the keys of the buckets in Secrets; only pods that meet the restricted Pod Security Standard.

use super::{images, shared};
use fleetloom_tests::cluster::{Cluster, Kubectl, find, has_condition};
use fleetloom_tests::place::Place;
use fleetloom_tests::python;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

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
        self.source()
    }

    /// The words of that archive's store.
    pub(super) fn source(&self) -> String {
        self.source_at(&self.cluster.store().endpoint())
    }

    /// The same by another way.
    pub(super) fn source_at(&self, endpoint: &str) -> String {
        store(endpoint, &format!("telemetry/{}", self.name), "telemetry-read")
    }

    /// The words of a result of the test's own, to stand between braces.
    pub(super) fn result(&self, table: &str) -> String {
        self.result_at(&self.cluster.store().endpoint(), table)
    }

    /// The same by another way.
    pub(super) fn result_at(&self, endpoint: &str, table: &str) -> String {
        store(endpoint, &format!("features/{}/{table}", self.name), "features-write")
    }

    /// The words of a store on the node, to stand between braces.
    pub(super) fn store(&self, url: &str, secret: &str) -> String {
        store(&self.cluster.store().endpoint(), url, secret)
    }

    /// Where that result lies on this machine.
    pub(super) fn published(&self, table: &str) -> PathBuf {
        self.cluster.store().files("features").join(self.name).join(table)
    }

    /// Waits until a Run has none of that kind any more.
    pub(super) fn gone(&self, kind: &str, run: &str) {
        let of_run = format!("fleetloom.dev/run={run}");
        self.kubectl
            .run(&["wait", "--for=delete", kind, "-l", &of_run, "--timeout=120s"])
            .expect("it goes with its Run");
    }

    /// How many versions that result has.
    pub(super) fn versions(&self, table: &str) -> usize {
        let log = fs::read_dir(self.published(table).join("_delta_log")).into_iter().flatten().flatten();
        let names = log.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.len() == 25 && name.ends_with(".json")).count()
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

    /// Waits until a Run has ended, well or not. One watch, not many questions: tests wait for several Runs at a time.
    pub(super) fn ended(&self, run: &str) -> Value {
        let until = ["wait", "--for=jsonpath={.status.completionTime}", &format!("run/{run}"), "--timeout=180s"];
        self.kubectl.run(&until).unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
        self.kubectl.get("run", run).unwrap_or_else(|error| panic!("{error}")).expect("a Run that has ended stays")
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

    /// Insists that nothing that the cluster keeps or says of this test, and nothing that the operator says, holds a key: not
    /// even one's id, nor a signature.
    pub(super) fn keeps_secrets(&self, more: &[&str]) {
        let keys = shared().store().keys();
        let secrets = [keys.id.as_str(), &keys.secret, "AWS4-HMAC", "X-Amz-Signature", "x-amz-security-token"];
        let kinds = "runs,pipelines,archives,jobs,pods,events,events.events.k8s.io,configmaps,serviceaccounts";
        let kept = self.kubectl.run(&["get", kinds, "-o", "yaml"]).expect("all of it can be read");
        let told = [self.name, OPERATOR].map(logs).concat();
        assert!(told.iter().any(|(path, _)| path.starts_with(OPERATOR)), "the operator has a log");
        for (place, text) in told.iter().chain([&("what is kept".to_owned(), kept)]) {
            for secret in secrets.iter().chain(more) {
                assert!(!text.contains(secret), "{place} holds {secret}");
            }
        }
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

/// What the pods of a namespace have written, by pod and container: also the last of those that are being deleted.
fn logs(namespace: &str) -> Vec<(String, String)> {
    let folder = shared().folder().join("pods");
    let inside = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let of_pods = inside(&folder).into_iter().filter(|pod| {
        let name = pod.file_name().unwrap_or_default().to_string_lossy();
        // NAMESPACE_POD_UID/CONTAINER/0.log
        name.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('_'))
    });
    let files = of_pods.flat_map(|pod| inside(&pod)).flat_map(|container| inside(&container));
    let below = |path: &Path| path.strip_prefix(&folder).expect("below it").display().to_string();
    files.map(|file| (below(&file), fs::read_to_string(&file).unwrap_or_default())).collect()
}

fn store(endpoint: &str, url: &str, secret: &str) -> String {
    format!("url: \"s3://{url}/\", endpoint: \"{endpoint}\", pathStyle: true, credentialsSecret: {secret}")
}

/// Gives both images to the shared node and installs the chart.
fn operator() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        images();
        chart(shared(), &INSTALL);
    });
}

/// The name of the operator's Deployment.
const DEPLOYMENT: &str = "deployment/fleetloom-operator";

/// The right to do something to the operator itself: one test at a time has it.
pub(super) struct Hands {
    _alone: MutexGuard<'static, ()>,
}

/// Waits for that right. After a field is made: the first one has the operator installed, which needs it too.
pub(super) fn hands_on() -> Hands {
    static HANDS_ON: Mutex<()> = Mutex::new(());
    Hands { _alone: HANDS_ON.lock().unwrap_or_else(PoisonError::into_inner) }
}

/// Brings the operator back, however a test ends.
struct Back(Kubectl);

impl Drop for Back {
    fn drop(&mut self) {
        // What follows says that there is none.
        let _told = self.0.run(&["scale", DEPLOYMENT, "--replicas=1"]);
    }
}

impl Hands {
    /// Does something while there is no operator. Runs of other tests wait meanwhile, or go on without it.
    pub(super) fn without_operator(&self, act: impl FnOnce()) {
        let kubectl = shared().kubectl().within(OPERATOR);
        kubectl.run(&["scale", DEPLOYMENT, "--replicas=0"]).expect("it scales");
        let back = Back(kubectl.clone());
        let gone = ["wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=fleetloom-operator", "--timeout=120s"];
        kubectl.run(&gone).expect("it ends when it is told to");
        act();
        drop(back);
        kubectl.run(&["rollout", "status", DEPLOYMENT, "--timeout=120s"]).expect("it comes back");
    }
}

/// Installs or upgrades the chart on a node with this project's images.
pub(super) fn chart(cluster: &Cluster, verb: &[&str]) {
    // One test at a time does something to the operator.
    let _alone = hands_on();
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
