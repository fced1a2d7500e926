//! Line-wise members, cut at line ends into chunks of bounded size, from pieces of any size.
//!
//! ```text
//! pieces   {"a":1}\n{"a"  |  :2}\n{"a":  |  3}
//! chunks   {"a":1}\n{"a":2}\n            |  {"a":3}      each with its offset in the unpacked member
//! ```
//! A line longer than the limit is left out and said; the next one goes on. The good lines of a damaged member come first,
//! then why it is damaged; a line that the damage cut is not used.

use crate::pipe::{Pipe, Sink};
use crate::refusal::Refusal;
use pipeline::member::Member;

/// Chunks are at most this large, unless one line is larger.
pub const CHUNK_BYTES: usize = 4 << 20;

/// What comes out of a line-wise member, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lines<'a> {
    /// Whole lines, each with its line end but for the last of the member.
    Chunk {
        /// Where they begin in the unpacked member.
        offset: u64,
        /// The lines; never empty.
        bytes: &'a [u8],
    },
    /// A line that is too large ([`Refusal::TooLarge`], others follow), or the end of what can be read.
    Refused {
        /// Where it begins in the unpacked member.
        offset: u64,
        /// Why.
        refusal: Refusal,
    },
}

/// A line-wise member being read piece by piece.
pub struct LineStream {
    /// `None` after a refusal.
    pipe: Option<Pipe>,
    /// Why there is no pipe from the beginning.
    refused: Option<Refusal>,
    cutter: Cutter,
}

