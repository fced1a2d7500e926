//! From chunks of members to observations: fetched on this thread, unpacked and decoded by the crew.
//!
//! ```text
//!  this thread                        crew
//!  fetch ── block 0, 1, 2 … ──►  unpack ─► decode ──► stretches ──►  this thread: room, put back in archive order
//! ```
//! The blocks of a chunk are handed out while the last ones of the chunk before are decoded, so that no thread waits between
//! chunks. At most two blocks a thread are out or wait for their room, which is taken chunk by chunk, so that none waits for room that
//! one behind it has.

use super::carry::{Carry, Stretch};
use super::chunk::Pick;
use super::clock::{Clock, Step, Stopwatch};
use super::room::{Held, Room};
use crate::fault::{Exit, Fault};
use crate::plan::Sources;
use crate::work::Work;
use archive::fetch::{Block, Fetch, Large, Terms, member_pieces};
use archive::lines::{LineStream, Lines};
use archive::refusal::{Refusal, TORN_OBJECT};
use archive::unpack::Unpacker;
use engine::account::Kind;
use engine::crew::{Crew, Scope};
use engine::decode::{Decoder, Plan as DecodePlan, Source};
use engine::steps::PROFILE;
use futures::TryStreamExt;
use pipeline::archive::Archive;
use pipeline::member::Packing;
use pipeline::plan::Role;
use pipeline::spec::Format;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Blocks that are out for each thread: the one it decodes and its next one.
const BLOCKS_OUT: usize = 2;

/// What gathers chunks.
pub(super) struct Gather<'g, 'a> {
    pub(super) work: &'a Work,
    pub(super) runtime: &'a Handle,
    pub(super) sources: &'a Sources,
    pub(super) plan: &'a Arc<DecodePlan>,
    pub(super) clock: &'g Clock,
    pub(super) crew: &'a Crew,
    pub(super) room: &'a Room,
    /// Those that nobody uses.
    pub(super) tools: &'a Mutex<Vec<Tools>>,
    /// Bytes that the chunks of this shard read for nothing so far.
    pub(super) wasted_bytes: &'g AtomicU64,
}

/// A chunk's observations.
pub(super) struct Gathered<'a> {
    pub(super) picks: Vec<Pick>,
    /// In archive order.
    pub(super) stretches: Vec<Stretch>,
    /// The room that they take.
    pub(super) held: Held<'a>,
}

/// What one thread unpacks and decodes with: memory that is used again, block after block.
pub(super) struct Tools {
    unpacker: Unpacker,
    decoder: Decoder,
}

/// What is read of a chunk.
#[derive(Clone)]
struct Chunk {
    picks: Vec<Pick>,
    /// Indices of the picks that are fetched; the others are carried.
    fetched: Vec<usize>,
}

/// A chunk that is not whole yet.
struct UnderWay<'a> {
    chunk: Arc<Chunk>,
    /// Those that have their room.
    stretches: Vec<Stretch>,
    /// Those of blocks that have none yet.
    roomless: Vec<Decoded>,
    /// Members too large for a block.
    streamed: Vec<usize>,
    /// Blocks that are being decoded.
    out: usize,
    /// Whether all of its blocks were handed out.
    is_fed: bool,
    held: Held<'a>,
}

/// The stretches of a block, with the bytes that they take.
type Decoded = Vec<(Stretch, usize)>;

/// What came of a block.
struct Done {
    /// The number of its chunk.
    chunk: usize,
    decoded: Result<Decoded, Fault>,
}

/// Chunks under way, in order.
pub(super) struct Line<'l, 'g, 'a> {
    gather: &'g Gather<'g, 'a>,
    scope: &'l Scope<'g>,
    carry: &'l mut Carry,
    give: &'l mut dyn FnMut(Gathered<'a>) -> Result<(), Fault>,
    chunks: VecDeque<UnderWay<'a>>,
    /// Chunks that were given.
    given: usize,
    /// Blocks that are being decoded or have no room yet.
    out: usize,
    send: Sender<Done>,
    receive: Receiver<Done>,
}

