//! The rows of each robot out of the batches that they are scattered over: column by column, run by run.
//!
//! A column's arrays go once it is gathered, so that at most one column is held twice. One run of a robot is a slice. Where
//! robots are interleaved, each has a run of every member, and several threads copy them, each the runs of another robot.

use super::{Run, Share};
use crate::crew::Crew;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::array::{BooleanBufferBuilder, NullBufferBuilder};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Runs that are worth several threads: fewer are copied sooner than the crew, which may decode what comes next, begins.
const SCATTERED_RUNS: usize = 4 << 10;

/// The batches of one signal for each robot's runs, copied by the `crew` where they are many.
///
/// Errors: more than 2 GiB of text in one column of one robot.
pub(super) fn gather(
    batches: Vec<RecordBatch>,
    robots: &[Share],
    crew: Option<&Crew>,
) -> Result<Vec<RecordBatch>, ArrowError> {
    let Some(schema) = batches.first().map(RecordBatch::schema) else { return Ok(Vec::new()) };
    let mut columns: Vec<_> = batches.into_iter().map(|batch| batch.into_parts().1.into_iter()).collect();
    let mut gathered: Vec<Vec<ArrayRef>> = vec![Vec::with_capacity(schema.fields().len()); robots.len()];
    let runs: usize = robots.iter().map(|share| share.runs.len()).sum();
    let crew = crew.filter(|_| runs >= SCATTERED_RUNS && robots.len() > 1);
    let mut before: Vec<ArrayRef> = Vec::new();
    for _ in schema.fields() {
        let parts: Vec<ArrayRef> = columns.iter_mut().filter_map(Iterator::next).collect();
        let is_once_more = !before.is_empty() && before.iter().zip(&parts).all(|(one, other)| Arc::ptr_eq(one, other));
        // What was decoded of the column before goes here.
        before.clone_from(&parts);
        if is_once_more {
            gathered.iter_mut().for_each(|arrays| arrays.extend(arrays.last().cloned()));
            continue;
        }
        let column = Column::new(&parts);
        let of = |share: &Share| match share.runs.as_slice() {
            [] => Ok(parts[0].slice(0, 0)),
            [run] => Ok(parts[run.batch].slice(run.start, run.rows)),
            runs => column.copy(runs),
        };
        let made = match crew {
            Some(crew) => crew.map(robots.iter(), &of),
            None => robots.iter().map(of).collect(),
        };
        for (arrays, made) in gathered.iter_mut().zip(made) {
            arrays.push(made?);
        }
    }
    gathered.into_iter().map(|arrays| RecordBatch::try_new(Arc::clone(&schema), arrays)).collect()
}

/// One column of all batches.
struct Column<'a> {
    values: Values<'a>,
    /// By batch; nothing where none has a null.
    nulls: Option<Vec<Option<&'a NullBuffer>>>,
}

