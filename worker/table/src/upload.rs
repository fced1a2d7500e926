//! A Parquet file streamed to a store: rows in, pieces out, never the whole file in memory.
//!
//! Equal rows give equal bytes, however the caller cuts them into batches: columns are encoded in slices of a length that the
//! schema alone decides, and nothing of the machine, the time or the library's version enters the file.
//!
//! ```text
//! batches of any length ─► row group ─► equal slices ─► pages ─► pieces ─► upload
//! ```
//! Pieces are sent while more columns of their row group are encoded.

use crate::error::TableError;
use crate::row_group::{RowGroup, VALUE_BYTES};
use archive::store::{Object, Store, Upload};
use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use engine::crew::Crew;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use std::io::Write;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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

/// A piece is handed to the upload when this much is ready.
const PIECE_BYTES: usize = 1 << 20;

/// What a kind of file is called and how its text is kept.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Its name and number, in the footer.
    pub(crate) name: &'static str,
    /// Text columns whose values hardly repeat: a dictionary would only cost.
    pub(crate) unique: &'static [&'static str],
    /// Columns that their encoding makes about as small as they get: zstd would only cost.
    pub(crate) dense: &'static [&'static str],
}

/// A Parquet file being written. Dropping it without [`ParquetUpload::finish`] leaves nothing visible.
pub(crate) struct ParquetUpload {
    key: String,
    schema: SchemaRef,
    /// Batches of less than a slice, put together: each that is held has its price.
    small: BatchCoalescer,
    group: RowGroup,
    /// Rows of a row group.
    group_rows: usize,
    groups: ArrowRowGroupWriterFactory,
    file: SerializedFileWriter<Pieces>,
    /// Encodes its columns; nobody: whoever writes.
    crew: Option<Crew>,
    sending: Sending,
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
        let (pieces, whole) = Pieces::new();
        let writer = ArrowWriter::try_new_with_options(pieces, SchemaRef::clone(schema), options)
            .and_then(ArrowWriter::into_serialized_writer);
        let (file, groups) = writer.map_err(|error| TableError::writing(key, &error))?;
        Ok(Self {
            key: key.to_owned(),
            schema: SchemaRef::clone(schema),
            small: BatchCoalescer::new(SchemaRef::clone(schema), slice_rows(schema)),
            group: RowGroup::default(),
            group_rows: row_group_rows(schema),
            groups,
            file,
            crew: None,
            sending: Sending { whole, upload: store.upload(key).await?, hash: blake3::Hasher::new() },
            rows: 0,
        })
    }

    /// The same, with its columns encoded by a crew. Its bytes do not depend on it.
    pub(crate) fn encoded_by(self, crew: Option<Crew>) -> Self {
        Self { crew, ..self }
    }

    /// The same, with at most so many rows in a row group.
    pub(crate) fn in_groups_of(self, rows: usize) -> Self {
        Self { group_rows: rows.min(self.group_rows), ..self }
    }

    /// Appends rows.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<(), TableError> {
        self.rows = self.rows.saturating_add(batch.num_rows() as u64);
        if batch.num_rows() < slice_rows(&self.schema) {
            self.small.push_batch(batch).map_err(|error| TableError::writing(&self.key, &error))?;
            return self.gather().await;
        }
        self.gather_all().await?;
        self.take(batch).await
    }

    /// Adds a line to its footer.
    pub(crate) fn note(&mut self, key: &str, line: String) {
        self.file.append_key_value_metadata(KeyValue::new(key.to_owned(), line));
    }

    /// What its unfinished row group holds, bytes.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.group.bytes()
    }

    /// Ends the row group, which frees what it holds.
    pub(crate) async fn end_row_group(&mut self) -> Result<(), TableError> {
        self.gather_all().await?;
        Box::pin(self.end()).await
    }

    /// Makes the file visible, whole and durable.
    pub(crate) async fn finish(mut self) -> Result<Finished, TableError> {
        self.end_row_group().await?;
        let footer = self.file.finish().map_err(|error| TableError::writing(&self.key, &error))?;
        self.file.inner_mut().close();
        self.sending.send().await?;
        let object = self.sending.upload.finish().await?;
        Ok(Finished { object, rows: self.rows, hash: self.sending.hash.finalize(), footer })
    }

    /// Removes what was written.
    pub(crate) async fn abort(self) -> Result<(), TableError> {
        Ok(self.sending.upload.abort().await?)
    }

    /// Moves small batches into the row group, those that still wait for more too.
    async fn gather_all(&mut self) -> Result<(), TableError> {
        self.small.finish_buffered_batch().map_err(|error| TableError::writing(&self.key, &error))?;
        self.gather().await
    }

    /// Moves small batches that came to a slice into the row group.
    async fn gather(&mut self) -> Result<(), TableError> {
        while let Some(batch) = self.small.next_completed_batch() {
            self.take(batch).await?;
        }
        Ok(())
    }

    /// Takes rows into the row group, which ends where it is full.
    async fn take(&mut self, mut rows: RecordBatch) -> Result<(), TableError> {
        while rows.num_rows() > 0 {
            let now = rows.num_rows().min(self.group_rows - self.group.rows());
            self.group.push(rows.slice(0, now));
            rows = rows.slice(now, rows.num_rows() - now);
            if self.group.rows() == self.group_rows {
                Box::pin(self.end()).await?;
            }
        }
        Ok(())
    }

    /// Ends the row group, if it has rows.
    async fn end(&mut self) -> Result<(), TableError> {
        if self.group.rows() == 0 {
            return Ok(());
        }
        let Self { key, schema, groups, file, sending, .. } = self;
        let writing = |error: ParquetError| TableError::writing(key, &error);
        let (group, index) = (std::mem::take(&mut self.group), file.flushed_row_groups().len());
        let columns = group.close(groups, schema, index, slice_rows(schema), self.crew.as_ref());
        let (mut columns, mut into) = (columns.map_err(writing)?, file.next_row_group().map_err(writing)?);
        while let Some(column) = columns.try_next().await.map_err(writing)? {
            column.append_to_row_group(&mut into).map_err(writing)?;
            sending.send().await?;
        }
        into.close().map(drop).map_err(writing)
    }
}

