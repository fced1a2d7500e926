//! A folder as a store: keys are relative paths, the entity tag is `<size>-<modification time in ns>`.
//!
//! **Writing.** Bytes go to a temporary file beside their target, are synced, and then take the name in one step: a rename
//! replaces, a hard link refuses what exists, so of many parallel creators exactly one wins. The folder is synced too.
//! Temporary files ([`TEMPORARY`]) are never listed and are removed when a write fails or is dropped.
//!
//! **Links.** Symbolic links are followed, to files and to folders, inside the root or out of it: whoever may write the
//! folder decides what belongs to it. A link that leads back to a folder being listed is skipped. A link to nothing is
//! listed with size 0, so that reading it says what is wrong. Pipes, sockets and devices are not objects.
//!
//! **Pins.** A read compares size and modification time after the bytes were read, so it never returns bytes of two states
//! from a writer that replaces files. A writer that overwrites a file in place, keeps its size and sets its time back is
//! not seen here; CRC-32 of zip members sees it.

use crate::folder_unfinished::{is_unfinished, unfinished};
use crate::folder_walk::walk;
use crate::store::{Object, Pin, Put, Reading, Store, StoreError, Upload};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinHandle;

/// Bytes of a large file that are synced while more of it is written, so that its end has little left to wait for.
const SYNC_BYTES: usize = 4 << 20;

/// Start of the names of files being written. Keys with such a segment are refused.
pub const TEMPORARY: &str = ".fleetloom-writing-";

/// Reads up to this size, a block's, are done where they are asked for: they take less than handing them to another thread, which
/// may wait milliseconds for a core of its own. Where a disk has to be waited for, the system reads ahead.
const INLINE_BYTES: u64 = Reading::LOCAL.block_bytes;

/// Tries of [`Store::get`] on a file that somebody overwrites in place.
const GET_TRIES: u32 = 3;

/// What a root that is not there means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingRoot {
    /// [`StoreError::NotFound`]: an archive that is read, so a misspelt path is no empty archive.
    Refused,
    /// No objects yet: a result, whose folder is made by the first write.
    Empty,
}

/// Stored bytes in a folder.
#[derive(Debug, Clone)]
pub struct FolderStore {
    root: PathBuf,
    missing: MissingRoot,
}

impl FolderStore {
    /// The store of that folder. Nothing is opened yet.
    pub fn new(root: impl Into<PathBuf>, missing: MissingRoot) -> Self {
        Self { root: root.into(), missing }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file of a key, which must stay below the root.
    fn file(&self, key: &str) -> Result<Place, StoreError> {
        let place = format!("{}/{key}", self.root.display());
        match refusal(key) {
            Some(why) => Err(StoreError::Invalid { place, why: why.to_owned() }),
            None => Ok(Place { path: self.root.join(key), name: place }),
        }
    }

    /// What a failure to find something means: without the root, the root is what is missing.
    fn check_root(&self) -> Result<(), StoreError> {
        if self.missing == MissingRoot::Refused && !self.root.is_dir() {
            return Err(StoreError::NotFound { place: format!("folder {}", self.root.display()) });
        }
        Ok(())
    }
}

impl fmt::Display for FolderStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root.display())
    }
}

/// A key's file and what errors call it.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    name: String,
}

impl Place {
    fn error(&self, verb: &'static str, error: io::Error) -> StoreError {
        store_error(self.name.clone(), verb, error)
    }

    /// The folder that holds it; the root's own parent is never asked for, because a key is not empty.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// Why a key is no place below a root, if it is not.
fn refusal(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("a key must not be empty");
    }
    if key.contains('\0') {
        return Some("a key must not hold a NUL byte");
    }
    key.split('/').find_map(|segment| match segment {
        "" => Some("a key must not start or end with `/` or hold `//`"),
        "." | ".." => Some("a key must not hold the segments `.` and `..`: it must stay below the store's folder"),
        s if s.starts_with(TEMPORARY) => Some("this name is kept for files being written"),
        _ => None,
    })
}

