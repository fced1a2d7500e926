//! From a chunk's members to observations: fetch, unpack and decode, on all threads.
//!
//! ```text
//!  this thread                     threads
//!  fetch ── block 0, 1, 2 … ──►  unpack ─► decode ─► stretches   put back in archive order
//! ```
//! At most one block a thread waits, and what was decoded has its room reserved.

use super::carry::Stretch;
use super::chunk::Pick;
use super::clock::{Clock, Laps, Step};
use super::room::Held;
use crate::fault::{Exit, Fault};
use crate::plan::Sources;
use crate::work::Work;
use archive::fetch::{Block, Fetch, Large, Terms, member_pieces};
use archive::lines::{LineStream, Lines};
use archive::refusal::Refusal;
use archive::unpack::Unpacker;
use engine::account::Kind;
use engine::decode::{Decoder, Plan as DecodePlan, Source};
use engine::steps::PROFILE;
use futures::TryStreamExt;
use pipeline::archive::Archive;
use pipeline::plan::Role;
use pipeline::spec::Format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What gathers a chunk.
pub(super) struct Gather<'a> {
    pub(super) work: &'a Work,
    pub(super) runtime: &'a Handle,
    pub(super) sources: &'a Sources,
    pub(super) plan: &'a Arc<DecodePlan>,
    pub(super) clock: &'a Clock,
    /// As many as threads may decode and compute at a time.
    pub(super) slots: &'a Semaphore,
    /// Those of threads that have ended.
    pub(super) tools: &'a Mutex<Vec<Tools>>,
    /// Bytes that the chunks of this shard read for nothing so far.
    pub(super) wasted_bytes: &'a AtomicU64,
}

/// What all threads write to.
struct Shared<'a> {
    stretches: Mutex<Vec<Stretch>>,
    fault: Mutex<Option<Fault>>,
    /// Room for all that is decoded.
    held: &'a Held<'a>,
    picks: &'a [Pick],
    /// Indices of the picks that are fetched.
    fetched: Vec<usize>,
}

/// What one thread unpacks and decodes with: memory that is used again, chunk after chunk.
pub(super) struct Tools {
    unpacker: Unpacker,
    decoder: Decoder,
}

/// One thread.
struct Hand<'a> {
    tools: Tools,
    laps: Laps,
    /// Held while it decodes, and not while it waits for room: those who give room back need one too.
    slot: Option<SemaphorePermit<'a>>,
}

