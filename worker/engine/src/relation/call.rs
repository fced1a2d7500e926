//! The arguments of a relation's call, and their SQL: relations are names, subqueries or other calls; options have names.

use super::NAMES;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, ObjectName, Query, SetExpr, TableFactor, TableWithJoins, Value, VisitMut,
    VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use pipeline::name::suggest;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Nesting of subqueries, parentheses and the like.
const RECURSION_MAX: usize = 50;

/// The statements of a text, which `;` separates.
///
/// # Errors
/// What the parser says.
pub fn statements(sql: &str) -> Result<Vec<Statement>> {
    let parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).with_recursion_limit(RECURSION_MAX);
    Ok(parser.build()?.parse_statements()?.into_iter().collect())
}

/// A statement in which the relations that stand as arguments are subqueries, so that the planner finds their tables.
///
/// # Errors
/// An argument that is no relation.
pub fn with_relations(mut statement: Statement) -> Result<Statement> {
    rewrite(&mut statement)?;
    Ok(statement)
}

fn rewrite(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => match VisitMut::visit(statement, &mut Arguments) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        },
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        _ => Ok(()),
    }
}

/// Writes `nearest_join(a, b)` as `nearest_join((SELECT * FROM a), (SELECT * FROM b))`.
struct Arguments;

impl VisitorMut for Arguments {
    type Break = DataFusionError;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<DataFusionError> {
        let TableFactor::Table { name, args: Some(args), .. } = factor else { return ControlFlow::Continue(()) };
        if Call::name(name).is_none() {
            return ControlFlow::Continue(());
        }
        for arg in &mut args.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { continue };
            match subquery(expr) {
                Ok(Some(query)) => *expr = Expr::Subquery(Box::new(query)),
                Ok(None) => {}
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

/// A relation as a subquery; `None`: it is one.
fn subquery(argument: &Expr) -> Result<Option<Query>> {
    let name = match argument {
        Expr::Subquery(_) => return Ok(None),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Function(_) => argument.to_string(),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(name) => name.clone(),
            other => return plan_err!("{other} is no relation; {RELATION}"),
        },
        other => return plan_err!("{other} is no relation; {RELATION}"),
    };
    let sql = format!("SELECT * FROM {name}");
    let mut parser = Parser::new(&GenericDialect {}).with_recursion_limit(RECURSION_MAX).try_with_sql(&sql)?;
    Ok(Some(*parser.parse_query()?))
}

/// What stands as a relation.
const RELATION: &str = "write a table's name, a subquery in parentheses, or another call";

/// A call of one of the relations.
#[derive(Debug)]
pub(super) struct Call {
    /// Its name, one of [`NAMES`].
    pub(super) name: &'static str,
    /// Its relations, in order.
    pub(super) relations: Vec<Query>,
    options: BTreeMap<String, String>,
}

impl Call {
    /// Which of the relations it names, if any.
    pub(super) fn name(name: &ObjectName) -> Option<&'static str> {
        let [part] = name.0.as_slice() else { return None };
        let part = part.as_ident()?.value.to_ascii_lowercase();
        NAMES.into_iter().find(|known| **known == *part)
    }

    /// Reads the arguments of a call with so many relations. Options are texts and have one of the names `known`.
    pub(super) fn read(name: &'static str, args: Vec<FunctionArg>, relations: usize, known: &[&str]) -> Result<Self> {
        let mut call = Self { name, relations: Vec::new(), options: BTreeMap::new() };
        for arg in args {
            let shown = arg.to_string();
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query))) => call.relations.push(*query),
                FunctionArg::Named { name, arg, .. } => call.option(&name.value, &arg, known)?,
                FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => {
                    call.option(&name.value, &arg, known)?;
                }
                _ => return plan_err!("{name}: {shown} is no relation and has no name; {RELATION}"),
            }
        }
        if call.relations.len() != relations {
            let found = call.relations.len();
            return plan_err!("{name} takes {relations} and was given {found} relations; {}", usage(name));
        }
        Ok(call)
    }

    fn option(&mut self, name: &str, value: &FunctionArgExpr, known: &[&str]) -> Result<()> {
        if !known.contains(&name) {
            let remedy = suggest(name, known.iter().copied());
            return plan_err!("{}: there is no argument `{name}`; {remedy}", self.name);
        }
        let text = match value {
            FunctionArgExpr::Expr(Expr::Value(value)) => value.value.clone().into_string(),
            _ => None,
        };
        let Some(text) = text else {
            return plan_err!("{}: {name} => {value} is no text; write it in single quotes", self.name);
        };
        if self.options.insert(name.to_owned(), text).is_some() {
            return plan_err!("{}: {name} is given twice; keep one of them", self.name);
        }
        Ok(())
    }

    /// An option that may be left out.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// An option that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str> {
        match self.text(name) {
            Some(text) => Ok(text),
            None => plan_err!("{}: {name} is missing; {}", self.name, usage(self.name)),
        }
    }

    /// The entries of an option that lists some.
    pub(super) fn list(&self, name: &str) -> Result<Vec<&str>> {
        let entries: Vec<&str> = self.needed(name)?.split(',').map(str::trim).collect();
        if entries.contains(&"") {
            return plan_err!("{}: {name} has an empty entry; write them with a comma between two", self.name);
        }
        Ok(entries)
    }

    /// What an option means, or why it means nothing.
    pub(super) fn meant<T>(&self, name: &str, read: impl Fn(&str) -> std::result::Result<T, String>) -> Result<T> {
        let text = self.needed(name)?;
        read(text).or_else(|why| plan_err!("{}: {name}: {why}", self.name))
    }
}

/// How a call is written.
fn usage(name: &str) -> &'static str {
    match name {
        "nearest_join" => {
            "write nearest_join(left, right, tolerance => '500ms'), and direction => 'Nearest', 'Backward' or 'Forward', or \
             prefix => 'name', where wanted"
        }
        _ => "write look_back(relation, span => '42s', columns => 'a, b_*', statistics => 'mean, std, p95')",
    }
}

/// The name by which people know a relation: that of its only table, or its alias.
pub(super) fn name_of(query: &Query) -> Option<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return None };
    if !joins.is_empty() {
        return None;
    }
    match relation {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.value.clone())
        }
        TableFactor::Table { name, args: None, .. } => Some(name.0.last()?.as_ident()?.value.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> String {
        let statement = statements(sql).unwrap().remove(0);
        with_relations(statement).unwrap().to_string()
    }

    #[test]
    fn names_and_calls_become_subqueries() {
        assert_eq!(
            rewritten("SELECT * FROM nearest_join(a, x.b, tolerance => '1s')"),
            "SELECT * FROM nearest_join((SELECT * FROM a), (SELECT * FROM x.b), tolerance => '1s')"
        );
        assert_eq!(
            rewritten("SELECT 1 FROM look_back(nearest_join('a', (SELECT * FROM b)), span => '1s')"),
            "SELECT 1 FROM look_back((SELECT * FROM nearest_join((SELECT * FROM a), (SELECT * FROM b))), span => '1s')"
        );
        assert_eq!(rewritten("SELECT * FROM generate_series(1, 2)"), "SELECT * FROM generate_series(1, 2)");
    }

    #[test]
    fn what_is_no_relation_is_refused() {
        let statement = statements("SELECT * FROM nearest_join(a, 3)").unwrap().remove(0);
        assert!(with_relations(statement).unwrap_err().to_string().contains("3 is no relation; write a table's name"));
    }
}
