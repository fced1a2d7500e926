//! From a call in FROM to a node of the plan, and from the node to the operator.

use super::call::{Call, name_of};
use super::look_back::LookBackExec;
use super::nearest::NearestJoinExec;
use super::node::{JoinRule, LookBack, LookRule, NearestJoin};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Column, Result, internal_err, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::sql::sqlparser::ast::{Query, TableFactor};
use pipeline::name::suggest;
use pipeline::pattern::glob;
use pipeline::spec::{Direction, Statistic};
use pipeline::time::words::duration_ns;
use std::sync::Arc;

/// Plans the calls in FROM.
#[derive(Debug)]
pub(super) struct Relations;

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let name = match &relation {
            TableFactor::Table { name, args: Some(_), .. } => Call::name(name),
            _ => None,
        };
        let (name, args, alias) = match (name, relation) {
            (Some(name), TableFactor::Table { args: Some(args), alias, .. }) => (name, args.args, alias),
            (_, relation) => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        let plan = if name == "nearest_join" {
            nearest_join(Call::read(name, args, 2, &["tolerance", "direction", "prefix"])?, context)?
        } else {
            look_back(Call::read(name, args, 1, &["span", "columns", "statistics"])?, context)?
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

fn nearest_join(mut call: Call, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let tolerance_ns = call.meant("tolerance", duration_ns)?;
    let direction = match call.text("direction") {
        None => Direction::Nearest,
        Some(_) => call.meant("direction", direction)?,
    };
    let [left, right] = two(std::mem::take(&mut call.relations))?;
    let prefix = match (call.text("prefix"), name_of(&right)) {
        (Some(prefix), _) => prefix.to_owned(),
        (None, Some(name)) => name,
        (None, None) => {
            return plan_err!(
                "nearest_join: the right relation has no name for its columns to begin with; write prefix => 'name'"
            );
        }
    };
    let (left, right) = (input(left, context)?, input(right, context)?);
    let node = NearestJoin::new(JoinRule { prefix, direction, tolerance_ns }, left, right)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

fn two(relations: Vec<Query>) -> Result<[Query; 2]> {
    relations.try_into().or_else(|_| internal_err!("nearest_join was read with two relations"))
}

fn look_back(mut call: Call, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let span_ns = call.meant("span", duration_ns)?;
    if span_ns == 0 {
        return plan_err!("look_back: span: is zero; write a longer duration, such as 10s");
    }
    let suffix = call.needed("span")?.to_owned();
    let mut statistics: Vec<Statistic> = Vec::new();
    for word in call.list("statistics")? {
        match Statistic::ALL.iter().find(|statistic| statistic.word() == word) {
            Some(statistic) if statistics.contains(statistic) => {
                return plan_err!("look_back: statistics has {word} twice; keep one of them");
            }
            Some(statistic) => statistics.push(*statistic),
            None => {
                let known = Statistic::ALL.iter().map(|statistic| statistic.word());
                return plan_err!("look_back: there is no statistic {word}; {}", suggest(word, known));
            }
        }
    }
    let Some(query) = call.relations.pop() else { return internal_err!("look_back was read with a relation") };
    let input = input(query, context)?;
    let columns = columns(&call.list("columns")?, &statistics, &input)?;
    let node = LookBack::new(LookRule { span_ns, suffix, columns, statistics }, input)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

/// The columns that are named, `*` standing for any characters: a name alone must fit each statistic, a pattern takes the columns
/// that fit at least one.
fn columns(patterns: &[&str], statistics: &[Statistic], input: &LogicalPlan) -> Result<Vec<String>> {
    let rule = |kind: &arrow::datatypes::DataType| {
        let rule = LookRule { span_ns: 1, suffix: String::new(), columns: Vec::new(), statistics: statistics.to_vec() };
        rule.of(kind)
    };
    let mut columns: Vec<String> = Vec::new();
    let fields = input.schema().fields();
    for pattern in patterns {
        let found = fields.iter().filter(|field| glob(pattern, field.name()));
        let (mut is_found, is_pattern) = (false, pattern.contains('*'));
        for field in found {
            let fitting = rule(field.data_type());
            if !is_pattern && let Some(odd) = statistics.iter().find(|statistic| !fitting.contains(statistic)) {
                let (name, kind) = (field.name(), field.data_type());
                return plan_err!("look_back: {} does not fit {name}: it is {kind}", odd.word());
            }
            is_found |= !fitting.is_empty();
            if !fitting.is_empty() && !columns.contains(field.name()) {
                columns.push(field.name().clone());
            }
        }
        if !is_found {
            let known = fields.iter().map(|field| field.name().as_str());
            return plan_err!("look_back: no column is {pattern}; {}", suggest(pattern, known));
        }
    }
    Ok(columns)
}

fn direction(text: &str) -> std::result::Result<Direction, String> {
    let known = [Direction::Nearest, Direction::Backward, Direction::Forward];
    let words = known.map(|direction| format!("{direction:?}"));
    let found = known.into_iter().find(|known| format!("{known:?}").eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("there is no {text}; {}", suggest(text, words.iter().map(String::as_str))))
}

/// The plan of a relation, its columns without the name of their table.
fn input(query: Query, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let subquery = Box::new(query);
    let plan = context.plan(TableFactor::Derived { lateral: false, subquery, alias: None, sample: None })?;
    let columns = plan.schema().iter().map(|(table, field)| {
        let name = field.name().clone();
        Expr::Column(Column::from((table, field))).alias(name)
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// Plans the operators of the relations.
#[derive(Debug)]
pub(super) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Self)]);
        planner.create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for Planner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let schema = Arc::clone(node.schema().inner());
        let found = node.as_any();
        Ok(match inputs {
            [left, right] => match found.downcast_ref::<NearestJoin>() {
                Some(join) => Some(Arc::new(NearestJoinExec::new(
                    join.rule.clone(),
                    [Arc::clone(left), Arc::clone(right)],
                    schema,
                )?)),
                None => None,
            },
            [input] => match found.downcast_ref::<LookBack>() {
                Some(look) => Some(Arc::new(LookBackExec::new(look.rule.clone(), Arc::clone(input), schema)?)),
                None => None,
            },
            _ => None,
        })
    }
}
