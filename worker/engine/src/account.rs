//! The account: what came in, went out, was dropped, and why. Every observation and row is in it exactly once.
//!
//! Only a shard's own members, rows and onsets are counted; what it reads as context is counted by its owner. Accounts of
//! shards add up ([`Account::merge`]) to the account of a version, and it balances ([`Account::imbalance`]).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why something was refused. Each refusal is one line of the quarantine table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// CRC, gzip, zstd, truncation, unsupported packing (member).
    Unreadable,
    /// Over `limits.memberBytes` (member or line).
    TooLarge,
    /// Over `limits.depth` (member or line).
    TooDeep,
    /// Over `limits.recordsPerMember` (member or line).
    TooManyRecords,
    /// Not JSON, with byte offset (member or line).
    NotJson,
    /// No robot name (member or line).
    NoRobot,
    /// Capture and document differ (member or line).
    RobotConflict,
    /// The record has no time, or one that cannot be read.
    NoTime,
    /// Its time is outside 1990–2100.
    TimeOutOfRange,
    /// Farther from its member's stamp, or known later, than `lateness`.
    Late,
    /// A value that does not fit its column.
    Mismatch,
    /// A pointer met something else (an object where `at` wants an array).
    Shape,
}

impl Kind {
    /// Its word, as in the quarantine table and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::TooManyRecords => "too_many_records",
            Self::NotJson => "not_json",
            Self::NoRobot => "no_robot",
            Self::RobotConflict => "robot_conflict",
            Self::NoTime => "no_time",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::Late => "late",
            Self::Mismatch => "mismatch",
            Self::Shape => "shape",
        }
    }
}

/// Counts by a word.
pub type Counts = BTreeMap<String, u64>;

/// One shard's, or a whole version's, account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What was opened.
    pub members: Members,
    /// By signal name.
    pub signals: BTreeMap<String, SignalAccount>,
    /// By joined signal name.
    pub joins: BTreeMap<String, JoinAccount>,
    /// Rows of the result.
    pub rows: RowsAccount,
    /// By event name.
    pub events: BTreeMap<String, EventAccount>,
    /// Labels of written rows.
    pub label: LabelAccount,
    /// By `derive` name, `where`, or event name: rows whose evaluation failed and became null.
    pub expression_errors: Counts,
    /// By `derive` name: NaN results that became null.
    pub expression_nan: Counts,
}

/// Members opened by their owner.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Members {
    /// Members read.
    pub read: u64,
    /// Documents (or lines) decoded, those among them that have no robot or two.
    pub documents: u64,
    /// Bytes as stored; of an object whose members cannot be listed all of its bytes.
    pub stored_bytes: u64,
    /// Those among them that could not be unpacked: members, objects, and what follows the damage in a member of lines.
    #[serde(default)]
    pub lost_bytes: u64,
    /// Bytes of JSON.
    pub json_bytes: u64,
    /// Refused members, lines and documents by kind.
    pub quarantined: Counts,
}

impl Members {
    /// All that could have been refused: documents (or lines), and members and lines that could not be decoded.
    ///
    /// A document without a robot was decoded, so it is among the documents and among the refused.
    pub fn met(&self) -> u64 {
        let decoded = [Kind::NoRobot, Kind::RobotConflict];
        let counted = decoded.iter().fold(0_u64, |sum, kind| sum.saturating_add(self.refused_as(*kind)));
        self.documents.saturating_add(self.refused()).saturating_sub(counted)
    }

    /// Refused members, lines and documents of all kinds.
    pub fn refused(&self) -> u64 {
        total(&self.quarantined)
    }

    /// Members that cannot be read, or not to their end.
    pub fn unreadable(&self) -> u64 {
        self.refused_as(Kind::Unreadable)
    }

    fn refused_as(&self, kind: Kind) -> u64 {
        self.quarantined.get(kind.word()).copied().unwrap_or(0)
    }
}

/// Observations of one signal: `read = kept + duplicate + sum(quarantined)`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalAccount {
    /// Records met (after `match`).
    pub read: u64,
    /// Observations that entered the rows.
    pub kept: u64,
    /// Observations dropped as duplicates.
    pub duplicate: u64,
    /// Refused observations by kind, each under its first reason.
    pub quarantined: Counts,
    /// Kept nulls by column.
    pub nulls: Counts,
    /// NaN that became null, by column.
    pub nan: Counts,
    /// Infinities that became null, by column (`infinite: Null`).
    pub infinite: Counts,
    /// Mismatches that became null, by column (`onMismatch: Null`).
    pub mismatch_null: Counts,
    /// How far late observations lay outside what `lateness` allows: upper bound in seconds (power of two) to count.
    pub late_by: BTreeMap<u64, u64>,
}

