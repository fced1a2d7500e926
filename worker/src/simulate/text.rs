//! JSON text written straight into bytes: fixed-point numbers without floats.

const PAIRS: &[u8; 200] = b"00010203040506070809101112131415161718192021222324252627282930313233343536373839\
40414243444546474849505152535455565758596061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Writes `value` in decimal.
pub(super) fn integer(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        let pair = (rest % 100) as usize * 2;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        if rest < 100 {
            break;
        }
        rest /= 100;
    }
    let start = at + usize::from(rest < 10);
    out.extend_from_slice(&digits[start..]);
}

/// Writes `value / 10^decimals` as JavaScript would: no trailing zeros, no point without a fraction.
pub(super) fn fixed(out: &mut Vec<u8>, value: i64, decimals: u32) {
    if value < 0 {
        out.push(b'-');
    }
    let one = 10u64.pow(decimals);
    let (whole, fraction) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
    integer(out, whole);
    if fraction == 0 {
        return;
    }
    let point = out.len();
    // The leading 1 keeps the zeros behind the point; the point takes its place.
    integer(out, one + fraction);
    out[point] = b'.';
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// Writes the lowest `digits` hexadecimal digits of `value`.
pub(super) fn hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * place) & 15) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_are_written_as_rust_writes_them() {
        for value in [0, 7, 9, 10, 99, 100, 101, 12_345, 1_533_226_515_002, u64::MAX] {
            assert_eq!(text(|out| integer(out, value)), value.to_string());
        }
    }

    #[test]
    fn fractions_lose_their_trailing_zeros_only() {
        assert_eq!(text(|out| fixed(out, 153_322_651_500_273, 2)), "1533226515002.73");
        assert_eq!(text(|out| fixed(out, 153_322_651_500_200, 2)), "1533226515002");
        assert_eq!(text(|out| fixed(out, -10_050, 4)), "-1.005");
        assert_eq!(text(|out| fixed(out, -5, 6)), "-0.000005");
        assert_eq!(text(|out| fixed(out, 0, 3)), "0");
    }

    #[test]
    fn hexadecimal_keeps_leading_zeros() {
        assert_eq!(text(|out| hex(out, 0xAB, 4)), "00ab");
    }
}
