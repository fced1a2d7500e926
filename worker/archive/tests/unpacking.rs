//! From stored bytes to JSON: every packing, every damage, never more memory than the limit.
#![allow(clippy::cast_possible_truncation, reason = "the numbers here are small")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod common;

use common::{archive, members_in, options, tar_of, zip_of};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use fleetloom_archive::counting::Counting;
use fleetloom_archive::fetch::{Fetch, Large, Terms, member_pieces};
use fleetloom_archive::lines::{CHUNK_BYTES, LineStream, Lines};
use fleetloom_archive::memory::MemoryStore;
use fleetloom_archive::refusal::{Refusal, TORN_OBJECT, Why};
use fleetloom_archive::store::{Reading, Store, StoreError};
use fleetloom_archive::unpack::Unpacker;
use futures::TryStreamExt;
use pipeline::member::{Member, Packing, Stamp};
use proptest::prelude::*;
use std::io::{Cursor, Write};
use std::sync::Arc;
use zip::CompressionMethod::{Deflated, Stored};
use zip::ZipWriter;

const LIMIT: u64 = 1 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A member as a tar or a plain object has it.
fn stored(raw: &[u8]) -> Member {
    let stored_bytes = raw.len() as u64;
    let (name, robot, stamp, packing) = ("m".into(), None, Stamp::Absent, Packing::Stored);
    Member {
        object: 0,
        position: 0,
        name,
        robot,
        stamp,
        offset: 0,
        stored_bytes,
        unpacked_bytes: stored_bytes,
        crc32: None,
        packing,
    }
}

/// A member as a zip has it, deflated.
fn deflated(raw: &[u8], unpacked: &[u8]) -> Member {
    let (unpacked_bytes, crc32) = (unpacked.len() as u64, Some(libdeflater::crc32(unpacked)));
    Member { unpacked_bytes, crc32, packing: Packing::Deflated, ..stored(raw) }
}

fn document(member: &Member, raw: &[u8]) -> Result<Vec<u8>, Refusal> {
    Unpacker::new(LIMIT).document(member, raw).map(<[u8]>::to_vec)
}

fn why(result: Result<Vec<u8>, Refusal>) -> Why {
    match result {
        Err(Refusal::Unreadable { why, .. }) => why,
        other => panic!("must be unreadable, is {:?}", other.map(|bytes| bytes.len())),
    }
}

/// Chunks put together, and the refusals.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    lines: Vec<(u64, Vec<u8>)>,
    refused: Vec<(u64, Refusal)>,
    longest: usize,
}

impl Taken {
    fn take(&mut self, lines: &Lines<'_>) {
        match *lines {
            Lines::Chunk { offset, bytes } => {
                self.longest = self.longest.max(bytes.len());
                let mut at = offset;
                for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                    self.lines.push((at, line.to_vec()));
                    at += line.len() as u64;
                }
            }
            Lines::Refused { offset, refusal } => self.refused.push((offset, refusal)),
        }
    }

    fn whole(member: &Member, raw: &[u8], limit: u64) -> Self {
        let mut taken = Self::default();
        Unpacker::new(limit).lines(member, raw, &mut |lines| taken.take(&lines));
        taken
    }

    fn streamed(member: &Member, pieces: &[&[u8]], limit: u64) -> Self {
        let mut taken = Self::default();
        let mut stream = LineStream::new(member, limit);
        for piece in pieces {
            stream.push(piece, &mut |lines| taken.take(&lines));
        }
        stream.finish(&mut |lines| taken.take(&lines));
        taken
    }
}

#[test]
fn documents_come_out_of_every_packing() {
    let json = br#"{"a": [1, 2, 3]}"#.repeat(100);
    let two = [gzip(&json[..700]), gzip(&json[700..])].concat();
    let frames = [zstd(&json[..700]), zstd(&json[700..])].concat();
    let skippable = [&b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..], &zstd(&json)].concat();
    let padded = [gzip(&json), vec![0; 100]].concat();
    for raw in [json.clone(), gzip(&json), zstd(&json), two, frames, skippable, padded] {
        assert_eq!(document(&stored(&raw), &raw).unwrap(), json);
        let packed = deflate(&raw);
        assert_eq!(document(&deflated(&packed, &raw), &packed).unwrap(), json);
    }
}

