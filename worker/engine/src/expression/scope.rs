//! Which names an expression may use, and which column of the batch each one means.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use std::collections::BTreeMap;

/// Names of an expression: fields in the order of the batch's first columns, some of them reachable by several names.
///
/// A field's own name is the one that messages use, such as `status.cycle` or `effort`. DataFusion sees only these,
/// unqualified and unique, so a derived `speed` beside a signal's `odometry.speed` is not ambiguous to it.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    schema: DFSchema,
    names: BTreeMap<String, usize>,
}

impl Scope {
    /// A scope over `fields` (unique names, batch order) without any name to use yet.
    pub(crate) fn new(fields: Vec<(String, DataType)>) -> Self {
        let fields: Vec<Field> =
            fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
        let schema = DFSchema::try_from(Schema::new(fields));
        // The layout makes the names; two equal ones are a broken promise of ours.
        let schema = schema.unwrap_or_else(|e| panic!("the columns of a row have unique names: {e}"));
        Self { schema, names: BTreeMap::new() }
    }

    /// Makes `field` reachable as `name`; the first use of a name holds.
    pub(crate) fn name(&mut self, name: impl Into<String>, field: usize) {
        self.names.entry(name.into()).or_insert(field);
    }

    /// The field that `name` means.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// A field's own name.
    pub(super) fn own_name(&self, field: usize) -> &str {
        self.schema.field(field).name()
    }

    /// Every usable name, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.keys().map(String::as_str)
    }

    /// What DataFusion plans over.
    pub(super) fn schema(&self) -> &DFSchema {
        &self.schema
    }
}
