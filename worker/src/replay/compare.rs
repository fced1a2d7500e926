//! Two sequences of rows compared bit for bit, in lockstep: where one has a row that the other has not, only that row counts.
//!
//! ```text
//! published    a1 a2 a3 a3 b1        rows are paired by robot and time; of equal ones the first with the first
//! recomputed   a1    a3 a3 b1 b2
//!              =  ⊖  =  =  ≠  ⊕
//! ```
//! Batches come in as they are read; nothing is held but one of each side.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use pipeline::time::{MICRO_NS, display};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What two sequences of rows come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Rows that are on both sides and equal in every column.
    pub(crate) equal: u64,
    /// Rows that are on both sides and differ.
    pub(crate) different: u64,
    /// Rows of the published side alone.
    pub(crate) only_published: u64,
    /// Rows of the recomputed side alone.
    pub(crate) only_recomputed: u64,
    /// Differing rows by column.
    pub(crate) columns: BTreeMap<String, u64>,
    /// Columns that are on one side only, or of another type there.
    pub(crate) odd_columns: Vec<String>,
    /// The first difference.
    pub(crate) first: Option<First>,
}

impl Comparison {
    /// Whether both sides are the same.
    pub(crate) fn is_equal(&self) -> bool {
        self.different + self.only_published + self.only_recomputed == 0 && self.odd_columns.is_empty()
    }
}

/// A difference, with its place. A side without the row has no value; null is `null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) robot: String,
    pub(crate) time: String,
    /// `None`: the whole row.
    pub(crate) column: Option<String>,
    pub(crate) published: Option<String>,
    pub(crate) recomputed: Option<String>,
}

/// One side: the batch at hand.
#[derive(Debug, Default)]
struct Side {
    batch: Option<RecordBatch>,
    at: usize,
    is_over: bool,
}

/// The comparison under way.
#[derive(Debug)]
pub(crate) struct Compare {
    /// Names of the columns that both sides have, of one type.
    common: Vec<String>,
    published: Side,
    recomputed: Side,
    found: Comparison,
}

impl Compare {
    /// Nothing compared yet.
    pub(crate) fn new(published: &SchemaRef, recomputed: &SchemaRef) -> Self {
        let kind = |schema: &SchemaRef, name: &str| -> Option<DataType> {
            schema.field_with_name(name).ok().map(|field| field.data_type().clone())
        };
        let (mut common, mut odd_columns) = (Vec::new(), Vec::new());
        let added = recomputed.fields().iter().filter(|field| kind(published, field.name()).is_none());
        for field in published.fields().iter().chain(added) {
            let name = field.name();
            let same = kind(published, name) == kind(recomputed, name);
            if same { common.push(name.clone()) } else { odd_columns.push(name.clone()) }
        }
        let found = Comparison { odd_columns, ..Comparison::default() };
        Self { common, published: Side::default(), recomputed: Side::default(), found }
    }

    /// Whether a published batch must come before the next step.
    pub(crate) fn wants_published(&self) -> bool {
        self.published.wants()
    }

    /// Whether a recomputed batch must.
    pub(crate) fn wants_recomputed(&self) -> bool {
        self.recomputed.wants()
    }

    /// The next published batch; `None`: there is no more of this day.
    pub(crate) fn published(&mut self, batch: Option<RecordBatch>) {
        self.published.take(batch);
    }

    /// The next recomputed batch; `None`: there is no more of this day.
    pub(crate) fn recomputed(&mut self, batch: Option<RecordBatch>) {
        self.recomputed.take(batch);
    }

    /// Compares as far as both batches reach. False when both sides are over; then another day may begin.
    pub(crate) fn step(&mut self) -> Result<bool, ArrowError> {
        match (self.published.rest(), self.recomputed.rest()) {
            (0, 0) if self.published.is_over && self.recomputed.is_over => {
                (self.published, self.recomputed) = (Side::default(), Side::default());
                return Ok(false);
            }
            (0, 0) => {}
            (0, _) if self.published.is_over => self.lone_recomputed(),
            (_, 0) if self.recomputed.is_over => self.lone_published(),
            (0, _) | (_, 0) => {}
            (before, now) => self.together(before.min(now))?,
        }
        Ok(true)
    }

    /// What was found.
    pub(crate) fn finish(self) -> Comparison {
        self.found
    }

    /// Compares rows that both sides have at hand: all at once where they are equal, else one after the other.
    fn together(&mut self, rows: usize) -> Result<(), ArrowError> {
        let is_equal = |name: &String| match (self.published.part(name, rows), self.recomputed.part(name, rows)) {
            (Some(before), Some(now)) => before.to_data() == now.to_data(),
            _ => false,
        };
        if self.common.iter().all(is_equal) {
            self.found.equal += rows as u64;
            self.published.at += rows;
            self.recomputed.at += rows;
            return Ok(());
        }
        let (before_end, now_end) = (self.published.at + rows, self.recomputed.at + rows);
        while self.published.at < before_end && self.recomputed.at < now_end {
            match self.published.place().cmp(&self.recomputed.place()) {
                Ordering::Less => self.lone_published(),
                Ordering::Greater => self.lone_recomputed(),
                Ordering::Equal => self.pair()?,
            }
        }
        Ok(())
    }

    /// Compares one row with one.
    fn pair(&mut self) -> Result<(), ArrowError> {
        let mut differs = false;
        for name in &self.common {
            let (Some(before), Some(now)) = (self.published.part(name, 1), self.recomputed.part(name, 1)) else {
                continue;
            };
            if before.to_data() == now.to_data() {
                continue;
            }
            differs = true;
            *self.found.columns.entry(name.clone()).or_default() += 1;
            if self.found.first.is_none() {
                let (robot, time) = self.published.named_place();
                let (published, recomputed) = (Some(cell_text(&before)?), Some(cell_text(&now)?));
                self.found.first = Some(First { robot, time, column: Some(name.clone()), published, recomputed });
            }
        }
        if differs {
            self.found.different += 1
        } else {
            self.found.equal += 1
        }
        self.published.at += 1;
        self.recomputed.at += 1;
        Ok(())
    }

