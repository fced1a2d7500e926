//! Members of zips, tars and plain objects: every kind that writers make, and every kind of damage.
#![allow(clippy::cast_possible_truncation, reason = "the numbers here are small")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod common;

use common::{Read, archive, members_in, members_of, options, tar_of, zip_of};
use fleetloom_archive::error::ArchiveError;
use fleetloom_archive::members::content_id;
use fleetloom_archive::memory::MemoryStore;
use fleetloom_archive::{listing, store::Store};
use pipeline::member::{Packing, Stamp};
use proptest::prelude::*;
use std::io::{Cursor, Write};
use std::sync::Arc;
use zip::CompressionMethod::{Deflated, Stored};
use zip::ZipWriter;

const THREE: [(&str, &[u8]); 3] = [("r1/5.json", b"{\"a\":1}"), ("r2/6.json", b"{}"), ("r1/7.json", b"")];

fn names(read: &Read) -> Vec<&str> {
    read.members.iter().map(|member| &*member.name).collect()
}

#[tokio::test]
async fn a_zip_lists_its_members_in_order_with_what_their_names_say() {
    for (method, packing) in [(Stored, Packing::Stored), (Deflated, Packing::Deflated)] {
        let read = members_of(zip_of(THREE, method), "{robot}/{millis}.json").await.unwrap();
        assert_eq!(names(&read), ["r1/5.json", "r2/6.json", "r1/7.json"]);
        let first = &read.members[0];
        assert_eq!((first.position, first.robot.as_deref(), first.stamp), (0, Some("r1"), Stamp::At(5_000_000)));
        assert_eq!((first.unpacked_bytes, first.packing), (7, packing));
        assert_eq!(first.crc32, Some(libdeflater::crc32(THREE[0].1)));
        assert_eq!((read.tally.members, read.tally.ignored), (3, 0));
    }
}

#[tokio::test]
async fn members_of_other_names_are_counted_and_keep_their_position() {
    let mut zip = ZipWriter::new(Cursor::new(zip_of([("readme", b"x".as_slice()), ("r1/1.json", b"{}")], Stored)));
    zip.set_comment("a comment");
    let bytes = zip_of([("readme", b"x".as_slice()), ("r1/1.json", b"{}"), ("r1/x.json", b"{}")], Stored);
    let read = members_of(bytes, "{robot}/{millis}.json").await.unwrap();
    assert_eq!(names(&read), ["r1/1.json"]);
    assert_eq!(read.members[0].position, 1);
    assert_eq!(
        (read.tally.ignored, read.tally.ignored_examples),
        (2, vec!["readme".to_owned(), "r1/x.json".to_owned()])
    );
}

#[tokio::test]
async fn zip64_directories_of_more_than_65535_members_are_read_in_chunks() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..70_000 {
        zip.start_file(format!("r/{n}.json"), options(Stored)).unwrap();
    }
    zip.set_comment("c".repeat(65_535));
    let read = members_of(zip.finish().unwrap().into_inner(), "{robot}/{millis}.json").await.unwrap();
    assert_eq!(read.members.len(), 70_000);
    assert!(read.members.iter().enumerate().all(|(n, m)| m.position == n as u64 && *m.name == format!("r/{n}.json")));
}

#[tokio::test]
async fn wide_sizes_and_data_descriptors_are_read_from_the_directory() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("large", options(Deflated).large_file(true)).unwrap();
    zip.write_all(&[7; 100_000]).unwrap();
    let read = members_of(zip.finish().unwrap().into_inner(), "**").await.unwrap();
    assert_eq!(read.members[0].unpacked_bytes, 100_000);
    let mut streamed = ZipWriter::new_stream(Vec::new());
    streamed.start_file("streamed", options(Deflated)).unwrap();
    streamed.write_all(&[7; 1000]).unwrap();
    let read = members_of(streamed.finish().unwrap().into_inner(), "**").await.unwrap();
    assert_eq!((read.members[0].unpacked_bytes, read.members[0].crc32), (1000, Some(libdeflater::crc32(&[7; 1000]))));
}

