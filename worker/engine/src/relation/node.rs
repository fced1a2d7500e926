//! The relations in a logical plan: which columns they give, which they need, and what a condition above them allows to leave out
//! below them.

use super::place::Place;
use super::wanted::{Bound, ROBOT, TIME, instant};
use crate::operator::feature_type;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, DataFusionError, Result, plan_err};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Expr, Extension, Filter, LogicalPlan, LogicalPlanBuilder, Projection, UserDefinedLogicalNode,
    UserDefinedLogicalNodeCore,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::prelude::{col, lit};
use pipeline::spec::{Direction, Statistic};
use pipeline::time::words::duration_text;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

/// What `nearest_join` does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct JoinRule {
    /// Begins the names of the right columns.
    pub(super) prefix: String,
    pub(super) direction: Direction,
    /// Inclusive, not negative.
    pub(super) tolerance_ns: i64,
}

impl JoinRule {
    /// How far before a row, and how far after it, its match may lie, ns.
    pub(super) fn reach(&self) -> (i64, i64) {
        match self.direction {
            Direction::Nearest => (self.tolerance_ns, self.tolerance_ns),
            Direction::Backward => (self.tolerance_ns, 0),
            Direction::Forward => (0, self.tolerance_ns),
        }
    }

    /// Name of the column with match time minus row time.
    pub(super) fn dt(&self) -> String {
        format!("{}_dt_us", self.prefix)
    }
}

impl fmt::Display for JoinRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, direction, tolerance_ns } = self;
        write!(f, "right={prefix}, direction={direction:?}, tolerance={}", duration_text(*tolerance_ns))
    }
}

/// What `look_back` does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LookRule {
    /// Greater than 0.
    pub(super) span_ns: i64,
    /// The span as written: the end of the names.
    pub(super) suffix: String,
    /// Columns that are looked at.
    pub(super) columns: Vec<String>,
    pub(super) statistics: Vec<Statistic>,
}

impl LookRule {
    /// The statistics that apply to a column of that type.
    pub(super) fn of(&self, kind: &DataType) -> Vec<Statistic> {
        let kind = looked_at(kind);
        self.statistics.iter().copied().filter(|statistic| feature_type(&kind, *statistic).is_some()).collect()
    }

    /// The feature columns behind those of the input.
    fn fields(&self, input: &DFSchema) -> Vec<Field> {
        let mut fields = Vec::new();
        for name in &self.columns {
            let Some(column) = input.fields().iter().find(|field| field.name() == name) else { continue };
            for statistic in self.of(column.data_type()) {
                let kind = feature_type(&looked_at(column.data_type()), statistic);
                let name = format!("{name}_{}_{}", statistic.word(), self.suffix);
                fields.extend(kind.map(|kind| Field::new(name, kind, true)));
            }
        }
        fields
    }
}

impl fmt::Display for LookRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.statistics.iter().map(|statistic| statistic.word()).collect();
        let columns = self.columns.join(", ");
        write!(f, "span={}, columns=[{columns}], statistics=[{}]", self.suffix, words.join(", "))
    }
}

/// The type that a column of this type is looked at as: the kernels know numbers, truths and texts.
pub(super) fn looked_at(kind: &DataType) -> DataType {
    match kind {
        DataType::UInt64 => DataType::Float64,
        kind if kind.is_integer() => DataType::Int64,
        kind if kind.is_floating() || kind.is_decimal() => DataType::Float64,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        kind => kind.clone(),
    }
}

/// `nearest_join` in a logical plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NearestJoin {
    pub(super) rule: JoinRule,
    /// Left and right.
    inputs: [LogicalPlan; 2],
    /// What was already left out of each input.
    narrowed: Narrowed,
    schema: DFSchemaRef,
}

/// `look_back` in a logical plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LookBack {
    pub(super) rule: LookRule,
    inputs: [LogicalPlan; 1],
    narrowed: Narrowed,
    schema: DFSchemaRef,
}

/// The conditions that were put on the inputs, each of them: a rule that is asked again does it once.
type Narrowed = Vec<Option<Expr>>;

impl NearestJoin {
    /// Errors: an input without robot or time; a name that comes twice.
    pub(super) fn new(rule: JoinRule, left: LogicalPlan, right: LogicalPlan) -> Result<Self> {
        Place::of(left.schema().as_arrow(), "nearest_join: its left relation")?;
        Place::of(right.schema().as_arrow(), "nearest_join: its right relation")?;
        let mut fields: Vec<Arc<Field>> = left.schema().fields().iter().cloned().collect();
        for field in right.schema().fields().iter().filter(|field| field.name() != ROBOT) {
            let name = format!("{}_{}", rule.prefix, field.name());
            fields.push(Arc::new(field.as_ref().clone().with_name(name).with_nullable(true)));
        }
        fields.push(Arc::new(Field::new(rule.dt(), DataType::Int64, true)));
        let mut names = BTreeSet::new();
        if let Some(twice) = fields.iter().find(|field| !names.insert(field.name())) {
            let name = twice.name();
            return plan_err!("nearest_join makes the column {name} a second time; write prefix => 'another name'");
        }
        let schema = Arc::new(DFSchema::from_unqualified_fields(Fields::from(fields), HashMap::new())?);
        Ok(Self { rule, inputs: [left, right], narrowed: vec![None, None], schema })
    }
}

