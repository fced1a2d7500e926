//! A pipeline made ready to compute: expressions typed, places resolved, the result's schema known.
//!
//! What needs SQL is checked here, everything else by [`pipeline::check`]; all mistakes are reported at once.

use crate::expression::{Expression, Purpose, Refusal, Scope, Sql};
use crate::operator::{
    Appended, Derived, FeatureRule, FrameRule, Layout, Output, Rules, WindowRule, feature_type, observations_schema,
    observations_scope,
};
use crate::schema::{arrow_type, result_schema, time_type};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::execution::TaskContext;
use pipeline::columns::{Meaning, result_columns};
use pipeline::mistake::{Mistake, Note};
use pipeline::pipeline::{Pipeline, Source, Window};
use pipeline::spec::{Invalid, Over};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// A pipeline ready to compute. Cheap to clone, shared by threads.
#[derive(Clone)]
pub struct Compiled {
    pub(crate) rules: Arc<Rules>,
    pub(crate) context: Arc<TaskContext>,
    notes: Arc<[Note]>,
}

impl Compiled {
    /// The result's schema: `robot`, `date`, `time` … `invalid_reason`. Times are µs UTC; a column with a unit of measure has
    /// it as field metadata `unit`.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.rules.schema)
    }

    /// What is no mistake in its expressions but worth knowing.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What was compiled.
    pub fn pipeline(&self) -> &Pipeline {
        &self.rules.pipeline
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("pipeline", &self.rules.pipeline.name).finish_non_exhaustive()
    }
}

/// Types every expression of a checked pipeline.
///
/// # Errors
/// Every mistake in an expression, with its YAML path (`spec.derive[effort].expression`) and its place in the text, and every
/// feature whose statistics do not fit the type of a derived column.
pub fn compile(pipeline: &Pipeline) -> Result<Compiled, Vec<Mistake>> {
    let mut bench = Bench { pipeline, sql: Sql::new(), mistakes: Vec::new(), notes: Vec::new() };
    let conditions: Vec<Option<Expression>> = bench.conditions();
    let mut layout = Layout::new(pipeline);
    let derived = bench.derives(&mut layout);
    let filter = bench.filter(&layout);
    let windows = bench.windows(&mut layout);
    append_label(pipeline, &mut layout);
    if !bench.mistakes.is_empty() {
        return Err(bench.mistakes);
    }
    let (outputs, schema) = outputs(pipeline, &layout);
    let rules = Rules {
        pipeline: pipeline.clone(),
        conditions: conditions.into_iter().flatten().collect(),
        derived,
        windows,
        filter,
        invalid: pipeline.spec.result.invalid.unwrap_or(Invalid::Keep),
        outputs,
        schema,
        layout,
    };
    Ok(Compiled { rules: Arc::new(rules), context: Arc::new(TaskContext::default()), notes: bench.notes.into() })
}

/// What is at hand while compiling.
struct Bench<'a> {
    pipeline: &'a Pipeline,
    sql: Sql,
    mistakes: Vec<Mistake>,
    notes: Vec<Note>,
}

