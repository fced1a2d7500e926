//! The namespaces of a node (mounts, network, processes), who keeps them, and the one pair of interfaces that leads in.
//!
//! ```text
//! this process ──pipe──► keeper (bash) ── unshare ── first process ◄── every part enters here (`Space::enter`)
//! ```
//!
//! The first process ends when the pipe does, that is with whoever started it, however that ended; with it the kernel kills all
//! the others. The keeper then removes control groups and the run folder. `Space::keep` lets a node outlive its starter.

use super::address::{Network, TRIED, destinations};
use super::{Kubectl, On, Result, Trouble, folder, programs, wait};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Until a node has ended: the kernel kills its processes at once, and takes a moment for their mounts.
const END: Duration = Duration::from_secs(60);

/// How often it is looked.
const POLL: Duration = Duration::from_millis(10);

/// The file of the run folder that says how to find a node that is kept.
const RECORD: &str = "node.json";

/// The bridge's own hardware address. Without one it takes the lowest of what hangs on it, another with every pod that comes and
/// goes, and this machine speaks to the old one for half a minute.
const BRIDGE: &str = "02:00:00:00:00:01";

/// The variable that every process of a node has, those in pods aside, with the name of its control group.
pub(super) const NODE: &str = "FLEETLOOM_NODE";

/// Folders of the system that a node does not see: it has empty ones of its own there.
const HIDDEN: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// The namespaces of one node.
#[derive(Debug)]
pub(super) struct Space {
    keeper: Child,
    marks: Marks,
    network: Network,
}

/// By what one finds a node from outside: all that could be left of it. Numbers and names that another may have later stand with
/// something that nobody has again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Its first process, as this machine numbers them.
    pub(super) first: i32,
    /// When that one was started, ticks of the clock since this machine was.
    started: u64,
    /// The control group above all its pods. Its processes have the name in [`NODE`].
    pub(super) group: String,
    /// The interface on this machine.
    pub(super) interface: String,
    /// The number that this machine gave it.
    pub(super) index: u64,
    /// The run folder.
    pub(super) folder: PathBuf,
}

impl Space {
    /// Makes the namespaces, with a network in them that leads to this machine. The folder is theirs from now on.
    ///
    /// Errors: not root, no free network, or a tool is missing.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        if let Some(why) = impossible(folder) {
            let _empty = fs::remove_dir(folder);
            return Err(why);
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let group = format!("fleetloom-{}-{name}", std::process::id());
        let mut keeper = Command::new("bash")
            .args(["-c", include_str!("keeper.sh"), "keeper"])
            .arg(folder)
            .args([&group, include_str!("inside.sh")])
            .env(NODE, &group)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .on("bash")?;
        let first = ready(&mut keeper)?;
        let network = claim(first)?;
        let gone = || Trouble::new("the first process of the node ended at once");
        let (started, interface) = (started(first).ok_or_else(gone)?, network.interface());
        let index = index(&interface).ok_or_else(gone)?;
        let marks = Marks { first, started, group, interface, index, folder: folder.to_owned() };
        let space = Self { keeper, marks, network };
        space.connect()?;
        folder::write(folder, RECORD, &space.marks.json().to_string())?;
        Ok(space)
    }

    /// Its addresses.
    pub(super) const fn network(&self) -> Network {
        self.network
    }

    /// By what it is found.
    pub(super) const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The same command in these namespaces.
    pub(super) fn enter(&self, command: &Command) -> Command {
        let mut entering = Command::new("nsenter");
        entering.args(["--target", &self.marks.first.to_string(), "--mount", "--net", "--pid", "--"]);
        entering.arg(command.get_program()).args(command.get_args());
        // Parts of a node look for further programs, which not every PATH names.
        let path = std::env::var("PATH").unwrap_or_default();
        entering.env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin")).env(NODE, &self.marks.group);
        entering
    }

    /// Lets the node live on when this process ends.
    ///
    /// Errors: it has ended.
    pub(super) fn keep(&mut self) -> Result<()> {
        let pipe = self.keeper.stdin.as_mut().ok_or_else(|| Trouble::new("the node has ended"))?;
        pipe.write_all(b"keep\n").on("the node")
    }

    /// Ends it and waits until its keeper has removed everything.
    ///
    /// Errors: the keeper is still at it after a time that nothing needs.
    pub(super) fn end(&mut self) -> Result<()> {
        drop(self.keeper.stdin.take());
        self.marks.kill();
        wait::until("the end of the node", END, POLL, || self.keeper.try_wait().on("the keeper of the node"))?;
        Ok(())
    }

    /// Gives both sides their addresses.
    fn connect(&self) -> Result<()> {
        let (network, ip) = (self.network, programs::find("ip")?);
        let outside = format!(
            "address add {}/16 dev {interface}\nlink set {interface} up\n",
            network.machine(),
            interface = network.interface()
        );
        let inside = format!(
            "link add node0 address {BRIDGE} type bridge\naddress add {}/16 dev node0\nlink set node0 up\n\
             link set uplink master node0\nlink set uplink up\n",
            network.node()
        );
        let lines = |name, text: &str| folder::write(&self.marks.folder, name, text);
        let mut command = Command::new(&ip);
        command.arg("-batch").arg(lines("outside.ip", &outside)?);
        done(&mut command)?;
        let mut command = Command::new(&ip);
        command.arg("-batch").arg(lines("inside.ip", &inside)?);
        done(&mut self.enter(&command))?;
        Ok(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{error}");
        }
    }
}

