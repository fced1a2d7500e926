//! From a chunk's members to observations: fetch, unpack and decode, on all threads.
//!
//! ```text
//!  this thread                     threads
//!  fetch ── block 0, 1, 2 … ──►  unpack ─► decode ─► Decoded 0, 1, 2 …   put back in archive order
//! ```
//! At most one block a thread waits, so what is held is bounded by the budget, the blocks under way and what was decoded.

use super::chunk::Pick;
use super::clock::{Clock, Step};
use crate::fault::{Exit, Fault};
use crate::plan::Sources;
use crate::work::Work;
use archive::fetch::{Block, Fetch, Large, member_pieces};
use archive::lines::{LineStream, Lines};
use archive::refusal::Refusal;
use archive::unpack::Unpacker;
use engine::account::Kind;
use engine::decode::{Decoded, Decoder, Plan as DecodePlan, Source};
use futures::TryStreamExt;
use pipeline::archive::Archive;
use pipeline::plan::Role;
use pipeline::spec::Format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// What decoded observations may take of the memory budget: the rest is for rows and their features.
const DECODED_SHARE: u64 = 2;

/// What gathers a chunk.
pub(super) struct Gather<'a> {
    pub(super) work: &'a Work,
    pub(super) runtime: &'a Handle,
    pub(super) sources: &'a Sources,
    pub(super) plan: &'a Arc<DecodePlan>,
    pub(super) clock: &'a Clock,
}

/// A block on its way, with its place in archive order.
struct Numbered {
    number: usize,
    block: Block,
}

/// What all threads write to.
struct Shared<'a> {
    decoded: Mutex<Vec<(usize, Decoded)>>,
    fault: Mutex<Option<Fault>>,
    /// Bytes of all that was decoded.
    held_bytes: AtomicUsize,
    picks: &'a [Pick],
    /// One batch per member, where members do not come in the order of their positions.
    apart: bool,
}

