//! Gates: what a publication may lose. Pure; over a gate nothing is published.

use engine::account::{Account, Members};
use pipeline::pipeline::{Pipeline, Tolerate};

/// The word of late observations among the quarantined: they have a gate of their own.
const LATE: &str = "late";

/// A sentence for each gate of `pipeline` that the account of a version does not pass. Exactly at a gate passes.
///
/// `failed` shards have no rows, of which `untried` were never computed to an end. `quarantined` is judged for observations and,
/// apart, for what holds them: the members, documents or bytes, whichever lost the greatest share. Late observations count
/// for `late` only. A signal that was joined to no row passes `minMatched`.
pub fn judge(pipeline: &Pipeline, account: &Account, shards: Shards) -> Vec<String> {
    let signals: Vec<&str> = pipeline.archive.signals.iter().map(|signal| signal.name.as_str()).collect();
    let mut sentences = Vec::new();
    sentences.extend(too_many_failed(&pipeline.tolerate, shards));
    sentences.extend(too_much_lost(&pipeline.tolerate, account));
    sentences.extend(too_few_matched(&pipeline.tolerate, &signals, account));
    sentences
}

/// The shards of a version, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shards {
    /// All.
    pub all: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were never computed to an end, well or badly.
    pub untried: u64,
}

fn too_many_failed(tolerate: &Tolerate, shards: Shards) -> Option<String> {
    let Shards { all, failed, untried } = shards;
    let most = tolerate.failed_shards;
    (failed + untried > most).then(|| {
        let counts = [(failed, "failed"), (untried, "were not computed")];
        let words: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} of {all} shards {what}")).collect();
        format!("{}, tolerate.failedShards is {most}", words.join(" and "))
    })
}

fn too_much_lost(tolerate: &Tolerate, account: &Account) -> Vec<String> {
    let mut sentences = Vec::new();
    let observations = Observations::of(account);
    if let Some(most) = tolerate.quarantined {
        let share = Share { part: observations.quarantined, whole: observations.read };
        sentences.extend(share.over(most, "observations are in quarantine", "tolerate.quarantined"));
        let (share, what) = refused(&account.members);
        sentences.extend(share.over(most, what, "tolerate.quarantined"));
    }
    if let Some(most) = tolerate.late {
        let share = Share { part: observations.late, whole: observations.read };
        sentences.extend(share.over(most, "observations are late", "tolerate.late"));
    }
    sentences
}

fn too_few_matched(tolerate: &Tolerate, signals: &[&str], account: &Account) -> Vec<String> {
    let sentence = |(signal, least): &(usize, f64)| {
        let name = signals.get(*signal)?;
        let join = account.joins.get(*name)?;
        Share { part: join.matched, whole: join.rows }.under(*least, name)
    };
    tolerate.min_matched.iter().filter_map(sentence).collect()
}

/// Observations over all signals.
#[derive(Default)]
struct Observations {
    read: u64,
    quarantined: u64,
    late: u64,
}

impl Observations {
    fn of(account: &Account) -> Self {
        let mut sum = Self::default();
        for signal in account.signals.values() {
            let late = signal.quarantined.get(LATE).copied().unwrap_or(0);
            sum.read += signal.read;
            sum.late += late;
            sum.quarantined += signal.quarantined.values().sum::<u64>() - late;
        }
        sum
    }
}

/// The greatest share that was lost before there was an observation: of members, lines and documents together; of members that
/// cannot be read to their end, where each holds many documents; of bytes, where an object's members cannot be listed.
fn refused(members: &Members) -> (Share, &'static str) {
    let shares = [
        (Share { part: members.refused(), whole: members.met() }, "members, lines or documents are in quarantine"),
        (Share { part: members.unreadable(), whole: members.read }, "members cannot be read, or not to their end"),
        (Share { part: members.lost_bytes, whole: members.stored_bytes }, "stored bytes cannot be read"),
    ];
    let [first, rest @ ..] = shares;
    rest.into_iter().fold(first, |most, next| if next.0.value() > most.0.value() { next } else { most })
}

#[derive(Clone, Copy)]
struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    fn over(self, most: f64, what: &str, gate: &str) -> Option<String> {
        (self.value() > most).then(|| format!("{self} {what}, {gate} is {}", percent(most)))
    }

    fn under(self, least: f64, signal: &str) -> Option<String> {
        (self.whole > 0 && self.value() < least)
            .then(|| format!("{self} rows have a match of `{signal}`, tolerate.minMatched wants {}", percent(least)))
    }

    fn value(self) -> f64 {
        if self.whole == 0 { 0.0 } else { self.part as f64 / self.whole as f64 }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} ({})", self.part, self.whole, percent(self.value()))
    }
}

