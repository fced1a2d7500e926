//! What a whole comparison comes to, in bounded memory: sums per column, the largest shifts and changes. Pure.

use super::compare::{Change, ColumnDay, RobotDay, RowCounts, keep};
use crate::moments::{Moments, mean_shift};

/// Robots' days kept, those with the most rows that differ.
const DAYS_KEPT: usize = 100;

/// Shifts kept, the largest.
const SHIFTS_KEPT: usize = 100;

/// What was found in all parts that were read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Days with files that differ.
    pub days_compared: u64,
    /// Days whose files are the same in both versions: they were not read.
    pub days_same: u64,
    /// Rows of the robots' days that differ.
    pub rows: RowCounts,
    /// Robots' days that differ.
    pub robot_days: u64,
    /// Those with the most added, removed and changed rows, the most first, without their columns.
    pub days: Vec<RobotDay>,
    /// The columns that were compared, over all robots' days that differ.
    pub columns: Vec<ColumnSummary>,
    /// Robots' days and columns with a shift.
    pub shifted: u64,
    /// The largest shifts, the largest first.
    pub shifts: Vec<Shift>,
    changes: Vec<Vec<Change>>,
}

/// One column over all robots' days that differ.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ColumnSummary {
    /// Rows of both versions whose value differs.
    pub changed: u64,
    /// Before.
    pub before: Moments,
    /// After.
    pub after: Moments,
}

/// How the values of a column shifted on a robot's day.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// The robot.
    pub robot: String,
    /// The UTC day, `YYYY-MM-DD`.
    pub date: String,
    /// Index of the column among the compared.
    pub column: usize,
    /// Its statistics.
    pub day: ColumnDay,
}

impl Shift {
    /// What shifts are ordered by: how far the mean went in standard deviations before, or the change of the share of nulls,
    /// whichever is larger. 0 where rows were only added or only removed.
    pub fn size(&self) -> f64 {
        let (before, after) = (&self.day.before.moments, &self.day.after.moments);
        let nulls = before.null_share().zip(after.null_share()).map_or(0.0, |(then, now)| (now - then).abs());
        mean_shift(before, after).unwrap_or(0.0).max(nulls)
    }
}

impl Summary {
    pub(super) fn new(columns: usize, days_compared: u64, days_same: u64) -> Self {
        Self {
            days_compared,
            days_same,
            columns: vec![ColumnSummary::default(); columns],
            changes: vec![Vec::new(); columns],
            ..Self::default()
        }
    }

    /// The largest changes of each column, over all the largest first; those that have no size come last.
    pub fn changes(&self) -> Vec<&Change> {
        let mut changes: Vec<&Change> = self.changes.iter().flatten().collect();
        changes.sort_by(|one, other| {
            let size = |change: &Change| change.size.unwrap_or(-1.0);
            size(other).total_cmp(&size(one))
        });
        changes
    }

    pub(super) fn keep(&mut self, changes: Vec<Change>) {
        for change in changes {
            let size = change.size;
            keep(&mut self.changes[change.column], size, || change);
        }
    }

    pub(super) fn add(&mut self, day: &RobotDay) {
        self.robot_days += 1;
        self.rows.add(&day.rows);
        for (sum, column) in self.columns.iter_mut().zip(&day.columns) {
            sum.changed += column.changed;
            sum.before = sum.before.join(column.before.moments);
            sum.after = sum.after.join(column.after.moments);
        }
        self.add_day(day);
        self.add_shifts(day);
    }

    fn add_day(&mut self, day: &RobotDay) {
        let differ = |day: &RobotDay| day.rows.added + day.rows.removed + day.rows.changed;
        let at = self.days.partition_point(|other| differ(other) >= differ(day));
        if at < DAYS_KEPT {
            self.days.insert(at, RobotDay { columns: Vec::new(), ..day.clone() });
            self.days.truncate(DAYS_KEPT);
        }
    }

    fn add_shifts(&mut self, day: &RobotDay) {
        for (column, day_column) in day.columns.iter().enumerate() {
            let shift = Shift { robot: day.robot.clone(), date: day.date.clone(), column, day: *day_column };
            let size = shift.size();
            if size == 0.0 {
                continue;
            }
            self.shifted += 1;
            let at = self.shifts.partition_point(|other| other.size().total_cmp(&size).is_ge());
            if at < SHIFTS_KEPT {
                self.shifts.insert(at, shift);
                self.shifts.truncate(SHIFTS_KEPT);
            }
        }
    }
}
