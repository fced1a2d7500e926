//! The physical plan of a pipeline, from the words up.
//!
//! ```text
//! ResultExec                                    names, µs, robot, date
//!   WrittenExec                                 span, where, invalid
//!     LabelExec <- EventExec                    label, its time
//!       WindowExec <- base rows | observations, EventExec...
//!         DeriveExec
//!           NearestJoinExec <- ObservationsExec
//!             RowsExec | GridExec | EventRowsExec <- ObservationsExec
//! ```
//! Event rows have a second trunk: base rows, joined and derived as usual, that their windows look at.

use super::derive::Derive;
use super::event::EventStep;
use super::event_rows::EventRows;
use super::join::{Counted, NearestJoin, Sight};
use super::label::{KindLabel, LabelStep};
use super::observations::Observations;
use super::result::ResultStep;
use super::rows::{GridRows, SignalRows};
use super::window::{Look, WindowStep};
use super::written::Written;
use super::{Derived, Layout, Output, Robots, Step, StepExec, WindowRule};
use crate::expression::Expression;
use crate::label::Rule;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;
use pipeline::columns::Meaning;
use pipeline::pipeline::{Pipeline, Rows};
use pipeline::spec::Invalid;
use std::sync::Arc;

/// Everything that the operators of a pipeline need, checked and typed.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) pipeline: Pipeline,
    pub(crate) layout: Layout,
    /// `when`, per event.
    pub(crate) conditions: Vec<Expression>,
    pub(crate) derived: Vec<Derived>,
    pub(crate) windows: Vec<WindowRule>,
    pub(crate) filter: Option<Expression>,
    pub(crate) invalid: Invalid,
    pub(crate) outputs: Arc<[Output]>,
    pub(crate) schema: SchemaRef,
}

/// A plan over some robots, a partition each.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Gives the rows of the result.
    pub(crate) rows: Arc<dyn ExecutionPlan>,
    /// Every event's table, read by the rows or only counted.
    pub(crate) events: Vec<Arc<dyn ExecutionPlan>>,
}

/// The plan of `rules` over `robots`. Cheap: expressions are planned already.
pub(crate) fn plan(rules: &Rules, robots: &Arc<Robots>) -> Plan {
    let planner = Planner { rules, pipeline: &rules.pipeline, robots, events: events(rules, robots) };
    let rows = planner.result(planner.labelled(planner.windowed()));
    Plan { rows, events: planner.events }
}

type Node = Arc<dyn ExecutionPlan>;

struct Planner<'a> {
    rules: &'a Rules,
    pipeline: &'a Pipeline,
    robots: &'a Arc<Robots>,
    events: Vec<Node>,
}

fn events(rules: &Rules, robots: &Arc<Robots>) -> Vec<Node> {
    let events = rules.pipeline.events.iter().zip(&rules.conditions);
    let node = events.map(|(event, when)| {
        let observations = Observations::plan(&rules.pipeline, event.signal, robots);
        StepExec::shared(EventStep::new(event, when), vec![observations], robots)
    });
    node.collect()
}

