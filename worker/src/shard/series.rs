//! Shards one after the other: while the last robots of one are computed, the members of the next are gathered.
//!
//! ```text
//! one thread    gathers   shard 0: chunk 0, chunk 1 │ shard 1: chunk 0, …
//! the other     finishes           shard 0: chunk 0, chunk 1 │ shard 1: chunk 0, …
//! ```
//! No more than one chunk is gathered ahead of the one that is finished: the two meet at every chunk, and a shard that is begun
//! waits for its turn with its first one.

use super::attempt::Attempt;
use super::carry::{Carry, Turn};
use super::clock::Clock;
use super::gather::Gathered;
use super::lists::{Ahead, Lists, Passed};
use super::{Shards, Shown};
use crate::fault::Fault;
use pipeline::plan::Shard;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use table::report::Report;
use tracing::error_span;

/// Share of the memory budget that observations kept for the shards to come may take.
const CARRIED_SHARE: u64 = 8;

/// Is told of each chunk's own members and their stored bytes.
pub(crate) type Seen<'a> = dyn Fn(u64, u64) + Sync + 'a;

/// What becomes of the next shard.
enum Turned<'s> {
    /// Its report is there.
    There(Box<Report>),
    /// Nobody knows whether it is.
    Unknown(Fault),
    /// It is gathered.
    Begun(Begun<'s>),
}

/// A shard that is gathered.
struct Begun<'s> {
    attempt: Arc<Attempt<'s>>,
    /// Its robots. Whoever gathers them gives up when nobody listens.
    chunks: Receiver<Gathered<'s>>,
    /// What came of gathering them.
    end: Receiver<Result<(), Fault>>,
}

impl Begun<'_> {
    /// The shard with all of its chunks. Where one fails, nothing is left of the others.
    fn finish(self) -> Result<Shown, Fault> {
        let Self { attempt, chunks, end } = self;
        let mut output = attempt.output()?;
        let finished = chunks.iter().try_for_each(|gathered| attempt.finish(gathered, &mut output));
        drop(chunks);
        match finished.and(end.recv().unwrap_or_else(|_| Err(nobody_gathers()))) {
            Ok(()) => Ok(Shown::Now(Box::new(attempt.filled(output)))),
            Err(fault) => {
                attempt.abandon(output);
                Err(fault)
            }
        }
    }
}

/// Shards whose turn is to come.
pub(crate) struct Series<'s> {
    turns: Receiver<Turned<'s>>,
    robots: usize,
}

impl Series<'_> {
    /// Computes the next shard, unless its report is there. Blocks: call it outside the runtime's threads.
    pub(crate) fn next(&mut self) -> Result<Shown, Fault> {
        self.robots = 0;
        match self.turns.recv().map_err(|_| nobody_gathers())? {
            Turned::There(report) => Ok(Shown::Before(report)),
            Turned::Unknown(fault) => Err(fault),
            Turned::Begun(begun) => {
                let attempt = Arc::clone(&begun.attempt);
                let finished = begun.finish();
                self.robots = attempt.robots_met();
                finished
            }
        }
    }

    /// Robots of the shard that was computed last.
    pub(crate) fn robots(&self) -> usize {
        self.robots
    }
}

fn nobody_gathers() -> Fault {
    Fault::broken("the thread that gathers shards has ended early")
}

impl Shards<'_> {
    /// Lets `compute` have the shards computed one after the other, in this order, and ends when it does. `seen` is told of each
    /// chunk's own members and their stored bytes. What several shards read is kept from the first of them to the last.
    pub(crate) fn series<'s, T>(
        &'s self,
        shards: &'s [&'s Shard],
        seen: &'s Seen<'s>,
        compute: impl FnOnce(&mut Series<'s>) -> T,
    ) -> T {
        std::thread::scope(|scope| {
            // One shard may be begun before the one before it has ended.
            let (turn, turns) = sync_channel(1);
            let carry = Carry::new(self.work.effort.room_bytes() / CARRIED_SHARE);
            let gathering = Gathering { by: self, shards, seen, carry, ahead: None, turn };
            scope.spawn(move || gathering.all());
            compute(&mut Series { turns, robots: 0 })
        })
    }
}

