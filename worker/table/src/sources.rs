//! Source versions: a line per object of the archive as a plan saw it.

use crate::columns::{integers, text, texts};
use crate::error::TableError;
use crate::layout;
use crate::object::ParquetObject;
use crate::upload::{Layout, ParquetUpload};
use archive::store::{Store, StoreError};
use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use futures::TryStreamExt;
use std::sync::{Arc, LazyLock};

/// Layout of a source version, in its footer.
const LAYOUT: Layout = Layout { name: "sources/1", unique: &["key", "etag", "version_id", "content_id"] };

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
    /// What it is: `zip`, `tar` or `plain`.
    pub kind: String,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::UInt64, true);
    Arc::new(Schema::new(vec![
        text("key"),
        number("bytes"),
        text("etag"),
        text("version_id"),
        text("content_id"),
        number("members"),
        number("stored_bytes"),
        text("kind"),
    ]))
});

/// Writes a source version. Writing one that is there again replaces it by equal bytes.
pub async fn write_sources(store: &dyn Store, version: &str, objects: &[SourceObject]) -> Result<(), TableError> {
    let key = layout::sources(version);
    let mut file = ParquetUpload::create(store, &key, &SCHEMA, &LAYOUT).await?;
    for objects in objects.chunks(BATCH_LINES) {
        file.write(encode(objects).map_err(|error| TableError::writing(&key, &error))?).await?;
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
    let reading = |error| TableError::reading(&key, error);
    let mut batches = list.reader(SchemaRef::clone(&SCHEMA)).await?.build().map_err(reading)?;
    let mut objects = Vec::new();
    while let Some(batch) = batches.try_next().await.map_err(reading)? {
        objects.extend((0..batch.num_rows()).map(|row| decode(&batch, row)));
    }
    Ok(Some(objects))
}

fn encode(objects: &[SourceObject]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let all = || objects.iter();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(all().map(|object| &object.key))),
        Arc::new(UInt64Array::from_iter_values(all().map(|object| object.bytes))),
        text(all().map(|object| object.etag.as_deref())),
        text(all().map(|object| object.version.as_deref())),
        Arc::new(StringArray::from_iter_values(all().map(|object| &object.content_id))),
        Arc::new(UInt64Array::from_iter_values(all().map(|object| object.members))),
        Arc::new(UInt64Array::from_iter_values(all().map(|object| object.stored_bytes))),
        Arc::new(StringArray::from_iter_values(all().map(|object| &object.kind))),
    ];
    RecordBatch::try_new(SchemaRef::clone(&SCHEMA), columns)
}

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
        kind: cell(7).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory;

    #[tokio::test]
    async fn a_source_version_comes_back_as_it_was() {
        let store = memory();
        let object = |n: u64| SourceObject {
            key: format!("2022-10-{n}.zip"),
            bytes: n,
            etag: n.is_multiple_of(2).then(|| "\"e\"".to_owned()),
            version: None,
            content_id: "c".to_owned(),
            members: 2 * n,
            stored_bytes: 3 * n,
            kind: "zip".to_owned(),
        };
        let objects: Vec<SourceObject> = (0..10_000).map(object).collect();
        assert_eq!(read_sources(&store, "v").await.unwrap(), None);
        write_sources(store.as_ref(), "v", &objects).await.unwrap();
        assert_eq!(read_sources(&store, "v").await.unwrap(), Some(objects));
    }
}
