//! A published table in a bucket as a reader of another make sees it: the log's versions one by one, and the files that are
//! live. It knows of Delta what this needs (adds, removes, one JSON object per version) and nothing of Fleetloom but how it
//! names a data file's shard.

use crate::signed::{self, Keys};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two looks of a reader.
const POLL: Duration = Duration::from_millis(2);

/// Where a table lies, and the keys to read it.
#[derive(Debug, Clone)]
pub struct Table {
    at: SocketAddr,
    keys: Keys,
    path: String,
}

/// What a table holds at its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// How many versions there are.
    pub versions: usize,
    /// By a live file's folder and shard, the SHA-256 of its bytes: the part of its name that every attempt chooses anew is
    /// left out, so that equal tables have equal contents.
    pub files: BTreeMap<String, String>,
}

impl Table {
    pub(crate) fn new(at: SocketAddr, keys: Keys, path: String) -> Self {
        Self { at, keys, path }
    }

    /// Reads it whole.
    ///
    /// # Panics
    /// When a version is no sequence of JSON lines, removes what was not live, or names a file that is not there or not of
    /// its size: no reader may ever see that.
    pub fn content(&self) -> Content {
        let (mut versions, mut live) = (0, BTreeMap::new());
        while let Some(commit) = self.get(&format!("_delta_log/{versions:020}.json")) {
            apply(&commit, &mut live);
            versions += 1;
        }
        let files = live.into_iter().map(|(path, size)| {
            let bytes = self.get(&path).unwrap_or_else(|| panic!("{path} is live and not there"));
            assert_eq!(bytes.len() as u64, size, "{path}");
            named(&path, &bytes)
        });
        Content { versions, files: files.collect() }
    }

    /// Reads it over and over until the reader is asked what it saw.
    pub fn watch(&self) -> Watch {
        let (table, stop) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&stop);
        let reader = thread::spawn(move || {
            let mut seen = vec![table.content()];
            while !until.load(Ordering::SeqCst) {
                let now = table.content();
                if seen.last() != Some(&now) {
                    seen.push(now);
                }
                thread::park_timeout(POLL);
            }
            seen
        });
        Watch { stop, reader }
    }

    /// An object's bytes; `None`: it is not there.
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let path = format!("{}/{key}", self.path);
        let said = signed::ask(self.at, &self.keys, "GET", &path, "", b"").expect("the server answers");
        match said.status {
            200 => Some(said.body),
            404 => None,
            status => panic!("GET {path}: {status}"),
        }
    }
}

/// All data files of a table in a folder, as [`Content::files`] has them. They are live where it has one version.
pub fn data_files(table: &Path) -> BTreeMap<String, String> {
    let entries = |folder: &Path| fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let days = entries(table).filter(|path| path.display().to_string().contains("/date="));
    let files = days.flat_map(|day| entries(&day));
    let below = |path: &Path| path.strip_prefix(table).expect("below the table").display().to_string();
    files.map(|path| named(&below(&path), &fs::read(&path).expect("a file can be read"))).collect()
}

/// A file's name without its attempt, and the SHA-256 of its bytes.
fn named(path: &str, bytes: &[u8]) -> (String, String) {
    let shard = path.rsplit_once('-').map_or(path, |(shard, _attempt)| shard).to_owned();
    (shard, Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A reader at work.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Vec<Content>>,
}

impl Watch {
    /// Stops it; each content that it saw, in order.
    ///
    /// # Panics
    /// When it saw what no reader may see, with what that was.
    pub fn seen(self) -> Vec<Content> {
        self.stop.store(true, Ordering::SeqCst);
        self.reader.join().expect("a reader sees whole versions only")
    }
}

/// Applies a version's lines to the live files, by their sizes.
fn apply(commit: &[u8], live: &mut BTreeMap<String, u64>) {
    for line in std::str::from_utf8(commit).expect("a version is text").lines() {
        let action: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("half a version: {error}\n{line}"));
        let path = |of: &Value| of["path"].as_str().expect("a file has a path").to_owned();
        if let Some(add) = action.get("add") {
            live.insert(path(add), add["size"].as_u64().expect("a file has a size"));
        } else if let Some(remove) = action.get("remove") {
            assert!(live.remove(&path(remove)).is_some(), "what was not live is removed: {line}");
        }
    }
}
