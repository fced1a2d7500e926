//! Pipeline words: references into the archive, rows, joins, derived columns; the rest is checked beside.

use super::desk::{Desk, entry};
use super::{event, feature, idle, label, result, rows, run};
use crate::archive::Archive;
use crate::columns::{Meaning, ResultColumn, result_columns};
use crate::pipeline::{Derive, Event, Join, Pipeline, RobotFilter, Rows};
use crate::read::Document;
use crate::spec::{DeriveSpec, Direction, JoinSpec, PipelineSpec, RobotsSpec};
use crate::time::{SECOND_NS, words};
use crate::{name, pipeline};
use std::collections::BTreeMap;

/// The pipeline, ready; `None` when its archive is not known or its rows are not clear.
pub(super) fn check(
    document: &Document,
    words: &PipelineSpec,
    archives: &[Archive],
    desk: &mut Desk,
) -> Option<Pipeline> {
    let name = document.metadata.name.clone();
    if !name::is_label(&name, name::PIPELINE_MAX) {
        let remedy =
            format!("write lower case letters, digits and -, at most {}, such as ur3-stops", name::PIPELINE_MAX);
        desk.report("metadata.name", format!("is {name:?}, which is no DNS label of that length"), remedy);
    }
    idle::check(words, desk);
    let spec = result::check(words, document.folder.as_deref(), desk);
    let robots = words.robots.as_ref().map(|robots| check_robots(robots, desk)).unwrap_or_default();
    let range = words.range.as_ref().and_then(|range| run::check_range(range, desk));
    // An archive without signals has its mistake; against it nothing can be checked.
    let archive = find_archive(&words.archive, archives, desk).filter(|archive| !archive.signals.is_empty())?;
    let events = event::check_all(&words.events, archive, desk);
    let rows = rows::check(&words.rows, archive, &events, desk);
    let joins = check_joins(&words.join, archive, rows.as_ref(), &events, desk);
    let derives = check_derives(&words.derive, archive, desk);
    if let Some(filter) = &words.filter {
        desk.filled("spec.where", filter, "write a condition over the row, or leave it out");
    }
    let scene = feature::Scene { archive, rows: rows.as_ref(), joins: &joins, derives: &derives, events: &events };
    let windows = feature::check_all(&words.windows, &scene, desk);
    let label = words.label.as_ref().and_then(|label| label::check(label, rows.as_ref(), &events, desk));
    let tolerate = result::check_tolerate(words.tolerate.as_ref(), archive, &joins, desk);
    let pipeline = Pipeline {
        name,
        archive: archive.clone(),
        robots,
        range,
        rows: rows?,
        events,
        joins: joins.into_iter().flatten().collect(),
        derives,
        filter: words.filter.clone(),
        windows,
        label,
        tolerate,
        shard_bytes: result::shard_bytes(words, desk),
        spec,
    };
    double_names(&pipeline, desk);
    result::check_drift(&pipeline, desk);
    label::note_own_signal(&pipeline, desk);
    Some(pipeline)
}

/// The archive of that name. Where only one can be meant, the other words are checked against it.
fn find_archive<'a>(wanted: &str, archives: &'a [Archive], desk: &mut Desk) -> Option<&'a Archive> {
    let names: Vec<&str> = archives.iter().map(|archive| archive.name.as_str()).collect();
    if archives.is_empty() {
        let what = format!("is {wanted}, but there is no Archive here");
        desk.report("spec.archive", what, "write the Archive into the same file, after a line ---");
        return None;
    }
    let index = desk.find_meant("spec.archive", "Archive here", wanted, &names);
    archives.get(index.or((archives.len() == 1).then_some(0))?)
}

fn check_robots(words: &RobotsSpec, desk: &mut Desk) -> RobotFilter {
    for (field, patterns) in [("include", &words.include), ("exclude", &words.exclude)] {
        for (index, pattern) in patterns.iter().enumerate() {
            let path = format!("spec.robots.{field}[{index}]");
            desk.filled(&path, pattern, "write a robot's name, with * for any characters");
            if pattern.contains(['[', ']', '?']) {
                desk.report(
                    &path,
                    format!("{pattern} has [, ] or ?, which stand for themselves"),
                    "* alone is a pattern",
                );
            }
        }
    }
    RobotFilter { include: words.include.clone(), exclude: words.exclude.clone() }
}

/// The joins, with what a mistake in one most probably means; `None` in the place of one that means nothing.
fn check_joins(
    joins: &[JoinSpec],
    archive: &Archive,
    rows: Option<&Rows>,
    events: &[Event],
    desk: &mut Desk,
) -> Vec<Option<Join>> {
    let own = rows.and_then(|rows| pipeline::row_signal(rows, events));
    let mut seen: Vec<&str> = Vec::new();
    let mut checked = Vec::new();
    for (index, words) in joins.iter().enumerate() {
        let path = format!("spec.join[{index}]");
        let mut join = check_join(words, archive, &path, desk);
        if seen.contains(&words.signal.as_str()) {
            desk.report(
                &format!("{path}.signal"),
                format!("is {}, which is joined already", words.signal),
                "join it once",
            );
            join = None;
        } else if join.as_ref().is_some_and(|join| Some(join.signal) == own) {
            let what = format!("is {}, whose observations are the rows", words.signal);
            desk.report(&format!("{path}.signal"), what, "leave it out: its columns are in the row already");
            join = None;
        }
        if words.direction == Some(Direction::Forward) && matches!(rows, Some(Rows::Event { .. })) {
            let text = "an event row sees nothing known at its time or later, so a Forward join never matches there";
            desk.note(&format!("{path}.direction"), text);
        }
        seen.push(&words.signal);
        checked.push(join);
    }
    checked
}

