//! The members of a source version, object by object in archive order, from lists that are written once per object state.
//!
//! A zip's directory or a tar's headers are walked once, into `_fleetloom/members/<list>.parquet`; later plans and all shards
//! read that. A plain object is its own only member and needs no list. An object whose directory is torn is one member that
//! cannot be read: it goes to quarantine where its rows would have been.

use super::cells::{Strangers, cells};
use crate::fault::Fault;
use crate::work::Work;
use archive::listing::Listing;
use archive::members::Members;
use archive::store::Object;
use futures::stream::{self, StreamExt, TryStreamExt};
use pipeline::archive::Archive;
use pipeline::member::Member;
use pipeline::pipeline::RobotFilter;
use pipeline::plan::{Bucket, Cell, Plan, digest, robot_hash, robots_known};
use pipeline::time::Span;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use table::layout;
use table::members::{MembersReader, Robots, Wanted};
use table::sources::{Patterns, SourceObject, read_sources, write_sources};

/// The objects of one source version, where their member lists lie, and the lists in short.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// By key.
    pub(crate) objects: Vec<Object>,
    lists: Vec<String>,
    cells: Vec<Vec<Cell>>,
}

impl Sources {
    /// Each object's key with its cells, in archive order.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&str, &[Cell])> {
        self.objects.iter().map(|object| object.key.as_str()).zip(self.cells.iter().map(Vec::as_slice))
    }

    /// Whether there is no member in any of them.
    pub(super) fn is_empty(&self) -> bool {
        self.cells.iter().flatten().all(|cell| cell.members == 0)
    }
}

/// Makes sure that each listed object has its member list, and writes the source version. `before` is the source version of the
/// base: what it says of an object that is in the same state still holds, so only others are looked at.
pub(crate) async fn ensure(work: &Work, listing: &Listing, before: Option<&str>) -> Result<Sources, Fault> {
    let version = listing.source_version.as_str();
    if let Some(known) = load(work, version).await? {
        return Ok(known);
    }
    let archive = &work.pipeline().archive;
    let known = match before {
        Some(before) => read_sources(&work.result, &sources_name(archive, before)).await?.unwrap_or_default(),
        None => Vec::new(),
    };
    let known: HashMap<&str, &SourceObject> = known.iter().map(|line| (line.content_id.as_str(), line)).collect();
    let strangers = Mutex::default();
    let lines = stream::iter(listing.objects.iter().enumerate())
        .map(|(index, object)| line(work, (&known, &strangers), index, object));
    let lines: Vec<SourceObject> = lines.buffered(work.source.reading().parallel).try_collect().await?;
    strangers.into_inner().unwrap_or_else(PoisonError::into_inner).warn();
    write_sources(work.result.as_ref(), &sources_name(archive, version), &lines).await?;
    Ok(sources(lines))
}

/// The line of an object: what is known of its state, else what its members say.
async fn line(
    work: &Work,
    (known, strangers): (&HashMap<&str, &SourceObject>, &Mutex<Strangers>),
    index: usize,
    object: &Object,
) -> Result<SourceObject, Fault> {
    work.stop.check()?;
    let list = list_name(&work.pipeline().archive, object);
    if let Some(same) = known.get(list.as_str()) {
        return Ok((*same).clone());
    }
    let index = u32::try_from(index).map_err(|_| Fault::request("the archive has over 4 billion objects"))?;
    let cells = cells(work, (&list, strangers), index, object).await?;
    Ok(SourceObject {
        key: object.key.clone(),
        bytes: object.bytes,
        etag: object.etag.clone(),
        version: object.version.clone(),
        content_id: list,
        members: cells.iter().map(|cell| cell.members).sum(),
        stored_bytes: cells.iter().fold(0, |sum: u64, cell| sum.saturating_add(cell.bytes)),
        cells,
    })
}

/// The source version that a plan was made from.
pub(crate) async fn of_plan(work: &Work, plan: &Plan) -> Result<Sources, Fault> {
    let gone = || Fault::request(format!("{}: the source version of the plan is gone; plan again", work.result));
    load(work, &plan.source).await?.ok_or_else(gone)
}

/// The source version of that name; `None`: it was never planned from.
pub(crate) async fn load(work: &Work, version: &str) -> Result<Option<Sources>, Fault> {
    let name = sources_name(&work.pipeline().archive, version);
    Ok(read_sources(&work.result, &name).await?.map(sources))
}

fn sources(lines: Vec<SourceObject>) -> Sources {
    let (mut objects, mut lists, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        objects.push(object(&line));
        lists.push(line.content_id);
        cells.push(line.cells);
    }
    Sources { objects, lists, cells }
}

fn object(line: &SourceObject) -> Object {
    let SourceObject { key, bytes, etag, version, .. } = line.clone();
    Object { key, bytes, etag, version, modified_ns: None }
}

