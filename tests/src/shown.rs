//! What a version says about itself: `fleetloom show --json`, and its account as lines that can be compared.

use crate::program::fleetloom;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;

/// Everything `show --json` says about the latest version of the (first) pipeline of a file.
///
/// # Panics
/// When it fails or is not JSON.
pub fn shown(file: &Path) -> Value {
    of_pipeline(file, None)
}

/// Everything `show --json` says about the latest version of a pipeline of a file.
///
/// # Panics
/// When it fails or is not JSON.
pub fn of_pipeline(file: &Path, pipeline: Option<&str>) -> Value {
    let mut arguments = vec![OsStr::new("show"), OsStr::new("-f"), file.as_os_str(), OsStr::new("--json")];
    if let Some(name) = pipeline {
        arguments.extend([OsStr::new("--pipeline"), OsStr::new(name)]);
    }
    let outcome = fleetloom(&arguments).expect(0);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("not JSON: {error}\n{outcome}"))
}

/// A count of the account by its path, such as `joins.accel.matched`; 0 where there is none.
pub fn count(shown: &Value, path: &str) -> u64 {
    path.split('.').try_fold(&shown["account"], |value, key| value.get(key)).and_then(Value::as_u64).unwrap_or(0)
}

/// The account as golden files hold it: every count that is not zero, a line each, without bytes.
pub fn account(shown: &Value) -> String {
    let mut lines = Vec::new();
    flatten("", &shown["account"], &mut lines);
    lines.sort();
    lines.concat()
}

/// Adds the lines of a value; sizes depend on the packer and are left out.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| !name.ends_with("_bytes")) {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&below, value, lines);
            }
        }
        Value::Number(n) if n.as_u64() != Some(0) => lines.push(format!("{path} {n}\n")),
        _ => {}
    }
}
