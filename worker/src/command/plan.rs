//! `fleetloom plan`: cut the archive into shards, say which are stale and why, and store that.

use crate::Context;
use crate::cli::{PlanArgs, Since};
use crate::commit::{Committed, bucket_text, commit};
use crate::console::print;
use crate::fault::{Exit, Result};
use crate::inline::is_ours;
use crate::message;
use crate::plan::{Planned, plan as make, stored};
use crate::present::{Align, Frame, Table, bytes, count, duration};
use crate::run::{Unwatched, go_on};
use crate::words;
use crate::work::{Work, runtime};
use pipeline::plan::{Plan, Shard, State};
use pipeline::time::{Span, display};
use std::time::Duration;
use table::estimate::Estimate;
use table::history::published_by;
use tokio::runtime::Runtime;

/// Makes the plan of one pipeline. In a pod it may find that its run is published already, or carry a small plan out itself.
pub(crate) fn plan(args: &PlanArgs, context: &Context) -> Result {
    let work = Work::open(words::only(&args.words)?, args.budget.effort(), context.stop.clone())?;
    let (runtime, ask) = (runtime()?, args.scope.ask());
    if let Some(Since(base)) = args.since
        && let Some(made) = runtime.block_on(published_by(work.result.as_ref(), &ask.run, base))?
    {
        // Committing its plan again finds what it came to.
        let plan = runtime.block_on(stored(&work, &made.provenance.unwrap_or_default().plan))?;
        let committed = runtime.block_on(commit(&work, &plan, &ask.run, Some(ask.asked_ms)))?;
        return told(context, &work, &runtime, &plan, &committed);
    }
    let planned = runtime.block_on(make(&work, &ask))?;
    if let Some(most) = args.inline
        && runtime.block_on(is_ours(&work, &planned, most))?
    {
        let ran = go_on(&work, runtime.handle(), &ask, Some(planned), &Unwatched)?;
        return told(context, &work, &runtime, &ran.planned.plan, &ran.committed);
    }
    context.messages.say(&message::planned(&work, &planned))?;
    show_plan(&planned, args.json)?;
    Ok(Exit::Done)
}

/// Says which version a plan came to.
fn told(context: &Context, work: &Work, runtime: &Runtime, plan: &Plan, committed: &Committed) -> Result {
    context.messages.say(&runtime.block_on(message::committed(work, plan, committed))?)?;
    let made = if committed.changed { "published as" } else { "changes nothing in" };
    print(&format!("plan {} {made} version {} of {}\n", plan.hash(), committed.version, work.result))?;
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