/// A list holds what the patterns say of the names, so its name holds the patterns.
fn list_name(archive: &Archive, object: &Object) -> String {
    digest(format!("{}\n{}", object.state_id().to_hex(), Patterns::of(archive).text()).as_bytes())
}

fn sources_name(archive: &Archive, version: &str) -> String {
    Patterns::of(archive).sources_name(version)
}

/// The members of one object that are stamped in a span, all held; none where its list is gone.
pub(super) async fn member_list(
    work: &Work,
    sources: &Sources,
    index: usize,
    stamps: Span,
) -> Result<Vec<Member>, Fault> {
    let number = u32::try_from(index).map_err(|_| Fault::request("the archive has over 4 billion objects"))?;
    if work.pipeline().archive.members.is_none() {
        let object = &sources.objects[index];
        let mut members = Members::open(Arc::clone(&work.source), &work.pipeline().archive, number, object).await?;
        return Ok(members.next().await?.unwrap_or_default());
    }
    let wanted = Wanted { stamps: Some(stamps), robots: None };
    let mut held = Vec::new();
    if let Some(mut list) = work.lists.open(&sources.lists[index], number, wanted).await? {
        while let Some(members) = list.next().await? {
            held.extend(members);
        }
    }
    Ok(held)
}

/// The robots of a bucket that take part, as far as members' names tell; `None`: all. A member that tells none may hold any:
/// it takes part, with the first of them.
fn robots(work: &Work, bucket: Bucket) -> Option<Robots> {
    let pipeline = work.pipeline();
    let all = bucket == Bucket::ALL && pipeline.robots == RobotFilter::default();
    if all || !robots_known(&pipeline.archive) {
        return None;
    }
    let filter = pipeline.robots.clone();
    Some(Arc::new(move |robot: Option<&str>| match robot {
        Some(robot) => filter.accepts(robot) && bucket.holds(robot_hash(robot)),
        None => bucket.holds(0),
    }))
}

/// The members of a source version in archive order, chunk by chunk.
pub(crate) struct Walk<'w> {
    work: &'w Work,
    sources: &'w Sources,
    wanted: Wanted,
    objects: Box<dyn Iterator<Item = usize> + Send + 'w>,
    reader: Option<MembersReader>,
}

impl<'w> Walk<'w> {
    /// Members of a bucket's robots whose stamp meets `stamps`, and those without robot or stamp. Of an object that is a member
    /// itself the stamp is not looked at.
    pub(crate) fn around(work: &'w Work, sources: &'w Sources, stamps: Span, bucket: Bucket) -> Self {
        let wanted = Wanted { stamps: Some(stamps), robots: robots(work, bucket) };
        Self { work, sources, wanted, objects: Box::new(0..sources.objects.len()), reader: None }
    }

    /// All members of some objects.
    pub(crate) fn of(work: &'w Work, sources: &'w Sources, objects: BTreeSet<usize>) -> Self {
        let wanted = Wanted { stamps: None, robots: robots(work, Bucket::ALL) };
        Self { work, sources, wanted, objects: Box::new(objects.into_iter()), reader: None }
    }

    /// The next members that take part, all of one object; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Member>>, Fault> {
        loop {
            self.work.stop.check()?;
            if let Some(reader) = &mut self.reader {
                if let Some(members) = reader.next().await? {
                    return Ok(Some(members));
                }
                self.reader = None;
            }
            let Some(index) = self.objects.next() else { return Ok(None) };
            let number = u32::try_from(index).map_err(|_| Fault::request("the archive has over 4 billion objects"))?;
            if self.work.pipeline().archive.members.is_some() {
                self.reader = Some(self.list(index, number).await?);
            } else if let Some(members) = self.plain(index, number).await? {
                return Ok(Some(members));
            }
        }
    }

    /// An object that is a member itself.
    async fn plain(&self, index: usize, number: u32) -> Result<Option<Vec<Member>>, Fault> {
        let (source, object) = (Arc::clone(&self.work.source), &self.sources.objects[index]);
        let mut members = Members::open(source, &self.work.pipeline().archive, number, object).await?;
        let mut members = members.next().await?.unwrap_or_default();
        if let Some(wants) = &self.wanted.robots {
            members.retain(|member| wants(member.robot.as_deref()));
        }
        Ok((!members.is_empty()).then_some(members))
    }

    /// The list of an object.
    async fn list(&self, index: usize, number: u32) -> Result<MembersReader, Fault> {
        let list = &self.sources.lists[index];
        let reader = self.work.lists.open(list, number, self.wanted.clone()).await?;
        reader.ok_or_else(|| {
            let (list, key) = (layout::members(list), &self.sources.objects[index].key);
            Fault::request(format!("{list}: the member list of {key} is gone; run again"))
        })
    }
}
