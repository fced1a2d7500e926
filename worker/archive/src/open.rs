//! From the words of a store to the store: which kind it is, and where.

use crate::folder::{FolderStore, MissingRoot};
use crate::s3::S3Store;
use crate::s3::settings::Environment;
use crate::store::{Store, StoreError};
use pipeline::spec::StoreSpec;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// Which side of a pipeline a store is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Read only by us: it must be there.
    Source,
    /// Written by us: a folder that is not there yet is empty and is made by the first write.
    Result,
}

/// Opens the store of a URL: `s3://bucket/prefix/`, `file:///folder/` or the absolute path of a folder. Nothing is read yet,
/// but the process's environment.
///
/// Errors: [`StoreError::Invalid`] with what to write instead. Relative folders are resolved by the caller, who knows the
/// file that names them.
pub fn open(spec: &StoreSpec, side: Side) -> Result<Arc<dyn Store>, StoreError> {
    if spec.url.starts_with("s3://") {
        return Ok(Arc::new(S3Store::new(spec, side, &Environment::of_process())?));
    }
    let missing = match side {
        Side::Source => MissingRoot::Refused,
        Side::Result => MissingRoot::Empty,
    };
    Ok(Arc::new(FolderStore::new(folder(&spec.url)?, missing)))
}

/// The folder a URL or path names.
fn folder(text: &str) -> Result<PathBuf, StoreError> {
    let invalid = |why: &str| StoreError::Invalid { place: text.to_owned(), why: why.to_owned() };
    if text.starts_with('/') {
        return Ok(PathBuf::from(text));
    }
    let Ok(url) = Url::parse(text) else {
        return Err(invalid("a relative folder is read from a file only; write `file:///folder/` or an absolute path"));
    };
    match url.scheme() {
        "file" => url.to_file_path().map_err(|()| invalid("a file URL names no host; write `file:///folder/`")),
        _ => Err(invalid("write `s3://bucket/prefix/`, `file:///folder/` or the path of a folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::folder;
    use std::path::Path;

    #[test]
    fn folders_are_named_by_path_or_file_url() {
        assert_eq!(folder("/data/a b/").unwrap(), Path::new("/data/a b/"));
        assert_eq!(folder("file:///data/a%20b/").unwrap(), Path::new("/data/a b/"));
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write() {
        for text in ["data/ur3", "file://host/data", "https://x/y"] {
            let said = folder(text).unwrap_err().to_string();
            assert!(said.starts_with(text) && said.contains("write"), "{said}");
        }
    }
}