#[test]
fn gzip_headers_with_every_field_are_passed_over() {
    let mut encoder =
        flate2::GzBuilder::new().filename("n").comment("c").extra(vec![1, 2, 3]).write(Vec::new(), Compression::best());
    encoder.write_all(b"{}").unwrap();
    let raw = encoder.finish().unwrap();
    assert_eq!(document(&stored(&raw), &raw).unwrap(), b"{}");
}

#[test]
fn empty_documents_are_empty() {
    for raw in [vec![], gzip(b""), zstd(b"")] {
        assert_eq!(document(&stored(&raw), &raw).unwrap(), b"");
        let packed = deflate(&raw);
        assert_eq!(document(&deflated(&packed, &raw), &packed).unwrap(), b"");
    }
}

#[test]
fn a_wrong_crc_is_noticed_at_every_layer() {
    let json = b"{\"a\": 1}".repeat(10);
    let packed = deflate(&json);
    let member = Member { crc32: Some(7), ..deflated(&packed, &json) };
    assert_eq!(why(document(&member, &packed)), Why::WrongCrc);
    assert_eq!(why(document(&Member { crc32: Some(7), ..stored(&json) }, &json)), Why::WrongCrc);
    let mut raw = gzip(&json);
    let crc_at = raw.len() - 8;
    raw[crc_at] ^= 1;
    assert_eq!(why(document(&stored(&raw), &raw)), Why::Damaged);
}

#[test]
fn a_wrong_size_is_noticed() {
    let json = b"{\"a\": 1}".repeat(10);
    let packed = deflate(&json);
    for unpacked_bytes in [0, 79, 81, 1 << 19] {
        assert_eq!(why(document(&Member { unpacked_bytes, ..deflated(&packed, &json) }, &packed)), Why::WrongSize);
    }
}

#[test]
fn nothing_of_a_torn_document_is_used() {
    let json = br#"{"a": [1, 2, 3]}"#.repeat(1000);
    for raw in [gzip(&json), zstd(&json), [gzip(&json), gzip(&json)].concat()] {
        for cut in [2, 5, 20, raw.len() / 2 - 1, raw.len() - 9, raw.len() - 1] {
            assert!(matches!(why(document(&stored(&raw[..cut]), &raw[..cut])), Why::CutShort | Why::Damaged), "{cut}");
        }
    }
    let packed = deflate(&json);
    let cut = &packed[..packed.len() - 3];
    assert!(document(&deflated(cut, &json), cut).is_err());
}

#[test]
fn what_follows_the_compressed_data_is_refused() {
    for raw in [gzip(b"{}"), zstd(b"{}")] {
        let raw = [&raw[..], b"garbage"].concat();
        assert_eq!(why(document(&stored(&raw), &raw)), Why::Trailing);
    }
}

#[test]
fn packings_that_are_not_read_say_which() {
    let member = |method| Member { packing: Packing::Unsupported(method), ..stored(b"x") };
    assert_eq!(why(document(&member(99), b"x")), Why::Encrypted);
    assert_eq!(why(document(&member(12), b"x")), Why::Method(12));
    assert_eq!(why(document(&member(TORN_OBJECT), b"x")), Why::TornObject);
    let taken = Taken::whole(&member(14), b"x", LIMIT);
    assert_eq!(taken.refused, [(0, Refusal::Unreadable { why: Why::Method(14), offset: None })]);
}

#[test]
fn bombs_meet_the_limit_and_not_the_memory() {
    let zeros = vec![0; 64 << 20];
    let limit = Refusal::TooLarge { bytes_max: LIMIT };
    for bomb in [gzip(&zeros), zstd(&zeros)] {
        assert_eq!(document(&stored(&bomb), &bomb), Err(limit));
        // A gzip size is taken modulo 2³² and may lie.
        let mut lying = bomb;
        let size_at = lying.len() - 4;
        lying[size_at..].copy_from_slice(&8_u32.to_le_bytes());
        assert!(document(&stored(&lying), &lying).is_err());
    }
    let packed = deflate(&zeros);
    for unpacked_bytes in [64 << 20, 10 << 30, u64::MAX] {
        assert_eq!(document(&Member { unpacked_bytes, ..deflated(&packed, &zeros) }, &packed), Err(limit));
    }
    let lying = Member { unpacked_bytes: 1000, ..deflated(&packed, &zeros) };
    assert_eq!(why(document(&lying, &packed)), Why::WrongSize);
    let exact = vec![b' '; LIMIT as usize];
    for raw in [exact.clone(), gzip(&exact), zstd(&exact)] {
        assert_eq!(document(&stored(&raw), &raw).unwrap().len(), exact.len());
        let over = [&exact[..], b" "].concat();
        for raw in [over.clone(), gzip(&over), zstd(&over)] {
            assert_eq!(document(&stored(&raw), &raw), Err(limit));
        }
    }
}

