//! Types of the columns inside, between the operators, and of the result.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pipeline::archive::ColumnKind;
use pipeline::columns::{Meaning, ResultColumn};
use pipeline::pipeline::Pipeline;
use pipeline::spec::ColumnType;
use std::collections::HashMap;
use std::sync::Arc;

/// Nanoseconds, UTC: how times travel between the operators.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(Arc::from("UTC")))
}

/// Microseconds, UTC: Delta's timestamp.
pub(crate) fn result_time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The Arrow type of a column inside the engine.
pub(crate) fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::String => DataType::Utf8,
        ColumnType::Timestamp => time_type(),
    }
}

/// The type of a signal's column, however it is written in the archive.
pub(crate) fn column_type(kind: &ColumnKind) -> ColumnType {
    match kind {
        ColumnKind::Float64 => ColumnType::Float64,
        ColumnKind::Int64 => ColumnType::Int64,
        ColumnKind::Bool => ColumnType::Bool,
        ColumnKind::String => ColumnType::String,
        ColumnKind::Timestamp(_) => ColumnType::Timestamp,
    }
}

/// The schema of the result: `types` are those of `columns` inside the engine. Every field may be null: what never is (robot,
/// time, valid) is a promise of ours and needs no constraint in the table.
pub(crate) fn result_schema(pipeline: &Pipeline, columns: &[ResultColumn], types: &[DataType]) -> SchemaRef {
    let field = |(column, data_type): (&ResultColumn, &DataType)| {
        let data_type = if *data_type == time_type() { result_time_type() } else { data_type.clone() };
        let field = Field::new(&column.name, data_type, true);
        match unit(pipeline, column.meaning) {
            None => field,
            Some(unit) => field.with_metadata(HashMap::from([("unit".to_owned(), unit)])),
        }
    };
    Arc::new(Schema::new(columns.iter().zip(types).map(field).collect::<Vec<_>>()))
}

/// The unit of measure that the archive names for a column of a signal.
fn unit(pipeline: &Pipeline, meaning: Meaning) -> Option<String> {
    let (signal, column) = match meaning {
        Meaning::Own { signal, column } => (signal, column),
        Meaning::Joined { join, column } => (pipeline.joins[join].signal, column),
        _ => return None,
    };
    pipeline.archive.signals[signal].columns[column].unit.clone()
}
