//! The quarantine of one attempt at a shard: what it refused, where it lies, and a sample of it. Bad data is data.

use crate::columns::text;
use crate::error::TableError;
use crate::layout;
use crate::upload::{Layout, ParquetUpload};
use archive::store::Store;
use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use engine::account::Kind;
use std::sync::{Arc, LazyLock};

/// Layout of a quarantine file, in its footer.
const LAYOUT: Layout = Layout { name: "quarantine/1", unique: &["sample"], dense: &[] };

/// Most bytes of a sample: enough to see what is wrong, too few to keep the data twice.
pub const SAMPLE_BYTES_MAX: usize = 256;

/// One refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// Key of the object.
    pub object: &'a str,
    /// Version id of the object, on a versioned bucket.
    pub version: Option<&'a str>,
    /// Name of the member; empty for a plain object.
    pub member: &'a str,
    /// Where in the member's bytes, after unpacking.
    pub byte_offset: Option<u64>,
    /// Which record of the member and signal.
    pub record: Option<u64>,
    /// The signal; `None`: the whole member or line.
    pub signal: Option<&'a str>,
    /// The column, where one is at fault.
    pub column: Option<&'a str>,
    /// Why.
    pub kind: Kind,
    /// What was there; cut to [`SAMPLE_BYTES_MAX`], what is not UTF-8 replaced.
    pub sample: &'a [u8],
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::UInt64, true);
    Arc::new(Schema::new(vec![
        text("object"),
        text("version_id"),
        text("member"),
        number("byte_offset"),
        number("record"),
        text("signal"),
        text("column"),
        text("kind"),
        text("sample"),
    ]))
});

/// Writes refusals as they come. No refusal, no file.
pub struct QuarantineWriter {
    store: Arc<dyn Store>,
    key: String,
    file: Option<ParquetUpload>,
}

impl QuarantineWriter {
    /// The quarantine of one attempt.
    pub fn new(store: &Arc<dyn Store>, shard_key: &str, attempt: &str) -> Self {
        Self { store: Arc::clone(store), key: layout::quarantine(shard_key, attempt), file: None }
    }

    /// Appends refusals, best some hundreds at a time.
    pub async fn write(&mut self, refusals: &[Refusal<'_>]) -> Result<(), TableError> {
        if refusals.is_empty() {
            return Ok(());
        }
        let batch = encode(refusals).map_err(|error| TableError::writing(&self.key, &error))?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(ParquetUpload::create(self.store.as_ref(), &self.key, &SCHEMA, &LAYOUT).await?),
        };
        file.write(batch).await
    }

    /// Makes the file visible. Its key, or `None` when nothing was refused.
    pub async fn finish(self) -> Result<Option<String>, TableError> {
        match self.file {
            Some(file) => Ok(Some(file.finish().await?.object.key)),
            None => Ok(None),
        }
    }

    /// Removes what was written.
    pub async fn abort(self) -> Result<(), TableError> {
        match self.file {
            Some(file) => file.abort().await,
            None => Ok(()),
        }
    }
}

fn encode(refusals: &[Refusal<'_>]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let all = || refusals.iter();
    let columns: Vec<ArrayRef> = vec![
        text(all().map(|refusal| Some(refusal.object))),
        text(all().map(|refusal| refusal.version)),
        text(all().map(|refusal| Some(refusal.member))),
        Arc::new(all().map(|refusal| refusal.byte_offset).collect::<UInt64Array>()),
        Arc::new(all().map(|refusal| refusal.record).collect::<UInt64Array>()),
        text(all().map(|refusal| refusal.signal)),
        text(all().map(|refusal| refusal.column)),
        text(all().map(|refusal| Some(refusal.kind.word()))),
        Arc::new(all().map(|refusal| Some(sample(refusal.sample))).collect::<StringArray>()),
    ];
    RecordBatch::try_new(SchemaRef::clone(&SCHEMA), columns)
}

/// At most [`SAMPLE_BYTES_MAX`] bytes of text.
fn sample(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(SAMPLE_BYTES_MAX)];
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text.truncate(text.floor_char_boundary(SAMPLE_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{integers, texts};
    use crate::object::ParquetObject;
    use crate::testing::memory;
    use arrow::datatypes::UInt64Type;
    use futures::TryStreamExt;

    #[tokio::test]
    async fn refusals_are_kept_with_place_and_sample() {
        let store = memory();
        let mut writer = QuarantineWriter::new(&store, "k", "a");
        let long = [b'x', 0xff].repeat(400);
        let refusal = Refusal {
            object: "2022-10-26.zip",
            version: None,
            member: "r1/1.json.gz",
            byte_offset: Some(17),
            record: None,
            signal: Some("status"),
            column: Some("cycle"),
            kind: Kind::Mismatch,
            sample: &long,
        };
        writer.write(&[refusal; 3]).await.unwrap();
        writer.write(&[Refusal { kind: Kind::Late, sample: b"ok", ..refusal }]).await.unwrap();
        let key = writer.finish().await.unwrap().unwrap();
        assert_eq!(key, "_fleetloom/quarantine/k-a.parquet");
        let object = ParquetObject::open(&store, &key).await.unwrap();
        let reader = object.reader(SchemaRef::clone(&SCHEMA)).await.unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.try_collect().await.unwrap();
        assert_eq!((batches.len(), batches[0].num_rows()), (1, 4));
        assert_eq!(texts(&batches[0], 7, 0), Some("mismatch"));
        assert_eq!(texts(&batches[0], 7, 3), Some("late"));
        assert_eq!(integers::<UInt64Type>(&batches[0], 3, 0), Some(17));
        assert_eq!(texts(&batches[0], 1, 0), None);
        assert!(texts(&batches[0], 8, 0).unwrap().len() <= SAMPLE_BYTES_MAX);
    }

    #[tokio::test]
    async fn nothing_refused_is_no_file() {
        let store = memory();
        let mut writer = QuarantineWriter::new(&store, "k", "a");
        writer.write(&[]).await.unwrap();
        assert_eq!(writer.finish().await.unwrap(), None);
        assert!(store.list("").try_collect::<Vec<_>>().await.unwrap().is_empty());
    }
}