#[test]
fn lines_are_cut_at_line_ends_and_a_line_too_large_is_passed_over() {
    let long = [b"x".repeat(101), b"\n".to_vec()].concat();
    let exact = [b"y".repeat(100), b"\n".to_vec()].concat();
    let text = [b"{}\n", &long[..], b"[]\r\n", &exact, &long, b"last"].concat();
    let good = [(0, b"{}\n".to_vec()), (105, b"[]\r\n".to_vec()), (109, exact), (312, b"last".to_vec())];
    for raw in [text.clone(), gzip(&text), zstd(&text)] {
        let pieces: Vec<&[u8]> = raw.chunks(7).collect();
        for taken in [Taken::whole(&stored(&raw), &raw, 100), Taken::streamed(&stored(&raw), &pieces, 100)] {
            assert_eq!(taken.lines, good);
            assert_eq!(taken.refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 210]);
            assert!(taken.longest <= 101);
        }
    }
}

#[test]
fn the_good_lines_of_a_torn_member_come_before_its_refusal() {
    let text: Vec<u8> = (0..200_000).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect();
    for raw in [gzip(&text), zstd(&text)] {
        let torn = &raw[..raw.len() / 2];
        let taken = Taken::whole(&stored(torn), torn, LIMIT);
        assert!(taken.lines.len() > 50_000 && taken.lines.len() < 150_000, "{}", taken.lines.len());
        assert!(taken.lines.iter().all(|(at, line)| text[*at as usize..].starts_with(line) && line.ends_with(b"\n")));
        let [(at, Refusal::Unreadable { why: Why::CutShort, offset: Some(_) })] = taken.refused[..] else {
            panic!("{:?}", taken.refused)
        };
        assert_eq!(at, taken.lines.iter().map(|(_, line)| line.len() as u64).sum::<u64>());
    }
}

#[test]
fn a_wrong_checksum_alone_leaves_every_line() {
    let text: Vec<u8> = (0..2_000).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect();
    let mut raw = gzip(&text);
    let crc_at = raw.len() - 8;
    raw[crc_at] ^= 1;
    let packed = deflate(&raw);
    let zipped = deflated(&packed, &raw);
    for (member, raw) in [(stored(&raw), &raw), (zipped, &packed)] {
        let pieces: Vec<&[u8]> = raw.chunks(997).collect();
        for taken in [Taken::whole(&member, raw, LIMIT), Taken::streamed(&member, &pieces, LIMIT)] {
            assert_eq!(taken.lines.len(), 2_000);
            let [(at, Refusal::Unreadable { why: Why::Damaged, .. })] = taken.refused[..] else {
                panic!("{:?}", taken.refused)
            };
            assert_eq!(at, text.len() as u64);
        }
    }
}

