//! An entry of a zip or tar, before anybody asked what its name says; and numbers in little-endian bytes.

use pipeline::member::Packing;
use std::sync::Arc;

/// Entries handed over at a time: some 100 KB, so that the next ones find the memory of those before still warm.
pub(crate) const CHUNK: usize = 1024;

/// A file in a zip or tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Position among all entries, folders and links too.
    pub(crate) position: u64,
    pub(crate) name: Arc<str>,
    /// Zip: of the local header. Tar: of the data.
    pub(crate) offset: u64,
    pub(crate) stored_bytes: u64,
    pub(crate) unpacked_bytes: u64,
    /// Zip only.
    pub(crate) crc32: Option<u32>,
    pub(crate) packing: Packing,
}

/// The little-endian numbers of a header, `None` past its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    pub(crate) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }
}
