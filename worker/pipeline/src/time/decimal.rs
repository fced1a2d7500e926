//! Decimal text as time, exactly: `1533226515002.73` milliseconds are …002730000 ns, without passing through a float.

use thiserror::Error;

/// Any number of so many digits is an `i64`.
const DIGITS_SAFE: usize = 18;

/// What a decimal number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Count {
    /// 10^this nanoseconds are one.
    fn exponent(self) -> u32 {
        match self {
            Self::Seconds => 9,
            Self::Millis => 6,
            Self::Micros => 3,
            Self::Nanos => 0,
        }
    }
}

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum DecimalError {
    /// Not a JSON number.
    #[error("not a decimal number")]
    NotANumber,
    /// Beyond `i64` nanoseconds.
    #[error("beyond the years 1677 to 2262")]
    OutOfRange,
}

/// The nanoseconds that a JSON number (`-12`, `1.5e9`) of `count` says.
///
/// Digits below a nanosecond are rounded towards minus infinity, as everywhere: `-0.1` ns is -1. A leading `+`, leading
/// zeros and blanks are refused as JSON does. Takes time linear in the text whatever the exponent says.
pub fn decimal_ns(text: &[u8], count: Count) -> Result<i64, DecimalError> {
    if let Some(ns) = whole_ns(text, count) {
        return Ok(ns);
    }
    let number = Number::split(text).ok_or(DecimalError::NotANumber)?;
    let digits = number.whole.iter().chain(number.fraction);
    // How many of the digits stand before the point once it is moved to nanoseconds.
    let whole = i64::try_from(number.whole.len()).unwrap_or(i64::MAX);
    let before_point = whole.saturating_add(number.exponent).saturating_add(count.exponent().into());

    let mut magnitude: u64 = 0;
    let mut rest = false;
    let mut taken: i64 = 0;
    for digit in digits {
        if taken < before_point {
            magnitude = push(magnitude, digit - b'0').ok_or(DecimalError::OutOfRange)?;
        } else {
            rest |= *digit != b'0';
        }
        taken += 1;
    }
    if magnitude != 0 && taken < before_point {
        let power = u32::try_from(before_point - taken).ok().and_then(|zeros| 10u64.checked_pow(zeros));
        magnitude = power.and_then(|power| magnitude.checked_mul(power)).ok_or(DecimalError::OutOfRange)?;
    }
    signed(magnitude, rest, number.negative).ok_or(DecimalError::OutOfRange)
}

/// What digits and nothing else say, as most names of members write their time; `None`: it is another number, or too large.
fn whole_ns(text: &[u8], count: Count) -> Option<i64> {
    let is_plain = !text.is_empty() && text.len() <= DIGITS_SAFE && (text.len() == 1 || text[0] != b'0');
    is_plain.then_some(())?;
    let (mut whole, mut greatest) = (0i64, 0u8);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        greatest = greatest.max(digit);
        // So few digits cannot wrap; what is none is refused once all are read.
        whole = whole.wrapping_mul(10).wrapping_add(digit.into());
    }
    (greatest <= 9).then_some(())?;
    whole.checked_mul(10i64.pow(count.exponent()))
}

fn push(magnitude: u64, digit: u8) -> Option<u64> {
    magnitude.checked_mul(10)?.checked_add(u64::from(digit))
}

/// Floor of ±(magnitude + something below one if `rest`).
fn signed(magnitude: u64, rest: bool, negative: bool) -> Option<i64> {
    if negative {
        0i64.checked_sub_unsigned(magnitude.checked_add(u64::from(rest))?)
    } else {
        magnitude.try_into().ok()
    }
}

struct Number<'t> {
    negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    exponent: i64,
}

impl<'t> Number<'t> {
    /// By JSON's grammar; `None` for anything else.
    fn split(text: &'t [u8]) -> Option<Self> {
        let (negative, text) = match text.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, mut text) = digits(text);
        if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
            return None;
        }
        let mut fraction: &[u8] = &[];
        if let Some(rest) = text.strip_prefix(b".") {
            (fraction, text) = digits(rest);
            if fraction.is_empty() {
                return None;
            }
        }
        let exponent = match text {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        Some(Self { negative, whole, fraction, exponent })
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|b| b.is_ascii_digit()).count())
}