impl Marks {
    fn of_kept(folder: &Path) -> Option<Self> {
        let record: Value = serde_json::from_str(&fs::read_to_string(folder.join(RECORD)).ok()?).ok()?;
        let text = |name: &str| record[name].as_str().map(str::to_owned);
        let first = i32::try_from(record["first"].as_i64()?).ok()?;
        let marks = Self {
            first,
            started: record["started"].as_u64()?,
            group: text("group")?,
            interface: text("interface")?,
            index: record["index"].as_u64()?,
            folder: folder.to_owned(),
        };
        Some(marks)
    }

    /// Whether its first process is there: the number alone could be another's by now.
    pub fn alive(&self) -> bool {
        started(self.first) == Some(self.started)
    }

    /// Kills the first process, and with it every other.
    pub(super) fn kill(&self) {
        if let (true, Some(first)) = (self.alive(), Pid::from_raw(self.first)) {
            let _gone = kill_process(first, Signal::KILL);
        }
    }

    /// Kills a node that was kept and waits until its keeper has removed the folder, which it does last. One that went down with
    /// the machine has no keeper any more.
    ///
    /// Errors: the folder is still there after a time that nothing needs.
    pub fn end(&self) -> Result<()> {
        match self.alive() {
            true => self.kill(),
            false => fs::remove_dir_all(&self.folder).on(self.folder.display())?,
        }
        wait::until("the end of the node", END, POLL, || Ok((!self.folder.exists()).then_some(())))
    }

    /// `kubectl` as one who may do everything.
    ///
    /// Errors: the program is not there.
    pub fn kubectl(&self) -> Result<Kubectl> {
        Kubectl::new(&self.folder.join("certificates/admin.kubeconfig"))
    }

    fn json(&self) -> Value {
        let Self { first, started, group, interface, index, .. } = self;
        json!({"first": first, "started": started, "group": group, "interface": interface, "index": index})
    }
}

/// Why there can be no node in this folder, if so.
fn impossible(folder: &Path) -> Option<Trouble> {
    if !geteuid().is_root() {
        let why =
            "a node needs root, for its mounts, interfaces and control groups; `make test-local` is without such tests";
        return Some(Trouble::new(why));
    }
    let hidden = HIDDEN.iter().find(|hidden| folder.starts_with(hidden))?;
    Some(Trouble::new(format!("{}: a node sees nothing below {hidden}: choose another folder", folder.display())))
}

/// The node that was kept in a folder, alive or not; none if there is no such node.
pub fn kept(folder: &Path) -> Option<Marks> {
    Marks::of_kept(folder)
}

/// When a process was started, ticks of the clock since this machine was; none if it is not there.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, a name in brackets, may hold anything; this is the 22nd.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The number of an interface; none if it is not there.
pub(super) fn index(interface: &str) -> Option<u64> {
    fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()?.trim().parse().ok()
}

/// Waits until the first process says that it is ready, and gives its number.
fn ready(keeper: &mut Child) -> Result<i32> {
    let said = BufReader::new(keeper.stdout.take().ok_or_else(|| Trouble::new("the keeper has no stdout"))?);
    let mut lines = Vec::new();
    for line in said.lines().map_while(std::result::Result::ok) {
        if let Some(pid) = line.strip_prefix("ready ").and_then(|pid| pid.parse().ok()) {
            return Ok(pid);
        }
        lines.push(line);
    }
    Err(Trouble::new(format!("the namespaces of a node cannot be made: {}", lines.join("\n"))))
}

/// Makes the pair of interfaces whose name claims a network.
fn claim(first: i32) -> Result<Network> {
    let ip = programs::find("ip")?;
    let routes = done(Command::new(&ip).args(["-json", "route", "show", "table", "all"]))?;
    let routes = destinations(&serde_json::from_slice(&routes.stdout).on("what `ip route` says")?);
    let mut why = "a route of this machine leads into each".to_owned();
    for network in TRIED.map(|second| Network { second }).filter(|network| !network.taken(&routes)) {
        let (name, first) = (network.interface(), first.to_string());
        let pair = ["link", "add", &name, "type", "veth", "peer", "name", "uplink", "netns", &first];
        match done(Command::new(&ip).args(pair)) {
            Ok(_) => return Ok(network),
            Err(error) => why = error.to_string(),
        }
    }
    Err(Trouble::new(format!("no free network from 10.{}.0.0/16 to 10.{}.0.0/16: {why}", TRIED.start(), TRIED.end())))
}

/// Runs a command to its good end.
///
/// Errors: it cannot be started, or ends with another code; what it said.
pub(super) fn done(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().on(&program)?;
    match output.status.success() {
        true => Ok(output),
        false => Err(Trouble::new(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}