#[test]
fn large_members_of_lines_come_in_chunks() {
    let line = [b"z".repeat(1000), b"\n".to_vec()].concat();
    let text = line.repeat(20_000);
    for raw in [gzip(&text), text.clone()] {
        for taken in [Taken::whole(&stored(&raw), &raw, LIMIT), Taken::streamed(&stored(&raw), &[&raw], LIMIT)] {
            assert_eq!((taken.lines.len(), taken.refused.len()), (20_000, 0));
            assert!(taken.longest <= CHUNK_BYTES);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_arrive(
        lines in prop::collection::vec((0..40_usize, any::<bool>()), 0..60),
        limit in 1..30_u64,
        piece in 1..50_usize,
        packing in 0..4,
        cut in prop::option::weighted(0.3, 0.0..1.0f64),
    ) {
        let text: Vec<u8> = lines.iter().flat_map(|&(n, end)| [vec![b'a'; n], vec![b'\n'; usize::from(end)]].concat()).collect();
        let mut raw = match packing { 0 => text.clone(), 1 => gzip(&text), 2 => zstd(&text), _ => deflate(&text) };
        let mut member = if packing == 3 { deflated(&raw, &text) } else { stored(&raw) };
        if let Some(cut) = cut {
            raw.truncate((cut * raw.len() as f64) as usize);
            member.stored_bytes = raw.len() as u64;
        }
        let pieces: Vec<&[u8]> = raw.chunks(piece).collect();
        let (whole, streamed) = (Taken::whole(&member, &raw, limit), Taken::streamed(&member, &pieces, limit));
        prop_assert_eq!(&whole.lines, &streamed.lines);
        prop_assert_eq!(whole.refused.len(), streamed.refused.len());
        if packing == 0 || cut.is_none() {
            let expected: Vec<&[u8]> = match cut { Some(_) => &raw[..], None => &text[..] }
                .split_inclusive(|&b| b == b'\n')
                .filter(|line| line.strip_suffix(b"\n").unwrap_or(line).len() as u64 <= limit)
                .collect();
            prop_assert_eq!(whole.lines.iter().map(|(_, line)| &line[..]).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn damaged_members_never_panic(
        packing in 0..4,
        flips in prop::collection::vec((0.0..1.0f64, any::<u8>()), 1..5),
        text in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let mut raw = match packing { 0 => text.clone(), 1 => gzip(&text), 2 => zstd(&text), _ => deflate(&text) };
        for (place, value) in flips {
            let at = (place * raw.len() as f64) as usize;
            if let Some(byte) = raw.get_mut(at) { *byte = value; }
        }
        let member = if packing == 3 { deflated(&raw, &text) } else { stored(&raw) };
        if let (true, Ok(bytes)) = (packing == 3 , document(&member, &raw)) {
            prop_assert_eq!(&bytes, &text);
        }
        Taken::whole(&member, &raw, 100);
        Taken::streamed(&member, &raw.chunks(11).collect::<Vec<_>>(), 100);
    }
}

/// What a run would do with an object, as far as it goes: list, fetch, unpack.
async fn read_all(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let store = MemoryStore::new();
    let object = store.insert("object", bytes);
    let store: Arc<dyn Store> = Arc::new(store);
    let Ok(read) = members_in(Arc::clone(&store), &archive("object", Some("**")), &object).await else {
        return Vec::new();
    };
    let raws = fetched(store, &object, &read.members).await;
    let mut unpacker = Unpacker::new(LIMIT);
    let documents =
        read.members.iter().zip(raws).filter_map(|(member, raw)| {
            raw.ok().and_then(|raw| unpacker.document(member, &raw).ok().map(<[u8]>::to_vec))
        });
    documents.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_a_damaged_zip_only_true_documents_come_out(
        is_deflated in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let documents = [br#"{"first": 1}"#.repeat(9), br#"{"second": 2}"#.repeat(5), gzip(b"[3]")];
        let named = ["a", "b", "c"].into_iter().zip(&documents).map(|(name, bytes)| (name, &bytes[..]));
        let mut bytes = zip_of(named, if is_deflated { Deflated } else { Stored });
        for (index, value) in flips {
            *index.get_mut(&mut bytes) = value;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for document in runtime.block_on(read_all(bytes)) {
            let is_true = document == b"[3]" || documents[..2].contains(&document);
            prop_assert!(is_true, "{}", String::from_utf8_lossy(&document));
        }
    }
}

const LARGE: Large = Large::Refuse { bytes_max: 64 << 20 };

fn terms(store: &Arc<dyn Store>, large: Large) -> Terms {
    Terms { large, reading: store.reading() }
}

#[tokio::test]
async fn neighbours_share_reads_and_a_shard_wastes_no_more_than_it_may() {
    let store = MemoryStore::new();
    let bytes = vec![b'x'; 4000];
    let names: Vec<String> = (0..2000).map(|n| format!("{n:04}")).collect();
    let object = store.insert("object", zip_of(names.iter().map(|name| (name.as_str(), bytes.as_slice())), Stored));
    let counting = Counting::around(Arc::new(store));
    let store: Arc<dyn Store> = Arc::new(counting.clone());
    let mut read = members_in(Arc::clone(&store), &archive("object", Some("**")), &object).await.unwrap();
    // Every other member: a gap of 4 KB between all, 4 MB of gaps together.
    read.members.retain(|member| member.position % 2 == 0);
    for (waste_bytes, reads) in [(8 << 20, 1), (2 << 20, 484), (0, 1000)] {
        let terms = Terms { large: LARGE, reading: Reading { waste_bytes, ..Reading::REMOTE } };
        let before = counting.counts();
        let mut fetch = Fetch::new(Arc::clone(&store), std::slice::from_ref(&object), &read.members, terms);
        let mut members = 0;
        while let Some(block) = fetch.next().await {
            members += block.unwrap().members.len();
        }
        let counts = counting.counts();
        assert_eq!((members, fetch.wasted_bytes <= waste_bytes), (1000, true), "{}", fetch.wasted_bytes);
        assert!((counts.read - before.read).abs_diff(reads) < 20, "{} reads", counts.read - before.read);
        // Where neighbours are read apart, each read asks a little more than its member for a longer header.
        let extra = counts.read_bytes - before.read_bytes - 1000 * 4000;
        assert!(extra <= waste_bytes.min(4 << 20) + 1000 * 200, "{extra}");
    }
}

async fn fetched(
    store: Arc<dyn Store>,
    object: &fleetloom_archive::store::Object,
    members: &[Member],
) -> Vec<Result<Vec<u8>, Refusal>> {
    let mut found = vec![None; members.len()];
    let mut fetch = Fetch::new(Arc::clone(&store), std::slice::from_ref(object), members, terms(&store, LARGE));
    while let Some(block) = fetch.next().await {
        for raw in block.unwrap().members {
            assert!(
                found[raw.member].replace(raw.bytes.map(|bytes| bytes.to_vec())).is_none(),
                "each member comes once"
            );
        }
    }
    found.into_iter().map(|bytes| bytes.expect("each member comes")).collect()
}

#[tokio::test]
async fn every_member_is_fetched_whatever_lies_between() {
    let parts: Vec<(String, Vec<u8>)> = (0..500_usize)
        .map(|n| {
            (format!("r/{n}.json"), vec![b'a' + (n % 26) as u8; if n % 100 == 7 { 3 << 20 } else { n * 37 % 9000 }])
        })
        .collect();
    let all = || parts.iter().map(|(name, bytes)| (name.as_str(), &bytes[..]));
    for bytes in [zip_of(all(), Stored), zip_of(all(), Deflated), tar_of(all())] {
        let store = MemoryStore::new();
        let object = store.insert("object", bytes);
        let store: Arc<dyn Store> = Arc::new(store);
        let read = members_in(Arc::clone(&store), &archive("object", Some("**")), &object).await.unwrap();
        for step in [1, 3, 41] {
            let wanted: Vec<Member> = read.members.iter().step_by(step).cloned().collect();
            let raws = fetched(Arc::clone(&store), &object, &wanted).await;
            let mut unpacker = Unpacker::new(64 << 20);
            for (member, raw) in wanted.iter().zip(raws) {
                let expected = &parts[usize::try_from(member.position).unwrap()].1;
                assert!(unpacker.document(member, &raw.unwrap()).unwrap() == expected);
            }
        }
    }
}

#[tokio::test]
async fn blocks_come_in_the_order_that_members_lie_in() {
    let sizes = [100, 9 << 20, 100, 2 << 20, 10 << 20, 12 << 20, 100];
    let parts: Vec<(String, Vec<u8>)> =
        sizes.iter().enumerate().map(|(n, &size)| (n.to_string(), vec![b' '; size])).collect();
    let store = MemoryStore::new();
    let object = store.insert("object", tar_of(parts.iter().map(|(name, bytes)| (name.as_str(), &bytes[..]))));
    let store: Arc<dyn Store> = Arc::new(store);
    let read = members_in(Arc::clone(&store), &archive("object", Some("**")), &object).await.unwrap();
    let mut fetch = Fetch::new(Arc::clone(&store), std::slice::from_ref(&object), &read.members, terms(&store, LARGE));
    let mut order = Vec::new();
    while let Some(block) = fetch.next().await {
        order.extend(block.unwrap().members.into_iter().map(|raw| (raw.member, raw.bytes.unwrap().len())));
    }
    assert_eq!(order, sizes.into_iter().enumerate().collect::<Vec<_>>());
}

#[tokio::test]
async fn local_headers_longer_than_the_directory_promises_are_read_through() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut long = zip::write::FullFileOptions::default().compression_method(Stored);
    long.add_extra_data(0xbeef, vec![0; 40_000].into(), false).unwrap();
    zip.start_file("long", long).unwrap();
    zip.write_all(b"{\"long\": 1}").unwrap();
    zip.start_file("short", options(Stored)).unwrap();
    zip.write_all(b"{}").unwrap();
    let store = MemoryStore::new();
    let object = store.insert("object", zip.finish().unwrap().into_inner());
    let store: Arc<dyn Store> = Arc::new(store);
    let read = members_in(Arc::clone(&store), &archive("object", Some("**")), &object).await.unwrap();
    let raws = fetched(store, &object, &read.members).await;
    assert_eq!(raws, [Ok(b"{\"long\": 1}".to_vec()), Ok(b"{}".to_vec())]);
}

#[tokio::test]
async fn members_that_are_not_where_the_directory_says_are_refused_alone() {
    let store = MemoryStore::new();
    let object = store.insert("object", zip_of([("a", b"{}".as_slice()), ("b", b"[]")], Stored));
    let store: Arc<dyn Store> = Arc::new(store);
    let mut read = members_in(Arc::clone(&store), &archive("object", Some("**")), &object).await.unwrap();
    let good = read.members[1].clone();
    read.members.push(Member { offset: good.offset + 1, ..good.clone() });
    read.members.push(Member { offset: u64::MAX - 5, ..good.clone() });
    read.members.push(Member { stored_bytes: 5000, ..good.clone() });
    read.members.push(Member { stored_bytes: 100 << 20, ..good });
    let raws = fetched(store, &object, &read.members).await;
    let unreadable = |why| Err(Refusal::Unreadable { why, offset: None });
    assert_eq!(raws[..2], [Ok(b"{}".to_vec()), Ok(b"[]".to_vec())]);
    assert_eq!(raws[2..5], [unreadable(Why::NoHeader), unreadable(Why::NoHeader), unreadable(Why::CutByObject)]);
    assert_eq!(raws[5], Err(Refusal::TooLarge { bytes_max: 64 << 20 }));
}

#[tokio::test]
async fn an_object_replaced_after_the_listing_is_never_read() {
    let store = MemoryStore::new();
    let object = store.insert("object", zip_of([("a", b"{}".as_slice())], Stored));
    let dynamic: Arc<dyn Store> = Arc::new(store.clone());
    let read = members_in(Arc::clone(&dynamic), &archive("object", Some("**")), &object).await.unwrap();
    store.insert("object", zip_of([("a", b"[]".as_slice())], Stored));
    let mut fetch = Fetch::new(Arc::clone(&dynamic), &[object], &read.members, terms(&dynamic, Large::Stream));
    assert!(matches!(fetch.next().await, Some(Err(StoreError::Changed { .. }))));
}

#[tokio::test]
async fn large_members_of_lines_are_streamed_from_where_they_lie() {
    let line = [b"z".repeat(100), b"\n".to_vec()].concat();
    let text = line.repeat(100_000);
    let store = MemoryStore::new();
    let object = store.insert("object", zip_of([("small", b"{}\n".as_slice()), ("large", &text)], Stored));
    let store: Arc<dyn Store> = Arc::new(store);
    let read = members_in(Arc::clone(&store), &archive("object", Some("**")), &object).await.unwrap();
    let mut fetch =
        Fetch::new(Arc::clone(&store), std::slice::from_ref(&object), &read.members, terms(&store, Large::Stream));
    assert_eq!(fetch.streamed, [1]);
    assert_eq!(fetch.next().await.unwrap().unwrap().members.len(), 1);
    assert!(fetch.next().await.is_none());
    let large = &read.members[1];
    let mut pieces = member_pieces(store, &object, large).await.unwrap().unwrap();
    let (mut stream, mut taken) = (LineStream::new(large, LIMIT), Taken::default());
    while let Some(piece) = pieces.try_next().await.unwrap() {
        assert!(stream.push(&piece, &mut |lines| taken.take(&lines)));
    }
    stream.finish(&mut |lines| taken.take(&lines));
    assert_eq!((taken.lines.len(), taken.refused), (100_000, vec![]));
}
