//! Window words: which columns, which statistics, and whether they fit.

use super::desk::Desk;
use crate::archive::{Archive, Column, ColumnKind};
use crate::pattern::glob;
use crate::pipeline::{self, Derive, Event, Feature, Join, Requires, Rows, Source, Window};
use crate::spec::{FeatureSpec, Over, RequiresSpec, Statistic, WindowSpec};
use crate::time::{SECOND_NS, words};

/// What a window can look at.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) archive: &'a Archive,
    /// `None` when they have a mistake: then any signal may be theirs.
    pub(super) rows: Option<&'a Rows>,
    /// `None` in the place of one with a mistake.
    pub(super) joins: &'a [Option<Join>],
    pub(super) derives: &'a [Derive],
    pub(super) events: &'a [Event],
}

use Statistic::{Changes, Count, First, FractionTrue, Last, TimeSinceChange};
/// What can be said about words and truth values; `FractionTrue` only about the latter.
const STATES: [Statistic; 6] = [Count, First, Last, FractionTrue, Changes, TimeSinceChange];

/// All windows, ready.
pub(super) fn check_all(windows: &[WindowSpec], scene: &Scene, desk: &mut Desk) -> Vec<Window> {
    windows
        .iter()
        .enumerate()
        .map(|(index, words)| check(words, scene, &format!("spec.windows[{index}]"), desk))
        .collect()
}

fn check(words: &WindowSpec, scene: &Scene, path: &str, desk: &mut Desk) -> Window {
    let over = words.over.unwrap_or(Over::Rows);
    if words.features.is_empty() && words.excludes.is_empty() {
        let remedy = "write at least one, such as {columns: [\"current.*\"], statistics: [mean, std]}";
        desk.report(&format!("{path}.features"), "is empty", remedy);
    }
    let mut features = Vec::new();
    for (index, feature) in words.features.iter().enumerate() {
        features.extend(check_feature(feature, over, scene, &format!("{path}.features[{index}]"), desk));
    }
    let suffix = words.suffix.clone().unwrap_or_else(|| words.span.clone());
    if words.suffix.is_some() && !suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        desk.report(&format!("{path}.suffix"), format!("is {suffix:?}"), "write letters, digits and _ only, or \"\"");
    }
    let events: Vec<&str> = scene.events.iter().map(|event| event.name.as_str()).collect();
    let mut excludes = Vec::new();
    for (at, name) in words.excludes.iter().enumerate() {
        let path = format!("{path}.excludes[{at}]");
        match desk.find(&path, "event in events", name, &events) {
            Some(event) if excludes.contains(&event) => {
                desk.report(&path, format!("is {name}, written twice"), "keep one of them");
            }
            event => excludes.extend(event),
        }
    }
    Window {
        span_ns: desk.positive_duration(&format!("{path}.span"), Some(&words.span), SECOND_NS),
        over,
        requires: words.requires.as_ref().map(|requires| check_requires(requires, words, path, desk)),
        features,
        excludes,
        suffix,
    }
}

fn check_requires(requires: &RequiresSpec, window: &WindowSpec, path: &str, desk: &mut Desk) -> Requires {
    let path = format!("{path}.requires");
    if requires.count.is_none() && requires.gap.is_none() {
        desk.report(&path, "asks for nothing", "write count, gap or both, or leave it out");
    }
    if window.features.is_empty() {
        desk.report(
            &path,
            "is judged on the columns of features, and there are none",
            "write features, or leave it out",
        );
    }
    if requires.count == Some(0) {
        desk.report(&format!("{path}.count"), "is 0: every window has that", "write 1 or more, or leave it out");
    }
    let gap_ns = requires.gap.as_ref().map(|gap| desk.positive_duration(&format!("{path}.gap"), Some(gap), SECOND_NS));
    if let (Some(gap_ns), Ok(span_ns)) = (gap_ns, words::duration_ns(&window.span))
        && gap_ns > span_ns
    {
        let what = format!("is longer than the window ({}): no hole is", window.span);
        desk.report(&format!("{path}.gap"), what, "write a shorter gap");
    }
    Requires { count: requires.count, gap_ns }
}

