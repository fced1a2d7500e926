//! Cells of the small tables beside the result: text and whole numbers, null where there is nothing.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch, StringArray};
use std::sync::Arc;

/// A column of text.
pub(crate) fn text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// The text at a row of a column that was read as text.
pub(crate) fn texts(batch: &RecordBatch, column: usize, row: usize) -> Option<&str> {
    let values = batch.column(column).as_string_opt::<i32>()?;
    values.is_valid(row).then(|| values.value(row))
}

/// The whole number at a row of a column that was read as `T`.
pub(crate) fn integers<T: ArrowPrimitiveType>(batch: &RecordBatch, column: usize, row: usize) -> Option<T::Native> {
    let values = batch.column(column).as_primitive_opt::<T>()?;
    values.is_valid(row).then(|| values.value(row))
}
