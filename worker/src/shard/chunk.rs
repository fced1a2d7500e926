//! Chunks: a shard is computed by groups of whole robots, so that memory follows the chunk and not the shard.
//!
//! ```text
//! members in archive order   a a a b b c c c d      bytes_max = 4 members
//! chunks in robot order      [a a a] [b b] [c c c] [d]   →   [a a a] [b b] [c c c d]
//! ```
//! Chunks follow each other by robot name, as rows do in a file.

use pipeline::member::Member;
use pipeline::plan::Role;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A member to read, and what it is to the shard.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    pub(crate) member: Member,
    pub(crate) role: Role,
}

/// Splits `picks`, in archive order, into chunks of whole robots of at most `bytes_max` stored bytes; one robot is never
/// split, and members whose names tell no robot stay together. No picks: no chunks.
pub(crate) fn chunks(picks: Vec<Pick>, bytes_max: u64) -> Vec<Vec<Pick>> {
    let mut bytes_by_robot: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for pick in &picks {
        let bytes = bytes_by_robot.entry(robot(pick)).or_default();
        *bytes = bytes.saturating_add(pick.member.stored_bytes);
    }
    let (numbers, count) = number(bytes_by_robot, bytes_max);
    let mut chunks = vec![Vec::new(); count];
    for pick in picks {
        let number = numbers[&robot(&pick)];
        chunks[number].push(pick);
    }
    chunks
}

/// The robot that a member's name tells; nameless ones are one.
fn robot(pick: &Pick) -> Arc<str> {
    pick.member.robot.clone().unwrap_or_default()
}

/// How often neighbours in archive order belong to different robots, as a share of all neighbours: 0 when each robot's members
/// lie together, towards 1 when robots are interleaved.
pub(crate) fn interleaving(picks: &[Pick]) -> f64 {
    let switches = picks.windows(2).filter(|pair| pair[0].member.robot != pair[1].member.robot).count();
    switches as f64 / picks.len().max(1) as f64
}

/// The chunk of each robot, filled in robot order, and how many chunks there are.
fn number(bytes_by_robot: BTreeMap<Arc<str>, u64>, bytes_max: u64) -> (BTreeMap<Arc<str>, usize>, usize) {
    let (mut chunk, mut filled) = (0, 0u64);
    let mut numbers = BTreeMap::new();
    for (robot, bytes) in bytes_by_robot {
        if filled > 0 && filled.saturating_add(bytes) > bytes_max {
            chunk += 1;
            filled = 0;
        }
        filled = filled.saturating_add(bytes.max(1));
        numbers.insert(robot, chunk);
    }
    let count = if numbers.is_empty() { 0 } else { chunk + 1 };
    (numbers, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::member::{Packing, Stamp};

    fn pick(robot: Option<&str>, bytes: u64) -> Pick {
        let member = Member {
            object: 0,
            position: 0,
            name: String::new(),
            robot: robot.map(Into::into),
            stamp: Stamp::Absent,
            offset: 0,
            stored_bytes: bytes,
            unpacked_bytes: bytes,
            crc32: None,
            packing: Packing::Stored,
        };
        Pick { member, role: Role::Own }
    }

    fn robots(chunks: &[Vec<Pick>]) -> Vec<Vec<&str>> {
        fn names(chunk: &Vec<Pick>) -> Vec<&str> {
            chunk.iter().filter_map(|pick| pick.member.robot.as_deref()).collect()
        }
        chunks.iter().map(names).collect()
    }

    #[test]
    fn robots_are_kept_whole_and_follow_each_other_by_name() {
        let picks = ["c", "a", "b", "a", "c"].map(|robot| pick(Some(robot), 10)).to_vec();
        assert_eq!(robots(&chunks(picks, 30)), [vec!["a", "b", "a"], vec!["c", "c"]]);
    }

    #[test]
    fn a_robot_larger_than_a_chunk_has_one_of_its_own() {
        let picks = vec![pick(Some("a"), 100), pick(Some("b"), 1)];
        assert_eq!(robots(&chunks(picks, 10)), [vec!["a"], vec!["b"]]);
    }

    #[test]
    fn members_without_a_robot_in_the_name_are_one_chunk() {
        assert_eq!(chunks(vec![pick(None, 100), pick(None, 100)], 10).len(), 1);
    }

    #[test]
    fn nothing_to_read_is_no_chunk() {
        assert!(chunks(Vec::new(), 10).is_empty());
    }
}