#[tokio::test]
async fn folders_are_no_members_and_odd_names_are_only_names() {
    let odd = ["../up", "/etc/passwd", "a\\b", "müll/→", "same"];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_directory("folder", options(Stored)).unwrap();
    for name in odd {
        zip.start_file(name, options(Stored)).unwrap();
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    // The writer refuses names that are not UTF-8 or there already: patch them in.
    for at in (0..bytes.len() - 4).filter(|&at| bytes[at..].starts_with(b"same")).collect::<Vec<_>>() {
        bytes[at..at + 4].copy_from_slice(b"s\xffme");
    }
    let read = members_of(bytes, "**").await.unwrap();
    assert_eq!(names(&read), ["../up", "/etc/passwd", "a\\b", "müll/→", "s\\xffme"]);
    assert_eq!(read.members[0].position, 1);
}

#[tokio::test]
async fn equal_names_in_one_zip_are_both_read() {
    let mut bytes = zip_of([("a1", b"1".as_slice()), ("a2", b"2")], Stored);
    for at in (0..bytes.len() - 2).filter(|&at| bytes[at..].starts_with(b"a2")).collect::<Vec<_>>() {
        bytes[at + 1] = b'1';
    }
    let read = members_of(bytes, "**").await.unwrap();
    assert_eq!(names(&read), ["a1", "a1"]);
    assert_ne!(content_id(&read.members[0], &read.object), content_id(&read.members[1], &read.object));
}

#[tokio::test]
async fn encrypted_and_exotic_members_are_listed_as_unsupported() {
    let mut bytes = zip_of([("a", b"1".as_slice()), ("b", b"2")], Stored);
    let entries: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..].starts_with(b"PK\x01\x02")).collect();
    bytes[entries[0] + 8] |= 1;
    bytes[entries[1] + 10] = 12;
    let read = members_of(bytes, "**").await.unwrap();
    let packings: Vec<Packing> = read.members.iter().map(|member| member.packing).collect();
    assert_eq!(packings, [Packing::Unsupported(99), Packing::Unsupported(12)]);
}

#[tokio::test]
async fn bytes_before_a_zip_and_behind_it_are_allowed_for() {
    let zip = zip_of(THREE, Stored);
    let plain = members_of(zip.clone(), "**").await.unwrap();
    let mut extracting = b"#!/bin/sh\nexit\n".to_vec();
    extracting.extend(&zip);
    let read = members_of(extracting, "**").await.unwrap();
    assert_eq!(names(&read), names(&plain));
    assert_eq!(read.members[1].offset, plain.members[1].offset + 15);
    let mut longer = zip;
    longer.extend(b"\n\n");
    assert_eq!(names(&members_of(longer, "**").await.unwrap()), names(&plain));
}

#[tokio::test]
async fn empty_zips_and_tars_have_no_members() {
    assert!(members_of(zip_of([], Stored), "**").await.unwrap().members.is_empty());
    assert!(members_of(tar_of([]), "**").await.unwrap().members.is_empty());
}

#[tokio::test]
async fn a_zip_stored_again_or_grown_keeps_the_content_ids_of_its_members() {
    let store = MemoryStore::versioned();
    let archive = archive("object", Some("**"));
    let zip = zip_of(THREE, Deflated);
    let [first, second] = [store.insert("object", zip.clone()), store.insert("object", zip.clone())];
    assert_ne!(first.state_id(), second.state_id());
    let grown = store.insert("object", zip_of(THREE.into_iter().chain([("new", b"{}".as_slice())]), Deflated));
    let store: Arc<dyn Store> = Arc::new(store);
    let read = async |object| members_in(Arc::clone(&store), &archive, object).await.unwrap();
    let (first, second, grown) = (read(&first).await, read(&second).await, read(&grown).await);
    assert_eq!((first.members.len(), second.members.len(), grown.members.len()), (3, 3, 4));
    for (member, (again, still)) in first.members.iter().zip(second.members.iter().zip(&grown.members)) {
        assert_eq!(content_id(member, &first.object), content_id(again, &second.object));
        assert_eq!(content_id(member, &first.object), content_id(still, &grown.object));
    }
}

