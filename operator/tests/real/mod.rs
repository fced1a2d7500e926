//! A real API server with its etcd, the operator's kinds on it, and a namespace: as it is before an operator comes. Nothing
//! happens there by itself; `player` and `collector` do what controllers of a cluster do.
//!
//! ```text
//! call.rs       one request, as JSON
//! watch.rs      what becomes of a collection, for as long as it is asked
//! player.rs     Jobs begin and end, and their pods say what the test wants
//! collector.rs  what belongs to a deleted object goes with it
//! program.rs    the operator as a process, and what processes cost
//! offer.rs      many Runs at once, and what becomes of them
//! count.rs      what the API server and the operator counted
//! ```

#[path = "../given/mod.rs"]
mod given;

pub(crate) mod call;
pub(crate) mod collector;
pub(crate) mod count;
pub(crate) mod offer;
pub(crate) mod player;
pub(crate) mod program;
pub(crate) mod watch;

pub(crate) use given::*;

use call::post;
use fleetloom_tests::cluster::{ControlPlane, Door, Kubectl, has_condition};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use operator::crd;
use operator::install::{self, Install};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the operator lives, for its own rights.
pub(crate) const SYSTEM: &str = "fleetloom-system";

/// The API server. All of it is gone when this is dropped, or when the process ends.
pub(crate) struct World {
    plane: ControlPlane,
}

impl World {
    /// Starts one, in some ten seconds; the three kinds are established, and the namespace `fleet` is there.
    pub(crate) fn start() -> Self {
        // Built beside the worker, whose libraries bring another one, it has to be said which cryptography is meant. Said before
        // by another test of this process it is an error.
        let _said = rustls::crypto::ring::default_provider().install_default();
        let plane = ControlPlane::start().expect("etcd and the API server start");
        let kubectl = plane.kubectl();
        kubectl.fed(&["apply", "--server-side", "-f", "-"], &crd::yaml()).expect("the kinds are taken");
        for kind in crd::crds() {
            let name = kind.metadata.name.unwrap_or_default();
            kubectl.until("crd", &name, |kind| has_condition(kind, "Established")).expect("the kinds are established");
        }
        kubectl.run(&["create", "namespace", "fleet"]).expect("a namespace can be made");
        Self { plane }
    }

    /// `kubectl` as one who may do everything, in the namespace `fleet`.
    pub(crate) fn kubectl(&self) -> Kubectl {
        self.plane.kubectl().within("fleet")
    }

    /// The kubeconfig of one who may do everything.
    pub(crate) fn kubeconfig(&self) -> &Path {
        self.plane.kubectl().kubeconfig()
    }

    /// The folder with certificates, data and logs.
    pub(crate) fn folder(&self) -> &Path {
        self.plane.folder()
    }

    /// A door to it that asks for no keys.
    pub(crate) fn door(&self) -> Door {
        self.plane.door().expect("kubectl proxy starts")
    }

    /// A new client, with connections of its own, that may do everything.
    pub(crate) async fn client(&self) -> Client {
        client(self.kubeconfig()).await
    }

    /// Installs what the operator's own manifest installs, and writes the kubeconfig of its service account: with its rights, and
    /// with its place in the API server's queues.
    pub(crate) fn install(&self) -> PathBuf {
        let words = Install {
            namespace: SYSTEM.into(),
            image: "operator:1".into(),
            worker_image: "worker:1".into(),
            watch_namespace: None,
        };
        let within = self.plane.kubectl().within(SYSTEM);
        within.apply(&install::yaml(&words)).expect("the operator can be installed");
        let token =
            within.run(&["create", "token", "fleetloom-operator", "--duration", "24h"]).expect("a token is given");
        let text = std::fs::read_to_string(self.kubeconfig()).expect("the kubeconfig can be read");
        let mut words: Value = serde_yaml_ng::from_str(&text).expect("the kubeconfig is YAML");
        words["users"][0]["user"] = json!({"token": token.trim()});
        let path = self.folder().join("operator.kubeconfig");
        std::fs::write(&path, words.to_string()).expect("the kubeconfig can be written");
        path
    }
}

/// A new client, with connections of its own, as the user of a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path) -> Client {
    let words = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
    let config = Config::from_custom_kubeconfig(words, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("the kubeconfig names a server")).expect("certificates can be read")
}

/// Creates an Archive and the Pipeline `stops` that reads it; `more` is merged into its spec.
pub(crate) async fn apply_words(client: &Client, more: &Value) {
    for (path, object) in [(ARCHIVES, archive()), (PIPELINES, pipeline("stops", more))] {
        let _made: Value = post(client, path, &object).await.expect("words are taken");
    }
}

/// Creates the Archive, and so many Pipelines that read it. Runs of one go one after the other: at a time there are as many.
pub(crate) async fn apply_fleet(client: &Client, pipelines: u32) {
    offer::create(client, ARCHIVES, [archive()].into_iter()).await;
    let pipelines = (0..pipelines).map(|number| pipeline(&offer::pipeline_name(number), &json!({})));
    offer::create(client, PIPELINES, pipelines).await;
}

/// Creates a Run of the Pipeline `stops`.
pub(crate) async fn apply_run(client: &Client, name: &str) {
    let _made: Value = post(client, RUNS, &run(name, "stops")).await.expect("a Run is taken");
}
