//! Times in data: reads one text as the archive words say it is written.

use super::decimal::{Count, DecimalError, decimal_ns};
use crate::archive::TimeUnit;
use jiff::civil::{DateTime, Time};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::fmt::temporal::{DateTimeParser, Pieces};
use jiff::tz::{Offset, TimeZone};
use thiserror::Error;

static ISO: DateTimeParser = DateTimeParser::new();

/// Reads the times of one clock. Made once per clock; reading allocates nothing on success for decimals and ISO 8601.
#[derive(Debug, Clone)]
pub struct InstantReader {
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Decimal(Count),
    Iso(Option<TimeZone>),
    Format(String, Option<TimeZone>),
}

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum InstantError {
    /// Not written as the words say, or no day of the calendar.
    #[error("not written as its unit says")]
    Unreadable,
    /// A local time without offset where the words give no `zone`.
    #[error("a local time without offset, and the clock has no zone")]
    Naive,
    /// Beyond `i64` nanoseconds.
    #[error("beyond the years 1677 to 2262")]
    OutOfRange,
}

impl InstantReader {
    /// Errors: a sentence with what is wrong and what to write, for an unknown `zone` and a `format` that cannot be read.
    pub fn new(unit: &TimeUnit) -> Result<Self, String> {
        let how = match unit {
            TimeUnit::Seconds => How::Decimal(Count::Seconds),
            TimeUnit::Millis => How::Decimal(Count::Millis),
            TimeUnit::Micros => How::Decimal(Count::Micros),
            TimeUnit::Nanos => How::Decimal(Count::Nanos),
            TimeUnit::Iso8601 { zone: name } => How::Iso(name.as_deref().map(zone).transpose()?),
            TimeUnit::Format { format, zone: name } => {
                prove(format)?;
                How::Format(format.clone(), name.as_deref().map(zone).transpose()?)
            }
        };
        Ok(Self { how })
    }

    /// Whether times are numbers (in JSON numbers or, as text, in strings) rather than text only.
    pub fn is_decimal(&self) -> bool {
        matches!(self.how, How::Decimal(_))
    }

    /// The nanoseconds that `text` says: the text of a JSON number for decimal units, the content of a string otherwise.
    ///
    /// A local time that a change of clocks skips is taken as much later; one that comes twice is the first. What lies
    /// below a nanosecond is rounded towards minus infinity. Whether the time is plausible is another question
    /// ([`super::is_plausible`]).
    pub fn read(&self, text: &[u8]) -> Result<i64, InstantError> {
        match &self.how {
            How::Decimal(count) => decimal_ns(text, *count).map_err(|error| match error {
                DecimalError::NotANumber => InstantError::Unreadable,
                DecimalError::OutOfRange => InstantError::OutOfRange,
            }),
            How::Iso(zone) => iso(text, zone.as_ref()),
            How::Format(format, zone) => formatted(format, text, zone.as_ref()),
        }
    }
}

/// The time zone of that IANA name, from the tables inside the program: the same on every machine.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("{name:?} is not a time zone; write an IANA name such as Europe/Berlin or UTC"))
}

/// Whether texts of this strptime format say their own offset (or count from the epoch).
pub fn says_offset(format: &str) -> bool {
    let mut bytes = format.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            continue;
        }
        match bytes.by_ref().find(|b| !matches!(b, b'-' | b'_' | b'0'..=b'9' | b'^' | b'#' | b':' | b'.')) {
            Some(b'z' | b's' | b'Q') => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// Most digits of a second's fraction: ns.
const FRACTION_DIGITS: usize = 9;
/// An offset is less than a day (RFC 3339: hours to 23); jiff reads up to 25 hours.
const OFFSET_SECONDS: i32 = 24 * 3600;

fn iso(text: &[u8], zone: Option<&TimeZone>) -> Result<i64, InstantError> {
    match ISO.parse_pieces(text) {
        Ok(pieces) => iso_ns(&pieces, zone),
        // jiff reads no more than ns; what lies below is rounded down, before 1970 too.
        Err(_) => {
            let short = without_rest(text).ok_or(InstantError::Unreadable)?;
            iso_ns(&ISO.parse_pieces(&short).map_err(|_| InstantError::Unreadable)?, zone)
        }
    }
}

/// The text with nine digits in its fraction; `None` when it has no more.
fn without_rest(text: &[u8]) -> Option<Vec<u8>> {
    let point = text.iter().position(|byte| matches!(byte, b'.' | b','))?;
    let (whole, fraction) = text.split_at(point + 1);
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > FRACTION_DIGITS).then(|| [whole, &fraction[..FRACTION_DIGITS], &fraction[digits..]].concat())
}

