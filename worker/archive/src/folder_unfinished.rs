//! What writers of a folder that were killed left behind: files that never took their names. A listing never names them.

use crate::folder::{TEMPORARY, object, store_error};
use crate::store::{Object, StoreError};
use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::Path;

/// Every file being written, or left by a writer that was killed, below a folder; links are not followed. None where the folder
/// is not there.
pub(crate) fn unfinished(root: &Path) -> Result<Vec<Object>, StoreError> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((path, below)) = folders.pop() {
        let failed = |error| store_error(path.display().to_string(), "list", error);
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let key = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            // It may take its name or vanish meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push((entry.path(), key));
            } else if metadata.is_file() && name.starts_with(TEMPORARY) {
                found.push(object(key, &metadata));
            }
        }
    }
    Ok(found)
}

/// Whether a key is that of a file being written.
pub(crate) fn is_unfinished(key: &str) -> bool {
    let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
    name.starts_with(TEMPORARY) && !folders.split('/').any(|folder| matches!(folder, "." | ".."))
}
