//! JSON numbers, kept exact: a decimal is `mantissa × 10^exponent` until somebody asks for a double, an integer or a time.
//!
//! ```text
//!  -1533226515002.73   mantissa 153322651500273, exponent -2, negative
//! ```
//! Not here: where a number stands in a document ([`super::json`]) and what its unit is ([`super::clock`]).

/// Most decimal digits that always fit `u64`.
const DIGITS_MAX: u32 = 19;
/// Most digits that [`Number::quick`] takes.
const QUICK_DIGITS_MAX: usize = 18;
/// Doubles hold integers below this exactly.
pub(super) const EXACT_BELOW: u64 = 1 << 53;
/// Exponents are clamped to ± this; everything beyond is zero or out of range for every type (a member has at most a few
/// hundred million digits, and no mantissa can bring an exponent of a milliard back).
const EXPONENT_MAX: i64 = 1_000_000_000;
/// Eight digits of zero.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;
/// Powers of ten.
pub(super) const TENS: [u64; 17] = {
    let mut tens = [1; 17];
    let mut power = 1;
    while power < tens.len() {
        tens[power] = tens[power - 1] * 10;
        power += 1;
    }
    tens
};
/// The powers of ten that a double holds exactly.
pub(super) const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// What a number token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    /// The first [`DIGITS_MAX`] significant digits.
    pub(crate) mantissa: u64,
    /// Power of ten of the mantissa's last digit.
    pub(crate) exponent: i32,
    /// Whether it begins with a minus.
    pub(crate) negative: bool,
    /// How the token is to be read.
    pub(crate) form: Form,
}

/// How a number token is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `mantissa × 10^exponent`, exactly.
    Exact,
    /// A little more than that in magnitude: later digits, not all zero, were left out.
    Longer,
    /// `NaN`.
    Nan,
    /// `Infinity`, `-Infinity`.
    Infinite,
}

