//! Labels of observation and grid rows: does an onset lie ahead, does none, or was nobody looking?
//!
//! ```text
//!   t ....... known_at ---- lead ----|------- horizon -------| h      an onset in (known_at + lead, h]: positive
//!                                    (                       ]
//!                                                         ----k--h--k----   else known values that hold hands across h,
//!                                                             <= memory     or one at h: negative; else unknown
//! ```
//! Labels are judged from `known_at`: a nearest match may look ahead of the row. Event rows have their label by kind, not here.

use crate::account::LabelAccount;
use crate::sorted::seek;

/// What is asked about the time after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How much warning is wanted, ns.
    pub lead_ns: i64,
    /// How far ahead onsets count, ns.
    pub horizon_ns: i64,
    /// How far apart two known values may be for the time between them to be watched: the event's memory, ns.
    pub memory_ns: i64,
}

/// What is known about the time after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// An onset lies in the horizon; the first lies at this time, ns.
    Positive(i64),
    /// None does, and somebody was looking.
    Negative,
    /// Nobody was looking.
    Unknown,
}

/// The label of each row from its `known_at` (ns, any order), the times of the kept onsets and the times at which the event's
/// condition was known (ns, ascending, one robot).
///
/// An end beyond the greatest `i64` is never reached: such a row is positive or unknown.
pub fn labels(known_at: &[i64], onsets: &[i64], known_times: &[i64], rule: Rule) -> Vec<Label> {
    let (mut onset, mut known) = (0, 0);
    known_at
        .iter()
        .map(|&now| {
            let Some(start) = now.checked_add(rule.lead_ns) else { return Label::Unknown };
            let end = start.checked_add(rule.horizon_ns);
            onset = seek(onsets, onset, |time| time <= start);
            match onsets.get(onset) {
                Some(&time) if end.is_none_or(|end| time <= end) => return Label::Positive(time),
                _ => {}
            }
            let Some(end) = end else { return Label::Unknown };
            known = seek(known_times, known, |time| time < end);
            if is_watched(known_times, known, end, rule.memory_ns) { Label::Negative } else { Label::Unknown }
        })
        .collect()
}

/// Whether somebody looked at `end`: `next` is the position of the first known value at or after it.
fn is_watched(known_times: &[i64], next: usize, end: i64, memory_ns: i64) -> bool {
    match (known_times.get(next), next.checked_sub(1)) {
        (Some(&after), _) if after == end => true,
        (Some(&after), Some(before)) => after.abs_diff(known_times[before]) <= memory_ns.unsigned_abs(),
        _ => false,
    }
}

/// Counts labels, as of written rows.
pub fn account(labels: impl IntoIterator<Item = Label>) -> LabelAccount {
    let mut account = LabelAccount::default();
    for label in labels {
        match label {
            Label::Positive(_) => account.positive += 1,
            Label::Negative => account.negative += 1,
            Label::Unknown => account.unknown += 1,
        }
    }
    account
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { lead_ns: 2, horizon_ns: 10, memory_ns: 5 };

    fn one(known_at: i64, onsets: &[i64], known_times: &[i64]) -> Label {
        labels(&[known_at], onsets, known_times, RULE)[0]
    }

    #[test]
    fn an_onset_counts_after_the_lead_up_to_the_horizon() {
        assert_eq!(one(0, &[2], &[12]), Label::Negative);
        assert_eq!(one(0, &[2, 3, 4], &[12]), Label::Positive(3));
        assert_eq!(one(0, &[12], &[12]), Label::Positive(12));
        assert_eq!(one(0, &[13], &[12]), Label::Negative);
    }

    #[test]
    fn without_an_onset_somebody_must_have_been_looking() {
        assert_eq!(one(0, &[], &[12]), Label::Negative);
        assert_eq!(one(0, &[], &[11, 16]), Label::Negative);
        assert_eq!(one(0, &[], &[11, 17]), Label::Unknown);
        assert_eq!(one(0, &[], &[13]), Label::Unknown);
        assert_eq!(one(0, &[], &[11]), Label::Unknown);
        assert_eq!(one(0, &[], &[]), Label::Unknown);
    }

    #[test]
    fn rows_need_not_ascend_in_what_they_know() {
        let labels = labels(&[20, 0, 20], &[5, 25], &[12, 32], RULE);
        assert_eq!(labels, [Label::Positive(25), Label::Positive(5), Label::Positive(25)]);
    }

    #[test]
    fn the_end_of_time_is_not_overrun() {
        assert_eq!(one(i64::MAX, &[], &[i64::MAX]), Label::Unknown);
        assert_eq!(one(i64::MAX - 5, &[i64::MAX], &[i64::MAX]), Label::Positive(i64::MAX));
        assert_eq!(one(i64::MAX - 5, &[], &[i64::MAX]), Label::Unknown);
    }

    #[test]
    fn labels_are_counted_by_kind() {
        let labels = [Label::Positive(1), Label::Negative, Label::Negative, Label::Unknown];
        assert_eq!(account(labels), LabelAccount { positive: 1, negative: 2, unknown: 1 });
    }
}
