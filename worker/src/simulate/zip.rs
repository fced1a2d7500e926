//! A zip of stored entries written as a stream: the entries' lines of the central directory wait in a file, not in memory.
//!
//! ```text
//! {date}.zip.part     | local header, bytes | local header, bytes | ...        <- Batch, made by any thread
//! {date}.zip.part.cd  | directory line | directory line | ...                  appended and renamed at the end
//! ```
//! ZIP64 fields appear where the classic ones do not fit: a place past 4 GiB, more than 65,535 entries.

use libdeflater::crc32;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

const LOCAL_BYTES: usize = 30;
/// 1980-01-01, the earliest date the format knows: bytes must not depend on when they were made.
const DOS_DATE: u16 = 0x0021;
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
const NO_ROOM_16: u16 = u16::MAX;
const NO_ROOM_32: u32 = u32::MAX;
const BUFFER_BYTES: usize = 1 << 20;

/// Entries laid out as they will stand in the zip, without their place.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    at: usize,
    name_bytes: u16,
    stored_bytes: u32,
    crc: u32,
}

impl Batch {
    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Appends a stored entry. Errors: a name over 64 KiB or content of 4 GiB and more, which the format has no room for.
    pub(super) fn push(&mut self, name: &[u8], content: &[u8]) -> io::Result<()> {
        let name_bytes = u16::try_from(name.len()).map_err(io::Error::other)?;
        let stored_bytes = u32::try_from(content.len()).map_err(io::Error::other)?;
        let entry = Entry { at: self.bytes.len(), name_bytes, stored_bytes, crc: crc32(content) };
        let out = &mut self.bytes;
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&VERSION.to_le_bytes());
        entry.common(out);
        out.extend_from_slice(&0u16.to_le_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(content);
        self.entries.push(entry);
        Ok(())
    }
}

impl Entry {
    /// The fields that local header and directory line share: flags, method, time, date, CRC, sizes, name length.
    fn common(&self, out: &mut Vec<u8>) {
        for field in [0, 0, 0, DOS_DATE] {
            out.extend_from_slice(&u16::to_le_bytes(field));
        }
        for field in [self.crc, self.stored_bytes, self.stored_bytes] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.name_bytes.to_le_bytes());
    }

    fn directory_line(&self, out: &mut Vec<u8>, name: &[u8], place: u64) {
        let short = u32::try_from(place).ok().filter(|place| *place != NO_ROOM_32);
        let version = if short.is_some() { VERSION } else { VERSION_ZIP64 };
        out.extend_from_slice(b"PK\x01\x02");
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&version.to_le_bytes());
        self.common(out);
        let extra_bytes: u16 = if short.is_some() { 0 } else { 12 };
        // Extra, comment, disk, internal attributes.
        for field in [extra_bytes, 0, 0, 0] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&short.unwrap_or(NO_ROOM_32).to_le_bytes());
        out.extend_from_slice(name);
        if short.is_none() {
            out.extend_from_slice(&1u16.to_le_bytes());
            out.extend_from_slice(&8u16.to_le_bytes());
            out.extend_from_slice(&place.to_le_bytes());
        }
    }
}

/// A zip being written; nothing under its name before [`ZipWriter::finish`], nothing left when dropped earlier.
#[derive(Debug)]
pub(super) struct ZipWriter {
    target: PathBuf,
    zip: Partial,
    directory: Partial,
    written: u64,
    directory_bytes: u64,
    entries: u64,
    lines: Vec<u8>,
}

