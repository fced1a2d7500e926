//! Listing a folder: every regular file below it, in chunks, each once per name, never in circles.

use crate::folder::{TEMPORARY, object, store_error};
use crate::store::{Object, StoreError};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc::Sender;

/// Objects handed over at a time.
const CHUNK: usize = 1024;

/// The repair folder at the root of an ext4 volume; only root may read it, and it holds no objects.
const REPAIR_FOLDER: &str = "lost+found";

/// A chunk of a listing, or what ended it.
type Chunk = Result<Vec<Object>, StoreError>;

/// Sends every file below `root` whose key starts with `prefix`; ends early when nobody listens any more.
pub(crate) fn walk(root: &Path, prefix: &str, listener: &Sender<Chunk>) {
    let folder = prefix.rfind('/').map_or("", |at| &prefix[..at]);
    if folder.split('/').any(|segment| segment == "..") {
        let why = "a prefix must not hold `..`".to_owned();
        return drop(listener.blocking_send(Err(StoreError::Invalid { place: prefix.to_owned(), why })));
    }
    let above = folder.match_indices('/').map(|(at, _)| &folder[..at]).chain([""]).filter(|above| *above != folder);
    let open = above.filter_map(|above| fs::metadata(root.join(above)).ok()).map(|m| (m.dev(), m.ino())).collect();
    let mut walk = Walk { prefix, listener, found: Vec::new(), open };
    match walk.folder(&root.join(folder), folder) {
        Ok(()) => drop(listener.blocking_send(Ok(walk.found))),
        Err(Stop::Failed(error)) => drop(listener.blocking_send(Err(error))),
        Err(Stop::NobodyListens) => {}
    }
}

/// Why a listing ends before its end.
enum Stop {
    Failed(StoreError),
    NobodyListens,
}

struct Walk<'a> {
    prefix: &'a str,
    listener: &'a Sender<Chunk>,
    found: Vec<Object>,
    /// Device and inode of the folders from the root to here: a link to one of them leads in a circle.
    open: Vec<(u64, u64)>,
}

impl Walk<'_> {
    /// Lists a folder whose key is `key` (empty for the root). One that vanished meanwhile is empty.
    fn folder(&mut self, path: &Path, key: &str) -> Result<(), Stop> {
        let failed = |e| Stop::Failed(store_error(path.display().to_string(), "list", e));
        let (entries, metadata) = match fs::read_dir(path).and_then(|entries| Ok((entries, fs::metadata(path)?))) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            other => other.map_err(failed)?,
        };
        let id = (metadata.dev(), metadata.ino());
        if self.open.contains(&id) {
            return Ok(());
        }
        self.open.push(id);
        for entry in entries {
            self.entry(&entry.map_err(failed)?, key)?;
        }
        self.open.pop();
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, folder: &str) -> Result<(), Stop> {
        let name = printable(entry);
        if name.starts_with(TEMPORARY) || (folder.is_empty() && name == REPAIR_FOLDER) {
            return Ok(());
        }
        let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let path = entry.path();
        let Some(metadata) = self.metadata(entry, &path)? else { return Ok(()) };
        if metadata.is_dir() {
            return if self.may_hold(&key) { self.folder(&path, &key) } else { Ok(()) };
        }
        // What is still a link here leads to nothing.
        if key.starts_with(self.prefix) && (metadata.is_file() || metadata.is_symlink()) {
            self.found.push(if metadata.is_file() { object(key, &metadata) } else { dangling(key) });
        }
        if self.found.len() < CHUNK {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.found);
        self.listener.blocking_send(Ok(chunk)).map_err(|_| Stop::NobodyListens)
    }

    /// What an entry is, links followed where they lead somewhere; `None` if it vanished meanwhile.
    fn metadata(&self, entry: &DirEntry, path: &PathBuf) -> Result<Option<Metadata>, Stop> {
        let found = entry.metadata().map(|own| if own.is_symlink() { fs::metadata(path).unwrap_or(own) } else { own });
        match found {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Stop::Failed(store_error(path.display().to_string(), "list", error))),
        }
    }

    /// Whether a folder can hold keys that start with the prefix.
    fn may_hold(&self, folder: &str) -> bool {
        let shared = self.prefix.len().min(folder.len());
        self.prefix.as_bytes()[..shared] == folder.as_bytes()[..shared]
    }
}

/// A link to nothing: listed, so that whoever wants it is told.
fn dangling(key: String) -> Object {
    Object { key, bytes: 0, etag: None, version: None, modified_ns: None }
}

/// An entry's name; bytes that are not UTF-8 as `\xNN`. Such a file can be listed and not read.
fn printable(entry: &DirEntry) -> String {
    crate::text::printable(entry.file_name().as_encoded_bytes()).into_owned()
}
