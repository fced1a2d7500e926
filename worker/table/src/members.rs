//! Member lists: what one state of an object holds, written once per state and read by every later plan and shard.
//!
//! Streamed both ways: a day of 365 robots has 6.3 million members, and its list is never held whole. A reader that wants a
//! span of time, or some robots, skips the row groups that have neither; of the others it decodes robots and stamps first, and
//! the rest only where those are wanted: each of a day's shards wants a few robots of all. A small list that this process wrote
//! stays in memory.

mod groups;
mod kept;

use crate::columns::text;
use crate::error::{TableError, placed};
use crate::layout;
use crate::object::ParquetObject;
use crate::upload::{Layout, ParquetUpload};
use archive::store::{Store, StoreError};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, UInt16Array,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::TryStreamExt;
use groups::{GroupsReader, GroupsWriter};
use kept::{Keeping, Kept};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;
use pipeline::member::{Member, Packing, Stamp};
use pipeline::time::{DAY_NS, Day, Span};
use std::panic::resume_unwind;
use std::sync::{Arc, LazyLock};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// Layout of a member list, in its footer.
const LAYOUT: Layout = Layout {
    name: "members/1",
    unique: &["name"],
    dense: &["position", "stamp_day", "offset", "stored_bytes", "unpacked_bytes", "crc32", "packing"],
};

/// Members of a row group. Few, so that most of a list is encoded while its object is still walked, and so that a reader opens
/// little that it does not want.
const GROUP_MEMBERS: usize = 16 << 10;

/// Members of one chunk of a reader: some 200 KB, so that the next ones find the memory of those before still warm.
const CHUNK_MEMBERS: usize = 1 << 10;

/// Chunks of a reader that wait for the other thread.
const CHUNKS_AHEAD: usize = 2;

/// Chunks that wait to be encoded: most of those that come while a row group is.
const CHUNKS_BEHIND: usize = 8;

/// Zip's number for members as they are.
const STORED: u16 = 0;
/// Zip's number for raw deflate.
const DEFLATED: u16 = 8;

/// Position of the robot's name in [`SCHEMA`].
const ROBOT: usize = 2;
/// Position of the stamp as an instant.
const STAMP_NS: usize = 3;
/// Position of the stamp as a day.
const STAMP_DAY: usize = 4;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let column = |name: &str, kind: DataType| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        column("position", DataType::UInt64),
        column("name", DataType::Utf8),
        column("robot", DataType::Utf8),
        column("stamp_ns", DataType::Int64),
        column("stamp_day", DataType::Date32),
        column("offset", DataType::UInt64),
        column("stored_bytes", DataType::UInt64),
        column("unpacked_bytes", DataType::UInt64),
        column("crc32", DataType::UInt32),
        column("packing", DataType::UInt16),
    ]))
});

/// Looks at members, in archive order.
pub type Beside = Box<dyn FnMut(&[Member]) + Send>;

/// The lists of one store.
#[derive(Debug, Clone)]
pub struct MemberLists {
    store: Arc<dyn Store>,
    kept: Arc<Kept>,
}

impl MemberLists {
    /// Those of `store`. What is written is kept in memory as well, as long as it comes to `kept_bytes` at most.
    pub fn of(store: Arc<dyn Store>, kept_bytes: usize) -> Self {
        Self { store, kept: Arc::new(Kept::new(kept_bytes)) }
    }

    /// Begins the list of the state `content_id`. Writing one that is there again replaces it by equal bytes. `beside` is shown
    /// its members on the thread that encodes them.
    pub async fn create(&self, content_id: &str, beside: Beside) -> Result<MembersWriter, TableError> {
        let key = layout::members(content_id);
        let file = ParquetUpload::create(self.store.as_ref(), &key, &SCHEMA, &LAYOUT).await?;
        let file = file.in_groups_of(GROUP_MEMBERS);
        let (groups, keeping) = (GroupsWriter::new(GROUP_MEMBERS), Keeping::new(&self.kept));
        let mut encoding = Encoding { key: key.clone(), file, groups, keeping, beside };
        let (chunks, mut ready) = channel::<Vec<Member>>(CHUNKS_BEHIND);
        let file = tokio::spawn(async move {
            while let Some(members) = ready.recv().await {
                encoding.write(members).await?;
            }
            Ok(encoding)
        });
        Ok(MembersWriter { content_id: content_id.to_owned(), key, chunks, file: Task::of(file) })
    }

