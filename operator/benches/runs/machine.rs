//! On what it was measured: processor, memory, programs, the state of the code.

use fleetloom_tests::cluster::find;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The machine and the programs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) linux: String,
    pub(crate) kubernetes: String,
    pub(crate) etcd: String,
    pub(crate) operator: String,
    pub(crate) date: String,
}

impl Machine {
    /// This one, now.
    pub(crate) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let line = |text: &str, begin: &str| {
            let found = text.lines().find(|line| line.starts_with(begin));
            found.and_then(|line| line.split_once(':')).map_or(String::new(), |(_, rest)| rest.trim().to_owned())
        };
        let memory_kib = line(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
        Self {
            processor: line(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: memory_kib.div_ceil(1024 * 1024),
            linux: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            kubernetes: version("kube-apiserver"),
            etcd: version("etcd"),
            operator: format!("{} ({})", env!("CARGO_PKG_VERSION"), commit()),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

/// The last word of what a program says of its version, in its first line.
fn version(name: &str) -> String {
    let said = find(name).ok().map(|program| said(program.as_path(), &["--version"])).unwrap_or_default();
    let first = said.lines().next().unwrap_or_default();
    first.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// The commit that was measured; `+` where more had changed.
fn commit() -> String {
    said(Path::new("git"), &["describe", "--always", "--dirty=+", "--exclude=*"]).trim().to_owned()
}

fn said(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