/// An operating system's error by what a caller can do about it.
pub(crate) fn store_error(place: String, verb: &'static str, error: io::Error) -> StoreError {
    use io::ErrorKind::{
        FileTooLarge, InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied, QuotaExceeded,
        ReadOnlyFilesystem, StorageFull,
    };
    match error.kind() {
        NotFound if place.contains("\\x") => StoreError::Invalid {
            place,
            why: "not there; if `\\x` stands for a byte that is not UTF-8, rename the file".to_owned(),
        },
        NotADirectory | IsADirectory if verb == "write" => {
            StoreError::Invalid { place, why: "a folder and a file cannot have the same name; rename one".to_owned() }
        }
        NotFound | NotADirectory | IsADirectory => StoreError::NotFound { place },
        PermissionDenied | ReadOnlyFilesystem => StoreError::Denied { place, verb },
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full { place },
        InvalidFilename => StoreError::Invalid { place, why: "the name is too long for this file system".to_owned() },
        _ => StoreError::Unavailable { place, source: Box::new(error) },
    }
}

/// Modification time in ns since the epoch; it saturates in the year 2262.
fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// The state of a file as a listing names it.
pub(crate) fn object(key: String, metadata: &Metadata) -> Object {
    let modified_ns = modified_ns(metadata);
    let etag = Some(format!("{}-{modified_ns}", metadata.len()));
    Object { key, bytes: metadata.len(), etag, version: None, modified_ns: Some(modified_ns) }
}

/// Runs blocking file work on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(StoreError::Unavailable { place: "folder".to_owned(), source: Box::new(error) }),
    }
}

/// What it means that a place cannot be opened. A link that leads nowhere is told from nothing at all: it would be there, and
/// lead nowhere, at every further try.
fn not_opened(place: &Place, error: io::Error) -> StoreError {
    let why = match error.kind() {
        io::ErrorKind::NotFound if place.path.is_symlink() => "a symbolic link to nothing",
        _ if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::LOOP) => "a symbolic link in a circle",
        _ => return place.error("read", error),
    };
    let why = format!("is {why}; point it to a file, remove it, or write `objects` so that it does not match");
    StoreError::Invalid { place: place.name.clone(), why }
}

/// Opens a file. Should a pipe have taken its place, this does not wait for somebody to write into it.
fn open(place: &Place) -> Result<File, StoreError> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(&place.path, flags, Mode::empty()).map_err(|e| not_opened(place, e.into()))?;
    Ok(file.into())
}

/// The state of an open file, which must be a regular one.
fn state(key: &str, place: &Place, file: &File) -> Result<Object, StoreError> {
    let metadata = file.metadata().map_err(|e| place.error("read", e))?;
    match metadata.is_file() {
        true => Ok(object(key.to_owned(), &metadata)),
        false => Err(StoreError::NotFound { place: place.name.clone() }),
    }
}

