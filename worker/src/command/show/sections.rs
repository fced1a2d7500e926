//! The sections of `show` as tables for people.

use crate::present::{Align, Table, bytes, count, micros, share, type_word};
use crate::summary::words;
use arrow::datatypes::Schema;
use engine::account::{Account, JoinAccount};
use pipeline::time::display;
use table::ledger::{Ledger, LedgerLine};

/// Hexadecimal digits of a key that tell shards apart.
const KEY_CHARS: usize = 12;

/// Columns, their types and units.
pub(super) fn schema(schema: &Schema) -> Table {
    let mut table = Table::new([("column", Align::Left), ("type", Align::Left), ("unit", Align::Left)]);
    for field in schema.fields() {
        let unit = field.metadata().get("unit").cloned().unwrap_or_default();
        table.row([field.name().clone(), type_word(field.data_type()), unit]);
    }
    table
}

/// Observations by signal.
pub(super) fn signals(account: &Account) -> Table {
    let mut table = Table::new([
        ("signal", Align::Left),
        ("read", Align::Right),
        ("kept", Align::Right),
        ("duplicate", Align::Right),
        ("quarantined", Align::Right),
        ("why", Align::Left),
        ("nulls", Align::Left),
        ("NaN", Align::Left),
        ("late by s", Align::Left),
    ]);
    for (name, signal) in &account.signals {
        let late = signal.late_by.iter().map(|(most, n)| format!("<= {most}: {}", count(*n)));
        table.row([
            name.clone(),
            count(signal.read),
            count(signal.kept),
            count(signal.duplicate),
            count(signal.quarantined.values().sum()),
            words(&signal.quarantined),
            words(&signal.nulls),
            words(&signal.nan),
            late.collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}

/// What the joins found, and how far away.
pub(super) fn matches(account: &Account) -> Table {
    let mut table = Table::new([
        ("join", Align::Left),
        ("rows", Align::Right),
        ("matched", Align::Right),
        ("share", Align::Right),
        ("unmatched", Align::Right),
        ("reused", Align::Right),
        ("looked ahead", Align::Right),
        ("half within", Align::Right),
        ("95 % within", Align::Right),
        ("all within", Align::Right),
    ]);
    for (name, join) in &account.joins {
        table.row([
            name.clone(),
            count(join.rows),
            count(join.matched),
            share(join.matched, join.rows),
            count(join.unmatched),
            count(join.reused),
            share(join.looked_ahead, join.matched),
            within(join, 50),
            within(join, 95),
            within(join, 100),
        ]);
    }
    table
}

/// The least bound of the histogram under which `percent` of the matches lie; empty without matches.
fn within(join: &JoinAccount, percent: u64) -> String {
    let all: u64 = join.distance_us.values().sum();
    let mut seen = 0;
    for (bound_us, n) in &join.distance_us {
        seen += n;
        if seen.saturating_mul(100) >= all.saturating_mul(percent) && seen > 0 {
            return micros(*bound_us);
        }
    }
    String::new()
}

/// A line per shard.
pub(super) fn ledger(ledger: &Ledger) -> Table {
    let mut table = Table::new([
        ("shard", Align::Left),
        ("from", Align::Left),
        ("to", Align::Left),
        ("robots", Align::Left),
        ("state", Align::Left),
        ("why", Align::Left),
        ("rows", Align::Right),
        ("files", Align::Right),
        ("bytes", Align::Right),
    ]);
    ledger.lines.iter().for_each(|line| table.row(ledger_cells(line)));
    table
}

fn ledger_cells(line: &LedgerLine) -> [String; 9] {
    let why = match &line.failure {
        Some(failure) => format!("{}: {} ({} attempts)", failure.place, failure.message, failure.attempts),
        None => line.reason.clone(),
    };
    [
        line.key.chars().take(KEY_CHARS).collect(),
        display(line.span.from_ns),
        display(line.span.to_ns),
        if line.robots.is_empty() { "all".into() } else { format!("{}*", line.robots) },
        line.state.word().to_owned(),
        why,
        count(line.rows),
        count(line.files.len() as u64),
        bytes(line.files.iter().map(|file| file.bytes).sum()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_by_the_bounds_of_their_histogram() {
        let join = JoinAccount { distance_us: [(0, 10), (1_024, 80), (65_536, 10)].into(), ..JoinAccount::default() };
        assert_eq!([50, 95, 100].map(|percent| within(&join, percent)), ["1.02 ms", "65.5 ms", "65.5 ms"]);
        assert_eq!(within(&JoinAccount::default(), 50), "");
    }
}
