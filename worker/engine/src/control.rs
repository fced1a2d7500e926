//! Control rows: observations without an onset near them, drawn for each onset, the same on every machine.
//!
//! ```text
//!        |<------- within ------>|<------- within ------>|
//!   c  c   c      |<-apart->|   onset   |<-apart->|   c    c  c        candidates c: far from every onset, kept or not
//! ```
//! The draw ranks candidates by a hash of seed, robot, onset and candidate: no state, no order, no random numbers.

use crate::event::Onset;
use crate::sorted::seek;
use pipeline::pipeline::Controls;
use pipeline::time::Span;

/// The control rows of one robot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// Positions of the drawn observations, ascending, each once: one drawn for two onsets is one row.
    pub observations: Vec<usize>,
    /// Times of the kept onsets that had fewer candidates than wanted, ns, ascending.
    pub short: Vec<i64>,
}

impl Drawn {
    /// How many onsets in `own` had too few candidates.
    pub fn too_few(&self, own: Span) -> u64 {
        self.short.iter().filter(|&&time| own.from_ns <= time && time < own.to_ns).count() as u64
    }
}

/// Draws up to `per_event` controls for each kept onset among the observations of the event's signal at `times` (ns,
/// ascending); `onsets` are all of the robot, kept or not, in order.
///
/// A candidate is at least `apart` from every onset and at most `within` from its own, both inclusive; an onset is never a
/// candidate, and of observations at one time only the last is.
pub fn draw(robot: &str, onsets: &[Onset], times: &[i64], rule: &Controls) -> Drawn {
    let candidates = candidates(onsets, times, rule.apart_ns);
    let candidate_times: Vec<i64> = candidates.iter().map(|&at| times[at]).collect();
    let mut drawn = Drawn::default();
    let mut ranked: Vec<([u8; 32], usize)> = Vec::new();
    let wanted = rule.per_event as usize;
    let mut first = 0;
    for onset in onsets.iter().filter(|onset| onset.kept) {
        first = seek(&candidate_times, first, |time| time < onset.time_ns.saturating_sub(rule.within_ns));
        let near = |&at: &usize| times[at] <= onset.time_ns.saturating_add(rule.within_ns);
        ranked.clear();
        ranked.extend(
            candidates[first..]
                .iter()
                .copied()
                .take_while(near)
                .map(|at| (rank(rule.seed, robot, onset.time_ns, times[at]), at)),
        );
        if ranked.len() < wanted {
            drawn.short.push(onset.time_ns);
        } else if wanted > 0 {
            ranked.select_nth_unstable(wanted - 1);
        }
        drawn.observations.extend(ranked.iter().take(wanted).map(|(_, at)| *at));
    }
    drawn.observations.sort_unstable();
    drawn.observations.dedup();
    drawn
}

/// Positions of the observations far enough from every onset, the last of each time.
fn candidates(onsets: &[Onset], times: &[i64], apart_ns: i64) -> Vec<usize> {
    let onset_times: Vec<i64> = onsets.iter().map(|onset| onset.time_ns).collect();
    let apart = apart_ns.unsigned_abs().max(1);
    let mut after = 0;
    let mut is_far = |time: i64| {
        after = seek(&onset_times, after, |onset| onset <= time);
        let neighbours = onset_times[after.saturating_sub(1)..].iter().take(2);
        neighbours.into_iter().all(|onset| onset.abs_diff(time) >= apart)
    };
    (0..times.len()).filter(|&at| times.get(at + 1) != Some(&times[at]) && is_far(times[at])).collect()
}

/// The rank of a candidate for an onset, compared as bytes, the least first: BLAKE3 of the seed (8 bytes), the robot's name
/// (UTF-8), the onset's and the candidate's time in ns (8 bytes each), all numbers little-endian.
pub fn rank(seed: u64, robot: &str, onset_ns: i64, candidate_ns: i64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(robot.as_bytes());
    hasher.update(&onset_ns.to_le_bytes());
    hasher.update(&candidate_ns.to_le_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn onset(time_ns: i64, kept: bool) -> Onset {
        Onset { observation: 0, time_ns, kept }
    }

    fn rule(per_event: u32, apart_ns: i64, within_ns: i64) -> Controls {
        Controls { per_event, apart_ns, within_ns, seed: 7 }
    }

    #[test]
    fn candidates_lie_between_apart_and_within_both_inclusive() {
        let times: Vec<i64> = (0..=20).collect();
        let drawn = draw("r", &[onset(10, true)], &times, &rule(100, 4, 6));
        assert_eq!(drawn.observations, [4, 5, 6, 14, 15, 16]);
        assert_eq!(drawn.short, [10]);
        assert_eq!(drawn.too_few(Span { from_ns: 10, to_ns: 11 }), 1);
        assert_eq!(drawn.too_few(Span { from_ns: 11, to_ns: 12 }), 0);
    }

    #[test]
    fn dropped_onsets_keep_candidates_away_but_draw_none() {
        let times: Vec<i64> = (0..=20).collect();
        let drawn = draw("r", &[onset(10, true), onset(15, false)], &times, &rule(100, 4, 6));
        assert_eq!(drawn.observations, [4, 5, 6]);
    }

    #[test]
    fn one_drawn_for_two_onsets_is_one_row_and_equal_times_are_one_candidate() {
        let drawn = draw("r", &[onset(0, true), onset(10, true)], &[5, 5, 5], &rule(1, 1, 9));
        assert_eq!((drawn.observations, drawn.short), (vec![2], vec![]));
    }

    #[test]
    fn the_draw_is_the_same_everywhere() {
        let times: Vec<i64> = (0..=100).collect();
        let drawn = draw("ur3-1", &[onset(50, true)], &times, &rule(3, 10, 40));
        let mut ranked: Vec<i64> = times.iter().copied().filter(|t| (10..=40).contains(&(t - 50).abs())).collect();
        ranked.sort_by_key(|t| rank(7, "ur3-1", 50, *t));
        let mut wanted: Vec<usize> = ranked[..3].iter().map(|t| usize::try_from(*t).unwrap()).collect();
        wanted.sort_unstable();
        assert_eq!(drawn.observations, wanted);
        let bytes: Vec<u8> = [&7_u64.to_le_bytes()[..], b"ur3-1", &50_i64.to_le_bytes(), &3_i64.to_le_bytes()].concat();
        assert_eq!(rank(7, "ur3-1", 50, 3), *blake3::hash(&bytes).as_bytes());
    }

    #[test]
    fn the_ends_of_time_draw_like_any_other() {
        let times = [i64::MIN, 0, i64::MAX];
        let drawn = draw("r", &[onset(i64::MIN, true)], &times, &rule(1, i64::MAX, i64::MAX));
        assert_eq!((drawn.observations, drawn.short), (vec![], vec![i64::MIN]));
    }
}
