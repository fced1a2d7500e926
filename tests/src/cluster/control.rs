//! etcd and the API server: the memory of a cluster, either alone on this machine or as the first parts of a node.

use super::authority::{Authority, Who};
use super::part::Part;
use super::space::Space;
use super::{Kubectl, Result, Trouble, folder, programs, wait};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Until the API server answers: some 5 s on two idle cores.
const DEADLINE: Duration = Duration::from_secs(120);

/// How often it is asked.
const POLL: Duration = Duration::from_millis(100);

/// Starts on this machine: another process may take a free port first.
const STARTS: u32 = 3;

/// The API server's program.
pub(super) const API: &str = "kube-apiserver";

/// Addresses of services, one for all clusters: nobody outside a node speaks to them.
pub(super) const SERVICES: &str = "10.96.0.0/16";

/// etcd and an API server on this machine, without a node: resources can be made, watched and removed, and nothing happens by
/// itself. No admission asks for a service account, as nothing makes them. All is gone when it is dropped, or when this
/// process ends in whatever way.
#[derive(Debug)]
pub struct ControlPlane {
    memory: Memory,
}

impl ControlPlane {
    /// Starts one; it answers, and the namespace `default` is there.
    ///
    /// Errors: a program is missing, or does not come up.
    pub fn start() -> Result<Self> {
        Ok(Self { memory: Memory::alone()? })
    }

    /// `kubectl` as one who may do everything.
    pub const fn kubectl(&self) -> &Kubectl {
        &self.memory.kubectl
    }

    /// The folder with its logs, which goes with it.
    pub fn folder(&self) -> &Path {
        &self.memory.folder
    }

    /// Ends it, and waits until nothing of it is left.
    ///
    /// Errors: a part does not end.
    pub fn end(mut self) -> Result<()> {
        self.memory.end()
    }
}

/// Removes a run folder, if its guard has not done so.
fn removed(folder: &Path) {
    let _gone = fs::remove_dir_all(folder);
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Err(error) = self.memory.end() {
            eprintln!("{error}");
        }
    }
}

/// Where the two run.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The run folder.
    pub(super) folder: &'a Path,
    /// The API server's address; etcd is for the loopback alone.
    pub(super) at: Ipv4Addr,
    /// Ports.
    pub(super) ports: Ports,
    /// The namespaces of a node; none for this machine.
    pub(super) space: Option<&'a Space>,
}

/// The ports of the two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    etcd: u16,
    peers: u16,
    api: u16,
}

impl Ports {
    /// Those that everybody knows: in a network of one's own they are free.
    pub(super) const USUAL: Self = Self { etcd: 2379, peers: 2380, api: 6443 };

    /// Three that nobody listens on now.
    fn free() -> Result<Self> {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let bound = [listen(), listen(), listen()].map(|listener| listener.and_then(|it| it.local_addr()));
        match bound {
            [Ok(etcd), Ok(peers), Ok(api)] => Ok(Self { etcd: etcd.port(), peers: peers.port(), api: api.port() }),
            _ => Err(Trouble::new("127.0.0.1 has no three free ports")),
        }
    }
}

/// The two, running.
#[derive(Debug)]
pub(super) struct Memory {
    /// Who signs.
    pub(super) authority: Authority,
    /// The API server's address, for kubeconfigs.
    pub(super) server: String,
    /// As one who may do everything.
    pub(super) kubectl: Kubectl,
    pub(super) folder: PathBuf,
    etcd: Part,
    api: Mutex<Part>,
    /// How the API server is started.
    command: Command,
}

impl Memory {
    /// Starts both on this machine, in a new folder; the API server answers.
    ///
    /// Errors: a program is missing, or does not come up.
    pub(super) fn alone() -> Result<Self> {
        let mut why = Trouble::new("no start");
        for _ in 0..STARTS {
            let folder = folder::make()?;
            let ports = Ports::free()?;
            let place = Place { folder: &folder, at: Ipv4Addr::LOCALHOST, ports, space: None };
            let mut memory = Self::start(&place).inspect_err(|_| removed(&folder))?;
            match memory.wait() {
                Ok(()) => return Ok(memory),
                Err(error) if error.to_string().contains("address already in use") => why = error,
                Err(error) => return Err(error),
            }
        }
        Err(why)
    }

