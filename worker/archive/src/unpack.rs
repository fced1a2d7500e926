//! From a member's stored bytes to its document: the zip's own deflate with CRC-32, then gzip or zstd by their magic bytes.
//!
//! The common ways take one shot into a buffer that is kept from member to member. Sizes that a file claims are hints: no
//! buffer grows past `limits.memberBytes`, so a zip bomb meets the limit, not the memory. What the fast way cannot read
//! exactly (several gzip members, a wrong size, damage) is read again by the slow way, which says what is wrong.

use crate::inflate::Magic;
use crate::lines::{LineStream, Lines, cut};
use crate::pipe::{Pipe, Sink};
use crate::refusal::{Refusal, Why};
use libdeflater::{DecompressionError, Decompressor, crc32};
use pipeline::member::{Member, Packing};

/// Buffers above this are given back when the next member needs less.
const KEPT_BYTES: usize = 8 << 20;
/// First size of a buffer whose need is not known.
const FIRST_BYTES: usize = 64 << 10;
/// Members of lines up to this size are unpacked in one shot; larger ones line by line.
const WHOLE_LINES_BYTES: u64 = 16 << 20;
/// Deflate makes at most 1,032 bytes of one.
const DEFLATE_RATIO_MAX: usize = 1032;
/// Room behind what is expected: libdeflate goes its fast way as long as two letters and a longest match, copied by words, would
/// fit (2 + 258 + 39 bytes), which is a tenth of a small document away from its end.
const SLACK_BYTES: usize = 320;
/// Fixed part of a gzip header, and its trailer: CRC-32 and size.
const GZIP_HEADER_BYTES: usize = 10;
const GZIP_TRAILER_BYTES: usize = 8;

/// Unpacks members one after the other. One per thread; it keeps its buffers.
pub struct Unpacker {
    bytes_max: u64,
    inflater: Decompressor,
    /// What the zip's deflate held.
    outer: Buffer,
    /// What gzip or zstd held.
    inner: Buffer,
}

impl Unpacker {
    /// An unpacker that refuses documents of more than `bytes_max` bytes (`limits.memberBytes`).
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, inflater: Decompressor::new(), outer: Buffer::default(), inner: Buffer::default() }
    }

    /// The whole document of a member, valid until the next call. Nothing of a damaged one is returned.
    pub fn document<'a>(&'a mut self, member: &Member, raw: &'a [u8]) -> Result<&'a [u8], Refusal> {
        self.whole(member, raw, self.bytes_max)
    }

    /// Hands the lines of a member that lies in memory to `take`, in order, as [`crate::lines::LineStream`] does. The limit
    /// holds for each line. The good lines of a damaged member come first, then why it is damaged.
    pub fn lines(&mut self, member: &Member, raw: &[u8], take: &mut dyn FnMut(Lines<'_>)) {
        let line_bytes_max = self.bytes_max;
        if let Ok(bytes) = self.whole(member, raw, WHOLE_LINES_BYTES) {
            return cut(bytes, line_bytes_max, take);
        }
        let mut stream = LineStream::new(member, line_bytes_max);
        stream.push(raw, take);
        stream.finish(take);
    }

    fn whole<'a>(&'a mut self, member: &Member, raw: &'a [u8], bytes_max: u64) -> Result<&'a [u8], Refusal> {
        if let Some(refusal) = Refusal::of_packing(member.packing) {
            return Err(refusal);
        }
        let too_large = Refusal::TooLarge { bytes_max };
        let packed = match member.packing {
            Packing::Deflated if member.unpacked_bytes > bytes_max => return Err(too_large),
            Packing::Deflated => inflate_zip(&mut self.inflater, raw, member, &mut self.outer)?,
            _ => raw,
        };
        check(member, packed)?;
        match Magic::of(packed) {
            Magic::Plain if packed.len() as u64 > bytes_max => Err(too_large),
            Magic::Plain => Ok(packed),
            Magic::Gzip if gunzip(&mut self.inflater, packed, bytes_max, &mut self.inner) => Ok(self.inner.filled()),
            Magic::Gzip | Magic::Zstd => slow(packed, bytes_max, &mut self.inner),
        }
    }
}

/// Size and CRC-32 of a zip member.
fn check(member: &Member, bytes: &[u8]) -> Result<(), Refusal> {
    let Some(expected) = member.crc32 else { return Ok(()) };
    if bytes.len() as u64 != member.unpacked_bytes {
        return Err(Refusal::because(Why::WrongSize));
    }
    if crc32(bytes) == expected { Ok(()) } else { Err(Refusal::because(Why::WrongCrc)) }
}

