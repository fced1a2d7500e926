//! The program under test: found, started, watched by a deadline, signalled, and judged by its exit code.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// No run of a test takes longer on two slow cores; one that does hangs.
const DEADLINE: Duration = Duration::from_secs(240);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(1);

/// Where the program lies: `FLEETLOOM_BIN`, or `fleetloom` in the folder that Cargo put this test's executable under.
///
/// # Panics
/// When it is not there: a test never passes by skipping.
pub fn path() -> PathBuf {
    let path = std::env::var_os("FLEETLOOM_BIN").map_or_else(beside, PathBuf::from);
    assert!(path.is_file(), "{} is not there: build it with `cargo build --release -p fleetloom`", path.display());
    path
}

/// `target/release/fleetloom` for a test in `target/release/deps/`.
fn beside() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    test.ancestors().nth(2).expect("the test lies in deps/").join("fleetloom")
}

/// Runs `fleetloom` with arguments to its end.
pub fn fleetloom<S: AsRef<OsStr>>(arguments: &[S]) -> Outcome {
    start(arguments).finish()
}

/// Starts `fleetloom` with arguments.
pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Running {
    let mut command = Command::new(path());
    command.args(arguments);
    Running::start(command)
}

/// Runs `fleetloom` with arguments and nothing but these variables to its end; see [`start_with`].
pub fn fleetloom_with<S: AsRef<OsStr>>(environment: &[(&str, &str)], arguments: &[S]) -> Outcome {
    start_with(environment, arguments).finish()
}

/// Starts `fleetloom` with arguments and nothing but these variables. It asks no metadata service for keys, which would be off
/// this machine, unless the variables say where one is.
pub fn start_with<S: AsRef<OsStr>>(environment: &[(&str, &str)], arguments: &[S]) -> Running {
    let mut command = Command::new(path());
    command.args(arguments).env_clear().env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
    Running::start(command)
}

/// Runs `fleetloom run -f FILE`.
pub fn run(file: &Path) -> Outcome {
    fleetloom(&[OsStr::new("run"), OsStr::new("-f"), file.as_os_str()])
}

/// Runs `fleetloom check -f FILE`.
pub fn check(file: &Path) -> Outcome {
    fleetloom(&[OsStr::new("check"), OsStr::new("-f"), file.as_os_str()])
}

/// A started process. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    command: String,
    pid: Pid,
    started: Instant,
    ended: Receiver<(ExitStatus, Instant)>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    /// Starts a command with no standard input, collecting what it says.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let text = format!("{command:?}");
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{text}: {error}"));
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        let pid = Pid::from_child(&child);
        Self { command: text, pid, started, ended: watch(child), stdout, stderr }
    }

    /// Sends a signal; one that comes after the end is lost.
    pub fn signal(&self, signal: Signal) {
        if running(self.pid) {
            let _gone = kill_process(self.pid, signal);
        }
    }

    /// Waits until `holds` or the process has ended; says whether it held first.
    pub fn wait_until(&self, mut holds: impl FnMut() -> bool) -> bool {
        while !holds() {
            if self.started.elapsed() > DEADLINE || !running(self.pid) {
                return false;
            }
            thread::park_timeout(POLL);
        }
        true
    }

    /// Lets `time` pass, or less when the process ends before.
    pub fn let_pass(&self, time: Duration) {
        let until = Instant::now() + time;
        self.wait_until(|| Instant::now() >= until);
    }

    /// Watches the process to its end; the most memory it had resident, KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.pid.as_raw_nonzero());
        let mut peak = 0;
        self.wait_until(|| {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
            peak = now.unwrap_or(0).max(peak);
            false
        });
        peak
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When the deadline passes: the process is killed and what it said is shown.
    pub fn finish(self) -> Outcome {
        let (status, ended) = match self.ended.recv_timeout(DEADLINE) {
            Ok(end) => end,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let _gone = kill_process(self.pid, Signal::KILL);
                let said = self.stderr.recv().unwrap_or_default();
                panic!("{} did not end within {DEADLINE:?}; it said:\n{said}", self.command);
            }
        };
        Outcome {
            command: self.command.clone(),
            status,
            stdout: self.stdout.recv().unwrap_or_default(),
            stderr: self.stderr.recv().unwrap_or_default(),
            elapsed: ended - self.started,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody has waited for it yet: its number is still its own.
        if matches!(self.ended.try_recv(), Err(TryRecvError::Empty)) {
            let _gone = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// Whether a process is there and no zombie.
fn running(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

/// Waits for a child on a thread of its own.
fn watch(mut child: Child) -> Receiver<(ExitStatus, Instant)> {
    let (tell, ended) = channel();
    thread::spawn(move || {
        let status = child.wait().expect("a child can be waited for");
        tell.send((status, Instant::now()))
    });
    ended
}

/// Reads a pipe to its end on a thread of its own.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, said) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _torn = pipe.read_to_end(&mut bytes);
        tell.send(String::from_utf8_lossy(&bytes).into_owned())
    });
    said
}

/// What a process did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
}

impl Outcome {
    /// The exit code; 128 + the signal for a process that a signal ended, as shells say it.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Insists on an exit code, and that there was no panic whatever the code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self}");
        assert!(!self.stderr.contains("panicked at"), "{self}");
        self
    }

    /// Insists that stdout or stderr says this.
    pub fn says(self, words: &str) -> Self {
        assert!(self.stdout.contains(words) || self.stderr.contains(words), "it should say {words:?}\n{self}");
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr, .. } = self;
        write!(f, "{command}\nended with {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