/// A finite literal whose double is infinite, such as `1e400`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Number {
    /// 0.
    pub(crate) const ZERO: Self = Self::integer(0);

    /// A number that is an unsigned integer, such as a position.
    pub(crate) const fn integer(value: u64) -> Self {
        Self { mantissa: value, exponent: 0, negative: false, form: Form::Exact }
    }

    /// Reads the number at the start of `bytes`: strict JSON, or bare `NaN`, `Infinity`, `-Infinity`. Fills it in and
    /// returns the bytes it takes, or the offset of the first byte that does not fit.
    #[inline]
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        self.form = Form::Exact;
        self.negative = bytes.first() == Some(&b'-');
        let start = usize::from(self.negative);
        let (mut mantissa, mut at) = digits(bytes, start, 0);
        if at == start {
            return self.word(bytes, start);
        }
        if bytes[start] == b'0' && at > start + 1 {
            return Err(start + 1);
        }
        let mut count = at - start;
        let mut exponent = 0i64;
        if bytes.get(at) == Some(&b'.') {
            let point = at + 1;
            (mantissa, at) = digits(bytes, point, mantissa);
            if at == point {
                return Err(at);
            }
            count += at - point;
            exponent = -to_i64(at - point);
        }
        let end = at;
        if let Some(b'e' | b'E') = bytes.get(at) {
            let (power, after) = power(bytes, at + 1)?;
            exponent += power;
            at = after;
        }
        self.mantissa = mantissa;
        self.exponent = clamp(exponent);
        if count > DIGITS_MAX as usize {
            self.shorten(&bytes[start..end], exponent);
        }
        Ok(at)
    }

    /// The short way of [`Number::scan`]: the number at the start of `bytes` and the bytes it takes, where it has at most
    /// eighteen digits, sixteen on either side of the point, and no exponent, and some text follows. `None`: any other, or none
    /// at all. Where a number ends is one load away from where it begins, so that several are read at a time.
    #[inline(always)]
    pub(crate) fn quick(bytes: &[u8]) -> Option<(Self, usize)> {
        let negative = *bytes.first()? == b'-';
        let start = usize::from(negative);
        let (mut mantissa, count) = run(bytes.get(start..)?)?;
        if count == 0 || (bytes[start] == b'0' && count > 1) {
            return None;
        }
        let (mut at, mut decimals) = (start + count, 0);
        if *bytes.get(at)? == b'.' {
            let (low, behind) = run(bytes.get(at + 1..)?)?;
            if behind == 0 || count + behind > QUICK_DIGITS_MAX {
                return None;
            }
            mantissa = mantissa * TENS[behind] + low;
            (at, decimals) = (at + 1 + behind, behind);
        }
        let goes_on = matches!(*bytes.get(at)?, b'0'..=b'9' | b'e' | b'E');
        let exponent = -i32::try_from(decimals).ok()?;
        (!goes_on).then_some((Self { mantissa, exponent, negative, form: Form::Exact }, at))
    }

    /// The number that `text` wholly is, if it is one.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut number = Self::ZERO;
        let end = number.scan(text.as_bytes()).ok()?;
        (end == text.len()).then_some(number)
    }

    /// Counts again over more digits than a mantissa holds: the first significant ones stay, the others become exponent
    /// and [`Form::Longer`]. `exponent` is that of the last digit.
    #[cold]
    fn shorten(&mut self, digits: &[u8], exponent: i64) {
        let (mut taken, mut left_out) = (0, 0);
        self.mantissa = 0;
        for digit in digits.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0') {
            if taken == DIGITS_MAX {
                left_out += 1;
                self.form = if digit == 0 { self.form } else { Form::Longer };
            } else if taken > 0 || digit != 0 {
                self.mantissa = self.mantissa * 10 + u64::from(digit);
                taken += 1;
            }
        }
        self.exponent = clamp(exponent + left_out);
    }

    /// `NaN`, `Infinity` or `-Infinity`, where a digit was expected.
    #[cold]
    fn word(&mut self, bytes: &[u8], at: usize) -> Result<usize, usize> {
        let rest = &bytes[at..];
        (self.mantissa, self.exponent) = (0, 0);
        if rest.starts_with(b"Infinity") {
            self.form = Form::Infinite;
            Ok(at + b"Infinity".len())
        } else if rest.starts_with(b"NaN") && !self.negative {
            self.form = Form::Nan;
            Ok(at + b"NaN".len())
        } else {
            Err(at)
        }
    }

    /// The nearest double, ties to even, bit for bit what `str::parse` gives for `text`, which is the number as written.
    ///
    /// An integer below 2^53 and a power of ten up to 10^22 are exact doubles, and one IEEE division or multiplication of
    /// exact operands rounds once: that is the fast way (Clinger 1990). Everything else is parsed by the standard library.
    #[inline]
    pub(crate) fn as_f64(&self, text: &str) -> Result<f64, Overflow> {
        match self.as_f64_quickly() {
            Some(value) => Ok(value),
            None => self.as_f64_slowly(text),
        }
    }

    /// The fast way of [`Number::as_f64`], where it can be gone: a finite double.
    #[inline]
    pub(crate) fn as_f64_quickly(&self) -> Option<f64> {
        if self.form != Form::Exact || self.mantissa >= EXACT_BELOW {
            return None;
        }
        let power = POWERS.get(self.exponent.unsigned_abs() as usize)?;
        let magnitude = self.mantissa as f64;
        let value = if self.exponent < 0 { magnitude / power } else { magnitude * power };
        // The sign bit, without a branch.
        Some(f64::from_bits(value.to_bits() | u64::from(self.negative) << 63))
    }

    /// Everything but the fast way.
    #[inline(never)]
    fn as_f64_slowly(&self, text: &str) -> Result<f64, Overflow> {
        match self.form {
            Form::Nan => Ok(f64::NAN),
            Form::Infinite if self.negative => Ok(f64::NEG_INFINITY),
            Form::Infinite => Ok(f64::INFINITY),
            Form::Exact | Form::Longer => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => Err(Overflow),
            },
        }
    }

    /// The integer it is, if it is one that `i64` holds: `3`, `3.0` and `30e-1` are 3.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        if self.form != Form::Exact {
            return None;
        }
        if self.mantissa == 0 {
            return Some(0);
        }
        let power = 10u64.checked_pow(self.exponent.unsigned_abs());
        let magnitude = match (self.exponent < 0, power) {
            (false, Some(power)) => self.mantissa.checked_mul(power)?,
            (true, Some(power)) if self.mantissa.is_multiple_of(power) => self.mantissa / power,
            _ => return None,
        };
        let value = i128::from(magnitude);
        i64::try_from(if self.negative { -value } else { value }).ok()
    }

    /// The number × 10^`shift`, rounded towards minus infinity, if `i64` holds it. Exact: no float on the way.
    ///
    /// So `1533226515002.73` with shift 6 is `1533226515002730000`: milliseconds as nanoseconds.
    #[inline]
    pub(crate) fn as_scaled_i64(&self, shift: i32) -> Option<i64> {
        let exponent = self.exponent.saturating_add(shift);
        let power = usize::try_from(exponent).ok().and_then(|exponent| TENS.get(exponent));
        if let (Form::Exact, false, Some(power)) = (self.form, self.negative, power) {
            return i64::try_from(self.mantissa.checked_mul(*power)?).ok();
        }
        self.as_scaled_i64_slowly(shift)
    }

    /// Any number, sign and power.
    #[inline(never)]
    fn as_scaled_i64_slowly(&self, shift: i32) -> Option<i64> {
        let longer = match self.form {
            Form::Exact => false,
            Form::Longer => true,
            Form::Nan | Form::Infinite => return None,
        };
        if self.mantissa == 0 {
            return Some(0);
        }
        let exponent = self.exponent.saturating_add(shift);
        let power = 10u64.checked_pow(exponent.unsigned_abs());
        let (floor, rest) = match (exponent < 0, power) {
            (false, Some(power)) => (u128::from(self.mantissa) * u128::from(power), longer),
            (false, None) => return None,
            (true, Some(power)) => (u128::from(self.mantissa / power), longer || !self.mantissa.is_multiple_of(power)),
            (true, None) => (0, true),
        };
        let floor = i128::try_from(floor).ok()?;
        let value = if self.negative { -floor - i128::from(rest) } else { floor };
        i64::try_from(value).ok()
    }
}

