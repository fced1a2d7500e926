//! Shards one after the other: while the last robots of one are computed, the members of the next are gathered.
//!
//! ```text
//! one thread    gathers   shard 0: chunk 0, chunk 1 │ shard 1: chunk 0, …
//! the other     finishes           shard 0: chunk 0, chunk 1 │ shard 1: chunk 0, …
//! ```
//! The two meet at every chunk: no more than one is gathered ahead of the one that is finished.

use super::attempt::Attempt;
use super::carry::{Carry, Turn};
use super::clock::Clock;
use super::gather::Gathered;
use super::lists::{Ahead, Lists, Passed};
use super::{Output, Shards, Shown};
use crate::fault::Fault;
use pipeline::plan::Shard;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use table::report::Report;

/// Share of the memory budget that observations kept for the shards to come may take.
const CARRIED_SHARE: u64 = 8;

/// Is told of each chunk's own members and their stored bytes.
pub(crate) type Seen<'a> = dyn Fn(u64, u64) + Sync + 'a;

/// What whoever gathers says of the shard at hand.
enum Word<'s> {
    /// Its report is there.
    There(Box<Report>),
    /// It is computed.
    Begun(Arc<Attempt<'s>>),
    /// Some of its robots.
    Chunk(Gathered<'s>),
    /// That was all, or what it failed of.
    End(Result<(), Fault>),
}

/// Shards whose turn is to come.
pub(crate) struct Series<'s> {
    words: Receiver<Word<'s>>,
    robots: usize,
}

impl<'s> Series<'s> {
    /// Computes the next shard, unless its report is there. Blocks: call it outside the runtime's threads.
    pub(crate) fn next(&mut self) -> Result<Shown, Fault> {
        self.robots = 0;
        match self.hear() {
            Word::There(report) => Ok(Shown::Before(report)),
            Word::Begun(attempt) => {
                let finished = self.finished(&attempt);
                self.robots = attempt.robots_met();
                finished
            }
            Word::End(Err(fault)) => Err(fault),
            Word::End(Ok(())) | Word::Chunk(_) => Err(Fault::broken("a shard has chunks before it began")),
        }
    }

    /// Robots of the shard that was computed last.
    pub(crate) fn robots(&self) -> usize {
        self.robots
    }

    /// A shard with all of its chunks. Where one fails, nothing is left of the others, and the rest has passed.
    fn finished(&self, attempt: &Attempt<'_>) -> Result<Shown, Fault> {
        let mut output = attempt.output().inspect_err(|_| self.skip(attempt))?;
        match self.chunks(attempt, &mut output) {
            Ok(()) => Ok(Shown::Now(Box::new(attempt.filled(output)))),
            Err(fault) => {
                attempt.abandon(output);
                Err(fault)
            }
        }
    }

    fn chunks(&self, attempt: &Attempt<'_>, output: &mut Output) -> Result<(), Fault> {
        loop {
            match self.hear() {
                Word::Chunk(gathered) => attempt.finish(gathered, output).inspect_err(|_| self.skip(attempt))?,
                Word::End(ended) => return ended,
                Word::There(_) | Word::Begun(_) => return Err(Fault::broken("a shard began inside another")),
            }
        }
    }

    /// Lets pass what is still said of a shard that is given up.
    fn skip(&self, attempt: &Attempt<'_>) {
        attempt.give_up();
        while !matches!(self.hear(), Word::End(_)) {}
    }

    fn hear(&self) -> Word<'s> {
        self.words.recv().unwrap_or_else(|_| Word::End(Err(Fault::broken("nobody gathers what is to be computed"))))
    }
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
            let (say, words) = sync_channel(0);
            let carry = Carry::new(self.work.effort.room_bytes() / CARRIED_SHARE);
            let gathering = Gathering { by: self, shards, seen, carry, ahead: None, say };
            scope.spawn(move || gathering.all());
            compute(&mut Series { words, robots: 0 })
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
    say: SyncSender<Word<'s>>,
}

/// Nobody listens any more.
struct Gone;

impl<'s> Gathering<'s> {
    /// Gathers them, as long as somebody listens.
    fn all(mut self) {
        for turn in 0..self.shards.len() {
            if let Err(Gone) = self.one(turn) {
                return;
            }
            self.carry.end_turn();
        }
    }

    fn one(&mut self, turn: Turn) -> Result<(), Gone> {
        match self.by.report(self.shards[turn]) {
            Ok(None) => self.anew(turn),
            Ok(Some(report)) => self.say(Word::There(Box::new(report))),
            Err(fault) => self.say(Word::End(Err(fault))),
        }
    }

    /// Gathers a shard that has no report, and makes the first pass for the next one meanwhile.
    fn anew(&mut self, turn: Turn) -> Result<(), Gone> {
        let shard = self.shards[turn];
        let (passed, clock) = match self.ahead.take().filter(|ahead| ahead.part == shard.part) {
            Some(Ahead { passed, clock, .. }) => (Some(passed), clock),
            None => (None, Clock::default()),
        };
        let attempt =
            Attempt { lists: self.lists(turn), seen: self.seen, clock: Arc::new(clock), ..self.by.attempt(shard) };
        let attempt = Arc::new(attempt);
        self.say(Word::Begun(Arc::clone(&attempt)))?;
        let next = (turn + 1 < self.shards.len()).then(|| self.lists(turn + 1));
        std::thread::scope(|scope| {
            let ahead = next.map(|next| scope.spawn(move || Ahead::of(&next)));
            let gathered = self.gathered(&attempt, passed);
            let said = self.say(Word::End(gathered));
            // Where it panicked, the next shard makes the pass itself.
            self.ahead = ahead.and_then(|ahead| ahead.join().ok());
            said
        })
    }

    fn gathered(&mut self, attempt: &Attempt<'s>, passed: Option<Result<Passed, Fault>>) -> Result<(), Fault> {
        let (carry, say) = (&mut self.carry, &self.say);
        let mut give = |gathered| {
            let gone = |_| Fault::broken("nobody computes what was gathered");
            attempt.check_goes_on()?;
            say.send(Word::Chunk(gathered)).map_err(gone)
        };
        let gather = || attempt.gather_chunks(carry, passed, &mut give);
        let panicked = |_| Err(Fault::broken("a thread that gathered a chunk panicked"));
        catch_unwind(AssertUnwindSafe(gather)).unwrap_or_else(panicked)
    }

    /// What the shard of a turn reads, with those behind it.
    fn lists(&self, turn: Turn) -> Lists<'s> {
        let later = self.shards[turn + 1..].iter().map(|shard| shard.part);
        self.by.lists(self.shards[turn].part, (turn + 1..).zip(later))
    }

    fn say(&self, word: Word<'s>) -> Result<(), Gone> {
        self.say.send(word).map_err(|_| Gone)
    }
}
