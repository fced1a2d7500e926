//! Which members a shard reads, from the member lists, in two passes.
//!
//! ```text
//! shard 0   pass 1 │ pass 2: chunk 0, chunk 1, …
//! shard 1          │ pass 1, meanwhile              │ pass 2: chunk 0, …
//! ```
//! The first pass counts each robot's members, the second one hands them over chunk by chunk. Where they are few, they are kept for
//! it. While a shard is computed, another thread makes the first pass for the one after it.

use super::carry::Turn;
use super::chunk::{Census, Few, Pick};
use super::clock::{Clock, Step};
use crate::fault::Fault;
use crate::plan::{RobotHashes, Sources, Walk};
use crate::work::Work;
use pipeline::member::Member;
use pipeline::plan::{Part, robots_known, sight};
use tokio::runtime::Handle;

/// Stored bytes of a chunk for each thread, where each robot's members lie together: small, so that memory is used again while
/// it is warm. A store that wants larger reads has larger chunks.
const CHUNK_BYTES: u64 = 2 << 20;
/// Share of the memory budget that a chunk's stored bytes may be where robots are interleaved: each chunk then reads all
/// over the shard, so few large ones are better.
const INTERLEAVED_SHARE: u64 = 8;
/// Above this share of neighbours with different robots, an archive counts as interleaved.
const INTERLEAVING_MAX: f64 = 0.2;
/// Share of the memory budget that the members of a shard may take where they are kept from the first pass to the second. Those of
/// two shards are.
const PICKED_SHARE: u64 = 32;

/// The member lists, as one shard reads them.
pub(super) struct Lists<'a> {
    pub(super) work: &'a Work,
    pub(super) runtime: &'a Handle,
    pub(super) sources: &'a Sources,
    pub(super) part: Part,
    /// Those of the shards to come that may read a member that this one reads.
    pub(super) later: Vec<(Turn, Part)>,
}

/// What the first pass found.
pub(super) struct Passed {
    pub(super) census: Census,
    few: Few,
}

/// A first pass that was made before its shard's turn.
pub(super) struct Ahead {
    pub(super) part: Part,
    pub(super) passed: Result<Passed, Fault>,
    /// What it took.
    pub(super) clock: Clock,
}

impl Ahead {
    /// Makes it.
    pub(super) fn of(lists: &Lists<'_>) -> Self {
        let clock = Clock::default();
        Self { part: lists.part, passed: lists.pass(&clock), clock }
    }
}

impl Lists<'_> {
    /// The members of its robots whose stamps are near the shard's span and context.
    pub(super) fn walk(&self) -> Walk<'_> {
        let sight = sight(self.work.pipeline());
        // A stamp may lie before what its member holds by `covers` and `lateness`, and after it by `lateness`.
        let before_ns = sight.covers_ns.saturating_add(sight.lateness_ns).saturating_add(1);
        let after_ns = sight.lateness_ns.saturating_add(1);
        let stamps = sight.context(self.part.span).widen(before_ns, after_ns);
        Walk::around(self.work, self.sources, stamps, self.part.bucket)
    }

    /// The next members that the shard reads, in archive order; may be none of a list's.
    pub(super) fn next(&self, walk: &mut Walk<'_>, clock: &Clock) -> Result<Option<Vec<Pick>>, Fault> {
        let sight = sight(self.work.pipeline());
        let told = robots_known(&self.work.pipeline().archive);
        let mut robots = RobotHashes::new(self.work);
        let pick = |member: Member| {
            let hash = robots.of(&member);
            let role = self.part.role(sight, member.stamp, hash)?;
            let reads = |(_, part): &&(Turn, Part)| part.role(sight, member.stamp, hash).is_some();
            let until = self.later.iter().rfind(reads).map_or(0, |(turn, _)| *turn);
            let robot = member.robot.clone().filter(|_| told).unwrap_or_default();
            Some(Pick { member, role, until, robot })
        };
        let members = clock.time(Step::List, || self.runtime.block_on(walk.next()))?;
        Ok(members.map(|members| {
            let mut picks = Vec::with_capacity(members.len());
            picks.extend(members.into_iter().filter_map(pick));
            picks
        }))
    }

    /// The first pass.
    pub(super) fn pass(&self, clock: &Clock) -> Result<Passed, Fault> {
        let mut census = Census::default();
        let mut few = Few::new(self.work.effort.room_bytes() / PICKED_SHARE);
        let mut walk = self.walk();
        while let Some(picks) = self.next(&mut walk, clock)? {
            picks.iter().for_each(|pick| census.add(pick));
            few.add(picks);
        }
        Ok(Passed { census, few })
    }

    /// The second pass: hands over chunks of whole robots.
    ///
    /// Errors: those of `each`, too.
    pub(super) fn chunks(
        &self,
        passed: Passed,
        clock: &Clock,
        each: &mut dyn FnMut(Vec<Pick>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Passed { census, few } = passed;
        let bytes_max = self.chunk_bytes(&census);
        let mut chunks = census.chunks(bytes_max);
        let mut give = |picks: Vec<Pick>| -> Result<(), Fault> {
            picks.into_iter().for_each(|pick| chunks.add(pick));
            while let Some(chunk) = chunks.next_whole() {
                self.work.stop.check()?;
                each(chunk)?;
            }
            Ok(())
        };
        match few.all() {
            Some(few) => few.into_iter().try_for_each(give)?,
            None => {
                let mut walk = self.walk();
                while let Some(picks) = self.next(&mut walk, clock)? {
                    give(picks)?;
                }
            }
        }
        self.work.stop.check()
    }

    fn chunk_bytes(&self, census: &Census) -> u64 {
        let threads = u64::try_from(self.work.effort.threads).unwrap_or(1);
        let together = CHUNK_BYTES.max(self.work.source.reading().block_bytes).saturating_mul(threads);
        let most = self.work.effort.room_bytes() / INTERLEAVED_SHARE;
        if census.interleaving() > INTERLEAVING_MAX { most.max(together) } else { together.min(most) }
    }
}