impl LineStream {
    /// The beginning of a member whose lines may have `line_bytes_max` bytes, line ends aside.
    pub fn new(member: &Member, line_bytes_max: u64) -> Self {
        let (pipe, refused) = match Pipe::new(member) {
            Ok(pipe) => (Some(pipe), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Self { pipe, refused, cutter: Cutter::new(line_bytes_max) }
    }

    /// Takes the next stored bytes and hands over what lines they complete. False when the rest cannot be read: what is
    /// pushed then is passed over.
    pub fn push(&mut self, piece: &[u8], take: &mut dyn FnMut(Lines<'_>)) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let pushed = pipe.push(piece, &mut Cutting { cutter: &mut self.cutter, take });
        if let Err(refusal) = pushed {
            self.pipe = None;
            self.cutter.give_up(refusal, take);
        }
        self.pipe.is_some()
    }

    /// Hands over what is left after the last piece.
    pub fn finish(mut self, take: &mut dyn FnMut(Lines<'_>)) {
        let finished = match (self.pipe, self.refused) {
            (Some(pipe), _) => pipe.finish(&mut Cutting { cutter: &mut self.cutter, take }),
            (None, Some(refusal)) => Err(refusal),
            (None, None) => return,
        };
        match finished {
            Ok(()) => self.cutter.finish(take),
            Err(refusal) => self.cutter.give_up(refusal, take),
        }
    }
}

/// Bytes that wait for their line end.
struct Cutter {
    line_bytes_max: u64,
    buffer: Vec<u8>,
    filled: usize,
    /// Offset of the buffer's first byte in the unpacked member.
    offset: u64,
    /// Beginning of a line that is too large, while its end is looked for.
    skipping: Option<u64>,
}

impl Cutter {
    fn new(line_bytes_max: u64) -> Self {
        Self { line_bytes_max, buffer: Vec::new(), filled: 0, offset: 0, skipping: None }
    }

    fn too_large(&self) -> Refusal {
        Refusal::TooLarge { bytes_max: self.line_bytes_max }
    }

    /// After so many bytes more were written behind those that wait.
    fn wrote(&mut self, bytes: usize, take: &mut dyn FnMut(Lines<'_>)) {
        self.filled += bytes;
        if self.skipping.is_some() {
            self.skip(take);
        }
        if self.filled == self.buffer.len() {
            self.flush(take);
        }
    }

    /// Hands over the whole lines of a full buffer; grows it when it holds none.
    fn flush(&mut self, take: &mut dyn FnMut(Lines<'_>)) {
        match self.buffer[..self.filled].iter().rposition(|&byte| byte == b'\n') {
            Some(end) => {
                take(Lines::Chunk { offset: self.offset, bytes: &self.buffer[..=end] });
                self.drop_front(end + 1);
                if self.buffer.len() > CHUNK_BYTES && self.filled < CHUNK_BYTES {
                    self.buffer.truncate(CHUNK_BYTES);
                    self.buffer.shrink_to_fit();
                }
            }
            None if self.filled as u64 > self.line_bytes_max => {
                self.skipping = Some(self.offset);
                self.drop_front(self.filled);
            }
            None => self.grow(),
        }
    }

    fn grow(&mut self) {
        let most = usize::try_from(self.line_bytes_max.saturating_add(1)).unwrap_or(usize::MAX);
        let wanted = if self.buffer.is_empty() { CHUNK_BYTES } else { self.buffer.len().saturating_mul(2) };
        self.buffer.resize(wanted.min(most), 0);
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.offset = self.offset.saturating_add(bytes as u64);
    }

    /// Drops what belongs to a line that is too large.
    fn skip(&mut self, take: &mut dyn FnMut(Lines<'_>)) {
        let end = self.buffer[..self.filled].iter().position(|&byte| byte == b'\n');
        self.drop_front(end.map_or(self.filled, |end| end + 1));
        if end.is_some() {
            self.say_skipped(take);
        }
    }

    fn say_skipped(&mut self, take: &mut dyn FnMut(Lines<'_>)) {
        if let Some(offset) = self.skipping.take() {
            take(Lines::Refused { offset, refusal: self.too_large() });
        }
    }

    /// The member ended well: the last line needs no line end.
    fn finish(mut self, take: &mut dyn FnMut(Lines<'_>)) {
        self.say_skipped(take);
        if self.filled > 0 {
            take(Lines::Chunk { offset: self.offset, bytes: &self.buffer[..self.filled] });
        }
    }

    /// The member is damaged from here: whole lines are good, a cut one is not.
    fn give_up(&mut self, refusal: Refusal, take: &mut dyn FnMut(Lines<'_>)) {
        self.say_skipped(take);
        if let Some(end) = self.buffer[..self.filled].iter().rposition(|&byte| byte == b'\n') {
            take(Lines::Chunk { offset: self.offset, bytes: &self.buffer[..=end] });
            self.drop_front(end + 1);
        }
        take(Lines::Refused { offset: self.offset, refusal });
    }
}

/// A cutter and whom it hands its lines to.
struct Cutting<'a, 't> {
    cutter: &'a mut Cutter,
    take: &'t mut dyn FnMut(Lines<'_>),
}

impl Sink for Cutting<'_, '_> {
    fn room(&mut self) -> Result<&mut [u8], Refusal> {
        if self.cutter.buffer.is_empty() {
            self.cutter.grow();
        }
        Ok(&mut self.cutter.buffer[self.cutter.filled..])
    }

    fn wrote(&mut self, bytes: usize) {
        self.cutter.wrote(bytes, self.take);
    }
}

/// Cuts lines that lie in memory whole, without copying them.
pub(crate) fn cut(bytes: &[u8], line_bytes_max: u64, take: &mut dyn FnMut(Lines<'_>)) {
    let line_max = usize::try_from(line_bytes_max).unwrap_or(usize::MAX);
    let step = CHUNK_BYTES.min(line_max.saturating_add(1));
    let mut at = 0;
    while at < bytes.len() {
        let (rest, offset) = (&bytes[at..], at as u64);
        let last_end = rest[..step.min(rest.len())].iter().rposition(|&byte| byte == b'\n');
        let lines = match last_end {
            _ if rest.len() <= CHUNK_BYTES.min(line_max) => rest,
            Some(end) => &rest[..=end],
            None => first_line(rest),
        };
        at += lines.len();
        let is_one_too_large = last_end.is_none() && lines.strip_suffix(b"\n").unwrap_or(lines).len() > line_max;
        take(match is_one_too_large {
            true => Lines::Refused { offset, refusal: Refusal::TooLarge { bytes_max: line_bytes_max } },
            false => Lines::Chunk { offset, bytes: lines },
        });
    }
}

/// Up to the first line end, or all.
fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.iter().position(|&byte| byte == b'\n').map_or(bytes, |end| &bytes[..=end])
}
