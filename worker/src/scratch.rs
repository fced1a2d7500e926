//! A folder of this machine that is removed when it is no longer needed. One that a killed process leaves is in the system's
//! folder for temporary files.

use crate::fault::Fault;
use archive::folder::{FolderStore, MissingRoot};
use archive::store::Store;
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, fs};
use uuid::Uuid;

/// The folder.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder that only this user reads.
    pub(crate) fn new() -> Result<Self, Fault> {
        let folder = env::temp_dir().join(format!("fleetloom-{}", Uuid::new_v4().simple()));
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self(folder))
    }

    /// A store of what lies in it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(FolderStore::new(self.0.clone(), MissingRoot::Empty))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a scratch folder stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive::store::Put;

    #[tokio::test]
    async fn nothing_of_it_stays() {
        let scratch = Scratch::new().unwrap();
        scratch.store().put("a/b", "bytes".into(), Put::Always).await.unwrap();
        let folder = scratch.0.clone();
        assert!(folder.join("a/b").is_file());
        drop(scratch);
        assert!(!folder.exists());
    }
}
