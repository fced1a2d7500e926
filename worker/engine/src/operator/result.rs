//! The result's columns: named, ordered, times in microseconds, robot and date added.

use super::layout::{MARKS, TIME};
use super::{Robot, Step, values};
use crate::schema::result_time_type;
use crate::steps;
use crate::validity::Validity;
use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampNanosecondType, UInt8Type};
use datafusion::common::Result;
use pipeline::time::{Day, floor_us};
use std::fmt;
use std::sync::Arc;

/// Where a column of the result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The robot's name.
    Robot,
    /// The row's UTC day.
    Date,
    /// A column of the row.
    Row(usize),
    /// Whether there is no mark against the row.
    Valid,
    /// The word of the strongest mark.
    InvalidReason,
}

/// Makes the result. Child: written rows.
#[derive(Debug)]
pub(super) struct ResultStep {
    pub(super) columns: Arc<[Output]>,
    pub(super) schema: SchemaRef,
}

impl fmt::Display for ResultStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "columns=[{}]", names.join(", "))
    }
}

impl Step for ResultStep {
    const NAME: &'static str = "ResultExec";
    const STEP: steps::Step = steps::Step::Result;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let rows = &inputs[0];
        let validity = Validity::from_marks(rows.column(MARKS).as_primitive::<UInt8Type>().values().to_vec());
        let reasons = || (0..rows.num_rows()).map(|row| validity.reason(row));
        let column = |output: &Output| -> ArrayRef {
            match *output {
                Output::Robot => {
                    let name = std::iter::repeat_n(robot.name().as_ref(), rows.num_rows());
                    Arc::new(StringArray::from_iter_values(name))
                }
                Output::Date => {
                    let days = values::times(rows, TIME).iter().map(|&time| Day::of(time).0);
                    Arc::new(Date32Array::from_iter_values(days))
                }
                Output::Row(place) => in_result(rows.column(place)),
                Output::Valid => Arc::new(reasons().map(|reason| Some(reason.is_none())).collect::<BooleanArray>()),
                Output::InvalidReason => {
                    Arc::new(reasons().map(|reason| reason.map(|reason| reason.word())).collect::<StringArray>())
                }
            }
        };
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), self.columns.iter().map(column).collect())?)
    }
}

/// Times become microseconds, rounded towards minus infinity; all else stays.
fn in_result(column: &ArrayRef) -> ArrayRef {
    if !matches!(column.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _)) {
        return Arc::clone(column);
    }
    let micros: TimestampMicrosecondArray = column.as_primitive::<TimestampNanosecondType>().unary(floor_us);
    Arc::new(micros.with_data_type(result_time_type()))
}