#[tokio::test]
async fn a_changed_tar_changes_all_its_members() {
    let [old, new] = [&b"1"[..], &b"2"[..]].map(|last| tar_of([("a", b"x".as_slice()), ("b", last)]));
    let (old, new) = (members_of(old, "**").await.unwrap(), members_of(new, "**").await.unwrap());
    assert_ne!(content_id(&old.members[0], &old.object), content_id(&new.members[0], &new.object));
}

#[tokio::test]
async fn a_tar_lists_its_files_whatever_their_names_are_written_with() {
    let deep = format!("{}/file.json", "folder".repeat(12));
    let long = format!("{}/file.json", "very-long-folder/".repeat(20));
    let mut tar = tar::Builder::new(Vec::new());
    for (name, mut header) in
        [("old", tar::Header::new_old()), (&deep, tar::Header::new_ustar()), (&long, tar::Header::new_gnu())]
    {
        header.set_size(3);
        tar.append_data(&mut header, name, &b"abc"[..]).unwrap();
    }
    tar.append_pax_extensions([("path", "from/pax".as_bytes()), ("mtime", b"1.5")]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(2);
    tar.append_data(&mut header, "short", &b"{}"[..]).unwrap();
    let mut folder = tar::Header::new_ustar();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_size(0);
    tar.append_data(&mut folder, "folder/", &b""[..]).unwrap();
    let mut link = tar::Header::new_ustar();
    link.set_entry_type(tar::EntryType::Link);
    link.set_size(0);
    tar.append_link(&mut link, "link", "old").unwrap();
    let mut last = tar::Header::new_gnu();
    last.set_size(1);
    tar.append_data(&mut last, "last", &b"x"[..]).unwrap();
    let bytes = tar.into_inner().unwrap();
    let read = members_of(bytes.clone(), "**").await.unwrap();
    assert_eq!(names(&read), ["old", deep.as_str(), long.as_str(), "from/pax", "last"]);
    for (member, data) in read.members.iter().zip(["abc", "abc", "abc", "{}", "x"]) {
        let at = usize::try_from(member.offset).unwrap();
        assert_eq!(&bytes[at..at + data.len()], data.as_bytes());
        assert_eq!((member.stored_bytes, member.crc32), (data.len() as u64, None));
    }
}

#[tokio::test]
async fn a_tar_with_small_and_large_members_is_walked_through() {
    let large = vec![b'x'; 3 << 20];
    let small = vec![b'y'; 700];
    let names_and_bytes: Vec<(String, &[u8])> =
        (0..600).map(|n| (format!("{n}"), if n % 100 == 50 { &large[..] } else { &small[..] })).collect();
    let read = members_of(tar_of(names_and_bytes.iter().map(|(n, b)| (n.as_str(), *b))), "**").await.unwrap();
    assert_eq!(read.members.len(), 600);
    assert!(
        read.members
            .iter()
            .zip(&names_and_bytes)
            .all(|(m, (name, bytes))| *m.name == **name && m.stored_bytes == bytes.len() as u64)
    );
}

#[tokio::test]
async fn sparse_files_are_listed_as_unsupported() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_size(3);
    tar.append_data(&mut header, "sparse", &b"abc"[..]).unwrap();
    let read = members_of(tar.into_inner().unwrap(), "**").await.unwrap();
    assert!(matches!(read.members[0].packing, Packing::Unsupported(_)));
}

#[tokio::test]
async fn plain_objects_are_their_own_members() {
    let store = MemoryStore::new();
    let object = store.insert("r7/2022-10-26.json", &b"{}"[..]);
    let archive = archive("{robot}/{date}.json", None);
    let read = members_in(Arc::new(store), &archive, &object).await.unwrap();
    let member = &read.members[0];
    assert_eq!((read.members.len(), &*member.name, member.stored_bytes), (1, "", 2));
    assert!(matches!(member.stamp, Stamp::Day(_)) && member.robot.as_deref() == Some("r7"));
}

