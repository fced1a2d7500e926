//! Durations, sizes, shares and single times as people write them: `42s`, `256Mi`, `1%`, `2022-10-26T08:17:21Z`. Each error is a sentence with a remedy.

use super::decimal::{Count, decimal_ns};
use super::instant::InstantReader;
use super::{DAY_NS, HOUR_NS, MICRO_NS, MILLI_NS, MINUTE_NS, SECOND_NS, is_plausible};
use crate::archive::TimeUnit;

/// Nanoseconds of a duration: a whole number and one of `ns us ms s m h d`, without blanks. Never negative.
pub fn duration_ns(text: &str) -> Result<i64, String> {
    let example = "write a whole number and a unit (ns, us, ms, s, m, h, d), such as 500ms or 42s";
    let (digits, unit) = split(text);
    let unit_ns = match unit {
        "ns" => 1,
        "us" => MICRO_NS,
        "ms" => MILLI_NS,
        "s" => SECOND_NS,
        "m" => MINUTE_NS,
        "h" => HOUR_NS,
        "d" => DAY_NS,
        "" if !digits.is_empty() => return Err(format!("{text:?} has no unit; {example}")),
        _ => return Err(format!("{text:?} is not a duration; {example}")),
    };
    if digits.is_empty() {
        return Err(format!("{text:?} is not a duration; {example}"));
    }
    digits
        .parse::<i64>()
        .ok()
        .and_then(|count| count.checked_mul(unit_ns))
        .ok_or_else(|| format!("{text:?} is longer than 292 years; write a shorter duration"))
}

/// A duration as people would write it: the largest unit that divides it, `42s`, `90m`, `1d`.
pub fn duration_text(ns: i64) -> String {
    let units = [(DAY_NS, "d"), (HOUR_NS, "h"), (MINUTE_NS, "m"), (SECOND_NS, "s"), (MILLI_NS, "ms"), (MICRO_NS, "us")];
    match units.iter().find(|(unit_ns, _)| ns != 0 && ns % unit_ns == 0) {
        Some((unit_ns, unit)) => format!("{}{unit}", ns / unit_ns),
        None if ns == 0 => "0s".into(),
        None => format!("{ns}ns"),
    }
}

/// A time that is copied from a table, ns since the epoch: RFC 3339 with an offset, or a number since the epoch.
///
/// A number is seconds, milliseconds, microseconds or nanoseconds, whichever puts it into the years 1990–2100: no number fits
/// two of them.
pub fn instant_ns(text: &str) -> Result<i64, String> {
    let units = [Count::Seconds, Count::Millis, Count::Micros, Count::Nanos];
    let number =
        units.into_iter().filter_map(|unit| decimal_ns(text.as_bytes(), unit).ok()).find(|ns| is_plausible(*ns));
    let written = || InstantReader::new(&TimeUnit::Iso8601 { zone: None }).ok()?.read(text.as_bytes()).ok();
    number.or_else(written).ok_or_else(|| {
        format!("{text:?} is not a time of the years 1990 to 2100; write 2022-10-26T08:17:21.847Z or 1666772241847")
    })
}

/// Bytes of a size: a whole number alone or with one of `Ki Mi Gi Ti` (powers of 1024) or `k M G T` (of 1000).
pub fn size_bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = split(text);
    let unit_bytes: Option<u64> = match unit {
        "" => Some(1),
        "k" => Some(1_000),
        "M" => Some(1_000_000),
        "G" => Some(1_000_000_000),
        "T" => Some(1_000_000_000_000),
        "Ki" => Some(1 << 10),
        "Mi" => Some(1 << 20),
        "Gi" => Some(1 << 30),
        "Ti" => Some(1 << 40),
        _ => None,
    };
    match unit_bytes {
        Some(unit_bytes) if !digits.is_empty() => digits
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(unit_bytes))
            .ok_or_else(|| format!("{text:?} is more than can be counted; write a smaller size")),
        _ => Err(format!(
            "{text:?} is not a size in bytes; write a whole number and a unit (Ki, Mi, Gi, Ti, k, M, G, T), such as 256Mi"
        )),
    }
}

/// A share in 0..=1: a decimal number and `%`, from `0%` to `100%`.
pub fn share(text: &str) -> Result<f64, String> {
    let example = "write a percentage from 0% to 100%, such as 1% or 0.5%";
    let number = text.strip_suffix('%').ok_or_else(|| format!("{text:?} is not a share; {example}"))?;
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match number.parse::<f64>() {
        Ok(percent) if plain && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(format!("{text:?} is not a share; {example}")),
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, ns) in [
            ("0s", 0),
            ("7ns", 7),
            ("3us", 3_000),
            ("500ms", 500_000_000),
            ("42s", 42_000_000_000),
            ("10m", 600_000_000_000),
            ("24h", DAY_NS),
            ("1d", DAY_NS),
        ] {
            assert_eq!(duration_ns(text), Ok(ns));
        }
        assert!(duration_ns("500").unwrap_err().contains("has no unit"));
        assert!(duration_ns("106752d").unwrap_err().contains("292 years"));
        for text in ["", "s", "1.5s", "-1s", "1 s", "1h30m", "1S", "１s"] {
            assert!(duration_ns(text).unwrap_err().contains("such as 500ms"), "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_with_its_largest_unit() {
        for text in ["0s", "42s", "90m", "1d", "500ms", "7ns", "25h", "3us"] {
            assert_eq!(duration_text(duration_ns(text).unwrap()), text);
        }
    }

    #[test]
    fn a_time_is_text_with_an_offset_or_a_number_of_its_own_unit() {
        let ns = 1_533_226_515_002_730_000;
        for text in [
            "2018-08-02T16:15:15.00273Z",
            "2018-08-02 18:15:15.002730+02:00",
            "1533226515.00273",
            "1533226515002.73",
            "1533226515002730",
            "1533226515002730000",
        ] {
            assert_eq!(instant_ns(text), Ok(ns), "{text}");
        }
        for text in ["", "now", "17", "-1533226515", "2018-08-02T16:15:15", "1e30"] {
            assert!(instant_ns(text).unwrap_err().contains("write 2022-10-26T08:17:21.847Z"), "{text}");
        }
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        assert_eq!((size_bytes("256Mi"), size_bytes("64Ki")), (Ok(268_435_456), Ok(65_536)));
        assert_eq!((size_bytes("1Gi"), size_bytes("2k"), size_bytes("17")), (Ok(1 << 30), Ok(2_000), Ok(17)));
        assert!(size_bytes("99999999Ti").unwrap_err().contains("smaller"));
        for text in ["", "Mi", "1.5Gi", "-1", "1MB", "1m"] {
            assert!(size_bytes(text).unwrap_err().contains("such as 256Mi"), "{text}");
        }
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!((share("1%"), share("0.5%"), share("100%"), share("0%")), (Ok(0.01), Ok(0.005), Ok(1.0), Ok(0.0)));
        for text in ["", "%", "0.01", "101%", "-1%", "1e1%", "NaN%", "1.2.3%", ".%"] {
            assert!(share(text).unwrap_err().contains("percentage"), "{text}");
        }
    }
}