    fn lone_published(&mut self) {
        let (robot, time) = self.published.named_place();
        let first = First { robot, time, column: None, published: Some("a row".into()), recomputed: None };
        self.found.first.get_or_insert(first);
        self.found.only_published += 1;
        self.published.at += 1;
    }

    fn lone_recomputed(&mut self) {
        let (robot, time) = self.recomputed.named_place();
        let first = First { robot, time, column: None, published: None, recomputed: Some("a row".into()) };
        self.found.first.get_or_insert(first);
        self.found.only_recomputed += 1;
        self.recomputed.at += 1;
    }
}

impl Side {
    fn wants(&self) -> bool {
        !self.is_over && self.rest() == 0
    }

    fn take(&mut self, batch: Option<RecordBatch>) {
        self.is_over = batch.is_none();
        self.batch = batch;
        self.at = 0;
    }

    /// How many rows of the batch at hand are left.
    fn rest(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.num_rows() - self.at)
    }

    /// Some of a column from the row at hand on.
    fn part(&self, name: &str, rows: usize) -> Option<ArrayRef> {
        Some(self.batch.as_ref()?.column_by_name(name)?.slice(self.at, rows))
    }

    /// Robot and time (µs) of the row at hand.
    fn place(&self) -> (&str, i64) {
        let column = |name: &str| self.batch.as_ref().and_then(|batch| batch.column_by_name(name));
        let robot = column("robot").and_then(|column| column.as_string_opt::<i32>());
        let time = column("time").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        (robot.map_or("", |robots| robots.value(self.at)), time.map_or(0, |times| times.value(self.at)))
    }

    fn named_place(&self) -> (String, String) {
        let (robot, time_us) = self.place();
        (robot.to_owned(), display(time_us.saturating_mul(MICRO_NS)))
    }
}

/// The one value of an array; null is `null`.
pub(crate) fn cell_text(cell: &ArrayRef) -> Result<String, ArrowError> {
    let options = FormatOptions::new().with_null("null");
    Ok(ArrayFormatter::try_new(cell.as_ref(), &options)?.value(0).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    type Row = (&'static str, i64, f64);

    fn batch(rows: &[Row]) -> RecordBatch {
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1)).with_timezone("UTC");
        RecordBatch::try_from_iter([
            ("robot", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef),
            ("time", Arc::new(times)),
            ("v", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2)))),
        ])
        .unwrap()
    }

    /// Compares two sides given in batches of two rows and of three.
    fn compared(published: &[Row], recomputed: &[Row]) -> Comparison {
        let mut before = published.chunks(2).map(batch);
        let mut now = recomputed.chunks(3).map(batch);
        let schema = batch(&[]).schema();
        let mut compare = Compare::new(&schema, &schema);
        loop {
            if compare.wants_published() {
                compare.published(before.next());
            }
            if compare.wants_recomputed() {
                compare.recomputed(now.next());
            }
            if !compare.step().unwrap() {
                return compare.finish();
            }
        }
    }

    const ROWS: [Row; 5] = [("a", 1, 1.0), ("a", 2, 2.0), ("a", 3, 3.0), ("a", 3, 4.0), ("b", 1, 5.0)];

    #[test]
    fn equal_rows_are_equal_however_they_are_batched() {
        let found = compared(&ROWS, &ROWS);
        assert!(found.is_equal());
        assert_eq!((found.equal, found.first), (5, None));
        assert!(compared(&[], &[]).is_equal());
    }

    #[test]
    fn a_value_that_differs_in_one_bit_is_shown_with_its_place() {
        let mut rows = ROWS;
        rows[3].2 = 4.0_f64.next_up();
        rows[4].2 = -5.0;
        let found = compared(&ROWS, &rows);
        assert_eq!((found.equal, found.different, found.columns["v"]), (3, 2, 2));
        let first = found.first.unwrap();
        assert_eq!((first.robot.as_str(), first.time.as_str()), ("a", "1970-01-01T00:00:00.000003Z"));
        assert_eq!((first.published.as_deref(), first.recomputed.as_deref()), (Some("4.0"), Some("4.000000000000001")));
        assert_eq!(compared(&[("a", 1, 0.0)], &[("a", 1, -0.0)]).different, 1);
    }

    #[test]
    fn a_row_that_one_side_has_alone_counts_once() {
        let without: Vec<Row> = ROWS.iter().copied().filter(|row| row.1 != 2).collect();
        let found = compared(&ROWS, &without);
        assert_eq!((found.equal, found.different, found.only_published, found.only_recomputed), (4, 0, 1, 0));
        assert_eq!(found.first.unwrap().published.as_deref(), Some("a row"));
        let found = compared(&without, &ROWS);
        assert_eq!((found.equal, found.only_published, found.only_recomputed), (4, 0, 1));
        assert_eq!(compared(&[], &ROWS).only_recomputed, 5);
        assert_eq!(compared(&ROWS, &[]).only_published, 5);
    }

    #[test]
    fn a_column_of_one_side_alone_is_a_difference() {
        let (all, some) = (batch(&ROWS).schema(), batch(&ROWS).project(&[0, 1]).unwrap().schema());
        let found = Compare::new(&all, &some).finish();
        assert_eq!((found.is_equal(), found.odd_columns), (false, vec!["v".to_owned()]));
    }
}