impl Line<'_, '_, '_> {
    /// Hands out what is read of the next chunk, and gives those that are whole. What is carried of it is not read.
    ///
    /// Errors: those of `give`, too.
    pub(super) fn begin(&mut self, picks: Vec<Pick>) -> Result<(), Fault> {
        let carried = self.carry.take(&picks);
        let fetched = others(picks.len(), &carried);
        let chunk = Arc::new(Chunk { picks, fetched });
        let mut fetch = self.gather.fetch(&chunk);
        self.chunks.push_back(UnderWay {
            chunk: Arc::clone(&chunk),
            stretches: carried,
            roomless: Vec::new(),
            streamed: std::mem::take(&mut fetch.streamed),
            out: 0,
            is_fed: false,
            held: self.gather.room.chunk(),
        });
        while let Some(block) = self.gather.next(&mut fetch)? {
            while self.out >= BLOCKS_OUT * self.gather.crew.threads() {
                self.wait()?;
            }
            self.hand_out(block, &chunk);
        }
        drop(chunk);
        if let Some(last) = self.chunks.back_mut() {
            last.is_fed = true;
        }
        self.settle()
    }

    /// Gives the last ones.
    fn end(&mut self) -> Result<(), Fault> {
        while self.out > 0 {
            self.wait()?;
        }
        Ok(())
    }

    /// Hands out a block of the last chunk.
    fn hand_out(&mut self, block: Block, chunk: &Arc<Chunk>) {
        let (gather, chunk, send) = (self.gather, Arc::clone(chunk), self.send.clone());
        let number = self.given + self.chunks.len() - 1;
        if let Some(last) = self.chunks.back_mut() {
            last.out += 1;
        }
        self.out += 1;
        self.scope.spawn(move |_| {
            let decoded = catch_unwind(AssertUnwindSafe(|| gather.decode(block, &chunk)));
            drop(chunk);
            let panicked = |_| Err(Fault::broken("a thread that decoded members panicked"));
            // Nobody hears it after a fault.
            let _ = send.send(Done { chunk: number, decoded: decoded.unwrap_or_else(panicked) });
        });
    }

    /// Waits for one block.
    fn wait(&mut self) -> Result<(), Fault> {
        let done = self.receive.recv();
        let Done { chunk, decoded } = done.map_err(|_| Fault::broken("nobody decodes what was handed out"))?;
        let under_way = &mut self.chunks[chunk - self.given];
        under_way.out -= 1;
        under_way.roomless.push(decoded?);
        self.settle()
    }

    /// Takes room for what was decoded of the first chunk; gives it once it is whole, and goes on with the one behind it.
    fn settle(&mut self) -> Result<(), Fault> {
        while let Some(first) = self.chunks.front_mut() {
            for decoded in first.roomless.drain(..) {
                self.out -= 1;
                for (stretch, bytes) in decoded {
                    first.held.take(bytes)?;
                    first.stretches.push(stretch);
                }
            }
            if !first.is_fed || first.out > 0 {
                return Ok(());
            }
            for streamed in std::mem::take(&mut first.streamed) {
                let index = first.chunk.fetched[streamed];
                first.stretches.push(self.gather.stream(index, &first.chunk.picks, &first.held)?);
            }
            self.give_first()?;
        }
        Ok(())
    }

    fn give_first(&mut self) -> Result<(), Fault> {
        let Some(UnderWay { chunk, mut stretches, held, .. }) = self.chunks.pop_front() else { return Ok(()) };
        self.given += 1;
        let Chunk { picks, .. } = Arc::unwrap_or_clone(chunk);
        stretches.sort_by_key(|stretch| stretch.first);
        stretches.iter().for_each(|stretch| self.carry.keep(&picks, stretch));
        (self.give)(Gathered { picks, stretches, held })
    }
}

/// What one thread decodes a block with, and what came of it so far.
struct Hand {
    tools: Tools,
    watch: Stopwatch,
    stretches: Decoded,
}

