//! Events: the onsets in the condition of one robot's signal. What a condition is (SQL over the signal) is decided elsewhere.
//!
//! ```text
//! condition   ?   true   null   false   true   true  ...a hole over `memory`...  true  false  true
//! state       ?   true   true   false   true   true                           ?  true  false  true
//! Rise            censored              onset                                    censored     onset
//! ```
//! From unknown there is no onset: it began before we looked. A null leaves the state as it is.

use crate::account::EventAccount;
use pipeline::pipeline::Event;
use pipeline::spec::Edge;
use pipeline::time::Span;

/// Which changes are onsets, and how long a state is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Which change is an onset.
    pub edge: Edge,
    /// An onset less than this after the previous one, kept or not, is dropped, ns.
    pub refractory_ns: i64,
    /// A state whose last known value is older is forgotten, ns.
    pub memory_ns: i64,
}

impl From<&Event> for Rule {
    fn from(event: &Event) -> Self {
        Self { edge: event.edge, refractory_ns: event.refractory_ns, memory_ns: event.memory_ns }
    }
}

/// A change of the condition that the rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Onset {
    /// Position of the observation at which the new state was first seen.
    pub observation: usize,
    /// Its time, ns.
    pub time_ns: i64,
    /// Whether `refractory` lets it stand. `excludes` and `apart` look at all onsets, everything else at kept ones.
    pub kept: bool,
}

/// What one robot's signal says about one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Onsets {
    /// All onsets, kept or not, in order.
    pub all: Vec<Onset>,
    /// Times of the first known values after unknown that would have been onsets, ns, ascending.
    pub censored: Vec<i64>,
    /// Times of the observations whose condition is known, ns, ascending.
    pub known_times: Vec<i64>,
}

impl Onsets {
    /// Times of the kept onsets, ns, ascending.
    pub fn kept_times(&self) -> Vec<i64> {
        self.all.iter().filter(|onset| onset.kept).map(|onset| onset.time_ns).collect()
    }

    /// Times of all onsets, kept or not, ns, ascending.
    pub fn all_times(&self) -> Vec<i64> {
        self.all.iter().map(|onset| onset.time_ns).collect()
    }

    /// The counts of what lies in `own`: what lies elsewhere is counted by another shard.
    pub fn account(&self, own: Span) -> EventAccount {
        let is_own = |time_ns: i64| own.from_ns <= time_ns && time_ns < own.to_ns;
        let count = |kept| self.all.iter().filter(|onset| onset.kept == kept && is_own(onset.time_ns)).count() as u64;
        EventAccount {
            onsets: count(true),
            refractory: count(false),
            censored: self.censored.iter().filter(|&&time_ns| is_own(time_ns)).count() as u64,
        }
    }
}

/// Finds the onsets in the condition of one robot's observations at `times` (ns, ascending); `None` is null.
///
/// The state is forgotten when its last known value is *older* than `memory`: at exactly `memory` it still stands. An onset
/// exactly `refractory` after the previous one is kept.
///
/// # Panics
/// When there are not as many conditions as times.
pub fn onsets(times: &[i64], condition: impl ExactSizeIterator<Item = Option<bool>>, rule: Rule) -> Onsets {
    assert_eq!(times.len(), condition.len(), "each observation has a condition");
    let mut found = Onsets::default();
    let mut last: Option<(i64, bool)> = None;
    for (observation, (&time_ns, holds)) in times.iter().zip(condition).enumerate() {
        let Some(holds) = holds else { continue };
        found.known_times.push(time_ns);
        let state = last.filter(|(since, _)| !exceeds(time_ns, *since, rule.memory_ns));
        match state {
            None if is_target(rule.edge, holds) => found.censored.push(time_ns),
            Some((_, before)) if before != holds && is_target(rule.edge, holds) => {
                let kept =
                    found.all.last().is_none_or(|previous| !falls_short(time_ns, previous.time_ns, rule.refractory_ns));
                found.all.push(Onset { observation, time_ns, kept });
            }
            _ => {}
        }
        last = Some((time_ns, holds));
    }
    found
}