    /// The list of the state `content_id`, whose object is number `object` of the listing; `None`: none was written yet.
    pub async fn open(
        &self,
        content_id: &str,
        object: u32,
        wanted: Wanted,
    ) -> Result<Option<MembersReader>, TableError> {
        let key = layout::members(content_id);
        let place = placed(self.store.as_ref(), &key);
        let chunks = match self.kept.get(content_id) {
            Some(list) => Chunks::Kept { list, next: 0, wanted },
            None => match ParquetObject::open(&self.store, &key).await {
                Err(TableError::Store(StoreError::NotFound { .. })) => return Ok(None),
                list => decoded(list?, &place, &wanted).await?,
            },
        };
        Ok(Some(MembersReader { place, object, chunks, robot: None }))
    }
}

/// What a stored list holds of what is wanted, while another thread decodes it.
async fn decoded(list: ParquetObject, place: &str, wanted: &Wanted) -> Result<Chunks, TableError> {
    let reader = list.reader(SchemaRef::clone(&SCHEMA)).await?;
    let told = GroupsReader::of(reader.metadata().file_metadata());
    let groups = reader.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(index, group)| {
        wanted.may_hold(group) && wanted.robots.as_ref().is_none_or(|robots| told.may_hold(*index, robots))
    });
    let groups = groups.map(|(index, _)| index).collect();
    let filter = wanted.filter(reader.parquet_schema());
    let reader = reader.with_row_groups(groups).with_batch_size(CHUNK_MEMBERS);
    let reader = if let Some(filter) = filter { reader.with_row_filter(filter) } else { reader };
    let mut decoded = reader.build().map_err(|error| TableError::reading(place, error))?;
    let (send, ready) = channel(CHUNKS_AHEAD);
    let list = tokio::spawn(async move {
        while let Some(chunk) = decoded.try_next().await? {
            if send.send(chunk).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    Ok(Chunks::Decoded { ready, list: Task::of(list) })
}

/// Writes the members of one state of an object, in archive order. Dropping it leaves nothing visible.
///
/// Another thread encodes the file while more members are found.
pub struct MembersWriter {
    content_id: String,
    key: String,
    chunks: Sender<Vec<Member>>,
    file: Task<Encoding, TableError>,
}

impl MembersWriter {
    /// Appends members. [`Member::object`] is not kept: the same state may lie elsewhere in another listing.
    pub async fn write(&mut self, members: Vec<Member>) -> Result<(), TableError> {
        match self.chunks.send(members).await {
            Ok(()) => Ok(()),
            // It has ended before the last chunk, so it says why.
            Err(_) => self.file.end().await.map(drop),
        }
    }

    /// Makes the list visible.
    pub async fn finish(self) -> Result<(), TableError> {
        let Self { content_id, key, chunks, mut file } = self;
        drop(chunks);
        let ended = || TableError::writing(&key, &"it was given up before");
        let Encoding { mut file, groups, keeping, .. } = file.end().await?.ok_or_else(ended)?;
        file.note(groups::KEY, groups.line());
        file.finish().await?;
        keeping.keep(&content_id);
        Ok(())
    }

    /// Removes what was written.
    pub async fn abort(self) -> Result<(), TableError> {
        let Self { chunks, mut file, .. } = self;
        drop(chunks);
        match file.end().await {
            Ok(Some(encoding)) => encoding.file.abort().await,
            // What failed has removed itself.
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

/// A list while it is encoded.
struct Encoding {
    key: String,
    file: ParquetUpload,
    groups: GroupsWriter,
    keeping: Keeping,
    beside: Beside,
}

impl Encoding {
    async fn write(&mut self, members: Vec<Member>) -> Result<(), TableError> {
        (self.beside)(&members);
        members.iter().for_each(|member| self.groups.add(member));
        let batch = encode(&members).map_err(|error| TableError::writing(&self.key, &error))?;
        self.keeping.add(members);
        self.file.write(batch).await
    }
}

/// What goes on beside its owner, until it has said what it came to.
struct Task<T, E>(Option<JoinHandle<Result<T, E>>>);

impl<T, E> Task<T, E> {
    fn of(task: JoinHandle<Result<T, E>>) -> Self {
        Self(Some(task))
    }

    /// Waits for it; `None`: it has said so before. Its panic is its owner's.
    async fn end(&mut self) -> Result<Option<T>, E> {
        match self.0.take() {
            Some(task) => task.await.unwrap_or_else(|error| resume_unwind(error.into_panic())).map(Some),
            None => Ok(None),
        }
    }
}

/// Says whether a robot's members are wanted; `None` is a member whose name tells no robot.
pub type Robots = Arc<dyn Fn(Option<&str>) -> bool + Send + Sync>;

/// Which members a reader gives.
#[derive(Clone, Default)]
pub struct Wanted {
    /// Only members whose stamp (or day) meets this span, and those without a stamp; `None`: all.
    pub stamps: Option<Span>,
    /// Only members of such robots; `None`: of all.
    pub robots: Option<Robots>,
}

/// Reads a member list chunk by chunk, in archive order.
pub struct MembersReader {
    /// What errors call it.
    place: String,
    object: u32,
    chunks: Chunks,
    robot: Option<Arc<str>>,
}

/// The chunks of a list.
enum Chunks {
    /// Of one that this process wrote, all that it holds.
    Kept { list: kept::Chunks, next: usize, wanted: Wanted },
    /// Of one that another thread reads and decodes, what is wanted of it.
    Decoded { ready: Receiver<RecordBatch>, list: Task<(), ParquetError> },
}

impl MembersReader {
    /// The next members; never an empty chunk; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Member>>, TableError> {
        loop {
            let members = match &mut self.chunks {
                Chunks::Kept { list, next, wanted } => {
                    let Some(chunk) = list.get(*next) else { return Ok(None) };
                    *next += 1;
                    wanted.of(chunk, self.object)
                }
                Chunks::Decoded { ready, list } => match ready.recv().await {
                    Some(chunk) => self.members(&chunk)?,
                    None => return list.end().await.map_or_else(|error| self.unreadable(error), |_| Ok(None)),
                },
            };
            if !members.is_empty() {
                return Ok(Some(members));
            }
        }
    }

    fn unreadable<T>(&self, error: ParquetError) -> Result<T, TableError> {
        Err(TableError::reading(&self.place, error))
    }

    /// All of a chunk that was decoded.
    fn members(&mut self, chunk: &RecordBatch) -> Result<Vec<Member>, TableError> {
        let malformed = || TableError::malformed(&self.place, "not a list of members; remove it and run again");
        let columns = Columns::of(chunk).ok_or_else(malformed)?;
        let member = |row| {
            let robot = columns.whose.robot(row).map(|robot| self.shared(robot));
            Member { object: self.object, robot, ..columns.member(row) }
        };
        Ok((0..chunk.num_rows()).map(member).collect())
    }

    /// The robot's name, shared with the member before: neighbours often have the same.
    fn shared(&mut self, robot: &str) -> Arc<str> {
        match &self.robot {
            Some(last) if last.as_ref() == robot => Arc::clone(last),
            _ => Arc::clone(self.robot.insert(Arc::from(robot))),
        }
    }
}

/// The columns of a chunk that say whose members they are, and when.
struct Whose<'a> {
    robot: &'a StringArray,
    stamp_ns: &'a Int64Array,
    stamp_day: &'a Date32Array,
}

impl<'a> Whose<'a> {
    fn of([robot, stamp_ns, stamp_day]: [&'a ArrayRef; 3]) -> Option<Self> {
        Some(Self {
            robot: robot.as_string_opt()?,
            stamp_ns: stamp_ns.as_primitive_opt()?,
            stamp_day: stamp_day.as_primitive_opt()?,
        })
    }

    fn stamp(&self, row: usize) -> Stamp {
        if self.stamp_ns.is_valid(row) {
            Stamp::At(self.stamp_ns.value(row))
        } else if self.stamp_day.is_valid(row) {
            Stamp::Day(Day(self.stamp_day.value(row)))
        } else {
            Stamp::Absent
        }
    }

    fn robot(&self, row: usize) -> Option<&'a str> {
        self.robot.is_valid(row).then(|| self.robot.value(row))
    }
}

/// The columns of a chunk.
struct Columns<'a> {
    position: &'a UInt64Array,
    name: &'a StringArray,
    whose: Whose<'a>,
    offset: &'a UInt64Array,
    stored_bytes: &'a UInt64Array,
    unpacked_bytes: &'a UInt64Array,
    crc32: &'a UInt32Array,
    packing: &'a UInt16Array,
}

impl<'a> Columns<'a> {
    /// `None` when a column that each member has is null somewhere.
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |index: usize| batch.column(index);
        let whole = [0, 1, 5, 6, 7, 9].into_iter().all(|index| column(index).null_count() == 0);
        whole.then_some(())?;
        Some(Self {
            position: column(0).as_primitive_opt()?,
            name: column(1).as_string_opt()?,
            whose: Whose::of([ROBOT, STAMP_NS, STAMP_DAY].map(column))?,
            offset: column(5).as_primitive_opt()?,
            stored_bytes: column(6).as_primitive_opt()?,
            unpacked_bytes: column(7).as_primitive_opt()?,
            crc32: column(8).as_primitive_opt()?,
            packing: column(9).as_primitive_opt()?,
        })
    }

    /// The member at a row, but for its object and robot.
    fn member(&self, row: usize) -> Member {
        Member {
            object: 0,
            position: self.position.value(row),
            name: self.name.value(row).into(),
            robot: None,
            stamp: self.whose.stamp(row),
            offset: self.offset.value(row),
            stored_bytes: self.stored_bytes.value(row),
            unpacked_bytes: self.unpacked_bytes.value(row),
            crc32: self.crc32.is_valid(row).then(|| self.crc32.value(row)),
            packing: packing(self.packing.value(row)),
        }
    }
}

impl Wanted {
    /// Those of some members that are wanted, of that object.
    fn of(&self, members: &[Member], object: u32) -> Vec<Member> {
        let mut question = Question { wanted: self, last: None };
        let wanted = members.iter().filter(|member| question.holds(member.stamp, member.robot.as_deref()));
        wanted.map(|member| Member { object, ..member.clone() }).collect()
    }

    fn is_all(&self) -> bool {
        self.stamps.is_none() && self.robots.is_none()
    }

    /// Looks at robots and stamps; what else a member has is decoded only where they are wanted.
    fn filter(&self, schema: &SchemaDescriptor) -> Option<RowFilter> {
        if self.is_all() {
            return None;
        }
        let wanted = self.clone();
        let holds = move |batch: RecordBatch| wanted.rows([0, 1, 2].map(|index| batch.column(index)));
        let columns = ProjectionMask::leaves(schema, [ROBOT, STAMP_NS, STAMP_DAY]);
        Some(RowFilter::new(vec![Box::new(ArrowPredicateFn::new(columns, holds))]))
    }

    /// Of each row, whether its member is wanted.
    fn rows(&self, columns: [&ArrayRef; 3]) -> Result<BooleanArray, ArrowError> {
        let whose = Whose::of(columns).ok_or_else(|| ArrowError::SchemaError("not a list of members".to_owned()))?;
        let mut question = Question { wanted: self, last: None };
        let rows = 0..whose.robot.len();
        Ok(rows.map(|row| Some(question.holds(whose.stamp(row), whose.robot(row)))).collect())
    }

    fn holds(&self, stamp: Stamp) -> bool {
        let Some(span) = self.stamps else { return true };
        match stamp {
            Stamp::At(ns) => meets(span, ns, ns),
            Stamp::Day(Day(day)) => meets_days(span, day.into(), day.into()),
            Stamp::Absent => true,
        }
    }

    /// Whether a row group may hold a member stamped then, from its statistics.
    fn may_hold(&self, group: &RowGroupMetaData) -> bool {
        let Some(span) = self.stamps else { return true };
        let (Some(instants), Some(days)) = (Stamps::of(group, STAMP_NS), Stamps::of(group, STAMP_DAY)) else {
            return true;
        };
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let stamped = rows.saturating_sub(instants.nulls).saturating_add(rows.saturating_sub(days.nulls));
        stamped < rows
            || instants.range.is_some_and(|(least, greatest)| meets(span, least, greatest))
            || days.range.is_some_and(|(least, greatest)| meets_days(span, least, greatest))
    }
}

/// Whether members are wanted, asked one by one. Neighbours often have the same robot, which is asked about once.
struct Question<'w, 'm> {
    wanted: &'w Wanted,
    /// The robot that was asked about last, and the answer.
    last: Option<(Option<&'m str>, bool)>,
}

impl<'m> Question<'_, 'm> {
    fn holds(&mut self, stamp: Stamp, robot: Option<&'m str>) -> bool {
        self.wanted.holds(stamp) && self.holds_robot(robot)
    }

    fn holds_robot(&mut self, robot: Option<&'m str>) -> bool {
        let Some(robots) = &self.wanted.robots else { return true };
        match self.last {
            Some((before, wanted)) if before == robot => wanted,
            _ => self.last.insert((robot, robots(robot))).1,
        }
    }
}

/// What statistics say about one column of stamps.
struct Stamps {
    range: Option<(i64, i64)>,
    nulls: u64,
}

impl Stamps {
    fn of(group: &RowGroupMetaData, column: usize) -> Option<Self> {
        let statistics = group.column(column).statistics()?;
        let range = match statistics {
            Statistics::Int64(values) => values.min_opt().copied().zip(values.max_opt().copied()),
            Statistics::Int32(values) => {
                values.min_opt().copied().map(i64::from).zip(values.max_opt().copied().map(i64::from))
            }
            _ => return None,
        };
        Some(Self { range, nulls: statistics.null_count_opt()? })
    }
}

/// Whether `[least, greatest]` meets the half-open span.
fn meets(span: Span, least: i64, greatest: i64) -> bool {
    least < span.to_ns && greatest >= span.from_ns
}

/// Whether the days `[least, greatest]` meet the span.
fn meets_days(span: Span, least: i64, greatest: i64) -> bool {
    let start = least.saturating_mul(DAY_NS);
    let end = greatest.saturating_mul(DAY_NS).saturating_add(DAY_NS - 1);
    meets(span, start, end)
}

fn packing(method: u16) -> Packing {
    match method {
        STORED => Packing::Stored,
        DEFLATED => Packing::Deflated,
        other => Packing::Unsupported(other),
    }
}

fn method(packing: Packing) -> u16 {
    match packing {
        Packing::Stored => STORED,
        Packing::Deflated => DEFLATED,
        Packing::Unsupported(other) => other,
    }
}

fn encode(members: &[Member]) -> Result<RecordBatch, ArrowError> {
    let all = || members.iter();
    let instant = |member: &Member| match member.stamp {
        Stamp::At(ns) => Some(ns),
        _ => None,
    };
    let day = |member: &Member| match member.stamp {
        Stamp::Day(Day(day)) => Some(day),
        _ => None,
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(all().map(|member| member.position))),
        Arc::new(StringArray::from_iter_values(all().map(|member| &*member.name))),
        text(all().map(|member| member.robot.as_deref())),
        Arc::new(all().map(instant).collect::<Int64Array>()),
        Arc::new(all().map(day).collect::<Date32Array>()),
        Arc::new(UInt64Array::from_iter_values(all().map(|member| member.offset))),
        Arc::new(UInt64Array::from_iter_values(all().map(|member| member.stored_bytes))),
        Arc::new(UInt64Array::from_iter_values(all().map(|member| member.unpacked_bytes))),
        Arc::new(all().map(|member| member.crc32).collect::<UInt32Array>()),
        Arc::new(UInt16Array::from_iter_values(all().map(|member| method(member.packing)))),
    ];
    RecordBatch::try_new(SchemaRef::clone(&SCHEMA), columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory;

    fn member(position: u64, stamp: Stamp) -> Member {
        Member {
            object: 4,
            position,
            name: format!("r{}/{position}.json.gz", position / 1000).into(),
            robot: (!position.is_multiple_of(7)).then(|| Arc::from(format!("r{}", position / 1000))),
            stamp,
            offset: position * 300,
            stored_bytes: 280,
            unpacked_bytes: 281,
            crc32: (!position.is_multiple_of(5)).then_some(u32::MAX),
            packing: [Packing::Stored, Packing::Deflated, Packing::Unsupported(12)]
                [usize::try_from(position % 3).unwrap()],
        }
    }

    async fn all(reader: Option<MembersReader>) -> Vec<Member> {
        let (mut reader, mut members) = (reader.unwrap(), Vec::new());
        while let Some(chunk) = reader.next().await.unwrap() {
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK_MEMBERS);
            members.extend(chunk);
        }
        members
    }

    /// Writes a list, and gives those that read it: from memory, and by decoding it.
    async fn write(store: &Arc<dyn Store>, members: &[Member], chunk: usize) -> [MemberLists; 2] {
        let kept = MemberLists::of(Arc::clone(store), usize::MAX);
        let mut writer = kept.create("c", Box::new(|_| ())).await.unwrap();
        for members in members.chunks(chunk) {
            writer.write(members.to_vec()).await.unwrap();
        }
        writer.finish().await.unwrap();
        [kept, MemberLists::of(Arc::clone(store), 0)]
    }

    fn wanted(from_ns: i64, to_ns: i64) -> Wanted {
        Wanted { stamps: Some(Span { from_ns, to_ns }), robots: None }
    }

    #[tokio::test]
    async fn members_come_back_as_they_were_in_equal_bytes() {
        let (store, other) = (memory(), memory());
        let stamps = |n: u64| {
            [Stamp::At(i64::MIN), Stamp::At(-1), Stamp::Day(Day(-3)), Stamp::Absent][usize::try_from(n % 4).unwrap()]
        };
        let members: Vec<Member> = (0..20_000).map(|n| member(n, stamps(n))).collect();
        assert!(MemberLists::of(Arc::clone(&store), 0).open("c", 4, Wanted::default()).await.unwrap().is_none());
        for lists in write(&store, &members, 700).await {
            assert_eq!(all(lists.open("c", 4, Wanted::default()).await.unwrap()).await, members);
        }
        write(&other, &members, 20_000).await;
        let key = layout::members("c");
        assert_eq!(store.get(&key).await.unwrap().1, other.get(&key).await.unwrap().1);
    }

    #[tokio::test]
    async fn a_span_of_stamps_is_read_without_the_rest() {
        let store = memory();
        let members: Vec<Member> = (0..200_000).map(|n| member(n, Stamp::At(i64::try_from(n).unwrap()))).collect();
        for lists in write(&store, &members, 10_000).await {
            let found = all(lists.open("c", 4, wanted(70_000, 70_003)).await.unwrap()).await;
            assert_eq!(found, members[70_000..70_003]);
            assert!(all(lists.open("c", 4, wanted(200_000, 200_001)).await.unwrap()).await.is_empty());
        }
    }

    #[tokio::test]
    async fn some_robots_are_read_without_the_rest_wherever_their_members_lie() {
        let store = memory();
        let stamps = |n: u64| [Stamp::At(i64::try_from(n).unwrap()), Stamp::Absent][usize::from(n.is_multiple_of(9))];
        let members: Vec<Member> = (0..150_000).map(|n| member(n, stamps(n))).collect();
        let lists = write(&store, &members, 10_000).await;
        let robots = [Some("r3"), Some("r70"), Some("r149"), None];
        for some in [&robots[..], &robots[..1], &robots[3..], &[]] {
            let chosen = some.to_vec();
            let robots: Robots = Arc::new(move |robot| chosen.contains(&robot));
            let stamps = Some(Span { from_ns: 3_500, to_ns: 149_001 });
            let within = |stamp| !matches!(stamp, Stamp::At(ns) if !(3_500..149_001).contains(&ns));
            let is_wanted = |member: &&Member| some.contains(&member.robot.as_deref()) && within(member.stamp);
            let expected: Vec<Member> = members.iter().filter(is_wanted).cloned().collect();
            for lists in &lists {
                let wanted = Wanted { stamps, robots: Some(Arc::clone(&robots)) };
                assert_eq!(all(lists.open("c", 4, wanted).await.unwrap()).await, expected);
            }
        }
    }

    #[tokio::test]
    async fn row_groups_without_a_wanted_robot_are_not_read() {
        let store = memory();
        let rows = GROUP_MEMBERS as u64;
        // Groups of one robot, of another, of both, of very many, and one in which some tell none.
        let robot = |n: u64| match n / rows {
            0 => Some(0),
            1 => Some(1),
            2 => Some(n % 2),
            3 => Some(n % 100),
            _ => n.is_multiple_of(2).then_some(1),
        };
        let members = (0..5 * rows).map(|n| {
            let robot = robot(n).map(|robot| format!("r{robot}").into());
            Member { robot, ..member(n, Stamp::Absent) }
        });
        write(&store, &members.collect::<Vec<_>>(), 50_000).await;
        let list = ParquetObject::open(&store, &layout::members("c")).await.unwrap();
        let list = list.reader(SchemaRef::clone(&SCHEMA)).await.unwrap();
        let told = GroupsReader::of(list.metadata().file_metadata());
        let held = |name: &'static str| {
            let robots: Robots = Arc::new(move |robot| robot == Some(name));
            (0..5).map(|group| told.may_hold(group, &robots)).collect::<Vec<_>>()
        };
        assert_eq!(held("r0"), [true, false, true, true, true]);
        assert_eq!(held("r1"), [false, true, true, true, true]);
        assert_eq!(held("r2"), [false, false, false, true, true]);
    }

    #[tokio::test]
    async fn days_and_missing_stamps_are_kept_where_they_may_matter() {
        async fn found(lists: &MemberLists, wanted: Wanted) -> usize {
            all(lists.open("c", 4, wanted).await.unwrap()).await.len()
        }
        let store = memory();
        for lists in write(&store, &[member(0, Stamp::Day(Day(1))), member(1, Stamp::Absent)], 2).await {
            assert_eq!(found(&lists, wanted(DAY_NS, DAY_NS + 1)).await, 2);
            assert_eq!(found(&lists, wanted(2 * DAY_NS - 1, 3 * DAY_NS)).await, 2);
            assert_eq!(found(&lists, wanted(2 * DAY_NS, 3 * DAY_NS)).await, 1);
        }
        for lists in write(&store, &[member(0, Stamp::Day(Day(1)))], 2).await {
            assert_eq!(found(&lists, wanted(2 * DAY_NS, 3 * DAY_NS)).await, 0);
        }
    }

    #[tokio::test]
    async fn an_empty_object_has_an_empty_list() {
        let store = memory();
        for lists in write(&store, &[], 1).await {
            assert!(all(lists.open("c", 0, Wanted::default()).await.unwrap()).await.is_empty());
        }
    }
}
