//! A digest of words and numbers, one after the other: BLAKE3, told in 128 bits.
//!
//! They are gathered before they are hashed: many chunks at once take a fifth of the time of one. What comes out is the same.

/// Hex digits of a digest: 128 bits name billions of things without a collision.
const HEX: usize = 32;
/// Hashed at a time: sixteen chunks of BLAKE3, side by side where the processor can.
const GATHERED_BYTES: usize = 16 << 10;

/// A digest in the making.
#[derive(Debug, Default)]
pub(super) struct Digest {
    hasher: blake3::Hasher,
    gathered: Vec<u8>,
}

impl Digest {
    /// Adds a text, with its length before it, so that no two lists of texts look alike.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes(bytes);
    }

    /// Adds bytes whose length says itself.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED_BYTES {
            let whole = self.gathered.len() - self.gathered.len() % GATHERED_BYTES;
            self.hasher.update(&self.gathered[..whole]);
            self.gathered.drain(..whole);
        }
    }

    /// What it comes to, in hex.
    pub(super) fn hex(mut self) -> String {
        self.hasher.update(&self.gathered);
        let mut hex = self.hasher.finalize().to_hex().to_string();
        hex.truncate(HEX);
        hex
    }
}

/// A 128-bit name of some bytes, in hex.
pub fn digest(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.bytes(bytes);
    digest.hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_come_to_what_they_are_together() {
        let bytes: Vec<u8> = (0..100_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        for length in [1, 7, 100, 8_191, 8_192, 20_000, 100_000] {
            let mut pieces = Digest::default();
            bytes.chunks(length).for_each(|piece| pieces.bytes(piece));
            assert_eq!(pieces.hex(), blake3::hash(&bytes).to_hex()[..HEX]);
        }
        assert_eq!(digest(b""), blake3::hash(b"").to_hex()[..HEX]);
    }
}
