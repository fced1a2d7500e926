//! What an archive says about its objects and members without opening them: names, captures, stamps, places, sizes.

use crate::time::Day;
use std::sync::Arc;

/// The time in a member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stamp {
    /// `{millis}` or `{seconds}`: an instant, ns.
    At(i64),
    /// `{date}` alone: it covers its UTC day.
    Day(Day),
    /// None: the member is cut by robot only, and nothing in it is late.
    Absent,
}

/// How a member's bytes lie in its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    /// As they are (stored zip entry, tar entry, plain object).
    Stored,
    /// Raw deflate (zip method 8).
    Deflated,
    /// A zip method that is not read; every such member is `unreadable`.
    Unsupported(u16),
}

/// One member of one object. A plain object is its own only member: position 0, offset 0, name empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Index of its object in the listing, which is sorted by key.
    pub object: u32,
    /// Position inside the object: central directory order, tar order. Archive order = (object, position).
    pub position: u64,
    /// Its name; bytes that are not UTF-8 are written as `\xNN`.
    pub name: String,
    /// The `{robot}` (or whichever capture the archive names), if any.
    pub robot: Option<Arc<str>>,
    /// The time in its name or, failing that, in its object's key.
    pub stamp: Stamp,
    /// Zip: of the local header. Tar and plain: of the data.
    pub offset: u64,
    /// Bytes in the object, headers aside.
    pub stored_bytes: u64,
    /// Bytes after unpacking the zip's own compression (not gzip or zstd inside), as the directory says.
    pub unpacked_bytes: u64,
    /// CRC-32 of the unpacked bytes (zip only).
    pub crc32: Option<u32>,
    /// How the bytes lie.
    pub packing: Packing,
}
