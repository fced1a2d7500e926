//! The observations of one robot around a few rows, each with its place: the first half of a shard, for `trace`.
//!
//! Members are chosen, fetched, decoded and arranged by the very functions that a shard uses; only what is looked at is
//! smaller, and each observation keeps the position of its record.

use super::carry::Carry;
use super::chunk::Pick;
use super::gather::Gathered;
use super::scan::nameless;
use super::{Attempt, DecodePlan, Shards};
use crate::fault::Fault;
use crate::plan::Sources;
use crate::work::Work;
use engine::arrange::{Origin, RobotSignals};
use pipeline::member::Member;
use pipeline::plan::Part;
use tokio::runtime::Handle;

/// What was observed of one robot.
#[derive(Debug)]
pub(crate) struct Observations {
    /// Decoded to be traced.
    pub(crate) robot: RobotSignals,
    members: Vec<Member>,
}

impl Observations {
    /// The member in which an observation was read, and where in it.
    pub(crate) fn place(&self, signal: usize, position: usize) -> Option<(&Member, u64)> {
        let Origin { member, record } = self.robot.origin(signal, position)?;
        Some((self.members.get(member as usize)?, record))
    }
}

/// The observations of `robot` that rows of `part` may see. `None`: there are none. Blocks: call it outside the runtime's
/// threads.
pub(crate) fn observe(
    work: &Work,
    runtime: &Handle,
    sources: &Sources,
    part: Part,
    robot: &str,
) -> Result<Option<Observations>, Fault> {
    let traced = DecodePlan::traced(&work.pipeline().archive).map_err(|error| Fault::broken(error.to_string()))?;
    Shards::decoding(work, runtime, sources, traced)?.attempt(&nameless(part)).observe(robot)
}

impl Attempt<'_> {
    fn observe(&self, robot: &str) -> Result<Option<Observations>, Fault> {
        // A member whose name tells no robot may hold any.
        let may_hold = |pick: &Pick| pick.robot.is_empty() || *pick.robot == *robot;
        let mut picks = Vec::new();
        let mut walk = self.lists.walk();
        while let Some(more) = self.lists.next(&mut walk, &self.clock)? {
            picks.extend(more.into_iter().filter(may_hold));
        }
        let mut found = None;
        let mut give = |Gathered { picks, stretches, .. }: Gathered<'_>| {
            let arranged = self.arrange(stretches, &picks)?;
            let robot = arranged.robots.into_iter().find(|found| *found.robot == *robot);
            let members = picks.into_iter().map(|pick| pick.member).collect();
            found = robot.map(|robot| Observations { robot, members });
            Ok(())
        };
        self.gather().chunks(&mut Carry::new(0), &mut give, |line| line.begin(picks))?;
        Ok(found)
    }
}
