//! `fleetloom explain`: the physical plan that computes a pipeline's rows.

use crate::cli::ExplainArgs;
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::words;

/// Prints each pipeline's operators, inputs indented below their reader.
pub(crate) fn explain(args: &ExplainArgs) -> Result {
    let compiled = words::compiled(&args.words)?;
    let text =
        compiled.iter().map(|one| format!("Pipeline {}\n{}", one.pipeline().name, engine::explain::explain(one)));
    print(&text.collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Done)
}
