//! Bytes that a text is expected to go on with, made to be compared with it in one step: keys with what stands around them are mostly
//! shorter than two machine words.

/// The bytes.
#[derive(Debug)]
pub(crate) struct Literal {
    bytes: Vec<u8>,
    /// The first sixteen bytes, the first lowest; zero after the end.
    head: u128,
    /// Ones where `head` has bytes.
    mask: u128,
    /// The last sixteen bytes of a longer one.
    tail: [u8; 16],
}

impl Literal {
    /// Any bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut head = [0; 16];
        let mut mask = [0; 16];
        for (index, byte) in bytes.iter().take(16).enumerate() {
            (head[index], mask[index]) = (*byte, 0xFF);
        }
        Self {
            bytes: bytes.to_vec(),
            head: u128::from_le_bytes(head),
            mask: u128::from_le_bytes(mask),
            tail: bytes.last_chunk().copied().unwrap_or_default(),
        }
    }

    /// How many.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether `text` starts with them.
    #[inline]
    pub(crate) fn starts(&self, text: &[u8]) -> bool {
        match text.first_chunk::<16>() {
            Some(head) if u128::from_le_bytes(*head) & self.mask != self.head => false,
            Some(_) if self.bytes.len() <= 16 => true,
            Some(_) if self.bytes.len() <= 32 => {
                text.get(self.bytes.len() - 16..).is_some_and(|rest| rest.starts_with(&self.tail))
            }
            _ => text.starts_with(&self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_starts_with_a_literal_or_not_whatever_their_lengths() {
        let text: Vec<u8> = (b'a'..=b'z').chain(b'A'..=b'Z').collect();
        for length in 0..text.len() {
            let literal = Literal::new(&text[..length]);
            for end in 0..=text.len() {
                assert_eq!(literal.starts(&text[..end]), end >= length, "{length} of {end}");
            }
            for wrong in 0..length {
                let mut text = text.clone();
                text[wrong] = b'!';
                assert!(!literal.starts(&text), "{wrong} of {length}");
            }
        }
    }
}
