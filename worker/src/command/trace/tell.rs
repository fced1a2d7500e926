//! From a trace to what is told of it: positions become observations with their place, meanings become names.

use super::focus::Focus;
use super::told::{
    Base, Cause, Derived, Difference, Feature, Label, Line, Match, Observation, Onset, Place, Row, Rule, Statistic,
    Told, Validity, Window,
};
use crate::command::show::values::value;
use crate::fault::Result;
use crate::trace::{Asked, Traced, TracedRow, TracedShard};
use crate::work::Work;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use engine::trace::{self, Found, Observed, WindowCause};
use engine::window::End;
use pipeline::columns::{Meaning, ResultColumn, result_columns};
use pipeline::pipeline::{Pipeline, Source};
use pipeline::spec::Over;
use pipeline::time::words::duration_text;
use pipeline::time::{MICRO_NS, display};
use serde_json::{Map, Value};

/// Columns of a signal's observations before its own: time and known time.
const CLOCKS: usize = 2;

/// Everything that is told of some rows.
pub(super) fn tell(work: &Work, traced: &Traced, asked: &Asked, focus: &Focus) -> Result<Told> {
    let pipeline = work.pipeline();
    let columns = result_columns(pipeline);
    let mut rows = Vec::new();
    for shard in &traced.shards {
        for row in &shard.rows {
            rows.push(Teller { pipeline, columns: &columns, focus, shard, row }.row()?);
        }
    }
    let extra_rows = traced.shards.iter().map(|shard| shard.extra).sum();
    Ok(Told {
        table: work.result.to_string(),
        version: traced.version,
        robot: asked.robot.clone(),
        time: display(asked.time_us.saturating_mul(MICRO_NS)),
        equal: extra_rows == 0 && rows.iter().all(|row| row.equal),
        rows,
        extra_rows,
    })
}

/// Tells of one row.
struct Teller<'a> {
    pipeline: &'a Pipeline,
    columns: &'a [ResultColumn],
    focus: &'a Focus,
    shard: &'a TracedShard,
    row: &'a TracedRow,
}