impl LookBack {
    /// Errors: an input without robot or time; a column that it does not have; a name that comes twice.
    pub(super) fn new(rule: LookRule, input: LogicalPlan) -> Result<Self> {
        Place::of(input.schema().as_arrow(), "look_back: its relation")?;
        let mut fields: Vec<Arc<Field>> = input.schema().fields().iter().cloned().collect();
        fields.extend(rule.fields(input.schema()).into_iter().map(Arc::new));
        let mut names = BTreeSet::new();
        if let Some(twice) = fields.iter().find(|field| !names.insert(field.name())) {
            return plan_err!("look_back makes the column {} a second time; name each column once", twice.name());
        }
        let schema = Arc::new(DFSchema::from_unqualified_fields(Fields::from(fields), HashMap::new())?);
        Ok(Self { rule, inputs: [input], narrowed: vec![None], schema })
    }
}

/// Positions of these columns, of robot and time, and of those named.
fn needed(input: &LogicalPlan, wanted: impl IntoIterator<Item = usize>, names: &[String]) -> Vec<usize> {
    let fields = input.schema().fields();
    let is_needed = |name: &String| name == ROBOT || name == TIME || names.contains(name);
    let always = fields.iter().enumerate().filter(|(_, field)| is_needed(field.name())).map(|(index, _)| index);
    always.chain(wanted).collect::<BTreeSet<_>>().into_iter().collect()
}

impl UserDefinedLogicalNodeCore for NearestJoin {
    fn name(&self) -> &str {
        "NearestJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NearestJoin: {}", self.rule)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [left, right] = two(inputs)?;
        Ok(Self { narrowed: self.narrowed.clone(), ..Self::new(self.rule.clone(), left, right)? })
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let [left, right] = &self.inputs;
        let of_left = left.schema().fields().len();
        // In their order, without the robot.
        let others = right.schema().fields().iter().enumerate().filter(|(_, field)| field.name() != ROBOT);
        let others: Vec<usize> = others.map(|(index, _)| index).collect();
        let from_left = output.iter().copied().filter(|index| *index < of_left);
        let from_right = output.iter().filter_map(|index| others.get(index.checked_sub(of_left)?).copied());
        Some(vec![needed(left, from_left, &[]), needed(right, from_right, &[])])
    }
}

impl UserDefinedLogicalNodeCore for LookBack {
    fn name(&self) -> &str {
        "LookBack"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LookBack: {}", self.rule)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Some(input) = inputs.pop() else { return plan_err!("LookBack has one input") };
        Ok(Self { narrowed: self.narrowed.clone(), ..Self::new(self.rule.clone(), input)? })
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let [input] = &self.inputs;
        let of_input = input.schema().fields().len();
        let wanted = output.iter().copied().filter(|index| *index < of_input);
        Some(vec![needed(input, wanted, &self.rule.columns)])
    }
}

fn two(inputs: Vec<LogicalPlan>) -> Result<[LogicalPlan; 2]> {
    inputs.try_into().map_err(|_| DataFusionError::Internal("NearestJoin has two inputs".to_owned()))
}

/// Nodes have no order but equality.
impl PartialOrd for NearestJoin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

/// Nodes have no order but equality.
impl PartialOrd for LookBack {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

/// Leaves out of the inputs what no row that fulfils the condition above can see. The condition itself stays.
///
/// ```text
/// Filter: robot = 'a' AND time >= t                     Filter: robot = 'a' AND time >= t
///   NearestJoin: tolerance=500ms                  ─►      NearestJoin: tolerance=500ms
///     left                                                  Filter: robot = 'a' AND time >= t
///     right                                                   left
///                                                           Filter: robot = 'a' AND time >= t - 500ms
///                                                             right
/// ```
#[derive(Debug)]
pub(super) struct Narrow;

impl OptimizerRule for Narrow {
    fn name(&self) -> &'static str {
        "narrow_inputs_in_time"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let Some(input) = under(&filter.input, &filter.predicate)? else { return Ok(Transformed::no(plan)) };
        Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(filter.predicate.clone(), Arc::new(input))?)))
    }
}

