//! Small conversions between batches and the slices that kernels take.

use super::Robot;
use crate::nearest::NO_MATCH;
use crate::schema::time_type;
use crate::sorted::Unsorted;
use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampNanosecondArray, UInt32Array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use datafusion::common::{DataFusionError, Result};
use std::sync::Arc;

/// The times (ns) of a timestamp column.
pub(super) fn times(batch: &RecordBatch, column: usize) -> &[i64] {
    batch.column(column).as_primitive::<TimestampNanosecondType>().values()
}

/// A timestamp column of times (ns).
pub(super) fn time_array(times: impl Into<ScalarBuffer<i64>>, valid: Option<NullBuffer>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::new(times.into(), valid).with_data_type(time_type()))
}

/// `batch` with `columns` behind its own, as `schema` says.
pub(super) fn appended(batch: &RecordBatch, columns: Vec<ArrayRef>, schema: &SchemaRef) -> Result<RecordBatch> {
    let all = batch.columns().iter().cloned().chain(columns).collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), all)?)
}

/// The values at `places`; null at [`NO_MATCH`].
pub(super) fn gathered(values: &ArrayRef, places: &UInt32Array) -> Result<ArrayRef> {
    Ok(take(values, places, None)?)
}

/// Positions to gather by; [`NO_MATCH`] is null.
pub(super) fn places(take: Vec<u32>) -> UInt32Array {
    let valid = NullBuffer::from_iter(take.iter().map(|&at| at != NO_MATCH));
    let valid = Some(valid).filter(|valid| valid.null_count() > 0);
    UInt32Array::new(take.into(), valid)
}

/// A kernel's complaint with robot and place.
pub(super) fn unsorted(robot: &Robot, place: impl std::fmt::Display) -> impl FnOnce(Unsorted) -> DataFusionError {
    move |unsorted| {
        let sentence = format!("robot {}, {place}: {unsorted}", robot.name());
        DataFusionError::Execution(sentence)
    }
}
