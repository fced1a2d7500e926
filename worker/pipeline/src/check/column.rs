//! Column words: type, and what makes sense with it.

use super::archive::{UNITS, unit_word};
use super::desk::{Desk, entry};
use super::signal;
use crate::archive::{Column, ColumnKind, TextRule, TimeUnit};
use crate::name;
use crate::pointer::At;
use crate::spec::{ColumnSpec, ColumnType, Infinite, OnMismatch};

/// All columns of a signal, ready.
pub(super) fn check_all(columns: &[ColumnSpec], at: &At, list: &str, desk: &mut Desk) -> Vec<Column> {
    desk.identifiers(list, "column", columns.iter().map(|column| column.name.as_str()));
    let path = |index: usize, column: &ColumnSpec| entry(list, index, &column.name);
    columns.iter().enumerate().map(|(index, column)| check(column, at, &path(index, column), desk)).collect()
}

fn check(words: &ColumnSpec, at: &At, path: &str, desk: &mut Desk) -> Column {
    let kind = words.kind.unwrap_or(ColumnType::Float64);
    let number = matches!(kind, ColumnType::Float64 | ColumnType::Int64);
    let mut only = |field: &str, written: bool, fits: bool, types: &str| {
        if written && !fits {
            let remedy = format!("leave it out, or write type: {types}");
            desk.report(&format!("{path}.{field}"), format!("is only read with type: {types}"), remedy);
        }
    };
    only("scale", words.scale.is_some(), number, "float64 or int64");
    only("offset", words.offset.is_some(), number, "float64 or int64");
    only("text", words.text.is_some(), number, "float64 or int64");
    only("infinite", words.infinite.is_some(), kind == ColumnType::Float64, "float64");
    let timestamp = kind == ColumnType::Timestamp;
    only("format", words.format.is_some(), timestamp, "timestamp");
    only("zone", words.zone.is_some(), timestamp, "timestamp");
    if number {
        linear(words, kind, path, desk);
    }
    Column {
        name: words.name.clone(),
        place: signal::place(&words.name, words.field.as_deref(), words.document.as_deref(), at, path, desk),
        kind: match kind {
            ColumnType::Float64 => ColumnKind::Float64,
            ColumnType::Int64 => ColumnKind::Int64,
            ColumnType::Bool => ColumnKind::Bool,
            ColumnType::String => ColumnKind::String,
            ColumnType::Timestamp => ColumnKind::Timestamp(timestamp_unit(words, path, desk)),
        },
        unit: words.unit.clone().filter(|_| !timestamp),
        scale: words.scale.unwrap_or(1.0),
        offset: words.offset.unwrap_or(0.0),
        text: if words.text.is_some() { TextRule::Number } else { TextRule::Refuse },
        nulls: words.nulls.clone(),
        infinite: words.infinite.unwrap_or(Infinite::Keep),
        on_mismatch: words.on_mismatch.unwrap_or(OnMismatch::Quarantine),
    }
}

/// `scale` and `offset`: a scale of 0 would make every value the same, and an integer must stay one.
fn linear(words: &ColumnSpec, kind: ColumnType, path: &str, desk: &mut Desk) {
    if words.scale == Some(0.0) {
        desk.report(&format!("{path}.scale"), "is 0: every value would be the offset", "write another factor");
    }
    for (field, value) in [("scale", words.scale), ("offset", words.offset)] {
        if kind == ColumnType::Int64 && value.is_some_and(|value| value.fract() != 0.0) {
            let what = "is no whole number, but the column is int64";
            desk.report(&format!("{path}.{field}"), what, "write type: float64, or a whole number");
        }
    }
}

fn timestamp_unit(words: &ColumnSpec, path: &str, desk: &mut Desk) -> TimeUnit {
    let known = UNITS.map(|(word, _)| word);
    let path_unit = format!("{path}.unit");
    let unit = match &words.unit {
        None => {
            let remedy = format!("write one of {}", known.join(", "));
            desk.report(&path_unit, "is missing: no unit of time is ever guessed", remedy);
            return TimeUnit::Millis;
        }
        Some(text) => unit_word(text),
    };
    match unit {
        Some(unit) => signal::time_unit(unit, words.format.as_deref(), words.zone.as_deref(), path, desk),
        None => {
            let text = words.unit.as_deref().unwrap_or_default();
            desk.report(&path_unit, format!("is {text:?}, no unit of time"), name::suggest(text, known));
            TimeUnit::Millis
        }
    }
}
