//! `fleetloom explain`: the physical plan that computes a pipeline's rows, and what it takes.

use crate::Context;
use crate::analyze::{Analyzed, analyze};
use crate::cli::ExplainArgs;
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::present::{bytes, count, duration};
use crate::words;
use crate::work::runtime;
use pipeline::time::Span;

/// Prints each pipeline's operators, inputs indented below their reader.
pub(crate) fn explain(args: &ExplainArgs, context: &Context) -> Result {
    let compiled = words::compiled(&args.words)?;
    let mut texts = Vec::new();
    for one in compiled {
        let name = one.pipeline().name.clone();
        if args.analyze {
            let days = args.range.or(one.pipeline().range);
            let span = days.map_or(Span::ALL, |days| days.span());
            let runtime = runtime()?;
            let analyzed = analyze(&one, (args.budget.effort(), &context.stop), runtime.handle(), span)?;
            texts.push(format!("Pipeline {name}\n{}", text(&analyzed)));
        } else {
            texts.push(format!("Pipeline {name}\n{}", engine::explain::explain(&one)));
        }
    }
    print(&texts.join("\n"))?;
    Ok(Exit::Done)
}

/// What was read, then a line per operator with what it came to over all robots.
fn text(analyzed: &Analyzed) -> String {
    let Analyzed { analysis, members, read_bytes, reading, computing } = analyzed;
    let members = format!("{} ({})", count(*members), bytes(*read_bytes));
    let robots = if analysis.robots == 1 { "robot" } else { "robots" };
    let mut text = format!(
        "{} {robots}; {members} members read and decoded in {}, rows computed in {} on one thread; nothing was published\n",
        count(analysis.robots),
        duration(*reading),
        duration(*computing)
    );
    for line in &analysis.lines {
        let indent = "  ".repeat(line.depth);
        let took = std::time::Duration::from_nanos(line.elapsed_ns);
        let (rows, memory) = (count(line.rows), bytes(line.bytes));
        text.push_str(&format!("{indent}{}  [rows={rows}, time={took:.1?}, memory={memory}]\n", line.operator));
    }
    text
}
