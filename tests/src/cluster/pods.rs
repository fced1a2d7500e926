//! Processes as this machine sees them, those in pods among them: so a test can do to a worker, or to a part of the node, what
//! the world does.

use super::space::Marks;
use super::{On, Result, Trouble};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Sends a signal to every process of a pod's containers; what holds its namespaces is left alone.
///
/// Errors: no container of it runs.
pub fn signal(pod: &Value, signal: Signal) -> Result<()> {
    let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let ids: Vec<_> = containers.filter_map(|it| it["containerID"].as_str()?.strip_prefix("containerd://")).collect();
    let inside = |process: &PathBuf| {
        let group = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        ids.iter().any(|id| group.contains(id))
    };
    let found: Vec<_> = all().filter(inside).collect();
    if found.is_empty() {
        return Err(Trouble::new(format!("no container of pod {} runs", pod["metadata"]["name"])));
    }
    found.iter().try_for_each(|process| send(process, signal))
}

impl Marks {
    /// Sends a signal to a part of the node, by the name of its program: `kube-scheduler`.
    ///
    /// Errors: it does not run.
    pub fn signal(&self, part: &str, signal: Signal) -> Result<()> {
        let found = all().find(|process| is_program(process, part) && self.own(process));
        let found = found.ok_or_else(|| Trouble::new(format!("{part} does not run on the node")))?;
        let entered = parent(&found);
        send(&found, signal)?;
        match entered.filter(|_| signal != Signal::STOP) {
            // nsenter stops itself when what it started is stopped, and would never see its end.
            Some(entered) => send(&entered, Signal::CONT),
            None => Ok(()),
        }
    }
}

/// Whether a process was started as that program.
fn is_program(process: &Path, name: &str) -> bool {
    let words = fs::read(process.join("cmdline")).unwrap_or_default();
    let first = words.split(|byte| *byte == 0).next().unwrap_or_default();
    Path::new(&*String::from_utf8_lossy(first)).file_name().is_some_and(|file| file == name)
}

/// Who started a process.
fn parent(process: &Path) -> Option<PathBuf> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The second field, a name in brackets, may hold anything; this is the fourth.
    let number = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
    Some(Path::new("/proc").join(number))
}

fn send(process: &Path, signal: Signal) -> Result<()> {
    let number = process.file_name().unwrap_or_default().to_string_lossy().parse().ok();
    let pid = number.and_then(Pid::from_raw).ok_or_else(|| Trouble::new("a process has a number above 0"))?;
    kill_process(pid, signal).on(process.display())
}

/// The folders of all processes in `/proc`.
pub(super) fn all() -> impl Iterator<Item = PathBuf> {
    let numbers = names("/proc").filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    numbers.map(|number| Path::new("/proc").join(number))
}

/// The names in a folder of the system; none if it is not there.
pub(super) fn names(folder: &str) -> impl Iterator<Item = String> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned())
}