impl Planner<'_> {
    fn observations(&self, signal: usize) -> Node {
        Observations::plan(self.pipeline, signal, self.robots)
    }

    fn is_event(&self) -> bool {
        matches!(self.pipeline.rows, Rows::Event { .. })
    }

    /// A row per observation of a signal.
    fn signal_rows(&self, signal: usize) -> Node {
        let words = &self.pipeline.archive.signals[signal];
        let step = SignalRows::new(&words.name, self.is_event(), words.columns.len(), &self.rules.layout);
        StepExec::plan(step, vec![self.observations(signal)], self.robots)
    }

    fn grid_rows(&self, every_ns: i64, during: Option<usize>, alive_ns: i64) -> Node {
        let signals = &self.pipeline.archive.signals;
        let watched = during.map_or_else(|| (0..signals.len()).collect(), |signal| vec![signal]);
        let name = during.map_or_else(|| "any signal".to_owned(), |signal| signals[signal].name.clone());
        let step = GridRows::new(every_ns, alive_ns, name, &self.rules.layout);
        StepExec::plan(step, watched.into_iter().map(|signal| self.observations(signal)).collect(), self.robots)
    }

    /// Joins and derived columns over rows.
    fn joined(&self, mut rows: Node, sight: Sight, counted: Counted) -> Node {
        for (index, join) in self.pipeline.joins.iter().enumerate() {
            let step = NearestJoin::new(self.pipeline, index, sight, counted, &self.rules.layout);
            rows = self.put(step, vec![rows, self.observations(join.signal)], counted);
        }
        match self.rules.derived.last() {
            None => rows,
            Some(last) => {
                let step = Derive { columns: self.rules.derived.clone(), schema: Arc::clone(&last.schema) };
                self.put(step, vec![rows], counted)
            }
        }
    }

    /// Base rows that only windows look at are read by each of them, and computed once.
    fn put<S: Step>(&self, step: S, children: Vec<Node>, counted: Counted) -> Node {
        match counted {
            Counted::Yes => StepExec::plan(step, children, self.robots),
            Counted::No => StepExec::shared(step, children, self.robots),
        }
    }

    /// The rows that are written or not, with all their windows.
    fn windowed(&self) -> Node {
        match &self.pipeline.rows {
            Rows::Signal { signal } => {
                let rows = self.joined(self.signal_rows(*signal), Sight::All, Counted::Yes);
                self.windows(rows, None)
            }
            Rows::Grid { every_ns, during, alive_ns } => {
                let rows = self.grid_rows(*every_ns, *during, *alive_ns);
                self.windows(self.joined(rows, Sight::All, Counted::Yes), None)
            }
            Rows::Event { event, controls } => {
                let words = &self.pipeline.events[*event];
                let own = self.pipeline.archive.signals[words.signal].columns.len();
                let step = EventRows::new(&words.name, controls.clone(), own, &self.rules.layout);
                let children = vec![Arc::clone(&self.events[*event]), self.observations(words.signal)];
                let rows = StepExec::plan(step, children, self.robots);
                let rows = self.joined(rows, Sight::KnownBefore, Counted::Yes);
                self.windows(rows, Some(words.signal))
            }
        }
    }

    /// The windows over rows; `base` is the signal of event rows, whose base rows the windows look at.
    fn windows(&self, mut rows: Node, base: Option<usize>) -> Node {
        let known = self.pipeline.archive.signals.iter().any(|signal| signal.known_clock.is_some());
        let look = if base.is_some() { Look::BeforeRow } else { Look::AtRow { known } };
        let base = base.map(|signal| self.joined(self.signal_rows(signal), Sight::All, Counted::No));
        for rule in &self.rules.windows {
            let excluded = rule.excludes.iter().map(|&event| self.pipeline.events[event].name.clone()).collect();
            let step = WindowStep { rule: rule.clone(), look, excluded };
            let mut children = vec![rows];
            for frame in rule.frames.iter().filter(|frame| !step.is_rows(frame)) {
                children.push(match (frame.signal, &base) {
                    (Some(signal), _) => self.observations(signal),
                    (None, Some(base)) => Arc::clone(base),
                    (None, None) => unreachable!("a window over rows looks at the rows themselves"),
                });
            }
            children.extend(rule.excludes.iter().map(|&event| Arc::clone(&self.events[event])));
            rows = StepExec::plan(step, children, self.robots);
        }
        rows
    }

    fn labelled(&self, rows: Node) -> Node {
        let Some(label) = &self.pipeline.label else { return rows };
        let event = &self.pipeline.events[label.event];
        let schema = self.rules.layout.schema(self.rules.layout.len());
        if self.is_event() {
            return StepExec::plan(KindLabel { event: event.name.clone(), schema }, vec![rows], self.robots);
        }
        let rule = Rule { lead_ns: label.lead_ns, horizon_ns: label.horizon_ns, memory_ns: event.memory_ns };
        let step = LabelStep { event: event.name.clone(), rule, schema };
        StepExec::plan(step, vec![rows, Arc::clone(&self.events[label.event])], self.robots)
    }

    fn result(&self, rows: Node) -> Node {
        let written = Written {
            filter: self.rules.filter.clone(),
            invalid: self.rules.invalid,
            label: self.rules.layout.find(Meaning::Label),
            has_kind: self.is_event(),
            schema: rows.schema(),
        };
        let written = StepExec::plan(written, vec![rows], self.robots);
        let step = ResultStep { columns: Arc::clone(&self.rules.outputs), schema: Arc::clone(&self.rules.schema) };
        StepExec::plan(step, vec![written], self.robots)
    }
}
