//! The Python side of the tests: the virtual environment that `make test` makes, and the scripts in `tests/python`.

use crate::program::{Outcome, Running};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}

/// The interpreter of the virtual environment: `FLEETLOOM_PYTHON`, or where `make test` puts it.
///
/// # Panics
/// When it is not there: a test never passes by skipping.
fn interpreter() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    let path = std::env::var_os("FLEETLOOM_PYTHON")
        .map_or_else(|| home().join(".cache/fleetloom/venv/bin/python"), PathBuf::from);
    assert!(path.exists(), "{} is not there: `make venv` makes it", path.display());
    path
}

/// Runs a script of `tests/python` and returns what it printed.
///
/// # Panics
/// When it fails, with everything it said.
pub fn script<S: AsRef<OsStr>>(name: &str, arguments: &[S]) -> String {
    attempt(name, arguments).expect(0).stdout
}

/// Runs a script of `tests/python`.
pub fn attempt<S: AsRef<OsStr>>(name: &str, arguments: &[S]) -> Outcome {
    let mut command = Command::new(interpreter());
    command.arg(repository().join("tests/python").join(name)).args(arguments);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Running::start(command).finish()
}

/// The canonical text of a table's live rows: the schema, then a line per row, floats to 12 digits.
pub fn rows(table: &Path) -> String {
    script("published.py", &[OsStr::new("rows"), table.as_os_str()])
}

/// A digest of a table's live schema and rows, in which every bit of every column counts.
pub fn digest(table: &Path) -> String {
    script("published.py", &[OsStr::new("digest"), table.as_os_str()])
}