/// Its arrays by type, one a batch.
enum Values<'a> {
    Float(Vec<&'a PrimitiveArray<Float64Type>>),
    Int(Vec<&'a PrimitiveArray<Int64Type>>),
    Time(Vec<&'a PrimitiveArray<TimestampNanosecondType>>),
    Record(Vec<&'a PrimitiveArray<UInt64Type>>),
    Bool(Vec<&'a BooleanArray>),
    Text(Vec<&'a StringArray>),
}

impl<'a> Column<'a> {
    /// Of arrays that a decoder made: there is at least one.
    fn new(parts: &'a [ArrayRef]) -> Self {
        let values = match parts[0].data_type() {
            DataType::Float64 => Values::Float(parts.iter().map(AsArray::as_primitive).collect()),
            DataType::Int64 => Values::Int(parts.iter().map(AsArray::as_primitive).collect()),
            DataType::UInt64 => Values::Record(parts.iter().map(AsArray::as_primitive).collect()),
            DataType::Boolean => Values::Bool(parts.iter().map(AsArray::as_boolean).collect()),
            DataType::Utf8 => Values::Text(parts.iter().map(AsArray::as_string).collect()),
            DataType::Timestamp(..) => Values::Time(parts.iter().map(AsArray::as_primitive).collect()),
            other => unreachable!("no column is decoded as {other}"),
        };
        let nulls: Vec<_> = parts.iter().map(|part| part.nulls()).collect();
        Self { values, nulls: nulls.iter().any(Option::is_some).then_some(nulls) }
    }

    /// The values of runs, one after the other.
    fn copy(&self, runs: &[Run]) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls(runs);
        Ok(match &self.values {
            Values::Float(parts) => Arc::new(PrimitiveArray::<Float64Type>::try_new(primitive(parts, runs), nulls)?),
            Values::Int(parts) => Arc::new(PrimitiveArray::<Int64Type>::try_new(primitive(parts, runs), nulls)?),
            Values::Record(parts) => Arc::new(PrimitiveArray::<UInt64Type>::try_new(primitive(parts, runs), nulls)?),
            Values::Time(parts) => {
                let times = PrimitiveArray::<TimestampNanosecondType>::try_new(primitive(parts, runs), nulls)?;
                Arc::new(times.with_data_type(parts[0].data_type().clone()))
            }
            Values::Bool(parts) => {
                let mut bits = BooleanBufferBuilder::new(rows(runs));
                for run in runs {
                    bits.append_buffer(&parts[run.batch].values().slice(run.start, run.rows));
                }
                Arc::new(BooleanArray::new(bits.build(), nulls))
            }
            Values::Text(parts) => Arc::new(texts(parts, runs, nulls)?),
        })
    }

    fn nulls(&self, runs: &[Run]) -> Option<NullBuffer> {
        let nulls = self.nulls.as_ref()?;
        let mut builder = NullBufferBuilder::new(rows(runs));
        for run in runs {
            match nulls[run.batch] {
                Some(nulls) => builder.append_buffer(&nulls.slice(run.start, run.rows)),
                None => builder.append_n_non_nulls(run.rows),
            }
        }
        builder.build()
    }
}

/// Rows of all runs.
fn rows(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.rows).sum()
}

fn primitive<T: ArrowPrimitiveType>(parts: &[&PrimitiveArray<T>], runs: &[Run]) -> ScalarBuffer<T::Native> {
    let mut values = Vec::with_capacity(rows(runs));
    for run in runs {
        values.extend_from_slice(&parts[run.batch].values()[run.start..run.start + run.rows]);
    }
    ScalarBuffer::from(values)
}

/// Errors: more than 2 GiB.
fn texts(parts: &[&StringArray], runs: &[Run], nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
    let ends = |run: &Run| &parts[run.batch].value_offsets()[run.start..=run.start + run.rows];
    let bytes = runs.iter().map(|run| usize::try_from(ends(run)[run.rows] - ends(run)[0]).unwrap_or(0));
    let mut content = Vec::with_capacity(bytes.sum());
    let mut offsets = Vec::with_capacity(rows(runs) + 1);
    offsets.push(0i32);
    for run in runs {
        let (part, ends) = (parts[run.batch], ends(run));
        let (from, to) = (ends[0], ends[run.rows]);
        let moved = i32::try_from(content.len()).ok().filter(|before| before.checked_add(to - from).is_some());
        let moved = moved.ok_or(ArrowError::OffsetOverflowError(content.len()))? - from;
        offsets.extend(ends[1..].iter().map(|end| end + moved));
        content.extend_from_slice(
            &part.value_data()[usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0)],
        );
    }
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(content), nulls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, TimestampNanosecondArray, UInt64Array};
    use arrow::compute::concat;
    use arrow::datatypes::{Field, Schema, TimeUnit};

    /// Five rows of every type, the first batch without nulls.
    fn batch(number: i64) -> RecordBatch {
        let each = || (number * 10..number * 10 + 5).map(|n| (number == 0 || n % 3 != 0).then_some(n));
        let time: ArrayRef = Arc::new(Int64Array::from_iter_values(number * 10..number * 10 + 5));
        let stamps = TimestampNanosecondArray::from_iter(each()).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![
            Arc::clone(&time),
            time,
            Arc::new(Float64Array::from_iter(each().map(|n| n.map(|n| n as f64)))),
            Arc::new(Int64Array::from_iter(each())),
            Arc::new(stamps),
            Arc::new(BooleanArray::from_iter(each().map(|n| n.map(|n| n % 2 == 0)))),
            Arc::new(StringArray::from_iter(each().map(|n| n.map(|n| "ä".repeat(usize::try_from(n % 4).unwrap()))))),
            Arc::new(UInt64Array::from_iter_values(0..5)),
        ];
        let fields = columns.iter().enumerate().map(|(at, c)| Field::new(at.to_string(), c.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        assert_eq!(*schema.field(4).data_type(), DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())));
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn share(runs: Vec<Run>) -> Share {
        Share { runs, ..Share::default() }
    }

    #[test]
    fn a_robot_has_the_rows_of_its_runs_one_after_the_other() {
        let batches: Vec<RecordBatch> = (0..3).map(batch).collect();
        let run = |batch, start, rows| Run { batch, start, rows };
        let robots = [
            vec![run(0, 1, 2), run(1, 0, 3), run(2, 4, 1)],
            vec![run(0, 0, 1), run(0, 3, 2)],
            vec![run(1, 2, 2)],
            vec![],
            vec![run(1, 4, 1), run(2, 0, 4)],
        ];
        let gathered = gather(batches.clone(), &robots.clone().map(share), None).unwrap();
        assert_eq!(gathered.len(), robots.len());
        for (batch, runs) in gathered.iter().zip(&robots) {
            for (at, column) in batch.columns().iter().enumerate() {
                let slices: Vec<ArrayRef> =
                    runs.iter().map(|run| batches[run.batch].column(at).slice(run.start, run.rows)).collect();
                let slices: Vec<&dyn Array> = slices.iter().map(AsRef::as_ref).collect();
                let expected =
                    if slices.is_empty() { batches[0].column(at).slice(0, 0) } else { concat(&slices).unwrap() };
                assert_eq!(column, &expected, "column {at} of {runs:?}");
            }
            assert!(Arc::ptr_eq(batch.column(0), batch.column(1)));
        }
    }

    #[test]
    fn one_run_is_a_slice() {
        let batches = vec![batch(0), batch(1)];
        let pointer = |batch: &RecordBatch| batch.column(2).as_primitive::<Float64Type>().values().as_ptr();
        let expected = pointer(&batches[1].slice(2, 3));
        let gathered = gather(batches, &[share(vec![Run { batch: 1, start: 2, rows: 3 }])], None).unwrap();
        assert_eq!((pointer(&gathered[0]), gathered[0].num_rows()), (expected, 3));
    }

    #[test]
    fn scattered_runs_are_the_same_whoever_copies_them() {
        let batches: Vec<RecordBatch> = (0..3).map(batch).collect();
        let run = |n: usize| Run { batch: n % 3, start: n % 4, rows: n % 2 };
        let robots = [0, 1, 2].map(|robot| share((0..SCATTERED_RUNS / 2).map(|n| run(n + robot)).collect()));
        let crew = Crew::new(2).unwrap();
        assert_eq!(gather(batches.clone(), &robots, Some(&crew)).unwrap(), gather(batches, &robots, None).unwrap());
    }
}
