//! Why a member, or a line of one, is not used: bad data, never an error of the run.

use crate::{tar, zip};
use pipeline::member::Packing;

/// [`Packing::Unsupported`] of the one member that stands for an object whose directory cannot be read: no zip method has
/// this number.
pub const TORN_OBJECT: u16 = u16::MAX - 1;

/// Why a member or a line is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its bytes are not what they should be.
    #[error("{why}")]
    Unreadable {
        /// What is wrong.
        why: Why,
        /// Where it was noticed, in the member's stored bytes.
        offset: Option<u64>,
    },
    /// It is larger than `limits.memberBytes` after unpacking.
    #[error("larger than {bytes_max} bytes after unpacking; raise limits.memberBytes if that is right")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
}

/// What is wrong with a member's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// A zip member without its local header.
    #[error("the zip's directory leads to no member")]
    NoHeader,
    /// The object ends inside the member.
    #[error("the object ends inside the member")]
    CutByObject,
    /// Deflate, gzip or zstd that ends too early.
    #[error("the compressed data ends too early")]
    CutShort,
    /// Deflate, gzip or zstd that cannot be decompressed, or whose checksum is wrong.
    #[error("the compressed data is damaged")]
    Damaged,
    /// Something follows the last gzip or zstd frame.
    #[error("something follows the compressed data")]
    Trailing,
    /// Unpacking the zip member gives another number of bytes than the directory says.
    #[error("the size differs from what the zip's directory says")]
    WrongSize,
    /// The zip member's CRC-32 is wrong.
    #[error("the CRC-32 differs from what the zip's directory says")]
    WrongCrc,
    /// Encrypted zip members are not read.
    #[error("the member is encrypted")]
    Encrypted,
    /// The member stands for an object whose directory or headers cannot be read.
    #[error("the object is torn, or neither zip nor tar: its members cannot be listed")]
    TornObject,
    /// Sparse tar members are not read.
    #[error("the member is a sparse file")]
    Sparse,
    /// A zip method that is not read.
    #[error("zip method {0} is not read; only stored and deflated are")]
    Method(u16),
}

impl Refusal {
    pub(crate) fn because(why: Why) -> Self {
        Self::Unreadable { why, offset: None }
    }

    pub(crate) fn at(why: Why, offset: u64) -> Self {
        Self::Unreadable { why, offset: Some(offset) }
    }

    /// Why a member that lies like this is not read, if it is not.
    pub(crate) fn of_packing(packing: Packing) -> Option<Self> {
        let why = match packing {
            Packing::Stored | Packing::Deflated => return None,
            Packing::Unsupported(zip::ENCRYPTED) => Why::Encrypted,
            Packing::Unsupported(tar::SPARSE) => Why::Sparse,
            Packing::Unsupported(TORN_OBJECT) => Why::TornObject,
            Packing::Unsupported(method) => Why::Method(method),
        };
        Some(Self::because(why))
    }
}