/// Matches of one join: `rows = matched + unmatched`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JoinAccount {
    /// Base rows.
    pub rows: u64,
    /// With a match.
    pub matched: u64,
    /// Without.
    pub unmatched: u64,
    /// Rows whose match already served an earlier row.
    pub reused: u64,
    /// Matches later than their row.
    pub looked_ahead: u64,
    /// |match - row|: upper bound in microseconds (power of two; 0 = exact) to count.
    pub distance_us: BTreeMap<u64, u64>,
}

/// Rows: `base = written + filtered + sum(dropped)`; `written = valid + sum(invalid)`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RowsAccount {
    /// Base rows in the span (for event rows: onsets and controls).
    pub base: u64,
    /// In the result.
    pub written: u64,
    /// Left out by `where`.
    pub filtered: u64,
    /// Left out by `invalid: Drop`, by reason.
    pub dropped: Counts,
    /// Written with `valid` true.
    pub valid: u64,
    /// Written with `valid` false, by reason.
    pub invalid: Counts,
    /// Written, by `row_kind` (event rows only).
    pub kinds: Counts,
    /// Onsets with fewer controls than wanted.
    pub too_few_controls: u64,
}

/// Onsets of one event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EventAccount {
    /// Kept onsets.
    pub onsets: u64,
    /// First known values that hold after unknown: not onsets.
    pub censored: u64,
    /// Dropped by `refractory`.
    pub refractory: u64,
}

/// Labels of written rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelAccount {
    /// An onset lies in the horizon.
    pub positive: u64,
    /// None does.
    pub negative: u64,
    /// Nobody was looking.
    pub unknown: u64,
}

impl Account {
    /// Adds another shard's account. The order of shards does not matter. A sum beyond `u64::MAX` stays there.
    pub fn merge(&mut self, other: &Self) {
        self.members.merge(&other.members);
        for (name, signal) in &other.signals {
            self.signals.entry(name.clone()).or_default().merge(signal);
        }
        for (name, join) in &other.joins {
            self.joins.entry(name.clone()).or_default().merge(join);
        }
        self.rows.merge(&other.rows);
        for (name, event) in &other.events {
            self.events.entry(name.clone()).or_default().merge(event);
        }
        self.label.merge(&other.label);
        add_counts(&mut self.expression_errors, &other.expression_errors);
        add_counts(&mut self.expression_nan, &other.expression_nan);
    }

    /// Members, lines and observations in quarantine.
    pub fn quarantined(&self) -> u64 {
        let signals = self.signals.values().map(|signal| total(&signal.quarantined));
        signals.fold(total(&self.members.quarantined), u64::saturating_add)
    }

    /// A sentence for each equation that does not hold; empty when the account balances.
    ///
    /// Per signal `read = kept + duplicate + quarantined`; per join `rows = matched + unmatched`; rows `base = written +
    /// filtered + dropped` and `written = valid + invalid`.
    pub fn imbalance(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for (name, signal) in &self.signals {
            let parts =
                [("kept", signal.kept), ("duplicate", signal.duplicate), ("quarantined", total(&signal.quarantined))];
            sentences.extend(unequal(&format!("signal {name}"), ("read", signal.read), &parts));
        }
        for (name, join) in &self.joins {
            let parts = [("matched", join.matched), ("unmatched", join.unmatched)];
            sentences.extend(unequal(&format!("join {name}"), ("rows", join.rows), &parts));
        }
        let rows = &self.rows;
        let base = [("written", rows.written), ("filtered", rows.filtered), ("dropped", total(&rows.dropped))];
        sentences.extend(unequal("rows", ("base", rows.base), &base));
        let written = [("valid", rows.valid), ("invalid", total(&rows.invalid))];
        sentences.extend(unequal("rows", ("written", rows.written), &written));
        sentences
    }
}

impl Members {
    fn merge(&mut self, other: &Self) {
        add(&mut self.read, other.read);
        add(&mut self.documents, other.documents);
        add(&mut self.stored_bytes, other.stored_bytes);
        add(&mut self.lost_bytes, other.lost_bytes);
        add(&mut self.json_bytes, other.json_bytes);
        add_counts(&mut self.quarantined, &other.quarantined);
    }
}

impl SignalAccount {
    fn merge(&mut self, other: &Self) {
        add(&mut self.read, other.read);
        add(&mut self.kept, other.kept);
        add(&mut self.duplicate, other.duplicate);
        add_counts(&mut self.quarantined, &other.quarantined);
        add_counts(&mut self.nulls, &other.nulls);
        add_counts(&mut self.nan, &other.nan);
        add_counts(&mut self.infinite, &other.infinite);
        add_counts(&mut self.mismatch_null, &other.mismatch_null);
        add_counts(&mut self.late_by, &other.late_by);
    }
}

