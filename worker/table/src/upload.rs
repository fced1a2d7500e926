//! A Parquet file streamed to a store: rows in, pieces out, never the whole file in memory.
//!
//! Equal rows give equal bytes, however the caller cuts them into batches: rows are gathered into slices of a length that
//! the schema alone decides, and nothing of the machine, the time or the library's version enters the file.
//!
//! ```text
//! batches of any length ─► equal slices ─► pages ─► row group ─► pieces ─► upload
//! ```

use crate::error::TableError;
use crate::row_group::RowGroup;
use archive::store::{Object, Store, Upload};
use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use std::collections::VecDeque;
use std::io::Write;

/// Who wrote the file: constant, so that bytes are; in the form that readers parse.
const CREATED_BY: &str = "fleetloom version 1.0.0 (build 1)";

/// Aim for the values of a row group in memory, bytes. It bounds what an open file holds.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Most rows of a row group: beyond that, readers gain nothing.
const ROW_GROUP_ROWS_MAX: usize = 64 << 10;

/// Fewest rows of a row group, even of very wide tables: below that, footers outweigh columns.
const ROW_GROUP_ROWS_MIN: usize = 4 << 10;

/// Most rows of a slice.
const SLICE_ROWS_MAX: usize = 4 << 10;

/// Slices that are encoded at a time, so that threads have enough to do and few rows are held twice.
const SLICES_AT_ONCE: usize = 8;

/// Bytes of one value in memory, for these estimates.
const VALUE_BYTES: usize = 8;

/// A piece is handed to the upload when this much is ready.
const PIECE_BYTES: usize = 1 << 20;

/// What a kind of file is called and how its text is kept.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Its name and number, in the footer.
    pub(crate) name: &'static str,
    /// Text columns whose values hardly repeat: a dictionary would only cost.
    pub(crate) unique: &'static [&'static str],
}

/// A Parquet file being written. Dropping it without [`ParquetUpload::finish`] leaves nothing visible.
pub(crate) struct ParquetUpload {
    key: String,
    schema: SchemaRef,
    slices: BatchCoalescer,
    group: Option<RowGroup>,
    groups: ArrowRowGroupWriterFactory,
    file: SerializedFileWriter<Pieces>,
    threads: usize,
    upload: Box<dyn Upload>,
    hash: blake3::Hasher,
    rows: u64,
}

/// A Parquet file that was written.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Where it lies.
    pub(crate) object: Object,
    /// Its rows.
    pub(crate) rows: u64,
    /// BLAKE3 of its bytes.
    pub(crate) hash: blake3::Hash,
    /// Its footer.
    pub(crate) footer: ParquetMetaData,
}

impl ParquetUpload {
    /// A new file at `key` with columns `schema`.
    pub(crate) async fn create(
        store: &dyn Store,
        key: &str,
        schema: &SchemaRef,
        layout: &Layout,
    ) -> Result<Self, TableError> {
        let options =
            ArrowWriterOptions::new().with_properties(properties(schema, layout)).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Pieces::default(), SchemaRef::clone(schema), options)
            .and_then(ArrowWriter::into_serialized_writer);
        let (file, groups) = writer.map_err(|error| TableError::writing(key, &error))?;
        Ok(Self {
            key: key.to_owned(),
            schema: SchemaRef::clone(schema),
            slices: BatchCoalescer::new(SchemaRef::clone(schema), slice_rows(schema)),
            group: None,
            groups,
            file,
            threads: 1,
            upload: store.upload(key).await?,
            hash: blake3::Hasher::new(),
            rows: 0,
        })
    }

    /// The same, with its columns encoded on so many threads. Its bytes do not depend on them.
    pub(crate) fn on_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Appends rows.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<(), TableError> {
        self.rows = self.rows.saturating_add(batch.num_rows() as u64);
        let step = slice_rows(&self.schema) * SLICES_AT_ONCE;
        for start in (0..batch.num_rows()).step_by(step) {
            let rows = batch.slice(start, step.min(batch.num_rows() - start));
            self.slices.push_batch(rows).map_err(|error| TableError::writing(&self.key, &error))?;
            self.encode().await?;
        }
        Ok(())
    }

    /// Adds a line to its footer.
    pub(crate) fn note(&mut self, key: &str, line: String) {
        self.file.append_key_value_metadata(KeyValue::new(key.to_owned(), line));
    }

    /// What its unfinished row group holds, bytes.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.group.as_ref().map_or(0, RowGroup::bytes)
    }

    /// Ends the row group, which frees what it holds.
    pub(crate) async fn end_row_group(&mut self) -> Result<(), TableError> {
        self.slices.finish_buffered_batch().map_err(|error| TableError::writing(&self.key, &error))?;
        self.encode().await?;
        self.end().map_err(|error| TableError::writing(&self.key, &error))?;
        self.drain().await
    }

    /// Makes the file visible, whole and durable.
    pub(crate) async fn finish(mut self) -> Result<Finished, TableError> {
        self.end_row_group().await?;
        let footer = self.file.finish().map_err(|error| TableError::writing(&self.key, &error))?;
        self.file.inner_mut().close();
        self.drain().await?;
        let object = self.upload.finish().await?;
        Ok(Finished { object, rows: self.rows, hash: self.hash.finalize(), footer })
    }

    /// Removes what was written.
    pub(crate) async fn abort(self) -> Result<(), TableError> {
        Ok(self.upload.abort().await?)
    }

    async fn encode(&mut self) -> Result<(), TableError> {
        let mut slices: VecDeque<RecordBatch> = std::iter::from_fn(|| self.slices.next_completed_batch()).collect();
        while !slices.is_empty() {
            self.fill(&mut slices).map_err(|error| TableError::writing(&self.key, &error))?;
            self.drain().await?;
        }
        Ok(())
    }

    /// Takes slices up to the end of the row group, which ends where it is full.
    fn fill(&mut self, slices: &mut VecDeque<RecordBatch>) -> Result<(), ParquetError> {
        let group = match &mut self.group {
            Some(group) => group,
            none => {
                let index = self.file.flushed_row_groups().len();
                none.insert(RowGroup::new(&self.groups, &self.schema, index)?)
            }
        };
        let rows_max = row_group_rows(&self.schema);
        group.write(&first_rows(slices, rows_max - group.rows()), self.threads)?;
        if group.rows() == rows_max { self.end() } else { Ok(()) }
    }

    /// Ends the row group, if there is one.
    fn end(&mut self) -> Result<(), ParquetError> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut into = self.file.next_row_group()?;
        for column in group.close(self.threads)? {
            column.append_to_row_group(&mut into)?;
        }
        into.close().map(drop)
    }

    /// Hands whole pieces to the upload.
    async fn drain(&mut self) -> Result<(), TableError> {
        while let Some(piece) = self.file.inner_mut().whole.pop_front() {
            self.hash.update(&piece);
            self.upload.write(piece.into()).await?;
        }
        Ok(())
    }
}