impl Teller<'_> {
    fn row(&self) -> Result<Row> {
        let published = &self.row.published;
        let schema = published.schema();
        let mut shown = Map::new();
        for (field, column) in schema.fields().iter().zip(published.columns()) {
            if self.focus.column(field.name()) {
                shown.insert(field.name().clone(), value(column, 0)?);
            }
        }
        let cause = self.row.again.as_ref().map(|(_, cause)| self.cause(cause)).transpose()?;
        let differences = self.differences()?;
        let alone = |feature: &Feature| feature.statistics.iter().all(|statistic| statistic.equal);
        let windows = cause.iter().flat_map(|cause| &cause.windows).flat_map(|window| &window.features);
        Ok(Row {
            shard: self.shard.key.clone(),
            plan: self.shard.plan.clone(),
            source: self.shard.source.clone(),
            equal: self.row.again.is_some() && differences.is_empty() && windows.into_iter().all(alone),
            resized: self.shard.resized.clone(),
            published: shown,
            differences,
            cause,
        })
    }

    fn differences(&self) -> Result<Vec<Difference>> {
        let schema = self.row.published.schema();
        let mut differences = Vec::new();
        for column in self.row.differences() {
            let name = schema.field(column).name();
            let again = self.row.again.as_ref().and_then(|(again, _)| again.column_by_name(name));
            differences.push(Difference {
                column: name.clone(),
                published: value(self.row.published.column(column), 0)?,
                recomputed: again.map_or(Ok(Value::Null), |again| value(again, 0))?,
            });
        }
        Ok(differences)
    }

    /// The published value of the column with that meaning.
    fn published(&self, meaning: Meaning) -> Result<Value> {
        let column = self.columns.iter().find(|column| column.meaning == meaning);
        let column = column.and_then(|column| self.row.published.column_by_name(&column.name));
        column.map_or(Ok(Value::Null), |column| value(column, 0))
    }

    fn cause(&self, cause: &trace::Cause) -> Result<Cause> {
        let some = |holds: bool| if holds { Some(()) } else { None };
        Ok(Cause {
            time_ns: cause.time_ns,
            known_at: display(cause.known_at_ns),
            known_by: self.known_by(cause),
            base: some(self.focus.base()).map(|()| self.base(cause)).transpose()?,
            matches: self.matches(cause)?,
            derived: self.derived(cause)?,
            windows: self.windows(cause)?,
            label: some(self.focus.label()).map_or(Ok(None), |()| self.label(cause))?,
            validity: some(self.focus.validity()).map(|()| self.validity(cause)).transpose()?,
        })
    }

    /// What was known last: it decides `known_at`.
    fn known_by(&self, cause: &trace::Cause) -> Vec<String> {
        let mut by = Vec::new();
        let known = |observed: &Observed| self.clocks(*observed).is_some_and(|(_, known)| known == cause.known_at_ns);
        match &cause.base {
            trace::Base::Observation(observed) if known(observed) => {
                by.push(format!("the row's own {}", self.signal(observed.signal)));
            }
            trace::Base::Observation(_) => {}
            _ if cause.time_ns == cause.known_at_ns => by.push("the row's time".to_owned()),
            _ => {}
        }
        let matches = cause.matches.iter().filter_map(|found| found.found).filter(known);
        by.extend(matches.map(|observed| format!("the match of {}", self.signal(observed.signal))));
        for (index, window) in cause.windows.iter().enumerate() {
            let is_last = |feature: &trace::FeatureCause| {
                let known = window.frames[feature.frame].known_ns.iter().enumerate();
                known.into_iter().any(|(at, known)| *known == cause.known_at_ns && feature.values.is_valid(at))
            };
            if by.is_empty() && window.features.iter().any(is_last) {
                by.push(format!("a value of the window of {}", duration_text(self.pipeline.windows[index].span_ns)));
            }
        }
        by
    }

    fn base(&self, cause: &trace::Cause) -> Result<Base> {
        let times = |times: &[i64]| times.iter().map(|time| display(*time)).collect::<Vec<_>>().join(", ");
        let (kind, why, observed) = match &cause.base {
            trace::Base::Observation(at) => {
                ("observation", format!("an observation of {}", self.signal(at.signal)), vec![*at])
            }
            trace::Base::Point(alive) => {
                ("point", "a point of the grid, which these observations keep alive".to_owned(), alive.clone())
            }
            trace::Base::Onset(at) => ("event", "a kept onset".to_owned(), vec![*at]),
            trace::Base::Control { at, onsets_ns } => {
                ("control", format!("a control, drawn for the onsets at {}", times(onsets_ns)), vec![*at])
            }
        };
        let observations = observed.into_iter().filter_map(|at| self.observation(at, None).transpose());
        Ok(Base { kind, why, observations: observations.collect::<Result<_>>()? })
    }

    fn matches(&self, cause: &trace::Cause) -> Result<Vec<Match>> {
        let mut matches = Vec::new();
        for (index, (join, found)) in self.pipeline.joins.iter().zip(&cause.matches).enumerate() {
            if !self.focus.join(index) {
                continue;
            }
            let clocks = found.found.and_then(|observed| self.clocks(observed));
            matches.push(Match {
                signal: self.signal(join.signal).to_owned(),
                direction: format!("{:?}", found.direction),
                tolerance: duration_text(join.tolerance_ns),
                dt_ns: clocks.map(|(time, _)| time.saturating_sub(cause.time_ns)),
                found: found.found.map_or(Ok(None), |observed| self.observation(observed, Some(&join.columns)))?,
            });
        }
        Ok(matches)
    }

    fn derived(&self, cause: &trace::Cause) -> Result<Vec<Derived>> {
        let mut all = Vec::new();
        for (index, (words, derived)) in self.pipeline.derives.iter().zip(&cause.derived).enumerate() {
            if !self.focus.derived(index) {
                continue;
            }
            let mut inputs = Map::new();
            for (name, column) in &derived.inputs {
                inputs.insert(name.clone(), value(column, 0)?);
            }
            all.push(Derived {
                column: words.name.clone(),
                expression: words.expression.clone(),
                published: self.published(Meaning::Derived(index))?,
                inputs,
                from: self.places(&derived.from),
            });
        }
        Ok(all)
    }

    fn windows(&self, cause: &trace::Cause) -> Result<Vec<Window>> {
        let mut windows = Vec::new();
        for (index, (words, window)) in self.pipeline.windows.iter().zip(&cause.windows).enumerate() {
            let mut features = Vec::new();
            for feature in 0..window.features.len() {
                features.extend(self.feature((index, feature), window)?);
            }
            if !features.is_empty() {
                windows.push(Window {
                    span: duration_text(words.span_ns),
                    over: over(words.over).to_owned(),
                    interval: interval(cause.time_ns, window),
                    features,
                });
            }
        }
        Ok(windows)
    }

    /// A feature with its values; `None`: none of its statistics is asked for.
    fn feature(&self, (window, index): (usize, usize), cause: &WindowCause) -> Result<Option<Feature>> {
        let words = &self.pipeline.windows[window].features[index];
        let feature = &cause.features[index];
        let mut statistics = Vec::new();
        for (place, alone) in feature.statistics.iter().enumerate() {
            if self.focus.statistic(window, index, place) {
                let meaning = Meaning::Feature { window, feature: index, statistic: place };
                statistics.extend(self.statistic(meaning, alone)?);
            }
        }
        if statistics.is_empty() {
            return Ok(None);
        }
        let frame = &cause.frames[feature.frame];
        let mut values = Vec::new();
        for (at, time) in frame.times_ns.iter().enumerate() {
            values.push(Line {
                time: display(*time),
                time_ns: *time,
                value: value(&feature.values, at)?,
                seen: frame.seen[at],
                from: self.places(&feature.from[at]),
            });
        }
        let column = match words.column {
            Source::Derived(index) => self.pipeline.derives[index].name.clone(),
            Source::Signal { signal, column } => {
                let signal = &self.pipeline.archive.signals[signal];
                format!("{}.{}", signal.name, signal.columns[column].name)
            }
        };
        Ok(Some(Feature { column, statistics, values }))
    }

    fn statistic(&self, meaning: Meaning, alone: &arrow::array::ArrayRef) -> Result<Option<Statistic>> {
        let Some(column) = self.columns.iter().find(|column| column.meaning == meaning) else { return Ok(None) };
        let published = self.row.published.column_by_name(&column.name);
        Ok(Some(Statistic {
            column: column.name.clone(),
            published: published.map_or(Ok(Value::Null), |published| value(published, 0))?,
            recomputed: value(alone, 0)?,
            equal: published.is_some_and(|published| published.to_data() == alone.to_data()),
        }))
    }

    fn label(&self, cause: &trace::Cause) -> Result<Option<Label>> {
        let Some(words) = &self.pipeline.label else { return Ok(None) };
        let published = self.published(Meaning::Label)?;
        let event = &self.pipeline.events[words.event];
        let Some(label) = &cause.label else {
            let why = "event rows are true, control rows false".to_owned();
            return Ok(Some(Label {
                event: event.name.clone(),
                published,
                interval: None,
                onsets: Vec::new(),
                looked_before: None,
                looked_after: None,
                why,
            }));
        };
        let onsets = label.onsets.iter().map(|onset| Onset {
            time: display(onset.time_ns),
            kept: onset.kept,
            from: self.place(Observed { signal: event.signal, position: onset.observation }),
        });
        let why = match &published {
            Value::Bool(true) => "a kept onset lies in the interval",
            Value::Bool(false) => "no kept onset lies in the interval, and its end was looked at",
            _ => "no kept onset lies in the interval, and nobody looked at its end",
        };
        Ok(Some(Label {
            event: event.name.clone(),
            interval: Some(format!("({}, {}]", display(label.after_ns), display(label.to_ns))),
            onsets: onsets.collect(),
            looked_before: label.looked_before_ns.map(display),
            looked_after: label.looked_after_ns.map(display),
            why: why.to_owned(),
            published,
        }))
    }

    fn validity(&self, cause: &trace::Cause) -> Result<Validity> {
        let rule = |judgement: &trace::Judgement| Rule {
            reason: judgement.reason.word(),
            holds: judgement.holds,
            window: judgement.window.map(|window| duration_text(self.pipeline.windows[window].span_ns)),
            of: judgement.of.clone(),
            found: found(&judgement.found),
        };
        Ok(Validity {
            valid: self.published(Meaning::Valid)?,
            reason: self.published(Meaning::InvalidReason)?,
            rules: cause.judgements.iter().map(rule).collect(),
        })
    }

    fn signal(&self, signal: usize) -> &str {
        &self.pipeline.archive.signals[signal].name
    }

    /// Time and known time of an observation, ns.
    fn clocks(&self, observed: Observed) -> Option<(i64, i64)> {
        let batch = self.shard.observations(observed.signal)?;
        let clock =
            |column: usize| Some(batch.column(column).as_primitive_opt::<Int64Type>()?.value(observed.position));
        Some((clock(0)?, clock(1)?))
    }

    /// An observation with the values of some of its columns; `None`: of all.
    fn observation(&self, observed: Observed, columns: Option<&[usize]>) -> Result<Option<Observation>> {
        let (Some(batch), Some((time, known))) = (self.shard.observations(observed.signal), self.clocks(observed))
        else {
            return Ok(None);
        };
        Ok(Some(Observation {
            place: self.place(observed),
            time: display(time),
            time_ns: time,
            known: display(known),
            values: self.values(batch, observed, columns)?,
        }))
    }

    fn values(&self, batch: &RecordBatch, observed: Observed, columns: Option<&[usize]>) -> Result<Map<String, Value>> {
        let mut values = Map::new();
        for (index, column) in self.pipeline.archive.signals[observed.signal].columns.iter().enumerate() {
            if columns.is_none_or(|columns| columns.contains(&index)) {
                values.insert(column.name.clone(), value(batch.column(CLOCKS + index), observed.position)?);
            }
        }
        Ok(values)
    }

    fn places(&self, observed: &[Observed]) -> Vec<Place> {
        observed.iter().filter_map(|observed| self.place(*observed)).collect()
    }

    fn place(&self, observed: Observed) -> Option<Place> {
        let place = self.shard.place(observed.signal, observed.position)?;
        Some(Place {
            signal: self.signal(observed.signal).to_owned(),
            object: place.object.to_owned(),
            version: place.version.map(str::to_owned),
            member: place.member.to_owned(),
            record: place.record,
        })
    }
}

fn over(over: Over) -> &'static str {
    match over {
        Over::Rows => "rows",
        Over::Observations => "observations",
    }
}

/// `(from, to]` at rows, `[from, to)` before event and control rows.
fn interval(time_ns: i64, window: &WindowCause) -> String {
    let (from, to) = (display(time_ns.saturating_sub(window.window.span_ns)), display(time_ns));
    match window.window.end {
        End::AtRow => format!("({from}, {to}]"),
        End::BeforeRow => format!("[{from}, {to})"),
    }
}

fn found(found: &Found) -> String {
    match found {
        Found::Count { count, least } => format!("{count} values, at least {least} wanted"),
        Found::Hole { from_ns, to_ns, most_ns } => {
            let longest = duration_text(to_ns.saturating_sub(*from_ns));
            let (from, to, most) = (display(*from_ns), display(*to_ns), duration_text(*most_ns));
            format!("longest hole {longest} from {from} to {to}, at most {most} allowed")
        }
        Found::Onsets(onsets) if onsets.is_empty() => "no onset".to_owned(),
        Found::Onsets(onsets) => {
            let times: Vec<String> = onsets.iter().map(|time| display(*time)).collect();
            format!("onsets at {}", times.join(", "))
        }
    }
}
