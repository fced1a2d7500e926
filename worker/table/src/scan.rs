//! Data files as programs read them: all rows of one in order, those of one robot at one time, or some columns of those that may be
//! wanted.
//!
//! What people look at first is in [`crate::rows`].

use crate::error::TableError;
use crate::layout::PARTITION;
use crate::object::ParquetObject;
use crate::rows::{with_date, without_date};
use crate::state::LiveFile;
use archive::store::Store;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{and, kernels::cmp::eq};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::DateTime;
use engine::relation::Wanted;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use pipeline::time::{Day, MICRO_NS, Span};
use serde_json::Value;
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

/// Some of the table's columns of those rows of a data file that may be wanted, in its order: row groups without any are left
/// unread, others are given whole.
///
/// Errors: as [`file_rows`].
pub async fn wanted_rows(
    store: &Arc<dyn Store>,
    schema: &SchemaRef,
    file: &LiveFile,
    columns: &[usize],
    wanted: &Wanted,
) -> Result<FileRows, TableError> {
    let projected = schema.project(columns).map_err(|error| TableError::malformed(&file.path, error.to_string()))?;
    let reader = open(store, schema, file).await?;
    let names = projected.fields().iter().map(|field| field.name().as_str()).filter(|name| *name != PARTITION);
    let mask = ProjectionMask::columns(reader.parquet_schema(), names);
    let groups = wanted_groups(reader.metadata(), wanted);
    dated(reader.with_projection(mask).with_row_groups(groups), &Arc::new(projected), file)
}

/// Whether a data file may hold a row that is wanted: by its day, and by its statistics where it has some.
pub fn may_hold(file: &LiveFile, stats: Option<&str>, wanted: &Wanted) -> bool {
    let day = Day::parse(&file.date).ok().map(Day::span);
    let stats = stats.and_then(|stats| serde_json::from_str::<Value>(stats).ok()).unwrap_or_default();
    let bound = |which: &str, column: &str| Some(stats.get(which)?.get(column)?.as_str()?.to_owned());
    let robots = bound("minValues", "robot").zip(bound("maxValues", "robot"));
    let instant = |text: String| Some(DateTime::parse_from_rfc3339(&text).ok()?.timestamp_micros());
    let times = bound("minValues", "time").and_then(instant).zip(bound("maxValues", "time").and_then(instant));
    let times = times.map(|(least, greatest)| of_micros(least, greatest));
    [day, times].into_iter().flatten().all(|span| meet(span, wanted.span))
        && robots.is_none_or(|(least, greatest)| is_among(wanted, &least, &greatest))
}

/// Row groups that may hold a row that is wanted.
fn wanted_groups(footer: &ParquetMetaData, wanted: &Wanted) -> Vec<usize> {
    let columns = footer.file_metadata().schema_descr().columns();
    let place = |name: &str| columns.iter().position(|column| column.name() == name);
    let (robot, time) = (place("robot"), place("time"));
    let statistics = |group: usize, column: Option<usize>| footer.row_group(group).column(column?).statistics();
    let holds = |group: &usize| {
        let robots = match statistics(*group, robot) {
            Some(Statistics::ByteArray(robots)) => robots.min_opt().zip(robots.max_opt()),
            _ => None,
        };
        let robots = robots.and_then(|(least, greatest)| least.as_utf8().ok().zip(greatest.as_utf8().ok()));
        let times = match statistics(*group, time) {
            Some(Statistics::Int64(times)) => times.min_opt().zip(times.max_opt()),
            _ => None,
        };
        robots.is_none_or(|(least, greatest)| is_among(wanted, least, greatest))
            && times.is_none_or(|(least, greatest)| meet(of_micros(*least, *greatest), wanted.span))
    };
    (0..footer.num_row_groups()).filter(holds).collect()
}

/// The instants that the result writes as times from `least` to `greatest`, µs.
fn of_micros(least: i64, greatest: i64) -> Span {
    let from_ns = least.saturating_mul(MICRO_NS);
    Span { from_ns, to_ns: greatest.saturating_add(1).saturating_mul(MICRO_NS) }
}

fn meet(one: Span, other: Span) -> bool {
    one.intersect(other).is_some()
}

/// Whether a robot that is wanted may be between two names.
fn is_among(wanted: &Wanted, least: &str, greatest: &str) -> bool {
    let is_between = |robot: &String| (least..=greatest).contains(&robot.as_str());
    wanted.robots.as_ref().is_none_or(|robots| robots.iter().any(is_between))
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
    async fn what_is_not_wanted_is_left_unread() {
        let store = memory();
        let (whole, file) = file(&store).await;
        let mut part = PartWriter::new(&store, &schema(), "k", "b").unwrap();
        part.write(&whole).await.unwrap();
        let stats = part.finish().await.unwrap().remove(0).stats;
        let robots = |names: &[&str]| Wanted {
            robots: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            span: Span::ALL,
        };
        let second = |second: i64| (i64::from(DAY) * 86_400 + second) * 1_000_000_000;
        let times =
            |from: i64, to: i64| Wanted { robots: None, span: Span { from_ns: second(from), to_ns: second(to) } };
        for (wanted, holds) in [
            (Wanted::ALL, true),
            (robots(&["r1"]), true),
            (robots(&["r0", "r9"]), false),
            (times(8_999, 9_000), true),
            (times(9_000, 9_010), false),
            (times(-10, 0), false),
        ] {
            assert_eq!(may_hold(&file, Some(&stats), &wanted), holds, "{wanted:?}");
            let rows = wanted_rows(&store, &schema(), &file, &[0], &wanted).await.unwrap();
            let batches: Vec<_> = rows.try_collect().await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), if holds { 9_005 } else { 0 });
        }
        assert!(may_hold(&file, None, &robots(&["r9"])) && !may_hold(&file, None, &times(-10, 0)));
        let none = wanted_rows(&store, &schema(), &file, &[], &Wanted::ALL).await.unwrap();
        let batches: Vec<_> = none.try_collect().await.unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 9_005, "rows without columns are counted");
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
