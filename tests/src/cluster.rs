//! A real Kubernetes on this machine, for tests: its memory alone, a whole node that runs pods, or many nodes that only say so.
//!
//! ```text
//!  ControlPlane              etcd ── API server                                     127.0.0.1, needs no root
//!  Crowd       the same and  controllers, scheduler, kwok as every node's kubelet    127.0.0.1, needs no root
//!  Cluster     the same and  controllers, scheduler, containerd ── kubelet, kube-proxy, an S3 server
//!
//!    this machine                        namespaces of the node's own (mounts, network, processes)
//!    ┌───────────────┐  a pair of        ┌─────────────────────────────────────────────────────┐
//!    │ kubectl, tests│  interfaces       │ bridge 10.88.0.1 ── every part of the node          │
//!    │ 10.88.0.2 ────┼───────────────────┼───────┴── pods 10.88.1.0 and up                     │
//!    └───────────────┘                   └─────────────────────────────────────────────────────┘
//! ```
//!
//! Whatever the node does to mounts, interfaces, packet rules, kernel settings and folders of the system, it does in those
//! namespaces: the kernel takes them away with the last process, and the machine is as it was. What remains, the run folder and
//! control groups, a keeper removes that outlives us (`space.rs`). Not a product: nobody should run this for others.
//!
//! ```text
//! programs.rs   where the programs lie
//! folder.rs     the run folder, and stale ones of runs that were killed
//! wait.rs       conditions with a deadline
//! part.rs       a started program, its log, its end
//! space.rs      the namespaces, and who keeps them
//! address.rs    which addresses are free
//! authority.rs  certificates and kubeconfigs
//! control.rs    etcd and the API server
//! crowd.rs      nodes that only say that they run pods
//! node.rs       everything else
//! words.rs      the configuration files of the node's parts
//! image.rs      images from folders and from the Containerfile
//! kubectl.rs    calls with typed results
//! pods.rs       processes of pods, to be signalled
//! signals.rs    parts of a node, to be signalled
//! traces.rs     what of a node could be left on a machine
//! ```

mod address;
mod authority;
mod control;
mod crowd;
mod folder;
mod image;
mod kubectl;
mod node;
mod part;
mod pods;
mod programs;
mod signals;
mod space;
mod traces;
mod wait;
mod words;

pub use control::ControlPlane;
pub use crowd::Crowd;
pub use folder::empty;
pub use image::{Image, Images};
pub use kubectl::{Kubectl, has_condition};
pub use node::Cluster;
pub use pods::signal;
pub use programs::find;
pub use space::{Marks, kept};
pub use traces::{Traces, machine};

/// What went wrong with a cluster: one sentence that says with what, and what to do. No cause is kept: nobody acts on one.
#[derive(Debug)]
pub struct Trouble(String);

impl Trouble {
    /// From a sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

/// What a cluster's functions give.
pub type Result<T> = std::result::Result<T, Trouble>;

/// Says on which thing an operation of the system failed.
trait On<T> {
    /// `what` is a noun: a path, a program.
    fn on(self, what: impl std::fmt::Display) -> Result<T>;
}

impl<T, E: std::fmt::Display> On<T> for std::result::Result<T, E> {
    fn on(self, what: impl std::fmt::Display) -> Result<T> {
        self.map_err(|error| Trouble(format!("{what}: {error}")))
    }
}
