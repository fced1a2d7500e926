//! What a condition says about robot and time: enough to leave files and members unread. Whoever uses it still asks the
//! condition itself.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use pipeline::time::{DAY_NS, MICRO_NS, MILLI_NS, SECOND_NS, Span};
use std::collections::BTreeSet;

/// Name of the column with a robot's name.
pub(super) const ROBOT: &str = "robot";
/// Name of the column with a row's time.
pub(super) const TIME: &str = "time";
/// Name of the column with a row's UTC day.
const DATE: &str = "date";

/// The rows that may fulfil a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of these robots; `None`: of any.
    pub robots: Option<BTreeSet<String>>,
    /// With times in this span.
    pub span: Span,
}

impl Wanted {
    /// All rows.
    pub const ALL: Self = Self { robots: None, span: Span::ALL };

    /// What all of some conditions together allow.
    pub fn by<'a>(conditions: impl IntoIterator<Item = &'a Expr>) -> Self {
        let mut wanted = Self::ALL;
        for condition in conditions.into_iter().flat_map(split_conjunction) {
            wanted.narrow(condition);
        }
        wanted
    }

    /// Whether a condition says anything that is understood here.
    pub fn understands(condition: &Expr) -> bool {
        Self::by([condition]) != Self::ALL
    }

    /// Whether rows of the robot are wanted.
    pub fn holds_robot(&self, robot: &str) -> bool {
        self.robots.as_ref().is_none_or(|robots| robots.contains(robot))
    }

    fn narrow(&mut self, condition: &Expr) {
        if let Some(more) = robots(condition) {
            self.robots = Some(match self.robots.take() {
                Some(robots) => robots.intersection(&more).cloned().collect(),
                None => more,
            });
        }
        if let Some(bound) = Bound::of(condition) {
            let Span { from_ns, to_ns } = bound.span();
            let from_ns = self.span.from_ns.max(from_ns);
            self.span = Span { from_ns, to_ns: self.span.to_ns.min(to_ns).max(from_ns) };
        }
    }
}

/// The robots that a condition allows: `robot = 'a'`, `robot IN ('a', 'b')`, and such with OR between them.
fn robots(condition: &Expr) -> Option<BTreeSet<String>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(robots(left)?.union(&robots(right)?).cloned().collect())
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let name = match (is_column(left, ROBOT), is_column(right, ROBOT)) {
                (true, false) => text(right)?,
                (false, true) => text(left)?,
                _ => return None,
            };
            Some(BTreeSet::from([name]))
        }
        Expr::InList(list) if !list.negated && is_column(&list.expr, ROBOT) => list.list.iter().map(text).collect(),
        _ => None,
    }
}

fn is_column(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Column(column) if column.name == name)
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            text.clone()
        }
        _ => None,
    }
}

/// A bound on the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    op: Operator,
    /// The first instant of what is compared with, ns.
    first_ns: i64,
    /// The first instant after it, ns: an instant is itself, a day lasts.
    after_ns: i64,
}

impl Bound {
    /// What a comparison with a constant says about the time.
    pub(super) fn of(condition: &Expr) -> Option<Self> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
        let (column, op, constant) = match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), constant) => (column, *op, constant),
            (constant, Expr::Column(column)) => (column, op.swap()?, constant),
            _ => return None,
        };
        let Expr::Literal(constant, _) = constant else { return None };
        let known = matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
        let (first_ns, length_ns) = match column.name.as_str() {
            _ if !known => return None,
            TIME => (instant_ns(constant)?, 1),
            DATE => (day_ns(constant)?, DAY_NS),
            _ => return None,
        };
        Some(Self { op, first_ns, after_ns: first_ns.saturating_add(length_ns) })
    }

    /// The times that it allows.
    pub(super) fn span(self) -> Span {
        let Self { op, first_ns, after_ns } = self;
        let (from_ns, to_ns) = match op {
            Operator::Lt => (i64::MIN, first_ns),
            Operator::LtEq => (i64::MIN, after_ns),
            Operator::Gt => (after_ns, i64::MAX),
            Operator::GtEq => (first_ns, i64::MAX),
            _ => (first_ns, after_ns),
        };
        Span { from_ns, to_ns }
    }
}

/// A timestamp, ns; `None` where it is none, or beyond what ns can say.
fn instant_ns(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampSecond(Some(value), _) => value.checked_mul(SECOND_NS),
        ScalarValue::TimestampMillisecond(Some(value), _) => value.checked_mul(MILLI_NS),
        ScalarValue::TimestampMicrosecond(Some(value), _) => value.checked_mul(MICRO_NS),
        ScalarValue::TimestampNanosecond(Some(value), _) => Some(*value),
        _ => None,
    }
}

fn day_ns(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Date32(Some(days)) => i64::from(*days).checked_mul(DAY_NS),
        _ => None,
    }
}

/// An instant as a value of a timestamp column, rounded towards minus infinity; `None`: the column holds no timestamps.
pub(super) fn instant(ns: i64, column: &DataType) -> Option<ScalarValue> {
    let DataType::Timestamp(unit, zone) = column else { return None };
    let zone = zone.clone();
    Some(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(ns.div_euclid(SECOND_NS)), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(ns.div_euclid(MILLI_NS)), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(ns.div_euclid(MICRO_NS)), zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(ns), zone),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};

    fn at(second: i64) -> Expr {
        lit(ScalarValue::TimestampMillisecond(Some(second * 1000), Some("UTC".into())))
    }

    fn span(from_ns: i64, to_ns: i64) -> Span {
        Span { from_ns, to_ns }
    }

    fn named(names: &[&str]) -> Option<BTreeSet<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn bounds_of_time_make_a_half_open_span() {
        let time = || col("time");
        let of = |condition: Expr| Wanted::by([&condition]).span;
        assert_eq!(of(time().gt_eq(at(1)).and(time().lt(at(2)))), span(SECOND_NS, 2 * SECOND_NS));
        assert_eq!(of(time().gt(at(1)).and(time().lt_eq(at(2)))), span(SECOND_NS + 1, 2 * SECOND_NS + 1));
        assert_eq!(of(at(1).lt_eq(time())), span(SECOND_NS, i64::MAX));
        assert_eq!(of(time().eq(at(3))), span(3 * SECOND_NS, 3 * SECOND_NS + 1));
        assert_eq!(of(col("date").eq(lit(ScalarValue::Date32(Some(2))))), span(2 * DAY_NS, 3 * DAY_NS));
        let never = of(time().lt(at(1)).and(time().gt(at(2))));
        assert!(never.from_ns >= never.to_ns);
    }

    #[test]
    fn robots_are_those_that_all_conditions_allow() {
        let robot = |name: &str| col("robot").eq(lit(name));
        let of = |condition: Expr| Wanted::by([&condition]).robots;
        assert_eq!(of(robot("a").or(lit("b").eq(col("robot")))), named(&["a", "b"]));
        assert_eq!(of(col("robot").in_list(vec![lit("a"), lit("b")], false).and(robot("b"))), named(&["b"]));
        assert_eq!(of(robot("a").and(robot("b"))), named(&[]));
    }

    #[test]
    fn what_is_not_understood_narrows_nothing() {
        for condition in [
            col("robot").not_eq(lit("a")),
            col("robot").in_list(vec![lit("a")], true),
            col("robot").eq(lit("a")).or(col("speed").gt(lit(1))),
            col("time").gt(col("known")),
            col("time").not_eq(at(1)),
            col("speed").gt(lit(1)),
        ] {
            assert!(!Wanted::understands(&condition), "{condition}");
        }
    }
}