fn check_join(words: &JoinSpec, archive: &Archive, path: &str, desk: &mut Desk) -> Option<Join> {
    let tolerance_ns = desk.take(&format!("{path}.tolerance"), words::duration_ns(&words.tolerance));
    let signals: Vec<&str> = archive.signals.iter().map(|signal| signal.name.as_str()).collect();
    let index = desk.find_meant(&format!("{path}.signal"), "signal in the archive", &words.signal, &signals)?;
    let signal = &archive.signals[index];
    let known: Vec<&str> = signal.columns.iter().map(|column| column.name.as_str()).collect();
    let mut columns: Vec<usize> = match &words.columns {
        None => (0..known.len()).collect(),
        Some(names) => {
            let noun = format!("column of {}", signal.name);
            let path = |at: usize| format!("{path}.columns[{at}]");
            names.iter().enumerate().filter_map(|(at, name)| desk.find(&path(at), &noun, name, &known)).collect()
        }
    };
    let written = words.columns.as_ref().map_or(columns.len(), Vec::len);
    columns.sort_unstable();
    columns.dedup();
    if words.columns.as_ref().is_some_and(Vec::is_empty) {
        desk.report(&format!("{path}.columns"), "is empty", "write the columns wanted, or leave it out for all");
    } else if let Some(names) = &words.columns
        && let Some(twice) = (1..written).find(|at| names[..*at].contains(&names[*at]))
    {
        desk.report(
            &format!("{path}.columns[{twice}]"),
            format!("is {}, written twice", names[twice]),
            "keep one of them",
        );
    }
    let direction = words.direction.unwrap_or(Direction::Nearest);
    Some(Join { signal: index, direction, tolerance_ns: tolerance_ns.unwrap_or(SECOND_NS), columns })
}

fn check_derives(derives: &[DeriveSpec], archive: &Archive, desk: &mut Desk) -> Vec<Derive> {
    desk.identifiers("spec.derive", "derived column", derives.iter().map(|derive| derive.name.as_str()));
    for (index, words) in derives.iter().enumerate() {
        let path = entry("spec.derive", index, &words.name);
        if archive.signal(&words.name).is_some() {
            let what = format!("is {}, the name of a signal too", words.name);
            desk.report(&format!("{path}.name"), what, "give it another name: expressions would mean either");
        }
        desk.filled(&format!("{path}.expression"), &words.expression, "write an expression such as abs(current.j0)");
    }
    derives.iter().map(|words| Derive { name: words.name.clone(), expression: words.expression.clone() }).collect()
}

/// Column names are compared without case, as Delta Lake does.
fn double_names(pipeline: &Pipeline, desk: &mut Desk) {
    let mut seen: BTreeMap<String, ResultColumn> = BTreeMap::new();
    for column in result_columns(pipeline) {
        let Some(first) = seen.insert(column.name.to_lowercase(), column.clone()) else { continue };
        // Two features of columns whose own names clash already, or two derived columns of one name: told before.
        let told = match (first.meaning, column.meaning) {
            (Meaning::Derived(_), Meaning::Derived(_)) => true,
            (Meaning::Feature { .. }, Meaning::Feature { .. }) => first.name != column.name,
            _ => false,
        };
        let (second, first_path) = (origin(pipeline, column.meaning), origin(pipeline, first.meaning));
        match (second, first_path) {
            _ if told => {}
            (Some((path, remedy)), None) | (None, Some((path, remedy))) => {
                desk.report(&path, format!("makes the column {}, which every result has", first.name), remedy);
            }
            (Some((path, remedy)), Some((other, _))) if first.name == column.name => {
                let what = format!("makes the result column {} a second time (first: {other})", column.name);
                desk.report(&path, what, remedy);
            }
            (Some((path, remedy)), Some(_)) => {
                let what =
                    format!("makes the result column {}, which differs from {} only in case", column.name, first.name);
                desk.report(&path, what, remedy);
            }
            (None, None) => {}
        }
    }
}

/// Where the words ask for a column, and how to get another name; `None` for columns that every result has.
fn origin(pipeline: &Pipeline, meaning: Meaning) -> Option<(String, String)> {
    match meaning {
        Meaning::Own { .. } => Some(("spec.rows".into(), "give the signal or its column another name".into())),
        Meaning::Joined { join, .. } | Meaning::JoinDt { join } => {
            let remedy = "give the signal or its column another name, or leave the column out";
            Some((format!("spec.join[{join}]"), remedy.into()))
        }
        Meaning::Derived(index) => {
            let path = entry("spec.derive", index, &pipeline.derives[index].name);
            Some((format!("{path}.name"), "give the derived column another name".into()))
        }
        Meaning::Feature { window, .. } => {
            let remedy = "write each statistic of a column once, or give the window a suffix of its own";
            Some((format!("spec.windows[{window}]"), remedy.into()))
        }
        _ => None,
    }
}
