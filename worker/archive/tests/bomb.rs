//! Bounded memory, measured: alone in its process, because the peak is the process's.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

use flate2::Compression;
use flate2::write::GzEncoder;
use fleetloom_archive::lines::{LineStream, Lines};
use fleetloom_archive::refusal::Refusal;
use fleetloom_archive::unpack::Unpacker;
use pipeline::member::{Member, Packing, Stamp};
use std::io::Write;

const LIMIT: u64 = 1 << 20;
/// What one gzip member holds, and how many of them there are: 1 GiB.
const ZEROS: usize = 16 << 20;
const TIMES: usize = 64;
/// What unpacking may add to the peak.
const GROWTH_MAX_KIB: u64 = 32 << 10;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn resident_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_gib_of_zeros_needs_no_memory() {
    let raw = [gzip(&vec![0; ZEROS]).repeat(TIMES), gzip(b"\n{}\n")].concat();
    let member = Member {
        object: 0,
        position: 0,
        name: "bomb".into(),
        robot: None,
        stamp: Stamp::Absent,
        offset: 0,
        stored_bytes: raw.len() as u64,
        unpacked_bytes: raw.len() as u64,
        crc32: None,
        packing: Packing::Stored,
    };
    let limit = Refusal::TooLarge { bytes_max: LIMIT };
    let before = resident_peak_kib();
    assert_eq!(Unpacker::new(LIMIT).document(&member, &raw), Err(limit));
    let (mut stream, mut lines, mut refused) = (LineStream::new(&member, LIMIT), Vec::new(), Vec::new());
    let mut take = |taken: Lines<'_>| match taken {
        Lines::Chunk { offset, bytes } => lines.push((offset, bytes.to_vec())),
        Lines::Refused { offset, refusal } => refused.push((offset, refusal)),
    };
    raw.chunks(1 << 16).for_each(|piece| assert!(stream.push(piece, &mut take)));
    stream.finish(&mut take);
    assert_eq!(refused, [(0, limit)]);
    assert_eq!(lines, [((ZEROS * TIMES) as u64 + 1, b"{}\n".to_vec())]);
    let growth_kib = resident_peak_kib() - before;
    assert!(growth_kib < GROWTH_MAX_KIB, "the peak grew by {growth_kib} KiB");
}
