//! The members of one object, as the archive's pattern reads their names: chunk by chunk, whatever their number.
//!
//! Zip or tar is told by the bytes, not by the name. A plain object is its own only member.

use crate::entry::{CHUNK, Entry};
use crate::error::ArchiveError;
use crate::store::{Object, Store, feed_text};
use crate::{tar, zip, zip_end};
use bytes::Bytes;
use pipeline::archive::Archive;
use pipeline::member::{Member, Packing};
use pipeline::pattern::{Captures, Pattern, Said};
use std::collections::HashSet;
use std::sync::Arc;

/// The head of an object that tells what it is: one tar block.
const HEAD_BYTES: u64 = 512;
/// Names of members that do not belong to the archive, kept to be shown.
const EXAMPLES: usize = 3;

/// The members of one object while they are read.
pub struct Members<'a> {
    pattern: Option<&'a Pattern>,
    robot: Option<&'a str>,
    object: Captures<'a, 'a>,
    index: u32,
    source: Source,
    robots: Robots,
    /// What was met so far.
    pub tally: Tally,
}

/// How many members there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those of the archive.
    pub members: u64,
    /// Their bytes as stored.
    pub stored_bytes: u64,
    /// Files whose name does not match the pattern.
    pub ignored: u64,
    /// The first few of them.
    pub ignored_examples: Vec<String>,
}

enum Source {
    Plain(Option<Entry>),
    Zip(Box<zip::Directory>),
    Tar(tar::Walk),
}

impl<'a> Members<'a> {
    /// Opens object `index` of the archive's listing. Reads its head and its end, not its members.
    ///
    /// Errors: [`ArchiveError::Torn`], and [`ArchiveError::NotReadable`] for what is neither zip nor tar.
    pub async fn open(
        store: Arc<dyn Store>,
        archive: &'a Archive,
        index: u32,
        object: &'a Object,
    ) -> Result<Self, ArchiveError> {
        let Some(captures) = archive.objects.matches(&object.key) else {
            let why = "its key does not match the archive's `objects`; list the archive again";
            return Err(ArchiveError::NotReadable { object: object.key.clone(), why });
        };
        let source = match archive.members {
            None => Source::Plain(Some(plain(object))),
            Some(_) => source(store, object).await?,
        };
        let robot = archive.robot.capture.as_deref();
        let (pattern, robots, tally) = (archive.members.as_ref(), Robots::default(), Tally::default());
        Ok(Self { pattern, robot, object: captures, index, source, robots, tally })
    }

    /// The next members of the archive, a thousand or two, in order of position; `None` after the last. Those of other names
    /// are counted and left out.
    pub async fn next(&mut self) -> Result<Option<Vec<Member>>, ArchiveError> {
        let mut members = Vec::new();
        while members.len() < CHUNK {
            let entries = match &mut self.source {
                Source::Plain(entry) => entry.take().map(|entry| vec![entry]),
                Source::Zip(directory) => directory.next().await?,
                Source::Tar(walk) => walk.next().await?,
            };
            let Some(entries) = entries else { break };
            members.reserve(entries.len());
            members.extend(entries.into_iter().filter_map(|entry| self.member(entry)));
        }
        Ok((!members.is_empty()).then_some(members))
    }

    fn member(&mut self, entry: Entry) -> Option<Member> {
        let said = match self.pattern.map(|pattern| pattern.matches(&entry.name)) {
            Some(None) => {
                self.tally.ignored += 1;
                if self.tally.ignored_examples.len() < EXAMPLES {
                    self.tally.ignored_examples.push(entry.name.to_string());
                }
                return None;
            }
            captures => Said { object: self.object, member: captures.flatten() },
        };
        self.tally.members += 1;
        self.tally.stored_bytes = self.tally.stored_bytes.saturating_add(entry.stored_bytes);
        let stamp = said.stamp();
        let robot = self.robot.and_then(|name| said.get(name)).map(|robot| self.robots.shared(robot));
        let Entry { position, name, offset, stored_bytes, unpacked_bytes, crc32, packing } = entry;
        let object = self.index;
        Some(Member { object, position, name, robot, stamp, offset, stored_bytes, unpacked_bytes, crc32, packing })
    }
}

