//! The members of one object in short. A zip's directory or a tar's headers are walked once, into the list of its state.

use crate::fault::Fault;
use crate::work::Work;
use archive::error::ArchiveError;
use archive::members::{Members, Tally, content_id};
use archive::refusal::TORN_OBJECT;
use archive::store::Object;
use pipeline::archive::Archive;
use pipeline::member::{Member, Packing, Stamp};
use pipeline::plan::{Cell, Cells};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::members::{MembersWriter, Wanted};

/// Names of members that do not belong to the archive, kept to be shown.
const EXAMPLES: usize = 3;

/// An object's members in short. Walks a container's directory into its list, unless it is there.
pub(super) async fn cells(
    work: &Work,
    (list, strangers): (&str, &Mutex<Strangers>),
    index: u32,
    object: &Object,
) -> Result<Vec<Cell>, Fault> {
    let mut short = Short::of(object);
    if work.pipeline().archive.members.is_none() {
        let mut members = Members::open(Arc::clone(&work.source), &work.pipeline().archive, index, object).await?;
        short.add(&members.next().await?.unwrap_or_default());
        return Ok(short.cells.finish());
    }
    if let Some(mut known) = work.lists.open(list, index, Wanted::default()).await? {
        while let Some(members) = known.next().await? {
            short.add(&members);
        }
        return Ok(short.cells.finish());
    }
    let mut noting = Noting::begin(work, list, object).await?;
    match walk(work, index, object, &mut noting.writer).await {
        Ok(tally) => {
            lock(strangers).add(object, &tally);
            noting.finish().await
        }
        Err(Walking::Torn(error)) => {
            tracing::warn!(%error, "an object cannot be read; it goes to quarantine");
            noting.writer.abort().await?;
            let mut noting = Noting::begin(work, list, object).await?;
            noting.writer.write(vec![torn(&work.pipeline().archive, index, object)]).await?;
            noting.finish().await
        }
        Err(Walking::Failed(fault)) => {
            noting.writer.abort().await?;
            Err(fault)
        }
    }
}

/// The list of an object and what is in it in short, while its members are found.
struct Noting {
    writer: MembersWriter,
    short: Arc<Mutex<Short>>,
}

impl Noting {
    /// Notes nothing yet. Finding members takes longer than encoding them, so cells are counted where they are encoded.
    async fn begin(work: &Work, list: &str, object: &Object) -> Result<Self, Fault> {
        let short = Arc::new(Mutex::new(Short::of(object)));
        let counted = Arc::clone(&short);
        let writer = work.lists.create(list, Box::new(move |members| lock(&counted).add(members))).await?;
        Ok(Self { writer, short })
    }

    /// All were found.
    async fn finish(self) -> Result<Vec<Cell>, Fault> {
        self.writer.finish().await?;
        Ok(std::mem::take(&mut lock(&self.short).cells).finish())
    }
}

/// An object's members in short, while they pass by.
struct Short {
    object: Object,
    cells: Cells,
}

impl Short {
    fn of(object: &Object) -> Self {
        Self { object: object.clone(), cells: Cells::default() }
    }

    fn add(&mut self, members: &[Member]) {
        members.iter().for_each(|member| self.cells.add(member, &content_id(member, &self.object)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Members that the archive's `members` does not match, of all objects that are walked.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    objects: u64,
    members: u64,
    /// The first few, with their objects.
    examples: Vec<String>,
}

impl Strangers {
    fn add(&mut self, object: &Object, tally: &Tally) {
        self.objects += u64::from(tally.ignored > 0);
        self.members += tally.ignored;
        let more = tally.ignored_examples.iter().map(|name| format!("{name} in {}", object.key));
        self.examples.extend(more.take(EXAMPLES - self.examples.len()));
    }

    /// Once for all: people put the same stranger into every object.
    pub(super) fn warn(&self) {
        if self.members > 0 {
            let (objects, ignored, examples) = (self.objects, self.members, self.examples.join(", "));
            tracing::warn!(objects, ignored, examples, "members do not match the archive's `members`");
        }
    }
}

/// Why a walk ended early.
enum Walking {
    /// The object's own bytes are bad.
    Torn(ArchiveError),
    /// Anything else.
    Failed(Fault),
}

async fn walk(work: &Work, index: u32, object: &Object, writer: &mut MembersWriter) -> Result<Tally, Walking> {
    let sort =
        |error: ArchiveError| if error.is_bad_data() { Walking::Torn(error) } else { Walking::Failed(error.into()) };
    let mut members =
        Members::open(Arc::clone(&work.source), &work.pipeline().archive, index, object).await.map_err(sort)?;
    while let Some(chunk) = members.next().await.map_err(sort)? {
        work.stop.check().map_err(Walking::Failed)?;
        writer.write(chunk).await.map_err(|error| Walking::Failed(error.into()))?;
    }
    Ok(members.tally)
}

/// The one member of an object that cannot be opened: its name says nothing, its object's key may say the time. Where it
/// does not, the epoch stands for it: a member without a stamp would make one span of the whole archive, and each shard
/// would count it.
fn torn(archive: &Archive, index: u32, object: &Object) -> Member {
    let captures = archive.objects.matches(&object.key);
    Member {
        object: index,
        position: 0,
        name: "".into(),
        robot: None,
        stamp: match captures.map(|captures| captures.stamp()) {
            None | Some(Stamp::Absent) => Stamp::At(0),
            Some(stamp) => stamp,
        },
        offset: 0,
        stored_bytes: 0,
        unpacked_bytes: 0,
        crc32: None,
        packing: Packing::Unsupported(TORN_OBJECT),
    }
}