impl ZipWriter {
    /// Starts `target`, which must not exist yet.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        if target.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Self {
            target: target.to_owned(),
            zip: Partial::create(with_suffix(target, ".part"))?,
            directory: Partial::create(with_suffix(target, ".part.cd"))?,
            written: 0,
            directory_bytes: 0,
            entries: 0,
            lines: Vec::new(),
        })
    }

    /// Appends the batch's entries in order.
    pub(super) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        self.lines.clear();
        for entry in &batch.entries {
            let name_at = entry.at + LOCAL_BYTES;
            let name = &batch.bytes[name_at..name_at + usize::from(entry.name_bytes)];
            entry.directory_line(&mut self.lines, name, self.written + entry.at as u64);
        }
        self.zip.writer.write_all(&batch.bytes)?;
        self.directory.writer.write_all(&self.lines)?;
        self.written += batch.bytes.len() as u64;
        self.directory_bytes += self.lines.len() as u64;
        self.entries += batch.entries.len() as u64;
        Ok(())
    }

    /// Appends the directory, makes the zip durable and gives it its name. Returns its size in bytes.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.directory.writer.flush()?;
        let mut lines = BufReader::with_capacity(BUFFER_BYTES, File::open(&self.directory.path)?);
        io::copy(&mut lines, &mut self.zip.writer)?;
        let end = self.end();
        self.zip.writer.write_all(&end)?;
        self.zip.writer.flush()?;
        self.zip.writer.get_ref().sync_all()?;
        fs::rename(&self.zip.path, &self.target)?;
        Ok(self.written + self.directory_bytes + end.len() as u64)
    }

    /// The records behind the directory.
    fn end(&self) -> Vec<u8> {
        let count = u16::try_from(self.entries).ok().filter(|n| *n != NO_ROOM_16);
        let bytes = u32::try_from(self.directory_bytes).ok().filter(|n| *n != NO_ROOM_32);
        let place = u32::try_from(self.written).ok().filter(|n| *n != NO_ROOM_32);
        let mut end = Vec::new();
        if count.is_none() || bytes.is_none() || place.is_none() {
            self.end_zip64(&mut end);
        }
        let count = count.unwrap_or(NO_ROOM_16);
        end.extend_from_slice(b"PK\x05\x06");
        for field in [0, 0, count, count] {
            end.extend_from_slice(&u16::to_le_bytes(field));
        }
        end.extend_from_slice(&bytes.unwrap_or(NO_ROOM_32).to_le_bytes());
        end.extend_from_slice(&place.unwrap_or(NO_ROOM_32).to_le_bytes());
        end.extend_from_slice(&0u16.to_le_bytes());
        end
    }

    fn end_zip64(&self, end: &mut Vec<u8>) {
        end.extend_from_slice(b"PK\x06\x06");
        end.extend_from_slice(&44u64.to_le_bytes());
        end.extend_from_slice(&VERSION_ZIP64.to_le_bytes());
        end.extend_from_slice(&VERSION_ZIP64.to_le_bytes());
        end.extend_from_slice(&[0; 8]);
        for field in [self.entries, self.entries, self.directory_bytes, self.written] {
            end.extend_from_slice(&field.to_le_bytes());
        }
        end.extend_from_slice(b"PK\x06\x07");
        end.extend_from_slice(&0u32.to_le_bytes());
        end.extend_from_slice(&(self.written + self.directory_bytes).to_le_bytes());
        end.extend_from_slice(&1u32.to_le_bytes());
    }
}

/// A file that is removed when dropped, unless it was renamed before.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl Partial {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create(&path)?;
        Ok(Self { path, writer: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Best effort: after a rename there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn written(entries: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        let mut zip = ZipWriter::create(&path).unwrap();
        for first in (0..entries).step_by(1000) {
            let mut batch = Batch::default();
            for n in first..entries.min(first + 1000) {
                batch.push(format!("r/{n}.json").as_bytes(), n.to_string().as_bytes()).unwrap();
            }
            zip.append(&batch).unwrap();
        }
        assert_eq!(zip.finish().unwrap(), fs::metadata(&path).unwrap().len());
        (folder, path)
    }

    #[test]
    fn entries_can_be_read_back_on_both_sides_of_65535() {
        for entries in [0, 1, 65_534, 65_535, 65_536, 70_001] {
            let (folder, path) = written(entries);
            let mut read = ::zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
            assert_eq!(read.len(), entries as usize);
            for n in [0, entries / 2, entries.saturating_sub(1)].into_iter().filter(|_| entries > 0) {
                let mut text = String::new();
                read.by_index(n as usize).unwrap().read_to_string(&mut text).unwrap();
                assert_eq!(text, n.to_string());
            }
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file stays");
        }
    }

    #[test]
    fn a_place_past_4_gib_goes_to_the_zip64_field() {
        let entry = Entry { at: 0, name_bytes: 1, stored_bytes: 0, crc: 0 };
        let mut line = Vec::new();
        entry.directory_line(&mut line, b"a", u64::from(u32::MAX));
        assert_eq!(line.len(), 46 + 1 + 12);
        assert_eq!(line[42..46], [0xFF; 4]);
        assert_eq!(line[51..], u64::from(u32::MAX).to_le_bytes());
    }

    #[test]
    fn a_dropped_zip_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(ZipWriter::create(&folder.path().join("a.zip")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
