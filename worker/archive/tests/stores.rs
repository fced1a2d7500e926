//! Every store passes the one suite, and the folder keeps its own promises on top.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

use bytes::Bytes;
use fleetloom_archive::conformance::{conforms, keeps_versions};
use fleetloom_archive::folder::{FolderStore, MissingRoot, TEMPORARY};
use fleetloom_archive::memory::MemoryStore;
use fleetloom_archive::store::{Object, Pin, Put, Store, StoreError};
use futures::TryStreamExt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

fn folder(path: &Path) -> FolderStore {
    FolderStore::new(path, MissingRoot::Refused)
}

async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    let objects: Vec<Object> = store.list(prefix).try_collect().await.unwrap();
    let mut keys: Vec<String> = objects.into_iter().map(|o| o.key).collect();
    keys.sort();
    keys
}

fn files(path: &Path) -> Vec<String> {
    fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_conforms() {
    conforms(&MemoryStore::new()).await;
    conforms(&MemoryStore::versioned()).await;
    keeps_versions(&MemoryStore::versioned()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_store_conforms() {
    let root = tempfile::tempdir().unwrap();
    conforms(&folder(root.path())).await;
    conforms(&FolderStore::new(root.path().join("made/by/the/first/write"), MissingRoot::Empty)).await;
}

#[tokio::test]
async fn keys_cannot_leave_the_root() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(root.path().join("secret"), "x").unwrap();
    for key in ["../secret", "a/../../secret", "/etc/passwd", "", "a//b", "a/", "./a", "nul\0", ".fleetloom-writing-1"]
    {
        let store = folder(&inner);
        assert!(matches!(store.get(key).await, Err(StoreError::Invalid { .. })), "{key:?}");
        assert!(matches!(store.put(key, Bytes::new(), Put::Always).await, Err(StoreError::Invalid { .. })), "{key:?}");
        assert!(matches!(store.delete(key).await, Err(StoreError::Invalid { .. })), "{key:?}");
    }
    let escaped: Result<Vec<Object>, _> = folder(&inner).list("../").try_collect().await;
    assert!(matches!(escaped, Err(StoreError::Invalid { .. })));
}

#[tokio::test]
async fn a_missing_root_is_named_when_it_is_read_and_empty_when_it_is_to_be_written() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("telemetri");
    let listed: Result<Vec<Object>, _> = folder(&missing).list("").try_collect().await;
    let said = listed.unwrap_err();
    assert!(matches!(said, StoreError::NotFound { .. }) && said.to_string().contains("telemetri: not there"), "{said}");
    assert!(matches!(folder(&missing).put("a", Bytes::new(), Put::Always).await, Err(StoreError::NotFound { .. })));
    assert!(keys(&FolderStore::new(&missing, MissingRoot::Empty), "").await.is_empty());
    assert!(!missing.exists());
}

#[tokio::test]
async fn links_are_followed_but_never_in_circles() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("a/b")).unwrap();
    fs::write(root.path().join("a/b/file"), "x").unwrap();
    fs::write(outside.path().join("far"), "far").unwrap();
    symlink("file", root.path().join("a/b/link")).unwrap();
    symlink(outside.path(), root.path().join("outside")).unwrap();
    symlink("..", root.path().join("a/b/up")).unwrap();
    symlink("../..", root.path().join("a/b/root")).unwrap();
    symlink("self", root.path().join("self")).unwrap();
    let store = folder(root.path());
    assert_eq!(keys(&store, "").await, ["a/b/file", "a/b/link", "outside/far", "self"]);
    assert_eq!(keys(&store, "a/b/").await, ["a/b/file", "a/b/link"]);
    assert_eq!(store.get("outside/far").await.unwrap().1, "far");
}

#[tokio::test]
async fn a_link_that_leads_nowhere_says_so_however_it_is_read() {
    let root = tempfile::tempdir().unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    symlink("there", root.path().join("here")).unwrap();
    symlink("here", root.path().join("there")).unwrap();
    let store = folder(root.path());
    assert_eq!(keys(&store, "").await, ["dangling", "here", "there"]);
    for (key, what) in [("dangling", "is a symbolic link to nothing"), ("here", "is a symbolic link in a circle")] {
        let pin = Pin { key: key.to_owned(), bytes: 0, etag: None, version: None };
        let errors = [
            store.get(key).await.unwrap_err(),
            store.head(key).await.unwrap_err(),
            store.read(&pin, 0..1).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
            assert!(error.to_string().contains(what) && error.to_string().contains("remove it"), "{error}");
        }
    }
    assert!(matches!(store.get("nothing").await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn what_cannot_be_read_is_listed_and_says_why() {
    let root = tempfile::tempdir().unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"m\xfcll")), "x").unwrap();
    fs::create_dir(root.path().join("lost+found")).unwrap();
    fs::write(root.path().join("lost+found/1"), "x").unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.path().join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let store = folder(root.path());
    assert_eq!(keys(&store, "").await, ["dangling", "m\\xfcll"]);
    assert!(store.get("m\\xfcll").await.unwrap_err().to_string().contains("rename the file"));
    assert!(matches!(store.head("pipe").await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_write_leaves_no_temporary_file_and_lists_none() {
    let root = tempfile::tempdir().unwrap();
    let store = folder(root.path());
    store.put("kept", Bytes::from_static(b"x"), Put::Always).await.unwrap();
    assert!(store.put("kept", Bytes::from_static(b"y"), Put::IfAbsent).await.is_err());
    let upload = store.upload("half").await.unwrap();
    assert_eq!(files(root.path()).iter().filter(|f| f.starts_with(TEMPORARY)).count(), 1);
    assert_eq!(keys(&store, "").await, ["kept"]);
    drop(upload);
    fs::create_dir(root.path().join("taken")).unwrap();
    assert!(store.put("taken", Bytes::from_static(b"x"), Put::Always).await.is_err());
    let below = store.put("kept/below", Bytes::new(), Put::Always).await.unwrap_err();
    assert!(matches!(below, StoreError::Invalid { .. }), "{below}");
    let mut left = files(root.path());
    left.sort();
    assert_eq!(left, ["kept", "taken"]);
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let said = folder(root.path()).put(&"x".repeat(300), Bytes::new(), Put::Always).await.unwrap_err();
    assert!(matches!(said, StoreError::Invalid { .. }), "{said}");
}

#[tokio::test]
async fn a_file_overwritten_in_place_is_changed() {
    let root = tempfile::tempdir().unwrap();
    let store = folder(root.path());
    let old = store.put("a", Bytes::from_static(b"0123456789"), Put::Always).await.unwrap();
    fs::write(root.path().join("a"), "0123").unwrap();
    for range in [0..2, 0..10, 5..10, 20..30] {
        assert!(matches!(store.read(&old.pin(), range).await, Err(StoreError::Changed { .. })));
    }
}
