//! What is told of rows as tables for people. Long windows are cut in their middle; JSON has all of them.

use super::focus::Focus;
use super::told::{Base, Cause, Derived, Feature, Label, Line, Match, Observation, Place, Row, Told, Validity, Window};
use crate::present::{Align, Frame, Table, count};
use serde_json::{Map, Value};

/// Lines of a window where all columns are told: its beginning and its end.
const LINES_WIDE: usize = 4;
/// Lines of a window where one column is told: most windows whole.
const LINES_NARROW: usize = 60;

/// The text, ending in a newline.
pub(super) fn text(told: &Told, focus: &Focus, frame: Frame) -> String {
    let mut text = format!("{} version {}: robot {} at {}\n", told.table, told.version, told.robot, told.time);
    if told.extra_rows > 0 {
        text.push_str(&format!("{} rows more come out of the same inputs\n", told.extra_rows));
    }
    let pen = Pen { focus, frame };
    for (number, row) in (1..).zip(&told.rows) {
        if told.rows.len() > 1 {
            text.push_str(&format!("\nrow {number} of {} at this time\n", told.rows.len()));
        }
        text.push_str(&pen.row(row));
    }
    text
}

/// How it is written.
struct Pen<'a> {
    focus: &'a Focus,
    frame: Frame,
}

impl Pen<'_> {
    fn row(&self, row: &Row) -> String {
        let mut text = format!("shard {}, plan {}, source {}\n", row.shard, row.plan, row.source);
        text.push_str(&self.verdict(row));
        if let Some(cause) = &row.cause {
            text.push_str(&self.cause(cause));
        }
        let published = published(row);
        if !published.is_empty() {
            text.push_str(&self.section("published", &published));
        }
        text
    }

    fn verdict(&self, row: &Row) -> String {
        let resized = row.resized.as_ref().map(|file| format!("file changed: {file}\n")).unwrap_or_default();
        if row.equal {
            return format!("equal: computed again, every column is what was published, bit for bit\n{resized}");
        }
        if row.cause.is_none() {
            return format!("different: no such row comes out of the pinned inputs\n{resized}");
        }
        if row.differences.is_empty() {
            let what = "different: a statistic is not that of its values, see below";
            return format!("{what}; this is a bug, please report it\n");
        }
        let why = match resized.is_empty() {
            true => "either the published file was changed after it was written, or this is a bug; please report it\n",
            false => "",
        };
        let mut table =
            Table::new([("column", Align::Left), ("published", Align::Right), ("recomputed", Align::Right)]);
        for difference in &row.differences {
            table.row([difference.column.clone(), cell(&difference.published), cell(&difference.recomputed)]);
        }
        format!("different: these columns are not what the inputs give\n{}{resized}{why}", table.text(self.frame))
    }

    fn cause(&self, cause: &Cause) -> String {
        let mut text = String::new();
        if let Some(base) = &cause.base {
            text.push_str(&self.base(base, cause));
        }
        if !cause.matches.is_empty() {
            text.push_str(&self.section("matches", &matches(&cause.matches)));
        }
        if !cause.derived.is_empty() {
            text.push_str(&self.section("derived", &derived(&cause.derived)));
        }
        cause.windows.iter().for_each(|window| text.push_str(&self.window(window)));
        if let Some(label) = &cause.label {
            text.push_str(&self.label(label));
        }
        if let Some(validity) = &cause.validity {
            text.push_str(&self.validity(validity));
        }
        text
    }

    fn base(&self, base: &Base, cause: &Cause) -> String {
        let mut table = Table::new(OBSERVATION);
        base.observations.iter().for_each(|observation| table.row(observed(observation)));
        let known =
            if cause.known_by.is_empty() { String::new() } else { format!(" by {}", cause.known_by.join(", ")) };
        format!("\nrow: {}, all of it known at {}{known}\n{}", base.why, cause.known_at, table.text(self.frame))
    }

    fn window(&self, window: &Window) -> String {
        let mut text = format!("\nwindow of {} over {}: {}\n", window.span, window.over, window.interval);
        let mut table =
            Table::new([("statistic", Align::Left), ("published", Align::Right), ("of the values below", Align::Left)]);
        for statistic in window.features.iter().flat_map(|feature| &feature.statistics) {
            let again = if statistic.equal { "equal".to_owned() } else { cell(&statistic.recomputed) };
            table.row([statistic.column.clone(), cell(&statistic.published), again]);
        }
        text.push_str(&table.text(self.frame));
        window.features.iter().for_each(|feature| text.push_str(&self.values(feature)));
        text
    }

    /// The values of one column, the middle of many left out.
    fn values(&self, feature: &Feature) -> String {
        let shown = if self.focus.is_narrow() { LINES_NARROW } else { LINES_WIDE };
        let lines = &feature.values;
        let cut = lines.len().saturating_sub(shown);
        let head = if cut == 0 { lines.len() } else { shown.div_ceil(2) };
        let mut table = Table::new([
            ("time", Align::Left),
            (feature.column.as_str(), Align::Right),
            ("from object", Align::Left),
            ("member", Align::Left),
            ("record", Align::Left),
        ]);
        lines[..head].iter().for_each(|line| value_rows(&mut table, line));
        if cut > 0 {
            table.row([format!("… {} more (--json shows all)", count(cut as u64))]);
        }
        lines[head + cut..].iter().for_each(|line| value_rows(&mut table, line));
        format!("\n{} values of {}\n{}", count(lines.len() as u64), feature.column, table.text(self.frame))
    }

    fn label(&self, label: &Label) -> String {
        let interval = label.interval.as_ref().map(|interval| format!(", judged on {interval}")).unwrap_or_default();
        let mut text = format!("\nlabel of {}: {}{interval}\n{}\n", label.event, cell(&label.published), label.why);
        for (when, time) in [("before", &label.looked_before), ("at or after", &label.looked_after)] {
            let time = time.as_deref().unwrap_or("never");
            if label.interval.is_some() {
                text.push_str(
                    &format!("the condition was known last {when} its end: {time}\n").replace("last at", "first at"),
                );
            }
        }
        if label.onsets.is_empty() {
            return text;
        }
        let mut table = Table::new(["onset", "kept", "object", "member", "record"].map(|name| (name, Align::Left)));
        for onset in &label.onsets {
            let kept = if onset.kept { "yes" } else { "no: refractory" };
            table.row([onset.time.clone(), kept.to_owned()].into_iter().chain(place(onset.from.as_ref())));
        }
        text + &table.text(self.frame)
    }

    fn validity(&self, validity: &Validity) -> String {
        let reason = validity.reason.as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let mut table = Table::new(["rule", "window", "of", "speaks", "found"].map(|name| (name, Align::Left)));
        for rule in &validity.rules {
            let speaks = if rule.holds { "against" } else { "-" };
            let window = rule.window.clone().unwrap_or_default();
            table.row([rule.reason.to_owned(), window, rule.of.clone(), speaks.to_owned(), rule.found.clone()]);
        }
        let rules = if table.is_empty() { "no rule is asked for\n".to_owned() } else { table.text(self.frame) };
        format!("\nvalid: {}{reason}\n{rules}", cell(&validity.valid))
    }

    fn section(&self, title: &str, table: &Table) -> String {
        format!("\n{title}\n{}", table.text(self.frame))
    }
}

