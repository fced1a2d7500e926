//! How the columns of two versions differ, and which of them can be compared. Pure.

use super::merge::{KIND, ROBOT, TIME};
use crate::layout::PARTITION;
use arrow::datatypes::{DataType, Field, Schema};

/// A column that both versions have, with the same type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: DataType,
}

impl Column {
    /// Whether its quantiles are told.
    pub fn is_number(&self) -> bool {
        matches!(self.kind, DataType::Float64 | DataType::Int64)
    }
}

/// One difference between the schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaChange {
    /// A column that only the version after has.
    Added(String, DataType),
    /// A column that only the version before has.
    Removed(String, DataType),
    /// A column of another type; its values are not compared.
    Type(String, DataType, DataType),
    /// A column in another unit of measure; its values are compared as they are.
    Unit(String, String, String),
}

/// The columns to compare, in the order of the version after, and all differences.
pub(crate) fn compare(before: &Schema, after: &Schema) -> (Vec<Column>, Vec<SchemaChange>) {
    let (mut columns, mut changes) = (Vec::new(), Vec::new());
    for field in after.fields() {
        let Ok(old) = before.field_with_name(field.name()) else {
            changes.push(SchemaChange::Added(field.name().clone(), field.data_type().clone()));
            continue;
        };
        changes.extend(difference(old, field));
        let is_key = [ROBOT, TIME, KIND, PARTITION].contains(&field.name().as_str());
        if old.data_type() == field.data_type() && !is_key {
            columns.push(Column { name: field.name().clone(), kind: field.data_type().clone() });
        }
    }
    let gone = before.fields().iter().filter(|field| after.field_with_name(field.name()).is_err());
    changes.extend(gone.map(|field| SchemaChange::Removed(field.name().clone(), field.data_type().clone())));
    (columns, changes)
}

fn difference(before: &Field, after: &Field) -> Option<SchemaChange> {
    if before.data_type() != after.data_type() {
        let (old, new) = (before.data_type().clone(), after.data_type().clone());
        return Some(SchemaChange::Type(after.name().clone(), old, new));
    }
    let unit = |field: &Field| field.metadata().get("unit").cloned().unwrap_or_default();
    let (old, new) = (unit(before), unit(after));
    (old != new).then(|| SchemaChange::Unit(after.name().clone(), old, new))
}
