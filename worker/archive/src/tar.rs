//! The members of a tar, by walking its headers: old, ustar, GNU (long names, base-256 sizes) and pax.
//!
//! A tar has no directory, so the walk reads what lies between headers or skips it, whichever is cheaper: the window grows
//! while headers lie close together and starts small again after a jump. Folders, links and devices are no members. Sparse
//! files are members that cannot be unpacked. A tar ends with an empty block; one without it is torn.

use crate::entry::{CHUNK, Entry};
use crate::error::ArchiveError;
use crate::pieces::read_small;
use crate::store::{Pin, READ_BYTES_MAX, Store};
use crate::tar_pax::Pax;
use crate::text::printable;
use bytes::Bytes;
use pipeline::member::Packing;
use std::sync::Arc;
use tar::{EntryType, Header};

/// Headers and data are padded to this.
const BLOCK: u64 = 512;
/// First window, and the one after a jump: a header with its long name, and a small member.
const WINDOW_BYTES_MIN: u64 = 64 << 10;
/// A longer name or pax header is damage.
const LONG_BYTES_MAX: u64 = 1 << 20;
/// [`Packing::Unsupported`] of a sparse file; zip has no such method.
pub(crate) const SPARSE: u16 = u16::MAX;
/// Where a GNU extension block of a sparse map says that another follows.
const SPARSE_MORE_AT: usize = 504;

/// Whether `block` begins a tar: 512 bytes whose checksum is right.
pub(crate) fn is_header(block: &[u8]) -> bool {
    let Some(block) = block.get(..512) else { return false };
    let header = Header::from_byte_slice(block);
    let sum: u32 =
        block.iter().enumerate().map(|(at, &b)| u32::from(if (148..156).contains(&at) { b' ' } else { b })).sum();
    header.cksum().is_ok_and(|said| said == sum)
}

/// A walk over the headers of one tar.
pub(crate) struct Walk {
    store: Arc<dyn Store>,
    pin: Pin,
    window: Bytes,
    window_at: u64,
    window_bytes: u64,
    /// Offset of the next header.
    at: u64,
    entries: u64,
    ended: bool,
    pending: Pending,
}

/// What headers before a member's own say about it.
#[derive(Debug, Default)]
struct Pending {
    long_name: Option<Vec<u8>>,
    pax: Pax,
}

impl Walk {
    pub(crate) fn new(store: Arc<dyn Store>, pin: Pin) -> Self {
        let (window, pending) = (Bytes::new(), Pending::default());
        Self {
            store,
            pin,
            window,
            window_at: 0,
            window_bytes: WINDOW_BYTES_MIN,
            at: 0,
            entries: 0,
            ended: false,
            pending,
        }
    }