impl Shared<'_> {
    /// Whether some thread met a fault.
    fn failed(&self) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl<'a> Gather<'a> {
    /// The observations of a chunk's members, in archive order: those that are carried, and the others fetched and decoded.
    /// What is decoded takes its room of `held`.
    pub(super) fn chunk(&self, picks: &[Pick], carried: Vec<Stretch>, held: &Held<'_>) -> Result<Vec<Stretch>, Fault> {
        let large = match self.archive().format {
            Format::Json => Large::Refuse { bytes_max: self.archive().limits.member_bytes_max },
            Format::NdJson => Large::Stream,
        };
        let fetched = others(picks.len(), &carried);
        let members = fetched.iter().map(|index| &picks[*index].member);
        let mut reading = self.work.source.reading();
        reading.waste_bytes = reading.waste_bytes.saturating_sub(self.wasted_bytes.load(Ordering::Relaxed));
        let source = Arc::clone(&self.work.source);
        let mut fetch = Fetch::new(source, &self.sources.objects, members, Terms { large, reading });
        self.wasted_bytes.fetch_add(fetch.wasted_bytes, Ordering::Relaxed);
        let shared = Shared { stretches: Mutex::new(carried), fault: Mutex::default(), held, picks, fetched };
        self.blocks(&mut fetch, &shared)?;
        for streamed in std::mem::take(&mut fetch.streamed) {
            self.stream(shared.fetched[streamed], &shared)?;
        }
        let mut stretches = shared.stretches.into_inner().unwrap_or_else(PoisonError::into_inner);
        stretches.sort_by_key(|stretch| stretch.first);
        Ok(stretches)
    }

    fn archive(&self) -> &Archive {
        &self.work.pipeline().archive
    }

    /// Fetches blocks on this thread and decodes them on the others.
    fn blocks(&self, fetch: &mut Fetch, shared: &Shared<'_>) -> Result<(), Fault> {
        let threads = self.work.effort.threads;
        let (send, receive) = sync_channel::<Block>(threads);
        let receive = Mutex::new(receive);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.decode(&receive, shared));
            }
            let fed = self.feed(fetch, &send, shared);
            drop(send);
            fed
        })?;
        shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn feed(&self, fetch: &mut Fetch, send: &SyncSender<Block>, shared: &Shared<'_>) -> Result<(), Fault> {
        loop {
            self.work.stop.check()?;
            let block = self.clock.time(Step::Read, || self.runtime.block_on(fetch.next()));
            let Some(block) = block else { return Ok(()) };
            let block = block.map_err(Fault::reading)?;
            self.clock.pass(Step::Read, block.members.iter().flat_map(|raw| &raw.bytes).map(|bytes| bytes.len()).sum());
            if shared.failed() || send.send(block).is_err() {
                return Ok(());
            }
        }
    }

    /// One thread: takes blocks until there are no more. After a fault it only takes them, so that the feeding thread, which may
    /// wait for room, never waits for ever.
    fn decode(&self, receive: &Mutex<Receiver<Block>>, shared: &Shared<'_>) {
        let mut hand = Hand { tools: self.tools(), laps: Laps::default(), slot: None };
        loop {
            let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(block) = next else { break };
            if shared.failed() {
                continue;
            }
            let block = AssertUnwindSafe(|| self.block(block, &mut hand, shared));
            let panicked = |_| Err(Fault::broken("a thread that decoded members panicked"));
            let done = catch_unwind(block).unwrap_or_else(panicked);
            hand.slot = None;
            if let Err(fault) = done {
                shared.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
            }
        }
        self.clock.add(&hand.laps);
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).push(hand.tools);
    }

    /// Tools that are free, or new ones.
    fn tools(&self) -> Tools {
        let free = self.tools.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Tools {
            unpacker: Unpacker::new(self.archive().limits.member_bytes_max),
            decoder: Decoder::new(Arc::clone(self.plan)),
        })
    }

    /// Decodes a block's members, stretch by stretch.
    fn block(&self, block: Block, hand: &mut Hand<'a>, shared: &Shared<'_>) -> Result<(), Fault> {
        let _profiled = tracing::trace_span!(target: PROFILE, "block", members = block.members.len()).entered();
        let mut begun: Option<(usize, usize)> = None;
        for raw in block.members {
            let index = shared.fetched[raw.member];
            begun = match begun {
                Some((first, next)) if next == index && Stretch::goes_on(shared.picks, first, index) => {
                    Some((first, index + 1))
                }
                ended => {
                    self.end(ended, hand, shared)?;
                    Some((index, index + 1))
                }
            };
            match raw.bytes {
                Err(refusal) => refuse(&mut hand.tools.decoder, &source(shared.picks, index), refusal, 0),
                Ok(bytes) => self.member(index, &bytes, hand, shared.picks),
            }
        }
        self.end(begun, hand, shared)
    }

    fn end(&self, stretch: Option<(usize, usize)>, hand: &mut Hand<'a>, shared: &Shared<'_>) -> Result<(), Fault> {
        let Some((first, next)) = stretch else { return Ok(()) };
        hand.slot = None;
        self.keep(first, next - first, &mut hand.tools.decoder, shared)
    }

    /// Unpacks and decodes one member that lies in memory.
    fn member(&self, index: usize, raw: &[u8], hand: &mut Hand<'a>, picks: &[Pick]) {
        let Hand { tools: Tools { unpacker, decoder }, laps, slot } = hand;
        if slot.is_none() {
            *slot = self.runtime.block_on(self.slots.acquire()).ok();
        }
        let (source, member) = (source(picks, index), &picks[index].member);
        match self.archive().format {
            Format::Json => match laps.time(Step::Unpack, || unpacker.document(member, raw)) {
                Ok(json) => {
                    laps.pass(Step::Unpack, json.len());
                    laps.time(Step::Decode, || decoder.member(&source, json, 0));
                }
                Err(refusal) => refuse(decoder, &source, refusal, 0),
            },
            Format::NdJson => {
                // One without a line is read too.
                decoder.begin(&source);
                unpacker.lines(member, raw, &mut |lines| {
                    laps.time(Step::Decode, || take(decoder, &source, &lines));
                });
            }
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
                decoder.begin(&source);
                let mut lines = LineStream::new(member, self.archive().limits.member_bytes_max);
                let mut next = || self.clock.time(Step::Read, || self.runtime.block_on(pieces.try_next()));
                while let Some(piece) = next().map_err(Fault::reading)? {
                    self.work.stop.check()?;
                    self.clock.pass(Step::Read, piece.len());
                    lines.push(&piece, &mut |lines| take(&mut decoder, &source, &lines));
                    shared.held.afford(decoder.bytes())?;
                }
                lines.finish(&mut |lines| take(&mut decoder, &source, &lines));
            }
        }
        self.keep(index, 1, &mut decoder, shared)
    }

    /// Ends a stretch: what a decoder gathered of these members.
    fn keep(&self, first: usize, members: usize, decoder: &mut Decoder, shared: &Shared<'_>) -> Result<(), Fault> {
        shared.held.take(decoder.bytes())?;
        let decoded = decoder.finish().map_err(|error| Fault::new(Exit::Memory, error.to_string()))?;
        let stretch = Stretch { first, members, until: shared.picks[first].until, decoded };
        shared.stretches.lock().unwrap_or_else(PoisonError::into_inner).push(stretch);
        Ok(())
    }
}

/// The indices below `picks` that no stretch holds. Stretches are in order.
fn others(picks: usize, carried: &[Stretch]) -> Vec<usize> {
    let ends = carried.iter().map(|stretch| stretch.first + stretch.members);
    let gaps = std::iter::once(0).chain(ends).zip(carried.iter().map(|stretch| stretch.first).chain([picks]));
    gaps.flat_map(|(from, to)| from..to).collect()
}

/// What the decoder is told of a member. One that a later shard reads is accounted for here, in a stretch of its own, for
/// whoever owns it.
fn source(picks: &[Pick], index: usize) -> Source<'_> {
    let Pick { member, role, until, .. } = &picks[index];
    let number = u32::try_from(index).unwrap_or_else(|_| unreachable!("a chunk of robots has under 4 billion members"));
    let role = if *until == 0 { *role } else { Role::Own };
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