impl Bench<'_> {
    fn report(&mut self, path: &str, what: String, remedy: &str) {
        let document = format!("Pipeline {}", self.pipeline.name);
        let (path, remedy) = (path.to_owned(), remedy.to_owned());
        self.mistakes.push(Mistake { file: None, document, path, what, remedy });
    }

    fn expression(&mut self, path: &str, text: &str, scope: &Scope, purpose: Purpose) -> Option<Expression> {
        let refusals = match self.sql.expression(text, scope, purpose) {
            Ok(expression) => return Some(expression),
            Err(refusals) => refusals,
        };
        for Refusal { at, what, instead } in refusals {
            let what = match at {
                Some((line, column)) => format!("at {line}:{column}: {what}"),
                None => what,
            };
            self.report(path, what, &instead);
        }
        None
    }

    fn conditions(&mut self) -> Vec<Option<Expression>> {
        let pipeline = self.pipeline;
        let condition = |event: &pipeline::pipeline::Event| {
            let scope = observations_scope(pipeline, event.signal);
            self.expression(&format!("spec.events[{}].when", event.name), &event.when, &scope, Purpose::Condition)
        };
        pipeline.events.iter().map(condition).collect()
    }

    /// Types each derived column over the row before it. One that is refused stands as float64, so that later ones which use
    /// it are not refused for that.
    fn derives(&mut self, layout: &mut Layout) -> Vec<Derived> {
        let mut derived = Vec::new();
        for (index, words) in self.pipeline.derives.iter().enumerate() {
            let path = format!("spec.derive[{}].expression", words.name);
            let expression = self.expression(&path, &words.expression, &layout.scope(), Purpose::Value);
            self.note_unseen(&path, expression.as_ref(), layout);
            let data_type = expression.as_ref().map_or(DataType::Float64, |e| arrow_type(e.column_type()));
            layout.append([Appended { name: words.name.clone(), data_type, meaning: Meaning::Derived(index) }]);
            let schema = layout.schema(layout.len());
            derived.extend(expression.map(|expression| Derived { name: words.name.clone(), expression, schema }));
        }
        derived
    }

    /// What is derived from an event row's own columns is null in the row that is written, and only there.
    fn note_unseen(&mut self, path: &str, expression: Option<&Expression>, layout: &Layout) {
        let fields = expression.map_or(&[][..], Expression::fields);
        let Some(&place) = fields.iter().find(|&&place| layout.is_unseen(place)) else { return };
        let text = format!(
            "`{}` is null on every event and control row: it is known only with the row, never before it; windows see it on the \
             rows before",
            layout.name(place)
        );
        let document = format!("Pipeline {}", self.pipeline.name);
        self.notes.push(Note { document, path: path.to_owned(), text });
    }

    fn filter(&mut self, layout: &Layout) -> Option<Expression> {
        let text = self.pipeline.filter.as_ref()?;
        let expression = self.expression("spec.where", text, &layout.scope(), Purpose::Condition)?;
        for &place in expression.fields() {
            if layout.is_unseen(place) {
                let what = format!(
                    "`{}` is null on every event and control row: it is known only with the row, never before it",
                    layout.name(place)
                );
                self.report("spec.where", what, "leave it out, or choose rows by joined columns");
            }
        }
        Some(expression)
    }

    fn windows(&mut self, layout: &mut Layout) -> Vec<WindowRule> {
        let pipeline = self.pipeline;
        let base = layout.clone();
        pipeline.windows.iter().enumerate().map(|(index, window)| self.window(index, window, &base, layout)).collect()
    }

    fn window(&mut self, index: usize, window: &Window, base: &Layout, layout: &mut Layout) -> WindowRule {
        let mut frames =
            Frames { pipeline: self.pipeline, over: window.over, base, frames: Vec::new(), groups: Vec::new() };
        let mut features = Vec::new();
        let mut refused = HashSet::new();
        for (at, feature) in window.features.iter().enumerate() {
            let Some((frame, column, data_type)) = frames.place(feature.column) else {
                let what = format!("{} is not in the rows", self.pipeline.source_name(feature.column));
                self.report(
                    &format!("spec.windows[{index}].features"),
                    what,
                    "join its signal, or use over: Observations",
                );
                continue;
            };
            for (s, &statistic) in feature.statistics.iter().enumerate() {
                let name = format!("{index} {at} {s}");
                let meaning = Meaning::Feature { window: index, feature: at, statistic: s };
                let data_type = feature_type(&data_type, statistic).unwrap_or_else(|| {
                    // Columns of signals are told by `check`.
                    let is_ours = matches!(feature.column, Source::Derived(_));
                    if is_ours && refused.insert((feature.column, statistic)) {
                        self.misfit(index, feature.column, statistic.word(), &data_type);
                    }
                    DataType::Float64
                });
                layout.append([Appended { name, data_type, meaning }]);
            }
            let name = self.source_path(feature.column);
            features.push(FeatureRule { frame, column, statistics: feature.statistics.clone(), name });
        }
        WindowRule {
            span_ns: window.span_ns,
            over: window.over,
            frames: frames.frames,
            features,
            requires: window.requires,
            excludes: window.excludes.clone(),
            schema: layout.schema(layout.len()),
        }
    }

    fn misfit(&mut self, window: usize, column: Source, statistic: &str, data_type: &DataType) {
        let kind = match data_type {
            DataType::Boolean => "true or false",
            DataType::Utf8 => "text",
            DataType::Timestamp(..) => "a time",
            _ => "a number",
        };
        let what = format!("{statistic} does not fit {}: it is {kind}", self.source_path(column));
        let remedy = match kind {
            "a time" => "times have no statistics: derive a number from it, such as `date_part('epoch', …)`",
            "a number" => "write a statistic of numbers, such as mean",
            _ => "write count, first, last, changes or time_since_change (fraction_true for true or false)",
        };
        self.report(&format!("spec.windows[{window}].features"), what, remedy);
    }

    /// `<signal>.<column>` or the derived name.
    fn source_path(&self, source: Source) -> String {
        match source {
            Source::Derived(index) => self.pipeline.derives[index].name.clone(),
            Source::Signal { signal, column } => {
                let signal = &self.pipeline.archive.signals[signal];
                format!("{}.{}", signal.name, signal.columns[column].name)
            }
        }
    }
}

