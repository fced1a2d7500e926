//! The end of a zip: where its directory lies and how many entries it has.

use crate::entry::Fields;
use crate::error::ArchiveError;
use crate::pieces::read_small;
use crate::store::{Pin, Store};

/// The end record, without its comment.
const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
/// Zip64: where the record is, right before the end record.
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
/// Zip64: the end record with wide fields.
const RECORD: &[u8] = b"PK\x06\x06";
const RECORD_BYTES: usize = 56;
/// Start of a directory entry.
const ENTRY: &[u8] = b"PK\x01\x02";

/// Enough of an object's end to hold its end records: a comment has at most 65,535 bytes.
pub(crate) const TAIL_BYTES: u64 = 65_535 + (END_BYTES + LOCATOR_BYTES + RECORD_BYTES) as u64;

/// Where a directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// Offset of the directory in the object.
    pub(crate) start: u64,
    pub(crate) bytes: u64,
    entries: u64,
    /// Entries are counted modulo 65,536: some writers leave zip64 out where they should not.
    wraps: bool,
    /// Bytes before the zip itself; added to every offset in it.
    pub(crate) shift: u64,
}

impl End {
    pub(crate) fn agrees_with(&self, entries: u64) -> bool {
        if self.wraps { entries & 0xffff == self.entries } else { entries == self.entries }
    }
}

/// What an end record says, narrow or wide.
#[derive(Debug, Clone, Copy)]
struct Said {
    entries: u64,
    bytes: u64,
    offset: u64,
    /// Offset in the object of the record itself: the directory's end.
    record_at: u64,
    wraps: bool,
}

/// Finds the directory through the end records in `tail`, the last [`TAIL_BYTES`] of the object.
pub(crate) async fn find_end(store: &dyn Store, pin: &Pin, tail: &[u8]) -> Result<End, ArchiveError> {
    let tail_at = pin.bytes.saturating_sub(tail.len() as u64);
    let torn = |offset, what| ArchiveError::Torn { object: pin.key.clone(), offset, what };
    let at = find_record(tail).ok_or_else(|| torn(pin.bytes, "no end of a zip directory"))?;
    let record_at = tail_at.saturating_add(at as u64);
    let said = match wide(store, pin, tail, tail_at, at).await? {
        Some(said) => said,
        None => {
            narrow(&tail[at..], record_at).ok_or_else(|| torn(record_at, "a zip in several parts, or a damaged end"))?
        }
    };
    let adjacent = said
        .record_at
        .checked_sub(said.bytes)
        .ok_or_else(|| torn(record_at, "a zip directory larger than its object"))?;
    let end = |start: u64, shift| End { start, bytes: said.bytes, entries: said.entries, wraps: said.wraps, shift };
    if said.offset == adjacent || said.bytes == 0 {
        return Ok(end(adjacent, 0));
    }
    // Either something lies between directory and end, or before the zip.
    let is_entry = async |at: u64| -> Result<bool, ArchiveError> {
        Ok(read_small(store, pin, at..at.saturating_add(4)).await?.as_ref() == ENTRY)
    };
    if said.offset.checked_add(said.bytes).is_some_and(|to| to <= said.record_at) && is_entry(said.offset).await? {
        return Ok(end(said.offset, 0));
    }
    match adjacent.checked_sub(said.offset) {
        Some(shift) if is_entry(adjacent).await? => Ok(end(adjacent, shift)),
        _ => Err(torn(said.offset.min(pin.bytes), "no zip directory")),
    }
}

/// The last end record whose comment ends where the object does; else the last one whose comment fits.
fn find_record(tail: &[u8]) -> Option<usize> {
    let fits = |at: &usize, exactly: bool| {
        let comment = Fields(tail).u16(at + 20).map(usize::from);
        let to = comment.map(|comment| at + END_BYTES + comment);
        to.is_some_and(|to| if exactly { to == tail.len() } else { to <= tail.len() })
    };
    let candidates = || (0..tail.len().saturating_sub(END_BYTES - 1)).rev().filter(|&at| tail[at..].starts_with(END));
    candidates().find(|at| fits(at, true)).or_else(|| candidates().find(|at| fits(at, false)))
}

/// The narrow record; `None` when it belongs to a zip in several parts.
fn narrow(record: &[u8], record_at: u64) -> Option<Said> {
    let fields = Fields(record);
    if fields.u16(4)? != fields.u16(6)? || fields.u16(8)? != fields.u16(10)? {
        return None;
    }
    let (bytes, offset) = (u64::from(fields.u32(12)?), u64::from(fields.u32(16)?));
    Some(Said { entries: u64::from(fields.u16(10)?), bytes, offset, record_at, wraps: true })
}

/// The wide record, where the locator before the end record leads to one.
async fn wide(
    store: &dyn Store,
    pin: &Pin,
    tail: &[u8],
    tail_at: u64,
    end_at: usize,
) -> Result<Option<Said>, ArchiveError> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_BYTES) else { return Ok(None) };
    let locator = &tail[locator_at..end_at];
    let (true, Some(named)) = (locator.starts_with(LOCATOR), Fields(locator).u64(8)) else { return Ok(None) };
    let before_locator = tail_at.saturating_add(locator_at as u64).checked_sub(RECORD_BYTES as u64);
    // Bytes before the zip move the record away from where the locator says: then it is right before the locator.
    for record_at in [Some(named), before_locator].into_iter().flatten() {
        let record = read_small(store, pin, record_at..record_at.saturating_add(RECORD_BYTES as u64)).await?;
        if let Some(said) = wide_record(&record, record_at) {
            return Ok(Some(said));
        }
    }
    let what = "no zip64 end record";
    Err(ArchiveError::Torn { object: pin.key.clone(), offset: named.min(pin.bytes), what })
}

fn wide_record(record: &[u8], record_at: u64) -> Option<Said> {
    let fields = Fields(record);
    let one_part = fields.u32(16)? == fields.u32(20)? && fields.u64(24)? == fields.u64(32)?;
    if !record.starts_with(RECORD) || !one_part {
        return None;
    }
    Some(Said { entries: fields.u64(32)?, bytes: fields.u64(40)?, offset: fields.u64(48)?, record_at, wraps: false })
}
