//! All observations of some robots and of a span, robot by robot: the first half of a shard, for whoever only looks.
//!
//! Members are chosen, fetched, decoded and arranged by the very functions that a shard uses, chunk by chunk, so that memory
//! follows the chunk and what is refused here is what a run refuses. Nothing is written.

use super::carry::Carry;
use super::chunk::{Census, Pick};
use super::clock::Clock;
use super::gather::Gathered;
use super::lists::Lists;
use super::room::Held;
use super::{Attempt, DecodePlan, Shards};
use crate::fault::Fault;
use crate::plan::Sources;
use crate::work::Work;
use engine::account::Account;
use engine::arrange::{Arranged, RobotSignals};
use pipeline::member::Member;
use pipeline::plan::{Bucket, Inputs, Part, Role, Shard, State, sight};
use pipeline::time::{Day, HOUR_NS, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Hours of a day: the finest piece in time.
const HOURS: i64 = 24;
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
    Shards::decoding(work, runtime, sources, plan)?.attempt(&nameless(part)).scan(each)
}

/// A shard of no plan.
pub(super) fn nameless(part: Part) -> Shard {
    Shard { key: String::new(), part, seen: String::new(), inputs: Inputs::default(), state: State::Reused }
}

/// How a span is best scanned.
#[derive(Debug, Clone)]
pub(crate) struct Cuts {
    /// One, or days and pieces of days where one robot's observations of all of it may not fit into memory.
    pub(crate) parts: Vec<Part>,
    /// Whether all of it comes robot by robot, in order of their names.
    pub(crate) is_by_robot: bool,
    /// Members to read, and their stored bytes.
    pub(crate) members: u64,
    pub(crate) stored_bytes: u64,
}

/// How the observations of a span are best scanned. Reads the member lists. Blocks: call it outside the runtime's threads.
pub(crate) fn cuts(work: &Work, runtime: &Handle, sources: &Sources, span: Span) -> Result<Cuts, Fault> {
    let part = Part { span, bucket: Bucket::ALL };
    Lists { work, runtime, sources, part, later: Vec::new() }.cuts()
}

/// What the members of a span come to.
#[derive(Default)]
struct Cutting {
    census: Census,
    members: u64,
    stored_bytes: u64,
    /// Days on which observations may lie.
    days: BTreeSet<Day>,
    /// Stored bytes of each robot by the day at which its members begin.
    by_day: BTreeMap<(Day, Arc<str>), u64>,
    /// Whether some member tells no time: then each part would read it.
    is_timeless: bool,
}

impl Cutting {
    /// Adds a member whose observations lie in a window.
    fn add(&mut self, pick: &Pick, window: Option<Span>) {
        let bytes = pick.member.stored_bytes;
        self.census.add(pick);
        self.members += 1;
        self.stored_bytes = self.stored_bytes.saturating_add(bytes);
        let Some(window) = window else {
            self.is_timeless = true;
            return;
        };
        let (first, last) = (Day::of(window.from_ns), Day::of(window.to_ns.saturating_sub(1)));
        self.days.extend((first.0..=last.0).map(Day));
        let of_day = self.by_day.entry((first, Arc::clone(&pick.robot))).or_default();
        *of_day = of_day.saturating_add(bytes);
    }

    /// The days, in pieces where one robot has more than `bytes_max` on one.
    fn pieces(&self, bytes_max: u64) -> Vec<Span> {
        let mut pieces = Vec::new();
        for day in &self.days {
            let nobody: Arc<str> = Arc::from("");
            let robots = self.by_day.range((*day, Arc::clone(&nobody))..(day.next(), nobody));
            let most = robots.map(|(_, bytes)| *bytes).max().unwrap_or_default();
            let hours = HOURS / i64::try_from(most.div_ceil(bytes_max.max(1))).unwrap_or(HOURS).clamp(1, HOURS);
            let Span { from_ns, to_ns } = day.span();
            let mut start_ns = from_ns;
            while start_ns < to_ns {
                let end_ns = start_ns.saturating_add(hours * HOUR_NS).min(to_ns);
                pieces.push(Span { from_ns: start_ns, to_ns: end_ns });
                start_ns = end_ns;
            }
        }
        pieces
    }
}