fn check_feature(words: &FeatureSpec, over: Over, scene: &Scene, path: &str, desk: &mut Desk) -> Vec<Feature> {
    if words.columns.is_empty() {
        desk.report(&format!("{path}.columns"), "is empty", "write columns such as current.j0 or \"current.*\"");
    }
    if words.statistics.is_empty() {
        desk.report(&format!("{path}.statistics"), "is empty", "write statistics such as mean, std, min, max");
    }
    let statistics = check_statistics(&words.statistics, path, desk);
    let mut sources = Vec::new();
    for (at, text) in words.columns.iter().enumerate() {
        sources.extend(resolve(text, over, scene, &format!("{path}.columns[{at}]"), desk));
    }
    check_fit(&words.statistics, &sources, scene, &format!("{path}.statistics"), desk);
    sources.retain(|source| is_seen(*source, over, scene));
    sources.into_iter().map(|column| Feature { column, statistics: statistics.clone() }).collect()
}

/// Each statistic once.
fn check_statistics(words: &[Statistic], path: &str, desk: &mut Desk) -> Vec<Statistic> {
    let (mut statistics, mut substitutes) = (Vec::new(), Vec::new());
    for (at, statistic) in words.iter().enumerate() {
        let path = format!("{path}.statistics[{at}]");
        if desk.is_substitute(&path) {
            substitutes.push(*statistic);
        } else if statistics.contains(statistic) {
            desk.report(&path, format!("is {}, written twice", statistic.word()), "keep one of them");
        } else {
            statistics.push(*statistic);
        }
    }
    substitutes.retain(|substitute| !statistics.contains(substitute));
    statistics.extend(substitutes);
    statistics
}

/// The values that `signal.column`, `signal.*` or a derived name mean.
fn resolve(text: &str, over: Over, scene: &Scene, path: &str, desk: &mut Desk) -> Vec<Source> {
    let Some((signal_name, pattern)) = text.split_once('.') else {
        return derived(text, over, scene, path, desk).into_iter().collect();
    };
    let signals: Vec<&str> = scene.archive.signals.iter().map(|signal| signal.name.as_str()).collect();
    let Some(signal) = desk.find(path, "signal in the archive", signal_name, &signals) else { return Vec::new() };
    let all = &scene.archive.signals[signal].columns;
    let Some(columns) = columns_of(signal, over, scene) else {
        let what = format!("is {text}, but {signal_name} is neither joined nor what the rows are");
        desk.report(
            path,
            what,
            format!("add {{signal: {signal_name}, tolerance: …}} under join, or write over: Observations"),
        );
        return Vec::new();
    };
    let source = |column: usize| Source::Signal { signal, column };
    if pattern.contains('*') {
        let found: Vec<Source> =
            columns.iter().filter(|column| glob(pattern, &all[**column].name)).map(|column| source(*column)).collect();
        if found.is_empty() {
            let names: Vec<&str> = columns.iter().map(|column| all[*column].name.as_str()).collect();
            let remedy = format!("its columns here are {}", names.join(", "));
            desk.report(path, format!("is {text}, which matches no column of {signal_name}"), remedy);
        }
        return found;
    }
    let names: Vec<&str> = all.iter().map(|column| column.name.as_str()).collect();
    let noun = format!("column of {signal_name}");
    let Some(column) = find_column(path, &noun, text, pattern, &names, desk) else { return Vec::new() };
    if !columns.contains(&column) {
        let remedy = format!("add {pattern} to the columns of that join");
        desk.report(path, format!("is {text}, but the join of {signal_name} leaves it out"), remedy);
    }
    vec![source(column)]
}

fn find_column(path: &str, noun: &str, text: &str, column: &str, names: &[&str], desk: &mut Desk) -> Option<usize> {
    let index = names.iter().position(|name| *name == column);
    if index.is_none() {
        let remedy = crate::name::suggest(column, names.iter().copied());
        desk.report(path, format!("is {text}, but there is no such {noun}"), remedy);
    }
    index
}

fn derived(text: &str, over: Over, scene: &Scene, path: &str, desk: &mut Desk) -> Option<Source> {
    if scene.archive.signal(text).is_some() {
        desk.report(path, format!("is {text}, a signal"), format!("write \"{text}.*\" for all its columns"));
        return None;
    }
    let names: Vec<&str> = scene.derives.iter().map(|derive| derive.name.as_str()).collect();
    if names.is_empty() && !text.is_empty() {
        let remedy = "write signal.column, \"signal.*\", or derive it";
        desk.report(path, format!("is {text}, but no column is derived"), remedy);
        return None;
    }
    let index = desk.find(path, "derived column (columns of signals are written signal.column)", text, &names)?;
    if over == Over::Observations {
        let what = format!("is {text}, which is derived from rows, but the window looks at observations");
        desk.report(path, what, "put it into a window with over: Rows");
    }
    Some(Source::Derived(index))
}

