//! The operators of a plan asked, from the result down, what of their inputs went into one row.
//!
//! ```text
//! ResultExec ─ WrittenExec ─ LabelExec ─ WindowExec … ─ DeriveExec ─ NearestJoinExec … ─ RowsExec | GridExec | EventRowsExec
//!              which rows    chain: a row has one position in all of these               the root: why there is a row
//! ```
//! The chain below the windows is a *trunk*. Windows over base rows look at a trunk: the rows' own, or the second one that event
//! rows have.

mod judge;

use super::derive::Derive;
use super::event;
use super::event_rows::{EVENT, EventRows};
use super::join::NearestJoin;
use super::label::LabelStep;
use super::layout::{KNOWN, KNOWN_AT, TIME};
use super::rows::{GridRows, SignalRows};
use super::window::{WindowStep, statistics};
use super::written::Written;
use super::{Robot, Robots, Rules, Step, StepExec, values};
use crate::compile::Compiled;
use crate::nearest::{NO_MATCH, nearest};
use crate::sorted::Unsorted;
use crate::statistic::View;
use crate::trace::{
    Base, Cause, DerivedCause, FeatureCause, FrameCause, LabelCause, MatchCause, Observed, Trace, WindowCause,
};
use crate::window::bounds;
use arrow::array::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use pipeline::columns::Meaning;
use pipeline::pipeline::Rows;
use pipeline::spec::Direction;
use std::sync::Arc;

type Node = Arc<dyn ExecutionPlan>;

/// The rows of the first of `robots`, and what each came from.
pub(crate) fn trace(compiled: &Compiled, robots: &Arc<Robots>) -> Result<Trace> {
    let plan = compiled.plan(robots);
    let rows = compiled.run(&plan.rows)?;
    let asker = Asker { compiled, rules: &compiled.rules, robot: robots.robot(0) };
    let chain = Chain::of(&plan.rows);
    let all = compiled.run(below(chain.written))?;
    let written =
        step::<Written>(chain.written).ok_or_else(|| exec_datafusion_err!("rows are written by no operator"))?;
    let trunk = asker.trunk(chain.trunk)?;
    let causes = written.positions(&asker.robot, &all).into_iter().map(|row| asker.cause(&chain, &trunk, &all, row));
    Ok(Trace { rows, causes: causes.collect::<Result<_>>()? })
}

/// The rules of an operator, if it is of that kind.
fn step<S: Step>(node: &Node) -> Option<&S> {
    node.downcast_ref::<StepExec<S>>().map(StepExec::step)
}

/// The first input of an operator: the rows that it goes on with.
fn below(node: &Node) -> &Node {
    node.children().first().copied().unwrap_or_else(|| unreachable!("{} reads rows", node.name()))
}

/// The operators that rows pass, from the result down.
struct Chain<'p> {
    written: &'p Node,
    label: Option<&'p Node>,
    /// In the order of the words.
    windows: Vec<&'p Node>,
    trunk: &'p Node,
}

impl<'p> Chain<'p> {
    fn of(result: &'p Node) -> Self {
        let written = below(result);
        let (mut label, mut windows) = (None, Vec::new());
        let mut node = below(written);
        while !is_trunk(node) {
            if step::<LabelStep>(node).is_some() {
                label = Some(node);
            } else if step::<WindowStep>(node).is_some() {
                windows.push(node);
            }
            node = below(node);
        }
        windows.reverse();
        Self { written, label, windows, trunk: node }
    }
}

fn is_trunk(node: &Node) -> bool {
    let is_root =
        step::<SignalRows>(node).is_some() || step::<GridRows>(node).is_some() || step::<EventRows>(node).is_some();
    is_root || step::<Derive>(node).is_some() || step::<NearestJoin>(node).is_some()
}

/// Base rows with what was joined to them.
struct Trunk<'p> {
    rows: RecordBatch,
    root: &'p Node,
    /// Per join of the pipeline, in order.
    joins: Vec<Joined>,
}

/// What one join found for every row.
struct Joined {
    direction: Direction,
    matches: Vec<u32>,
}

/// Asks the operators.
struct Asker<'a> {
    compiled: &'a Compiled,
    rules: &'a Rules,
    robot: Robot,
}

