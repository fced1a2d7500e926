//! Archives made on the spot.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod s3;

use fleetloom_archive::error::ArchiveError;
use fleetloom_archive::members::{Members, Tally};
use fleetloom_archive::memory::MemoryStore;
use fleetloom_archive::store::{Object, Store};
use pipeline::archive::{Archive, Limits, RobotRule};
use pipeline::member::Member;
use pipeline::pattern::Pattern;
use pipeline::spec::{Format, OnConflict, StoreSpec};
use std::io::{Cursor, Write};
use std::sync::Arc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An archive of `objects` with `members` in them.
pub(crate) fn archive(objects: &str, members: Option<&str>) -> Archive {
    let url = "memory:".to_owned();
    let store = StoreSpec { url, endpoint: None, path_style: None, region: None, ca: None, credentials_secret: None };
    let robot = RobotRule { capture: Some("robot".to_owned()), document: None, on_conflict: OnConflict::Quarantine };
    Archive {
        name: "test".to_owned(),
        store,
        objects: Pattern::parse(objects).unwrap(),
        members: members.map(|text| Pattern::parse(text).unwrap()),
        format: Format::Json,
        lateness_ns: 0,
        covers_ns: 0,
        robot,
        limits: Limits { member_bytes_max: 64 << 20, depth_max: 64, records_max: 1_000_000 },
        signals: Vec::new(),
    }
}

/// Options of a zip member.
pub(crate) fn options(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(method)
}

/// A zip of these members, stored or deflated alike.
pub(crate) fn zip_of<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>, method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(name, options(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A tar of these members.
pub(crate) fn tar_of<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// What an object holds, when all names are taken.
pub(crate) struct Read {
    pub(crate) object: Object,
    pub(crate) members: Vec<Member>,
    pub(crate) tally: Tally,
}

/// Every member of the bytes as one object of a store in memory.
pub(crate) async fn members_of(bytes: Vec<u8>, pattern: &str) -> Result<Read, ArchiveError> {
    let store = MemoryStore::new();
    let object = store.insert("object", bytes);
    members_in(Arc::new(store), &archive("object", Some(pattern)), &object).await
}

pub(crate) async fn members_in(
    store: Arc<dyn Store>,
    archive: &Archive,
    object: &Object,
) -> Result<Read, ArchiveError> {
    let mut reading = Members::open(store, archive, 0, object).await?;
    let mut members = Vec::new();
    while let Some(chunk) = reading.next().await? {
        members.extend(chunk);
    }
    Ok(Read { object: object.clone(), members, tally: reading.tally })
}
