//! Chunks: a shard is computed by groups of whole robots, so that memory follows the chunk and not the shard.
//!
//! ```text
//! members in archive order   a a a b b c c c d      bytes_max = 4 members
//! chunks in robot order      [a a a] [b b] [c c c d]
//! ```
//! Chunks follow each other by robot name, as rows do in a file. A [`Census`] counts each robot's members in a first pass;
//! in a second, [`Chunks`] gives a chunk as soon as its last member has passed. So where each robot's members lie together,
//! only one chunk's are held.

use super::carry::Turn;
use pipeline::member::Member;
use pipeline::plan::Role;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A member to read, and what it is to the shard.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    pub(crate) member: Member,
    pub(crate) role: Role,
    /// The last shard that reads it.
    pub(crate) until: Turn,
    /// The one robot whose observations it holds; empty where only its documents tell.
    pub(crate) robot: Arc<str>,
}

/// The members of a shard in archive order, as long as they are few.
#[derive(Debug)]
pub(crate) struct Few {
    /// As they came; nothing once they were too many.
    picks: Option<Vec<Vec<Pick>>>,
    bytes_left: u64,
}

impl Few {
    /// Those that take at most about so many bytes.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { picks: Some(Vec::new()), bytes_left: bytes_max }
    }

    /// Keeps the next ones, or none any more.
    pub(crate) fn add(&mut self, next: Vec<Pick>) {
        let bytes = next.iter().map(|pick| size_of::<Pick>() + pick.member.name.len()).sum::<usize>() as u64;
        match (&mut self.picks, self.bytes_left.checked_sub(bytes)) {
            (Some(picks), Some(left)) => {
                picks.push(next);
                self.bytes_left = left;
            }
            _ => self.picks = None,
        }
    }

    /// All of them, if they are few.
    pub(crate) fn all(self) -> Option<Vec<Vec<Pick>>> {
        self.picks
    }
}

/// What the members of a shard come to, robot by robot. Members that may hold any robot are one robot without a name.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Indices into `sums`.
    by_robot: BTreeMap<Arc<str>, usize>,
    sums: Vec<Sum>,
    members: u64,
    switches: u64,
    /// The robot of the member before: neighbours often have the same.
    last: Option<(Arc<str>, usize)>,
}

/// Members and their stored bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    members: u64,
    bytes: u64,
}

impl Census {
    /// Counts the next member in archive order.
    pub(crate) fn add(&mut self, pick: &Pick) {
        self.members += 1;
        let index = match &self.last {
            Some((last, index)) if *last == pick.robot => *index,
            last => {
                self.switches += u64::from(last.is_some());
                self.turn(&pick.robot)
            }
        };
        let sum = &mut self.sums[index];
        sum.members += 1;
        sum.bytes = sum.bytes.saturating_add(pick.member.stored_bytes);
    }

    /// Turns to another robot: the index of its sum.
    fn turn(&mut self, robot: &Arc<str>) -> usize {
        let index = *self.by_robot.entry(Arc::clone(robot)).or_insert(self.sums.len());
        if index == self.sums.len() {
            self.sums.push(Sum::default());
        }
        self.last = Some((Arc::clone(robot), index));
        index
    }

    /// How often neighbours in archive order belong to different robots, as a share of all: 0 when each robot's members lie
    /// together, towards 1 when robots are interleaved.
    pub(crate) fn interleaving(&self) -> f64 {
        self.switches as f64 / self.members.max(1) as f64
    }

    /// Stored bytes of the robot that has most.
    pub(crate) fn largest_bytes(&self) -> u64 {
        self.sums.iter().map(|sum| sum.bytes).max().unwrap_or_default()
    }

    /// Whether chunks follow each other by the robots that they hold: members that tell no robot may hold any.
    pub(crate) fn is_by_robot(&self) -> bool {
        self.by_robot.len() < 2 || !self.by_robot.contains_key("")
    }

    /// How many robots there are.
    pub(crate) fn robots(&self) -> usize {
        self.by_robot.len()
    }

    /// Chunks of whole robots of at most `bytes_max` stored bytes; one robot is never split.
    pub(crate) fn chunks(self, bytes_max: u64) -> Chunks {
        let mut numbers = BTreeMap::new();
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        let mut filled = u64::MAX;
        for (robot, index) in self.by_robot {
            let sum = self.sums[index];
            filled = filled.saturating_add(sum.bytes);
            if filled > bytes_max {
                waiting.push_back(Waiting::default());
                filled = sum.bytes;
            }
            if let Some(chunk) = waiting.back_mut() {
                chunk.missing += sum.members;
            }
            numbers.insert(robot, waiting.len() - 1);
        }
        Chunks { numbers, last: None, waiting, given: 0 }
    }
}