impl Lists<'_> {
    fn cuts(&self) -> Result<Cuts, Fault> {
        let (mut cutting, clock) = (Cutting::default(), Clock::default());
        let mut walk = self.walk();
        while let Some(picks) = self.next(&mut walk, &clock)? {
            picks.iter().for_each(|pick| cutting.add(pick, sight(self.work.pipeline()).window(pick.member.stamp)));
        }
        let Cutting { census, members, stored_bytes, .. } = &cutting;
        let (is_by_robot, members, stored_bytes) = (census.is_by_robot(), *members, *stored_bytes);
        let (whole, bytes_max) = (self.part, self.work.effort.room_bytes() / ROBOT_SHARE);
        if cutting.is_timeless || census.largest_bytes() <= bytes_max {
            return Ok(Cuts { parts: vec![whole], is_by_robot, members, stored_bytes });
        }
        let within = |span: Span| span.intersect(whole.span).map(|span| Part { span, ..whole });
        let parts = cutting.pieces(bytes_max).into_iter().filter_map(within).collect();
        Ok(Cuts { parts, is_by_robot: false, members, stored_bytes })
    }
}

impl Attempt<'_> {
    fn scan(&self, each: &mut dyn FnMut(Scanned) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut give = |gathered| {
            // What is looked at has its room for as long.
            let (scanned, _held) = self.scanned(gathered)?;
            each(scanned)
        };
        let passed = self.lists.pass(&self.clock)?;
        self.gather().chunks(&mut Carry::new(0), &mut give, |line| {
            self.lists.chunks(passed, &self.clock, &mut |picks| line.begin(picks))
        })
    }

    fn scanned<'h>(&self, gathered: Gathered<'h>) -> Result<(Scanned, Held<'h>), Fault> {
        let Gathered { picks, stretches, held } = gathered;
        let mut account = Account::default();
        for stretch in stretches.iter().filter(|stretch| picks[stretch.first].role == Role::Own) {
            account.merge(&stretch.decoded.account);
        }
        let Arranged { mut robots, account: arranged } = self.arrange(stretches, &picks)?;
        account.merge(&arranged);
        robots.retain(|robot| self.work.pipeline().robots.accepts(&robot.robot));
        let members = picks.into_iter().map(|pick| pick.member).collect();
        Ok((Scanned { robots, members, account }, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cutting(bytes: &[(i32, &str, u64)]) -> Cutting {
        let by_day = bytes.iter().map(|(day, robot, bytes)| ((Day(*day), Arc::from(*robot)), *bytes));
        Cutting {
            days: bytes.iter().map(|(day, _, _)| Day(*day)).collect(),
            by_day: by_day.collect(),
            ..Cutting::default()
        }
    }

    #[test]
    fn a_day_is_cut_where_one_robot_has_much_on_it_and_pieces_follow_each_other() {
        let hours = |bytes: &[(i32, &str, u64)]| -> Vec<i64> {
            let pieces = cutting(bytes).pieces(10);
            assert!(pieces.windows(2).all(|pair| pair[0].to_ns == pair[1].from_ns));
            pieces.iter().map(|piece| (piece.to_ns - piece.from_ns) / HOUR_NS).collect()
        };
        assert_eq!(hours(&[(1, "a", 10), (1, "b", 9), (2, "a", 3)]), [24, 24]);
        assert_eq!(hours(&[(1, "a", 11), (2, "", 30)]), [12, 12, 8, 8, 8]);
        assert_eq!(hours(&[(1, "a", u64::MAX)]).len(), 24);
        assert_eq!(hours(&[(1, "a", 45)]), [4, 4, 4, 4, 4, 4]);
    }
}
