//! Robot and time of the rows of any relation: where they stand, in which order an operator wants them, and what they are.

use super::wanted::{ROBOT, TIME};
use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{CastOptions, SortOptions, cast_with_options};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampNanosecondType};
use datafusion::common::{Result, internal_datafusion_err, plan_err};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::expressions::Column;
use std::ops::Range;
use std::sync::Arc;

/// Positions of robot and time in a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) robot: usize,
    pub(super) time: usize,
}

/// Robot by robot, each by time.
pub(super) const ORDER: SortOptions = SortOptions { descending: false, nulls_first: false };

impl Place {
    /// Where they stand. `what` names the relation in the error that says that they do not.
    pub(super) fn of(schema: &Schema, what: &str) -> Result<Self> {
        let find = |name: &str, kind: &str, fits: fn(&DataType) -> bool| {
            let found = schema.fields().iter().position(|field| field.name() == name && fits(field.data_type()));
            found.map_or_else(
                || {
                    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                    plan_err!("{what} has no column `{name}` ({kind}); its columns are {}", names.join(", "))
                },
                Ok,
            )
        };
        let is_text = |kind: &DataType| {
            let of = if let DataType::Dictionary(_, of) = kind { of } else { kind };
            matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        };
        let is_time = |kind: &DataType| matches!(kind, DataType::Timestamp(..));
        Ok(Self { robot: find(ROBOT, "string", is_text)?, time: find(TIME, "timestamp", is_time)? })
    }

    /// The order in which rows are wanted and given.
    pub(super) fn order(self) -> Result<LexOrdering> {
        let by = |name, index| PhysicalSortExpr::new(Arc::new(Column::new(name, index)), ORDER);
        LexOrdering::new([by(ROBOT, self.robot), by(TIME, self.time)])
            .ok_or_else(|| internal_datafusion_err!("an order by two columns is empty"))
    }

    /// Robots and times of a batch.
    pub(super) fn keys(self, batch: &RecordBatch) -> Result<Keys> {
        let exact = CastOptions { safe: false, ..CastOptions::default() };
        let robots = cast_with_options(batch.column(self.robot), &DataType::Utf8, &exact)?;
        let times = batch.column(self.time);
        let ns = DataType::Timestamp(TimeUnit::Nanosecond, zone(times.data_type()));
        let times = cast_with_options(times, &ns, &exact)?;
        let times = times.as_primitive::<TimestampNanosecondType>();
        Ok(Keys {
            robots: robots.as_string::<i32>().clone(),
            times: Int64Array::new(times.values().clone(), times.nulls().cloned()),
        })
    }
}

fn zone(kind: &DataType) -> Option<Arc<str>> {
    if let DataType::Timestamp(_, zone) = kind { zone.clone() } else { None }
}

/// Robots and times (ns) of the rows of a batch.
#[derive(Debug)]
pub(super) struct Keys {
    robots: StringArray,
    times: Int64Array,
}

/// Consecutive rows of one robot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// `None`: rows without a robot or a time, which nothing is near to.
    pub(super) robot: Option<Arc<str>>,
    pub(super) rows: Range<usize>,
}

impl Keys {
    /// The rows, cut where the robot changes or time is missing.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for row in 0..self.times.len() {
            let robot = self.robot(row);
            match runs.last_mut() {
                Some(last) if last.robot.as_deref() == robot => last.rows.end = row + 1,
                _ => runs.push(Run { robot: robot.map(Arc::from), rows: row..row + 1 }),
            }
        }
        runs
    }

    fn robot(&self, row: usize) -> Option<&str> {
        (self.robots.is_valid(row) && self.times.is_valid(row)).then(|| self.robots.value(row))
    }

    /// Times (ns) of the rows of a run with a robot.
    pub(super) fn times(&self, run: &Run) -> &[i64] {
        &self.times.values()[run.rows.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, TimestampMillisecondArray};

    fn batch(rows: &[(Option<&str>, Option<i64>)]) -> RecordBatch {
        let robots: StringArray = rows.iter().map(|(robot, _)| *robot).collect();
        let times: TimestampMillisecondArray = rows.iter().map(|(_, time)| *time).collect();
        RecordBatch::try_from_iter([("robot", Arc::new(robots) as ArrayRef), ("time", Arc::new(times) as ArrayRef)])
            .unwrap()
    }

    #[test]
    fn rows_are_cut_where_the_robot_changes_or_the_time_is_missing() {
        let batch =
            batch(&[(Some("a"), Some(1)), (Some("a"), Some(2)), (Some("a"), None), (Some("b"), Some(0)), (None, None)]);
        let keys = Place::of(&batch.schema(), "r").unwrap().keys(&batch).unwrap();
        let runs = keys.runs();
        let cut: Vec<_> = runs.iter().map(|run| (run.robot.as_deref(), run.rows.clone())).collect();
        assert_eq!(cut, [(Some("a"), 0..2), (None, 2..3), (Some("b"), 3..4), (None, 4..5)]);
        assert_eq!(keys.times(&runs[0]), [1_000_000, 2_000_000]);
    }

    #[test]
    fn a_relation_without_a_time_is_refused_with_its_columns() {
        let batch =
            RecordBatch::try_from_iter([("robot", Arc::new(StringArray::from(vec!["a"])) as ArrayRef)]).unwrap();
        let said = Place::of(&batch.schema(), "nearest_join: its left relation").unwrap_err().to_string();
        assert!(said.contains("left relation has no column `time` (timestamp); its columns are robot"), "{said}");
    }
}
