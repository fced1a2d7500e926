//! Names that are bytes: UTF-8 as it is, anything else escaped, so that every name can be printed and told apart.

use std::borrow::Cow;
use std::fmt::Write;

/// The text of a name; bytes that are not UTF-8 are written as `\xNN`. Text that is UTF-8 is never changed, so a name that
/// spells `\xNN` itself stays as it is.
pub(crate) fn printable(name: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(name) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(name.len() + 8);
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn bytes_that_are_not_utf8_are_escaped_and_the_rest_is_kept() {
        assert_eq!(printable("Müll/ä.json".as_bytes()), "Müll/ä.json");
        assert_eq!(printable(b"a\xff\xfeb\xc3"), "a\\xff\\xfeb\\xc3");
        assert_eq!(printable(b""), "");
    }
}
