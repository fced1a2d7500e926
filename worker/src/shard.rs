//! The shard flow: from a shard of a plan to data files and a report.
//!
//! ```text
//! members of span and context ─► chunks of robots ─► gather ─► arrange ─► compute ─► files, quarantine ─► report
//!                                                   chunk 1       chunk 0, meanwhile
//! ```
//! A shard whose report is there is done. Files have names of their own attempt; only the report makes them count.

mod carry;
mod chunk;
mod clock;
mod gather;
mod lists;
mod observe;
mod room;
mod scan;

pub(crate) use observe::{Observations, observe};
pub(crate) use scan::{Cuts, Scanned, Traces, cuts, scan};

use crate::fault::{Exit, Fault};
use crate::plan::Sources;
use crate::work::{Work, now_ms};
use archive::store::Store;
use carry::{Carry, Stretch, Turn};
use chunk::Pick;
use clock::{Clock, Step};
use engine::account::Account;
use engine::arrange::{Arranged, RobotSignals, arrange};
use engine::compute::RobotRows;
use engine::crew::Crew;
use engine::decode::{Decoded, Plan as DecodePlan};
use gather::{Gather, Gathered, Tools};
use lists::{Ahead, Lists, Passed};
use pipeline::plan::{Part, Role, Shard, sight};
use room::Room;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use table::layout;
use table::ledger::Failure;
use table::part::PartWriter;
use table::patience::Patience;
use table::quarantine::{QuarantineWriter, Refusal};
use table::report::{FORMAT, Placed, Report, put_report, read_report};
use tokio::runtime::Handle;
use uuid::Uuid;

/// Share of the memory budget that observations kept for the shards to come may take.
const CARRIED_SHARE: u64 = 8;
/// Refusals written at a time.
const REFUSALS: usize = 1024;

/// What computes shards of one plan, one after the other, and what it carries from one to the next.
pub(crate) struct Shards<'a> {
    work: &'a Work,
    runtime: &'a Handle,
    sources: &'a Sources,
    plan: Arc<DecodePlan>,
    crew: Crew,
    carry: Carry,
    ahead: Option<Ahead>,
    robots: usize,
}

impl<'a> Shards<'a> {
    /// Ready for the first shard.
    pub(crate) fn new(work: &'a Work, runtime: &'a Handle, sources: &'a Sources) -> Result<Self, Fault> {
        let plan = DecodePlan::new(&work.pipeline().archive).map_err(|error| Fault::broken(error.to_string()))?;
        Self::decoding(work, runtime, sources, plan)
    }

    fn decoding(work: &'a Work, runtime: &'a Handle, sources: &'a Sources, plan: DecodePlan) -> Result<Self, Fault> {
        let carry = Carry::new(work.effort.room_bytes() / CARRIED_SHARE);
        let crew = Crew::new(work.effort.threads).map_err(|error| Fault::broken(error.to_string()))?;
        Ok(Self { work, runtime, sources, plan: Arc::new(plan), crew, carry, ahead: None, robots: 0 })
    }

