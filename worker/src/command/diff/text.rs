//! A comparison as tables for people: each cut at so many lines, saying what was cut.

use super::Compared;
use crate::present::{Align, Frame, Table, count, type_word};
use table::diff::{Change, ColumnSummary, RobotDay, RowCounts, SchemaChange, Shift, Statistics, Value};
use table::moments::{Moments, mean_shift};

/// Significant digits of a statistic.
const DIGITS: usize = 6;

/// Decimals of a number between 1 and 10 with so many digits.
const DECIMALS: i32 = 5;

/// Powers of ten of the numbers that are written out; others are written as 1.23e20.
const EXPONENTS: std::ops::Range<i32> = -5..15;

/// A titled table of what is largest, and how many there are of it.
struct Section {
    title: &'static str,
    table: Table,
    rows: Vec<Vec<String>>,
    all: u64,
}

impl Section {
    /// At most `limit` lines, and how many there are beyond; nothing of nothing.
    fn text(mut self, limit: usize, frame: Frame) -> String {
        if self.all == 0 {
            return String::new();
        }
        let (kept, shown) = (self.rows.len(), self.rows.len().min(limit));
        self.rows.into_iter().take(limit).for_each(|row| self.table.row(row));
        let mut text = format!("\n{}\n{}", self.title, self.table.text(frame));
        let rest = self.all.saturating_sub(shown as u64);
        if rest > 0 {
            let more =
                if shown < kept { format!("--limit shows up to {}, ", count(kept as u64)) } else { String::new() };
            text.push_str(&format!("… and {} more; {more}--parquet FILE writes a line of each column\n", count(rest)));
        }
        text
    }
}

impl Compared<'_> {
    /// All of it, ending in a newline.
    pub(super) fn text(&self, frame: Frame) -> String {
        let summary = self.diff.summary();
        let mut text = format!("{} version {} against version {}\n", self.table, self.after, self.before);
        text.push_str(&format!("columns: {}\n", self.column_changes()));
        let [compared, same] = [summary.days_compared, summary.days_same].map(count);
        text.push_str(&format!("days: {compared} compared, {same} with the same files\n"));
        text.push_str(&format!("rows: {}\n", rows(&summary.rows)));
        if summary.robot_days == 0 {
            return text;
        }
        for section in [self.days(), self.columns(), self.shifts(), self.changes()] {
            text.push_str(&section.text(self.args.limit, frame));
        }
        text
    }

    fn days(&self) -> Section {
        let summary = self.diff.summary();
        let rows = summary.days.iter().map(day_cells).map(Vec::from).collect();
        Section { title: "robots' days that differ", table: days(), rows, all: summary.robot_days }
    }

    fn columns(&self) -> Section {
        let mut columns: Vec<(usize, &ColumnSummary)> = self.diff.summary().columns.iter().enumerate().collect();
        columns.sort_by_key(|(_, column)| std::cmp::Reverse(column.changed));
        let cells = |(at, column): (usize, &ColumnSummary)| Vec::from(column_cells(self.column(at), column));
        let rows: Vec<_> = columns.into_iter().map(cells).collect();
        let all = rows.len() as u64;
        Section { title: "columns, over those robots' days", table: columns_table(), rows, all }
    }

    fn shifts(&self) -> Section {
        let summary = self.diff.summary();
        let rows = summary.shifts.iter().map(|shift| Vec::from(self.shift_cells(shift))).collect();
        Section { title: "largest shifts", table: shifts(), rows, all: summary.shifted }
    }

    fn changes(&self) -> Section {
        let summary = self.diff.summary();
        let rows = summary.changes().into_iter().map(|change| Vec::from(self.change_cells(change))).collect();
        let all = summary.columns.iter().map(|column| column.changed).sum();
        Section { title: "largest changes, five of a column at most", table: changes(), rows, all }
    }

    /// The differences of the schemas, as many as a table has lines.
    fn column_changes(&self) -> String {
        let changes = self.diff.schema();
        let mut texts: Vec<String> = changes.iter().take(self.args.limit).map(column_change).collect();
        if texts.len() < changes.len() {
            texts.push(format!("{} more", changes.len() - texts.len()));
        }
        if texts.is_empty() { "the same".into() } else { texts.join(", ") }
    }

    fn shift_cells(&self, shift: &Shift) -> [String; 7] {
        let (before, after) = (&shift.day.before, &shift.day.after);
        [
            shift.robot.clone(),
            shift.date.clone(),
            self.column(shift.column).to_owned(),
            pair(before.moments.null_share().map(percent), after.moments.null_share().map(percent)),
            pair(mean_std(&before.moments), mean_std(&after.moments)),
            pair(quantiles(before), quantiles(after)),
            in_std(&before.moments, &after.moments),
        ]
    }

    fn change_cells(&self, change: &Change) -> [String; 6] {
        let kind = if change.kind.is_empty() { String::new() } else { format!(" ({})", change.kind) };
        [
            change.robot.clone(),
            format!("{}{kind}", Value::TimeUs(change.time_us)),
            self.column(change.column).to_owned(),
            change.before.to_string(),
            change.after.to_string(),
            change.size.map(number).unwrap_or_default(),
        ]
    }
}

