//! Decimals as sensors mostly write them: up to eight digits, the point among or behind them, or eight more before those.
//!
//! ```text
//!  0.503077           whole 1, 7 digits         the point falls out where two loads, a byte apart, are put together
//!  1767229000056.27   17672290, then 00056.27
//! ```
//! Where such a number ends is known from where it begins, without first finding its point; [`super::number`] reads all others.

use super::number::{EXACT_BELOW, POWERS, TENS, ZEROS, eight_digits, leading, not_digits};

/// Bytes that are looked at: twice eight digits, and a point.
const BYTES: usize = 17;

/// A short decimal, `mantissa / 10^decimals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    mantissa: u64,
    decimals: usize,
    negative: bool,
    /// Bytes that it takes.
    pub(crate) bytes: usize,
}

impl Short {
    /// Reads the short decimal at the start of `bytes`; `None`: what is there is none, or `bytes` end too soon to tell.
    ///
    /// What follows is not looked at, so this may be the beginning of another number (`1.5e3`): a caller whose text goes on with
    /// neither blank, comma nor bracket has to read again.
    #[inline(always)]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let negative = *bytes.first()? == b'-';
        let start = usize::from(negative);
        let window: &[u8; BYTES] = bytes.get(start..)?.first_chunk()?;
        let word = |at: usize| window[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let digits = word(0) ^ ZEROS;
        let zero_first = window[0] == b'0';
        if not_digits(digits) != 0 {
            let Dotted { value, count, whole, bytes } = Dotted::of(digits, word(1) ^ ZEROS)?;
            let is_number = whole == 1 || (whole > 1 && !zero_first);
            return is_number.then_some(Self {
                mantissa: value,
                decimals: count - whole,
                negative,
                bytes: start + bytes,
            });
        }
        let Dotted { value, count, whole, bytes } = Dotted::of(word(8) ^ ZEROS, word(9) ^ ZEROS)?;
        let mantissa = eight_digits(digits) * TENS[count] + value;
        (!zero_first).then_some(Self { mantissa, decimals: count - whole, negative, bytes: start + 8 + bytes })
    }

    /// The nearest double, as [`super::number::Number::as_f64`] gives it; `None` where that takes more than one division.
    #[inline(always)]
    pub(crate) fn as_f64(self) -> Option<f64> {
        if self.mantissa >= EXACT_BELOW {
            return None;
        }
        let magnitude = self.mantissa as f64 / POWERS[self.decimals];
        // The sign bit, without a branch.
        Some(f64::from_bits(magnitude.to_bits() | u64::from(self.negative) << 63))
    }

    /// The number × 10^`shift`, where that is a whole one without a sign.
    #[inline(always)]
    pub(crate) fn as_scaled_i64(self, shift: i32) -> Option<i64> {
        let power = usize::try_from(shift).ok()?.checked_sub(self.decimals)?;
        let scaled = self.mantissa.checked_mul(*TENS.get(power)?)?;
        i64::try_from(scaled).ok().filter(|_| !self.negative)
    }
}

/// Up to eight digits with at most one point, which is not the last of them.
struct Dotted {
    /// What the digits say without the point.
    value: u64,
    /// How many there are.
    count: usize,
    /// How many stand before the point.
    whole: usize,
    /// Bytes that they take with it.
    bytes: usize,
}

impl Dotted {
    /// Those that nine bytes begin with: the first eight, and the last eight, each less [`ZEROS`]. `None`: there are more, or none
    /// behind a point.
    #[inline(always)]
    fn of(first: u64, last: u64) -> Option<Self> {
        let marks = not_digits(first);
        if marks == 0 {
            return None;
        }
        let bits = marks.trailing_zeros() & 56;
        let whole = (bits / 8) as usize;
        if (first >> bits) & 0xFF != u64::from(b'.' ^ b'0') {
            // In two steps: without a digit it is by 64 bits, one too many for one.
            let value = eight_digits(first << (56 - bits) << 8);
            return Some(Self { value, count: whole, whole, bytes: whole });
        }
        // Digits behind the point move up to it, so that all are counted and read together.
        let before = (1 << bits) - 1;
        let closed = first & before | last & !before;
        let closed_bits = not_digits(closed).trailing_zeros() & !7;
        let count = (closed_bits / 8) as usize;
        (count > whole).then(|| Self { value: leading(closed, closed_bits), count, whole, bytes: count + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::Number;
    use super::*;

    /// Everything that a decimal of these parts could be written as.
    fn texts() -> impl Iterator<Item = String> {
        let wholes = ["", "0", "7", "10", "00", "05", "1234567", "12345678", "01234567", "123456789", "1767225625055"];
        let wholes = wholes.into_iter().chain(["1234567812345678", "12345678123456789"]);
        let fractions = ["", ".", ".0", ".25", ".123", ".1234567", ".12345678", ".123456789", ".1.2"];
        wholes.flat_map(move |whole| fractions.into_iter().map(move |fraction| format!("{whole}{fraction}")))
    }

    #[test]
    fn what_is_read_is_what_the_long_way_reads() {
        let (mut read, mut all) = (0, 0);
        for text in texts() {
            for (sign, rest) in [("", ",\"a\":1"), ("-", "}"), ("", " ")] {
                let text = format!("{sign}{text}{rest}                 ");
                let mut number = Number::ZERO;
                let scanned = number.scan(text.as_bytes());
                all += 1;
                let Some(short) = Short::read(text.as_bytes()) else { continue };
                // A number that goes on is the caller's to notice.
                if !matches!(text.as_bytes()[short.bytes], b',' | b'}' | b' ') {
                    continue;
                }
                read += 1;
                assert_eq!(Ok(short.bytes), scanned, "{text}");
                let double = number.as_f64(&text[..short.bytes]).unwrap();
                assert!(short.as_f64().is_none_or(|value| value.to_bits() == double.to_bits()), "{text}");
                for shift in [0, 3, 6, 9] {
                    let scaled = number.as_scaled_i64(shift);
                    assert!(short.as_scaled_i64(shift).is_none_or(|value| Some(value) == scaled), "{text}");
                }
            }
        }
        assert!(read * 5 > all, "{read} of {all}");
    }

    #[test]
    fn what_sensors_write_is_short() {
        for (text, double) in [
            ("0.503077", 0.503_077),
            ("-0.019278", -0.019_278),
            ("0", 0.0),
            ("-0", -0.0),
            ("12345678", 12_345_678.0),
            ("1767229000056.27", 1_767_229_000_056.27),
        ] {
            let short = Short::read(format!("{text},                 ").as_bytes()).unwrap();
            assert_eq!((short.bytes, short.as_f64().map(f64::to_bits)), (text.len(), Some(f64::to_bits(double))));
        }
        let time = Short::read(b"1767229000056.27,                 ").unwrap();
        assert_eq!(time.as_scaled_i64(6), Some(1_767_229_000_056_270_000));
        assert_eq!(time.as_scaled_i64(0), None);
    }

    #[test]
    fn what_is_no_number_or_not_whole_is_not_read() {
        for text in ["", "-", "05,", ".5,", "1.,", "-.5,", "NaN", "\"1\"", "[1]", "null", "1.5"] {
            assert_eq!(Short::read(text.as_bytes()), None, "{text}");
        }
    }
}
