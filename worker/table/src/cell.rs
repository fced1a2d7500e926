//! One value of a row, whatever its type, and the typed columns that it is read from.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use std::fmt;

/// A value as it lies in a batch. Equal by bits: 0.0 is not -0.0.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Null,
    Float(f64),
    Whole(i64),
    Flag(bool),
    Text(&'a str),
    TimeUs(i64),
}

impl Cell<'_> {
    /// As a number, where it is one; a bool is 0 or 1.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Cell::Float(value) => Some(value),
            Cell::Whole(value) => Some(value as f64),
            Cell::Flag(value) => Some(f64::from(u8::from(value))),
            Cell::Null | Cell::Text(_) | Cell::TimeUs(_) => None,
        }
    }

    /// The value by itself.
    pub(crate) fn value(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Float(value) => Value::Float(value),
            Cell::Whole(value) => Value::Whole(value),
            Cell::Flag(value) => Value::Flag(value),
            Cell::Text(value) => Value::Text(value.to_owned()),
            Cell::TimeUs(value) => Value::TimeUs(value),
        }
    }
}

impl PartialEq for Cell<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Float(one), Self::Float(other)) => one.to_bits() == other.to_bits(),
            (Self::Whole(one), Self::Whole(other)) | (Self::TimeUs(one), Self::TimeUs(other)) => one == other,
            (Self::Flag(one), Self::Flag(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            _ => false,
        }
    }
}

/// A value that outlives its batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// float64.
    Float(f64),
    /// int64, or a day since the epoch.
    Whole(i64),
    /// bool.
    Flag(bool),
    /// string.
    Text(String),
    /// timestamp, µs since the epoch.
    TimeUs(i64),
}

impl Value {
    /// For programs: numbers, bools and texts are themselves, times are RFC 3339, infinities are text.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Float(value) if value.is_finite() => (*value).into(),
            Self::Whole(value) => (*value).into(),
            Self::Flag(value) => (*value).into(),
            Self::Text(value) => value.clone().into(),
            Self::Float(_) | Self::TimeUs(_) => self.to_string().into(),
        }
    }
}

/// For people; null is `null`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Flag(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::TimeUs(us) => f.write_str(&pipeline::time::display(us.saturating_mul(1_000))),
        }
    }
}

/// A column of a batch, its type known once for all its rows.
#[derive(Debug, Clone)]
pub(crate) enum Cells {
    Float(Float64Array),
    Whole(Int64Array),
    Flag(BooleanArray),
    Text(StringArray),
    Time(TimestampMicrosecondArray),
    Day(Date32Array),
}

impl Cells {
    /// `None` for a type that no result has.
    pub(crate) fn new(array: &ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Float64 => Self::Float(array.as_primitive_opt::<Float64Type>()?.clone()),
            DataType::Int64 => Self::Whole(array.as_primitive_opt::<Int64Type>()?.clone()),
            DataType::Boolean => Self::Flag(array.as_boolean_opt()?.clone()),
            DataType::Utf8 => Self::Text(array.as_string_opt::<i32>()?.clone()),
            DataType::Timestamp(..) => Self::Time(array.as_primitive_opt::<TimestampMicrosecondType>()?.clone()),
            DataType::Date32 => Self::Day(array.as_primitive_opt::<Date32Type>()?.clone()),
            _ => return None,
        })
    }

    /// The value at a row of the batch.
    pub(crate) fn at(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Float(array) if array.is_valid(row) => Cell::Float(array.value(row)),
            Self::Whole(array) if array.is_valid(row) => Cell::Whole(array.value(row)),
            Self::Flag(array) if array.is_valid(row) => Cell::Flag(array.value(row)),
            Self::Text(array) if array.is_valid(row) => Cell::Text(array.value(row)),
            Self::Time(array) if array.is_valid(row) => Cell::TimeUs(array.value(row)),
            Self::Day(array) if array.is_valid(row) => Cell::Whole(array.value(row).into()),
            _ => Cell::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_equal_by_bits_and_null_only_to_null() {
        assert_ne!(Cell::Float(0.0), Cell::Float(-0.0));
        assert_eq!(Cell::Float(f64::INFINITY), Cell::Float(f64::INFINITY));
        assert_ne!(Cell::Null, Cell::Flag(false));
        assert_ne!(Cell::Whole(1), Cell::Float(1.0));
        assert_eq!(Cell::Null, Cell::Null);
    }

    #[test]
    fn a_value_speaks_to_people_and_to_programs() {
        let all = [Value::Null, Value::Float(f64::INFINITY), Value::Flag(true), Value::TimeUs(1_500_000)];
        assert_eq!(all.each_ref().map(ToString::to_string), ["null", "inf", "true", "1970-01-01T00:00:01.5Z"]);
        assert_eq!(all[1].json(), "inf");
        assert_eq!((all[0].json(), Value::Float(0.5).json()), (serde_json::Value::Null, 0.5.into()));
    }
}
