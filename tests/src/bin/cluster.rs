//! `fleetloom-cluster`: a Kubernetes node of this machine's own for trying things out, by the harness of the tests. Not for
//! production: its disk may lose everything, and its certificates last two days.

use fleetloom_tests::cluster::{self, Cluster, ControlPlane, Image, Marks, Trouble};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "A Kubernetes node on this machine, for trying Fleetloom out (root; Debian)

fleetloom-cluster up [FOLDER]       start it; stdout says what to type, Ctrl-C takes down what was started
fleetloom-cluster down [FOLDER]     end it; nothing of it is left
fleetloom-cluster status [FOLDER]   is it there, and what runs on it; 1 if it is not
fleetloom-cluster load ARCHIVE      give the image in a tar to the one in the usual folder
fleetloom-cluster api               etcd and an API server alone, without root, until Ctrl-C
fleetloom-cluster help

FOLDER holds its data, certificates and logs while it is up: ~/.cache/fleetloom/cluster unless it is given.

Example: eval \"$(fleetloom-cluster up)\" && kubectl get nodes
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["up"] => up(&usual()),
        ["up", folder] => up(folder.as_ref()),
        ["down"] => down(&usual()),
        ["down", folder] => down(folder.as_ref()),
        ["status"] => status(&usual()),
        ["status", folder] => status(folder.as_ref()),
        ["api"] => api(),
        ["load", archive] => load(archive.as_ref()),
        ["help" | "--help" | "-h"] => said(HELP),
        _ => Err(Trouble::new(format!(
            "`fleetloom-cluster help` says what can be asked for, which is not {arguments:?}"
        ))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("error: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Where it lies unless a folder is given.
fn usual() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".cache/fleetloom/cluster")
}

fn up(folder: &Path) -> cluster::Result<()> {
    let folder = cluster::empty(folder)?;
    let cluster = Cluster::start_in(&folder, |step, elapsed| eprintln!("{:6.1} s  {step}", elapsed.as_secs_f64()))?;
    let probe = Image::probe(&folder)?;
    cluster.import(&probe)?;
    let kubeconfig = cluster.kubectl().kubeconfig().display().to_string();
    let programs = cluster.kubectl().programs().display().to_string();
    let (endpoint, keys) = (cluster.store().endpoint(), cluster.store().keys().clone());
    cluster.keep()?;
    eprintln!("The S3 server at {endpoint} has the buckets telemetry (with versions) and features. Type:\n");
    said(&format!(
        "export KUBECONFIG={kubeconfig}\nexport PATH={programs}:$PATH\n\
         export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}\n",
        keys.id, keys.secret
    ))
}

fn down(folder: &Path) -> cluster::Result<()> {
    match cluster::kept(folder) {
        None => eprintln!("no cluster is in {}", folder.display()),
        Some(node) => node.end()?,
    }
    Ok(())
}

fn api() -> cluster::Result<()> {
    let plane = ControlPlane::start()?;
    said(&format!("export KUBECONFIG={}\n", plane.kubectl().kubeconfig().display()))?;
    eprintln!("Ctrl-C ends it.");
    loop {
        // Its guards see the end of this process, and end it too.
        std::thread::park();
    }
}

fn load(archive: &Path) -> cluster::Result<()> {
    alive(&usual())?.import(archive)
}

/// The cluster that is up in a folder.
fn alive(folder: &Path) -> cluster::Result<Marks> {
    let node = cluster::kept(folder).filter(Marks::alive);
    node.ok_or_else(|| Trouble::new(format!("no cluster is up in {}", folder.display())))
}

fn status(folder: &Path) -> cluster::Result<()> {
    let node = alive(folder)?;
    let kubectl = node.kubectl()?;
    let pods = kubectl.run(&["get", "nodes,pods", "--all-namespaces", "-o", "wide"])?;
    said(&format!("export KUBECONFIG={}\n\n{pods}", kubectl.kubeconfig().display()))
}

/// Writes to stdout.
fn said(text: &str) -> cluster::Result<()> {
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.map_err(|error| Trouble::new(format!("stdout: {error}")))
}
