//! Both layers of a member's packing, piece by piece: the zip's own deflate with its CRC-32, then gzip or zstd inside.
//!
//! ```text
//! stored bytes → [deflate → CRC-32] → [gzip | zstd, told by the first bytes] → sink
//! ```

use crate::inflate::{Broken, Inflate, Magic, Step};
use crate::refusal::{Refusal, Why};
use libdeflater::Crc;
use pipeline::member::{Member, Packing};

/// Bytes between the layers.
const BETWEEN_BYTES: usize = 128 << 10;

/// Where unpacked bytes go.
pub(crate) trait Sink {
    /// Room for more, never empty; refuses when there must not be more.
    fn room(&mut self) -> Result<&mut [u8], Refusal>;
    /// So many bytes of the room were written.
    fn wrote(&mut self, bytes: usize);
}

/// A member being unpacked.
pub(crate) struct Pipe {
    outer: Inflate,
    inner: Inner,
    /// What the zip's directory says: CRC-32 and size.
    expected: Option<(u32, u64)>,
    crc: Crc,
    between: Vec<u8>,
    /// Stored bytes taken so far.
    taken: u64,
    /// Bytes that came out of the outer layer so far.
    passed: u64,
    /// Those of them that the inner layer took.
    used: u64,
}

enum Inner {
    /// Too few bytes have arrived to tell.
    Unknown(Vec<u8>),
    Known(Inflate),
}

impl Pipe {
    /// Both layers of a member; refuses packings that are not read.
    pub(crate) fn new(member: &Member) -> Result<Self, Refusal> {
        let outer = match (member.packing, Refusal::of_packing(member.packing)) {
            (_, Some(refusal)) => return Err(refusal),
            (Packing::Deflated, None) => Inflate::deflate(),
            (_, None) => Inflate::Plain,
        };
        let expected = member.crc32.map(|crc32| (crc32, member.unpacked_bytes));
        let between = vec![0; if matches!(outer, Inflate::Plain) { 0 } else { BETWEEN_BYTES }];
        Ok(Self {
            outer,
            inner: Inner::Unknown(Vec::new()),
            expected,
            crc: Crc::new(),
            between,
            taken: 0,
            passed: 0,
            used: 0,
        })
    }

    /// Only what is inside: gzip, zstd or neither.
    pub(crate) fn inner_only() -> Self {
        let inner = Inner::Unknown(Vec::new());
        Self {
            outer: Inflate::Plain,
            inner,
            expected: None,
            crc: Crc::new(),
            between: Vec::new(),
            taken: 0,
            passed: 0,
            used: 0,
        }
    }

    /// Unpacks the next stored bytes. After a refusal nothing more may be pushed; what was written stays good.
    pub(crate) fn push(&mut self, mut piece: &[u8], sink: &mut impl Sink) -> Result<(), Refusal> {
        if matches!(self.outer, Inflate::Plain) {
            return self.push_inner(piece, sink);
        }
        let mut between = std::mem::take(&mut self.between);
        let result = loop {
            match self.step_outer(piece, &mut between, sink) {
                // With room left and nothing to read, nothing is held back.
                Ok(step) if step.written < between.len() && step.read == piece.len() => break Ok(()),
                Ok(Step { read: 0, written: 0 }) => break Err(Refusal::at(Why::Damaged, self.taken)),
                Ok(step) => piece = &piece[step.read..],
                Err(refusal) => break Err(refusal),
            }
        };
        self.between = between;
        result
    }

    fn step_outer(&mut self, piece: &[u8], between: &mut [u8], sink: &mut impl Sink) -> Result<Step, Refusal> {
        let step = match self.outer.step(piece, between) {
            Ok(step) => step,
            Err(Broken { why, written }) => {
                self.push_inner(&between[..written], sink)?;
                return Err(Refusal::at(why, self.taken));
            }
        };
        self.taken = self.taken.saturating_add(step.read as u64);
        self.push_inner(&between[..step.written], sink)?;
        Ok(step)
    }

    /// Says whether the member ended where it should, with the right CRC-32.
    pub(crate) fn finish(mut self, sink: &mut impl Sink) -> Result<(), Refusal> {
        if let Inner::Unknown(head) = &mut self.inner {
            let head = std::mem::take(head);
            self.inner = Inner::Known(Inflate::of(Magic::of(&head)).map_err(Refusal::because)?);
            self.push_known(&head, sink)?;
        }
        self.outer.finish().map_err(|why| Refusal::at(why, self.taken))?;
        if let Some((crc32, bytes)) = self.expected {
            if self.passed != bytes {
                return Err(Refusal::because(Why::WrongSize));
            }
            if self.crc.sum() != crc32 {
                return Err(Refusal::because(Why::WrongCrc));
            }
        }
        match &self.inner {
            Inner::Known(inner) => inner.finish().map_err(|why| Refusal::at(why, self.used)),
            Inner::Unknown(_) => Ok(()),
        }
    }

    fn push_inner(&mut self, piece: &[u8], sink: &mut impl Sink) -> Result<(), Refusal> {
        self.passed = self.passed.saturating_add(piece.len() as u64);
        match self.expected {
            Some((_, bytes)) if self.passed > bytes => return Err(Refusal::because(Why::WrongSize)),
            Some(_) => self.crc.update(piece),
            None => {}
        }
        let Inner::Unknown(head) = &mut self.inner else { return self.push_known(piece, sink) };
        head.extend_from_slice(&piece[..piece.len().min(Magic::BYTES)]);
        if head.len() < Magic::BYTES {
            return Ok(());
        }
        // The head may repeat the beginning of this piece.
        let (head, known) = (std::mem::take(head), piece.len().min(Magic::BYTES));
        self.inner = Inner::Known(Inflate::of(Magic::of(&head)).map_err(Refusal::because)?);
        self.push_known(&head, sink)?;
        self.push_known(&piece[known..], sink)
    }

    fn push_known(&mut self, mut piece: &[u8], sink: &mut impl Sink) -> Result<(), Refusal> {
        let Inner::Known(inner) = &mut self.inner else { return Ok(()) };
        loop {
            let room = sink.room()?;
            let room_bytes = room.len();
            let step = inner.step(piece, room);
            sink.wrote(step.map_or_else(|broken| broken.written, |step| step.written));
            let step = step.map_err(|broken| Refusal::at(broken.why, self.used))?;
            self.used = self.used.saturating_add(step.read as u64);
            piece = &piece[step.read..];
            // With room left and nothing to read, nothing is held back.
            if step.written < room_bytes && piece.is_empty() {
                return Ok(());
            }
            if step.read == 0 && step.written == 0 {
                return Err(Refusal::at(Why::Damaged, self.used));
            }
        }
    }
}
