//! From members to their stored bytes: neighbours share a read, reads run ahead of their use, and nothing is copied.
//!
//! ```text
//! wanted      [m0][m1]   [m2]                      [m3]
//! blocks      |---------------|   far away         |---|      one pinned ranged read each, of at most 8 MiB
//! ```
//! A zip member's data lies behind its local header, whose length only the header knows: a read takes a little more than the
//! directory promises, and the rare member that needs still more is read again alone.

mod gaps;

use crate::entry::Fields;
use crate::pieces::{Pieces, pieces};
use crate::refusal::{Refusal, Why};
use crate::store::{Object, Pin, READ_BYTES_MAX, Reading, Store, StoreError};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use gaps::Gaps;
use pipeline::member::Member;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Fixed part of a zip's local header.
const LOCAL_BYTES: u64 = 30;
const LOCAL: &[u8] = b"PK\x03\x04";
/// Extra fields that a local header usually has at most: zip64, times, owner.
const LOCAL_EXTRA_BYTES: u64 = 64;
/// Deflate makes incompressible bytes longer by less than this share, and gzip and zip by a header.
const PACKING_SHARE: u64 = 1000;
const PACKING_BYTES: u64 = 1024;

/// What to do about members that are too large to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Large {
    /// Documents: a member stored in more bytes than one of `bytes_max` can take is refused unread.
    Refuse {
        /// `limits.memberBytes`.
        bytes_max: u64,
    },
    /// Lines: a member larger than a read is left to [`member_pieces`].
    Stream,
}

/// How members are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What happens to the large ones.
    pub large: Large,
    /// The store's own [`Store::reading`], its waste less what the shard's other fetches wasted.
    pub reading: Reading,
}

/// The stored bytes of members of a shard.
pub struct Fetch {
    blocks: BoxStream<'static, Result<Block, StoreError>>,
    /// Members too large for a block ([`Large::Stream`]), by index; ask [`member_pieces`] for them.
    pub streamed: Vec<usize>,
    /// Bytes between members that are read for nothing.
    pub wasted_bytes: u64,
}

/// Members that lie near each other, in the order they lie. A block's members may be unpacked on any thread.
#[derive(Debug)]
pub struct Block {
    /// They share one allocation, which lives as long as any of them.
    pub members: Vec<Raw>,
}

/// A member's stored bytes: header aside, nothing unpacked.
#[derive(Debug)]
pub struct Raw {
    /// Index into the members that were asked for.
    pub member: usize,
    /// The bytes, or why there are none.
    pub bytes: Result<Bytes, Refusal>,
}

impl Fetch {
    /// Plans the reads for `members`, in any order, of the listing's `objects`. Nothing is read yet.
    ///
    /// Each member comes exactly once: in a block, or in [`Self::streamed`]. Panics when a member's object is not in `objects`.
    pub fn new<'m>(
        store: Arc<dyn Store>,
        objects: &[Object],
        members: impl IntoIterator<Item = &'m Member>,
        terms: Terms,
    ) -> Self {
        let reading = terms.reading;
        let plan = plan(members, terms);
        let refused = (!plan.refused.is_empty()).then_some(Ok(Block { members: plan.refused }));
        let mut pins: HashMap<u32, Arc<Pin>> = HashMap::new();
        let pinned = plan.spans.into_iter().map(|span| {
            let object = &objects[span.object as usize];
            (Arc::clone(pins.entry(span.object).or_insert_with(|| Arc::new(object.pin()))), span)
        });
        let runs = stream::iter(runs(pinned, reading.parallel.max(1)));
        let blocks = runs.map(move |run| reads(Arc::clone(&store), run)).flatten();
        let blocks = stream::iter(refused).chain(blocks).boxed();
        Self { blocks, streamed: plan.streamed, wasted_bytes: plan.wasted_bytes }
    }

    /// The next block; `None` after the last. Refused members come first, then blocks in order of object and
    /// offset.
    ///
    /// Errors: the store's; [`StoreError::Changed`] when an object was replaced since it was listed.
    pub async fn next(&mut self) -> Option<Result<Block, StoreError>> {
        self.blocks.next().await
    }
}

