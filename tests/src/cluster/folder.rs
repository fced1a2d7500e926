//! The run folder of a cluster: certificates, configuration, data and logs. Whoever keeps the cluster's processes removes it at
//! their end; this file only makes it.

use super::{On, Result, Trouble};
use std::fs;
use std::path::{Path, PathBuf};

/// Makes an empty run folder of a new name, below the folder for temporary files.
///
/// Errors: it cannot be made.
pub(super) fn make() -> Result<PathBuf> {
    let made = tempfile::Builder::new().prefix("fleetloom-cluster-").tempdir().on("the folder for temporary files")?;
    Ok(made.keep())
}

/// Makes a named run folder, which must not be there; one that a cluster left behind when the machine went down is removed.
///
/// Errors: a cluster is up there, or something else lies there.
pub fn empty(folder: &Path) -> Result<PathBuf> {
    if let Some(marks) = super::kept(folder) {
        if marks.alive() {
            let shown = folder.display();
            return Err(Trouble::new(format!("a cluster is up in {shown}: `fleetloom-cluster down` ends it")));
        }
        fs::remove_dir_all(folder).on(folder.display())?;
    }
    fs::create_dir_all(folder.parent().unwrap_or(Path::new("/"))).on(folder.display())?;
    fs::create_dir(folder).on(folder.display())?;
    folder.canonicalize().on(folder.display())
}

/// A folder inside, made if it is not there.
///
/// Errors: it cannot be made.
pub(super) fn inner(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::create_dir_all(&path).on(path.display())?;
    Ok(path)
}

/// Writes a file inside.
///
/// Errors: it cannot be written.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).on(path.display())?;
    Ok(path)
}