/// Takes digits from `at` on top of `mantissa`; wraps when they are too many, which the caller counts.
///
/// Eight bytes at a time: how many of them are digits is one subtraction, what they say three multiplications, so that
/// numbers of changing length cost no mispredicted branch per digit.
#[inline]
fn digits(bytes: &[u8], mut at: usize, mut mantissa: u64) -> (u64, usize) {
    while let Some((value, count)) = bytes.get(at..).and_then(few) {
        mantissa = mantissa.wrapping_mul(TENS[count]).wrapping_add(value);
        at += count;
        if count < 8 {
            return (mantissa, at);
        }
    }
    while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (mantissa, at)
}

/// What the first digits of `bytes` say, at most sixteen, and how many there are; `None` where `bytes` end too soon to tell.
#[inline(always)]
fn run(bytes: &[u8]) -> Option<(u64, usize)> {
    match few(bytes)? {
        (high, 8) => few(&bytes[8..]).map(|(low, count)| (high * TENS[count] + low, 8 + count)),
        few => Some(few),
    }
}

/// The same, at most eight.
#[inline(always)]
fn few(bytes: &[u8]) -> Option<(u64, usize)> {
    let values = u64::from_le_bytes(*bytes.first_chunk::<8>()?) ^ ZEROS;
    match not_digits(values).trailing_zeros() & !7 {
        0 => Some((0, 0)),
        bits => Some((leading(values, bits), (bits / 8) as usize)),
    }
}

/// What those of eight digits, each less [`ZEROS`], say that lie in the lowest `bits`: 8 to 64 of them, for none it means
/// nothing.
#[inline(always)]
pub(super) fn leading(digits: u64, bits: u32) -> u64 {
    eight_digits(digits.wrapping_shl(64 - bits))
}

/// The top bit of each of eight bytes, less [`ZEROS`], that is no digit.
#[inline(always)]
pub(super) fn not_digits(values: u64) -> u64 {
    (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080
}

/// What eight digits say, the first in the lowest byte: pairs, then fours and eights at once.
#[inline]
pub(super) fn eight_digits(values: u64) -> u64 {
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    low.wrapping_add(high) >> 32
}

/// The written power of ten at `at`, after the `e`, clamped; and the offset after it.
fn power(bytes: &[u8], at: usize) -> Result<(i64, usize), usize> {
    let negative = bytes.get(at) == Some(&b'-');
    let start = at + usize::from(matches!(bytes.get(at), Some(b'-' | b'+')));
    let mut value = 0i64;
    let mut at = start;
    while let Some(digit) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
        value = (value * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX);
        at += 1;
    }
    if at == start {
        return Err(at);
    }
    Ok((if negative { -value } else { value }, at))
}

/// Clamps an exponent so that sums of it cannot overflow.
fn clamp(exponent: i64) -> i32 {
    i32::try_from(exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX)).unwrap_or(0)
}

