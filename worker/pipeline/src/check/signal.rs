//! Signal words: the walk, the clocks, the match; columns are checked beside.

use super::column;
use super::desk::{Desk, entry};
use crate::archive::{Clock, Signal, TimeUnit};
use crate::pointer::{At, Bracketed, Place, Pointer, Step};
use crate::spec::{Duplicates, SignalSpec, TimeSpec, Unit};
use crate::time::instant::{self, InstantReader};

/// All signals, ready.
pub(super) fn check_all(signals: &[SignalSpec], desk: &mut Desk) -> Vec<Signal> {
    if signals.is_empty() {
        desk.report("spec.signals", "is empty", "write at least one signal with name, times and columns");
    }
    desk.identifiers("spec.signals", "signal", signals.iter().map(|signal| signal.name.as_str()));
    let path = |(index, signal): (usize, &SignalSpec)| entry("spec.signals", index, &signal.name);
    signals.iter().enumerate().map(|(index, signal)| check(signal, &path((index, signal)), desk)).collect()
}

fn check(words: &SignalSpec, path: &str, desk: &mut Desk) -> Signal {
    let at = match &words.at {
        Some(text) => desk.take(&format!("{path}.at"), At::parse(text)).unwrap_or_else(anywhere),
        None => At::default(),
    };
    let matches = words
        .matches
        .iter()
        .filter_map(|(place, text)| {
            let place = desk.take(&format!("{path}.match[{place}]"), Place::parse(place, &at))?;
            Some((place, text.clone()))
        })
        .collect();
    let times = format!("{path}.times");
    if words.times.is_empty() {
        desk.report(&times, "is empty", "write at least one clock, such as {name: event, field: /ts, unit: ms}");
    }
    desk.identifiers(&times, "clock", words.times.iter().map(|time| time.name.as_str()));
    let clocks: Vec<Clock> = words
        .times
        .iter()
        .enumerate()
        .map(|(index, time)| clock(time, &at, &entry(&times, index, &time.name), desk))
        .collect();
    let names: Vec<&str> = words.times.iter().map(|time| time.name.as_str()).collect();
    let mut find = |field: &str, name: &Option<String>| {
        name.as_ref().and_then(|name| desk.find(&format!("{path}.{field}"), "clock in times", name, &names))
    };
    let join_clock = find("clock", &words.clock).unwrap_or(0);
    // The join clock says when a value happened; as `known` clock it would add nothing.
    let known_clock = find("known", &words.known).filter(|known| *known != join_clock);
    Signal {
        name: words.name.clone(),
        matches,
        clocks,
        join_clock,
        known_clock,
        columns: column::check_all(&words.columns, &at, &format!("{path}.columns"), desk),
        duplicates: words.duplicates.unwrap_or(Duplicates::Last),
        at,
    }
}

/// In place of a walk with a mistake: one from which every `../`, `@key` and `@index` is right.
fn anywhere() -> At {
    At { steps: vec![Step::Values, Step::Values] }
}

fn clock(words: &TimeSpec, at: &At, path: &str, desk: &mut Desk) -> Clock {
    Clock {
        name: words.name.clone(),
        place: place(&words.name, words.field.as_deref(), words.document.as_deref(), at, path, desk),
        unit: time_unit(words.unit, words.format.as_deref(), words.zone.as_deref(), path, desk),
    }
}

/// Where `field` or `document` point; the key of that `name` in the record when neither is written.
pub(super) fn place(
    name: &str,
    field: Option<&str>,
    document: Option<&str>,
    at: &At,
    path: &str,
    desk: &mut Desk,
) -> Place {
    let default = Place::Record { up: 0, pointer: Pointer::key(name) };
    note_brackets(field.or(document), path, desk);
    match (field, document) {
        (None, None) => default,
        (Some(field), None) => desk.take(&format!("{path}.field"), Place::parse(field, at)).unwrap_or(default),
        (None, Some(text)) => desk.take(&format!("{path}.document"), Place::parse_document(text)).unwrap_or(default),
        (Some(_), Some(_)) => {
            desk.report(path, "has both field and document", "keep field (from the record) or document (from its top)");
            default
        }
    }
}

/// A key may hold brackets, so this is no mistake.
fn note_brackets(text: Option<&str>, path: &str, desk: &mut Desk) {
    if let Some(Bracketed { token, as_steps, .. }) = text.and_then(|text| text.split('/').find_map(Bracketed::of)) {
        desk.note(path, format!("reads the key `{token}`; an element of an array is written {as_steps}"));
    }
}

/// A time unit with the `format` and `zone` that it takes, and no others.
pub(super) fn time_unit(unit: Unit, format: Option<&str>, zone: Option<&str>, path: &str, desk: &mut Desk) -> TimeUnit {
    if format.is_some() && unit != Unit::Format {
        desk.report(&format!("{path}.format"), "is only read with unit: Format", "write unit: Format, or leave it out");
    }
    if zone.is_some() && !matches!(unit, Unit::Format | Unit::Iso8601) {
        let remedy = "leave it out: numbers count from the epoch, UTC";
        desk.report(&format!("{path}.zone"), "is only read with unit: Iso8601 or Format", remedy);
    }
    let zone_path = format!("{path}.zone");
    let zone = zone.filter(|name| desk.take(&zone_path, instant::zone(name)).is_some()).map(str::to_owned);
    match unit {
        Unit::Seconds => TimeUnit::Seconds,
        Unit::Millis => TimeUnit::Millis,
        Unit::Micros => TimeUnit::Micros,
        Unit::Nanos => TimeUnit::Nanos,
        Unit::Iso8601 => TimeUnit::Iso8601 { zone },
        Unit::Format => formatted(format, zone, path, desk),
    }
}

fn formatted(format: Option<&str>, zone: Option<String>, path: &str, desk: &mut Desk) -> TimeUnit {
    let format_path = format!("{path}.format");
    let Some(format) = format else {
        let remedy = "write strptime fields such as \"%Y-%m-%d %H:%M:%S%.f\"";
        desk.report(&format_path, "is missing: unit: Format needs it", remedy);
        return TimeUnit::Iso8601 { zone };
    };
    let unit = TimeUnit::Format { format: format.to_owned(), zone: None };
    if desk.take(&format_path, InstantReader::new(&unit)).is_some() {
        match (instant::says_offset(format), &zone) {
            (true, Some(_)) => {
                desk.report(&format!("{path}.zone"), "has no effect: the format says the offset", "leave it out");
            }
            (false, None) => {
                let remedy = "write zone: UTC (or another IANA zone), or read the offset with %z";
                desk.report(&format!("{path}.zone"), "is missing: the format says no offset", remedy);
            }
            _ => {}
        }
    }
    TimeUnit::Format { format: format.to_owned(), zone }
}