    /// The next files, in the order they lie; `None` after the last.
    ///
    /// Errors: [`ArchiveError::Torn`] at the first block that is no header, and where a member or the tar itself is cut.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Entry>>, ArchiveError> {
        let mut found = Vec::new();
        while found.len() < CHUNK && !self.ended {
            found.extend(self.step().await?);
        }
        Ok((!found.is_empty()).then_some(found))
    }

    fn torn(&self, what: &'static str) -> ArchiveError {
        ArchiveError::Torn { object: self.pin.key.clone(), offset: self.at, what }
    }

    /// Reads one header and moves behind its data.
    async fn step(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let block = self.bytes(self.at, BLOCK).await?;
        if block.len() as u64 != BLOCK {
            return Err(self.torn("a tar that ends without its end mark"));
        }
        if block.iter().all(|&byte| byte == 0) {
            self.ended = true;
            return Ok(None);
        }
        if !is_header(&block) {
            return Err(self.torn("no tar header"));
        }
        let header = Header::from_byte_slice(&block);
        let size = header.entry_size().map_err(|_| self.torn("a tar header whose size is no number"))?;
        match header.entry_type() {
            EntryType::GNULongName => self.pending.long_name = Some(self.long(size).await?),
            EntryType::XHeader => {
                let text = self.long(size).await?;
                self.pending.pax = Pax::parse(&text).ok_or_else(|| self.torn("a pax header that cannot be read"))?;
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => self.pass(BLOCK, size)?,
            kind => return self.member(header, kind, size).await,
        }
        Ok(None)
    }

    /// The data of a header that describes the next one, and moves behind it.
    async fn long(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > LONG_BYTES_MAX {
            return Err(self.torn("a tar header of more than 1 MiB"));
        }
        let bytes = self.bytes(self.at + BLOCK, size).await?;
        if bytes.len() as u64 != size {
            return Err(self.torn("a tar that ends inside a long name"));
        }
        self.pass(BLOCK, size)?;
        Ok(bytes.to_vec())
    }

    async fn member(&mut self, header: &Header, kind: EntryType, size: u64) -> Result<Option<Entry>, ArchiveError> {
        let Pending { long_name, pax } = std::mem::take(&mut self.pending);
        let size = pax.size.unwrap_or(size);
        let sparse = kind == EntryType::GNUSparse || pax.sparse;
        let head = BLOCK + self.sparse_blocks(header, kind).await? * BLOCK;
        let offset = self.at.saturating_add(head);
        // Links name data that lies elsewhere; old writers give them a size that they do not store.
        let data = if kind.is_hard_link() || kind.is_symlink() { 0 } else { size };
        self.pass(head, data)?;
        let position = self.entries;
        self.entries += 1;
        let is_file = !(kind.is_dir() || data != size || kind.is_hard_link() || kind.is_symlink() || is_device(kind));
        let name = pax.path.or(long_name).unwrap_or_else(|| header.path_bytes().into_owned());
        if !is_file || name.ends_with(b"/") {
            return Ok(None);
        }
        let packing = if sparse { Packing::Unsupported(SPARSE) } else { Packing::Stored };
        let name = printable(name.strip_suffix(b"\0").unwrap_or(&name)).into();
        Ok(Some(Entry { position, name, offset, stored_bytes: size, unpacked_bytes: size, crc32: None, packing }))
    }

    /// Extension blocks between the header of a GNU sparse file and its data.
    async fn sparse_blocks(&mut self, header: &Header, kind: EntryType) -> Result<u64, ArchiveError> {
        let mut more = kind == EntryType::GNUSparse && header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        let mut blocks = 0;
        while more {
            blocks += 1;
            let block = self.bytes(self.at.saturating_add(blocks * BLOCK), BLOCK).await?;
            more = *block.get(SPARSE_MORE_AT).ok_or_else(|| self.torn("a tar that ends inside a sparse map"))? != 0;
        }
        Ok(blocks)
    }

    /// Moves behind a header and its padded data, which must lie inside the object.
    fn pass(&mut self, head: u64, size: u64) -> Result<(), ArchiveError> {
        let end = self.at.checked_add(head).and_then(|at| at.checked_add(size)).filter(|&end| end <= self.pin.bytes);
        let end = end.ok_or_else(|| self.torn("a tar that ends inside the member"))?;
        self.at =
            end.checked_next_multiple_of(BLOCK).ok_or_else(|| self.torn("a tar header whose size is too large"))?;
        Ok(())
    }

    /// Bytes of the object through the window, fewer at its end.
    async fn bytes(&mut self, at: u64, length: u64) -> Result<Bytes, ArchiveError> {
        let window_end = self.window_at + self.window.len() as u64;
        let end = at.saturating_add(length).min(self.pin.bytes);
        if at < self.window_at || end > window_end {
            let near = at.saturating_sub(window_end) < self.window_bytes;
            self.window_bytes = if near { (self.window_bytes * 2).min(READ_BYTES_MAX) } else { WINDOW_BYTES_MIN };
            let to = at.saturating_add(self.window_bytes.max(length));
            self.window = read_small(self.store.as_ref(), &self.pin, at..to).await?;
            self.window_at = at;
        }
        let cut = |offset: u64| {
            usize::try_from(offset.saturating_sub(self.window_at)).unwrap_or(usize::MAX).min(self.window.len())
        };
        Ok(self.window.slice(cut(at)..cut(end.max(at))))
    }
}

/// Pipes, devices and volume labels: entries without data that anybody wants.
fn is_device(kind: EntryType) -> bool {
    kind.is_fifo()
        || kind.is_character_special()
        || kind.is_block_special()
        || matches!(kind.as_byte(), b'V' | b'M' | b'D')
}
