//! One attempt at a shard: its chunks are gathered on one thread, and finished on another.

use super::carry::{Carry, Stretch};
use super::chunk::Pick;
use super::clock::{Clock, Step};
use super::gather::{Gather, Gathered, Line, Tools};
use super::lists::{Lists, Passed};
use super::room::Room;
use super::series::Seen;
use super::{Filled, Output};
use crate::fault::{Exit, Fault};
use crate::plan::Sources;
use crate::work::Work;
use archive::store::Store;
use engine::account::Account;
use engine::arrange::{Arranged, RobotSignals, arrange};
use engine::compute::RobotRows;
use engine::crew::Crew;
use engine::decode::{Decoded, Plan as DecodePlan};
use pipeline::plan::{Role, Shard};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use table::part::PartWriter;
use table::quarantine::{QuarantineWriter, Refusal};
use tokio::runtime::Handle;

/// Refusals written at a time.
const REFUSALS: usize = 1024;

/// What an attempt is made with.
pub(super) struct Attempt<'a> {
    pub(super) work: &'a Work,
    pub(super) runtime: &'a Handle,
    pub(super) sources: &'a Sources,
    pub(super) lists: Lists<'a>,
    pub(super) shard: &'a Shard,
    /// Where files and report go.
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) plan: &'a Arc<DecodePlan>,
    pub(super) crew: &'a Crew,
    pub(super) room: &'a Room,
    /// Those that nobody uses.
    pub(super) tools: &'a Mutex<Vec<Tools>>,
    pub(super) id: String,
    pub(super) clock: Arc<Clock>,
    pub(super) seen: &'a Seen<'a>,
    /// How many robots it met.
    pub(super) robots: AtomicUsize,
    /// Bytes that its chunks read for nothing so far.
    pub(super) wasted_bytes: AtomicU64,
}

impl<'a> Attempt<'a> {
    /// Hands over its chunks. `passed`: the first pass over its lists, if it was made.
    ///
    /// Errors: those of `give`, too.
    pub(super) fn gather_chunks(
        &self,
        carry: &mut Carry,
        passed: Option<Result<Passed, Fault>>,
        give: &mut dyn FnMut(Gathered<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let passed = passed.unwrap_or_else(|| self.lists.pass(&self.clock))?;
        self.robots.store(passed.census.robots(), Ordering::Relaxed);
        let begin_all =
            |line: &mut Line<'_, '_, 'a>| self.lists.chunks(passed, &self.clock, &mut |picks| line.begin(picks));
        self.gather().chunks(carry, give, begin_all)
    }

    pub(super) fn gather(&self) -> Gather<'_, 'a> {
        Gather {
            work: self.work,
            runtime: self.runtime,
            sources: self.sources,
            plan: self.plan,
            clock: &self.clock,
            crew: self.crew,
            room: self.room,
            tools: self.tools,
            wasted_bytes: &self.wasted_bytes,
        }
    }

    /// How many robots it met.
    pub(super) fn robots_met(&self) -> usize {
        self.robots.load(Ordering::Relaxed)
    }

    /// What it writes to, empty.
    pub(super) fn output(&self) -> Result<Output, Fault> {
        let (store, key) = (self.store, self.shard.key.as_str());
        Ok(Output {
            part: PartWriter::new(store, &self.work.compiled.schema(), key, &self.id)?.encoded_by(self.crew.clone()),
            quarantine: QuarantineWriter::new(store, key, &self.id),
            account: Account::default(),
        })
    }

    /// The shard, once all chunks are finished.
    pub(super) fn filled(&self, output: Output) -> Filled {
        let (store, key, clock) = (Arc::clone(self.store), self.shard.key.clone(), Arc::clone(&self.clock));
        Filled { store, key, attempt: self.id.clone(), output, clock }
    }

    /// Removes what was written.
    pub(super) fn abandon(&self, output: Output) {
        self.runtime.block_on(output.abandon());
    }

    /// Computes and writes the robots of a chunk.
    pub(super) fn finish(&self, gathered: Gathered<'_>, output: &mut Output) -> Result<(), Fault> {
        // Its room is given back at the end.
        let Gathered { picks, stretches, held: _held } = gathered;
        for stretch in stretches.iter().filter(|stretch| picks[stretch.first].role == Role::Own) {
            output.account.merge(&stretch.decoded.account);
            self.quarantine(&picks, &stretch.decoded, &mut output.quarantine)?;
        }
        let Arranged { robots, account } = self.arrange(stretches, &picks)?;
        output.account.merge(&account);
        self.robots(robots, output)?;
        let own = picks.iter().filter(|pick| pick.role == Role::Own);
        let (members, bytes) =
            own.fold((0, 0u64), |(members, bytes), pick| (members + 1, bytes.saturating_add(pick.member.stored_bytes)));
        (self.seen)(members, bytes);
        Ok(())
    }

    pub(super) fn arrange(&self, stretches: Vec<Stretch>, picks: &[Pick]) -> Result<Arranged, Fault> {
        let decoded = stretches.into_iter().map(|stretch| stretch.decoded).collect();
        let roles: Vec<Role> = picks.iter().map(|pick| pick.role).collect();
        let signals = &self.work.pipeline().archive.signals;
        let arranged = self.clock.time(Step::Arrange, || arrange(decoded, signals, &roles, Some(self.crew)));
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
