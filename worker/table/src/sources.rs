//! Source versions: the objects of the archive as a plan saw them, a line per object and hour of its members' stamps.

use crate::columns::{integers, text, texts};
use crate::error::{TableError, placed};
use crate::layout;
use crate::object::ParquetObject;
use crate::upload::{Layout, ParquetUpload};
use archive::store::{Store, StoreError};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type};
use futures::TryStreamExt;
use pipeline::archive::Archive;
use pipeline::plan::{Cell, When, digest};
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// Layout of a source version, in its footer.
const LAYOUT: Layout = Layout { name: "sources/2", unique: &["etag", "version_id", "digest"], dense: &[] };

/// Lines encoded at a time.
const BATCH_LINES: usize = 8 << 10;

/// One object of a source version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceObject {
    /// Key below the archive's prefix.
    pub key: String,
    /// Size.
    pub bytes: u64,
    /// Entity tag.
    pub etag: Option<String>,
    /// Version id, on a versioned bucket.
    pub version: Option<String>,
    /// Names the state of its members: where their list lies.
    pub content_id: String,
    /// How many members it has.
    pub members: u64,
    /// Their stored bytes.
    pub stored_bytes: u64,
    /// Its members in short.
    pub cells: Vec<Cell>,
}

/// The words of an archive that say what its members are: lists hold what they say of names, so their own names hold them.
#[derive(Debug, Clone, Copy)]
pub struct Patterns<'a> {
    objects: &'a str,
    members: Option<&'a str>,
    capture: Option<&'a str>,
}

impl<'a> Patterns<'a> {
    /// Those of an archive.
    pub fn of(archive: &'a Archive) -> Self {
        let members = archive.members.as_ref().map(|pattern| pattern.text.as_str());
        Self { objects: &archive.objects.text, members, capture: archive.robot.capture.as_deref() }
    }

    /// Those in the meaning that a plan keeps, see [`pipeline::meaning`]; `None`: it is of another layout.
    pub fn of_meaning(meaning: &'a Value) -> Option<Self> {
        let archive = &meaning["archive"];
        let (members, capture) = (archive["members"].as_str(), archive["robot"]["capture"].as_str());
        Some(Self { objects: archive["objects"].as_str()?, members, capture })
    }

    /// As one text.
    pub fn text(self) -> String {
        format!("{:?}", (self.objects, self.members, self.capture))
    }

    /// Under which name the objects of a source version are kept.
    pub fn sources_name(self, version: &str) -> String {
        digest(format!("{version}\n{}", self.text()).as_bytes())
    }
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::UInt64, true);
    let signed = |name: &str| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        text("key"),
        number("bytes"),
        text("etag"),
        text("version_id"),
        text("content_id"),
        number("members"),
        number("stored_bytes"),
        // The cell: null for an object without members.
        signed("hour"),
        signed("day"),
        text("digest"),
        number("hour_members"),
        number("hour_bytes"),
        signed("first_ns"),
        signed("last_ns"),
    ]))
});

/// Columns of a cell.
const HOUR: usize = 7;
const DAY: usize = 8;
const DIGEST: usize = 9;

/// Writes a source version. Writing one that is there again replaces it by equal bytes.
pub async fn write_sources(store: &dyn Store, version: &str, objects: &[SourceObject]) -> Result<(), TableError> {
    let key = layout::sources(version);
    let mut file = ParquetUpload::create(store, &key, &SCHEMA, &LAYOUT).await?;
    let lines: Vec<Line> = objects.iter().flat_map(lines).collect();
    for lines in lines.chunks(BATCH_LINES) {
        file.write(encode(lines).map_err(|error| TableError::writing(&key, &error))?).await?;
    }
    file.finish().await?;
    Ok(())
}

/// Reads a source version; `None`: none was written.
pub async fn read_sources(store: &Arc<dyn Store>, version: &str) -> Result<Option<Vec<SourceObject>>, TableError> {
    let key = layout::sources(version);
    let list = match ParquetObject::open(store, &key).await {
        Err(TableError::Store(StoreError::NotFound { .. })) => return Ok(None),
        list => list?,
    };
    let place = placed(store.as_ref(), &key);
    let reading = |error| TableError::reading(&place, error);
    let mut batches = list.reader(SchemaRef::clone(&SCHEMA)).await?.build().map_err(reading)?;
    let mut objects: Vec<SourceObject> = Vec::new();
    while let Some(batch) = batches.try_next().await.map_err(reading)? {
        for row in 0..batch.num_rows() {
            let (object, cell) = (decode(&batch, row), decode_cell(&batch, row));
            match objects.last_mut().filter(|last| last.key == object.key) {
                Some(last) => last.cells.extend(cell),
                None => objects.push(SourceObject { cells: cell.into_iter().collect(), ..object }),
            }
        }
    }
    Ok(Some(objects))
}