/// What the encoder has written, cut into pieces: never copied, however much a row group comes to.
#[derive(Debug)]
struct Pieces {
    open: Vec<u8>,
    whole: UnboundedSender<Vec<u8>>,
}

impl Pieces {
    /// With where its whole pieces come out.
    fn new() -> (Self, UnboundedReceiver<Vec<u8>>) {
        let (whole, out) = unbounded_channel();
        (Self { open: Vec::new(), whole }, out)
    }

    /// What is there is a whole piece.
    fn close(&mut self) {
        if !self.open.is_empty() {
            // Whoever dropped the other end has given the file up.
            let _ = self.whole.send(std::mem::take(&mut self.open));
        }
    }
}

/// The way of pieces into the store.
struct Sending {
    whole: UnboundedReceiver<Vec<u8>>,
    upload: Box<dyn Upload>,
    hash: blake3::Hasher,
}

impl Sending {
    /// Hands whole pieces to the upload.
    async fn send(&mut self) -> Result<(), TableError> {
        while let Ok(piece) = self.whole.try_recv() {
            self.hash.update(&piece);
            self.upload.write(piece.into()).await?;
        }
        Ok(())
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

/// Rows of a row group.
fn row_group_rows(schema: &SchemaRef) -> usize {
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
        let is_one_of = |columns: &[&str]| columns.contains(&field.name().as_str());
        properties = encoded(properties, field, is_one_of(layout.unique));
        if is_one_of(layout.dense) {
            properties = properties.set_column_compression(path(field), Compression::UNCOMPRESSED);
        }
    }
    properties.build()
}

fn encoded(properties: WriterPropertiesBuilder, field: &Field, unique: bool) -> WriterPropertiesBuilder {
    match field.data_type() {
        DataType::Utf8 if unique => properties.set_column_encoding(path(field), Encoding::DELTA_BYTE_ARRAY),
        DataType::Utf8 => properties.set_column_dictionary_enabled(path(field), true),
        DataType::Boolean | DataType::Float64 => properties,
        _ => properties.set_column_encoding(path(field), Encoding::DELTA_BINARY_PACKED),
    }
}

fn path(field: &Field) -> ColumnPath {
    ColumnPath::from(field.name().as_str())
}
