//! The comparison itself: pairs of rows in, what differs per robot, day and column out. Pure.
//!
//! Rows are the same row when robot, time and `row_kind` are equal, the n-th of equal ones in one version being the n-th in
//! the other.

use super::merge::Row;
use crate::cell::{Cell, Value};
use crate::moments::Moments;
use std::collections::BTreeMap;

/// Changes kept of each column, the largest.
const CHANGES_KEPT: usize = 5;

/// Rows of two versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// In the version before.
    pub before: u64,
    /// In the version after.
    pub after: u64,
    /// Only after.
    pub added: u64,
    /// Only before.
    pub removed: u64,
    /// In both, with another value in some column.
    pub changed: u64,
}

impl RowCounts {
    /// Whether anything differs.
    pub fn differ(&self) -> bool {
        self.added + self.removed + self.changed > 0
    }

    pub(crate) fn add(&mut self, more: &Self) {
        self.before += more.before;
        self.after += more.after;
        self.added += more.added;
        self.removed += more.removed;
        self.changed += more.changed;
    }
}

/// One column of one robot's day in one version.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// Rows, nulls, mean, standard deviation.
    pub moments: Moments,
    /// p05, p50, p95 of the finite values of a number; `None` without any.
    pub quantiles: Option<[f64; 3]>,
}

/// One column of one robot's day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ColumnDay {
    /// Rows of both versions whose value differs.
    pub changed: u64,
    /// Before.
    pub before: Statistics,
    /// After.
    pub after: Statistics,
}

/// One robot's day, which differs.
#[derive(Debug, Clone, PartialEq)]
pub struct RobotDay {
    /// The robot.
    pub robot: String,
    /// The UTC day, `YYYY-MM-DD`.
    pub date: String,
    /// Its rows.
    pub rows: RowCounts,
    /// The compared columns, in their order.
    pub columns: Vec<ColumnDay>,
}

/// A value that changed, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The robot.
    pub robot: String,
    /// The row's time, µs since the epoch.
    pub time_us: i64,
    /// `event` or `control`; empty in tables without them.
    pub kind: String,
    /// Index of the column among the compared.
    pub column: usize,
    /// Before.
    pub before: Value,
    /// After.
    pub after: Value,
    /// How far a number went: in standard deviations that the column had on that robot's day before, or of its mean where it
    /// was constant; `None` where either is no number.
    pub size: Option<f64>,
}

/// Compares the rows of one part, robot by robot.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    robot: String,
    rows: RowCounts,
    columns: Vec<ColumnDay>,
    changes: Vec<Vec<Change>>,
}

impl Comparison {
    /// Of so many columns; nothing seen yet.
    pub(crate) fn new(columns: usize) -> Self {
        Self { columns: vec![ColumnDay::default(); columns], changes: vec![Vec::new(); columns], ..Self::default() }
    }

    /// The robot whose rows are being compared.
    pub(crate) fn robot(&self) -> &str {
        &self.robot
    }

    /// Compares all rows of one robot and time, in their order.
    pub(crate) fn group(&mut self, before: &[Row], after: &[Row]) {
        if let Some(first) = before.first().or(after.first())
            && first.robot() != self.robot
        {
            first.robot().clone_into(&mut self.robot);
        }
        for (before, after) in pairs(before, after) {
            self.pair(before, after);
        }
    }

    fn pair(&mut self, before: Option<&Row>, after: Option<&Row>) {
        self.rows.before += u64::from(before.is_some());
        self.rows.after += u64::from(after.is_some());
        match (before, after) {
            (Some(before), Some(after)) => self.both(before, after),
            (Some(row), None) => {
                self.rows.removed += 1;
                self.columns
                    .iter_mut()
                    .zip(row.cells())
                    .for_each(|(column, cells)| column.before.moments.add(cells.at(row.at())));
            }
            (None, Some(row)) => {
                self.rows.added += 1;
                self.columns
                    .iter_mut()
                    .zip(row.cells())
                    .for_each(|(column, cells)| column.after.moments.add(cells.at(row.at())));
            }
            (None, None) => {}
        }
    }

    fn both(&mut self, before: &Row, after: &Row) {
        let mut changed = false;
        let cells = before.cells().iter().zip(after.cells());
        for (index, (column, (then, now))) in self.columns.iter_mut().zip(cells).enumerate() {
            let (then, now) = (then.at(before.at()), now.at(after.at()));
            column.before.moments.add(then);
            column.after.moments.add(now);
            if then != now {
                changed = true;
                column.changed += 1;
                keep(&mut self.changes[index], way(then, now), || change(before, index, then, now));
            }
        }
        self.rows.changed += u64::from(changed);
    }

    /// Ends a robot's day: what differs in it, if anything, and its largest changes.
    pub(crate) fn take(&mut self, date: &str) -> Option<(RobotDay, Vec<Change>)> {
        let Self { robot, rows, columns, changes } = std::mem::replace(self, Self::new(self.columns.len()));
        if !rows.differ() {
            return None;
        }
        let measured = changes.into_iter().flatten().map(|change| {
            let scale = scale(&columns[change.column].before.moments);
            Change { size: change.size.map(|way| way / scale), ..change }
        });
        let changes = measured.collect();
        Some((RobotDay { robot, date: date.to_owned(), rows, columns }, changes))
    }
}

/// Pairs the rows of one robot and time: the n-th of a kind with the n-th of that kind.
fn pairs<'a>(before: &'a [Row], after: &'a [Row]) -> Vec<(Option<&'a Row>, Option<&'a Row>)> {
    if let ([before], [after]) = (before, after)
        && before.kind() == after.kind()
    {
        return vec![(Some(before), Some(after))];
    }
    let mut kinds: BTreeMap<&str, [Vec<&Row>; 2]> = BTreeMap::new();
    before.iter().for_each(|row| kinds.entry(row.kind()).or_default()[0].push(row));
    after.iter().for_each(|row| kinds.entry(row.kind()).or_default()[1].push(row));
    let both = |[before, after]: [Vec<&'a Row>; 2]| {
        let longest = before.len().max(after.len());
        (0..longest).map(move |nth| (before.get(nth).copied(), after.get(nth).copied())).collect::<Vec<_>>()
    };
    kinds.into_values().flat_map(both).collect()
}

/// How far a number went.
fn way(before: Cell<'_>, after: Cell<'_>) -> Option<f64> {
    Some((after.number()? - before.number()?).abs())
}

/// What a step of a column is measured by.
fn scale(before: &Moments) -> f64 {
    let mean = before.mean().map(f64::abs);
    before.std().into_iter().chain(mean).find(|scale| *scale > 0.0).unwrap_or(1.0)
}

fn change(row: &Row, column: usize, before: Cell<'_>, after: Cell<'_>) -> Change {
    Change {
        robot: row.robot().to_owned(),
        time_us: row.time_us(),
        kind: row.kind().to_owned(),
        column,
        before: before.value(),
        after: after.value(),
        size: way(before, after),
    }
}

/// Keeps the largest changes, the largest first; of equal ones the earlier.
pub(crate) fn keep(kept: &mut Vec<Change>, size: Option<f64>, change: impl FnOnce() -> Change) {
    let larger = |other: &Change| order(size).total_cmp(&order(other.size)).is_gt();
    let at = kept.iter().position(larger).unwrap_or(kept.len());
    if at < CHANGES_KEPT {
        kept.insert(at, change());
        kept.truncate(CHANGES_KEPT);
    }
}

/// What has no size comes after everything that has.
fn order(size: Option<f64>) -> f64 {
    size.unwrap_or(-1.0)
}
