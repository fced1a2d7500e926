//! The whole comparison as Parquet: a line per robot, day and column of the robots' days that differ.

use super::compare::{ColumnDay, RobotDay, Statistics};
use super::schema::Column;
use crate::error::TableError;
use crate::moments::mean_shift;
use crate::upload::{Layout, ParquetUpload};
use archive::store::Store;
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::{Arc, LazyLock};

/// Layout of the file, in its footer.
const LAYOUT: Layout = Layout { name: "diff/1", unique: &[], dense: &[] };

/// What is told of a column in one version.
const FIGURES: [&str; 6] = ["null_share", "mean", "std", "p05", "p50", "p95"];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let texts = ["robot", "date", "column"].map(|name| Field::new(name, DataType::Utf8, true));
    let counts = ["rows_before", "rows_after", "added", "removed", "changed"];
    let counts = counts.map(|name| Field::new(name, DataType::UInt64, true));
    let figures = ["before", "after"].map(|version| FIGURES.map(|name| format!("{name}_{version}")));
    let shift = "mean_shift_in_std".to_owned();
    let figures = figures.concat().into_iter().chain([shift]).map(|name| Field::new(name, DataType::Float64, true));
    Arc::new(Schema::new(texts.into_iter().chain(counts).chain(figures).collect::<Vec<_>>()))
});

/// The file being written. Dropping it without [`LineWriter::finish`] leaves nothing visible.
pub struct LineWriter {
    file: ParquetUpload,
    name: String,
}

impl LineWriter {
    /// A new file of that name in a store.
    pub async fn create(store: &dyn Store, name: &str) -> Result<Self, TableError> {
        Ok(Self { file: ParquetUpload::create(store, name, &SCHEMA, &LAYOUT).await?, name: name.to_owned() })
    }

    /// Adds robots' days.
    pub async fn write(&mut self, columns: &[Column], days: &[RobotDay]) -> Result<(), TableError> {
        for day in days {
            let lines = lines(columns, day).map_err(|error| TableError::writing(&self.name, &error))?;
            self.file.write(lines).await?;
        }
        Ok(())
    }

    /// Makes the file visible.
    pub async fn finish(self) -> Result<(), TableError> {
        self.file.finish().await?;
        Ok(())
    }
}

fn lines(columns: &[Column], day: &RobotDay) -> Result<RecordBatch, arrow::error::ArrowError> {
    let count = columns.len();
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; count])) };
    let number = |number: u64| -> ArrayRef { Arc::new(UInt64Array::from(vec![number; count])) };
    let mut arrays: Vec<ArrayRef> = vec![
        same(&day.robot),
        same(&day.date),
        Arc::new(StringArray::from_iter_values(columns.iter().map(|column| &column.name))),
        number(day.rows.before),
        number(day.rows.after),
        number(day.rows.added),
        number(day.rows.removed),
        Arc::new(UInt64Array::from_iter_values(day.columns.iter().map(|column| column.changed))),
    ];
    for version in [|column: &ColumnDay| column.before, |column: &ColumnDay| column.after] {
        for figure in 0..FIGURES.len() {
            arrays.push(Arc::new(
                day.columns.iter().map(|column| figures(&version(column))[figure]).collect::<Float64Array>(),
            ));
        }
    }
    let shift = |column: &ColumnDay| mean_shift(&column.before.moments, &column.after.moments);
    arrays.push(Arc::new(day.columns.iter().map(shift).collect::<Float64Array>()));
    RecordBatch::try_new(SchemaRef::clone(&SCHEMA), arrays)
}

fn figures(statistics: &Statistics) -> [Option<f64>; 6] {
    let moments = &statistics.moments;
    let quantile = |at: usize| statistics.quantiles.map(|quantiles| quantiles[at]);
    [moments.null_share(), moments.mean(), moments.std(), quantile(0), quantile(1), quantile(2)]
}
