//! How a command ends: exit codes, and the one error type that all commands return.

use archive::error::ArchiveError;
use archive::store::StoreError;
use engine::compute::ComputeError;
use pipeline::act::Failure;
use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use table::error::TableError;

/// What a command gives: how it ended, or why it did not do what it was asked.
pub(crate) type Result<T = Exit> = std::result::Result<T, Fault>;

/// Exit codes: what a Job's failure policy, a script or a person can tell them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done and durable.
    Done = 0,
    /// The request is wrong: pipeline, expression, permission, plan hash.
    Request = 2,
    /// Done, with loss (`run --strict`).
    Loss = 3,
    /// Storage unavailable, or an answer unknown: run again.
    Storage = 4,
    /// Input or base changed: plan again.
    Changed = 5,
    /// Memory budget exceeded.
    Memory = 6,
    /// Refused by a gate: nothing published.
    Gate = 7,
    /// A broken promise of ours.
    Broken = 70,
    /// Asked to stop: nothing published.
    Stopped = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked: what failed, on which thing, what to do, and the exit code that says it to
/// programs.
#[derive(Debug)]
pub(crate) struct Fault {
    exit: Exit,
    message: String,
    details: Vec<String>,
    /// How many shards failed, and some of them.
    failed: (u64, Vec<Failure>),
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault with nothing behind it.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Vec::new(), failed: (0, Vec::new()), source: None }
    }

    /// The request is wrong.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(Exit::Request, message)
    }

    /// A promise of ours does not hold.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self::new(Exit::Broken, message)
    }

    /// Somebody asked us to stop.
    pub(crate) fn stopped() -> Self {
        Self::new(
            Exit::Stopped,
            "stopped as asked; nothing was published, finished shards are kept: run again to go on",
        )
    }

    /// An object that was listed cannot be read. One that is gone since then is a changed input, like one that was replaced.
    pub(crate) fn reading(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::caused(Exit::Changed, error),
            error => error.into(),
        }
    }

    /// Whether it meets the other shards of a plan too: a stop, a store that is away, a changed input.
    pub(crate) fn stops_all(&self) -> bool {
        matches!(self.exit, Exit::Stopped | Exit::Storage | Exit::Changed)
    }

    /// The same fault, saying besides what followed from it.
    pub(crate) fn noting(self, consequence: &Self) -> Self {
        Self { message: format!("{} ({consequence})", self.message), ..self }
    }

    /// The same fault, saying what to do.
    pub(crate) fn with_remedy(self, remedy: &str) -> Self {
        Self { message: format!("{}; {remedy}", self.message), ..self }
    }

    /// A fault with an error's words and causes.
    pub(crate) fn caused(exit: Exit, error: impl Error + Send + Sync + 'static) -> Self {
        let fault = Self::new(exit, error.to_string());
        Self { source: Some(Box::new(error)), ..fault }
    }

    /// The same with lines to be read below it, such as all mistakes of a file.
    pub(crate) fn with_details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// The same, because so many shards failed, of which these are some.
    pub(crate) fn with_failed(self, count: u64, some: Vec<Failure>) -> Self {
        Self { failed: (count, some), ..self }
    }

    /// How many shards failed, and some of them.
    pub(crate) fn failed(&self) -> (u64, &[Failure]) {
        (self.failed.0, &self.failed.1)
    }

    /// The lines to be read below it.
    pub(crate) fn details(&self) -> &[String] {
        &self.details
    }

    /// What failed and then its causes, from the outside in. A cause that the line before it already says is left out.
    pub(crate) fn chain(&self) -> Vec<String> {
        let mut lines = vec![self.message.clone()];
        let mut next = self.source();
        while let Some(cause) = next {
            // Causes from libraries may bring a backtrace with them.
            let line = cause.to_string().lines().next().unwrap_or_default().to_owned();
            if !lines.last().is_some_and(|last| last.contains(&line)) {
                lines.push(line);
            }
            next = cause.source();
        }
        lines
    }

    /// The exit code that says it.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// One word, for reports of failed shards.
    pub(crate) fn reason(&self) -> &'static str {
        match self.exit {
            Exit::Done => "Done",
            Exit::Request => "Request",
            Exit::Loss => "Loss",
            Exit::Storage => "Storage",
            Exit::Changed => "InputChanged",
            Exit::Memory => "Memory",
            Exit::Gate => "Gate",
            Exit::Broken => "Broken",
            Exit::Stopped => "Stopped",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// A stream or file of this machine that fails.
impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::caused(Exit::Storage, error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::caused(store_exit(&error), error)
    }
}

impl From<ArchiveError> for Fault {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store(error) => error.into(),
            error => Self::caused(Exit::Request, error),
        }
    }
}

impl From<TableError> for Fault {
    fn from(error: TableError) -> Self {
        let exit = match (&error, error.store_error()) {
            (_, Some(error)) => store_exit(error),
            (TableError::Unwritable { .. }, None) => Exit::Broken,
            (_, None) => Exit::Request,
        };
        Self::caused(exit, error)
    }
}

impl From<ComputeError> for Fault {
    fn from(error: ComputeError) -> Self {
        Self::caused(Exit::Broken, error)
    }
}

/// What a caller can do about a store's error.
fn store_exit(error: &StoreError) -> Exit {
    match error {
        StoreError::NotFound { .. } | StoreError::Denied { .. } | StoreError::Invalid { .. } => Exit::Request,
        StoreError::Changed { .. } => Exit::Changed,
        StoreError::Exists { .. } => Exit::Broken,
        StoreError::Full { .. }
        | StoreError::Expired { .. }
        | StoreError::Unavailable { .. }
        | StoreError::Unknown { .. } => Exit::Storage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_says_each_thing_once() {
        let source = Box::new(std::io::Error::other("connection reset"));
        let fault = Fault::from(StoreError::Unavailable { place: "s3://a/b.zip".into(), source });
        assert_eq!(fault.chain(), ["s3://a/b.zip: storage unavailable", "connection reset"]);
        assert_eq!(fault.exit(), Exit::Storage);
    }

    #[test]
    fn codes_are_those_of_the_failure_policy() {
        let codes = [Exit::Done, Exit::Request, Exit::Loss, Exit::Storage, Exit::Changed, Exit::Memory, Exit::Gate];
        assert_eq!(codes.map(|exit| exit as u8), [0, 2, 3, 4, 5, 6, 7]);
        assert_eq!([Exit::Broken, Exit::Stopped].map(|exit| exit as u8), [70, 143]);
    }
}
