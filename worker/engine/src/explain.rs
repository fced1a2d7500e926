//! The physical plan as people read it.

use crate::compile::Compiled;
use crate::operator::Robots;
use datafusion::physical_plan::displayable;
use pipeline::time::Span;
use std::sync::Arc;

/// The plan of a pipeline, a line per operator, inputs indented below their reader. An event that several operators read is
/// shown below each of them and computed once per robot.
pub fn explain(compiled: &Compiled) -> String {
    let plan = compiled.plan(&Arc::new(Robots::new(Vec::new(), Span::ALL)));
    displayable(plan.rows.as_ref()).indent(false).to_string()
}
