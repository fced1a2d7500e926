//! Time inside: nanoseconds since the epoch (UTC, `i64`), days, spans. How people write durations and how data writes
//! times is in [`words`], [`decimal`] and [`instant`].

pub mod decimal;
pub mod instant;
pub mod words;

use std::fmt;

/// Nanoseconds of one microsecond.
pub const MICRO_NS: i64 = 1_000;
/// Nanoseconds of one millisecond.
pub const MILLI_NS: i64 = 1_000_000;
/// Nanoseconds of one second.
pub const SECOND_NS: i64 = 1_000_000_000;
/// Nanoseconds of one minute.
pub const MINUTE_NS: i64 = 60 * SECOND_NS;
/// Nanoseconds of one hour.
pub const HOUR_NS: i64 = 3_600 * SECOND_NS;
/// Nanoseconds of one day.
pub const DAY_NS: i64 = 86_400 * SECOND_NS;

/// The first instant that data may carry: 1990-01-01. Stamps of 0 and clocks that were never set lie before.
pub const DATA_FROM_NS: i64 = 631_152_000 * SECOND_NS;
/// The first instant that data may no longer carry: 2101-01-01. Seconds read as milliseconds lie after.
pub const DATA_TO_NS: i64 = 4_133_980_800 * SECOND_NS;

/// Whether data may carry this time: the years 1990–2100.
#[inline]
pub fn is_plausible(ns: i64) -> bool {
    (DATA_FROM_NS..DATA_TO_NS).contains(&ns)
}

/// Microseconds, rounded towards minus infinity, as the result holds them.
pub fn floor_us(ns: i64) -> i64 {
    ns.div_euclid(MICRO_NS)
}

/// A time for messages: RFC 3339 in UTC, `2022-10-26T00:00:00.5Z`. Never fails: every `i64` is a time.
pub fn display(ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("{ns} ns"),
    }
}

/// A UTC day, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// Reads `YYYY-MM-DD`, a day of the (proleptic Gregorian) calendar from year 0000 to 9999.
    ///
    /// Errors: a sentence with what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let remedy = || format!("{text:?} is not a day; write YYYY-MM-DD, such as 2022-10-26");
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(remedy());
        }
        let number = |part: &[u8]| {
            part.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i32::from(b - b'0'))).ok_or_else(remedy)
        };
        let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return Err(remedy());
        }
        Ok(Self::of_civil(year, month, day))
    }

    /// The day that holds an instant.
    pub fn of(ns: i64) -> Self {
        let day = ns.div_euclid(DAY_NS);
        Self(i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX }))
    }

    /// Its first instant, ns; at the ends of `i64`, those.
    pub fn start_ns(self) -> i64 {
        i64::from(self.0).saturating_mul(DAY_NS)
    }

    /// The day after.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// From its first instant to the next day's.
    pub fn span(self) -> Span {
        Span { from_ns: self.start_ns(), to_ns: self.next().start_ns() }
    }

    /// Days since the epoch of a date; Howard Hinnant's `days_from_civil` (years begin in March, eras have 400).
    fn of_civil(year: i32, month: i32, day: i32) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// (year, month, day); the inverse, `civil_from_days`.
    fn civil(self) -> (i64, i64, i64) {
        let days = i64::from(self.0) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = (march_month + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
    }
}

/// `YYYY-MM-DD`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A half-open span of time `[from_ns, to_ns)`. `i64::MIN..i64::MAX` stands for all time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// First instant, ns.
    pub from_ns: i64,
    /// First instant after, ns.
    pub to_ns: i64,
}

impl Span {
    /// All time. Its last instant, `i64::MAX`, counts as inside, see [`Span::contains`].
    pub const ALL: Self = Self { from_ns: i64::MIN, to_ns: i64::MAX };

    /// Whether it holds the instant. An end of `i64::MAX` is open: it holds that last instant too.
    pub fn contains(self, ns: i64) -> bool {
        self.from_ns <= ns && (ns < self.to_ns || self.to_ns == i64::MAX)
    }

    /// Whether it holds nothing.
    pub fn is_empty(self) -> bool {
        self.to_ns <= self.from_ns
    }

