//! SQL text to a typed, row-wise expression, and its evaluation with row failures. Knows no pipeline: names come in as a
//! [`Scope`], values as a batch laid out like it.
//!
//! ```text
//! text --parse--> AST --names, refusals--> AST --DataFusion--> Expr --coerce, guard, simplify--> PhysicalExpr
//! ```
//!
//! Semantics, "Expressions": immutable scalar functions only; a row whose evaluation fails is null and counted; a NaN
//! result is null and counted; infinities are values. Dividing by zero fails for floats too, and so does an overflow of
//! `int64` arithmetic: a number that is silently wrong is worse than a null that is counted.

mod divisor;
mod names;
mod pinned;
mod scope;

pub(crate) use scope::Scope;

use crate::schema::arrow_type;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, Operator, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::expressions::BinaryExpr;
use datafusion::prelude::SessionConfig;
use datafusion::sql::sqlparser::ast::ExprWithAlias;
use pipeline::spec::ColumnType;
use std::ops::Range;
use std::sync::Arc;

/// Why a text is not an expression we compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Line and column in the text, from 1; `None`: the whole of it.
    pub(crate) at: Option<(u64, u64)>,
    /// What is wrong, a clause without a full stop.
    pub(crate) what: String,
    /// What to write instead.
    pub(crate) instead: String,
}

/// What an expression is for: it decides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `when` and `where`: true, false or null.
    Condition,
    /// `derive`: any type that a column can have.
    Value,
}

/// The DataFusion session that plans expressions: functions and rules, no tables.
pub(crate) struct Sql {
    state: SessionState,
}

/// A typed expression over the columns of a [`Scope`].
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: String,
    physical: Arc<dyn PhysicalExpr>,
    column_type: ColumnType,
    fields: Vec<usize>,
}

/// The values of an expression, a value per row.
#[derive(Debug, Clone)]
pub(crate) struct Evaluated {
    /// Nulls where a row failed or was NaN.
    pub(crate) values: ArrayRef,
    /// Rows whose evaluation failed, ascending.
    pub(crate) failed: Vec<usize>,
    /// Rows whose result was NaN, ascending.
    pub(crate) nan: Vec<usize>,
}

impl Sql {
    /// A session with DataFusion's default functions, pinned; identifiers keep their case, strings are `Utf8`.
    pub(crate) fn new() -> Self {
        let config = SessionConfig::new()
            .set_bool("datafusion.sql_parser.enable_ident_normalization", false)
            .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
            .set_bool("datafusion.sql_parser.collect_spans", true);
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        // Which functions there are is DataFusion's version alone.
        pinned::pin(&mut state).unwrap_or_else(|error| panic!("DataFusion has all functions that are pinned: {error}"));
        Self { state }
    }

    /// Types `text` over `scope`. All unknown names and refused functions are reported at once, type mistakes after them.
    pub(crate) fn expression(&self, text: &str, scope: &Scope, purpose: Purpose) -> Result<Expression, Vec<Refusal>> {
        let resolved = names::resolve(text, scope, &self.state)?;
        self.typed(text, resolved, scope, purpose).map_err(|refusal| vec![refusal])
    }

    fn typed(
        &self,
        text: &str,
        resolved: names::Resolved,
        scope: &Scope,
        purpose: Purpose,
    ) -> Result<Expression, Refusal> {
        let schema = scope.schema();
        let sql = ExprWithAlias { expr: resolved.expr, alias: None };
        let expr = self.state.create_logical_expr_from_sql_expr(sql, schema).map_err(|e| planning(&e))?;
        refuse_what_is_left(&expr)?;
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(self.state.config_options()))
            .build();
        let simplifier = ExprSimplifier::new(context);
        let expr = simplifier.coerce(expr, schema).map_err(|e| planning(&e))?;
        let column_type = result_type(&expr, schema, purpose)?;
        let expr = divisor::guard(expr, schema).map_err(|e| planning(&e))?;
        let expr = simplifier.simplify(cast_to(expr, schema, column_type)?).map_err(|e| planning(&e))?;
        let physical = self.state.create_physical_expr(expr, schema).map_err(|e| planning(&e))?;
        let physical = fail_on_overflow(physical).map_err(|e| planning(&e))?;
        Ok(Expression { text: text.to_owned(), physical, column_type, fields: resolved.fields })
    }
}

impl Expression {
    /// The type of its values.
    pub(crate) fn column_type(&self) -> ColumnType {
        self.column_type
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Indices of the scope's fields that it reads, ascending.
    pub(crate) fn fields(&self) -> &[usize] {
        &self.fields
    }

    /// For DataFusion's walk over a plan's expressions.
    pub(crate) fn physical(&self) -> &Arc<dyn PhysicalExpr> {
        &self.physical
    }

    /// A value per row of `batch`, whose first columns are the scope's fields.
    ///
    /// The whole batch is tried first; only when that fails is it halved down to the rows that fail, so a clean batch
    /// costs one evaluation. Every function is row-wise, so halving changes no value.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> Evaluated {
        let mut pieces = Vec::new();
        let mut failed = Vec::new();
        self.evaluate_range(batch, 0..batch.num_rows(), &mut pieces, &mut failed);
        let values = join_pieces(pieces, self.column_type);
        let (values, nan) = without_nan(values);
        Evaluated { values, failed, nan }
    }

