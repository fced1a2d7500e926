//! The physical plan as people read it.

use crate::compile::Compiled;
use datafusion::physical_plan::displayable;
use pipeline::time::Span;

/// The plan of a pipeline, a line per operator, inputs indented below their reader. An event that several operators read is
/// shown below each of them and computed once per robot.
pub fn explain(compiled: &Compiled) -> String {
    let computation = compiled.start(Vec::new(), Span::ALL);
    displayable(computation.plan().as_ref()).indent(false).to_string()
}
