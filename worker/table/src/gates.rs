//! Gates: what a publication may lose. Pure; over a gate nothing is published.

use engine::account::Account;
use pipeline::pipeline::Pipeline;

/// The word of late observations among the quarantined: they have a gate of their own.
const LATE: &str = "late";

/// A sentence for each gate of `pipeline` that the account of a version does not pass. Exactly at a gate passes.
///
/// `quarantined` is judged for observations and, apart, for members (or lines); late observations count for `late` only. A
/// signal that was joined to no row passes `minMatched`.
pub fn judge(pipeline: &Pipeline, account: &Account, failed: u64, shards: u64) -> Vec<String> {
    let tolerate = &pipeline.tolerate;
    let mut sentences = Vec::new();
    if failed > tolerate.failed_shards {
        let most = tolerate.failed_shards;
        sentences.push(format!("{failed} of {shards} shards failed, tolerate.failedShards is {most}"));
    }
    let observations = Observations::of(account);
    if let Some(most) = tolerate.quarantined {
        let share = Share { part: observations.quarantined, whole: observations.read };
        sentences.extend(share.over(most, "observations are in quarantine", "tolerate.quarantined"));
        sentences.extend(members(account).over(most, "members are in quarantine", "tolerate.quarantined"));
    }
    if let Some(most) = tolerate.late {
        let share = Share { part: observations.late, whole: observations.read };
        sentences.extend(share.over(most, "observations are late", "tolerate.late"));
    }
    for (signal, least) in &tolerate.min_matched {
        let Some(name) = pipeline.archive.signals.get(*signal).map(|signal| signal.name.as_str()) else { continue };
        sentences.extend(account.joins.get(name).and_then(|join| {
            Share { part: join.matched, whole: join.rows }.under(*least, name)
        }));
    }
    sentences
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

/// Refused members (or lines) among all.
fn members(account: &Account) -> Share {
    let refused: u64 = account.members.quarantined.values().sum();
    Share { part: refused, whole: account.members.documents + refused }
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
fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
