//! What Delta readers skip files by: counts, nulls, least and greatest values of a data file, from its Parquet footer.

use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, SecondsFormat};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

/// Columns with statistics: Delta's own default, for a wide table's log would be mostly statistics.
const COLUMNS_MAX: usize = 32;

/// Microseconds of a millisecond: Delta's timestamps in statistics are milliseconds.
const MILLI_US: i64 = 1_000;

/// The statistics as JSON. `schema` holds the file's columns in order.
///
/// A column of nulls only has its number of nulls, any other also its bounds. Where bounds cannot be said, nothing is said but
/// the number of rows: deltalake's Python takes a missing bound beside those of other columns for one that no value fulfils,
/// and skips the file.
pub(crate) fn statistics(footer: &ParquetMetaData, schema: &SchemaRef) -> String {
    let rows: i64 = footer.row_groups().iter().map(RowGroupMetaData::num_rows).sum();
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (column, field) in schema.fields().iter().enumerate().take(COLUMNS_MAX) {
        let name = field.name();
        let summary = summary(footer.row_groups(), column);
        match summary.range.and_then(|range| range.words(field.data_type())) {
            Some((min, max)) => {
                least.insert(name.clone(), min);
                greatest.insert(name.clone(), max);
            }
            None if summary.nulls == u64::try_from(rows).ok() => {}
            None => return json!({"numRecords": rows}).to_string(),
        }
        if let Some(count) = summary.nulls {
            nulls.insert(name.clone(), json!(count));
        }
    }
    json!({"numRecords": rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}).to_string()
}

/// One column over the row groups.
struct Summary {
    nulls: Option<u64>,
    range: Option<Range>,
}

/// Least and greatest value of a column.
#[derive(Debug, Clone, PartialEq)]
enum Range {
    Truth(bool, bool),
    Whole(i64, i64),
    Float(f64, f64),
    Text(String, String),
}

fn summary(groups: &[RowGroupMetaData], column: usize) -> Summary {
    let mut nulls = Some(0u64);
    let mut ranges = Vec::new();
    let mut complete = true;
    for group in groups {
        let statistics = group.column(column).statistics();
        let group_nulls = statistics.and_then(Statistics::null_count_opt);
        nulls = nulls.zip(group_nulls).map(|(sum, more)| sum + more);
        let only_nulls = group_nulls == u64::try_from(group.num_rows()).ok();
        match statistics.and_then(range) {
            Some(range) => ranges.push(range),
            None => complete &= only_nulls,
        }
    }
    let range = ranges.into_iter().map(Some).reduce(|left, right| left?.merge(right?)).flatten();
    Summary { nulls, range: range.filter(|_| complete) }
}

fn range(statistics: &Statistics) -> Option<Range> {
    match statistics {
        Statistics::Boolean(values) => Some(Range::Truth(*values.min_opt()?, *values.max_opt()?)),
        Statistics::Int64(values) => Some(Range::Whole(*values.min_opt()?, *values.max_opt()?)),
        Statistics::Int32(values) => Some(Range::Whole((*values.min_opt()?).into(), (*values.max_opt()?).into())),
        Statistics::Double(values) => Some(Range::Float(*values.min_opt()?, *values.max_opt()?)),
        Statistics::ByteArray(values) => {
            let (min, max) = (values.min_opt()?.as_utf8().ok()?, values.max_opt()?.as_utf8().ok()?);
            Some(Range::Text(min.to_owned(), max.to_owned()))
        }
        _ => None,
    }
}

impl Range {
    fn merge(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Truth(a, b), Self::Truth(c, d)) => Some(Self::Truth(a & c, b | d)),
            (Self::Whole(a, b), Self::Whole(c, d)) => Some(Self::Whole(a.min(c), b.max(d))),
            (Self::Float(a, b), Self::Float(c, d)) => Some(Self::Float(a.min(c), b.max(d))),
            (Self::Text(a, b), Self::Text(c, d)) => Some(Self::Text(a.min(c), b.max(d))),
            _ => None,
        }
    }

    /// Least and greatest value as JSON says them; `None` for times beyond the calendar.
    fn words(self, kind: &DataType) -> Option<(Value, Value)> {
        match self {
            Self::Truth(least, greatest) => Some((json!(least), json!(greatest))),
            Self::Whole(least, greatest) if is_time(kind) => time_words(least, greatest),
            Self::Whole(least, greatest) => Some((json!(least), json!(greatest))),
            Self::Float(least, greatest) => Some((float_word(least), float_word(greatest))),
            Self::Text(least, greatest) => Some((json!(least), json!(greatest))),
        }
    }
}

/// A number; an infinity, for which JSON has no number, as the text that Spark writes and every reader takes for it.
fn float_word(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(if value > 0.0 { "Infinity" } else { "-Infinity" }) }
}

fn is_time(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(_, _))
}

/// Bounds in microseconds since the epoch, rounded outwards to Delta's milliseconds: a bound must never lie inside.
fn time_words(least_us: i64, greatest_us: i64) -> Option<(Value, Value)> {
    let up = i64::from(greatest_us.rem_euclid(MILLI_US) != 0);
    Some((time_text(least_us.div_euclid(MILLI_US))?, time_text(greatest_us.div_euclid(MILLI_US) + up)?))
}

/// Milliseconds since the epoch as Delta writes them; `None` beyond the calendar.
fn time_text(ms: i64) -> Option<Value> {
    let time = DateTime::from_timestamp_millis(ms)?;
    Some(json!(time.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;

    #[test]
    fn bounds_of_times_are_rounded_outwards_to_milliseconds() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let bounds = |us| Range::Whole(us, us).words(&time);
        let said = |least: &str, greatest: &str| Some((json!(least), json!(greatest)));
        assert_eq!(bounds(1), said("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.001Z"));
        assert_eq!(bounds(-1), said("1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z"));
        assert_eq!(bounds(2_000), said("1970-01-01T00:00:00.002Z", "1970-01-01T00:00:00.002Z"));
        assert_eq!(bounds(i64::MAX), None);
    }
}
