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

impl Stamp {
    /// The first and the last instant (both inside) that the stamp speaks for: the instant and what it `covers_ns`, or
    /// the whole day and what it covers. `None` without a stamp. An observation farther outside than `lateness` is late.
    pub fn reach(self, covers_ns: i64) -> Option<(i64, i64)> {
        match self {
            Self::At(ns) => Some((ns, ns.saturating_add(covers_ns))),
            Self::Day(day) => {
                let last_ns = day.next().start_ns().saturating_sub(1);
                Some((day.start_ns(), last_ns.saturating_add(covers_ns)))
            }
            Self::Absent => None,
        }
    }
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
    pub name: Arc<str>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_speaks_for_its_instant_or_its_day_and_what_it_covers() {
        assert_eq!(Stamp::At(5).reach(2), Some((5, 7)));
        assert_eq!(Stamp::At(i64::MAX).reach(2), Some((i64::MAX, i64::MAX)));
        assert_eq!(Stamp::Day(Day(1)).reach(0), Some((crate::time::DAY_NS, 2 * crate::time::DAY_NS - 1)));
        assert_eq!(Stamp::Absent.reach(9), None);
    }
}
