//! JSON strings: where one ends, whether it is well formed, and what it says.
//!
//! Input is already UTF-8. Refused: control characters, unknown escapes, lone surrogates (they have no text).

use std::borrow::Cow;

/// Eight bytes of ones.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The top bit of each of eight bytes.
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Finds the closing quote of the string whose first byte after the opening quote is at `at`. Returns its offset and
/// whether there are escapes, or the offset of what is wrong.
#[inline]
pub(crate) fn scan(bytes: &[u8], mut at: usize) -> Result<(usize, bool), usize> {
    let mut escaped = false;
    loop {
        if let Some(eight) = bytes.get(at..at + 8) {
            let hits = special(word(eight));
            if hits == 0 {
                at += 8;
                continue;
            }
            at += (hits.trailing_zeros() / 8) as usize;
        }
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at += escape(bytes, at)?;
            }
            Some(byte) if *byte >= 0x20 => at += 1,
            _ => return Err(at.min(bytes.len())),
        }
    }
}

/// Eight bytes as one number, the first lowest.
#[inline]
fn word(eight: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(eight);
    u64::from_le_bytes(bytes)
}

/// The top bit of each byte that is a quote, a backslash or a control character. A borrow can mark a byte above a true
/// one wrongly, never below: the lowest mark is right.
#[inline]
fn special(word: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & TOPS
}

/// Length of the escape at `at`, a surrogate pair being one.
fn escape(bytes: &[u8], at: usize) -> Result<usize, usize> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match unit(bytes, at).ok_or(at)? {
            0xD800..=0xDBFF => match unit(bytes, at + 6) {
                Some(0xDC00..=0xDFFF) => Ok(12),
                _ => Err(at),
            },
            0xDC00..=0xDFFF => Err(at),
            _ => Ok(6),
        },
        _ => Err(at),
    }
}

/// The UTF-16 unit of the `\uXXXX` at `at`.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let escape = bytes.get(at..at + 6)?;
    if !escape.starts_with(b"\\u") {
        return None;
    }
    escape[2..].iter().try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
}

/// What the inside of a string says; borrowed where nothing is escaped.
pub(crate) fn content(raw: &str, escaped: bool) -> Cow<'_, str> {
    if !escaped {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    unescape(raw, &mut text);
    Cow::Owned(text)
}

/// Appends what `raw` says, the inside of a string that [`scan`] has accepted.
pub(crate) fn unescape(raw: &str, into: &mut String) {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        into.push_str(&rest[..at]);
        let length = escape(rest.as_bytes(), at).unwrap_or(2);
        into.push(said(&rest.as_bytes()[at..at + length]));
        rest = &rest[at + length..];
    }
    into.push_str(rest);
}

/// The character that one whole escape says.
fn said(escape: &[u8]) -> char {
    match escape[1] {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit(escape, 0).unwrap_or(0);
            let code = unit(escape, 6).map_or(first, |low| 0x10000 + ((first & 0x3FF) << 10) + (low & 0x3FF));
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_by(inside: &str) -> Option<String> {
        let closed = format!("{inside}\" and more text");
        let (end, escaped) = scan(closed.as_bytes(), 0).ok()?;
        assert_eq!((end, escaped), (inside.len(), inside.contains('\\')));
        let mut text = String::new();
        unescape(inside, &mut text);
        Some(text)
    }

    #[test]
    fn escapes_say_their_characters() {
        assert_eq!(said_by(r#"a\"b\\c\/d\b\f\n\r\t"#).unwrap(), "a\"b\\c/d\u{8}\u{c}\n\r\t");
        assert_eq!(said_by(r"\u0041\u00e9\u20AC\ud83e\udd16").unwrap(), "Aé€🤖");
        assert_eq!(said_by("plain, long enough for two words").unwrap(), "plain, long enough for two words");
        assert_eq!(said_by("é🤖 \u{7f}").unwrap(), "é🤖 \u{7f}");
    }

    #[test]
    fn lone_surrogates_controls_and_unknown_escapes_are_refused_where_they_stand() {
        for (inside, at) in [
            (r"ab\ud83e", 2),
            (r"\udd16", 0),
            (r"\ud83e\u0041", 0),
            (r"x\q", 1),
            (r"x\u12g4", 1),
            ("abcdefgh\nij", 8),
            ("\u{0}", 0),
            (r"1234567\u12", 7),
        ] {
            assert_eq!(scan(format!("{inside}\"").as_bytes(), 0), Err(at), "{inside}");
        }
        assert_eq!(scan(b"no end", 0), Err(6));
        assert_eq!(scan(b"no end here at all", 0), Err(18));
    }
}
