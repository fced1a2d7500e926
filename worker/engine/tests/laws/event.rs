//! Onsets, labels and validity = the words of the semantics, read row by row without memory of other rows.

use fleetloom_engine::event::{self, Onset, onsets};
use fleetloom_engine::label::{self, Label, labels};
use fleetloom_engine::validity::{Presence, Reason, Validity};
use fleetloom_engine::window::{End, Window};
use pipeline::pipeline::Requires;
use pipeline::spec::Edge;
use proptest::prelude::*;

/// Sorted times, mostly near one another, sometimes at the ends of `i64`.
fn times() -> impl Strategy<Value = Vec<i64>> {
    let start = prop_oneof![6 => Just(0_i64), 1 => Just(i64::MIN), 1 => Just(i64::MAX - 40)];
    (start, prop::collection::vec(0_i64..4, 0..60)).prop_map(|(start, steps)| {
        let next = |time: &mut i64, step: i64| {
            *time = time.saturating_add(step);
            Some(*time)
        };
        steps.into_iter().scan(start, next).collect()
    })
}

fn edge() -> impl Strategy<Value = Edge> {
    prop_oneof![Just(Edge::Rise), Just(Edge::Fall), Just(Edge::Change)]
}

fn apart(a: i64, b: i64) -> i128 {
    (i128::from(a) - i128::from(b)).abs()
}

/// The state before an observation: the last known value, if it is not older than the memory.
fn state_before(times: &[i64], condition: &[Option<bool>], at: usize, memory_ns: i64) -> Option<bool> {
    let last = (0..at).rev().find(|&earlier| condition[earlier].is_some())?;
    condition[last].filter(|_| apart(times[at], times[last]) <= i128::from(memory_ns))
}

fn asked_for(edge: Edge, holds: bool) -> bool {
    match edge {
        Edge::Rise => holds,
        Edge::Fall => !holds,
        Edge::Change => true,
    }
}

proptest! {
    #![proptest_config(crate::cases(2_000))]

    #[test]
    fn onsets_are_changes_from_a_remembered_state(
        times in times(), condition in prop::collection::vec(any::<Option<bool>>(), 60), edge in edge(),
        refractory_ns in 0_i64..12, memory_ns in prop_oneof![0_i64..8, Just(i64::MAX)]
    ) {
        let condition = &condition[..times.len()];
        let rule = event::Rule { edge, refractory_ns, memory_ns };
        let found = onsets(&times, condition.iter().copied(), rule);
        let (mut all, mut censored) = (Vec::<Onset>::new(), Vec::new());
        for at in 0..times.len() {
            let Some(holds) = condition[at].filter(|holds| asked_for(edge, *holds)) else { continue };
            match state_before(&times, condition, at, memory_ns) {
                None => censored.push(times[at]),
                Some(before) if before != holds => {
                    let kept = all.last().is_none_or(|o| apart(times[at], o.time_ns) >= i128::from(refractory_ns));
                    all.push(Onset { observation: at, time_ns: times[at], kept });
                }
                Some(_) => {}
            }
        }
        prop_assert_eq!(&found.all, &all);
        prop_assert_eq!(&found.censored, &censored);
        let known: Vec<i64> = (0..times.len()).filter(|at| condition[*at].is_some()).map(|at| times[at]).collect();
        prop_assert_eq!(found.known_times, known);
    }

    #[test]
    fn a_label_is_what_the_words_say(
        known_at in prop::collection::vec(prop_oneof![6 => -10_i64..130, 1 => any::<i64>()], 0..30), onsets in times(),
        known_times in times(), lead_ns in 0_i64..10, horizon_ns in 1_i64..20, memory_ns in 0_i64..10
    ) {
        let rule = label::Rule { lead_ns, horizon_ns, memory_ns };
        let got = labels(&known_at, &onsets, &known_times, rule);
        for (&now, got) in known_at.iter().zip(got) {
            let from = i128::from(now) + i128::from(lead_ns);
            let end = from + i128::from(horizon_ns);
            let ahead = onsets.iter().find(|onset| i128::from(**onset) > from && i128::from(**onset) <= end);
            let next = known_times.iter().position(|time| i128::from(*time) >= end);
            let wanted = match (ahead, next) {
                (Some(&onset), _) => Label::Positive(onset),
                (None, Some(next)) if i128::from(known_times[next]) == end => Label::Negative,
                (None, Some(next)) if next > 0
                    && apart(known_times[next], known_times[next - 1]) <= i128::from(memory_ns) => Label::Negative,
                _ => Label::Unknown,
            };
            prop_assert_eq!(got, wanted, "known at {}", now);
        }
    }

    #[test]
    fn a_row_has_the_first_reason_that_holds(
        rows in times(), values in times(), lags in prop::collection::vec(0_i64..5, 60), sees_known: bool,
        excluded in times(), onsets in times(), ahead in prop::collection::vec(0_i64..5, 60), lead_ns in 0_i64..5,
        span_ns in prop_oneof![1_i64..15, Just(i64::MAX)], before_row: bool, count in prop::option::of(0_u64..6),
        gap_ns in prop::option::of(0_i64..8)
    ) {
        let known: Vec<i64> = values.iter().zip(&lags).map(|(t, lag)| t.saturating_add(*lag)).collect();
        let known_at: Vec<i64> = rows.iter().zip(&ahead).map(|(t, ahead)| t.saturating_add(*ahead)).collect();
        let window = Window { span_ns, end: if before_row { End::BeforeRow } else { End::AtRow } };
        let mut validity = Validity::new(rows.len());
        let presence = Presence { times: &values, known: sees_known.then_some(&known[..]) };
        validity.require(&rows, presence, window, Requires { count, gap_ns }).unwrap();
        validity.exclude(&rows, &excluded, window).unwrap();
        validity.foresee(&rows, &known_at, &onsets, lead_ns);
        for (row, &t) in rows.iter().enumerate() {
            let (now, wide) = (i128::from(t), |time: &i64| i128::from(*time));
            let start = now - i128::from(span_ns);
            let is_inside = |time: i128| {
                if before_row { start <= time && time < now } else { start < time && time <= now }
            };
            let seen = (0..values.len()).filter(|&at| !sees_known || known[at] < t).map(|at| wide(&values[at]));
            let inside: Vec<i128> = seen.filter(|time| is_inside(*time)).collect();
            let borders: Vec<i128> =
                std::iter::once(start).chain(inside.iter().copied()).chain(std::iter::once(now)).collect();
            let lies = |after: i128, until: i128| onsets.iter().map(wide).any(|onset| onset > after && onset <= until);
            let knows = i128::from(known_at[row]);
            let holds = [
                (Reason::Gap, gap_ns.is_some_and(|gap| borders.windows(2).any(|p| p[1] - p[0] > i128::from(gap)))),
                (Reason::Count, count.is_some_and(|least| (inside.len() as u64) < least)),
                (Reason::Event, excluded.iter().map(wide).any(is_inside)),
                (Reason::EventInMatch, lies(now, knows)),
                (Reason::EventInLead, lies(knows, knows + i128::from(lead_ns))),
            ];
            let wanted = holds.into_iter().find(|(_, holds)| *holds).map(|(reason, _)| reason);
            prop_assert_eq!(validity.reason(row), wanted, "row {}", row);
        }
    }
}
