//! A row group: its rows are gathered, then its columns are encoded on several threads, each column by one of them.
//!
//! ```text
//! batches, as they came   │ a b c │ a b c │        thread 0   a0 a1 a2   c0 c1 c2
//! slices, all of a length │ 0 │ 1 │ 2 │      ──►   thread 1   b0 b1 b2               ──► chunks a, b, c of the file
//! ```
//! An encoder looks for the end of a page after each slice, so its bytes are the same however the rows came, and on any number of
//! threads. Only where a slice begins in one batch and ends in another is a column copied. Columns that were encoded while rows come
//! in would each hold a compressor of half a MiB, whose tables are cold at every page. A column's values go once it is encoded, and
//! what it came to can be written while others are encoded.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{FieldRef, SchemaRef};
use engine::crew::Crew;
use futures::stream::{self, BoxStream, StreamExt};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::{ParquetError, Result};
use std::sync::Arc;

/// Bytes of a value that is no text, for what a row group holds.
pub(crate) const VALUE_BYTES: usize = 8;

/// A row group that is not whole yet: its rows, until all are there.
#[derive(Debug, Default)]
pub(crate) struct RowGroup {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl RowGroup {
    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of their values: what it holds, about. The same however the rows came.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends rows.
    pub(crate) fn push(&mut self, batch: RecordBatch) {
        self.bytes += batch.columns().iter().map(value_bytes).sum::<usize>();
        self.rows += batch.num_rows();
        self.batches.push(batch);
    }

    /// Encodes its columns, which are flat: one leaf each. What they come to, one after the other, as the file's group `index`.
    ///
    /// The bytes depend on `slice_rows`, and not on who encodes: the `crew`, or, where there is none, whoever asks for them.
    pub(crate) fn close(
        self,
        groups: &ArrowRowGroupWriterFactory,
        schema: &SchemaRef,
        index: usize,
        slice_rows: usize,
        crew: Option<&Crew>,
    ) -> Result<BoxStream<'static, Result<ArrowColumnChunk>>> {
        let writers = groups.create_column_writers(index)?;
        if writers.len() != schema.fields().len() {
            return Err(ParquetError::General("a table's columns are flat, and one of these is not".to_owned()));
        }
        let slices = Arc::new(slices(self.batches.iter().map(RecordBatch::num_rows), slice_rows));
        let column = |(index, writer)| {
            let batches = self.batches.iter().map(|batch| Arc::clone(batch.column(index))).collect();
            Column { field: Arc::clone(&schema.fields()[index]), batches, slices: Arc::clone(&slices), writer }
        };
        let columns: Vec<Column> = writers.into_iter().enumerate().map(column).collect();
        let Some(crew) = crew else { return Ok(stream::iter(columns).map(Column::encode).boxed()) };
        let begun: Vec<_> = columns.into_iter().map(|column| crew.begin(|| column.encode())).collect();
        Ok(stream::iter(begun).then(|made| made).boxed())
    }
}

/// A column of a row group.
struct Column {
    field: FieldRef,
    /// Its values, as they came.
    batches: Vec<ArrayRef>,
    slices: Arc<Vec<Vec<Extract>>>,
    writer: ArrowColumnWriter,
}

impl Column {
    fn encode(mut self) -> Result<ArrowColumnChunk> {
        for extracts in &*self.slices {
            let values = |extract: &Extract| self.batches[extract.batch].slice(extract.from, extract.rows);
            for leaf in compute_leaves(&self.field, &whole(extracts.iter().map(values).collect())?)? {
                self.writer.write(&leaf)?;
            }
        }
        self.writer.close()
    }
}

/// Some rows of a batch.
#[derive(Debug, PartialEq, Eq)]
struct Extract {
    batch: usize,
    from: usize,
    rows: usize,
}

/// What each slice is made of, for batches of so many rows.
fn slices(batches: impl Iterator<Item = usize>, slice_rows: usize) -> Vec<Vec<Extract>> {
    let (mut slices, mut missing): (Vec<Vec<Extract>>, usize) = (Vec::new(), 0);
    for (batch, batch_rows) in batches.enumerate() {
        let mut from = 0;
        while from < batch_rows {
            if missing == 0 {
                slices.push(Vec::new());
                missing = slice_rows;
            }
            let rows = missing.min(batch_rows - from);
            slices.last_mut().into_iter().for_each(|slice| slice.push(Extract { batch, from, rows }));
            (from, missing) = (from + rows, missing - rows);
        }
    }
    slices
}

/// The values of a slice's extracts as one array.
fn whole(mut values: Vec<ArrayRef>) -> Result<ArrayRef> {
    if values.len() == 1 {
        return Ok(values.remove(0));
    }
    Ok(concat(&values.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?)
}

/// Bytes of a column's values, about.
fn value_bytes(column: &ArrayRef) -> usize {
    let text = column.as_string_opt::<i32>().map_or(0, |texts| {
        let ends = texts.value_offsets();
        ends.last().zip(ends.first()).map_or(0, |(last, first)| usize::try_from(last - first).unwrap_or_default())
    });
    column.len() * VALUE_BYTES + text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_have_one_length_whatever_the_batches() {
        let from = |batch, from, rows| Extract { batch, from, rows };
        let cut = |batches: &[usize]| slices(batches.iter().copied(), 4);
        assert_eq!(cut(&[]), [[]; 0]);
        assert_eq!(cut(&[8]), [[from(0, 0, 4)], [from(0, 4, 4)]]);
        assert_eq!(cut(&[3, 0, 3]), [vec![from(0, 0, 3), from(2, 0, 1)], vec![from(2, 1, 2)]]);
        assert_eq!(cut(&[1, 1, 2, 1]), [vec![from(0, 0, 1), from(1, 0, 1), from(2, 0, 2)], vec![from(3, 0, 1)]]);
    }
}
