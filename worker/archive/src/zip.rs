//! The members of a zip, from its central directory. The directory is read in pieces and never held whole.
//!
//! ```text
//! | local header, data | … | central directory | zip64 record, locator | end record, comment |
//!   ^ offset of a member     ^ start                                     ^ found first, from the end
//! ```
//! Names are only names: nothing here touches a file system. Bytes before the first local header (a self-extracting zip) are
//! allowed for. Not read: zips in several parts.

use crate::entry::{CHUNK, Entry, Fields};
use crate::error::ArchiveError;
use crate::pieces::{Pieces, pieces};
use crate::store::{Pin, Store, StoreError};
use crate::text::printable;
use crate::zip_end::{End, find_end};
use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use pipeline::member::Packing;
use std::sync::Arc;

/// Signature and length of a directory entry's fixed part.
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
/// Signature of the digital signature that may end a directory.
const SIGNATURE: &[u8] = b"PK\x05\x05";
/// A 16 or 32 bit field with this value stands in the zip64 extra field.
const IN_ZIP64: u32 = u32::MAX;
/// Header id of the zip64 extra field.
const ZIP64_EXTRA: u16 = 1;
/// Bit 0 of the flags.
const ENCRYPTED_FLAG: u16 = 1;
/// The method that AES-encrypted members name; we say it for every encrypted member.
pub(crate) const ENCRYPTED: u16 = 99;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The central directory while it is read.
pub(crate) struct Directory {
    object: String,
    pieces: Pieces,
    /// Bytes that arrived and are not parsed yet begin at `at`.
    buffer: Vec<u8>,
    at: usize,
    /// Offset in the object of the next unparsed byte.
    offset: u64,
    end: End,
    /// Entries parsed so far, folders too.
    entries: u64,
}

/// What a directory's next bytes are.
enum Next {
    File(Entry),
    Folder,
    /// More bytes are needed.
    Cut,
}

impl Directory {
    /// Finds the directory. `tail` are the object's last bytes, see [`crate::zip_end::TAIL_BYTES`].
    pub(crate) async fn open(store: Arc<dyn Store>, pin: &Pin, tail: Bytes) -> Result<Self, ArchiveError> {
        let end = find_end(store.as_ref(), pin, &tail).await?;
        let tail_start = pin.bytes.saturating_sub(tail.len() as u64);
        let pieces = match end.start.checked_sub(tail_start).and_then(|at| usize::try_from(at).ok()) {
            // A small directory came with the tail.
            Some(at) => {
                let length = usize::try_from(end.bytes).unwrap_or(usize::MAX);
                let directory = tail.slice(at.min(tail.len())..at.saturating_add(length).min(tail.len()));
                futures::stream::iter([Ok::<_, StoreError>(directory)]).boxed()
            }
            None => pieces(store, pin.clone(), end.start..end.start.saturating_add(end.bytes)),
        };
        let (object, offset) = (pin.key.clone(), end.start);
        Ok(Self { object, pieces, buffer: Vec::new(), at: 0, offset, end, entries: 0 })
    }

    /// The next files, in directory order; `None` after the last.
    ///
    /// Errors: [`ArchiveError::Torn`] at the first byte that is no entry, or when there are fewer or more entries than the
    /// end record says.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Entry>>, ArchiveError> {
        let mut found = Vec::with_capacity(CHUNK);
        while found.len() < CHUNK {
            match self.parse()? {
                Next::File(entry) => found.push(entry),
                Next::Folder => {}
                Next::Cut => match self.pieces.try_next().await? {
                    Some(piece) => self.take(&piece),
                    None => {
                        self.check_complete()?;
                        break;
                    }
                },
            }
        }
        Ok((!found.is_empty()).then_some(found))
    }

    fn take(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(piece);
    }

    fn torn(&self, what: &'static str) -> ArchiveError {
        ArchiveError::Torn { object: self.object.clone(), offset: self.offset, what }
    }

    fn check_complete(&self) -> Result<(), ArchiveError> {
        let rest = &self.buffer[self.at..];
        if !rest.is_empty() && !rest.starts_with(SIGNATURE) {
            return Err(self.torn("a zip directory that ends inside an entry"));
        }
        if !self.end.agrees_with(self.entries) {
            return Err(self.torn("a zip directory with another number of members than its end says"));
        }
        Ok(())
    }

    fn parse(&mut self) -> Result<Next, ArchiveError> {
        let rest = &self.buffer[self.at..];
        if rest.len() < ENTRY_BYTES {
            return Ok(Next::Cut);
        }
        if !rest.starts_with(ENTRY) {
            let ended = rest.starts_with(SIGNATURE);
            return if ended { Ok(Next::Cut) } else { Err(self.torn("no zip directory entry")) };
        }
        let fields = Fields(rest);
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(fields.u16(at).unwrap_or_default()));
        let length = ENTRY_BYTES + name + extra + comment;
        if rest.len() < length {
            return Ok(Next::Cut);
        }
        let name_end = ENTRY_BYTES + name;
        let next = entry(
            fields,
            &rest[ENTRY_BYTES..name_end],
            &rest[name_end..name_end + extra],
            self.entries,
            self.end.shift,
        );
        self.entries += 1;
        self.at += length;
        self.offset = self.offset.saturating_add(length as u64);
        Ok(next.map_or(Next::Folder, Next::File))
    }
}

/// Reads one entry; `None` for a folder.
fn entry(fields: Fields<'_>, name: &[u8], extra: &[u8], position: u64, shift: u64) -> Option<Entry> {
    if name.ends_with(b"/") {
        return None;
    }
    let mut large = Fields(zip64(extra));
    let mut size = |at: usize| match fields.u32(at).unwrap_or_default() {
        IN_ZIP64 => match large.u64(0) {
            Some(value) => {
                large = Fields(&large.0[8..]);
                value
            }
            None => u64::from(IN_ZIP64),
        },
        value => u64::from(value),
    };
    // The zip64 field holds those of the three that do not fit, in this order.
    let (unpacked_bytes, stored_bytes, offset) = (size(24), size(20), size(42));
    let encrypted = fields.u16(8).unwrap_or_default() & ENCRYPTED_FLAG != 0;
    let packing = match fields.u16(10).unwrap_or_default() {
        _ if encrypted => Packing::Unsupported(ENCRYPTED),
        STORED => Packing::Stored,
        DEFLATED => Packing::Deflated,
        other => Packing::Unsupported(other),
    };
    let offset = offset.saturating_add(shift);
    Some(Entry {
        position,
        name: printable(name).into(),
        offset,
        stored_bytes,
        unpacked_bytes,
        crc32: fields.u32(16),
        packing,
    })
}

/// The content of the zip64 extra field, empty when there is none.
fn zip64(mut extra: &[u8]) -> &[u8] {
    while let (Some(id), Some(length)) = (Fields(extra).u16(0), Fields(extra).u16(2)) {
        let end = 4 + usize::from(length);
        let Some(content) = extra.get(4..end) else { return &[] };
        if id == ZIP64_EXTRA {
            return content;
        }
        extra = &extra[end..];
    }
    &[]
}
