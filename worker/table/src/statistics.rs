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
pub(crate) fn statistics(footer: &ParquetMetaData, schema: &SchemaRef) -> String {
    let rows: i64 = footer.row_groups().iter().map(RowGroupMetaData::num_rows).sum();
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (column, field) in schema.fields().iter().enumerate().take(COLUMNS_MAX) {
        let summary = summary(footer.row_groups(), column, field.data_type());
        if let Some(count) = summary.nulls {
            nulls.insert(field.name().clone(), json!(count));
        }
        if let Some(range) = summary.range {
            least.insert(field.name().clone(), range.least(field.data_type()));
            greatest.insert(field.name().clone(), range.greatest(field.data_type()));
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
    Whole(i64, i64),
    Float(f64, f64),
    Text(String, String),
}

fn summary(groups: &[RowGroupMetaData], column: usize, kind: &DataType) -> Summary {
    let mut nulls = Some(0u64);
    let mut ranges = Vec::new();
    let mut complete = true;
    for group in groups {
        let statistics = group.column(column).statistics();
        let group_nulls = statistics.and_then(Statistics::null_count_opt);
        nulls = nulls.zip(group_nulls).map(|(sum, more)| sum + more);
        let only_nulls = group_nulls == u64::try_from(group.num_rows()).ok();
        match statistics.and_then(|statistics| range(statistics, kind)) {
            Some(range) => ranges.push(range),
            None => complete &= only_nulls,
        }
    }
    let range = ranges.into_iter().map(Some).reduce(|left, right| left?.merge(right?)).flatten();
    Summary { nulls, range: range.filter(|range| complete && range.has_words()) }
}

fn range(statistics: &Statistics, kind: &DataType) -> Option<Range> {
    match statistics {
        Statistics::Int64(values) => Some(Range::Whole(*values.min_opt()?, *values.max_opt()?)),
        Statistics::Int32(values) => Some(Range::Whole((*values.min_opt()?).into(), (*values.max_opt()?).into())),
        Statistics::Double(values) => Some(Range::Float(*values.min_opt()?, *values.max_opt()?)),
        Statistics::ByteArray(values) if *kind == DataType::Utf8 => {
            let (min, max) = (values.min_opt()?.as_utf8().ok()?, values.max_opt()?.as_utf8().ok()?);
            Some(Range::Text(min.to_owned(), max.to_owned()))
        }
        _ => None,
    }
}

impl Range {
    fn merge(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Whole(a, b), Self::Whole(c, d)) => Some(Self::Whole(a.min(c), b.max(d))),
            (Self::Float(a, b), Self::Float(c, d)) => Some(Self::Float(a.min(c), b.max(d))),
            (Self::Text(a, b), Self::Text(c, d)) => Some(Self::Text(a.min(c), b.max(d))),
            _ => None,
        }
    }

    /// Whether JSON can say it: it has no infinities.
    fn has_words(&self) -> bool {
        !matches!(self, Self::Float(least, greatest) if !least.is_finite() || !greatest.is_finite())
    }

    fn least(&self, kind: &DataType) -> Value {
        match self {
            Self::Whole(value, _) if is_time(kind) => time_text(value.div_euclid(MILLI_US)),
            Self::Whole(value, _) => json!(value),
            Self::Float(value, _) => json!(value),
            Self::Text(value, _) => json!(value),
        }
    }

    /// Rounded up where rounding is needed: a bound must never lie inside.
    fn greatest(&self, kind: &DataType) -> Value {
        match self {
            Self::Whole(_, value) if is_time(kind) => {
                let up = i64::from(value.rem_euclid(MILLI_US) != 0);
                time_text(value.div_euclid(MILLI_US) + up)
            }
            Self::Whole(_, value) => json!(value),
            Self::Float(_, value) => json!(value),
            Self::Text(_, value) => json!(value),
        }
    }
}

fn is_time(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(_, _))
}

/// Milliseconds since the epoch as Delta writes them. Beyond the calendar: null, which readers take for unknown.
fn time_text(ms: i64) -> Value {
    let time = DateTime::from_timestamp_millis(ms);
    time.map_or(Value::Null, |time| json!(time.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;

    #[test]
    fn bounds_of_times_are_rounded_outwards_to_milliseconds() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let bounds = |us| {
            let range = Range::Whole(us, us);
            (range.least(&time), range.greatest(&time))
        };
        assert_eq!(bounds(1), (json!("1970-01-01T00:00:00.000Z"), json!("1970-01-01T00:00:00.001Z")));
        assert_eq!(bounds(-1), (json!("1969-12-31T23:59:59.999Z"), json!("1970-01-01T00:00:00.000Z")));
        assert_eq!(bounds(2_000), (json!("1970-01-01T00:00:00.002Z"), json!("1970-01-01T00:00:00.002Z")));
        assert_eq!(bounds(i64::MAX).1, Value::Null);
    }
}
