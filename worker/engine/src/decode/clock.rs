//! From a scanned value to nanoseconds, as the archive words say it is written. Decimal units are exact.

use super::number::{Form, Number};
use super::short::Short;
use pipeline::archive::TimeUnit;
use pipeline::time::instant::{InstantError, InstantReader};

/// How a time is written, ready to read.
#[derive(Debug, Clone)]
pub(crate) enum ClockUnit {
    /// A decimal; the power of ten that makes it nanoseconds. Numbers are scanned already, so this is not left to
    /// [`InstantReader`], which reads text.
    Decimal(i32),
    /// Text: ISO 8601 or a strptime format.
    Written(InstantReader),
}

impl ClockUnit {
    /// Looks up the zone. Errors: a sentence about a zone or format that nobody knows.
    pub(crate) fn new(unit: &TimeUnit) -> Result<Self, String> {
        Ok(match unit {
            TimeUnit::Seconds => Self::Decimal(9),
            TimeUnit::Millis => Self::Decimal(6),
            TimeUnit::Micros => Self::Decimal(3),
            TimeUnit::Nanos => Self::Decimal(0),
            TimeUnit::Iso8601 { .. } | TimeUnit::Format { .. } => Self::Written(InstantReader::new(unit)?),
        })
    }

    /// The time that a JSON number says: only where the unit is a decimal one.
    #[inline]
    pub(crate) fn number(&self, number: &Number) -> Result<i64, InstantError> {
        match self {
            Self::Decimal(shift) => match number.as_scaled_i64(*shift) {
                Some(ns) => Ok(ns),
                None if matches!(number.form, Form::Nan | Form::Infinite) => Err(InstantError::Unreadable),
                None => Err(InstantError::OutOfRange),
            },
            Self::Written(_) => Err(InstantError::Unreadable),
        }
    }

    /// The time that a short decimal says; `None`: it takes the long way.
    #[inline(always)]
    pub(crate) fn short(&self, number: Short) -> Option<i64> {
        match self {
            Self::Decimal(shift) => number.as_scaled_i64(*shift),
            Self::Written(_) => None,
        }
    }

    /// The time that the content of a JSON string says. A decimal in quotes is a decimal: its unit is given.
    pub(crate) fn text(&self, text: &str) -> Result<i64, InstantError> {
        match self {
            Self::Decimal(_) => self.number(&Number::of(text).ok_or(InstantError::Unreadable)?),
            Self::Written(reader) => reader.read(text.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_text_needs_an_offset_or_a_zone() {
        let iso = |zone: Option<&str>| ClockUnit::new(&TimeUnit::Iso8601 { zone: zone.map(str::to_owned) }).unwrap();
        assert_eq!(iso(None).text("2022-10-26T10:17:21.847+02:00"), Ok(1_666_772_241_847_000_000));
        assert_eq!(iso(None).text("2022-10-26T10:17:21.847"), Err(InstantError::Naive));
        assert_eq!(iso(Some("Europe/Berlin")).text("2022-10-26T10:17:21.847"), Ok(1_666_772_241_847_000_000));
        assert_eq!(iso(None).number(&Number::of("5").unwrap()), Err(InstantError::Unreadable));
    }

    #[test]
    fn a_decimal_in_quotes_is_a_decimal() {
        let unit = ClockUnit::new(&TimeUnit::Millis).unwrap();
        assert_eq!(unit.text("1533226515002.73"), Ok(1_533_226_515_002_730_000));
        assert_eq!(unit.text("soon"), Err(InstantError::Unreadable));
        assert_eq!(unit.text("NaN"), Err(InstantError::Unreadable));
        assert_eq!(unit.text("1e30"), Err(InstantError::OutOfRange));
    }

    #[test]
    fn an_unknown_zone_is_an_error() {
        assert!(ClockUnit::new(&TimeUnit::Iso8601 { zone: Some("Mars/Olympus".into()) }).is_err());
    }
}