/// Chunks being filled.
#[derive(Debug)]
pub(crate) struct Chunks {
    numbers: BTreeMap<Arc<str>, usize>,
    /// The robot of the member before, and its number.
    last: Option<(Arc<str>, usize)>,
    waiting: VecDeque<Waiting>,
    given: usize,
}

/// A chunk that was not given yet.
#[derive(Debug, Default)]
struct Waiting {
    picks: Vec<Pick>,
    missing: u64,
}

impl Chunks {
    /// Puts the next member, in archive order, into its chunk: one that the census counted.
    pub(crate) fn add(&mut self, pick: Pick) {
        let number = match &self.last {
            Some((last, number)) if *last == pick.robot => *number,
            _ => self.last.insert((Arc::clone(&pick.robot), self.numbers[&pick.robot])).1,
        } - self.given;
        let Waiting { picks, missing } = &mut self.waiting[number];
        // Room that is not filled yet costs no memory: its pages are untouched.
        if picks.is_empty() {
            picks.reserve_exact(usize::try_from(*missing).unwrap_or_default());
        }
        *missing -= 1;
        picks.push(pick);
    }

    /// The next chunk by robot name, in archive order, once it is whole.
    pub(crate) fn next_whole(&mut self) -> Option<Vec<Pick>> {
        self.waiting.front().filter(|chunk| chunk.missing == 0)?;
        self.given += 1;
        self.waiting.pop_front().map(|chunk| chunk.picks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::member::{Packing, Stamp};

    fn pick(robot: Option<&str>, bytes: u64) -> Pick {
        let member = Member {
            object: 0,
            position: 0,
            name: "".into(),
            robot: robot.map(Into::into),
            stamp: Stamp::Absent,
            offset: 0,
            stored_bytes: bytes,
            unpacked_bytes: bytes,
            crc32: None,
            packing: Packing::Stored,
        };
        Pick { robot: member.robot.clone().unwrap_or_default(), member, role: Role::Own, until: 0 }
    }

    /// The robots of each chunk, and after how many members it was given.
    fn chunked(picks: &[Pick], bytes_max: u64) -> Vec<(String, usize)> {
        let mut census = Census::default();
        picks.iter().for_each(|pick| census.add(pick));
        let mut chunks = census.chunks(bytes_max);
        let mut given = Vec::new();
        for (index, pick) in picks.iter().enumerate() {
            chunks.add(pick.clone());
            while let Some(chunk) = chunks.next_whole() {
                let robots = chunk.iter().map(|pick| pick.member.robot.as_deref().unwrap_or("-"));
                given.push((robots.collect(), index + 1));
            }
        }
        given
    }

    fn picks(robots: &str, bytes: u64) -> Vec<Pick> {
        robots.chars().map(|robot| pick(Some(&robot.to_string()), bytes)).collect()
    }

    #[test]
    fn robots_that_lie_together_are_given_as_they_pass() {
        let expected = [("aaa".to_owned(), 3), ("bb".to_owned(), 5), ("cccd".to_owned(), 9)];
        assert_eq!(chunked(&picks("aaabbcccd", 10), 40), expected);
    }

    #[test]
    fn interleaved_robots_are_kept_whole_and_follow_each_other_by_name() {
        assert_eq!(chunked(&picks("cabac", 10), 30), [("aba".to_owned(), 4), ("cc".to_owned(), 5)]);
    }

    #[test]
    fn a_robot_larger_than_a_chunk_has_one_of_its_own() {
        let picks = [pick(Some("a"), 100), pick(Some("b"), 1)];
        assert_eq!(chunked(&picks, 10), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    }

    #[test]
    fn members_without_a_robot_in_the_name_are_one_chunk() {
        assert_eq!(chunked(&[pick(None, 100), pick(None, 100)], 10), [("--".to_owned(), 2)]);
    }

    #[test]
    fn members_are_kept_as_long_as_they_are_few() {
        let kept = |bytes_max: usize| {
            let mut few = Few::new(bytes_max as u64);
            few.add(picks("ab", 1));
            few.add(picks("c", 1));
            few.all().map(|picks| picks.concat().len())
        };
        let one = size_of::<Pick>();
        assert_eq!((kept(3 * one), kept(3 * one - 1), kept(one)), (Some(3), None, None));
    }

    #[test]
    fn nothing_to_read_is_no_chunk() {
        assert!(Census::default().chunks(10).next_whole().is_none());
    }

    #[test]
    fn interleaving_tells_archives_by_robot_from_archives_by_time() {
        let share = |robots: &str| {
            let mut census = Census::default();
            picks(robots, 1).iter().for_each(|pick| census.add(pick));
            census.interleaving()
        };
        assert!(share("aaaaaaaabbbbbbbb") < 0.1 && share("abababab") > 0.8);
    }
}