/// The members of shards, gathered one shard after the other.
struct Gathering<'s> {
    by: &'s Shards<'s>,
    shards: &'s [&'s Shard],
    seen: &'s Seen<'s>,
    carry: Carry,
    /// The first pass over a shard's lists, made before its turn.
    ahead: Option<Ahead>,
    turn: SyncSender<Turned<'s>>,
}

impl<'s> Gathering<'s> {
    /// Gathers them, as long as there is a use for it.
    fn all(mut self) {
        for turn in 0..self.shards.len() {
            let _said_in = error_span!("shard", key = self.shards[turn].key).entered();
            if self.one(turn).is_break() {
                return;
            }
            self.carry.end_turn();
        }
    }

    /// Breaks off where the shards behind it are of no use: nobody listens any more, or a fault stops them too.
    fn one(&mut self, turn: Turn) -> ControlFlow<()> {
        let shard = self.shards[turn];
        match self.by.work.stop.check().and_then(|()| self.by.report(shard)) {
            Ok(None) => self.anew(turn),
            Ok(Some(report)) => self.say(Turned::There(Box::new(report))),
            Err(fault) => {
                let behind_it = behind(&fault);
                self.say(Turned::Unknown(fault))?;
                behind_it
            }
        }
    }

    /// Gathers a shard that has no report, and makes the first pass for the next one meanwhile.
    fn anew(&mut self, turn: Turn) -> ControlFlow<()> {
        let shard = self.shards[turn];
        let (passed, clock) = match self.ahead.take().filter(|ahead| ahead.part == shard.part) {
            Some(Ahead { passed, clock, .. }) => (Some(passed), clock),
            None => (None, Clock::default()),
        };
        let attempt =
            Attempt { lists: self.lists(turn), seen: self.seen, clock: Arc::new(clock), ..self.by.attempt(shard) };
        let attempt = Arc::new(attempt);
        let (give, chunks) = sync_channel(0);
        let (say_end, end) = sync_channel(1);
        let begun = Begun { attempt: Arc::clone(&attempt), chunks, end };
        self.say(Turned::Begun(begun))?;
        let next = (turn + 1 < self.shards.len()).then(|| self.lists(turn + 1));
        std::thread::scope(|scope| {
            let ahead = next.map(|next| scope.spawn(move || Ahead::of(&next)));
            let gathered = self.gathered(&attempt, passed, &give);
            // Those were all.
            drop(give);
            let behind_it = gathered.as_ref().map_or_else(behind, |()| ControlFlow::Continue(()));
            // Whoever does not listen has a fault of its own.
            let _ = say_end.send(gathered);
            // Where it panicked, the next shard makes the pass itself.
            self.ahead = ahead.and_then(|ahead| ahead.join().ok());
            behind_it
        })
    }

    fn gathered(
        &mut self,
        attempt: &Attempt<'s>,
        passed: Option<Result<Passed, Fault>>,
        give: &SyncSender<Gathered<'s>>,
    ) -> Result<(), Fault> {
        let gone = |_| Fault::broken("nobody computes what was gathered");
        let mut give = |gathered| give.send(gathered).map_err(gone);
        let gather = || attempt.gather_chunks(&mut self.carry, passed, &mut give);
        let panicked = |_| Err(Fault::broken("a thread that gathered a chunk panicked"));
        catch_unwind(AssertUnwindSafe(gather)).unwrap_or_else(panicked)
    }

    /// What the shard of a turn reads, with those behind it.
    fn lists(&self, turn: Turn) -> Lists<'s> {
        let later = self.shards[turn + 1..].iter().map(|shard| shard.part);
        self.by.lists(self.shards[turn].part, (turn + 1..).zip(later))
    }

    fn say(&self, turned: Turned<'s>) -> ControlFlow<()> {
        self.turn.send(turned).map_or(ControlFlow::Break(()), ControlFlow::Continue)
    }
}

/// What becomes of the shards behind one that failed.
fn behind(fault: &Fault) -> ControlFlow<()> {
    if fault.stops_all() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