impl JoinAccount {
    pub(crate) fn merge(&mut self, other: &Self) {
        add(&mut self.rows, other.rows);
        add(&mut self.matched, other.matched);
        add(&mut self.unmatched, other.unmatched);
        add(&mut self.reused, other.reused);
        add(&mut self.looked_ahead, other.looked_ahead);
        add_counts(&mut self.distance_us, &other.distance_us);
    }
}

impl RowsAccount {
    fn merge(&mut self, other: &Self) {
        add(&mut self.base, other.base);
        add(&mut self.written, other.written);
        add(&mut self.filtered, other.filtered);
        add_counts(&mut self.dropped, &other.dropped);
        add(&mut self.valid, other.valid);
        add_counts(&mut self.invalid, &other.invalid);
        add_counts(&mut self.kinds, &other.kinds);
        add(&mut self.too_few_controls, other.too_few_controls);
    }
}

impl EventAccount {
    pub(crate) fn merge(&mut self, other: &Self) {
        add(&mut self.onsets, other.onsets);
        add(&mut self.censored, other.censored);
        add(&mut self.refractory, other.refractory);
    }
}

impl LabelAccount {
    pub(crate) fn merge(&mut self, other: &Self) {
        add(&mut self.positive, other.positive);
        add(&mut self.negative, other.negative);
        add(&mut self.unknown, other.unknown);
    }
}

/// Adds; a sum beyond `u64::MAX` stays there.
pub(crate) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

fn add_counts<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        add(sums.entry(key.clone()).or_default(), *count);
    }
}

fn total(counts: &Counts) -> u64 {
    counts.values().fold(0, |sum, count| sum.saturating_add(*count))
}

/// `join pose: rows 7 is not matched 5 + unmatched 1 = 6`, unless it is.
fn unequal(subject: &str, (name, whole): (&str, u64), parts: &[(&str, u64)]) -> Option<String> {
    let sum = parts.iter().fold(0_u64, |sum, (_, part)| sum.saturating_add(*part));
    let terms: Vec<String> = parts.iter().map(|(name, part)| format!("{name} {part}")).collect();
    (sum != whole).then(|| format!("{subject}: {name} {whole} is not {} = {sum}", terms.join(" + ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(word: &str, count: u64) -> Counts {
        Counts::from([(word.to_owned(), count)])
    }

    fn account(read: u64, kept: u64) -> Account {
        let signal = SignalAccount { read, kept, duplicate: 1, quarantined: counts("late", 2), ..Default::default() };
        let join = JoinAccount { rows: 7, matched: 5, unmatched: 2, ..Default::default() };
        let rows = RowsAccount {
            base: 10,
            written: 7,
            filtered: 1,
            dropped: counts("gap", 2),
            valid: 4,
            invalid: counts("event", 3),
            ..Default::default()
        };
        Account {
            signals: BTreeMap::from([("pose".to_owned(), signal)]),
            joins: BTreeMap::from([("pose".to_owned(), join)]),
            rows,
            ..Default::default()
        }
    }

    #[test]
    fn each_broken_equation_is_a_sentence() {
        assert_eq!(account(8, 5).imbalance(), Vec::<String>::new());
        assert_eq!(account(9, 5).imbalance(), ["signal pose: read 9 is not kept 5 + duplicate 1 + quarantined 2 = 8"]);
        let mut broken = account(8, 5);
        broken.rows.written = 8;
        broken.joins.entry("pose".to_owned()).or_default().unmatched = 1;
        assert_eq!(
            broken.imbalance(),
            [
                "join pose: rows 7 is not matched 5 + unmatched 1 = 6",
                "rows: base 10 is not written 8 + filtered 1 + dropped 2 = 11",
                "rows: written 8 is not valid 4 + invalid 3 = 7",
            ]
        );
    }

    #[test]
    fn accounts_add_up_in_any_order() {
        let (one, mut other) = (account(8, 5), account(18, 15));
        other.signals.insert("fix".to_owned(), SignalAccount { read: 3, kept: 3, ..Default::default() });
        other.label.positive = u64::MAX;
        let (mut forth, mut back) = (one.clone(), other.clone());
        forth.merge(&other);
        back.merge(&one);
        back.merge(&Account::default());
        assert_eq!(forth, back);
        assert_eq!(forth.signals["pose"].quarantined["late"], 4);
        assert_eq!((forth.signals["pose"].read, forth.signals["fix"].read), (26, 3));
        assert_eq!(forth.rows.base, 20);
        forth.merge(&other);
        assert_eq!(forth.label.positive, u64::MAX);
        assert_eq!(forth.imbalance(), Vec::<String>::new());
    }
}
