//! `fleetloom vacuum`: what nobody needs any more, counted, and deleted if asked.

use crate::cli::VacuumArgs;
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::{Align, Frame, Table, bytes, count};
use crate::work::{now_ms, runtime, table_of};
use archive::store::Store;
use pipeline::time::MILLI_NS;
use serde_json::{Value, json};
use table::layout::Kind;
use table::vacuum::{Ask, Swept, sweep};

/// Sweeps the table of a pipeline and prints what goes.
pub(crate) fn vacuum(args: &VacuumArgs) -> Result {
    let (compiled, store) = table_of(&args.words.words())?;
    let ask = Ask {
        now_ns: now_ms().saturating_mul(MILLI_NS),
        retention_ns: compiled.pipeline().retention_ns(),
        delete: args.delete,
    };
    let swept = runtime()?.block_on(sweep(&store, ask))?;
    if swept.versions == 0 && swept.sweep.goes.is_empty() {
        return Err(Fault::request(format!("{store}: no table is there yet, and nothing to remove")));
    }
    let counts = counts(&swept);
    print(&if args.json {
        json(store.as_ref(), &swept, &counts, args.delete)
    } else {
        text(store.as_ref(), &swept, &counts, args.delete)
    })?;
    Ok(Exit::Done)
}

/// Objects and bytes of each kind that goes.
fn counts(swept: &Swept) -> Vec<(Kind, u64, u64)> {
    let of = |kind: Kind| {
        let goes = swept.sweep.goes.iter().filter(|(other, _)| *other == kind);
        let (objects, bytes) = goes.fold((0, 0u64), |(n, sum), (_, object)| (n + 1, sum.saturating_add(object.bytes)));
        (kind, objects, bytes)
    };
    Kind::ALL.into_iter().map(of).filter(|(_, objects, _)| *objects > 0).collect()
}

fn total(counts: &[(Kind, u64, u64)]) -> (u64, u64) {
    counts.iter().fold((0, 0), |(n, sum), (_, objects, bytes)| (n + objects, sum.saturating_add(*bytes)))
}

fn text(store: &dyn Store, swept: &Swept, counts: &[(Kind, u64, u64)], deleted: bool) -> String {
    let mut table = Table::new([("what", Align::Left), ("objects", Align::Right), ("bytes", Align::Right)]);
    for (kind, objects, size) in counts {
        table.row([kind.word().to_owned(), count(*objects), bytes(*size)]);
    }
    let (objects, size) = total(counts);
    let kept = format!("{} of {} versions stay readable", count(swept.kept.len() as u64), count(swept.versions));
    let what = format!("{} objects, {}", count(objects), bytes(size));
    let said = match (objects, deleted) {
        (0, _) => format!("{store}: nothing to remove; {kept}\n"),
        (_, true) => format!("{store}: removed {what}; {kept}\n"),
        (_, false) => format!("{store}: would remove {what}; {kept}; --delete does it\n"),
    };
    if objects == 0 { said } else { table.text(Frame::of_stdout()) + &said }
}

fn json(store: &dyn Store, swept: &Swept, counts: &[(Kind, u64, u64)], deleted: bool) -> String {
    let kinds: Vec<Value> = counts
        .iter()
        .map(|(kind, objects, bytes)| json!({"kind": kind.word(), "objects": objects, "bytes": bytes}))
        .collect();
    let (objects, bytes) = total(counts);
    let json = json!({
        "table": store.to_string(), "deleted": deleted, "objects": objects, "bytes": bytes, "kinds": kinds,
        "versions": swept.versions, "kept": swept.kept,
    });
    format!("{json:#}\n")
}
