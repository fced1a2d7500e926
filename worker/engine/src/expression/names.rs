//! The walk over an expression's words before DataFusion sees them: names are resolved, and what depends on more than
//! the row itself is refused, each with its place. All of it at once.

use super::{Refusal, Scope};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::Volatility;
use datafusion::sql::sqlparser::ast::{Expr, Function, Ident, Query, Spanned, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Span, Token};
use pipeline::name::nearest;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Longest text: far above what a person writes, far below what a parser's stack holds.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Deepest nesting, operators in a row included: DataFusion's planning recurses, on stacks of 2 MiB.
const DEPTH_MAX: usize = 100;
/// Nesting of parentheses and the like while parsing.
const PARSER_RECURSION_MAX: usize = 50;

/// The remedy for everything that is no function of the row alone.
pub(super) const ROW_ONLY: &str =
    "use only what the row holds: its columns, constants and functions that always give the same value for them";

/// An expression whose identifiers are the scope's own field names, quoted.
pub(super) struct Resolved {
    pub(super) expr: Expr,
    /// Fields read, ascending.
    pub(super) fields: Vec<usize>,
}

/// Parses `text` and resolves its names. Errors: every unknown name and refused word, or the one syntax error.
pub(super) fn resolve(text: &str, scope: &Scope, state: &SessionState) -> Result<Resolved, Vec<Refusal>> {
    let mut expr = parse(text).map_err(|refusal| vec![refusal])?;
    let mut walk = Walk { scope, state, refusals: Vec::new(), fields: BTreeSet::new(), depth: 0 };
    let _ = VisitMut::visit(&mut expr, &mut walk);
    if !walk.refusals.is_empty() {
        return Err(walk.refusals);
    }
    Ok(Resolved { expr, fields: walk.fields.into_iter().collect() })
}

fn parse(text: &str) -> Result<Expr, Refusal> {
    if text.trim().is_empty() {
        return Err(refusal(None, "the expression is empty", "write an SQL expression such as `abs(speed.mps)`"));
    }
    if text.len() > TEXT_BYTES_MAX {
        let what = format!("the expression is longer than {TEXT_BYTES_MAX} bytes");
        return Err(refusal(None, what, "split it into several `derive` entries"));
    }
    let syntax = |e: datafusion::sql::sqlparser::parser::ParserError| {
        let words = e.to_string();
        let words = words.trim_start_matches("sql parser error: ").to_owned();
        refusal(None, words, "write one SQL expression, such as `abs(speed.mps) > 0.5`")
    };
    let mut parser = Parser::new(&GenericDialect {})
        .with_recursion_limit(PARSER_RECURSION_MAX)
        .try_with_sql(text)
        .map_err(syntax)?;
    let expr = parser.parse_expr().map_err(syntax)?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let what = format!("`{}` is left over after the expression", next.token);
        return Err(refusal(place(next.span), what, "write exactly one SQL expression"));
    }
    Ok(expr)
}

struct Walk<'a> {
    scope: &'a Scope,
    state: &'a SessionState,
    refusals: Vec<Refusal>,
    fields: BTreeSet<usize>,
    depth: usize,
}

impl VisitorMut for Walk<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.refusals.push(refusal(place(query.span()), "a subquery is not a function of the row", ROW_ONLY));
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let what = format!("the expression is nested deeper than {DEPTH_MAX}");
            self.refusals.push(refusal(None, what, "split it into several `derive` entries"));
            return ControlFlow::Break(());
        }
        match expr {
            Expr::Identifier(ident) => {
                if let Some(own) = self.column(std::slice::from_ref(ident)) {
                    *ident = own;
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let Some(own) = self.column(parts) {
                    *expr = Expr::Identifier(own);
                }
            }
            Expr::Value(value) => {
                if let Value::Placeholder(name) = &value.value {
                    let what = format!("the parameter `{name}` has no value here");
                    self.refusals.push(refusal(place(value.span), what, "write the value itself"));
                }
            }
            Expr::Function(function) => self.function(function),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _expr: &mut Expr) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl Walk<'_> {
    /// The quoted own name of the column that `parts` mean, at their place; a refusal when there is none.
    fn column(&mut self, parts: &[Ident]) -> Option<Ident> {
        let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        let span = parts.first()?.span;
        match self.scope.find(&name) {
            Some(field) => {
                self.fields.insert(field);
                Some(Ident { value: self.scope.own_name(field).to_owned(), quote_style: Some('"'), span })
            }
            None => {
                let instead = match nearest(&name, self.scope.names()) {
                    Some(near) => format!("did you mean `{near}`? Columns here: {}", list(self.scope.names())),
                    None => format!("columns here: {}", list(self.scope.names())),
                };
                self.refusals.push(refusal(place(span), format!("there is no column `{name}`"), instead));
                None
            }
        }
    }

    fn function(&mut self, function: &Function) {
        let name = function.name.to_string().to_lowercase();
        let at = function.name.0.first().and_then(|part| part.as_ident()).and_then(|ident| place(ident.span));
        let scalar = self.state.scalar_functions().get(&name);
        let refused = if function.over.is_some() {
            refusal(at, format!("`{name}(…) OVER` is a window function: it sees other rows"), WINDOW)
        } else if let Some(scalar) = scalar {
            if scalar.signature().volatility == Volatility::Immutable {
                return;
            }
            let what = format!("`{name}()` does not always give the same value, so a row could never be made again");
            refusal(at, what, ROW_ONLY)
        } else if self.state.aggregate_functions().contains_key(&name) {
            refusal(at, format!("`{name}` is an aggregate: it sees other rows"), WINDOW)
        } else if self.state.window_functions().contains_key(&name) {
            refusal(at, format!("`{name}` is a window function: it sees other rows"), WINDOW)
        } else {
            let known = self.state.scalar_functions();
            let immutable = known.iter().filter(|(_, f)| f.signature().volatility == Volatility::Immutable);
            let instead = match nearest(&name, immutable.map(|(name, _)| name.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of {FUNCTIONS}"),
            };
            refusal(at, format!("there is no function `{name}`"), instead)
        };
        self.refusals.push(refused);
    }
}

/// What is linked of DataFusion's functions, by groups; the names are examples.
const FUNCTIONS: &str = "the functions of numbers (abs, sqrt, ln, power, round, atan2), text (lower, trim, substr, \
                         concat, strpos, length), dates and times (date_part, date_trunc, to_timestamp), regular expressions \
                         (regexp_like, regexp_replace), or conditions (CASE, coalesce, nullif, greatest, least)";

const WINDOW: &str = "for numbers over time use `windows` with `statistics`; here use only what the row holds";

fn refusal(at: Option<(u64, u64)>, what: impl Into<String>, instead: impl Into<String>) -> Refusal {
    Refusal { at, what: what.into(), instead: instead.into() }
}

/// Line and column of a span's start; `None` for the empty span that sqlparser uses for "unknown".
fn place(span: Span) -> Option<(u64, u64)> {
    (span.start.line > 0).then_some((span.start.line, span.start.column))
}

/// Names for a message: the first dozen of them.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN_MAX: usize = 12;
    let mut names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(SHOWN_MAX);
    names.truncate(SHOWN_MAX);
    let shown = names.join(", ");
    if more > 0 { format!("{shown}, and {more} more") } else { shown }
}
