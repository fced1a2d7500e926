//! Derived columns: each sees the joined row and the derived columns before it.

use super::layout::TIME;
use super::{Robot, Step, values};
use crate::expression::{Evaluated, Expression};
use crate::steps;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_plan::PhysicalExpr;
use std::fmt;
use std::sync::Arc;

/// A derived column.
#[derive(Debug, Clone)]
pub(crate) struct Derived {
    pub(crate) name: String,
    pub(crate) expression: Expression,
    /// Of the row with this column.
    pub(crate) schema: SchemaRef,
}

/// Appends the derived columns. Child: joined rows.
#[derive(Debug)]
pub(super) struct Derive {
    /// At least one.
    pub(super) columns: Vec<Derived>,
    /// Of the row with all of them.
    pub(super) schema: SchemaRef,
}

impl fmt::Display for Derive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, column) in self.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}={}", column.name, column.expression.text())?;
        }
        Ok(())
    }
}

impl Step for Derive {
    const NAME: &'static str = "DeriveExec";
    const STEP: steps::Step = steps::Step::Derive;

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn run(&self, robot: &Robot, inputs: &[RecordBatch]) -> Result<RecordBatch> {
        let mut rows = inputs[0].clone();
        for column in &self.columns {
            let evaluated = column.expression.evaluate(&rows);
            count(robot, &column.name, &evaluated, values::times(&rows, TIME));
            rows = values::appended(&rows, vec![evaluated.values], &column.schema)?;
        }
        Ok(rows)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.columns.iter().map(|column| column.expression.physical()).collect()
    }
}

/// Counts the failed and NaN rows of the span; `times` (ns) are those of the evaluated rows.
pub(super) fn count(robot: &Robot, name: &str, evaluated: &Evaluated, times: &[i64]) {
    let own = |rows: &[usize]| rows.iter().filter(|&&row| robot.span().contains(times[row])).count() as u64;
    let (failed, nan) = (own(&evaluated.failed), own(&evaluated.nan));
    robot.count(|account| {
        for (counts, count) in [(&mut account.expression_errors, failed), (&mut account.expression_nan, nan)] {
            if count > 0 {
                *counts.entry(name.to_owned()).or_default() += count;
            }
        }
    });
}