#[tokio::test]
async fn what_is_neither_zip_nor_tar_is_refused_with_what_to_do() {
    let gzip = [&[0x1f, 0x8b, 8][..], &[0; 600]].concat();
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0; 600]].concat();
    for (bytes, word) in
        [(vec![], "empty"), (gzip, "gunzip"), (zstd, "zstd"), (b"{\"a\": 1}".repeat(200), "neither zip nor tar")]
    {
        let Err(error) = members_of(bytes, "**").await else { panic!("refused: {word}") };
        assert!(matches!(error, ArchiveError::NotReadable { .. }) && error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn torn_zips_and_tars_are_errors_with_their_place() {
    let zip = zip_of(THREE, Stored);
    let tar = tar_of(THREE);
    for bytes in [&zip[..zip.len() - 30], &zip[..50], &tar[..tar.len() - 1024], &tar[..600], &tar[..513]] {
        let Err(error) = members_of(bytes.to_vec(), "**").await else { panic!("{} bytes are torn", bytes.len()) };
        assert!(matches!(error, ArchiveError::Torn { .. }) && error.to_string().contains("store it again"), "{error}");
    }
}

#[tokio::test]
async fn a_listing_is_sorted_and_its_version_follows_its_content() {
    let archive = archive("{robot}/{date}.zip", Some("**"));
    let [one, two, other] = [MemoryStore::new(), MemoryStore::new(), MemoryStore::new()];
    for key in ["b/2022-01-01.zip", "a/2022-01-01.zip", "notes.txt"] {
        one.insert(key, &b"x"[..]);
    }
    for key in ["a/2022-01-01.zip", "b/2022-01-01.zip"] {
        two.insert(key, &b"x"[..]);
        other.insert(key, &b"y"[..]);
    }
    let listing = async |store: &MemoryStore| listing::list(store, &archive).await.unwrap();
    let (one, two, other) = (listing(&one).await, listing(&two).await, listing(&other).await);
    assert_eq!(
        one.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(),
        ["a/2022-01-01.zip", "b/2022-01-01.zip"]
    );
    assert_eq!((one.ignored, one.ignored_examples, one.source_version.len()), (1, vec!["notes.txt".to_owned()], 64));
    assert_eq!(one.source_version, two.source_version);
    assert_ne!(one.source_version, other.source_version);
}

#[tokio::test]
async fn a_pattern_that_matches_nothing_is_told_what_is_there() {
    let store = MemoryStore::new();
    store.insert("2022/a.zip", &b"x"[..]);
    let listing = listing::list(&store, &archive("data/{robot}.zip", None)).await.unwrap();
    assert_eq!((listing.objects.len(), listing.ignored), (0, 1));
    assert_eq!(listing.ignored_examples, ["2022/a.zip"]);
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_archives_never_panic(kind in 0..4, cut in 0.0..1.0f64, flips in prop::collection::vec((0.0..1.0f64, any::<u8>()), 0..6)) {
        let mut bytes = match kind {
            0 => zip_of(THREE, Stored),
            1 => zip_of(THREE, Deflated),
            2 => zip64_of_three(),
            _ => tar_of(THREE),
        };
        // From the end, where the directory is, and often not at all.
        bytes.truncate(bytes.len() - (cut.powi(4) * bytes.len() as f64) as usize);
        for (place, value) in flips {
            let at = (place * bytes.len() as f64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        if let Err(error) = block_on(members_of(bytes, "**")) {
            prop_assert!(error.is_bad_data(), "{error}");
        }
    }
}

/// A zip whose end is written wide although it need not be.
fn zip64_of_three() -> Vec<u8> {
    let mut bytes = zip_of(THREE, Stored);
    let end = bytes.split_off(bytes.len() - 22);
    let record_at = bytes.len() as u64;
    let [entries, size, offset] = [3_u64, u64::from(word(&end, 12)), u64::from(word(&end, 16))];
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    [entries, entries, size, offset].iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(record_at.to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(&end[..8]);
    bytes.extend([0xff; 12]);
    bytes.extend([0, 0]);
    bytes
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[tokio::test]
async fn an_end_that_is_written_wide_is_read_wide() {
    assert_eq!(members_of(zip64_of_three(), "**").await.unwrap().members.len(), 3);
}