/// A signed exponent; one beyond `i64` is as good as the greatest.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = text.iter().fold(0i64, |n, b| n.saturating_mul(10).saturating_add(i64::from(b - b'0')));
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ns(text: &str, count: Count) -> Result<i64, DecimalError> {
        decimal_ns(text.as_bytes(), count)
    }

    #[test]
    fn decimal_milliseconds_are_exact() {
        assert_eq!(ns("1533226515002.73", Count::Millis), Ok(1_533_226_515_002_730_000));
        assert_eq!(ns("1533226515.002730001", Count::Seconds), Ok(1_533_226_515_002_730_001));
        assert_eq!(ns("1.5332265150027300015e9", Count::Seconds), Ok(1_533_226_515_002_730_001));
        assert_eq!(ns("1666742400000000", Count::Micros), Ok(1_666_742_400_000_000_000));
    }

    #[test]
    fn what_lies_below_a_nanosecond_is_rounded_down() {
        assert_eq!(ns("0.9", Count::Nanos), Ok(0));
        assert_eq!(ns("-0.1", Count::Nanos), Ok(-1));
        assert_eq!(ns("-1.0", Count::Nanos), Ok(-1));
        assert_eq!(ns("-0.0", Count::Nanos), Ok(0));
        assert_eq!(ns("-1e-999999999999999999999", Count::Seconds), Ok(-1));
    }

    #[test]
    fn the_ends_of_time_are_reached_and_not_passed() {
        assert_eq!(ns("9223372036854775807", Count::Nanos), Ok(i64::MAX));
        assert_eq!(ns("9223372036854775808", Count::Nanos), Err(DecimalError::OutOfRange));
        assert_eq!(ns("-9223372036854775808", Count::Nanos), Ok(i64::MIN));
        assert_eq!(ns("-9223372036854775808.1", Count::Nanos), Err(DecimalError::OutOfRange));
        assert_eq!(ns("123456789012345678901234567890", Count::Nanos), Err(DecimalError::OutOfRange));
    }

    #[test]
    fn a_huge_exponent_costs_nothing() {
        assert_eq!(ns("1e999999999999", Count::Seconds), Err(DecimalError::OutOfRange));
        assert_eq!(ns("0e999999999999999999999999", Count::Seconds), Ok(0));
        assert_eq!(ns("1e-400", Count::Seconds), Ok(0));
    }

    #[test]
    fn only_json_numbers_are_numbers() {
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", " 1", "1 ", "NaN", "Infinity", "0x1", "1_0", "1e1.5"]
        {
            assert_eq!(ns(text, Count::Millis), Err(DecimalError::NotANumber), "{text:?}");
        }
    }

    /// By definition, in 128 bits: the digits as one integer, shifted by the exponent.
    fn slowly(negative: bool, whole: u64, fraction: &str, exponent: i32, count: Count) -> Result<i64, DecimalError> {
        let digits: i128 = format!("{whole}{fraction}").parse().unwrap();
        let digits = if negative { -digits } else { digits };
        let shift = exponent - i32::try_from(fraction.len()).unwrap() + i32::try_from(count.exponent()).unwrap();
        let power = 10i128.checked_pow(shift.unsigned_abs());
        let value = match (shift >= 0, power) {
            (true, Some(power)) => digits.checked_mul(power),
            (true, None) => (digits == 0).then_some(0),
            (false, Some(power)) => Some(digits.div_euclid(power)),
            (false, None) => Some(if digits < 0 { -1 } else { 0 }),
        };
        value.and_then(|v| i64::try_from(v).ok()).ok_or(DecimalError::OutOfRange)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_decimal_is_what_big_integers_say(
            negative: bool,
            whole in prop_oneof![0u64..100, 0u64..10_000_000_000_000, any::<u64>()],
            fraction in prop_oneof![Just(String::new()), "[0-9]{0,15}"],
            exponent in prop_oneof![Just(0i32), -30i32..30],
            count in prop::sample::select(vec![Count::Seconds, Count::Millis, Count::Micros, Count::Nanos]),
        ) {
            let point = if fraction.is_empty() { "" } else { "." };
            let power = if exponent == 0 { String::new() } else { format!("e{exponent}") };
            let text = format!("{}{whole}{point}{fraction}{power}", if negative { "-" } else { "" });
            prop_assert_eq!(ns(&text, count), slowly(negative, whole, &fraction, exponent, count), "{}", text);
        }
    }
}