impl<'a> Gather<'_, 'a> {
    /// Gathers the chunks that `begin_all` begins, and gives each once it is whole, in that order. What later shards read is
    /// kept in `carry`.
    ///
    /// Errors: those of `begin_all` and `give`, too.
    pub(super) fn chunks(
        &self,
        carry: &mut Carry,
        give: &mut dyn FnMut(Gathered<'a>) -> Result<(), Fault>,
        begin_all: impl FnOnce(&mut Line<'_, '_, 'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.crew.scope(|scope| {
            let (send, receive) = channel();
            let chunks = VecDeque::new();
            let mut line = Line { gather: self, scope, carry, give, chunks, given: 0, out: 0, send, receive };
            begin_all(&mut line)?;
            line.end()
        })
    }

    fn archive(&self) -> &Archive {
        &self.work.pipeline().archive
    }

    /// What reads a chunk.
    fn fetch(&self, chunk: &Chunk) -> Fetch {
        let large = match self.archive().format {
            Format::Json => Large::Refuse { bytes_max: self.archive().limits.member_bytes_max },
            Format::NdJson => Large::Stream,
        };
        let members = chunk.fetched.iter().map(|index| &chunk.picks[*index].member);
        let mut reading = self.work.source.reading();
        reading.waste_bytes = reading.waste_bytes.saturating_sub(self.wasted_bytes.load(Ordering::Relaxed));
        let source = Arc::clone(&self.work.source);
        let fetch = Fetch::new(source, &self.sources.objects, members, Terms { large, reading });
        self.wasted_bytes.fetch_add(fetch.wasted_bytes, Ordering::Relaxed);
        fetch
    }

    /// The next block.
    fn next(&self, fetch: &mut Fetch) -> Result<Option<Block>, Fault> {
        self.work.stop.check()?;
        let block = self.clock.time(Step::Read, || self.runtime.block_on(fetch.next()));
        let Some(block) = block.transpose().map_err(Fault::reading)? else { return Ok(None) };
        self.clock.pass(Step::Read, block.members.iter().flat_map(|raw| &raw.bytes).map(|bytes| bytes.len()).sum());
        Ok(Some(block))
    }

    /// Unpacks and decodes a block.
    fn decode(&self, block: Block, chunk: &Chunk) -> Result<Decoded, Fault> {
        let mut hand = Hand { tools: self.tools(), watch: Stopwatch::start(), stretches: Vec::new() };
        self.block(block, &mut hand, chunk)?;
        self.clock.add(&hand.watch.laps);
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).push(hand.tools);
        Ok(hand.stretches)
    }

    /// Tools that nobody uses, or new ones.
    fn tools(&self) -> Tools {
        let free = self.tools.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Tools {
            unpacker: Unpacker::new(self.archive().limits.member_bytes_max),
            decoder: Decoder::new(Arc::clone(self.plan)),
        })
    }

    /// Decodes a block's members, stretch by stretch.
    fn block(&self, block: Block, hand: &mut Hand, chunk: &Chunk) -> Result<(), Fault> {
        let _profiled = tracing::trace_span!(target: PROFILE, "block", members = block.members.len()).entered();
        let mut begun: Option<(usize, usize)> = None;
        for raw in block.members {
            let index = chunk.fetched[raw.member];
            begun = match begun {
                Some((first, next)) if next == index && Stretch::goes_on(&chunk.picks, first, index) => {
                    Some((first, index + 1))
                }
                ended => {
                    hand.end(ended, &chunk.picks)?;
                    Some((index, index + 1))
                }
            };
            match raw.bytes {
                Err(refusal) => refuse(&mut hand.tools.decoder, &self.source(&chunk.picks, index), refusal),
                Ok(bytes) => self.member(index, &bytes, hand, &chunk.picks),
            }
        }
        hand.end(begun, &chunk.picks)
    }

    /// Unpacks and decodes one member that lies in memory.
    fn member(&self, index: usize, raw: &[u8], hand: &mut Hand, picks: &[Pick]) {
        let Hand { tools: Tools { unpacker, decoder }, watch, .. } = hand;
        let (source, member) = (self.source(picks, index), &picks[index].member);
        match self.archive().format {
            Format::Json => {
                let unpacked = unpacker.document(member, raw);
                watch.lap(Step::Unpack);
                match unpacked {
                    Ok(json) => {
                        watch.laps.pass(Step::Unpack, json.len());
                        decoder.member(&source, json, 0);
                    }
                    Err(refusal) => refuse(decoder, &source, refusal),
                }
                watch.lap(Step::Decode);
            }
            Format::NdJson => {
                // One without a line is read too.
                decoder.begin(&source);
                unpacker.lines(member, raw, &mut |lines| {
                    watch.lap(Step::Unpack);
                    take(decoder, &source, &lines);
                    watch.lap(Step::Decode);
                });
            }
        }
    }

    /// Decodes one member of lines that is too large to hold, piece by piece, on this thread.
    fn stream(&self, index: usize, picks: &[Pick], held: &Held<'_>) -> Result<Stretch, Fault> {
        let member = &picks[index].member;
        let object = &self.sources.objects[member.object as usize];
        let source = self.source(picks, index);
        let mut decoder = Decoder::new(Arc::clone(self.plan));
        let store = Arc::clone(&self.work.source);
        match self.runtime.block_on(member_pieces(store, object, member)).map_err(Fault::reading)? {
            Err(refusal) => refuse(&mut decoder, &source, refusal),
            Ok(mut pieces) => {
                decoder.begin(&source);
                let mut lines = LineStream::new(member, self.archive().limits.member_bytes_max);
                let mut next = || self.clock.time(Step::Read, || self.runtime.block_on(pieces.try_next()));
                while let Some(piece) = next().map_err(Fault::reading)? {
                    self.work.stop.check()?;
                    self.clock.pass(Step::Read, piece.len());
                    lines.push(&piece, &mut |lines| take(&mut decoder, &source, &lines));
                    held.afford(decoder.bytes())?;
                }
                lines.finish(&mut |lines| take(&mut decoder, &source, &lines));
            }
        }
        let (stretch, bytes) = ended(index, 1, &mut decoder, picks)?;
        held.take(bytes)?;
        Ok(stretch)
    }

    /// What the decoder is told of a member. One that a later shard reads is accounted for here, in a stretch of its own, for
    /// whoever owns it.
    fn source<'p>(&self, picks: &'p [Pick], index: usize) -> Source<'p> {
        let Pick { member, role, until, .. } = &picks[index];
        let number =
            u32::try_from(index).unwrap_or_else(|_| unreachable!("a chunk of robots has under 4 billion members"));
        let stored_bytes = match member.packing {
            Packing::Unsupported(TORN_OBJECT) => self.sources.objects[member.object as usize].bytes,
            _ => member.stored_bytes,
        };
        let role = if *until == 0 { *role } else { Role::Own };
        Source { member: number, robot: member.robot.as_deref(), stamp: member.stamp, stored_bytes, role }
    }
}

