//! `fleetloom replay`: compute a published shard again and compare.

use crate::Context;
use crate::cli::{ReplayArgs, ShardName};
use crate::console::print;
use crate::fault::Result;
use crate::present::{Align, Frame, Table, count};
use crate::replay::{Asked, Comparison, First, Replayed, Verdict, Which, Words, replay as run};
use crate::words;
use crate::work::{Work, runtime};
use serde_json::{Value, json};

/// Columns that differ are named up to this many.
const COLUMNS_SHOWN: usize = 12;

/// Replays one shard and says what came of it.
pub(crate) fn replay(args: &ReplayArgs, context: &Context) -> Result {
    let runtime = runtime()?;
    let work = Work::open(words::only(&args.words)?, args.budget.effort(), context.stop.clone())?;
    let asked = Asked {
        version: args.at.version.clone(),
        shard: which(&args.shard),
        words: if args.other_words { Words::AtHand } else { Words::Same },
    };
    let replayed = run(&work, runtime.handle(), &asked)?;
    print(&if args.json { format!("{:#}\n", to_json(&replayed)) } else { text(&replayed, Frame::of_stdout()) })?;
    Ok(replayed.verdict().exit())
}

/// One of the two is given: the command line insists.
fn which(name: &ShardName) -> Which {
    match (&name.shard, name.index) {
        (Some(key), _) => Which::Key(key.clone()),
        (None, index) => Which::Index(index.unwrap_or_default()),
    }
}

fn text(replayed: &Replayed, frame: Frame) -> String {
    let Replayed { version, line, plan, source, rows, recomputed, .. } = replayed;
    let robots = if line.robots.is_empty() { "all robots".to_owned() } else { format!("robots {}…", line.robots) };
    let mut text = format!("shard {} of version {version}: {}, {robots}\n", line.key, line.span);
    text.push_str(&format!("  made by   plan {plan}, source {source}\n"));
    let side = |rows: u64, files: usize| format!("{} rows in {} files", count(rows), count(files as u64));
    text.push_str(&format!("  published {}\n", side(line.rows, line.files.len())));
    text.push_str(&format!("  again     {}\n", side(recomputed.0, recomputed.1)));
    if let Some(stray) = &replayed.stray {
        text.push_str(&format!("  words     {stray}\n"));
    }
    if let Some(resized) = &replayed.resized {
        text.push_str(&format!("  file      {resized}\n"));
    }
    text.push_str(&format!("{}\n", sentence(replayed)));
    if let Some(first) = &rows.first {
        text.push_str(&format!("\nfirst difference\n{}", first_table(first).text(frame)));
    }
    if !rows.is_equal() {
        text.push_str(&differences(rows));
    }
    if !replayed.account.is_empty() {
        text.push_str(&format!("\nthe account differs\n{}", account_table(&replayed.account).text(frame)));
    }
    text
}

fn sentence(replayed: &Replayed) -> String {
    let rows = &replayed.rows;
    match replayed.verdict() {
        Verdict::Equal => {
            format!("equal: {} rows, every column bit for bit, and the account", count(rows.equal))
        }
        Verdict::OtherWords => "different, as other words or another engine may give".to_owned(),
        Verdict::FileChanged => {
            "different: a published file was changed after it was written; run with --recompute all to publish the rows \
             again"
                .to_owned()
        }
        Verdict::Broken => "different, although inputs, words and engine are the same: either the published file was \
                            changed after it was written, or this is a bug; please report it"
            .to_owned(),
    }
}

fn first_table(first: &First) -> Table {
    let names = ["robot", "time", "column", "published", "recomputed"];
    let mut table = Table::new(names.map(|name| (name, Align::Left)));
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "no row".to_owned());
    let column = first.column.clone().unwrap_or_else(|| "(all)".to_owned());
    table.row([first.robot.clone(), first.time.clone(), column, value(&first.published), value(&first.recomputed)]);
    table
}

/// How many rows differ, and in which columns.
fn differences(rows: &Comparison) -> String {
    let mut parts = vec![format!("{} rows equal", count(rows.equal))];
    let some = [
        (rows.different, "different"),
        (rows.only_published, "only published"),
        (rows.only_recomputed, "only recomputed"),
    ];
    parts.extend(some.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))));
    let mut text = format!("{}\n", parts.join(", "));
    if !rows.columns.is_empty() {
        let shown = rows.columns.iter().take(COLUMNS_SHOWN).map(|(name, n)| format!("{name} {}", count(*n)));
        let more = rows.columns.len().saturating_sub(COLUMNS_SHOWN);
        let more = if more > 0 { format!(" and {more} more columns") } else { String::new() };
        text.push_str(&format!("rows that differ, by column: {}{more}\n", shown.collect::<Vec<_>>().join(", ")));
    }
    if !rows.odd_columns.is_empty() {
        text.push_str(&format!("columns of one side only, or of another type: {}\n", rows.odd_columns.join(", ")));
    }
    text
}

fn account_table(account: &[(String, Value, Value)]) -> Table {
    let mut table = Table::new([("count", Align::Left), ("published", Align::Right), ("recomputed", Align::Right)]);
    let cell = |value: &Value| if value.is_null() { "-".to_owned() } else { value.to_string() };
    account.iter().for_each(|(path, before, now)| table.row([path.clone(), cell(before), cell(now)]));
    table
}

fn to_json(replayed: &Replayed) -> Value {
    let Replayed { version, line, plan, source, rows, recomputed, .. } = replayed;
    let first = rows.first.as_ref().map(|first| {
        json!({
            "robot": first.robot,
            "time": first.time,
            "column": first.column,
            "published": first.published,
            "recomputed": first.recomputed,
        })
    });
    json!({
        "version": version,
        "shard": line.key,
        "fromNs": line.span.from_ns,
        "toNs": line.span.to_ns,
        "robots": line.robots,
        "plan": plan,
        "source": source,
        "equal": replayed.is_equal(),
        "stray": replayed.stray,
        "resized": replayed.resized,
        "published": {"rows": line.rows, "files": line.files.len()},
        "recomputed": {"rows": recomputed.0, "files": recomputed.1},
        "rows": {
            "equal": rows.equal,
            "different": rows.different,
            "onlyPublished": rows.only_published,
            "onlyRecomputed": rows.only_recomputed,
            "byColumn": rows.columns,
            "oddColumns": rows.odd_columns,
            "first": first,
        },
        "account": replayed.account.iter().map(|(path, before, now)| {
            json!({"count": path, "published": before, "recomputed": now})
        }).collect::<Value>(),
    })
}
