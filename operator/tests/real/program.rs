//! The operator as a process of its own, as a cluster runs it, and what processes cost.

use super::World;
use super::count::Counts;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Until it must be ready, on two slow cores that do other things too.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(50);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ticks of the kernel's accounts, on every machine that this is run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A started operator. Dropping it kills it.
pub(crate) struct Operator {
    child: Child,
    metrics: u16,
    health: u16,
    log: PathBuf,
}

impl Operator {
    /// Starts one as the user of a kubeconfig, and waits until it is ready.
    pub(crate) fn start(world: &World, kubeconfig: &Path) -> Self {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let (metrics, health) = (free().expect("a free port").port(), free().expect("a free port").port());
        let log = world.folder().join(format!("operator-{metrics}.log"));
        let said = fs::File::create(&log).expect("a log can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleetloom-operator"));
        command.arg("run").args(["--metrics-port", &metrics.to_string(), "--health-port", &health.to_string()]);
        command.env("KUBECONFIG", kubeconfig).env_remove("WATCH_NAMESPACE").env("WORKER_IMAGE", "worker:1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let child = command.spawn().expect("the operator was built beside this");
        let mut operator = Self { child, metrics, health, log };
        operator.wait();
        operator
    }

    fn wait(&mut self) {
        let began = Instant::now();
        while !fetch(self.health, "/readyz").is_some_and(|answer| answer.contains("200 OK")) {
            let ended = self.child.try_wait().expect("a child can be asked for");
            assert!(
                ended.is_none() && began.elapsed() < DEADLINE,
                "the operator is not ready: {ended:?}\n{}",
                self.said()
            );
            std::thread::park_timeout(POLL);
        }
    }

    /// What it counts.
    pub(crate) fn counts(&self) -> Counts {
        Counts::parse(&fetch(self.metrics, "/metrics").expect("the operator answers"))
    }

    /// What it logged so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What an address of this machine answers, with its head; nothing where nobody listens yet.
pub(crate) fn fetch(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Seconds of processors that a process took so far, all its threads together.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    // A name may hold spaces: count from its end.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number of ticks");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// Bytes of a line of a process's status: `VmHWM`, the most memory that it had resident; `VmRSS`, what it has now.
pub(crate) fn memory_bytes(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let found = status.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
    let kib = found.and_then(|rest| rest.trim().strip_suffix(" kB")).expect("the kernel says so in KiB");
    kib.trim().parse::<u64>().expect("a number of KiB") * 1024
}

/// The process of that name that works in a folder: a part of the control plane whose folder it is.
pub(crate) fn part(folder: &Path, name: &str) -> u32 {
    let folder = folder.display().to_string();
    let numbers = fs::read_dir("/proc").expect("processes can be listed").flatten();
    let mut numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let found = numbers.find(|pid| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (comm, words) = (read("comm"), read("cmdline"));
        String::from_utf8_lossy(&comm).trim() == name && String::from_utf8_lossy(&words).contains(&folder)
    });
    found.unwrap_or_else(|| panic!("no {name} works in {folder}"))
}
