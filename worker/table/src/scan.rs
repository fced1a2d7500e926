//! Data files as programs read them: all rows of one in order, or those of one robot at one time.
//!
//! What people look at first is in [`crate::rows`].

use crate::error::TableError;
use crate::object::ParquetObject;
use crate::rows::{with_date, without_date};
use crate::state::LiveFile;
use archive::store::Store;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{and, kernels::cmp::eq};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use std::sync::Arc;

/// Most rows of a batch.
const BATCH_ROWS: usize = 8 << 10;
/// Names of the columns by which a row is found.
const PLACE: [&str; 2] = ["robot", "time"];

/// Batches of a data file, in its order.
pub type FileRows = BoxStream<'static, Result<RecordBatch, TableError>>;

/// All rows of a data file, with the table's columns.
///
/// Errors: it is gone, is no Parquet file, or holds other columns.
pub async fn file_rows(store: &Arc<dyn Store>, schema: &SchemaRef, file: &LiveFile) -> Result<FileRows, TableError> {
    dated(open(store, schema, file).await?, schema, file)
}

/// The rows of a data file of one robot at one time (µs since the epoch), in its order, with the table's columns.
///
/// Reads `robot` and `time` first, the rest only of row groups that hold such rows. Errors: as [`file_rows`].
pub async fn rows_at(
    store: &Arc<dyn Store>,
    schema: &SchemaRef,
    file: &LiveFile,
    robot: &str,
    time_us: i64,
) -> Result<Vec<RecordBatch>, TableError> {
    let reader = open(store, schema, file).await?;
    let place = ProjectionMask::columns(reader.parquet_schema(), PLACE);
    let robot = robot.to_owned();
    let is_wanted = ArrowPredicateFn::new(place, move |batch| is_at(&batch, &robot, Some(time_us)));
    let reader = reader.with_row_filter(RowFilter::new(vec![Box::new(is_wanted)]));
    dated(reader, schema, file)?.try_collect().await
}

/// The times (µs since the epoch) of a robot's rows in a data file, in its order.
///
/// Errors: as [`file_rows`].
pub async fn times_of(
    store: &Arc<dyn Store>,
    schema: &SchemaRef,
    file: &LiveFile,
    robot: &str,
) -> Result<Vec<i64>, TableError> {
    let reader = open(store, schema, file).await?;
    let place = ProjectionMask::columns(reader.parquet_schema(), PLACE);
    let robot = robot.to_owned();
    let is_wanted = ArrowPredicateFn::new(place.clone(), move |batch| is_at(&batch, &robot, None));
    let reader = reader.with_projection(place).with_row_filter(RowFilter::new(vec![Box::new(is_wanted)]));
    let reading = |error| TableError::reading(&file.path, error);
    let batches: Vec<RecordBatch> = reader.build().map_err(reading)?.try_collect().await.map_err(reading)?;
    let times = |batch: &RecordBatch| {
        Some(batch.column_by_name("time")?.as_primitive_opt::<TimestampMicrosecondType>()?.values().to_vec())
    };
    Ok(batches.iter().filter_map(times).flatten().collect())
}

async fn open(
    store: &Arc<dyn Store>,
    schema: &SchemaRef,
    file: &LiveFile,
) -> Result<ParquetRecordBatchStreamBuilder<ParquetObject>, TableError> {
    let reader = ParquetObject::open(store, &file.path).await?.reader(Arc::new(without_date(schema))).await?;
    Ok(reader.with_projection(ProjectionMask::all()).with_batch_size(BATCH_ROWS))
}

fn dated(
    reader: ParquetRecordBatchStreamBuilder<ParquetObject>,
    schema: &SchemaRef,
    file: &LiveFile,
) -> Result<FileRows, TableError> {
    let (schema, file) = (SchemaRef::clone(schema), file.clone());
    let path = file.path.clone();
    let batches = reader.build().map_err(|error| TableError::reading(&file.path, error))?;
    let batches = batches.map(move |batch| {
        let batch = batch.map_err(|error| TableError::reading(&path, error))?;
        with_date(&schema, &file, &batch)
    });
    Ok(batches.boxed())
}

/// Which rows are a robot's, at a time or at any.
fn is_at(batch: &RecordBatch, robot: &str, time_us: Option<i64>) -> Result<BooleanArray, ArrowError> {
    let [robots, times] = PLACE.map(|name| batch.column_by_name(name));
    let (Some(robots), Some(times)) = (robots, times) else {
        return Err(ArrowError::SchemaError("a data file has a robot and a time".into()));
    };
    let is_robot = eq(robots, &arrow::array::StringArray::new_scalar(robot))?;
    let Some(time_us) = time_us else { return Ok(is_robot) };
    let times = times.as_primitive::<TimestampMicrosecondType>();
    and(&is_robot, &BooleanArray::from_unary(times, |time| time == time_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::PartWriter;
    use crate::testing::{memory, rows, schema};
    use arrow::compute::concat_batches;

    const DAY: i32 = 19_000;

    /// A file of two robots, larger than a batch.
    async fn file(store: &Arc<dyn Store>) -> (RecordBatch, LiveFile) {
        let whole = concat_batches(&schema(), &[rows("r1", DAY, 9_000), rows("r2", DAY, 5)]).unwrap();
        let mut part = PartWriter::new(store, &schema(), "k", "a").unwrap();
        part.write(&whole).await.unwrap();
        (whole, LiveFile::from(&part.finish().await.unwrap()[0]))
    }

    #[tokio::test]
    async fn all_rows_come_in_their_order() {
        let store = memory();
        let (whole, file) = file(&store).await;
        let batches: Vec<_> = file_rows(&store, &schema(), &file).await.unwrap().try_collect().await.unwrap();
        assert!(batches.len() > 1);
        assert_eq!(concat_batches(&schema(), &batches).unwrap(), whole);
    }

    #[tokio::test]
    async fn the_rows_of_one_robot_at_one_time_are_found() {
        let store = memory();
        let (whole, file) = file(&store).await;
        let start_us = i64::from(DAY) * 86_400_000_000;
        let at = |robot: &'static str, second: i64| {
            let (store, file) = (Arc::clone(&store), file.clone());
            async move { rows_at(&store, &schema(), &file, robot, start_us + second * 1_000_000).await.unwrap() }
        };
        assert_eq!(at("r2", 3).await, [whole.slice(9_003, 1)]);
        assert_eq!(at("r1", 8_999).await, [whole.slice(8_999, 1)]);
        assert_eq!((at("r2", 5).await, at("r3", 0).await), (vec![], vec![]));
    }

    #[tokio::test]
    async fn the_times_of_a_robot_are_read_alone() {
        let store = memory();
        let (_, file) = file(&store).await;
        let start_us = i64::from(DAY) * 86_400_000_000;
        let times = times_of(&store, &schema(), &file, "r2").await.unwrap();
        assert_eq!(times, [0, 1, 2, 3, 4].map(|second| start_us + second * 1_000_000));
    }
}