fn iso_ns(pieces: &Pieces<'_>, zone: Option<&TimeZone>) -> Result<i64, InstantError> {
    let local = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or(Time::midnight()));
    if let Some(offset) = pieces.to_numeric_offset() {
        check_offset(offset)?;
        return ns(offset.to_timestamp(local));
    }
    match (pieces.to_time_zone().map_err(|_| InstantError::Unreadable)?, zone) {
        (Some(zone), _) => ns(zone.to_timestamp(local)),
        (None, Some(zone)) => ns(zone.to_timestamp(local)),
        (None, None) => Err(InstantError::Naive),
    }
}

fn check_offset(offset: Offset) -> Result<(), InstantError> {
    if offset.seconds().abs() < OFFSET_SECONDS { Ok(()) } else { Err(InstantError::Unreadable) }
}

fn formatted(format: &str, text: &[u8], zone: Option<&TimeZone>) -> Result<i64, InstantError> {
    let parts = BrokenDownTime::parse(format, text).map_err(|_| InstantError::Unreadable)?;
    parts.offset().map_or(Ok(()), check_offset)?;
    if parts.offset().is_some() || parts.timestamp().is_some() {
        return ns(parts.to_timestamp());
    }
    if parts.iana_time_zone().is_some() {
        return ns(parts.to_zoned_datetime().map(|zoned| zoned.timestamp()));
    }
    let local = parts.to_datetime().map_err(|_| InstantError::Unreadable)?;
    ns(zone.ok_or(InstantError::Naive)?.to_timestamp(local))
}

fn ns(timestamp: Result<jiff::Timestamp, jiff::Error>) -> Result<i64, InstantError> {
    let timestamp = timestamp.map_err(|_| InstantError::Unreadable)?;
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| InstantError::OutOfRange)
}

