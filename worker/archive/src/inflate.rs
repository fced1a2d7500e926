//! Decompression piece by piece, in bounded memory: raw deflate (zip), gzip of any number of members, zstd of any number of
//! frames. It is the slow and complete way; [`crate::unpack`] has the fast one for what lies in memory whole.

use crate::refusal::Why;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// Windows of zstd larger than this are refused, as the `zstd` program does unless told otherwise: 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;
/// Window of deflate, and of gzip: 32 KiB.
const WINDOW_BITS: u8 = 15;
/// First byte of a gzip member.
const GZIP: u8 = 0x1f;

/// How far one step came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) read: usize,
    pub(crate) written: usize,
}

/// Why a step failed, and what it wrote before: that came out of undamaged bytes, as far as anybody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) why: Why,
    pub(crate) written: usize,
}

impl From<Why> for Broken {
    fn from(why: Why) -> Self {
        Self { why, written: 0 }
    }
}

/// A decompressor that is fed piece by piece.
pub(crate) enum Inflate {
    /// Bytes as they are.
    Plain,
    /// Raw deflate, one stream.
    Deflate(Decompress, Frames),
    /// Gzip members; CRC-32 and size of each are checked.
    Gzip(Decompress, Frames),
    /// Zstd frames; checksums are checked where there are any.
    Zstd(Decoder<'static>, Frames),
}

/// Where among its frames a decompressor stands.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Inside one.
    open: bool,
    /// Ended ones.
    ended: u64,
}

/// What the first bytes of a member say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Magic {
    Plain,
    Gzip,
    Zstd,
}

impl Magic {
    /// Bytes that are enough to tell.
    pub(crate) const BYTES: usize = 4;

    /// Tells by magic bytes, also by the few of a torn member; neither can begin a JSON text.
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [GZIP, 0x8b, ..] => Self::Gzip,
            // Frames, and frames that are to be skipped.
            [0x28, 0xb5, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

impl Inflate {
    pub(crate) fn of(magic: Magic) -> Result<Self, Why> {
        Ok(match magic {
            Magic::Plain => Self::Plain,
            Magic::Gzip => Self::Gzip(Decompress::new_gzip(WINDOW_BITS), Frames::default()),
            Magic::Zstd => {
                let mut decoder = Decoder::new().map_err(|_| Why::Damaged)?;
                let limited = decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX));
                limited.map_err(|_| Why::Damaged)?;
                Self::Zstd(decoder, Frames::default())
            }
        })
    }

    pub(crate) fn deflate() -> Self {
        Self::Deflate(Decompress::new(false), Frames::default())
    }

    /// Takes from `input`, writes to `output`. Steps that neither read nor write mean that more input is needed.
    pub(crate) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Broken> {
        match self {
            Self::Plain => {
                let length = input.len().min(output.len());
                output[..length].copy_from_slice(&input[..length]);
                Ok(Step { read: length, written: length })
            }
            // What follows the stream inside a zip member is padding: size and CRC-32 prove the rest.
            Self::Deflate(_, frames) if frames.ended > 0 => Ok(Step { read: input.len(), written: 0 }),
            Self::Deflate(stream, frames) => inflate(stream, frames, input, output),
            Self::Gzip(stream, frames) => gzip(stream, frames, input, output),
            Self::Zstd(stream, frames) => Ok(zstd(stream, frames, input, output)?),
        }
    }

    /// Whether the input may end here.
    pub(crate) fn finish(&self) -> Result<(), Why> {
        match self {
            Self::Plain => Ok(()),
            Self::Deflate(_, frames) | Self::Gzip(_, frames) | Self::Zstd(_, frames) => {
                if frames.open || frames.ended == 0 { Err(Why::CutShort) } else { Ok(()) }
            }
        }
    }
}

fn inflate(stream: &mut Decompress, frames: &mut Frames, input: &[u8], output: &mut [u8]) -> Result<Step, Broken> {
    let before = (stream.total_in(), stream.total_out());
    frames.open = true;
    let status = stream.decompress(input, output, FlushDecompress::None);
    let length = |now: u64, before: u64| usize::try_from(now.saturating_sub(before)).unwrap_or_default();
    let step = Step { read: length(stream.total_in(), before.0), written: length(stream.total_out(), before.1) };
    // A checksum is compared when all has been written.
    match status.map_err(|_| Broken { why: Why::Damaged, written: step.written })? {
        Status::StreamEnd => {
            frames.open = false;
            frames.ended += 1;
        }
        Status::Ok | Status::BufError => {}
    }
    Ok(step)
}

fn gzip(stream: &mut Decompress, frames: &mut Frames, input: &[u8], output: &mut [u8]) -> Result<Step, Broken> {
    if frames.open {
        return inflate(stream, frames, input, output);
    }
    match input {
        [] => Ok(Step { read: 0, written: 0 }),
        // Some writers pad with zeros.
        [0, ..] if frames.ended > 0 => {
            let padding = input.iter().take_while(|&&byte| byte == 0).count();
            Ok(Step { read: padding, written: 0 })
        }
        [GZIP, ..] => {
            if frames.ended > 0 {
                stream.reset(true);
            }
            inflate(stream, frames, input, output)
        }
        _ => Err(Why::Trailing.into()),
    }
}

fn zstd(stream: &mut Decoder<'_>, frames: &mut Frames, input: &[u8], output: &mut [u8]) -> Result<Step, Why> {
    if input.is_empty() && !frames.open {
        return Ok(Step { read: 0, written: 0 });
    }
    let damaged = |_| if frames.open || frames.ended == 0 { Why::Damaged } else { Why::Trailing };
    let status = stream.run_on_buffers(input, output).map_err(damaged)?;
    frames.open = status.remaining != 0;
    frames.ended += u64::from(!frames.open);
    Ok(Step { read: status.bytes_read, written: status.bytes_written })
}