/// A member that is wanted.
#[derive(Debug, Clone, Copy)]
struct Want {
    member: usize,
    object: u32,
    offset: u64,
    stored_bytes: u64,
    /// Behind a local header.
    in_zip: bool,
    /// Offset that it surely or probably ends at.
    end: u64,
}

/// Members that share a read.
#[derive(Debug)]
struct Span {
    object: u32,
    range: Range<u64>,
    wants: Vec<Want>,
}

#[derive(Debug, Default)]
struct Plan {
    spans: Vec<Span>,
    streamed: Vec<usize>,
    refused: Vec<Raw>,
    wasted_bytes: u64,
}

fn want(index: usize, member: &Member) -> Want {
    let in_zip = member.crc32.is_some();
    let header = if in_zip { LOCAL_BYTES + LOCAL_EXTRA_BYTES + member.name.len() as u64 } else { 0 };
    let end = member.offset.saturating_add(header).saturating_add(member.stored_bytes);
    Want { member: index, object: member.object, offset: member.offset, stored_bytes: member.stored_bytes, in_zip, end }
}

/// Sorts members by place and puts neighbours into spans.
fn plan<'m>(members: impl IntoIterator<Item = &'m Member>, terms: Terms) -> Plan {
    let Terms { large, reading } = terms;
    let mut plan = Plan::default();
    let mut wants = Vec::new();
    for (index, member) in members.into_iter().enumerate() {
        let refusal = Refusal::of_packing(member.packing).or_else(|| too_large(member, large));
        match refusal {
            Some(refusal) => plan.refused.push(Raw { member: index, bytes: Err(refusal) }),
            None if large == Large::Stream && member.stored_bytes > READ_BYTES_MAX => plan.streamed.push(index),
            None => wants.push(want(index, member)),
        }
    }
    wants.sort_unstable_by_key(|want| (want.object, want.offset, want.member));
    let mut gaps = Gaps::narrowest(gaps(&wants, reading).collect(), reading.waste_bytes);
    for want in wants {
        match plan.spans.last_mut() {
            Some(span) if span.takes(&want, reading) && gaps.bridge(span.gap(&want)) => {
                span.range.end = span.range.end.max(want.end);
                span.wants.push(want);
            }
            _ => plan.spans.push(Span { object: want.object, range: want.offset..want.end, wants: vec![want] }),
        }
    }
    plan.wasted_bytes = gaps.bridged_bytes;
    plan
}

/// The gaps between neighbours that could share a read.
fn gaps<'w>(wants: &'w [Want], reading: Reading) -> impl Iterator<Item = u64> + 'w {
    let neighbours = wants.windows(2).filter(|pair| pair[0].object == pair[1].object);
    let gaps = neighbours.map(|pair| pair[1].offset.saturating_sub(pair[0].end));
    gaps.filter(move |gap| *gap > 0 && *gap <= reading.gap_bytes)
}

impl Span {
    /// Bytes between the span and a further want.
    fn gap(&self, want: &Want) -> u64 {
        want.offset.saturating_sub(self.range.end)
    }

