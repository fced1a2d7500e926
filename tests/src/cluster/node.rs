//! A whole cluster of one node, in namespaces of its own: every part started in an order that waits as little as possible, a
//! store that pods reach, and one end for all.

use super::authority::Who;
use super::control::{API, Memory, Place, Ports};
use super::image::Image;
use super::part::Part;
use super::space::{Marks, Space, done};
use super::words::{self, NODE};
use super::{Kubectl, On, Result, Trouble, folder, kubectl, programs, wait};
use crate::bucket::{Server, Versions};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Until the node is ready, from the moment when all its parts run.
const DEADLINE: Duration = Duration::from_secs(180);

/// How often it is asked.
const POLL: Duration = Duration::from_millis(200);

/// The port of the S3 server.
const STORE: u16 = 9000;

/// A running cluster of one node. All of it is gone when it is dropped, or when this process ends in whatever way.
#[derive(Debug)]
pub struct Cluster {
    space: Space,
    memory: Memory,
    parts: Vec<Part>,
    store: Server,
}

impl Cluster {
    /// Starts one, in a new folder; its node is ready, and pods can be made in the namespace `default`.
    ///
    /// Errors: not root, a program is missing, or a part does not come up.
    pub fn start() -> Result<Self> {
        Self::start_in(&folder::make()?, |_, _| ())
    }

    /// Starts one in an empty folder, which is the cluster's from now on, and tells of each step how long it took.
    ///
    /// Errors: as `start`.
    pub fn start_in(folder: &Path, told: impl Fn(&str, Duration)) -> Result<Self> {
        let began = Instant::now();
        let space = Space::new(folder)?;
        let at = space.network().node();
        let containerd = containerd(&space)?;
        let memory = Memory::start(&Place { folder, at, ports: Ports::USUAL, space: Some(&space) })?;
        let (service, store) = store(&space)?;
        let mut cluster = Self { space, memory, parts: vec![containerd, service], store };
        told("namespaces, certificates, an S3 server", began.elapsed());
        cluster.import(&Image::pause(folder)?)?;
        told("containerd with its first image", began.elapsed());
        cluster.memory.wait()?;
        told("etcd and the API server", began.elapsed());
        cluster.start_rest()?;
        cluster.wait()?;
        told("controllers, scheduler, kubelet, proxy: the node is ready", began.elapsed());
        Ok(cluster)
    }

    /// `kubectl` as one who may do everything.
    pub const fn kubectl(&self) -> &Kubectl {
        &self.memory.kubectl
    }

    /// An S3 server with the buckets `telemetry` (with versions) and `features` (without), for pods and for this machine.
    pub const fn store(&self) -> &Server {
        &self.store
    }

    /// The folder with its logs, which goes with it.
    pub fn folder(&self) -> &Path {
        &self.space.marks().folder
    }

    /// By what it is found from outside.
    pub const fn marks(&self) -> &Marks {
        self.space.marks()
    }

    /// Gives an image to the node. Pods take it with `imagePullPolicy: Never`, or any policy but `Always`.
    ///
    /// Errors: containerd does not take it.
    pub fn import(&self, image: &Image) -> Result<()> {
        self.marks().import(&image.tar)
    }

    /// Kills the API server and starts it again. It answers a moment later.
    ///
    /// Errors: it does not run, or cannot be started.
    pub fn restart_api_server(&self) -> Result<()> {
        self.marks().signal(API, Signal::KILL)?;
        self.memory.start_api_again(&self.space)
    }

    /// Ends it, and waits until nothing of it is left; how long that took.
    ///
    /// Errors: something does not end.
    pub fn end(mut self) -> Result<Duration> {
        let began = Instant::now();
        self.space.end()?;
        Ok(began.elapsed())
    }

    /// Lets it live on when this process ends. [`super::kept`] finds it.
    ///
    /// Errors: it has ended.
    pub fn keep(mut self) -> Result<()> {
        self.space.keep()?;
        // Dropping it would end it.
        std::mem::forget(self);
        Ok(())
    }