/// A count of bytes as `i64`; slices are never longer.
fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::of(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn doubles_are_those_of_the_standard_library() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "0.1",
            "0.3",
            "-2.024668694",
            "7.974305555555556",
            "7.981250000000001",
            "9007199254740993",
            "123456789012345678901234567890",
            "1e22",
            "1e23",
            "4.9e-324",
            "1e-400",
            "-7.39e-30",
            "1.7976931348623157e308",
            "0.000000000000000000000000000001",
            "2.2250738585072011e-308",
            "179769313486231580793728971405301e276",
            "1.00000000000000011102230246251565404236316680908203125",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(text).as_f64(text).unwrap().to_bits(), expected.to_bits(), "{text}");
        }
        assert_eq!(number("1e400").as_f64("1e400"), Err(Overflow));
        assert_eq!(number("-1e309").as_f64("-1e309"), Err(Overflow));
        assert!(number("NaN").as_f64("NaN").unwrap().is_nan());
        assert_eq!(number("-Infinity").as_f64("-Infinity"), Ok(f64::NEG_INFINITY));
    }

    #[test]
    fn the_short_way_says_what_the_long_one_says_or_nothing() {
        let wholes = [
            "0",
            "7",
            "10",
            "1234567",
            "12345678",
            "123456789",
            "1767225625055",
            "1234567890123456",
            "12345678901234567",
        ];
        let fractions =
            ["", ".", ".0", ".25", ".1234567", ".12345678", ".123456789", ".1234567890123456", ".12345678901234567"];
        let (mut short, mut all) = (0, 0);
        for text in wholes.iter().flat_map(|whole| fractions.iter().map(move |fraction| format!("{whole}{fraction}"))) {
            for (sign, rest) in [("", ",\"a\":1"), ("-", "}"), ("0", " "), ("", "e5 and so on"), ("-", "")] {
                let text = format!("{sign}{text}{rest}");
                let mut long = Number::ZERO;
                let scanned = long.scan(text.as_bytes());
                for bytes in [text.as_bytes(), format!("{text}                ").as_bytes()] {
                    if let Some((number, length)) = Number::quick(bytes) {
                        assert_eq!((number, Ok(length)), (long, scanned), "{text}");
                        short += 1;
                    }
                    all += 1;
                }
            }
        }
        assert!(short * 5 > all, "{short} of {all}");
    }

    #[test]
    fn only_json_numbers_and_the_three_words_are_numbers() {
        for text in
            ["", "-", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "0x1", "1_0", "nan", "-NaN", "inf", "Infinit", "1 "]
        {
            assert_eq!(Number::of(text), None, "{text}");
        }
        for text in ["0", "-0", "10", "1.0", "1e5", "1E+5", "1.5e-5", "NaN", "Infinity", "-Infinity", "0e0", "0.0"] {
            assert!(Number::of(text).is_some(), "{text}");
        }
    }

    #[test]
    fn integers_are_what_they_are_however_written() {
        for (text, value) in [
            ("3", 3),
            ("3.0", 3),
            ("1e3", 1000),
            ("30e-1", 3),
            ("-0", 0),
            ("0e99999999999", 0),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807", i64::MAX),
            ("1.00000000000000000000000000", 1),
            ("10000000000000000000000000e-20", 100_000),
            ("0.0000000000000000000000000e5", 0),
        ] {
            assert_eq!(number(text).as_i64(), Some(value), "{text}");
        }
        for text in [
            "3.5",
            "9223372036854775808",
            "-9223372036854775809",
            "1e19",
            "1e-1",
            "NaN",
            "Infinity",
            "123456789012345678901234567890",
            "1.00000000000000000000000001",
            "1e999999999999",
        ] {
            assert_eq!(number(text).as_i64(), None, "{text}");
        }
    }

    #[test]
    fn decimal_time_is_exact_and_rounds_towards_minus_infinity() {
        for (text, shift, value) in [
            ("1533226515002.73", 6, Some(1_533_226_515_002_730_000)),
            ("1666772241847", 6, Some(1_666_772_241_847_000_000)),
            ("1533226515.00273", 9, Some(1_533_226_515_002_730_000)),
            ("1.5332265150027300001e9", 9, Some(1_533_226_515_002_730_000)),
            ("1533226515002730000.9999999999999", 0, Some(1_533_226_515_002_730_000)),
            ("-0.1", 0, Some(-1)),
            ("-1.00000000000000000000000000001", 0, Some(-2)),
            ("-1.0", 0, Some(-1)),
            ("0.9", 0, Some(0)),
            ("1e-99", 9, Some(0)),
            ("-1e-99", 9, Some(-1)),
            ("9223372036854775807", 0, Some(i64::MAX)),
            ("-9223372036854775808", 0, Some(i64::MIN)),
            ("9223372036854775808", 0, None),
            ("1e400", 9, None),
            ("99999999999999999999999", 0, None),
            ("0e400", 9, Some(0)),
        ] {
            assert_eq!(number(text).as_scaled_i64(shift), value, "{text}");
        }
    }
}