/// Raw deflate into a buffer for the size that the directory says, which was compared with the limit.
fn inflate_zip<'a>(
    inflater: &mut Decompressor,
    raw: &[u8],
    member: &Member,
    buffer: &'a mut Buffer,
) -> Result<&'a [u8], Refusal> {
    let bytes = usize::try_from(member.unpacked_bytes).unwrap_or(usize::MAX);
    if bytes / DEFLATE_RATIO_MAX > raw.len() {
        return Err(Refusal::because(Why::WrongSize));
    }
    match inflater.deflate_decompress(raw, buffer.at_least(bytes)) {
        // Whether there are as many as that is asked of all members, however they are packed.
        Ok(written) => Ok(buffer.fill(written)),
        Err(DecompressionError::InsufficientSpace) => Err(Refusal::because(Why::WrongSize)),
        Err(DecompressionError::BadData) => Err(Refusal::because(Why::Damaged)),
    }
}

/// Gzip of one member in one shot; false when it is anything else.
///
/// The last eight bytes must fit what came out: then the stream ended exactly before them.
fn gunzip(inflater: &mut Decompressor, packed: &[u8], bytes_max: u64, buffer: &mut Buffer) -> bool {
    let Some(header) = gzip_header(packed) else { return false };
    let Some((stream, trailer)) = packed[header..].split_last_chunk::<GZIP_TRAILER_BYTES>() else { return false };
    let [c0, c1, c2, c3, n0, n1, n2, n3] = *trailer;
    let (crc, bytes) = (u32::from_le_bytes([c0, c1, c2, c3]), u32::from_le_bytes([n0, n1, n2, n3]));
    let Ok(size) = usize::try_from(bytes) else { return false };
    if u64::from(bytes) > bytes_max || size / DEFLATE_RATIO_MAX > stream.len() {
        return false;
    }
    match inflater.deflate_decompress(stream, buffer.at_least(size)) {
        Ok(written) => written == size && crc32(buffer.fill(written)) == crc,
        Err(_) => false,
    }
}

/// Length of a gzip header; `None` for one that is cut or that no writer makes.
fn gzip_header(packed: &[u8]) -> Option<usize> {
    let &[0x1f, 0x8b, 8, flags, ..] = packed else { return None };
    let mut at = GZIP_HEADER_BYTES;
    if flags & 4 != 0 {
        let &[low, high] = packed.get(at..at + 2)? else { return None };
        at += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    // Name and comment end with a zero each.
    for flag in [8, 16] {
        if flags & flag != 0 {
            at += packed.get(at..)?.iter().position(|&byte| byte == 0)? + 1;
        }
    }
    at += if flags & 2 != 0 { 2 } else { 0 };
    (flags & 0xe0 == 0 && at <= packed.len()).then_some(at)
}

/// Piece by piece into a buffer that grows up to the limit.
fn slow<'a>(packed: &[u8], bytes_max: u64, buffer: &'a mut Buffer) -> Result<&'a [u8], Refusal> {
    // The size that a zstd frame claims spares growing step by step.
    let claimed = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    let hint = claimed.filter(|&bytes| bytes <= bytes_max).and_then(|bytes| usize::try_from(bytes).ok());
    buffer.begin(hint.map_or(FIRST_BYTES, |bytes| bytes.saturating_add(1).min(KEPT_BYTES)));
    let mut pipe = Pipe::inner_only();
    let mut bounded = Bounded { buffer, bytes_max };
    pipe.push(packed, &mut bounded)?;
    pipe.finish(&mut bounded)?;
    Ok(buffer.filled())
}

/// Bytes that are reused. It is zeroed only where it grows.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// Empties it, with room for at least so many.
    fn begin(&mut self, bytes: usize) {
        self.filled = 0;
        if self.bytes.len() > KEPT_BYTES && bytes <= KEPT_BYTES {
            self.bytes = Vec::new();
        }
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
    }

    /// Empties it; room for so many bytes and [`SLACK_BYTES`].
    fn at_least(&mut self, bytes: usize) -> &mut [u8] {
        let room = bytes.saturating_add(SLACK_BYTES);
        self.begin(room);
        &mut self.bytes[..room]
    }

    fn fill(&mut self, bytes: usize) -> &[u8] {
        self.filled = bytes;
        self.filled()
    }

    fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

/// A buffer that doubles up to a limit.
struct Bounded<'a> {
    buffer: &'a mut Buffer,
    bytes_max: u64,
}

impl Sink for Bounded<'_> {
    fn room(&mut self) -> Result<&mut [u8], Refusal> {
        let Buffer { bytes, filled } = &mut *self.buffer;
        // One byte above the limit tells "exactly the limit" from "more".
        let most = usize::try_from(self.bytes_max.saturating_add(1)).unwrap_or(usize::MAX);
        if *filled >= most {
            return Err(Refusal::TooLarge { bytes_max: self.bytes_max });
        }
        if *filled == bytes.len() {
            let size = bytes.len().saturating_mul(2).max(FIRST_BYTES).min(most);
            bytes.reserve_exact(size - bytes.len());
            bytes.resize(size, 0);
        }
        let end = bytes.len().min(most);
        Ok(&mut bytes[*filled..end])
    }

    fn wrote(&mut self, bytes: usize) {
        self.buffer.filled += bytes;
    }
}