/// A format is good when a time written with it can be read back.
fn prove(format: &str) -> Result<(), String> {
    let sample = DateTime::constant(2022, 10, 26, 13, 5, 9, 0);
    let wrong = |why: String| format!("{format:?} {why}; write strptime fields such as \"%Y-%m-%d %H:%M:%S%.f\"");
    let zoned = sample.to_zoned_datetime(TimeZone::UTC).map_err(|error| wrong(error.to_string()))?;
    let text = strtime::format(format, &zoned).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    match formatted(format, text.as_bytes(), Some(&TimeZone::UTC)) {
        Ok(_) => Ok(()),
        Err(_) => Err(wrong("does not say a time: it needs at least year, month and day".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str, zone: Option<&str>) -> Result<String, InstantError> {
        let unit = TimeUnit::Iso8601 { zone: zone.map(str::to_owned) };
        InstantReader::new(&unit).unwrap().read(text.as_bytes()).map(crate::time::display)
    }

    fn formatted(format: &str, text: &str, zone: Option<&str>) -> Result<String, InstantError> {
        let unit = TimeUnit::Format { format: format.into(), zone: zone.map(str::to_owned) };
        InstantReader::new(&unit).unwrap().read(text.as_bytes()).map(crate::time::display)
    }

    #[test]
    fn iso_texts_say_their_offset() {
        let expected = Ok("2022-10-26T11:30:00.5Z".to_owned());
        for text in [
            "2022-10-26T11:30:00.5Z",
            "2022-10-26T13:30:00.500+02:00",
            "2022-10-26 13:30:00,5+0200",
            "20221026T133000.5+02",
            "2022-10-26T13:30:00.5[Europe/Berlin]",
        ] {
            assert_eq!(iso(text, None), expected, "{text}");
            assert_eq!(iso(text, Some("Asia/Tokyo")), expected, "{text}");
        }
    }

    #[test]
    fn what_lies_below_a_nanosecond_is_rounded_down() {
        for (text, read) in [
            ("2022-10-26T11:30:00.1234567899Z", "2022-10-26T11:30:00.123456789Z"),
            ("2022-10-26T13:30:00,999999999999999999999+02:00", "2022-10-26T11:30:00.999999999Z"),
            ("2022-10-26T13:30:00.1234567890[Europe/Berlin]", "2022-10-26T11:30:00.123456789Z"),
            ("1969-12-31T23:59:59.9999999999Z", "1969-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(iso(text, None), Ok(read.to_owned()), "{text}");
        }
        for text in ["2022-10-26T11:30:00.12345678901x", "2022-10-26.12345678901", ".1234567890"] {
            assert_eq!(iso(text, Some("UTC")), Err(InstantError::Unreadable), "{text}");
        }
    }

    #[test]
    fn an_offset_is_less_than_a_day() {
        for offset in ["+25:00", "-24:00", "+24", "+2400"] {
            let text = format!("2022-10-26T11:30:00{offset}");
            assert_eq!(iso(&text, Some("UTC")), Err(InstantError::Unreadable), "{text}");
        }
        assert_eq!(iso("2022-10-26T11:30:00+23:59", None), Ok("2022-10-25T11:31:00Z".to_owned()));
        let format = "%Y-%m-%d %H:%M %z";
        assert_eq!(formatted(format, "2022-10-26 13:30 +2500", None), Err(InstantError::Unreadable));
    }

    #[test]
    fn a_local_time_needs_a_zone() {
        assert_eq!(iso("2022-10-26T13:30:00", None), Err(InstantError::Naive));
        assert_eq!(iso("2022-10-26T13:30:00", Some("Europe/Berlin")), Ok("2022-10-26T11:30:00Z".into()));
        assert_eq!(iso("2022-10-26", Some("UTC")), Ok("2022-10-26T00:00:00Z".into()));
    }

    #[test]
    fn a_local_time_that_comes_twice_is_the_first_and_a_skipped_one_is_later() {
        assert_eq!(iso("2022-10-30T02:30:00", Some("Europe/Berlin")), Ok("2022-10-30T00:30:00Z".into()));
        assert_eq!(iso("2022-03-27T02:30:00", Some("Europe/Berlin")), Ok("2022-03-27T01:30:00Z".into()));
    }

    #[test]
    fn what_is_no_time_is_unreadable() {
        for text in ["", "yesterday", "2022-02-30T00:00:00Z", "2022-10-26T25:00:00Z", "1666742400", "é"] {
            assert_eq!(iso(text, Some("UTC")), Err(InstantError::Unreadable), "{text}");
        }
        assert_eq!(iso("0001-01-01T00:00:00Z", None), Err(InstantError::OutOfRange));
        assert_eq!(InstantReader::new(&TimeUnit::Millis).unwrap().read(b"x"), Err(InstantError::Unreadable));
    }

    #[test]
    fn formats_are_read_with_zone_offset_or_epoch() {
        let expected = Ok("2022-10-26T11:30:00.25Z".to_owned());
        assert_eq!(formatted("%d.%m.%Y %H:%M:%S%.f", "26.10.2022 13:30:00.25", Some("Europe/Berlin")), expected);
        assert_eq!(formatted("%Y-%m-%d %H:%M:%S%.f %z", "2022-10-26 13:30:00.25 +0200", None), expected);
        assert_eq!(formatted("%s", "1666783800", None), Ok("2022-10-26T11:30:00Z".into()));
        assert_eq!(formatted("%Y-%m-%d", "2022-10-26", None), Err(InstantError::Naive));
        assert_eq!(formatted("%Y-%m-%d", "26.10.2022", Some("UTC")), Err(InstantError::Unreadable));
        assert!(
            says_offset("%Y %:z") && says_offset("%s") && !says_offset("%Y-%m-%dT%H:%M:%S%.3f") && !says_offset("%")
        );
    }

    #[test]
    fn a_wrong_zone_or_format_is_told_when_the_reader_is_made() {
        let zone = InstantReader::new(&TimeUnit::Iso8601 { zone: Some("Mars/Base".into()) }).unwrap_err();
        assert!(zone.contains("IANA name"), "{zone}");
        for format in ["", "%H:%M", "%Y-%m-%d %!", "no fields"] {
            let error = InstantReader::new(&TimeUnit::Format { format: format.into(), zone: None }).unwrap_err();
            assert!(error.contains("strptime fields"), "{format}: {error}");
        }
    }
}