    /// Computes a shard, unless its report is there. Blocks: call it outside the runtime's threads.
    ///
    /// `later` are those that will be computed after it, the next one first: what they read too is kept for them. `seen` is
    /// told of each chunk's own members and their stored bytes.
    pub(crate) fn compute(
        &mut self,
        shard: &Shard,
        later: &[Part],
        seen: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Shown, Fault> {
        let shown = self.shown(shard, later, seen);
        self.carry.end_turn();
        shown
    }

    fn shown(&mut self, shard: &Shard, later: &[Part], seen: &(dyn Fn(u64, u64) + Sync)) -> Result<Shown, Fault> {
        if let Some(report) = self.runtime.block_on(read_report(self.work.result.as_ref(), &shard.key))? {
            return Ok(Shown::Before(Box::new(report)));
        }
        let turn = self.carry.turn();
        let lists = self.lists(shard.part, turn, later);
        let next = later.split_first().map(|(next, later)| self.lists(*next, turn + 1, later));
        let mut attempt = Attempt { lists, seen, ..self.attempt(shard, &self.work.result) };
        let ahead = self.ahead.take().filter(|ahead| ahead.part == shard.part);
        let passed = ahead.map(|Ahead { passed, clock, .. }| {
            attempt.clock = clock;
            passed
        });
        let (computed, robots) = std::thread::scope(|scope| {
            let ahead = next.map(|next| scope.spawn(move || Ahead::of(&next)));
            let computed = attempt.run(&mut self.carry, passed);
            // Where it panicked, the next shard makes the pass itself.
            self.ahead = ahead.and_then(|ahead| ahead.join().ok());
            computed
        });
        self.robots = robots;
        computed.map(|computed| Shown::Now(Box::new(computed)))
    }

    /// An attempt at a shard alone, that nobody watches.
    fn attempt<'b>(&self, shard: &'b Shard, store: &'b Arc<dyn Store>) -> Attempt<'b>
    where
        'a: 'b,
    {
        Attempt {
            work: self.work,
            runtime: self.runtime,
            sources: self.sources,
            lists: self.lists(shard.part, 0, &[]),
            shard,
            store,
            plan: Arc::clone(&self.plan),
            crew: self.crew.clone(),
            id: Uuid::new_v4().simple().to_string(),
            robots: AtomicUsize::new(0),
            clock: Clock::default(),
            room: Room::new(self.work.effort.room_bytes()),
            tools: Mutex::default(),
            wasted_bytes: AtomicU64::new(0),
            seen: &|_, _| (),
        }
    }

    /// Robots of the shard that was computed last.
    pub(crate) fn robots(&self) -> usize {
        self.robots
    }

    /// What the shard of a turn reads, with `later` ones behind it.
    fn lists(&self, part: Part, turn: Turn, later: &[Part]) -> Lists<'a> {
        let sight = sight(self.work.pipeline());
        let later = (turn + 1..).zip(later.iter().copied()).filter(|(_, other)| part.shares(sight, other)).collect();
        Lists { work: self.work, runtime: self.runtime, sources: self.sources, part, later }
    }
}

/// Computes a shard into another store than the result's, whatever reports there are; nothing of the result is touched.
/// Blocks: call it outside the runtime's threads.
pub(crate) fn shard_into(
    work: &Work,
    runtime: &Handle,
    sources: &Sources,
    shard: &Shard,
    store: &Arc<dyn Store>,
) -> Result<Report, Fault> {
    // Nothing is carried to another shard.
    let (computed, _) = Shards::new(work, runtime, sources)?.attempt(shard, store).run(&mut Carry::new(0), None);
    runtime.block_on(computed?.close())
}

/// Writes down why a shard failed.
pub(crate) fn write_failure(
    work: &Work,
    runtime: &Handle,
    plan: &str,
    shard: &Shard,
    fault: &Fault,
) -> Result<(), Fault> {
    let failure = Failure {
        failed_ms: now_ms(),
        attempts: 1,
        reason: fault.reason().to_owned(),
        place: format!("{}", work.source),
        message: fault.to_string(),
    };
    let name = layout::failure(plan, &shard.key, &Uuid::new_v4().simple().to_string());
    let json = serde_json::to_vec(&(&shard.key, failure)).map_err(|error| Fault::broken(error.to_string()))?;
    runtime.block_on(work.result.put(&name, json.into(), archive::store::Put::Always))?;
    Ok(())
}

/// One attempt at a shard.
struct Attempt<'a> {
    work: &'a Work,
    runtime: &'a Handle,
    sources: &'a Sources,
    lists: Lists<'a>,
    shard: &'a Shard,
    /// Where files and report go.
    store: &'a Arc<dyn Store>,
    plan: Arc<DecodePlan>,
    crew: Crew,
    id: String,
    /// How many robots it met.
    robots: AtomicUsize,
    clock: Clock,
    room: Room,
    /// Those that nobody uses.
    tools: Mutex<Vec<Tools>>,
    /// Bytes that its chunks read for nothing so far.
    wasted_bytes: AtomicU64,
    seen: &'a (dyn Fn(u64, u64) + Sync),
}

/// What an attempt writes to.
struct Output {
    part: PartWriter,
    quarantine: QuarantineWriter,
    account: Account,
}

/// What a shard has to show.
pub(crate) enum Shown {
    /// The report of an earlier attempt.
    Before(Box<Report>),
    /// All of its rows, in files that are still open.
    Now(Box<Filled>),
}

