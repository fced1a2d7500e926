//! `fleetloom check`: every mistake of the files at once; what each pipeline will do when there is none.

use crate::Context;
use crate::cli::CheckArgs;
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::words;
use pipeline::columns::{Meaning, result_columns};
use pipeline::pipeline::{Pipeline, Rows};
use pipeline::reach::reach;
use pipeline::run::Run;
use pipeline::spec::Recompute;
use pipeline::time::MILLI_NS;
use pipeline::time::words::duration_text;

/// Prints a few lines per pipeline on stdout, and what is worth knowing on stderr.
pub(crate) fn check(args: &CheckArgs, context: &Context) -> Result {
    let ready = words::ready(&args.words)?;
    for note in &ready.notes {
        context.console.say(&format!("note: {note}"));
    }
    let pipelines = ready.compiled.iter().map(|one| describe(one.pipeline()));
    let text: String = pipelines.chain(ready.runs.iter().map(describe_run)).collect();
    print(&text)?;
    Ok(Exit::Done)
}

fn describe(pipeline: &Pipeline) -> String {
    let archive = &pipeline.archive;
    let signals: Vec<_> = archive.signals.iter().map(|signal| signal.name.as_str()).collect();
    let columns = result_columns(pipeline);
    let features = columns.iter().filter(|column| matches!(column.meaning, Meaning::Feature { .. })).count();
    let reach = reach(pipeline);
    let mut text = format!("Pipeline {}: ok\n", pipeline.name);
    let mut line = |name: &str, what: String| text.push_str(&format!("  {name:<8} {what}\n"));
    line("reads", format!("Archive {} at {}: {}", archive.name, archive.store.url, signals.join(", ")));
    line("rows", rows(pipeline));
    line("joins", joins(pipeline));
    line("columns", format!("{}, of which {features} computed in windows", columns.len()));
    line("label", label(pipeline));
    line("context", format!("{} back, {} ahead", about(reach.back_ns), about(reach.forward_ns)));
    line("result", pipeline.spec.result.store.url.clone());
    text
}

/// A duration to the millisecond: reaches end a nanosecond beside what was written.
fn about(ns: i64) -> String {
    duration_text(ns - ns % MILLI_NS)
}

/// A line for a Run, which `run` carries out.
fn describe_run(run: &Run) -> String {
    let range = run.range.map_or_else(|| "all days".to_owned(), |range| format!("{} to {}", range.from, range.to));
    let what = if run.recompute == Recompute::All { "computes everything anew" } else { "computes what changed" };
    let suspended = if run.suspend { ", suspended: left out" } else { "" };
    format!("Run {}: ok\n  {:<8} Pipeline {}: {range}, {what}{suspended}\n", run.name, "runs", run.pipeline)
}

fn rows(pipeline: &Pipeline) -> String {
    let signal = |index: usize| pipeline.archive.signals[index].name.as_str();
    match &pipeline.rows {
        Rows::Signal { signal: index } => format!("one per observation of {}", signal(*index)),
        Rows::Grid { every_ns, during, alive_ns } => format!(
            "one every {}, while {} spoke in the last {}",
            duration_text(*every_ns),
            during.map_or("any signal", signal),
            duration_text(*alive_ns)
        ),
        Rows::Event { event, controls } => {
            let controls =
                controls.as_ref().map(|c| format!(", and {} controls each", c.per_event)).unwrap_or_default();
            format!("one per onset of {}{controls}", pipeline.events[*event].name)
        }
    }
}

fn joins(pipeline: &Pipeline) -> String {
    let join = |join: &pipeline::pipeline::Join| {
        let signal = &pipeline.archive.signals[join.signal].name;
        let direction = format!("{:?}", join.direction).to_lowercase();
        format!("{signal} ({direction} within {})", duration_text(join.tolerance_ns))
    };
    if pipeline.joins.is_empty() {
        "none".into()
    } else {
        pipeline.joins.iter().map(join).collect::<Vec<_>>().join(", ")
    }
}

fn label(pipeline: &Pipeline) -> String {
    let Some(label) = &pipeline.label else { return "none".into() };
    let event = &pipeline.events[label.event].name;
    match (label.horizon_ns, label.lead_ns) {
        (0, 0) => event.clone(),
        (horizon, 0) => format!("{event} within {}", duration_text(horizon)),
        (horizon, lead) => format!("{event} within {}, known {} before", duration_text(horizon), duration_text(lead)),
    }
}