    /// What both hold; `None` when that is nothing.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { from_ns: self.from_ns.max(other.from_ns), to_ns: self.to_ns.min(other.to_ns) };
        (!both.is_empty()).then_some(both)
    }

    /// Longer at both ends, stopping at the ends of time. Empty stays empty only in name: widen what holds something.
    pub fn widen(self, back_ns: i64, forward_ns: i64) -> Self {
        Self { from_ns: self.from_ns.saturating_sub(back_ns), to_ns: self.to_ns.saturating_add(forward_ns) }
    }
}

/// `2022-10-26T00:00:00Z to 2022-10-27T00:00:00Z`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("all time");
        }
        write!(f, "{} to {}", display(self.from_ns), display(self.to_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_are_read_and_written_as_in_the_calendar() {
        for text in ["0000-01-01", "1969-12-31", "1970-01-01", "2000-02-29", "2022-10-26", "9999-12-31"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Day::parse("2022-10-26").unwrap(), Day(19_291));
        for text in
            ["2022-02-29", "1900-02-29", "2022-13-01", "2022-00-01", "2022-1-01", "20221026", "2022-10-26T", "é"]
        {
            assert!(Day::parse(text).unwrap_err().contains("write YYYY-MM-DD"), "{text}");
        }
    }

    #[test]
    fn an_instant_before_the_epoch_lies_in_the_day_that_holds_it() {
        assert_eq!((Day::of(-1), Day::of(0), Day::of(DAY_NS - 1), Day::of(DAY_NS)), (Day(-1), Day(0), Day(0), Day(1)));
        assert_eq!(Day::of(i64::MIN).to_string(), "1677-09-21");
        assert_eq!(Day(i32::MAX).span().to_ns, i64::MAX);
        assert_eq!((floor_us(-1), floor_us(1_999), floor_us(i64::MIN)), (-1, 1, -9_223_372_036_854_776));
    }

    #[test]
    fn only_the_years_1990_to_2100_are_plausible() {
        assert_eq!(DATA_FROM_NS, Day::parse("1990-01-01").unwrap().start_ns());
        assert_eq!(DATA_TO_NS, Day::parse("2101-01-01").unwrap().start_ns());
        assert!(is_plausible(DATA_FROM_NS) && !is_plausible(DATA_FROM_NS - 1));
        assert!(is_plausible(DATA_TO_NS - 1) && !is_plausible(DATA_TO_NS));
    }

    #[test]
    fn spans_are_half_open_and_stop_at_the_ends_of_time() {
        let span = Span { from_ns: 10, to_ns: 20 };
        assert!(span.contains(10) && span.contains(19) && !span.contains(20) && Span::ALL.contains(i64::MAX));
        assert_eq!(span.intersect(Span { from_ns: 15, to_ns: 30 }), Some(Span { from_ns: 15, to_ns: 20 }));
        assert_eq!(span.intersect(Span { from_ns: 20, to_ns: 30 }), None);
        assert_eq!(span.widen(i64::MAX, 5), Span { from_ns: 10 - i64::MAX, to_ns: 25 });
        assert_eq!(Span::ALL.widen(1, 1), Span::ALL);
        assert_eq!(Span::ALL.to_string(), "all time");
        assert_eq!(Day(0).span().to_string(), "1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z");
    }

    #[test]
    fn every_instant_can_be_shown() {
        assert_eq!(display(1_533_226_515_002_730_000), "2018-08-02T16:15:15.00273Z");
        assert!(display(i64::MIN).starts_with("1677-09-21") && display(i64::MAX).starts_with("2262-04-11"));
    }

    proptest! {
        #[test]
        fn a_day_is_what_the_calendar_of_jiff_says(days in -719_528i32..2_932_896) {
            let text = Day(days).to_string();
            let date: jiff::civil::Date = text.parse().unwrap();
            let ns = date.to_datetime(jiff::civil::Time::midnight()).to_zoned_datetime(jiff::tz::TimeZone::UTC).unwrap();
            prop_assert_eq!(ns.timestamp().as_second(), i64::from(days) * 86_400);
            prop_assert_eq!(Day::parse(&text), Ok(Day(days)));
        }
    }
}