/// An object with one of its cells.
#[derive(Clone, Copy)]
struct Line<'a> {
    object: &'a SourceObject,
    cell: Option<&'a Cell>,
}

/// A line per cell; one for an object without any.
fn lines(object: &SourceObject) -> impl Iterator<Item = Line<'_>> {
    let cells = object.cells.iter().map(Some).chain(object.cells.is_empty().then_some(None));
    cells.map(move |cell| Line { object, cell })
}

fn encode(lines: &[Line<'_>]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let objects = || lines.iter().map(|line| line.object);
    let cells = || lines.iter().map(|line| line.cell);
    let hour = |cell: &Cell| if let When::Hour(hour) = cell.when { Some(hour) } else { None };
    let day = |cell: &Cell| if let When::Day(day) = cell.when { Some(i64::from(day)) } else { None };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(objects().map(|object| &object.key))),
        Arc::new(UInt64Array::from_iter_values(objects().map(|object| object.bytes))),
        text(objects().map(|object| object.etag.as_deref())),
        text(objects().map(|object| object.version.as_deref())),
        Arc::new(StringArray::from_iter_values(objects().map(|object| &object.content_id))),
        Arc::new(UInt64Array::from_iter_values(objects().map(|object| object.members))),
        Arc::new(UInt64Array::from_iter_values(objects().map(|object| object.stored_bytes))),
        Arc::new(cells().map(|cell| cell.and_then(hour)).collect::<Int64Array>()),
        Arc::new(cells().map(|cell| cell.and_then(day)).collect::<Int64Array>()),
        text(cells().map(|cell| cell.map(|cell| cell.digest.as_str()))),
        Arc::new(cells().map(|cell| cell.map(|cell| cell.members)).collect::<UInt64Array>()),
        Arc::new(cells().map(|cell| cell.map(|cell| cell.bytes)).collect::<UInt64Array>()),
        Arc::new(cells().map(|cell| cell.map(|cell| cell.first_ns)).collect::<Int64Array>()),
        Arc::new(cells().map(|cell| cell.map(|cell| cell.last_ns)).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(SchemaRef::clone(&SCHEMA), columns)
}

/// The object of a line, without cells.
fn decode(batch: &RecordBatch, row: usize) -> SourceObject {
    let cell = |column| texts(batch, column, row).map(str::to_owned);
    let number = |column| integers::<UInt64Type>(batch, column, row).unwrap_or(0);
    SourceObject {
        key: cell(0).unwrap_or_default(),
        bytes: number(1),
        etag: cell(2),
        version: cell(3),
        content_id: cell(4).unwrap_or_default(),
        members: number(5),
        stored_bytes: number(6),
        cells: Vec::new(),
    }
}

/// The cell of a line; an object without members has none.
fn decode_cell(batch: &RecordBatch, row: usize) -> Option<Cell> {
    let digest = texts(batch, DIGEST, row)?.to_owned();
    let signed = |column| integers::<Int64Type>(batch, column, row);
    let number = |column| integers::<UInt64Type>(batch, column, row).unwrap_or(0);
    let when = match (signed(HOUR), signed(DAY).map(i32::try_from)) {
        (Some(hour), _) => When::Hour(hour),
        (None, Some(Ok(day))) => When::Day(day),
        (None, _) => When::Never,
    };
    let (members, bytes) = (number(DIGEST + 1), number(DIGEST + 2));
    let (first_ns, last_ns) = (signed(DIGEST + 3).unwrap_or(0), signed(DIGEST + 4).unwrap_or(0));
    Some(Cell { when, digest, members, bytes, first_ns, last_ns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory;

    #[tokio::test]
    async fn a_source_version_comes_back_as_it_was() {
        let store = memory();
        let whens = [When::Hour(-3), When::Day(7), When::Never];
        let cell = |n: u64| Cell {
            when: whens[usize::try_from(n).unwrap()],
            digest: format!("d{n}"),
            members: n,
            bytes: n + 1,
            first_ns: -5,
            last_ns: 6,
        };
        let object = |n: u64| SourceObject {
            key: format!("2022-10-{n}.zip"),
            bytes: n,
            etag: n.is_multiple_of(2).then(|| "\"e\"".to_owned()),
            version: None,
            content_id: "c".to_owned(),
            members: 2 * n,
            stored_bytes: 3 * n,
            cells: (0..n % 4).map(cell).collect(),
        };
        let objects: Vec<SourceObject> = (0..10_000).map(object).collect();
        assert_eq!(read_sources(&store, "v").await.unwrap(), None);
        write_sources(store.as_ref(), "v", &objects).await.unwrap();
        assert_eq!(read_sources(&store, "v").await.unwrap(), Some(objects));
    }
}