    fn bytes(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// Whether a further member is near enough to share the read, and the read stays small enough.
    fn takes(&self, want: &Want, reading: Reading) -> bool {
        let near = want.offset <= self.range.end.saturating_add(reading.gap_bytes);
        let end = self.range.end.max(want.end);
        self.object == want.object
            && near
            && end.saturating_sub(self.range.start) <= reading.block_bytes.min(READ_BYTES_MAX)
    }
}

fn too_large(member: &Member, large: Large) -> Option<Refusal> {
    let Large::Refuse { bytes_max } = large else { return None };
    let stored_max = bytes_max.saturating_add(bytes_max / PACKING_SHARE).saturating_add(PACKING_BYTES);
    (member.stored_bytes > stored_max).then_some(Refusal::TooLarge { bytes_max })
}

/// Spans that are read alongside each other.
struct Run {
    spans: Vec<(Arc<Pin>, Span)>,
    parallel: usize,
}

/// Cuts spans, in order, into runs: one that needs many reads is held alone.
fn runs(spans: impl Iterator<Item = (Arc<Pin>, Span)>, parallel: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (pin, span) in spans {
        let parallel = if span.bytes() > READ_BYTES_MAX { 1 } else { parallel };
        match runs.last_mut() {
            Some(run) if run.parallel == parallel => run.spans.push((pin, span)),
            _ => runs.push(Run { spans: vec![(pin, span)], parallel }),
        }
    }
    runs
}

/// The blocks of a run, in order.
fn reads(store: Arc<dyn Store>, run: Run) -> impl Stream<Item = Result<Block, StoreError>> {
    stream::iter(run.spans).map(move |(pin, span)| read_span(Arc::clone(&store), pin, span)).buffered(run.parallel)
}

async fn read_span(store: Arc<dyn Store>, pin: Arc<Pin>, span: Span) -> Result<Block, StoreError> {
    let read = Part { start: span.range.start, bytes: read_whole(&store, &pin, span.range).await? };
    let mut members = Vec::with_capacity(span.wants.len());
    for want in span.wants {
        members.push(Raw { member: want.member, bytes: raw(&store, &pin, &read, want).await? });
    }
    Ok(Block { members })
}

/// A range as one piece of memory; one larger than a read should be is put together.
async fn read_whole(store: &Arc<dyn Store>, pin: &Pin, range: Range<u64>) -> Result<Bytes, StoreError> {
    let range = range.start..range.end.min(pin.bytes);
    if range.end.saturating_sub(range.start) <= READ_BYTES_MAX {
        return store.read(pin, range).await;
    }
    let bytes = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or_default();
    let mut whole = BytesMut::with_capacity(bytes);
    let mut pieces = pieces(Arc::clone(store), pin.clone(), range);
    while let Some(piece) = pieces.try_next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// A part of an object.
struct Part {
    start: u64,
    bytes: Bytes,
}

impl Part {
    /// The bytes `range` of the object, if all of them are here.
    fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        let at = |offset: u64| usize::try_from(offset.checked_sub(self.start)?).ok();
        let (from, to) = (at(range.start)?, at(range.end)?);
        (from <= to && to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}

/// The stored bytes of one member, from the part that was read for it.
async fn raw(store: &Arc<dyn Store>, pin: &Pin, read: &Part, want: Want) -> Result<Result<Bytes, Refusal>, StoreError> {
    let start = match data_start(&read.slice(want.offset..want.offset.saturating_add(LOCAL_BYTES)), want) {
        Ok(start) => start,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let range = start..start.saturating_add(want.stored_bytes);
    if range.end > pin.bytes {
        return Ok(Err(Refusal::because(Why::CutByObject)));
    }
    match read.slice(range.clone()) {
        Some(bytes) => Ok(Ok(bytes)),
        // Its local header is longer than expected.
        None => Ok(Ok(read_whole(store, pin, range).await?)),
    }
}

/// Where a member's data begins. `header` is the local header of a zip member, when it lies inside the object.
fn data_start(header: &Option<Bytes>, want: Want) -> Result<u64, Refusal> {
    if !want.in_zip {
        return Ok(want.offset);
    }
    let header = header.as_ref().filter(|header| header.starts_with(LOCAL)).map(|header| Fields(header));
    let lengths = header.and_then(|fields| Some(u64::from(fields.u16(26)?) + u64::from(fields.u16(28)?)));
    let lengths = lengths.ok_or(Refusal::because(Why::NoHeader))?;
    Ok(want.offset.saturating_add(LOCAL_BYTES).saturating_add(lengths))
}

/// The stored bytes of one large member, piece by piece: for [`crate::lines::LineStream`].
///
/// The inner result is the member's own fault: it has no header, or the object ends inside it.
pub async fn member_pieces(
    store: Arc<dyn Store>,
    object: &Object,
    member: &Member,
) -> Result<Result<Pieces, Refusal>, StoreError> {
    let (pin, want) = (object.pin(), want(0, member));
    let header = read_whole(&store, &pin, want.offset..want.offset.saturating_add(LOCAL_BYTES)).await?;
    Ok(data_start(&Some(header), want).and_then(|start| {
        let range = start..start.saturating_add(want.stored_bytes);
        if range.end > pin.bytes { Err(Refusal::because(Why::CutByObject)) } else { Ok(pieces(store, pin, range)) }
    }))
}
