//! All observations of some robots and of a span, robot by robot: the first half of a shard, for whoever only looks.
//!
//! Members are chosen, fetched, decoded and arranged by the very functions that a shard uses, chunk by chunk, so that memory
//! follows the chunk and what is refused here is what a run refuses. Nothing is written.

use super::chunk::{Census, Pick};
use super::{Attempt, DecodePlan, Shards};
use crate::fault::Fault;
use crate::plan::Sources;
use crate::work::Work;
use engine::account::Account;
use engine::arrange::{Arranged, RobotSignals};
use pipeline::member::Member;
use pipeline::plan::{Bucket, Inputs, Part, Role, Shard, State, sight};
use pipeline::time::{Day, Span};
use std::collections::BTreeSet;
use tokio::runtime::Handle;

/// Share of the memory budget that the stored bytes of one robot may be before its span is cut: decoded they are more.
const ROBOT_SHARE: u64 = 8;

/// Whether observations keep the place where they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traces {
    /// They do: two more columns, as in [`RobotSignals`].
    Kept,
    /// They do not.
    Dropped,
}

/// What one chunk holds.
pub(crate) struct Scanned {
    /// By name; with what rows of the part may see outside it.
    pub(crate) robots: Vec<RobotSignals>,
    /// What the `member` column counts.
    pub(crate) members: Vec<Member>,
    /// Of members that the part owns.
    pub(crate) account: Account,
}

/// Hands over the observations that rows of `part` may see, chunk by chunk, robots in order of their names where those of the
/// members tell them. Blocks: call it outside the runtime's threads.
///
/// Errors: those of `each`, too.
pub(crate) fn scan(
    work: &Work,
    runtime: &Handle,
    sources: &Sources,
    (part, traces): (Part, Traces),
    each: &mut dyn FnMut(Scanned) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let archive = &work.pipeline().archive;
    let plan = if traces == Traces::Kept { DecodePlan::traced(archive) } else { DecodePlan::new(archive) };
    let plan = plan.map_err(|error| Fault::broken(error.to_string()))?;
    Shards::decoding(work, runtime, sources, plan).attempt(&nameless(part), &work.result).scan(each)
}

/// A shard of no plan.
fn nameless(part: Part) -> Shard {
    Shard { key: String::new(), part, seen: String::new(), inputs: Inputs::default(), state: State::Reused }
}

/// How a span is best scanned.
#[derive(Debug, Clone)]
pub(crate) struct Cuts {
    /// One, or a day each where one robot's observations of all of it may not fit into memory.
    pub(crate) parts: Vec<Part>,
    /// Whether all of it comes robot by robot, in order of their names.
    pub(crate) is_by_robot: bool,
    /// Members to read, and their stored bytes.
    pub(crate) members: u64,
    pub(crate) stored_bytes: u64,
}

/// How the observations of a span are best scanned. Reads the member lists. Blocks: call it outside the runtime's threads.
pub(crate) fn cuts(work: &Work, runtime: &Handle, sources: &Sources, span: Span) -> Result<Cuts, Fault> {
    let plan = DecodePlan::new(&work.pipeline().archive).map_err(|error| Fault::broken(error.to_string()))?;
    let shard = nameless(Part { span, bucket: Bucket::ALL });
    Shards::decoding(work, runtime, sources, plan).attempt(&shard, &work.result).cuts()
}

impl Attempt<'_> {
    fn cuts(&self) -> Result<Cuts, Fault> {
        let sight = sight(self.work.pipeline());
        let (mut census, mut days, mut is_timeless) = (Census::default(), BTreeSet::new(), false);
        let (mut members, mut stored_bytes) = (0, 0u64);
        let mut walk = self.walk();
        while let Some(picks) = self.next(&mut walk)? {
            for pick in &picks {
                census.add(pick);
                (members, stored_bytes) = (members + 1, stored_bytes.saturating_add(pick.member.stored_bytes));
                match sight.window(pick.member.stamp) {
                    None => is_timeless = true,
                    Some(window) => {
                        let (first, last) = (Day::of(window.from_ns), Day::of(window.to_ns.saturating_sub(1)));
                        days.extend((first.0..=last.0).map(Day));
                    }
                }
            }
        }
        let whole = self.shard.part;
        if is_timeless || census.largest_bytes() <= self.work.effort.room_bytes() / ROBOT_SHARE {
            return Ok(Cuts { parts: vec![whole], is_by_robot: census.is_by_robot(), members, stored_bytes });
        }
        let of_day = |day: Day| day.span().intersect(whole.span).map(|span| Part { span, ..whole });
        let parts = days.into_iter().filter_map(of_day).collect();
        Ok(Cuts { parts, is_by_robot: false, members, stored_bytes })
    }

    fn scan(&self, each: &mut dyn FnMut(Scanned) -> Result<(), Fault>) -> Result<(), Fault> {
        self.chunks(&mut |picks| each(self.scanned(picks)?))
    }

    fn scanned(&self, picks: &[Pick]) -> Result<Scanned, Fault> {
        let stretches = self.gather().chunk(picks, Vec::new())?;
        let mut account = Account::default();
        for stretch in stretches.iter().filter(|stretch| picks[stretch.first].role == Role::Own) {
            account.merge(&stretch.decoded.account);
        }
        let decoded = stretches.into_iter().map(|stretch| stretch.decoded).collect();
        let Arranged { mut robots, account: arranged } = self.arrange(decoded, picks)?;
        account.merge(&arranged);
        robots.retain(|robot| self.work.pipeline().robots.accepts(&robot.robot));
        let members = picks.iter().map(|pick| pick.member.clone()).collect();
        Ok(Scanned { robots, members, account })
    }
}
