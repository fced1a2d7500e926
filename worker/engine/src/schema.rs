//! Types of the columns inside, between the operators, and of the result.

use arrow::datatypes::{DataType, TimeUnit};
use pipeline::spec::ColumnType;
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