/// A shard whose rows are all written and whose files are still open. Dropping it leaves garbage that no report names.
pub(crate) struct Filled {
    store: Arc<dyn Store>,
    key: String,
    attempt: String,
    output: Output,
    clock: Clock,
}

impl Filled {
    /// Makes its files visible, and then its report, by which they count. It may close while the next shard is computed.
    pub(crate) async fn close(self) -> Result<Report, Fault> {
        let Output { part, quarantine, account } = self.output;
        let files = self.clock.wait(Step::Write, Box::pin(part.finish())).await?;
        let quarantine = quarantine.finish().await?;
        let report = Report {
            format: FORMAT,
            key: self.key,
            attempt: self.attempt,
            rows: files.iter().map(|file| file.rows).sum(),
            files,
            account,
            timings: self.clock.timings(),
            peak_memory_bytes: crate::memory::peak_bytes(),
            quarantine,
            written_ms: now_ms(),
        };
        match put_report(self.store.as_ref(), &report, Patience::default()).await? {
            Placed::Written => Ok(report),
            Placed::Lost(winner) => Ok(*winner),
        }
    }

    /// Removes what was written.
    pub(crate) async fn abandon(self) {
        Box::pin(self.output.abandon()).await;
    }
}

impl Output {
    /// Removes what was written. What cannot be removed is garbage that no report names: why the attempt ended says more.
    async fn abandon(self) {
        let Self { part, quarantine, .. } = self;
        for removed in [part.abort().await, quarantine.abort().await] {
            if let Err(error) = removed {
                tracing::warn!(%error, "files of an attempt that ended early stay behind");
            }
        }
    }
}

