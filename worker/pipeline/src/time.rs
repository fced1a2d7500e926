//! Time as the words and the data write it: nanoseconds, durations, days, exact decimals.

/// A UTC day, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// Nanoseconds of one day.
pub const DAY_NS: i64 = 86_400_000_000_000;

/// A half-open span of time `[from_ns, to_ns)`. `i64::MIN..i64::MAX` stands for all time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First instant, ns.
    pub from_ns: i64,
    /// First instant after, ns.
    pub to_ns: i64,
}
