//! The checked Archive: where telemetry lies and how to read it, with nothing left to check.
//!
//! Made by [`crate::check`] from [`crate::spec::ArchiveSpec`]; every reference is an index, every duration `i64` ns,
//! every pointer and pattern parsed. It is not a connection: opening the store is the `archive` crate's.

use crate::pattern::Pattern;
use crate::pointer::{At, Place, Pointer};
use crate::spec::{Duplicates, Format, Infinite, OnConflict, OnMismatch, StoreSpec};

/// Where telemetry lies and how its documents become observations.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// `metadata.name`.
    pub name: String,
    /// Store words as written; a relative folder is resolved against the file by [`crate::check`].
    pub store: StoreSpec,
    /// Which objects of the prefix belong to the archive, and what their keys say.
    pub objects: Pattern,
    /// Which members of a zip or tar belong to it; `None` for plain objects.
    pub members: Option<Pattern>,
    /// How the bytes of a member are laid out.
    pub format: Format,
    /// How much earlier or later than its member's stamp an observation may be, ns.
    pub lateness_ns: i64,
    /// How much time follows a member's stamp, ns.
    pub covers_ns: i64,
    /// Where the robot's name comes from.
    pub robot: RobotRule,
    /// Bounds on one member.
    pub limits: Limits,
    /// The mapped signals, in the order written; indices elsewhere point here.
    pub signals: Vec<Signal>,
}

/// Where the robot's name comes from: the capture, the document, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotRule {
    /// Name of a capture of `objects` or `members`.
    pub capture: Option<String>,
    /// A string in the document (or the line, for NdJson).
    pub document: Option<Pointer>,
    /// What happens when both are there and differ.
    pub on_conflict: OnConflict,
}

/// Bounds on one member (zip, tar, Json) or one line (NdJson).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes after decompression.
    pub member_bytes_max: u64,
    /// Deepest nesting of objects and arrays.
    pub depth_max: u32,
    /// Most records over all signals.
    pub records_max: u64,
}

/// A named series: where its records are, when they happened, what they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its name, unique in the archive.
    pub name: String,
    /// The walk from the document to its records.
    pub at: At,
    /// Only records whose text at the place is the value; all must hold.
    pub matches: Vec<(Place, String)>,
    /// Its clocks, at least one.
    pub clocks: Vec<Clock>,
    /// Index into `clocks`: the time of an observation.
    pub join_clock: usize,
    /// Index into `clocks`: when a value became known; `None`: at its own time.
    pub known_clock: Option<usize>,
    /// Its columns, in the order written.
    pub columns: Vec<Column>,
    /// What happens to observations of one robot with equal time.
    pub duplicates: Duplicates,
}

/// A named time of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Its name, unique in the signal.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// How it is written.
    pub unit: TimeUnit,
}

/// How a time is written. No unit is ever guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeUnit {
    /// Decimal seconds since the epoch.
    Seconds,
    /// Decimal milliseconds since the epoch.
    Millis,
    /// Decimal microseconds since the epoch.
    Micros,
    /// Decimal nanoseconds since the epoch.
    Nanos,
    /// ISO 8601 text; a text without an offset needs `zone`.
    Iso8601 {
        /// IANA name that naive texts are read in.
        zone: Option<String>,
    },
    /// Text in a strptime format.
    Format {
        /// The strptime format, as jiff reads it.
        format: String,
        /// IANA name that naive texts are read in.
        zone: Option<String>,
    },
}

/// A typed value of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, unique in the signal.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Its type in the result, and for `timestamp` how it is written.
    pub kind: ColumnKind,
    /// Unit of measure, kept as metadata of the result.
    pub unit: Option<String>,
    /// Multiplied first (1 when absent); only for numbers.
    pub scale: f64,
    /// Added second (0 when absent); only for numbers.
    pub offset: f64,
    /// Whether numbers written as strings are taken (`text: Number`).
    pub text: TextRule,
    /// JSON texts that mean null: compared with the text of a number or the content of a string.
    pub nulls: Vec<String>,
    /// What becomes of infinities.
    pub infinite: Infinite,
    /// What becomes of a value that does not fit.
    pub on_mismatch: OnMismatch,
}

/// Whether a numeric column takes numbers in strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRule {
    /// A string is a mismatch.
    Refuse,
    /// A string that is one JSON number is that number.
    Number,
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnKind {
    /// IEEE double.
    Float64,
    /// Signed 64-bit integer.
    Int64,
    /// True or false.
    Bool,
    /// UTF-8 text.
    String,
    /// A time, written as the unit says; microseconds UTC in the result.
    Timestamp(TimeUnit),
}

impl ColumnKind {
    /// Whether the numeric statistics apply.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Float64 | Self::Int64)
    }
}

impl Archive {
    /// Index of the signal of that name.
    pub fn signal(&self, name: &str) -> Option<usize> {
        self.signals.iter().position(|s| s.name == name)
    }
}

impl Signal {
    /// Index of the column of that name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}