impl Hand {
    /// Keeps the stretch that has ended, if there is one.
    fn end(&mut self, stretch: Option<(usize, usize)>, picks: &[Pick]) -> Result<(), Fault> {
        if let Some((first, next)) = stretch {
            self.stretches.push(ended(first, next - first, &mut self.tools.decoder, picks)?);
        }
        Ok(())
    }
}

/// A stretch of so many members: what a decoder gathered of them, and the bytes that it takes.
fn ended(first: usize, members: usize, decoder: &mut Decoder, picks: &[Pick]) -> Result<(Stretch, usize), Fault> {
    let bytes = decoder.bytes();
    let decoded = decoder.finish().map_err(|error| Fault::new(Exit::Memory, error.to_string()))?;
    Ok((Stretch { first, members, until: picks[first].until, decoded }, bytes))
}

/// The indices below `picks` that no stretch holds. Stretches are in order.
fn others(picks: usize, carried: &[Stretch]) -> Vec<usize> {
    let ends = carried.iter().map(|stretch| stretch.first + stretch.members);
    let gaps = std::iter::once(0).chain(ends).zip(carried.iter().map(|stretch| stretch.first).chain([picks]));
    gaps.flat_map(|(from, to)| from..to).collect()
}

fn take(decoder: &mut Decoder, source: &Source<'_>, lines: &Lines<'_>) {
    match lines {
        Lines::Chunk { offset, bytes } => decoder.member(source, bytes, *offset),
        Lines::Refused { offset: 0, refusal: refusal @ Refusal::Unreadable { .. } } => {
            refuse(decoder, source, *refusal)
        }
        Lines::Refused { offset, refusal } => refuse_rest(decoder, source, *refusal, *offset),
    }
}

/// Puts a whole member into quarantine.
fn refuse(decoder: &mut Decoder, source: &Source<'_>, refusal: Refusal) {
    let (kind, offset) = placed(refusal, 0);
    decoder.refuse(source, kind, Some(offset), source.stored_bytes, refusal.to_string().as_bytes());
}

/// Puts a line, or what follows the good ones, into quarantine: from `at` on in the member's JSON.
fn refuse_rest(decoder: &mut Decoder, source: &Source<'_>, refusal: Refusal, at: u64) {
    let (kind, offset) = placed(refusal, at);
    let lost_bytes = match refusal {
        Refusal::Unreadable { offset: Some(damage), .. } => source.stored_bytes.saturating_sub(damage),
        // What is noticed at its end, and one line among others.
        Refusal::Unreadable { offset: None, .. } | Refusal::TooLarge { .. } => 0,
    };
    decoder.refuse(source, kind, Some(offset), lost_bytes, refusal.to_string().as_bytes());
}

fn placed(refusal: Refusal, at: u64) -> (Kind, u64) {
    match refusal {
        Refusal::Unreadable { offset, .. } => (Kind::Unreadable, offset.unwrap_or(at)),
        Refusal::TooLarge { .. } => (Kind::TooLarge, at),
    }
}
