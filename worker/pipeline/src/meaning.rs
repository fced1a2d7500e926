//! What touches rows: the words of an Archive and a Pipeline in one canonical form, for shard keys and for saying what
//! changed.
//!
//! Made from what is checked, so defaults are resolved and references are names: writing a default out, reordering what
//! has no order, or a comment changes nothing. Left out, for rows do not depend on them: names of the documents, URLs
//! and credentials, the range (a shard is never cut by it), shards, workers, schedule, tolerate, retention.

use crate::archive::{Archive, Clock, Column, ColumnKind, Signal, TextRule, TimeUnit};
use crate::pipeline::{Join, Pipeline, Rows, Source, Window};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The canonical form. Equal meanings have equal text (`to_string`); durations are ns under the words' own names.
pub fn meaning(pipeline: &Pipeline) -> Value {
    json!({ "archive": archive(&pipeline.archive), "pipeline": words(pipeline) })
}

/// The fields in which two meanings differ, such as `archive.signals[current].columns[j0].scale`; empty when equal.
pub fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    compare("", old, new, &mut paths);
    paths
}

fn archive(archive: &Archive) -> Value {
    json!({
        "objects": archive.objects.text,
        "members": archive.members.as_ref().map(|members| &members.text),
        "format": archive.format,
        "lateness": archive.lateness_ns,
        "covers": archive.covers_ns,
        "robot": {
            "capture": archive.robot.capture,
            "document": archive.robot.document.as_ref().map(ToString::to_string),
            "onConflict": archive.robot.on_conflict,
        },
        "limits": {
            "memberBytes": archive.limits.member_bytes_max,
            "depth": archive.limits.depth_max,
            "recordsPerMember": archive.limits.records_max,
        },
        "signals": list(&archive.signals, signal),
    })
}

fn signal(signal: &Signal) -> Value {
    let mut matches: Vec<Value> =
        signal.matches.iter().map(|(place, text)| json!({"name": place.to_string(), "text": text})).collect();
    matches.sort_by_key(Value::to_string);
    json!({
        "name": signal.name,
        "at": signal.at.to_string(),
        "match": matches,
        "times": list(&signal.clocks, clock),
        "clock": signal.clocks.get(signal.join_clock).map(|clock| &clock.name),
        "known": signal.known_clock.and_then(|known| signal.clocks.get(known)).map(|clock| &clock.name),
        "columns": list(&signal.columns, column),
        "duplicates": signal.duplicates,
    })
}

fn clock(clock: &Clock) -> Value {
    json!({"name": clock.name, "field": clock.place.to_string(), "unit": time_unit(&clock.unit)})
}

fn column(column: &Column) -> Value {
    let (kind, written) = match &column.kind {
        ColumnKind::Float64 => ("float64", Value::Null),
        ColumnKind::Int64 => ("int64", Value::Null),
        ColumnKind::Bool => ("bool", Value::Null),
        ColumnKind::String => ("string", Value::Null),
        ColumnKind::Timestamp(unit) => ("timestamp", time_unit(unit)),
    };
    let mut nulls = column.nulls.clone();
    nulls.sort_unstable();
    nulls.dedup();
    json!({
        "name": column.name,
        "field": column.place.to_string(),
        "type": kind,
        "written": written,
        "unit": column.unit,
        // As text: a number may change its last bit when JSON is read back. Adding zero makes -0 plain.
        "scale": (column.scale + 0.0).to_string(),
        "offset": (column.offset + 0.0).to_string(),
        "text": column.text == TextRule::Number,
        "nulls": nulls,
        "infinite": column.infinite,
        "onMismatch": column.on_mismatch,
    })
}

fn time_unit(unit: &TimeUnit) -> Value {
    match unit {
        TimeUnit::Seconds => "s".into(),
        TimeUnit::Millis => "ms".into(),
        TimeUnit::Micros => "us".into(),
        TimeUnit::Nanos => "ns".into(),
        TimeUnit::Iso8601 { zone } => json!({"unit": "Iso8601", "zone": zone}),
        TimeUnit::Format { format, zone } => json!({"unit": "Format", "format": format, "zone": zone}),
    }
}