/// What the encoder has written and the upload has not taken yet: never copied, however much a row group comes to.
#[derive(Debug, Default)]
struct Pieces {
    whole: VecDeque<Vec<u8>>,
    open: Vec<u8>,
}

impl Pieces {
    /// What is there is a whole piece.
    fn close(&mut self) {
        if !self.open.is_empty() {
            self.whole.push_back(std::mem::take(&mut self.open));
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.open.reserve_exact(PIECE_BYTES - self.open.len());
        let (now, _) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.open.len()));
        self.open.extend_from_slice(now);
        if self.open.len() == PIECE_BYTES {
            self.close();
        }
        Ok(now.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Rows of a slice: about a MiB of values, so that many open files stay small.
fn slice_rows(schema: &SchemaRef) -> usize {
    (PIECE_BYTES / (VALUE_BYTES * columns(schema))).clamp(1, SLICE_ROWS_MAX)
}

/// Takes slices off the front until there are so many rows; a slice is cut where they end.
fn first_rows(slices: &mut VecDeque<RecordBatch>, mut rows: usize) -> Vec<RecordBatch> {
    let mut taken = Vec::new();
    while rows > 0
        && let Some(slice) = slices.pop_front()
    {
        let now = slice.num_rows().min(rows);
        if now < slice.num_rows() {
            slices.push_front(slice.slice(now, slice.num_rows() - now));
        }
        taken.push(slice.slice(0, now));
        rows -= now;
    }
    taken
}

/// Rows of a row group.
pub(crate) fn row_group_rows(schema: &SchemaRef) -> usize {
    (ROW_GROUP_BYTES / (VALUE_BYTES * columns(schema))).clamp(ROW_GROUP_ROWS_MIN, ROW_GROUP_ROWS_MAX)
}

fn columns(schema: &SchemaRef) -> usize {
    schema.fields().len().max(1)
}

/// How the columns are encoded: text by dictionary, whole numbers and times by their differences, floats as they are (split
/// bytes are written a fifth faster, but Spark 3 does not read them).
fn properties(schema: &SchemaRef, layout: &Layout) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(vec![KeyValue::new("fleetloom.layout".to_owned(), layout.name.to_owned())]));
    for field in schema.fields() {
        let unique = layout.unique.contains(&field.name().as_str());
        properties = encoded(properties, field, unique);
    }
    properties.build()
}

fn encoded(properties: WriterPropertiesBuilder, field: &Field, unique: bool) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(field.name().as_str());
    match field.data_type() {
        DataType::Utf8 if unique => properties.set_column_encoding(path, Encoding::DELTA_BYTE_ARRAY),
        DataType::Utf8 => properties.set_column_dictionary_enabled(path, true),
        DataType::Boolean | DataType::Float64 => properties,
        _ => properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
    }
}
