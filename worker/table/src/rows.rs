//! The rows of a version, as people look at them: the first few, with their day.

use crate::error::TableError;
use crate::layout::PARTITION;
use crate::object::ParquetObject;
use crate::part::date_day;
use crate::state::{LiveFile, TableState};
use archive::store::Store;
use arrow::array::{ArrayRef, Date32Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use std::sync::Arc;

/// Most rows of a batch.
const BATCH_ROWS: usize = 8 << 10;

/// The first `limit` rows of a version, by day, then by file, then in the file's order (robot, time), with the table's columns.
///
/// Memory: the rows, and one row group of one file.
pub async fn first_rows(
    store: &Arc<dyn Store>,
    state: &TableState,
    limit: usize,
) -> Result<Vec<RecordBatch>, TableError> {
    let mut batches = Vec::new();
    let mut left = limit;
    for file in &state.files {
        if left == 0 {
            break;
        }
        for batch in file_rows(store, state, file, left).await? {
            left = left.saturating_sub(batch.num_rows());
            batches.push(batch);
        }
    }
    Ok(batches)
}

async fn file_rows(
    store: &Arc<dyn Store>,
    state: &TableState,
    file: &LiveFile,
    limit: usize,
) -> Result<Vec<RecordBatch>, TableError> {
    let stored = without_date(&state.schema);
    let reader = ParquetObject::open(store, &file.path).await?.reader(Arc::new(stored)).await?;
    let reader = reader.with_projection(ProjectionMask::all()).with_batch_size(BATCH_ROWS.min(limit)).with_limit(limit);
    let reading = |error| TableError::reading(&file.path, error);
    let batches: Vec<RecordBatch> = reader.build().map_err(reading)?.try_collect().await.map_err(reading)?;
    batches.into_iter().map(|batch| with_date(&state.schema, file, &batch)).collect()
}

/// Batches of rows as they come.
pub(crate) type RowStream = BoxStream<'static, Result<RecordBatch, TableError>>;

/// Some columns of a data file of a table with columns `schema`, in the file's order; `date` is not in files. Memory: one row
/// group of these columns.
pub(crate) async fn some_columns(
    store: &Arc<dyn Store>,
    schema: &SchemaRef,
    path: &str,
    names: &[&str],
    batch_rows: usize,
) -> Result<RowStream, TableError> {
    let reader = ParquetObject::open(store, path).await?.reader(Arc::new(without_date(schema))).await?;
    let mask = ProjectionMask::columns(reader.parquet_schema(), names.iter().copied());
    let place = path.to_owned();
    let reading = move |error| TableError::reading(&place, error);
    let stream = reader.with_projection(mask).with_batch_size(batch_rows.max(1)).build().map_err(&reading)?;
    Ok(stream.map_err(reading).boxed())
}

pub(crate) fn without_date(schema: &SchemaRef) -> Schema {
    let fields = schema.fields().iter().filter(|field| field.name() != PARTITION).cloned();
    Schema::new(fields.collect::<Vec<_>>())
}

/// Puts the file's day where the table has its column.
pub(crate) fn with_date(schema: &SchemaRef, file: &LiveFile, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
    let malformed = |why: String| TableError::malformed(&file.path, why);
    let day = date_day(&file.date).ok_or_else(|| malformed(format!("`{}` is not a day", file.date)))?;
    let days: ArrayRef = Arc::new(Date32Array::from(vec![day; batch.num_rows()]));
    let column = |name: &str| if name == PARTITION { Some(&days) } else { batch.column_by_name(name) };
    let columns = schema.fields().iter().filter_map(|field| column(field.name()).map(Arc::clone)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options);
    batch.map_err(|error| malformed(error.to_string()))
}