fn words(pipeline: &Pipeline) -> Value {
    let signal = |index: usize| &pipeline.archive.signals[index].name;
    let event = |index: usize| &pipeline.events[index].name;
    let sorted = |patterns: &[String]| {
        let mut patterns = patterns.to_vec();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    };
    json!({
        "robots": {"include": sorted(&pipeline.robots.include), "exclude": sorted(&pipeline.robots.exclude)},
        "rows": rows(pipeline),
        "events": list(&pipeline.events, |event| json!({
            "name": event.name,
            "signal": signal(event.signal),
            "when": event.when,
            "edge": event.edge,
            "refractory": event.refractory_ns,
            "memory": event.memory_ns,
        })),
        "join": list(&pipeline.joins, |join| self::join(pipeline, join)),
        "derive": list(&pipeline.derives, |derive| json!({"name": derive.name, "expression": derive.expression})),
        "where": pipeline.filter,
        "windows": list(&pipeline.windows, |window| self::window(pipeline, window)),
        "label": pipeline.label.as_ref().map(|label| json!({
            "event": event(label.event),
            "horizon": label.horizon_ns,
            "lead": label.lead_ns,
        })),
        "result": {"invalid": pipeline.invalid()},
    })
}

fn rows(pipeline: &Pipeline) -> Value {
    let signal = |index: usize| &pipeline.archive.signals[index].name;
    match &pipeline.rows {
        Rows::Signal { signal: index } => json!({"signal": signal(*index)}),
        Rows::Grid { every_ns, during, alive_ns } => {
            json!({"every": every_ns, "during": during.map(signal), "alive": alive_ns})
        }
        Rows::Event { event, controls } => json!({
            "event": pipeline.events[*event].name,
            "controls": controls.as_ref().map(|controls| json!({
                "perEvent": controls.per_event,
                "apart": controls.apart_ns,
                "within": controls.within_ns,
                "seed": controls.seed,
            })),
        }),
    }
}

fn join(pipeline: &Pipeline, join: &Join) -> Value {
    let signal = &pipeline.archive.signals[join.signal];
    json!({
        "name": signal.name,
        "direction": join.direction,
        "tolerance": join.tolerance_ns,
        "columns": list(&join.columns, |column| json!(signal.columns[*column].name)),
    })
}

fn window(pipeline: &Pipeline, window: &Window) -> Value {
    let source = |source: Source| match source {
        Source::Signal { signal, column } => {
            let signal = &pipeline.archive.signals[signal];
            format!("{}.{}", signal.name, signal.columns[column].name)
        }
        Source::Derived(index) => pipeline.derives[index].name.clone(),
    };
    let mut excludes: Vec<&str> = window.excludes.iter().map(|event| pipeline.events[*event].name.as_str()).collect();
    excludes.sort_unstable();
    json!({
        "span": window.span_ns,
        "over": window.over,
        "features": list(&window.features, |feature| json!({
            "column": source(feature.column),
            "statistics": list(&feature.statistics, |statistic| json!(statistic.word())),
        })),
        "requires": window.requires.map(|requires| json!({"count": requires.count, "gap": requires.gap_ns})),
        "excludes": excludes,
        "suffix": window.suffix,
    })
}

fn list<T, V: Serialize>(items: &[T], form: impl Fn(&T) -> V) -> Value {
    items.iter().map(|item| json!(form(item))).collect()
}

fn compare(path: &str, old: &Value, new: &Value, paths: &mut Vec<String>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) => compare_fields(path, old, new, paths),
        (Value::Array(old), Value::Array(new)) => compare_lists(path, old, new, paths),
        _ => paths.push(path.to_owned()),
    }
}

fn compare_fields(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, paths: &mut Vec<String>) {
    let added = new.keys().filter(|field| !old.contains_key(*field));
    for field in old.keys().chain(added) {
        let place = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
        compare(&place, old.get(field).unwrap_or(&Value::Null), new.get(field).unwrap_or(&Value::Null), paths);
    }
}

/// Named entries are compared by name; that their order differs is told only when nothing else does.
fn compare_lists(path: &str, old: &[Value], new: &[Value], paths: &mut Vec<String>) {
    let names =
        |list: &[Value]| list.iter().map(|item| item["name"].as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let (Some(old_names), Some(new_names)) = (names(old), names(new)) else {
        if old.len() != new.len() {
            return paths.push(path.to_owned());
        }
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            compare(&format!("{path}[{index}]"), old, new, paths);
        }
        return;
    };
    let before = paths.len();
    for (name, item) in old_names.iter().zip(old) {
        let place = format!("{path}[{name}]");
        match new_names.iter().position(|other| other == name) {
            Some(index) => compare(&place, item, &new[index], paths),
            None => paths.push(place),
        }
    }
    paths.extend(new_names.iter().filter(|name| !old_names.contains(name)).map(|name| format!("{path}[{name}]")));
    if paths.len() == before {
        paths.push(path.to_owned());
    }
}
