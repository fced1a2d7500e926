//! How conditions change: in place, with the time of a change kept while nothing changes, texts cut.

use crate::api::{Condition, ConditionType, Holds};
use crate::moment::Moment;
use crate::reason::Reason;

/// Most bytes of a condition's message: eight of them are 3 KiB of a status.
const MESSAGE_BYTES_MAX: usize = 384;

/// What a condition says now.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What it is about.
    pub kind: ConditionType,
    /// Whether it holds.
    pub holds: Holds,
    /// Why.
    pub reason: Reason,
    /// A sentence; cut where it is long.
    pub message: String,
}

impl Said {
    /// That it holds.
    pub fn yes(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind, holds: Holds::True, reason, message: message.into() }
    }

    /// That it does not.
    pub fn no(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind, holds: Holds::False, reason, message: message.into() }
    }
}

/// Puts what is said into the list, in the order of [`ConditionType::ALL`].
pub fn set(conditions: &mut Vec<Condition>, said: Said, generation: Option<i64>, now: Moment) {
    let Said { kind, holds, reason, message } = said;
    let before = conditions.iter().find(|condition| condition.kind == kind);
    let unchanged =
        before.filter(|condition| condition.status == holds).map(|condition| condition.last_transition_time);
    let condition = Condition {
        kind,
        status: holds,
        observed_generation: generation,
        last_transition_time: unchanged.unwrap_or(now),
        reason,
        message: cut(&message, MESSAGE_BYTES_MAX),
    };
    match conditions.iter_mut().find(|condition| condition.kind == kind) {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
    conditions.sort_by_key(|condition| condition.kind);
}

/// The text, or its beginning and `…`, at most so many bytes.
pub fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_change_stays_while_nothing_changes() {
        let mut conditions = Vec::new();
        let at = |seconds| Moment(seconds);
        set(&mut conditions, Said::no(ConditionType::Planned, Reason::Planning, "a"), Some(1), at(10));
        set(&mut conditions, Said::no(ConditionType::Planned, Reason::ImagePull, "b"), Some(1), at(20));
        assert_eq!((conditions[0].last_transition_time, conditions[0].message.as_str()), (at(10), "b"));
        set(&mut conditions, Said::yes(ConditionType::Planned, Reason::Planned, ""), Some(1), at(30));
        set(&mut conditions, Said::yes(ConditionType::Accepted, Reason::Accepted, ""), Some(1), at(40));
        assert_eq!(conditions[1].last_transition_time, at(30));
        assert_eq!(conditions[0].kind, ConditionType::Accepted);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("ééé", 5), "é…");
        assert_eq!(cut(&"é".repeat(400), 384).len(), 383);
    }
}