/// A share as a person writes it; enough digits that an excess shows.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::account::{JoinAccount, SignalAccount};

    fn account() -> Account {
        let mut account = Account::default();
        let quarantined = [("late".to_owned(), 20), ("mismatch".to_owned(), 10)].into();
        let signal = SignalAccount { read: 1000, kept: 970, quarantined, ..SignalAccount::default() };
        account.signals.insert("speed".to_owned(), signal);
        let join = JoinAccount { rows: 100, matched: 90, unmatched: 10, ..JoinAccount::default() };
        account.joins.insert("speed".to_owned(), join);
        (account.members.documents, account.members.read) = (99, 100);
        account.members.quarantined.insert("unreadable".to_owned(), 1);
        account
    }

    fn sentences(tolerate: &Tolerate, account: &Account, failed: u64) -> Vec<String> {
        let mut sentences = Vec::from_iter(too_many_failed(tolerate, Shards { all: 8, failed, untried: 0 }));
        sentences.extend(too_much_lost(tolerate, account));
        sentences.extend(too_few_matched(tolerate, &["speed"], account));
        sentences
    }

    fn tolerate() -> Tolerate {
        Tolerate {
            failed_shards: 1,
            quarantined: Some(0.01),
            late: Some(0.02),
            min_matched: vec![(0, 0.9)],
            drift: Vec::new(),
        }
    }

    #[test]
    fn exactly_at_each_gate_passes() {
        assert!(sentences(&tolerate(), &account(), 1).is_empty());
        let none = Tolerate { quarantined: None, late: None, min_matched: Vec::new(), ..tolerate() };
        assert!(sentences(&none, &account(), 1).is_empty());
    }

    #[test]
    fn beyond_each_gate_is_a_sentence() {
        let strict =
            Tolerate { quarantined: Some(0.009), late: Some(0.0199), min_matched: vec![(0, 0.91)], ..tolerate() };
        let wanted = [
            "2 of 8 shards failed, tolerate.failedShards is 1",
            "10 of 1000 (1%) observations are in quarantine, tolerate.quarantined is 0.9%",
            "1 of 100 (1%) members, lines or documents are in quarantine, tolerate.quarantined is 0.9%",
            "20 of 1000 (2%) observations are late, tolerate.late is 1.99%",
            "90 of 100 (90%) rows have a match of `speed`, tolerate.minMatched wants 91%",
        ];
        assert_eq!(sentences(&strict, &account(), 2), wanted);
    }

    #[test]
    fn documents_without_a_robot_are_a_share_of_the_documents() {
        let mut account = Account::default();
        account.members.documents = 6;
        account.members.quarantined.insert("no_robot".to_owned(), 6);
        let wanted = "6 of 6 (100%) members, lines or documents are in quarantine, tolerate.quarantined is 1%";
        assert_eq!(sentences(&tolerate(), &account, 0), [wanted]);
        account.members.quarantined.insert("not_json".to_owned(), 2);
        let wanted = "8 of 8 (100%) members, lines or documents are in quarantine, tolerate.quarantined is 1%";
        assert_eq!(sentences(&tolerate(), &account, 0), [wanted]);
    }

    #[test]
    fn what_cannot_be_read_counts_by_what_it_may_have_held() {
        let members = Members { read: 2, documents: 40_000, stored_bytes: 900, ..Members::default() };
        let mut account = Account { members, ..Account::default() };
        account.members.quarantined.insert("unreadable".to_owned(), 1);
        let wanted = "1 of 2 (50%) members cannot be read, or not to their end, tolerate.quarantined is 1%";
        assert_eq!(sentences(&tolerate(), &account, 0), [wanted]);
        (account.members.read, account.members.lost_bytes) = (40_001, 450);
        let wanted = "450 of 900 (50%) stored bytes cannot be read, tolerate.quarantined is 1%";
        assert_eq!(sentences(&tolerate(), &account, 0), [wanted]);
    }

    #[test]
    fn an_empty_account_passes() {
        assert!(sentences(&tolerate(), &Account::default(), 0).is_empty());
    }
}
