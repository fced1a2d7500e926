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
    /// Documents (or lines) decoded.
    pub documents: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Bytes of JSON.
    pub json_bytes: u64,
    /// Refused members or lines by kind.
    pub quarantined: Counts,
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