impl Attempt<'_> {
    /// Computes its rows; and how many robots it met. `passed`: the first pass over its lists, if it was made.
    fn run(self, carry: &mut Carry, passed: Option<Result<Passed, Fault>>) -> (Result<Filled, Fault>, usize) {
        let output = self.output().and_then(|mut output| match self.fill(&mut output, carry, passed) {
            Ok(()) => Ok(output),
            Err(fault) => {
                self.runtime.block_on(output.abandon());
                Err(fault)
            }
        });
        let robots = self.robots.into_inner();
        let (store, key) = (Arc::clone(self.store), self.shard.key.clone());
        (output.map(|output| Filled { store, key, attempt: self.id, output, clock: self.clock }), robots)
    }

    fn output(&self) -> Result<Output, Fault> {
        let (store, key) = (self.store, self.shard.key.as_str());
        Ok(Output {
            part: PartWriter::new(store, &self.work.compiled.schema(), key, &self.id)?.encoded_by(self.crew.clone()),
            quarantine: QuarantineWriter::new(store, key, &self.id),
            account: Account::default(),
        })
    }

    /// Finishes chunks on this thread while another one gathers the next.
    fn fill(&self, output: &mut Output, carry: &mut Carry, passed: Option<Result<Passed, Fault>>) -> Result<(), Fault> {
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(0);
            let gathering = scope.spawn(move || self.gathering(carry, passed, &send));
            let finished = receive.iter().try_for_each(|gathered| self.finish(gathered, output));
            // Whoever still gathers is told so when it has a chunk.
            drop(receive);
            let panicked = |_| Err(Fault::broken("a thread that gathered a chunk panicked"));
            finished.and(gathering.join().unwrap_or_else(panicked))
        })
    }

    fn gathering<'s>(
        &'s self,
        carry: &mut Carry,
        passed: Option<Result<Passed, Fault>>,
        send: &SyncSender<Gathered<'s>>,
    ) -> Result<(), Fault> {
        let passed = passed.unwrap_or_else(|| self.lists.pass(&self.clock))?;
        self.robots.store(passed.census.robots(), Ordering::Relaxed);
        let mut give = |gathered| send.send(gathered).map_err(|_| Fault::broken("nobody computes what was gathered"));
        self.gather()
            .chunks(carry, &mut give, |line| self.lists.chunks(passed, &self.clock, &mut |picks| line.begin(picks)))
    }

    fn gather(&self) -> Gather<'_> {
        Gather {
            work: self.work,
            runtime: self.runtime,
            sources: self.sources,
            plan: &self.plan,
            clock: &self.clock,
            crew: &self.crew,
            room: &self.room,
            tools: &self.tools,
            wasted_bytes: &self.wasted_bytes,
        }
    }

    fn finish(&self, gathered: Gathered<'_>, output: &mut Output) -> Result<(), Fault> {
        // Its room is given back at the end.
        let Gathered { picks, stretches, held: _held } = gathered;
        for stretch in stretches.iter().filter(|stretch| picks[stretch.first].role == Role::Own) {
            output.account.merge(&stretch.decoded.account);
            self.quarantine(&picks, &stretch.decoded, &mut output.quarantine)?;
        }
        let own = picks.iter().filter(|pick| pick.role == Role::Own);
        let (members, bytes) =
            own.fold((0, 0u64), |(members, bytes), pick| (members + 1, bytes.saturating_add(pick.member.stored_bytes)));
        output.account.members.stored_bytes = output.account.members.stored_bytes.saturating_add(bytes);
        let Arranged { robots, account } = self.arrange(stretches, &picks)?;
        output.account.merge(&account);
        self.robots(robots, output)?;
        (self.seen)(members, bytes);
        Ok(())
    }

    fn arrange(&self, stretches: Vec<Stretch>, picks: &[Pick]) -> Result<Arranged, Fault> {
        let decoded = stretches.into_iter().map(|stretch| stretch.decoded).collect();
        let roles: Vec<Role> = picks.iter().map(|pick| pick.role).collect();
        let signals = &self.work.pipeline().archive.signals;
        let arranged = self.clock.time(Step::Arrange, || arrange(decoded, signals, &roles));
        arranged.map_err(|error| Fault::new(Exit::Memory, error.to_string()))
    }

    fn quarantine(&self, picks: &[Pick], decoded: &Decoded, writer: &mut QuarantineWriter) -> Result<(), Fault> {
        let signals = &self.work.pipeline().archive.signals;
        for refused in decoded.refused.chunks(REFUSALS) {
            let lines: Vec<Refusal> = refused
                .iter()
                .map(|refusal| {
                    let member = &picks[refusal.member as usize].member;
                    let object = &self.sources.objects[member.object as usize];
                    let signal = refusal.signal.map(|signal| &signals[signal as usize]);
                    Refusal {
                        object: &object.key,
                        version: object.version.as_deref(),
                        member: &member.name,
                        byte_offset: refusal.offset,
                        record: refusal.record,
                        signal: signal.map(|signal| signal.name.as_str()),
                        column: signal
                            .zip(refusal.column)
                            .map(|(signal, column)| signal.columns[column as usize].name.as_str()),
                        kind: refusal.kind,
                        sample: refusal.sample.as_bytes(),
                    }
                })
                .collect();
            self.runtime.block_on(writer.write(&lines))?;
        }
        Ok(())
    }

    /// Has robots computed by the crew, as many at a time as it has threads; this thread writes their rows in order meanwhile.
    fn robots(&self, robots: Vec<RobotSignals>, output: &mut Output) -> Result<(), Fault> {
        let accepts = |robot: &RobotSignals| self.work.pipeline().robots.accepts(&robot.robot);
        let mut robots = robots.into_iter().filter(accepts);
        self.crew.scope(|scope| {
            let begin = |robot| {
                let (send, receive) = sync_channel(1);
                // Nobody hears it after a fault.
                scope.spawn(move |_| drop(send.send(self.robot(robot))));
                receive
            };
            let mut under_way: VecDeque<_> = robots.by_ref().take(self.crew.threads()).map(begin).collect();
            while let Some(first) = under_way.pop_front() {
                let gone = |_| Err(Fault::broken("nobody computes what was handed out"));
                let RobotRows { batch, account, steps, .. } = first.recv().unwrap_or_else(gone)?;
                self.work.stop.check()?;
                under_way.extend(robots.next().map(begin));
                output.account.merge(&account);
                self.clock.compute(&steps);
                self.clock.time(Step::Write, || self.runtime.block_on(output.part.write(&batch)))?;
            }
            Ok(())
        })
    }

    fn robot(&self, robot: RobotSignals) -> Result<RobotRows, Fault> {
        let compute = || self.work.compiled.compute(robot, self.shard.part.span).map_err(Fault::from);
        let panicked = |_| Err(Fault::broken("a thread that computed a robot panicked"));
        catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(panicked)
    }
}