/// The bytes `range` of an open file, fewer where it ends earlier. Nothing is zeroed before it is read.
fn read_range(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(wanted);
    while bytes.len() < wanted {
        let at = range.start.saturating_add(bytes.len() as u64);
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(wanted);
    Ok(bytes)
}

/// A pinned read; the state is compared after the bytes are there.
fn read_pinned(place: &Place, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
    let file = open(place)?;
    let range = range.start.min(pin.bytes)..range.end.min(pin.bytes);
    let bytes = read_range(&file, range.clone()).map_err(|e| place.error("read", e))?;
    let changed = pin.etag.is_some() && pin.etag != state("", place, &file)?.etag;
    if changed || bytes.len() as u64 != range.end.saturating_sub(range.start) {
        return Err(StoreError::Changed { place: place.name.clone() });
    }
    Ok(bytes.into())
}

/// The whole file, in one state.
fn get_whole(key: &str, place: &Place) -> Result<(Object, Bytes), StoreError> {
    for _ in 0..GET_TRIES {
        let file = open(place)?;
        let before = state(key, place, &file)?;
        let bytes = read_range(&file, 0..before.bytes).map_err(|e| place.error("read", e))?;
        if before == state(key, place, &file)? && bytes.len() as u64 == before.bytes {
            return Ok((before, bytes.into()));
        }
    }
    Err(StoreError::Changed { place: place.name.clone() })
}

#[async_trait]
impl Store for FolderStore {
    fn reading(&self) -> Reading {
        Reading::LOCAL
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<Object, StoreError>> {
        let (store, prefix) = (self.clone(), prefix.to_owned());
        stream::once(async move {
            let (send, receive) = tokio::sync::mpsc::channel(4);
            tokio::task::spawn_blocking(move || match store.check_root() {
                Ok(()) => walk(&store.root, &prefix, &send),
                Err(error) => drop(send.blocking_send(Err(error))),
            });
            stream::unfold(receive, async |mut receive| receive.recv().await.map(|chunk| (chunk, receive)))
        })
        .flatten()
        .flat_map(|chunk| match chunk {
            Ok(objects) => stream::iter(objects).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        })
        .boxed()
    }

    async fn head(&self, key: &str) -> Result<Object, StoreError> {
        let place = self.file(key)?;
        let metadata = fs::metadata(&place.path).map_err(|e| not_opened(&place, e))?;
        if metadata.is_file() {
            Ok(object(key.to_owned(), &metadata))
        } else {
            Err(StoreError::NotFound { place: place.name })
        }
    }

    async fn read(&self, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
        let place = self.file(&pin.key)?;
        if range.end.saturating_sub(range.start) <= INLINE_BYTES {
            return read_pinned(&place, pin, range);
        }
        let pin = pin.clone();
        blocking(move || read_pinned(&place, &pin, range)).await
    }

    async fn get(&self, key: &str) -> Result<(Object, Bytes), StoreError> {
        let (place, key) = (self.file(key)?, key.to_owned());
        blocking(move || get_whole(&key, &place)).await
    }

    async fn put(&self, key: &str, bytes: Bytes, when: Put) -> Result<Object, StoreError> {
        let (place, key) = (self.file(key)?, key.to_owned());
        self.check_root()?;
        blocking(move || {
            let mut temporary = Temporary::new(&place)?;
            temporary.file.write_all(&bytes).map_err(|e| place.error("write", e))?;
            temporary.publish(key, &place, when)
        })
        .await
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        let (place, key) = (self.file(key)?, key.to_owned());
        self.check_root()?;
        let temporary = blocking({
            let place = place.clone();
            move || Temporary::new(&place)
        });
        let temporary = Some(temporary.await?);
        Ok(Box::new(FolderUpload { key, place, temporary, unsynced_bytes: 0, syncing: None }))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let place = self.file(key)?;
        match fs::remove_file(&place.path).map_err(|e| place.error("delete", e)) {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    async fn unfinished(&self) -> Result<Vec<Object>, StoreError> {
        let root = self.root.clone();
        blocking(move || unfinished(&root)).await
    }

    async fn discard(&self, key: &str) -> Result<(), StoreError> {
        let place = Place { path: self.root.join(key), name: format!("{}/{key}", self.root.display()) };
        if !is_unfinished(key) {
            return Err(StoreError::Invalid { place: place.name, why: "is no file being written".to_owned() });
        }
        match fs::remove_file(&place.path).map_err(|e| place.error("delete", e)) {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }
}

/// A file being written; it vanishes with this value, unless it took its name.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    /// Makes an empty one beside the place, and the folders above it.
    fn new(place: &Place) -> Result<Self, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        make_folder(place.folder()).map_err(|e| place.error("write", e))?;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = place.folder().join(format!("{TEMPORARY}{}-{number}", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(place.error("write", error)),
            }
        }
    }

    /// Syncs it and gives it its name, durably.
    fn publish(self, key: String, place: &Place, when: Put) -> Result<Object, StoreError> {
        let failed = |error| place.error("write", error);
        self.file.sync_all().map_err(failed)?;
        let metadata = self.file.metadata().map_err(failed)?;
        let named = match when {
            Put::Always => fs::rename(&self.path, &place.path),
            Put::IfAbsent => link_if_absent(&self.path, &place.path),
        };
        match named {
            Err(error) if when == Put::IfAbsent && error.kind() == io::ErrorKind::AlreadyExists => {
                Err(StoreError::Exists { place: place.name.clone() })
            }
            Err(error) => Err(failed(error)),
            Ok(()) => {
                sync_folder(place.folder()).map_err(failed)?;
                Ok(object(key, &metadata))
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Renamed, it is gone already; nobody else has this name.
        drop(fs::remove_file(&self.path));
    }
}

/// Gives a file a second name that must be free. Where the file system has no hard links, the file is moved.
fn link_if_absent(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
            move_if_absent(from, to)
        }
        linked => linked,
    }
}

/// Renames to a name that must be free.
fn move_if_absent(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Makes a folder and those above it, each entry durable.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    make_folder(above)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(above),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) => Err(error),
    }
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// A large file being written.
#[derive(Debug)]
struct FolderUpload {
    key: String,
    place: Place,
    /// `None` only while a piece is being written, and after one failed.
    temporary: Option<Temporary>,
    /// Bytes written since the last sync began.
    unsynced_bytes: usize,
    /// The sync under way. A file's failure is told to one of its syncs only, so each is asked before the file takes its name.
    syncing: Option<JoinHandle<Result<(), StoreError>>>,
}

impl FolderUpload {
    fn take(&mut self) -> Result<Temporary, StoreError> {
        self.temporary.take().ok_or_else(|| StoreError::Invalid {
            place: self.place.name.clone(),
            why: "an earlier piece could not be written; start the upload again".to_owned(),
        })
    }

    /// Begins to sync what is written, unless a sync is under way.
    async fn sync(&mut self, file: &File) -> Result<(), StoreError> {
        if self.syncing.as_ref().is_some_and(|sync| !sync.is_finished()) {
            return Ok(());
        }
        self.synced().await?;
        let place = self.place.clone();
        let file = file.try_clone().map_err(|error| place.error("write", error))?;
        let sync = blocking(move || file.sync_data().map_err(|error| place.error("write", error)));
        self.syncing = Some(tokio::spawn(sync));
        self.unsynced_bytes = 0;
        Ok(())
    }

    /// Waits for the sync under way.
    async fn synced(&mut self) -> Result<(), StoreError> {
        match self.syncing.take() {
            Some(sync) => sync.await.unwrap_or_else(|error| resume_unwind(error.into_panic())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Upload for FolderUpload {
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        let (mut temporary, place, bytes) = (self.take()?, self.place.clone(), piece.len());
        let written = blocking(move || {
            temporary.file.write_all(&piece).map_err(|e| place.error("write", e))?;
            Ok(temporary)
        });
        let temporary = written.await?;
        self.unsynced_bytes = self.unsynced_bytes.saturating_add(bytes);
        if self.unsynced_bytes >= SYNC_BYTES {
            self.sync(&temporary.file).await?;
        }
        self.temporary = Some(temporary);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Object, StoreError> {
        let temporary = self.take()?;
        self.synced().await?;
        blocking(move || temporary.publish(self.key, &self.place, Put::Always)).await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        let temporary = self.temporary.take();
        // It has the file open too; what it met does not matter any more.
        drop(self.synced().await);
        blocking(move || {
            drop(temporary);
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::{StoreError, move_if_absent, store_error};
    use rustix::io::Errno;
    use std::fs;
    use std::io::ErrorKind;

    fn said(errno: Errno, verb: &'static str) -> StoreError {
        store_error("/data/a".to_owned(), verb, errno.into())
    }

    #[test]
    fn errors_say_what_a_caller_can_do() {
        for full in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG] {
            assert!(matches!(said(full, "write"), StoreError::Full { .. }));
        }
        for denied in [Errno::ACCESS, Errno::PERM, Errno::ROFS] {
            assert!(matches!(said(denied, "write"), StoreError::Denied { verb: "write", .. }));
        }
        assert!(matches!(said(Errno::NOENT, "read"), StoreError::NotFound { .. }));
        assert!(matches!(said(Errno::NOTDIR, "write"), StoreError::Invalid { .. }));
        assert!(matches!(said(Errno::IO, "read"), StoreError::Unavailable { .. }));
    }

    #[test]
    fn a_file_system_without_hard_links_still_has_one_winner() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::write(&from, "first").unwrap();
        move_if_absent(&from, &to).unwrap();
        fs::write(&from, "second").unwrap();
        assert_eq!(move_if_absent(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"first");
    }
}