    fn start_rest(&mut self) -> Result<()> {
        let (folder, network) = (self.folder().to_owned(), self.space.network());
        let authority = &self.memory.authority;
        let who = Who { organisation: "fleetloom", user: "kubelet" };
        authority.server("kubelet-server", &who, network.node())?;
        let client = |name, who| authority.client(name, who, &self.memory.server);
        let controllers = client("controllers", &Who::CONTROLLERS)?;
        let scheduler = client("scheduler", &Who::SCHEDULER)?;
        let [kubelet, proxy] = [client("kubelet", &Who::NODE)?, client("proxy", &Who::PROXY)?];
        let certificates = folder.join("certificates");
        let kubelet_words = words::kubelet(&folder, &certificates, &self.space.marks().group);
        let kubelet_words = folder::write(&folder, "kubelet.yaml", &kubelet_words)?;
        let proxy_words = folder::write(&folder, "proxy.yaml", &words::proxy(&proxy, network))?;
        folder::write(&folder, "resolv.conf", "")?;
        let commands = [
            ("kube-controller-manager", controller_arguments(&folder, &controllers, &certificates)),
            ("kube-scheduler", vec![("--kubeconfig", scheduler), ("--leader-elect", "false".into())]),
            ("kubelet", kubelet_arguments(&folder, &kubelet, &kubelet_words, &network.node().to_string())),
            ("kube-proxy", vec![("--config", proxy_words)]),
        ];
        for (name, arguments) in commands {
            let mut command = Command::new(programs::find(name)?);
            for (flag, value) in arguments {
                command.arg(format!("{flag}={}", value.display()));
            }
            self.parts.push(Part::inside(name, self.space.enter(&command), &folder.join("logs"))?);
        }
        Ok(())
    }

    /// Waits until the node is ready and the controllers have made what pods need.
    fn wait(&mut self) -> Result<()> {
        let kubectl = self.memory.kubectl.clone();
        let waited = wait::until("the node is ready", DEADLINE, POLL, || {
            self.memory.alive()?;
            self.parts.iter_mut().try_for_each(Part::alive)?;
            let found = |kind, name| kubectl.get(kind, name).ok().flatten();
            let ready = found("node", NODE)
                .is_some_and(|node| node["spec"]["taints"].is_null() && kubectl::has_condition(&node, "Ready"));
            Ok((ready && found("serviceaccount", "default").is_some()).then_some(()))
        });
        // The logs go with the node: what they say last must be said now.
        waited.map_err(|error| {
            let said: Vec<_> = self.parts.iter().map(Part::said).collect();
            Trouble::new(format!("{error}\n{}", said.join("\n")))
        })
    }
}

impl Marks {
    /// Gives the image in an archive to the node.
    ///
    /// Errors: containerd does not take it.
    pub fn import(&self, archive: &Path) -> Result<()> {
        let mut command = ctr(&self.folder)?;
        done(command.args(["--namespace", "k8s.io", "images", "import"]).arg(archive)).map(drop)
    }
}

fn controller_arguments(folder: &Path, kubeconfig: &Path, certificates: &Path) -> Vec<(&'static str, PathBuf)> {
    vec![
        // It makes the folder that it looks into, by default below /usr: the machine's.
        ("--flex-volume-plugin-dir", folder.join("volume-plugins")),
        ("--kubeconfig", kubeconfig.to_owned()),
        ("--service-account-private-key-file", certificates.join("accounts.key")),
        ("--root-ca-file", certificates.join("ca.crt")),
        ("--use-service-account-credentials", "true".into()),
        ("--leader-elect", "false".into()),
    ]
}

fn kubelet_arguments(folder: &Path, kubeconfig: &Path, words: &Path, at: &str) -> Vec<(&'static str, PathBuf)> {
    vec![
        ("--kubeconfig", kubeconfig.to_owned()),
        ("--config", words.to_owned()),
        ("--root-dir", folder.join("kubelet")),
        ("--cert-dir", folder.join("kubelet")),
        ("--hostname-override", NODE.into()),
        ("--node-ip", at.into()),
    ]
}

/// Starts containerd and waits until it answers.
fn containerd(space: &Space) -> Result<Part> {
    let folder = &space.marks().folder;
    let words = folder::write(folder, "containerd.toml", &words::containerd(folder))?;
    folder::write(&folder::inner(folder, "cni")?, "pods.conflist", &words::cni(folder, space.network()))?;
    let mut command = Command::new(programs::find("containerd")?);
    command.arg("--config").arg(words);
    let mut part = Part::inside("containerd", space.enter(&command), &folder::inner(folder, "logs")?)?;
    wait::until("containerd answers", DEADLINE, POLL, || {
        part.alive()?;
        Ok(ctr(folder)?.arg("version").output().on("ctr")?.status.success().then_some(()))
    })?;
    Ok(part)
}

/// Starts an S3 server and waits until it answers.
fn store(space: &Space) -> Result<(Part, Server)> {
    let folder = folder::inner(&space.marks().folder, "store")?;
    let at = SocketAddr::from((space.network().node(), STORE));
    let (command, server) = Server::elsewhere(at, &folder);
    let mut part = Part::inside("versitygw", space.enter(&command), &space.marks().folder.join("logs"))?;
    wait::until("the S3 server answers", DEADLINE, POLL, || {
        part.alive()?;
        Ok(server.answers().then_some(()))
    })?;
    server.make("telemetry", Versions::Kept);
    server.make("features", Versions::None);
    Ok((part, server))
}

/// containerd's own client.
fn ctr(folder: &Path) -> Result<Command> {
    let mut command = Command::new(programs::find("ctr")?);
    command.arg("--address").arg(folder.join("containerd.sock"));
    Ok(command)
}