/// The published columns that stand in no window above.
fn published(row: &Row) -> Table {
    let windows = row.cause.iter().flat_map(|cause| &cause.windows).flat_map(|window| &window.features);
    let told: Vec<&str> =
        windows.flat_map(|feature| &feature.statistics).map(|statistic| statistic.column.as_str()).collect();
    let mut table = Table::new([("column", Align::Left), ("value", Align::Right)]);
    for (name, value) in row.published.iter().filter(|(name, _)| !told.contains(&name.as_str())) {
        table.row([name.clone(), cell(value)]);
    }
    table
}

const OBSERVATION: [(&str, Align); 7] = [
    ("signal", Align::Left),
    ("time", Align::Left),
    ("known", Align::Left),
    ("object", Align::Left),
    ("member", Align::Left),
    ("record", Align::Left),
    ("values", Align::Left),
];

fn observed(observation: &Observation) -> Vec<String> {
    let signal = observation.place.as_ref().map(|place| place.signal.clone()).unwrap_or_default();
    let mut cells = vec![signal, observation.time.clone(), observation.known.clone()];
    cells.extend(place(observation.place.as_ref()));
    cells.push(pairs(&observation.values));
    cells
}

fn matches(matches: &[Match]) -> Table {
    let mut table = Table::new(
        [("join", Align::Left), ("rule", Align::Left), ("dt us", Align::Right)]
            .into_iter()
            .chain(OBSERVATION.into_iter().skip(1)),
    );
    for found in matches {
        let rule = format!("{} within {}", found.direction, found.tolerance);
        let dt = found.dt_ns.map_or_else(|| "no match".to_owned(), |ns| pipeline::time::floor_us(ns).to_string());
        let cells = found.found.as_ref().map(observed).unwrap_or_default();
        table.row([found.signal.clone(), rule, dt].into_iter().chain(cells.into_iter().skip(1)));
    }
    table
}

fn derived(derived: &[Derived]) -> Table {
    let names = [("column", Align::Left), ("value", Align::Right), ("expression", Align::Left), ("where", Align::Left)];
    let mut table = Table::new(names);
    for one in derived {
        table.row([one.column.clone(), cell(&one.published), one.expression.clone(), pairs(&one.inputs)]);
    }
    table
}

/// A value of a window; one that comes from several observations has a line for each.
fn value_rows(table: &mut Table, line: &Line) {
    let value = if line.seen { cell(&line.value) } else { format!("{} (not known yet)", cell(&line.value)) };
    let mut from = line.from.iter();
    table.row([line.time.clone(), value].into_iter().chain(place(from.next())));
    from.for_each(|more| table.row([String::new(), String::new()].into_iter().chain(place(Some(more)))));
}

/// Object, member, record.
fn place(place: Option<&Place>) -> [String; 3] {
    let Some(place) = place else { return Default::default() };
    let object = match &place.version {
        Some(version) => format!("{} ({version})", place.object),
        None => place.object.clone(),
    };
    [object, place.member.clone(), format!("{} {}", place.signal, place.record)]
}

fn pairs(values: &Map<String, Value>) -> String {
    values.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join(" ")
}

/// A value as people read it; null is empty in tables of rows, here it is told.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
