//! A part of a cluster: one started program with a log, and how it ends. A part on this machine has a guard that kills it as
//! soon as whoever started it is gone; one in the namespaces of a node needs none, for it ends with them.

use super::{On, Result, Trouble, wait};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Until a part is gone that was told so. What is killed goes at once; a busy machine takes a moment to say so.
const END: Duration = Duration::from_secs(30);

/// How often it is asked whether it is.
const POLL: Duration = Duration::from_millis(5);

/// How much of a log is shown when its part ended too early, lines.
const SHOWN: usize = 15;

/// How much of a line, characters: containerd begins with all its settings in one.
const WIDE: usize = 240;

/// Runs a program and kills it when the pipe on stdin is closed, which the kernel does for whoever held it, however they ended.
/// Then it removes the folder that it was given, if any. Only what still runs is killed: a number that is free may be another's.
const GUARD: &str = r#"
folder=$1; shift
exec 3<&0
"$@" 3<&- </dev/null &
part=$!
{ read -r _ <&3; } >/dev/null 2>&1 &
closed=$!
wait -n -p ended "$part" "$closed" 2>/dev/null
kill -KILL $(jobs -pr)
wait 2>/dev/null
[ "$ended" != "$closed" ] || [ -z "$folder" ] || rm -rf -- "$folder"
"#;

/// A started program.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Part {
    /// Starts a program on this machine. When it ends, so does `remove`, a folder.
    ///
    /// Errors: it cannot be started.
    pub(super) fn guarded(name: &'static str, command: &Command, logs: &Path, remove: Option<&Path>) -> Result<Self> {
        let mut guard = Command::new("bash");
        guard.args(["-c", GUARD, "guard"]).arg(remove.unwrap_or(Path::new("")));
        guard.arg(command.get_program()).args(command.get_args()).stdin(Stdio::piped());
        Self::start(name, guard, logs)
    }

    /// Starts a program that enters the namespaces of a node.
    ///
    /// Errors: it cannot be started.
    pub(super) fn inside(name: &'static str, mut command: Command, logs: &Path) -> Result<Self> {
        command.stdin(Stdio::null());
        Self::start(name, command, logs)
    }

    fn start(name: &'static str, mut command: Command, logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let file = fs::File::options().create(true).append(true).open(&log).on(log.display())?;
        command.stderr(file.try_clone().on(log.display())?).stdout(file);
        // A Ctrl-C is for whoever holds the cluster, not for its parts.
        command.process_group(0);
        let child = command.spawn().on(name)?;
        Ok(Self { name, child, log })
    }

    /// Insists that it is still running.
    ///
    /// Errors: it ended; the last lines of its log.
    pub(super) fn alive(&mut self) -> Result<()> {
        match self.child.try_wait().on(self.name)? {
            None => Ok(()),
            Some(status) => Err(Trouble::new(format!("{} ended with {status}\n{}", self.name, self.said()))),
        }
    }

    /// The last lines of its log, below its name.
    pub(super) fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(|line| line.chars().take(WIDE).collect::<String>()).collect();
        format!("--- {}\n{}", self.name, lines[lines.len().saturating_sub(SHOWN)..].join("\n"))
    }

    /// Lets its guard kill it, and waits until both are gone.
    ///
    /// Errors: it is not gone within a time that nothing needs.
    pub(super) fn stop(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        wait::until(&format!("the end of {}", self.name), END, POLL, || self.child.try_wait().on(self.name))?;
        Ok(())
    }
}