/// The columns of a signal that a window may be meant to see: those that it sees and, where a join has a mistake that
/// may be the one that brings the signal, all. `None` when it sees none.
fn columns_of(signal: usize, over: Over, scene: &Scene) -> Option<Vec<usize>> {
    let is_unclear = scene.joins.iter().any(Option::is_none);
    seen_columns(signal, over, scene).or_else(|| is_unclear.then(|| all_columns(signal, scene)))
}

/// The columns of a signal that a window sees: over rows those in the row, over observations all. `None` when over
/// rows the signal is not in the row.
fn seen_columns(signal: usize, over: Over, scene: &Scene) -> Option<Vec<usize>> {
    let Some(rows) = scene.rows else { return Some(all_columns(signal, scene)) };
    if over == Over::Observations || pipeline::row_signal(rows, scene.events) == Some(signal) {
        return Some(all_columns(signal, scene));
    }
    scene.joins.iter().flatten().find(|join| join.signal == signal).map(|join| join.columns.clone())
}

fn all_columns(signal: usize, scene: &Scene) -> Vec<usize> {
    (0..scene.archive.signals[signal].columns.len()).collect()
}

/// Whether a window sees it; where not, that has been told.
fn is_seen(source: Source, over: Over, scene: &Scene) -> bool {
    match source {
        Source::Signal { signal, column } => {
            seen_columns(signal, over, scene).is_some_and(|columns| columns.contains(&column))
        }
        Source::Derived(_) => true,
    }
}

/// One mistake for the statistics that do not fit the same columns. Derived columns are typed by the engine.
fn check_fit(statistics: &[Statistic], sources: &[Source], scene: &Scene, path: &str, desk: &mut Desk) {
    let column = |source: &Source| match source {
        Source::Signal { signal, column } => Some((*signal, &scene.archive.signals[*signal].columns[*column])),
        Source::Derived(_) => None,
    };
    let columns: Vec<(usize, &Column)> = sources.iter().filter_map(column).collect();
    let misfits = |statistic: Statistic| -> Vec<usize> {
        (0..columns.len()).filter(|at| !fits(statistic, &columns[*at].1.kind)).collect()
    };
    let mut told: Vec<Vec<usize>> = vec![Vec::new()];
    for (at, &statistic) in statistics.iter().enumerate() {
        let these = misfits(statistic);
        if told.contains(&these) {
            continue;
        }
        let is_first = |(place, other): &(usize, &Statistic)| !statistics[..*place].contains(other);
        let alike = statistics.iter().enumerate().filter(is_first).map(|(_, other)| *other);
        let alike: Vec<Statistic> = alike.filter(|&other| misfits(other) == these).collect();
        let (signal, first) = columns[these[0]];
        let name = format!("{}.{}", scene.archive.signals[signal].name, first.name);
        let more = if these.len() > 1 { format!(" (and {} more)", these.len() - 1) } else { String::new() };
        let (kind, remedy) = kind_and_remedy(&first.kind);
        let verbs = if alike.len() > 1 { ("are", "do") } else { ("is", "does") };
        let what = format!("{} {}, which {} not fit {name}{more}: it is {kind}", verbs.0, list(&alike), verbs.1);
        let path = if alike.len() > 1 { path.to_owned() } else { format!("{path}[{at}]") };
        desk.report(&path, what, remedy);
        told.push(these);
    }
}

fn kind_and_remedy(kind: &ColumnKind) -> (&'static str, String) {
    match kind {
        ColumnKind::Timestamp(_) => ("timestamp", "timestamps have no statistics: leave the column out".to_owned()),
        ColumnKind::Bool => ("bool", format!("write {}", list(&STATES))),
        ColumnKind::String => ("string", format!("write {}", list(&[Count, First, Last, Changes, TimeSinceChange]))),
        ColumnKind::Float64 | ColumnKind::Int64 => {
            ("a number", "write a statistic of numbers, such as mean".to_owned())
        }
    }
}

/// Whether a statistic can be computed of a column.
pub(super) fn fits(statistic: Statistic, kind: &ColumnKind) -> bool {
    match kind {
        ColumnKind::Float64 | ColumnKind::Int64 => !matches!(statistic, FractionTrue | Changes | TimeSinceChange),
        ColumnKind::Bool => STATES.contains(&statistic),
        ColumnKind::String => STATES.contains(&statistic) && statistic != FractionTrue,
        ColumnKind::Timestamp(_) => false,
    }
}

fn list(statistics: &[Statistic]) -> String {
    statistics.iter().map(|statistic| statistic.word()).collect::<Vec<_>>().join(", ")
}