/// Whether a change to `holds` is what the edge asks for.
fn is_target(edge: Edge, holds: bool) -> bool {
    match edge {
        Edge::Rise => holds,
        Edge::Fall => !holds,
        Edge::Change => true,
    }
}

/// Whether `later` comes more than `span_ns` after `earlier`.
fn exceeds(later: i64, earlier: i64, span_ns: i64) -> bool {
    later.abs_diff(earlier) > span_ns.unsigned_abs()
}

/// Whether `later` comes less than `span_ns` after `earlier`.
fn falls_short(later: i64, earlier: i64, span_ns: i64) -> bool {
    later.abs_diff(earlier) < span_ns.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Option<bool> = Some(true);
    const F: Option<bool> = Some(false);

    fn rule(edge: Edge, refractory_ns: i64, memory_ns: i64) -> Rule {
        Rule { edge, refractory_ns, memory_ns }
    }

    fn found(times: &[i64], condition: &[Option<bool>], rule: Rule) -> (Vec<(i64, bool)>, Vec<i64>) {
        let onsets = onsets(times, condition.iter().copied(), rule);
        (onsets.all.iter().map(|onset| (onset.time_ns, onset.kept)).collect(), onsets.censored)
    }

    #[test]
    fn the_picture_holds() {
        let times = [0, 1, 2, 3, 4, 5, 100, 101, 102];
        let condition = [None, T, None, F, T, T, T, F, T];
        let (onsets, censored) = found(&times, &condition, rule(Edge::Rise, 0, 10));
        assert_eq!(onsets, [(4, true), (102, true)]);
        assert_eq!(censored, [1, 100]);
    }

    #[test]
    fn each_edge_has_its_own_onsets() {
        let (times, condition) = ([0, 1, 2, 3], [F, T, F, T]);
        assert_eq!(found(&times, &condition, rule(Edge::Fall, 0, 10)), (vec![(2, true)], vec![0]));
        let change = found(&times, &condition, rule(Edge::Change, 0, 10));
        assert_eq!(change, (vec![(1, true), (2, true), (3, true)], vec![0]));
    }

    #[test]
    fn memory_is_inclusive() {
        assert_eq!(found(&[0, 10], &[F, T], rule(Edge::Rise, 0, 10)).0, [(10, true)]);
        assert_eq!(found(&[0, 11], &[F, T], rule(Edge::Rise, 0, 10)), (vec![], vec![11]));
        let over_a_null = found(&[0, 6, 12], &[F, None, T], rule(Edge::Rise, 0, 10));
        assert_eq!(over_a_null, (vec![], vec![12]));
    }

    #[test]
    fn refractory_counts_from_the_previous_onset_kept_or_not() {
        let times = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        let condition = [F, T, F, T, F, T, F, F, T];
        let (onsets, _) = found(&times, &condition, rule(Edge::Rise, 3, 10));
        assert_eq!(onsets, [(1, true), (3, false), (5, false), (8, true)]);
    }

    #[test]
    fn only_own_onsets_are_counted() {
        let condition = [T, F, T, F, T];
        let onsets = onsets(&[0, 1, 2, 3, 4], condition.into_iter(), rule(Edge::Rise, 3, 10));
        let own = Span { from_ns: 2, to_ns: 5 };
        assert_eq!(onsets.account(own), EventAccount { onsets: 1, censored: 0, refractory: 1 });
        let rest = Span { from_ns: i64::MIN, to_ns: 2 };
        assert_eq!(onsets.account(rest), EventAccount { onsets: 0, censored: 1, refractory: 0 });
    }

    #[test]
    fn the_ends_of_time_are_far_apart() {
        let (onsets, censored) = found(&[i64::MIN, i64::MAX], &[F, T], rule(Edge::Rise, i64::MAX, i64::MAX));
        assert_eq!((onsets, censored), (vec![], vec![i64::MAX]));
    }
}