    fn evaluate_range(
        &self,
        batch: &RecordBatch,
        rows: Range<usize>,
        pieces: &mut Vec<ArrayRef>,
        failed: &mut Vec<usize>,
    ) {
        let part = batch.slice(rows.start, rows.len());
        match self.physical.evaluate(&part).and_then(|value| value.into_array(rows.len())) {
            Ok(values) => pieces.push(values),
            Err(_) if rows.len() <= 1 => {
                pieces.push(new_null_array(&arrow_type(self.column_type), rows.len()));
                failed.extend(rows);
            }
            Err(_) => {
                let middle = rows.start + rows.len() / 2;
                self.evaluate_range(batch, rows.start..middle, pieces, failed);
                self.evaluate_range(batch, middle..rows.end, pieces, failed);
            }
        }
    }
}

fn join_pieces(mut pieces: Vec<ArrayRef>, column_type: ColumnType) -> ArrayRef {
    if pieces.len() == 1 {
        return pieces.swap_remove(0);
    }
    let parts: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    let rows = pieces.iter().map(|piece| piece.len()).sum();
    // The pieces come from one expression, so their types are equal and `concat` cannot fail.
    concat(&parts).unwrap_or_else(|_| new_null_array(&arrow_type(column_type), rows))
}

/// NaN becomes null; the rows where it did.
fn without_nan(values: ArrayRef) -> (ArrayRef, Vec<usize>) {
    let Some(floats) = values.as_primitive_opt::<Float64Type>() else { return (values, Vec::new()) };
    let nan: Vec<usize> = (0..floats.len()).filter(|&i| floats.is_valid(i) && floats.value(i).is_nan()).collect();
    if nan.is_empty() {
        return (values, nan);
    }
    let kept: Float64Array = floats.iter().map(|value| value.filter(|v| !v.is_nan())).collect();
    (Arc::new(kept), nan)
}

/// The column type that an expression's values take; refuses what no column can hold.
fn result_type(expr: &Expr, schema: &DFSchema, purpose: Purpose) -> Result<ColumnType, Refusal> {
    let data_type = expr.get_type(schema).map_err(|e| planning(&e))?;
    if purpose == Purpose::Condition {
        return match data_type {
            DataType::Boolean => Ok(ColumnType::Bool),
            other => Err(Refusal {
                at: None,
                what: format!("a condition must be true or false, and this is {}", type_word(&other)),
                instead: "compare it: `… > 0`, `… = 'text'`, `… IS NOT NULL`".to_owned(),
            }),
        };
    }
    use DataType::{
        Boolean, Decimal32, Decimal64, Decimal128, Decimal256, Float16, Float32, Float64, Int8, Int16, Int32, Int64,
        LargeUtf8, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    match data_type {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Ok(ColumnType::Int64),
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => {
            Ok(ColumnType::Float64)
        }
        Boolean => Ok(ColumnType::Bool),
        Utf8 | LargeUtf8 | Utf8View => Ok(ColumnType::String),
        Timestamp(..) => Ok(ColumnType::Timestamp),
        other => Err(Refusal {
            at: None,
            what: format!("no column can hold a value of type {}", type_word(&other)),
            instead: "make it a number, text, boolean or timestamp: `CAST(… AS DOUBLE)`, `CAST(… AS TIMESTAMP)`, \
                      `date_part('epoch', …)`"
                .to_owned(),
        }),
    }
}

fn type_word(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Null => "always null".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        other if other.is_numeric() => format!("a number ({other})"),
        other => other.to_string(),
    }
}

fn cast_to(expr: Expr, schema: &DFSchema, column_type: ColumnType) -> Result<Expr, Refusal> {
    let target = arrow_type(column_type);
    if expr.get_type(schema).map_err(|e| planning(&e))? == target {
        return Ok(expr);
    }
    Ok(Expr::Cast(Cast::new(Box::new(expr), target)))
}

/// A second look after planning: whatever the walk over the words did not see must still be immutable and scalar.
fn refuse_what_is_left(expr: &Expr) -> Result<(), Refusal> {
    let mut found = None;
    expr.apply(|node| {
        let what = match node {
            Expr::ScalarFunction(f) if f.func.signature().volatility != Volatility::Immutable => {
                format!("`{}` does not always give the same value", f.func.name())
            }
            Expr::AggregateFunction(f) => format!("`{}` is an aggregate", f.func.name()),
            Expr::WindowFunction(f) => format!("`{}` is a window function", f.fun.name()),
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) => "a subquery".to_owned(),
            Expr::Placeholder(_) | Expr::ScalarVariable(..) => "a parameter".to_owned(),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        found = Some(what);
        Ok(TreeNodeRecursion::Stop)
    })
    .map_err(|e| planning(&e))?;
    match found {
        None => Ok(()),
        Some(what) => Err(Refusal { at: None, what, instead: names::ROW_ONLY.to_owned() }),
    }
}

/// `int64` sums, differences and products that overflow fail their row instead of wrapping.
fn fail_on_overflow(physical: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let checked = physical.transform_up(|node| {
        let Some(binary) = node.downcast_ref::<BinaryExpr>() else { return Ok(Transformed::no(node)) };
        if !matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply) {
            return Ok(Transformed::no(node));
        }
        let checked = BinaryExpr::new(Arc::clone(binary.left()), *binary.op(), Arc::clone(binary.right()))
            .with_fail_on_overflow(true);
        Ok(Transformed::yes(Arc::new(checked) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(checked.data)
}

/// DataFusion's own words for what it cannot plan, without its prefixes.
fn planning(error: &DataFusionError) -> Refusal {
    let at = error.diagnostic().and_then(|d| d.span).map(|span| (span.start.line, span.start.column));
    let message = error.find_root().message();
    let what = message.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
    Refusal { at, what, instead: "make the types fit, if need be with `CAST(… AS …)`".to_owned() }
}

#[cfg(test)]
mod tests;