impl Shared<'_> {
    /// Whether some thread met a fault.
    fn failed(&self) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Gather<'_> {
    /// The observations of a chunk's members, in archive order.
    pub(super) fn chunk(&self, picks: &[Pick]) -> Result<Vec<Decoded>, Fault> {
        let large = match self.archive().format {
            Format::Json => Large::Refuse { bytes_max: self.archive().limits.member_bytes_max },
            Format::NdJson => Large::Stream,
        };
        let members = picks.iter().map(|pick| &pick.member);
        let mut fetch = Fetch::new(Arc::clone(&self.work.source), &self.sources.objects, members, large);
        let shared = Shared {
            decoded: Mutex::default(),
            fault: Mutex::default(),
            held_bytes: AtomicUsize::new(0),
            picks,
            apart: !lie_in_order(picks) || !fetch.streamed.is_empty(),
        };
        self.blocks(&mut fetch, &shared)?;
        for index in std::mem::take(&mut fetch.streamed) {
            self.stream(index, &shared)?;
        }
        let mut decoded = shared.decoded.into_inner().unwrap_or_else(PoisonError::into_inner);
        decoded.sort_by_key(|(number, _)| *number);
        Ok(decoded.into_iter().map(|(_, decoded)| decoded).collect())
    }

    fn archive(&self) -> &Archive {
        &self.work.pipeline().archive
    }

    /// Fetches blocks on this thread and decodes them on the others.
    fn blocks(&self, fetch: &mut Fetch, shared: &Shared<'_>) -> Result<(), Fault> {
        let threads = self.work.effort.threads;
        let (send, receive) = sync_channel::<Numbered>(threads);
        let receive = Mutex::new(receive);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.decode(&receive, shared));
            }
            self.feed(fetch, send, shared)
        })?;
        shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn feed(&self, fetch: &mut Fetch, send: SyncSender<Numbered>, shared: &Shared<'_>) -> Result<(), Fault> {
        for number in 0.. {
            self.work.stop.check()?;
            let block = self.clock.time(Step::Read, || self.runtime.block_on(fetch.next()));
            let Some(block) = block else { break };
            if shared.failed() || send.send(Numbered { number, block: block.map_err(Fault::reading)? }).is_err() {
                break;
            }
        }
        drop(send);
        Ok(())
    }

    /// One thread: takes blocks until there are no more. After a fault it only takes them, so that the feeding thread, which may
    /// wait for room, never waits for ever.
    fn decode(&self, receive: &Mutex<Receiver<Numbered>>, shared: &Shared<'_>) {
        let mut unpacker = Unpacker::new(self.archive().limits.member_bytes_max);
        let mut decoder = Decoder::new(Arc::clone(self.plan));
        loop {
            let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Numbered { number, block }) = next else { return };
            if shared.failed() {
                continue;
            }
            let block = AssertUnwindSafe(|| self.block(number, block, &mut unpacker, &mut decoder, shared));
            let panicked = |_| Err(Fault::broken("a thread that decoded members panicked"));
            if let Err(fault) = catch_unwind(block).unwrap_or_else(panicked) {
                shared.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
            }
        }
    }

    fn block(
        &self,
        number: usize,
        block: Block,
        unpacker: &mut Unpacker,
        decoder: &mut Decoder,
        shared: &Shared<'_>,
    ) -> Result<(), Fault> {
        for raw in block.members {
            let source = source(shared.picks, raw.member);
            match raw.bytes {
                Err(refusal) => refuse(decoder, &source, refusal, 0),
                Ok(bytes) => self.member(raw.member, &bytes, unpacker, decoder, shared.picks),
            }
            if shared.apart {
                self.keep(raw.member, decoder, shared)?;
            }
        }
        if shared.apart { Ok(()) } else { self.keep(number, decoder, shared) }
    }

    /// Unpacks and decodes one member that lies in memory.
    fn member(&self, index: usize, raw: &[u8], unpacker: &mut Unpacker, decoder: &mut Decoder, picks: &[Pick]) {
        let (source, member) = (source(picks, index), &picks[index].member);
        match self.archive().format {
            Format::Json => match self.clock.time(Step::Unpack, || unpacker.document(member, raw)) {
                Ok(json) => {
                    self.clock.pass(Step::Unpack, json.len());
                    self.clock.time(Step::Decode, || decoder.member(&source, json, 0));
                }
                Err(refusal) => refuse(decoder, &source, refusal, 0),
            },
            Format::NdJson => unpacker.lines(member, raw, &mut |lines| {
                self.clock.time(Step::Decode, || take(decoder, &source, &lines));
            }),
        }
    }

    /// Decodes one member of lines that is too large to hold, piece by piece.
    fn stream(&self, index: usize, shared: &Shared<'_>) -> Result<(), Fault> {
        let member = &shared.picks[index].member;
        let object = &self.sources.objects[member.object as usize];
        let source = source(shared.picks, index);
        let mut decoder = Decoder::new(Arc::clone(self.plan));
        let store = Arc::clone(&self.work.source);
        match self.runtime.block_on(member_pieces(store, object, member)).map_err(Fault::reading)? {
            Err(refusal) => refuse(&mut decoder, &source, refusal, 0),
            Ok(mut pieces) => {
                let mut lines = LineStream::new(member, self.archive().limits.member_bytes_max);
                let mut next = || self.clock.time(Step::Read, || self.runtime.block_on(pieces.try_next()));
                while let Some(piece) = next().map_err(Fault::reading)? {
                    self.work.stop.check()?;
                    lines.push(&piece, &mut |lines| take(&mut decoder, &source, &lines));
                    self.afford(shared.held_bytes.load(Ordering::Relaxed) + decoder.bytes())?;
                }
                lines.finish(&mut |lines| take(&mut decoder, &source, &lines));
            }
        }
        self.keep(index, &mut decoder, shared)
    }

    /// Puts what a decoder gathered at its place.
    fn keep(&self, number: usize, decoder: &mut Decoder, shared: &Shared<'_>) -> Result<(), Fault> {
        let bytes = decoder.bytes();
        self.afford(shared.held_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes)?;
        let decoded = decoder.finish().map_err(|error| Fault::new(Exit::Memory, error.to_string()))?;
        shared.decoded.lock().unwrap_or_else(PoisonError::into_inner).push((number, decoded));
        Ok(())
    }

    /// Refuses to hold more observations than the budget allows.
    fn afford(&self, bytes: usize) -> Result<(), Fault> {
        let most = self.work.effort.memory_bytes / DECODED_SHARE;
        if bytes as u64 <= most {
            return Ok(());
        }
        let why = "make shards smaller (shards.bytes) or give it more (--memory)";
        Err(Fault::new(Exit::Memory, format!("the observations of one group of robots need over {most} bytes; {why}")))
    }
}

/// Whether members lie in their objects in the order of their positions, as almost every archive has them.
fn lie_in_order(picks: &[Pick]) -> bool {
    let place = |pick: &Pick| (pick.member.object, pick.member.offset);
    picks.is_sorted_by_key(place)
}

fn source(picks: &[Pick], index: usize) -> Source<'_> {
    let Pick { member, role, .. } = &picks[index];
    let number = u32::try_from(index).unwrap_or_else(|_| unreachable!("a chunk of robots has under 4 billion members"));
    let role: Role = *role;
    Source { member: number, robot: member.robot.as_deref(), stamp: member.stamp, role }
}

fn take(decoder: &mut Decoder, source: &Source<'_>, lines: &Lines<'_>) {
    match lines {
        Lines::Chunk { offset, bytes } => decoder.member(source, bytes, *offset),
        Lines::Refused { offset, refusal } => refuse(decoder, source, *refusal, *offset),
    }
}

/// Puts a member, or what is left of it, into quarantine.
fn refuse(decoder: &mut Decoder, source: &Source<'_>, refusal: Refusal, at: u64) {
    let (kind, offset) = match refusal {
        Refusal::Unreadable { offset, .. } => (Kind::Unreadable, offset.unwrap_or(at)),
        Refusal::TooLarge { .. } => (Kind::TooLarge, at),
    };
    decoder.refuse(source, kind, Some(offset), refusal.to_string().as_bytes());
}
