//! `fleetloom plan`: cut the archive into shards, say which are stale and why, and store that.

use crate::Context;
use crate::cli::PlanArgs;
use crate::commit::bucket_text;
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::plan::{Planned, plan as make};
use crate::present::{Align, Frame, Table, bytes, count, duration};
use crate::words;
use crate::work::{Effort, Work, runtime};
use pipeline::plan::{Shard, State};
use pipeline::time::{Span, display};
use std::time::Duration;
use table::estimate::Estimate;

/// Makes the plan of one pipeline.
pub(crate) fn plan(args: &PlanArgs, context: &Context) -> Result {
    let work = Work::open(words::only(&args.words)?, Effort::default(), context.stop.clone())?;
    let planned = runtime()?.block_on(make(&work, &args.scope.ask()))?;
    show_plan(&planned, args.json)?;
    Ok(Exit::Done)
}

/// Prints a plan: its JSON with its hash for programs, else a line per stale shard.
pub(crate) fn show_plan(planned: &Planned, json: bool) -> Result<()> {
    let plan = &planned.plan;
    let hash = plan.hash();
    if json {
        let stale: Vec<usize> = plan.stale().collect();
        let value = serde_json::json!({ "hash": hash, "stale": stale, "plan": plan, "estimate": planned.estimate });
        return Ok(print(&format!("{value:#}\n"))?);
    }
    let mut table = Table::new([
        ("index", Align::Right),
        ("from", Align::Left),
        ("to", Align::Left),
        ("robots", Align::Left),
        ("members", Align::Right),
        ("bytes", Align::Right),
        ("why", Align::Left),
    ]);
    let mut stale = (0, 0, 0);
    for index in plan.stale() {
        let shard = &plan.shards[index];
        stale = (stale.0 + 1, stale.1 + shard.inputs.members, stale.2 + shard.inputs.bytes);
        table.row(cells(index, shard));
    }
    let (shards, members, stored) = stale;
    let objects = count(planned.listing.objects.len() as u64);
    let archive = format!("{objects} objects of {}", bytes(planned.listing.bytes()));
    let reused = count((plan.shards.len() - shards) as u64);
    let work = format!("{} stale ({} members, {})", count(shards as u64), count(members), bytes(stored));
    let base = plan.base.map_or_else(|| "no table yet".to_owned(), |base| format!("version {base}"));
    let head = format!("plan {hash} of {archive}, against {base}: {work}, {reused} reused\n");
    let text =
        if table.is_empty() { head } else { head + &predicted(&planned.estimate) + &table.text(Frame::of_stdout()) };
    Ok(print(&text)?)
}

/// What the stale shards will take, in a line.
fn predicted(estimate: &Estimate) -> String {
    let Estimate { measured, core_seconds, peak_bytes, .. } = estimate;
    let time = duration(Duration::from_secs_f64(core_seconds.max(0.0)));
    let read = bytes(estimate.bytes);
    let memory =
        peak_bytes.map_or_else(|| "memory not measured yet".to_owned(), |peak| format!("peak memory {}", bytes(peak)));
    let from = match measured {
        0 => "a guess: nothing was measured yet".to_owned(),
        1 => "as the last shard measured".to_owned(),
        many => format!("as the last {many} shards measured"),
    };
    format!("reads {read}, takes about {time} of one core, {memory} ({from})\n")
}

fn cells(index: usize, shard: &Shard) -> [String; 7] {
    let Span { from_ns, to_ns } = shard.part.span;
    let why = match &shard.state {
        State::Stale(reason) => reason.to_string(),
        State::Reused => "reused".to_owned(),
    };
    let edge = |ns: i64| if ns == i64::MIN || ns == i64::MAX { String::new() } else { display(ns) };
    let robots = bucket_text(shard.part.bucket);
    let robots = if robots.is_empty() { "all".to_owned() } else { format!("{robots}…") };
    let inputs = &shard.inputs;
    [index.to_string(), edge(from_ns), edge(to_ns), robots, count(inputs.members), bytes(inputs.bytes), why]
}