/// The frames of one window as its features name them.
struct Frames<'a> {
    pipeline: &'a Pipeline,
    over: Over,
    base: &'a Layout,
    frames: Vec<FrameRule>,
    /// What each group of each frame is of.
    groups: Vec<Vec<Source>>,
}

impl Frames<'_> {
    /// Frame and column of a source, and its type; `None` when the rows do not hold it.
    fn place(&mut self, source: Source) -> Option<(usize, usize, DataType)> {
        let (signal, column, data_type) = match (self.over, source) {
            (Over::Rows, _) => {
                let place = self.base.source(self.pipeline, source)?;
                (None, place, self.base.data_type(place).clone())
            }
            (Over::Observations, Source::Signal { signal, column }) => {
                let schema = observations_schema(self.pipeline, signal);
                let place = crate::operator::OBSERVED + column;
                (Some(signal), place, schema.field(place).data_type().clone())
            }
            (Over::Observations, Source::Derived(_)) => return None,
        };
        let frame = self.frames.iter().position(|frame| frame.signal == signal).unwrap_or_else(|| {
            self.frames.push(FrameRule { signal, groups: Vec::new() });
            self.groups.push(Vec::new());
            self.frames.len() - 1
        });
        self.group(frame, source, column);
        Some((frame, column, data_type))
    }

    fn group(&mut self, frame: usize, source: Source, column: usize) {
        // All columns of a signal are one group, named by its first.
        let of = match source {
            Source::Signal { signal, .. } => Source::Signal { signal, column: 0 },
            derived @ Source::Derived(_) => derived,
        };
        let groups = &mut self.frames[frame].groups;
        match self.groups[frame].iter().position(|known| *known == of) {
            Some(group) if groups[group].contains(&column) => {}
            Some(group) => groups[group].push(column),
            None => {
                self.groups[frame].push(of);
                groups.push(vec![column]);
            }
        }
    }
}

fn append_label(pipeline: &Pipeline, layout: &mut Layout) {
    if pipeline.label.is_none() {
        return;
    }
    let label = Appended { name: "label".to_owned(), data_type: DataType::Boolean, meaning: Meaning::Label };
    let time =
        Appended { name: "label_event_time".to_owned(), data_type: time_type(), meaning: Meaning::LabelEventTime };
    layout.append([label, time]);
}

/// Where each column of the result comes from, and the result's schema.
fn outputs(pipeline: &Pipeline, layout: &Layout) -> (Arc<[Output]>, SchemaRef) {
    let columns = result_columns(pipeline);
    let outputs: Arc<[Output]> = columns
        .iter()
        .map(|column| match column.meaning {
            Meaning::Robot => Output::Robot,
            Meaning::Date => Output::Date,
            Meaning::Valid => Output::Valid,
            Meaning::InvalidReason => Output::InvalidReason,
            meaning => {
                let place = layout.find(meaning);
                Output::Row(place.unwrap_or_else(|| unreachable!("rows hold {}", column.name)))
            }
        })
        .collect();
    let types: Vec<DataType> = outputs
        .iter()
        .map(|output| match output {
            Output::Robot | Output::InvalidReason => DataType::Utf8,
            Output::Date => DataType::Date32,
            Output::Valid => DataType::Boolean,
            Output::Row(place) => layout.data_type(*place).clone(),
        })
        .collect();
    let schema = result_schema(pipeline, &columns, &types);
    (outputs, schema)
}
