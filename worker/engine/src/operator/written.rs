//! Which rows are written: those of the span that `where` takes and, with `invalid: Drop`, that are valid. All counted.

use super::layout::{MARKS, ROW_KIND, TIME};
use super::{Robot, Step, derive, values};
use crate::account::{Account, LabelAccount};
use crate::expression::Expression;
use crate::steps;
use crate::validity::{Reason, Validity};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, UInt8Type};
use datafusion::common::Result;
use datafusion::physical_plan::PhysicalExpr;
use pipeline::spec::Invalid;
use std::fmt;
use std::sync::Arc;

/// Takes the written rows and counts all others. Child: rows with everything.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) filter: Option<Expression>,
    pub(super) invalid: Invalid,
    /// Where the label stands, if there is one.
    pub(super) label: Option<usize>,
    /// Whether rows have a kind.
    pub(super) has_kind: bool,
    pub(super) schema: SchemaRef,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows=of the span, invalid={:?}", self.invalid)?;
        self.filter.as_ref().map_or(Ok(()), |filter| write!(f, ", where={}", filter.text()))
    }
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Filtered,
    Dropped(Reason),
    Written(Option<Reason>),
}

impl Step for Written {
    const NAME: &'static str = "WrittenExec";
    const STEP: steps::Step = steps::Step::Result;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let (_, rows, fates) = self.judged(robot, &inputs[0]);
        let mask: BooleanArray = fates.iter().map(|fate| Some(matches!(fate, Fate::Written(_)))).collect();
        let written = filter_record_batch(&rows, &mask)?;
        robot.count(|account| self.count(account, &fates, &written));
        Ok(written)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.filter.iter().map(Expression::physical).collect()
    }
}

impl Written {
    /// Where the rows of the span begin, those rows, and what becomes of each.
    fn judged(&self, robot: &Robot, all: &RecordBatch) -> (usize, RecordBatch, Vec<Fate>) {
        let own = robot.own(values::times(all, TIME));
        let rows = all.slice(own.start, own.len());
        let fates = self.fates(robot, &rows);
        (own.start, rows, fates)
    }

    /// Positions of the written rows among all.
    pub(super) fn positions(&self, robot: &Robot, all: &RecordBatch) -> Vec<usize> {
        let (first, _, fates) = self.judged(robot, all);
        let is_written = |row: &usize| matches!(fates[*row], Fate::Written(_));
        (0..fates.len()).filter(is_written).map(|row| first + row).collect()
    }

    fn fates(&self, robot: &Robot, rows: &RecordBatch) -> Vec<Fate> {
        let validity = Validity::from_marks(rows.column(MARKS).as_primitive::<UInt8Type>().values().to_vec());
        let taken = self.filter.as_ref().map(|filter| {
            let evaluated = filter.evaluate(rows);
            derive::count(robot, "where", &evaluated, values::times(rows, TIME));
            evaluated.values
        });
        let is_taken = |row: usize| {
            taken.as_ref().is_none_or(|taken| taken.as_boolean().is_valid(row) && taken.as_boolean().value(row))
        };
        let fate = |row: usize| match (is_taken(row), validity.reason(row), self.invalid) {
            (false, _, _) => Fate::Filtered,
            (true, Some(reason), Invalid::Drop) => Fate::Dropped(reason),
            (true, reason, _) => Fate::Written(reason),
        };
        (0..rows.num_rows()).map(fate).collect()
    }

    fn count(&self, account: &mut Account, fates: &[Fate], written: &RecordBatch) {
        let rows = &mut account.rows;
        rows.base += fates.len() as u64;
        rows.written += written.num_rows() as u64;
        for fate in fates {
            match fate {
                Fate::Filtered => rows.filtered += 1,
                Fate::Dropped(reason) => *rows.dropped.entry(reason.word().to_owned()).or_default() += 1,
                Fate::Written(None) => rows.valid += 1,
                Fate::Written(Some(reason)) => *rows.invalid.entry(reason.word().to_owned()).or_default() += 1,
            }
        }
        if self.has_kind {
            for kind in written.column(ROW_KIND).as_string::<i32>().iter().flatten() {
                *rows.kinds.entry(kind.to_owned()).or_default() += 1;
            }
        }
        if let Some(place) = self.label {
            let label = written.column(place).as_boolean();
            let (positive, negative) = (label.true_count() as u64, label.false_count() as u64);
            let unknown = label.null_count() as u64;
            account.label.merge(&LabelAccount { positive, negative, unknown });
        }
    }
}