    /// Starts both. The API server asks for etcd until it is there.
    ///
    /// Errors: a program is missing.
    pub(super) fn start(place: &Place<'_>) -> Result<Self> {
        let programs = [programs::find("etcd")?, programs::find(API)?];
        let logs = folder::inner(place.folder, "logs")?;
        let authority = Authority::new(place.folder)?;
        let server = format!("https://{}:{}", place.at, place.ports.api);
        let who = Who { organisation: "fleetloom", user: "kube-apiserver" };
        authority.server("api-server", &who, place.at)?;
        authority.client("kubelet-client", &Who::API_SERVER, &server)?;
        let kubectl = Kubectl::new(&authority.client("admin", &Who::ADMIN, &server)?)?;
        let [etcd, command] = [etcd(&programs[0], place), api(&programs[1], place, &authority)];
        let start = |name, command: &Command, remove| match place.space {
            None => Part::guarded(name, command, &logs, remove),
            Some(space) => Part::inside(name, space.enter(command), &logs),
        };
        let etcd = start("etcd", &etcd, Some(place.folder))?;
        let api = Mutex::new(start(API, &command, None)?);
        Ok(Self { authority, server, kubectl, folder: place.folder.to_owned(), etcd, api, command })
    }

    /// Starts the API server of a node again, which was killed.
    ///
    /// Errors: the one before does not end, or it cannot be started.
    pub(super) fn start_api_again(&self, space: &Space) -> Result<()> {
        let mut api = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        api.stop()?;
        *api = Part::inside(API, space.enter(&self.command), &self.folder.join("logs"))?;
        Ok(())
    }

    /// Waits until the API server answers.
    ///
    /// Errors: one of them ended, or it does not before the deadline.
    pub(super) fn wait(&mut self) -> Result<()> {
        let waited = wait::until("the API server answers", DEADLINE, POLL, || {
            self.alive()?;
            let ready = self.kubectl.raw("/readyz").is_ok();
            Ok((ready && self.kubectl.get("namespace", "default").is_ok_and(|found| found.is_some())).then_some(()))
        });
        waited.map_err(|error| Trouble::new(format!("{error}\n{}", self.api().said())))
    }

    /// Insists that both are still running.
    ///
    /// Errors: one ended; the last lines of its log.
    pub(super) fn alive(&mut self) -> Result<()> {
        self.etcd.alive()?;
        self.api().alive()
    }

    fn api(&mut self) -> &mut Part {
        self.api.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends both.
    ///
    /// Errors: one does not end.
    pub(super) fn end(&mut self) -> Result<()> {
        let ended = self.api().stop().and(self.etcd.stop());
        removed(&self.folder);
        ended
    }
}

fn etcd(program: &Path, place: &Place<'_>) -> Command {
    let [clients, peers] = [place.ports.etcd, place.ports.peers].map(|port| format!("http://127.0.0.1:{port}"));
    let mut command = Command::new(program);
    command.arg("--data-dir").arg(place.folder.join("etcd"));
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("default={peers}")]);
    // What a test remembers need not survive a power cut.
    command.args(["--unsafe-no-fsync", "--log-level", "warn"]);
    command
}

fn api(program: &Path, place: &Place<'_>, authority: &Authority) -> Command {
    let (at, port) = (place.at.to_string(), place.ports.api.to_string());
    let mut command = Command::new(program);
    command.args(["--etcd-servers", &format!("http://127.0.0.1:{}", place.ports.etcd)]);
    command.args(["--bind-address", &at, "--advertise-address", &at, "--secure-port", &port]);
    command.args(["--service-cluster-ip-range", SERVICES, "--authorization-mode", "Node,RBAC"]);
    command.args(["--service-account-issuer", "https://kubernetes.default.svc", "--allow-privileged=true"]);
    // The name of the node means nothing to any resolver.
    command.args(["--kubelet-preferred-address-types", "InternalIP"]);
    command.arg("--cert-dir").arg(place.folder);
    for (flag, file) in [
        ("--client-ca-file", "ca.crt"),
        ("--tls-cert-file", "api-server.crt"),
        ("--tls-private-key-file", "api-server.key"),
        ("--service-account-key-file", "accounts.pub"),
        ("--service-account-signing-key-file", "accounts.key"),
        ("--kubelet-certificate-authority", "ca.crt"),
        ("--kubelet-client-certificate", "kubelet-client.crt"),
        ("--kubelet-client-key", "kubelet-client.key"),
    ] {
        command.arg(flag).arg(authority.file(file));
    }
    match place.space {
        Some(_) => command.args(["--enable-admission-plugins", "NodeRestriction"]),
        // Nothing makes service accounts, nor takes from a node the taint that it begins with, and no pod reaches 127.0.0.1.
        None => command.args([
            "--disable-admission-plugins",
            "ServiceAccount,TaintNodesByCondition",
            "--endpoint-reconciler-type",
            "none",
        ]),
    };
    command
}
