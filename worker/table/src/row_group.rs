//! A row group while it is filled: its columns are encoded on several threads, each column by one at a time, so that its bytes are
//! the same on any number of them.
//!
//! ```text
//! slices 0 │ a b c │     thread 0   a0 a1 a2   c0 c1 c2
//!        1 │ a b c │ ──► thread 1   b0 b1 b2               ──► chunks a, b, c of the file
//!        2 │ a b c │
//! ```

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::{ParquetError, Result};
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

/// A row group that is not whole yet. Its columns are flat: one leaf each.
pub(crate) struct RowGroup {
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl RowGroup {
    /// An empty one, the file's `index`th.
    pub(crate) fn new(factory: &ArrowRowGroupWriterFactory, schema: &SchemaRef, index: usize) -> Result<Self> {
        let columns = factory.create_column_writers(index)?;
        if columns.len() != schema.fields().len() {
            return Err(ParquetError::General("a table's columns are flat, and one of these is not".to_owned()));
        }
        Ok(Self { schema: SchemaRef::clone(schema), columns, rows: 0 })
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that it holds, about.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    /// Appends rows.
    pub(crate) fn write(&mut self, slices: &[RecordBatch], threads: usize) -> Result<()> {
        let schema = &self.schema;
        on_threads(threads, self.columns.iter_mut(), &|index, column| {
            for slice in slices {
                for leaf in compute_leaves(schema.field(index), slice.column(index))? {
                    column.write(&leaf)?;
                }
            }
            Ok(())
        })?;
        self.rows += slices.iter().map(RecordBatch::num_rows).sum::<usize>();
        Ok(())
    }

    /// Encodes what is left; its columns for the file.
    pub(crate) fn close(self, threads: usize) -> Result<Vec<ArrowColumnChunk>> {
        on_threads(threads, self.columns.into_iter(), &|_, column| column.close())
    }
}

/// Does each item's work on one of so many threads, this one among them; what came of them in order. A thread ends at
/// its first error; the others take what is left.
fn on_threads<I: Send, O: Send>(
    threads: usize,
    items: impl ExactSizeIterator<Item = I> + Send,
    work: &(impl Fn(usize, I) -> Result<O> + Sync),
) -> Result<Vec<O>> {
    let threads = threads.min(items.len());
    if threads < 2 {
        return items.enumerate().map(|(index, item)| work(index, item)).collect();
    }
    let items = Mutex::new(items.enumerate());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let one = || {
        let mut done = Vec::new();
        while let Some((index, item)) = next() {
            done.push((index, work(index, item)?));
        }
        Ok::<_, ParquetError>(done)
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        let mut done = one()?;
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<_, ParquetError>(done)
    })?;
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, made)| made).collect())
}