/// What a condition stands on, with the relation in it under that condition; between the two other rules may put a choice of
/// columns. `None`: there is no relation, or nothing more can be left out.
fn under(plan: &LogicalPlan, condition: &Expr) -> Result<Option<LogicalPlan>> {
    if let LogicalPlan::Projection(projection) = plan {
        let chooses = projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)));
        let Some(input) = chooses.then(|| under(&projection.input, condition)).transpose()?.flatten() else {
            return Ok(None);
        };
        let projection = Projection::try_new(projection.expr.clone(), Arc::new(input))?;
        return Ok(Some(LogicalPlan::Projection(projection)));
    }
    let LogicalPlan::Extension(extension) = plan else { return Ok(None) };
    let node = extension.node.as_any();
    let node: Option<Arc<dyn UserDefinedLogicalNode>> =
        match (node.downcast_ref::<NearestJoin>(), node.downcast_ref::<LookBack>()) {
            (Some(join), _) => join.under(condition)?.map(|join| Arc::new(join) as _),
            (_, Some(look)) => look.under(condition)?.map(|look| Arc::new(look) as _),
            _ => None,
        };
    Ok(node.map(|node| LogicalPlan::Extension(Extension { node })))
}

impl NearestJoin {
    /// The same for rows under a condition; `None`: nothing more can be left out.
    fn under(&self, condition: &Expr) -> Result<Option<Self>> {
        let narrowed = narrow(condition, &self.inputs, &[(0, 0), self.rule.reach()], &self.narrowed)?;
        let Some((inputs, narrowed)) = narrowed else { return Ok(None) };
        Ok(Some(Self { inputs: two(inputs)?, narrowed, ..self.clone() }))
    }
}

impl LookBack {
    /// The same for rows under a condition; `None`: nothing more can be left out.
    fn under(&self, condition: &Expr) -> Result<Option<Self>> {
        let narrowed = narrow(condition, &self.inputs, &[(self.rule.span_ns, 0)], &self.narrowed)?;
        let Some((mut inputs, narrowed)) = narrowed else { return Ok(None) };
        Ok(inputs.pop().map(|input| Self { inputs: [input], narrowed, ..self.clone() }))
    }
}

/// The inputs under the conditions that follow from the one above, and those conditions; `None`: they are under them already.
fn narrow(
    above: &Expr,
    inputs: &[LogicalPlan],
    reaches: &[(i64, i64)],
    already: &Narrowed,
) -> Result<Option<(Vec<LogicalPlan>, Narrowed)>> {
    let below = |(input, reach): (&LogicalPlan, &(i64, i64))| {
        conjunction(split_conjunction(above).into_iter().flat_map(|one| seen(one, input, *reach)))
    };
    let conditions: Narrowed = inputs.iter().zip(reaches).map(below).collect();
    if conditions == *already {
        return Ok(None);
    }
    let put = |(input, condition): (&LogicalPlan, &Option<Expr>)| match condition {
        Some(condition) => LogicalPlanBuilder::from(input.clone()).filter(condition.clone())?.build(),
        None => Ok(input.clone()),
    };
    let inputs = inputs.iter().zip(&conditions).map(put).collect::<Result<Vec<_>>>()?;
    Ok(Some((inputs, conditions)))
}

/// Whether a condition depends on the row alone.
fn is_of_row(condition: &Expr) -> bool {
    let asks = |expr: &Expr| matches!(expr, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_));
    !condition.is_volatile() && !condition.exists(|expr| Ok(asks(expr))).unwrap_or(true)
}

/// What a condition on the rows says of the input rows that they see: the same robots; times as far as they reach.
fn seen(condition: &Expr, input: &LogicalPlan, (back_ns, forward_ns): (i64, i64)) -> Vec<Expr> {
    let names = condition.column_refs();
    if !names.is_empty() && names.iter().all(|column| column.name == ROBOT) && is_of_row(condition) {
        return vec![condition.clone()];
    }
    let Some(span) = Bound::of(condition).filter(|_| names.iter().all(|column| column.name == TIME)).map(Bound::span)
    else {
        return Vec::new();
    };
    let time = input.schema().fields().iter().find(|field| field.name() == TIME);
    let Some(time) = time.map(|field| field.data_type().clone()) else { return Vec::new() };
    let bound = |ns: i64| instant(ns, &time).map(lit);
    // Rounded down both ways: what is at or after the lower bound stays, and what is at or before the upper one.
    let from = (span.from_ns != i64::MIN).then(|| bound(span.from_ns.saturating_sub(back_ns))).flatten();
    let to = (span.to_ns != i64::MAX).then(|| bound(span.to_ns.saturating_add(forward_ns))).flatten();
    let from = from.map(|from| col(TIME).gt_eq(from));
    from.into_iter().chain(to.map(|to| col(TIME).lt_eq(to))).collect()
}