impl Asker<'_> {
    fn inputs(&self, node: &Node) -> Result<Vec<RecordBatch>> {
        node.children().into_iter().map(|child| self.compiled.run(child)).collect()
    }

    fn trunk<'p>(&self, top: &'p Node) -> Result<Trunk<'p>> {
        let rows = self.compiled.run(top)?;
        let (mut node, mut joins) = (top, Vec::new());
        loop {
            if let Some(join) = step::<NearestJoin>(node) {
                let matches = join.matches(&self.robot, &self.inputs(node)?)?;
                joins.push(Joined { direction: join.direction(), matches });
            } else if step::<Derive>(node).is_none() {
                break;
            }
            node = below(node);
        }
        joins.reverse();
        Ok(Trunk { rows, root: node, joins })
    }

    /// What the row at a position of `all`, the rows before some are left out, came from.
    fn cause(&self, chain: &Chain<'_>, trunk: &Trunk<'_>, all: &RecordBatch, row: usize) -> Result<Cause> {
        let windows = chain.windows.iter().map(|node| self.window(node, trunk, row));
        Ok(Cause {
            time_ns: values::times(all, TIME)[row],
            known_at_ns: values::times(all, KNOWN_AT)[row],
            base: self.base(trunk, row)?,
            matches: self.matches(trunk, row),
            derived: self.derived(trunk, row),
            windows: windows.collect::<Result<_>>()?,
            label: chain.label.map(|node| self.label(node, row)).transpose()?,
            judgements: self.judgements(chain, row)?,
        })
    }

    fn base(&self, trunk: &Trunk<'_>, row: usize) -> Result<Base> {
        if let Some(grid) = step::<GridRows>(trunk.root) {
            return self.point(trunk, grid, row);
        }
        let signal = self.rules.pipeline.row_signal().unwrap_or_else(|| unreachable!("only grids have no signal"));
        let Some(events) = step::<EventRows>(trunk.root) else {
            return Ok(Base::Observation(Observed { signal, position: row }));
        };
        let inputs = self.inputs(trunk.root)?;
        let (position, kind) = events.chosen(&self.robot, &inputs)[row];
        let at = Observed { signal, position };
        if kind == EVENT {
            return Ok(Base::Onset(at));
        }
        Ok(Base::Control { at, onsets_ns: events.drawn_for(&self.robot, &inputs, position) })
    }

    /// The last observation of each signal that keeps a point alive.
    fn point(&self, trunk: &Trunk<'_>, grid: &GridRows, row: usize) -> Result<Base> {
        let time = values::times(&trunk.rows, TIME)[row];
        let during = if let Rows::Grid { during, .. } = self.rules.pipeline.rows { during } else { None };
        let mut alive = Vec::new();
        for (index, observations) in self.inputs(trunk.root)?.iter().enumerate() {
            let times = values::times(observations, TIME);
            let last = nearest(&[time], times, Direction::Backward, grid.alive_ns.unsigned_abs());
            let last = last.map_err(values::unsorted(&self.robot, "grid"))?[0];
            let signal = during.unwrap_or(index);
            alive.extend((last != NO_MATCH).then_some(Observed { signal, position: last as usize }));
        }
        Ok(Base::Point(alive))
    }

    fn matches(&self, trunk: &Trunk<'_>, row: usize) -> Vec<MatchCause> {
        let found = |(index, joined): (usize, &Joined)| MatchCause {
            direction: joined.direction,
            found: self.matched(trunk, index, row),
        };
        trunk.joins.iter().enumerate().map(found).collect()
    }

    fn matched(&self, trunk: &Trunk<'_>, join: usize, row: usize) -> Option<Observed> {
        let at = trunk.joins[join].matches[row];
        (at != NO_MATCH).then(|| Observed { signal: self.rules.pipeline.joins[join].signal, position: at as usize })
    }

    fn derived(&self, trunk: &Trunk<'_>, row: usize) -> Vec<DerivedCause> {
        let cause = |derived: &super::Derived| {
            let fields = derived.expression.fields();
            let input =
                |&place: &usize| (self.rules.layout.name(place).to_owned(), trunk.rows.column(place).slice(row, 1));
            let mut from: Vec<Observed> = fields.iter().flat_map(|&place| self.sources(trunk, row, place)).collect();
            from.sort_unstable();
            from.dedup();
            DerivedCause { inputs: fields.iter().map(input).collect(), from }
        };
        self.rules.derived.iter().map(cause).collect()
    }

    /// The observations behind one value of a base row.
    fn sources(&self, trunk: &Trunk<'_>, row: usize, place: usize) -> Vec<Observed> {
        match self.rules.layout.meaning(place) {
            Some(Meaning::Own { signal, .. }) if step::<SignalRows>(trunk.root).is_some() => {
                vec![Observed { signal, position: row }]
            }
            Some(Meaning::Joined { join, .. } | Meaning::JoinDt { join }) => {
                self.matched(trunk, join, row).into_iter().collect()
            }
            Some(Meaning::Derived(index)) => {
                let fields = self.rules.derived[index].expression.fields();
                let mut from: Vec<_> = fields.iter().flat_map(|&place| self.sources(trunk, row, place)).collect();
                from.sort_unstable();
                from.dedup();
                from
            }
            _ => Vec::new(),
        }
    }

    fn window(&self, node: &Node, trunk: &Trunk<'_>, row: usize) -> Result<WindowCause> {
        let step = step::<WindowStep>(node).unwrap_or_else(|| unreachable!("the chain holds windows"));
        let inputs = self.inputs(node)?;
        let time = values::times(&inputs[0], TIME)[row];
        let mut looks = Vec::new();
        for look in self.frames(node, step, &inputs)? {
            let range = bounds(&[time], values::times(look.batch, TIME), step.window());
            looks.push((range.map_err(self.unsorted())?.range(0), look));
        }
        let mut cause = WindowCause { window: step.window(), frames: Vec::new(), features: Vec::new() };
        for ((range, look), frame) in looks.iter().zip(&step.rule.frames) {
            let inside = |column: usize| values::times(look.batch, column)[range.clone()].to_vec();
            let known_ns = inside(KNOWN);
            let seen = known_ns.iter().map(|&known| !step.sees_known_only() || known < time).collect();
            cause.frames.push(FrameCause { signal: frame.signal, times_ns: inside(TIME), known_ns, seen });
        }
        for feature in &step.rule.features {
            let (range, look) = &looks[feature.frame];
            let values = look.batch.column(feature.column).slice(range.start, range.len());
            let from = range.clone().map(|at| match (look.signal, &look.base) {
                (Some(signal), _) => vec![Observed { signal, position: at }],
                (None, Some(base)) => self.sources(base, at, feature.column),
                (None, None) => self.sources(trunk, at, feature.column),
            });
            let statistics = self.alone(step, time, &cause.frames[feature.frame], &values, &feature.statistics)?;
            cause.features.push(FeatureCause { frame: feature.frame, from: from.collect(), values, statistics });
        }
        Ok(cause)
    }

    /// Where each frame of a window looks.
    fn frames<'b, 'p>(
        &self,
        node: &'p Node,
        step: &WindowStep,
        inputs: &'b [RecordBatch],
    ) -> Result<Vec<Look<'b, 'p>>> {
        let children = node.children();
        let mut others = 1..;
        let mut looks = Vec::new();
        for frame in &step.rule.frames {
            let child = if step.is_rows(frame) { 0 } else { others.next().unwrap_or_default() };
            let is_base = child > 0 && frame.signal.is_none();
            let base = if is_base { Some(self.trunk(children[child])?) } else { None };
            looks.push(Look { batch: &inputs[child], signal: frame.signal, base });
        }
        Ok(looks)
    }

    /// The statistics of the values of one window and no others.
    fn alone(
        &self,
        step: &WindowStep,
        time: i64,
        frame: &FrameCause,
        values: &arrow::array::ArrayRef,
        wanted: &[pipeline::spec::Statistic],
    ) -> Result<Vec<arrow::array::ArrayRef>> {
        let reach = bounds(&[time], &frame.times_ns, step.window()).map_err(self.unsorted())?;
        let view = View {
            rows: &[time],
            times: &frame.times_ns,
            known: step.sees_known_only().then_some(frame.known_ns.as_slice()),
            bounds: &reach,
            window: step.window(),
        };
        statistics(&view, values, wanted)
    }

    fn label(&self, node: &Node, row: usize) -> Result<LabelCause> {
        let step = step::<LabelStep>(node).unwrap_or_else(|| unreachable!("the chain holds a label"));
        let [rows, table] = &self.inputs(node)?[..] else { unreachable!("a label has two inputs") };
        let (time, known_at) = (values::times(rows, TIME)[row], values::times(rows, KNOWN_AT)[row]);
        let after_ns = known_at.saturating_add(step.rule.lead_ns);
        let to_ns = after_ns.saturating_add(step.rule.horizon_ns);
        let known = values::times(table, TIME);
        let after = known.partition_point(|&at| at < to_ns);
        let onsets = event::all_onsets(table);
        Ok(LabelCause {
            event: self.rules.pipeline.label.as_ref().map_or(0, |label| label.event),
            after_ns,
            to_ns,
            onsets: onsets.into_iter().filter(|onset| time < onset.time_ns && onset.time_ns <= to_ns).collect(),
            looked_before_ns: after.checked_sub(1).map(|at| known[at]),
            looked_after_ns: known.get(after).copied(),
        })
    }

    fn unsorted(&self) -> impl FnOnce(Unsorted) -> datafusion::common::DataFusionError {
        values::unsorted(&self.robot, "window")
    }
}

/// Where a frame of a window looks.
struct Look<'b, 'p> {
    batch: &'b RecordBatch,
    /// Whose observations they are; `None`: base rows.
    signal: Option<usize>,
    /// The trunk of the base rows, where these are not the rows themselves.
    base: Option<Trunk<'p>>,
}
