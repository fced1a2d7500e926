//! Processes as this machine sees them, those in pods among them: so a test can do to a worker what the world does, and see what
//! it sees.

use super::space::done;
use super::{On, Result, Trouble};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sends a signal to every process of a pod's containers; what holds its namespaces is left alone.
///
/// Errors: no container of it runs.
pub fn signal(pod: &Value, signal: Signal) -> Result<()> {
    inside(pod)?.iter().try_for_each(|process| send(process, signal))
}

/// Sends a signal to a process, by its folder.
pub(super) fn send(process: &Path, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(number(process)).ok_or_else(|| Trouble::new("a process has a number above 0"))?;
    kill_process(pid, signal).on(process.display())
}

/// The variables of a pod's processes, each as `NAME=value`.
///
/// Errors: no container of it runs.
pub fn variables(pod: &Value) -> Result<Vec<String>> {
    let of = |process: &PathBuf| fs::read(process.join("environ")).on(process.display());
    let texts: Vec<_> = inside(pod)?.iter().map(of).collect::<Result<_>>()?;
    let variables = texts.iter().flat_map(|text| text.split(|byte| *byte == 0)).filter(|text| !text.is_empty());
    Ok(variables.map(|text| String::from_utf8_lossy(text).into_owned()).collect())
}

/// What a command of this machine says on a pod's network.
///
/// Errors: no container of it runs, or the command ends badly.
pub fn on_network(pod: &Value, command: &[&str]) -> Result<String> {
    let inside = inside(pod)?;
    let process = inside.first().ok_or_else(|| Trouble::new("no process"))?;
    let mut entering = Command::new("nsenter");
    entering.args(["--target", &number(process).to_string(), "--net", "--"]).args(command);
    Ok(String::from_utf8_lossy(&done(&mut entering)?.stdout).into_owned())
}

/// The folders in `/proc` of all processes of a pod's containers: at least one.
fn inside(pod: &Value) -> Result<Vec<PathBuf>> {
    let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let ids: Vec<_> = containers.filter_map(|it| it["containerID"].as_str()?.strip_prefix("containerd://")).collect();
    let is_inside = |process: &PathBuf| {
        let group = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        ids.iter().any(|id| group.contains(id))
    };
    let found: Vec<_> = all().filter(is_inside).collect();
    match found.is_empty() {
        true => Err(Trouble::new(format!("no container of pod {} runs", pod["metadata"]["name"]))),
        false => Ok(found),
    }
}

/// A process's number, of its folder.
fn number(process: &Path) -> i32 {
    process.file_name().and_then(|name| name.to_string_lossy().parse().ok()).unwrap_or(0)
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
