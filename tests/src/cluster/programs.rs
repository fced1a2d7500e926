//! Where the programs of a node lie: `$KUBEBUILDER_ASSETS`, where `.ci/kubernetes` and `.ci/server` build them, then PATH. What
//! is built is asked first, for it is built where PATH has another version.

use super::{Result, Trouble};
use std::path::PathBuf;

/// The version of Kubernetes that is built: the floor of what is supported is 1.33, and 1.34 still runs on control groups v1.
const KUBERNETES: &str = "1.34.4";

/// A program's path.
///
/// Errors: it is nowhere.
pub fn find(name: &str) -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = variable("HOME").unwrap_or_default().join(".cache/fleetloom");
    let folders = variable("KUBEBUILDER_ASSETS")
        .into_iter()
        .chain([cache.join(format!("kubernetes-{KUBERNETES}/bin")), cache.join("bin")])
        .chain(std::env::split_paths(&path))
        // Debian's own tools for administrators, which are not on every PATH.
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    let installs = if name == "kwok" { ".ci/kubernetes kwok" } else { "make nodes" };
    found.ok_or_else(|| Trouble::new(format!("{name} is not there: `{installs}` installs it")))
}
