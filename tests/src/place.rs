//! A place for one test: a temporary folder with words, an archive below `archive/` and a result below `result/`.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A temporary folder that goes when it is dropped.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// An empty place.
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("fleetloom-").tempdir().expect("a temporary folder") }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path below the folder.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder().join(below)
    }

    /// The published table.
    pub fn result(&self) -> PathBuf {
        self.path("result")
    }

    /// Writes a file below the folder, with its parents.
    pub fn write(&self, below: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("folders can be made");
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Writes the words to `pipeline.yaml`.
    pub fn words(&self, text: &str) -> PathBuf {
        self.write("pipeline.yaml", text)
    }

    /// Names of the files directly in a folder below, none if it is not there.
    pub fn names(&self, below: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(below)) else { return Vec::new() };
        let mut names: Vec<_> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Names of the Delta log's versions: one `00000000000000000000.json` per published version.
    pub fn versions(&self) -> Vec<String> {
        self.names("result/_delta_log").into_iter().filter(|n| n.len() == 25 && n.ends_with(".json")).collect()
    }

    /// Names of the reports there are; what is being written has another name.
    pub fn reports(&self) -> Vec<String> {
        self.names("result/_fleetloom/reports").into_iter().filter(|name| name.ends_with(".json")).collect()
    }
}
