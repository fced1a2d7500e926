//! Signals to parts of a node, sent from this machine: so a test can stop, freeze and kill what holds a cluster together.

use super::pods::all;
use super::space::Marks;
use super::{On, Result, Trouble};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};

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
    let number = process.file_name().and_then(|name| name.to_string_lossy().parse().ok());
    let pid = number.and_then(Pid::from_raw).ok_or_else(|| Trouble::new("a process has a number above 0"))?;
    kill_process(pid, signal).on(process.display())
}
