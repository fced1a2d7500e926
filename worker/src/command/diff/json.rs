//! A comparison as JSON for programs. Lists hold the largest, at most as many as the summary keeps; `robotDays` and `shifted`
//! say how many there are, and `--parquet` writes all.

use super::Compared;
use crate::present::type_word;
use serde_json::{Value, json};
use table::diff::{Change, ColumnSummary, RobotDay, RowCounts, SchemaChange, Shift, Statistics, Value as CellValue};
use table::moments::{Moments, mean_shift};

impl Compared<'_> {
    /// All of it, ending in a newline.
    pub(super) fn json(&self) -> String {
        let summary = self.diff.summary();
        let columns = summary.columns.iter().enumerate().map(|(at, column)| column_json(self.column(at), column));
        let changes = summary.changes();
        let json = json!({
            "table": self.table,
            "before": self.before,
            "after": self.after,
            "schema": self.diff.schema().iter().map(schema_json).collect::<Value>(),
            "days": {"compared": summary.days_compared, "same": summary.days_same},
            "rows": rows_json(&summary.rows),
            "robotDays": summary.robot_days,
            "largestDays": summary.days.iter().map(day_json).collect::<Value>(),
            "columns": columns.collect::<Value>(),
            "shifted": summary.shifted,
            "largestShifts": summary.shifts.iter().map(|shift| self.shift_json(shift)).collect::<Value>(),
            "largestChanges": changes.into_iter().map(|change| self.change_json(change)).collect::<Value>(),
        });
        format!("{json:#}\n")
    }

    fn shift_json(&self, shift: &Shift) -> Value {
        let (before, after) = (&shift.day.before, &shift.day.after);
        json!({
            "robot": shift.robot,
            "date": shift.date,
            "column": self.column(shift.column),
            "changed": shift.day.changed,
            "before": statistics_json(before),
            "after": statistics_json(after),
            "meanShift": shift_value(&before.moments, &after.moments),
        })
    }

    fn change_json(&self, change: &Change) -> Value {
        json!({
            "robot": change.robot,
            "time": CellValue::TimeUs(change.time_us).to_string(),
            "rowKind": Some(&change.kind).filter(|kind| !kind.is_empty()),
            "column": self.column(change.column),
            "before": change.before.json(),
            "after": change.after.json(),
            "size": change.size,
        })
    }
}

fn schema_json(change: &SchemaChange) -> Value {
    let (column, word, before, after) = match change {
        SchemaChange::Added(name, kind) => (name, "added", None, Some(type_word(kind))),
        SchemaChange::Removed(name, kind) => (name, "removed", Some(type_word(kind)), None),
        SchemaChange::Type(name, before, after) => (name, "type", Some(type_word(before)), Some(type_word(after))),
        SchemaChange::Unit(name, before, after) => (name, "unit", Some(before.clone()), Some(after.clone())),
    };
    json!({"column": column, "change": word, "before": before, "after": after})
}

fn rows_json(rows: &RowCounts) -> Value {
    json!({
        "before": rows.before,
        "after": rows.after,
        "added": rows.added,
        "removed": rows.removed,
        "changed": rows.changed,
    })
}

fn day_json(day: &RobotDay) -> Value {
    json!({"robot": day.robot, "date": day.date, "rows": rows_json(&day.rows)})
}

fn column_json(name: &str, column: &ColumnSummary) -> Value {
    json!({
        "column": name,
        "changed": column.changed,
        "before": moments_json(&column.before),
        "after": moments_json(&column.after),
        "meanShift": shift_value(&column.before, &column.after),
    })
}

fn moments_json(moments: &Moments) -> Value {
    json!({"nullShare": moments.null_share(), "mean": moments.mean(), "std": moments.std()})
}

fn statistics_json(statistics: &Statistics) -> Value {
    let quantile = |at: usize| statistics.quantiles.map(|quantiles| quantiles[at]);
    let mut json = moments_json(&statistics.moments);
    for (at, name) in ["p05", "p50", "p95"].into_iter().enumerate() {
        json[name] = json!(quantile(at));
    }
    json
}

/// In standard deviations before; text where the column was constant and is again.
fn shift_value(before: &Moments, after: &Moments) -> Value {
    match mean_shift(before, after) {
        Some(shift) if shift.is_infinite() => "constant".into(),
        shift => json!(shift),
    }
}