/// The robots met so far: one allocation each, not one a member.
#[derive(Default)]
struct Robots {
    all: HashSet<Arc<str>>,
    /// That of the member before: neighbours often have the same.
    last: Option<Arc<str>>,
}

impl Robots {
    fn shared(&mut self, robot: &str) -> Arc<str> {
        if let Some(last) = self.last.as_ref().filter(|last| last.as_ref() == robot) {
            return Arc::clone(last);
        }
        let known = self.all.get(robot).cloned();
        let shared = known.unwrap_or_else(|| {
            let new: Arc<str> = Arc::from(robot);
            self.all.insert(Arc::clone(&new));
            new
        });
        Arc::clone(self.last.insert(shared))
    }
}

/// A plain object as its own member.
fn plain(object: &Object) -> Entry {
    let (name, packing) = ("".into(), Packing::Stored);
    Entry {
        position: 0,
        name,
        offset: 0,
        stored_bytes: object.bytes,
        unpacked_bytes: object.bytes,
        crc32: None,
        packing,
    }
}

/// Tells zip from tar by the object's head, else by its end.
async fn source(store: Arc<dyn Store>, object: &Object) -> Result<Source, ArchiveError> {
    let pin = object.pin();
    let head = store.read(&pin, 0..HEAD_BYTES.min(pin.bytes)).await?;
    let is_zip = head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06");
    if !is_zip && (tar::is_header(&head) || (head.len() as u64 == HEAD_BYTES && head.iter().all(|&byte| byte == 0))) {
        return Ok(Source::Tar(tar::Walk::new(store, pin)));
    }
    if let Some(why) = whole_compression(&head) {
        return Err(ArchiveError::NotReadable { object: pin.key, why });
    }
    let tail: Bytes = store.read(&pin, pin.bytes.saturating_sub(zip_end::TAIL_BYTES)..pin.bytes).await?;
    let directory = zip::Directory::open(store, &pin, tail).await;
    match directory {
        Err(ArchiveError::Torn { object, .. }) if !is_zip => Err(ArchiveError::NotReadable {
            object,
            why: "is neither zip nor tar; leave `members` out if each object is a document, or narrow `objects`",
        }),
        directory => Ok(Source::Zip(Box::new(directory?))),
    }
}

/// Why an object that is compressed as a whole is not opened.
fn whole_compression(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x1f, 0x8b, ..] => {
            Some("is gzip as a whole, so its members cannot be found; gunzip it, or compress each member instead")
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Some("is zstd as a whole, so its members cannot be found; unpack it, or compress each member instead")
        }
        [] => Some("is empty; store it again, whole, or remove it"),
        _ => None,
    }
}

fn state_of_content(object: &Object) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&object.bytes.to_le_bytes());
    feed_text(&mut hasher, object.etag.as_deref());
    feed_text(&mut hasher, object.version.as_deref());
    hasher.finalize()
}

/// The name of a member's bytes, as far as the object says without reading them: sizes and CRC-32 in a zip, so a zip stored
/// again, or with members added, keeps those of the others; in a tar and for a plain object the object's own state.
pub fn content_id(member: &Member, object: &Object) -> [u8; 32] {
    let Some(crc32) = member.crc32 else { return *state_of_content(object).as_bytes() };
    let method = match member.packing {
        Packing::Stored => 0,
        Packing::Deflated => 8,
        Packing::Unsupported(method) => method,
    };
    let mut id = [0; 32];
    id[..4].copy_from_slice(&crc32.to_le_bytes());
    id[4..12].copy_from_slice(&member.stored_bytes.to_le_bytes());
    id[12..20].copy_from_slice(&member.unpacked_bytes.to_le_bytes());
    id[20..22].copy_from_slice(&method.to_le_bytes());
    id
}
