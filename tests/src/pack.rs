//! Zips, right and wrong: the writer says exactly what it is told, names and checksums included, so that damage can be made.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{DeflateEncoder, GzEncoder};
use std::io::{Read, Write};

/// The bytes in gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// The bytes out of gzip.
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).expect("it is gzip");
    plain
}

/// A member to be.
#[derive(Debug, Clone)]
pub struct Entry {
    name: Vec<u8>,
    stored: Vec<u8>,
    method: u16,
    crc32: u32,
    bytes: u32,
}

impl Entry {
    /// Stored as it is.
    pub fn stored(name: impl AsRef<[u8]>, bytes: &[u8]) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            stored: bytes.to_vec(),
            method: 0,
            crc32: crc32(bytes),
            bytes: size(bytes),
        }
    }

    /// Deflated by the zip.
    pub fn deflated(name: impl AsRef<[u8]>, bytes: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory takes it");
        let stored = encoder.finish().expect("memory takes it");
        Self { stored, method: 8, ..Self::stored(name, bytes) }
    }

    /// The members of a zip with fewer than 65,536 of them, in their order, as they are stored.
    ///
    /// # Panics
    /// When it is not one.
    pub fn all_of(zip: &[u8]) -> Vec<Self> {
        let half = |at: usize| u16::from_le_bytes(zip[at..at + 2].try_into().expect("two bytes"));
        let word = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().expect("four bytes"));
        let end = zip.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").expect("a zip has an end");
        let mut at = word(end + 16) as usize;
        let entry = |_| {
            let (name, stored, local) = (usize::from(half(at + 28)), word(at + 20) as usize, word(at + 42) as usize);
            let data = local + 30 + usize::from(half(local + 26)) + usize::from(half(local + 28));
            let entry = Self {
                name: zip[at + 46..at + 46 + name].to_vec(),
                stored: zip[data..data + stored].to_vec(),
                method: half(at + 10),
                crc32: word(at + 16),
                bytes: word(at + 24),
            };
            at += 46 + name + usize::from(half(at + 30)) + usize::from(half(at + 32));
            entry
        };
        (0..half(end + 10)).map(entry).collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.name).unwrap_or_default()
    }

    /// The same name with other bytes, stored as they are.
    pub fn with_bytes(&self, bytes: &[u8]) -> Self {
        Self::stored(&self.name, bytes)
    }

    /// Its bytes as they are stored.
    pub fn bytes(&self) -> &[u8] {
        &self.stored
    }

    /// With another checksum than its bytes have.
    pub fn with_wrong_crc(self) -> Self {
        Self { crc32: self.crc32 ^ 1, ..self }
    }

    /// With another compression method than was used.
    pub fn with_method(self, method: u16) -> Self {
        Self { method, ..self }
    }

    /// The fields that local header and directory share, from "version needed" to the lengths.
    fn fields(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for half in [20u16, 0, self.method, 0, 0x21] {
            out.extend(half.to_le_bytes());
        }
        for word in [self.crc32, size(&self.stored), self.bytes] {
            out.extend(word.to_le_bytes());
        }
        out.extend(u16::try_from(self.name.len()).expect("short names").to_le_bytes());
        out.extend([0, 0]);
        out
    }
}

/// A zip of the entries, in their order.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(entry.fields());
        directory.extend([0; 10]);
        directory.extend(size(&out).to_le_bytes());
        directory.extend(&entry.name);
        out.extend(b"PK\x03\x04");
        out.extend(entry.fields());
        out.extend(&entry.name);
        out.extend(&entry.stored);
    }
    let (start, count) = (size(&out), u16::try_from(entries.len()).expect("small zips").to_le_bytes());
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count);
    out.extend(count);
    out.extend(size(&directory).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// CRC-32 as zip and gzip use it.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A length as zip writes it.
fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("test zips are small")
}