fn column_change(change: &SchemaChange) -> String {
    match change {
        SchemaChange::Added(name, kind) => format!("+{name} ({})", type_word(kind)),
        SchemaChange::Removed(name, kind) => format!("-{name} ({})", type_word(kind)),
        SchemaChange::Type(name, before, after) => format!("{name} ({} -> {})", type_word(before), type_word(after)),
        SchemaChange::Unit(name, before, after) => format!("{name} (unit {before:?} -> {after:?})"),
    }
}

fn rows(rows: &RowCounts) -> String {
    if !rows.differ() {
        return "no row differs".into();
    }
    let [before, after, added, removed, changed] =
        [rows.before, rows.after, rows.added, rows.removed, rows.changed].map(count);
    format!("{added} added, {removed} removed, {changed} changed, where there were {before} and are {after}")
}

fn days() -> Table {
    Table::new([
        ("robot", Align::Left),
        ("day", Align::Left),
        ("rows before", Align::Right),
        ("after", Align::Right),
        ("added", Align::Right),
        ("removed", Align::Right),
        ("changed", Align::Right),
    ])
}

fn day_cells(day: &RobotDay) -> [String; 7] {
    let rows = &day.rows;
    let [before, after, added, removed, changed] =
        [rows.before, rows.after, rows.added, rows.removed, rows.changed].map(count);
    [day.robot.clone(), day.date.clone(), before, after, added, removed, changed]
}

fn columns_table() -> Table {
    Table::new([
        ("column", Align::Left),
        ("changed", Align::Right),
        ("null", Align::Left),
        ("mean ± std", Align::Left),
        ("mean shift in std", Align::Right),
    ])
}

fn column_cells(name: &str, column: &ColumnSummary) -> [String; 5] {
    let (before, after) = (&column.before, &column.after);
    [
        name.to_owned(),
        count(column.changed),
        pair(before.null_share().map(percent), after.null_share().map(percent)),
        pair(mean_std(before), mean_std(after)),
        in_std(before, after),
    ]
}

fn shifts() -> Table {
    Table::new([
        ("robot", Align::Left),
        ("day", Align::Left),
        ("column", Align::Left),
        ("null", Align::Left),
        ("mean ± std", Align::Left),
        ("p05 p50 p95", Align::Left),
        ("mean shift in std", Align::Right),
    ])
}

fn changes() -> Table {
    Table::new([
        ("robot", Align::Left),
        ("time", Align::Left),
        ("column", Align::Left),
        ("before", Align::Right),
        ("after", Align::Right),
        ("in std", Align::Right),
    ])
}

/// `before → after`, or once where both are the same; empty where neither is there.
fn pair(before: Option<String>, after: Option<String>) -> String {
    if before == after {
        return before.unwrap_or_default();
    }
    let text = |side: Option<String>| side.unwrap_or_else(|| "none".into());
    format!("{} -> {}", text(before), text(after))
}

fn mean_std(moments: &Moments) -> Option<String> {
    let mean = number(moments.mean()?);
    Some(moments.std().map_or(mean.clone(), |std| format!("{mean} ± {}", number(std))))
}

fn quantiles(statistics: &Statistics) -> Option<String> {
    statistics.quantiles.map(|quantiles| quantiles.map(number).join(" "))
}

fn in_std(before: &Moments, after: &Moments) -> String {
    match mean_shift(before, after) {
        Some(shift) if shift.is_infinite() => "constant".into(),
        Some(shift) if shift > 0.0 => number(shift),
        _ => String::new(),
    }
}

fn percent(part: f64) -> String {
    format!("{} %", number(part * 100.0))
}

/// A number with six digits, without those that say nothing.
fn number(value: f64) -> String {
    let scientific = format!("{value:.*e}", DIGITS - 1);
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    let Some(exponent) = exponent.filter(|exponent| EXPONENTS.contains(exponent)) else {
        return if value.is_finite() { scientific } else { value.to_string() };
    };
    let decimals = usize::try_from(DECIMALS - exponent).unwrap_or_default();
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits_and_no_more_than_needed() {
        let values = [0.0, 1.5, -0.000123456789, 1234567.8, 5e-9, f64::INFINITY, 100.0, 0.1 + 0.2];
        assert_eq!(values.map(number), ["0", "1.5", "-0.000123457", "1234568", "5.00000e-9", "inf", "100", "0.3"]);
    }

    #[test]
    fn a_section_says_what_it_leaves_out() {
        let section = |all| {
            let rows = (0..3).map(|n| vec![n.to_string()]).collect();
            Section { title: "numbers", table: Table::new([("n", Align::Right)]), rows, all }
        };
        let end = |limit, all| section(all).text(limit, Frame::Plain).lines().last().unwrap_or_default().to_owned();
        assert_eq!(end(2, 5), "… and 3 more; --limit shows up to 3, --parquet FILE writes a line of each column");
        assert_eq!(end(3, 5), "… and 2 more; --parquet FILE writes a line of each column");
        assert_eq!(end(9, 3), "| 2 |");
        assert_eq!(section(0).text(9, Frame::Plain), "");
    }

    #[test]
    fn what_stayed_is_told_once() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(pair(text("1"), text("1")), "1");
        assert_eq!(pair(text("1"), text("2")), "1 -> 2");
        assert_eq!(pair(None, text("2")), "none -> 2");
        assert_eq!(pair(None, None), "");
    }
}
