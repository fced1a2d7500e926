//! `SHOW TABLES` and `DESCRIBE`, in the words of the files: DataFusion's own answers speak of catalogs and Arrow.

use super::catalog::{Catalog, PUBLIC};
use crate::fault::{Exit, Fault};
use crate::present::type_word;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::error::ArrowError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, ObjectName};
use std::sync::Arc;

/// The answer to one of the two; `None`: the statement is another.
pub(super) async fn answer(catalog: &Catalog, statement: &Statement) -> Result<Option<RecordBatch>, Fault> {
    let Statement::Statement(statement) = statement else { return Ok(None) };
    let batch = match statement.as_ref() {
        ast::Statement::ShowTables { .. } => tables(catalog),
        ast::Statement::ExplainTable { table_name, .. } => {
            let (schema, name) = parts(table_name)?;
            let table = catalog.tables.open(&schema, &name).await?;
            columns(&table.schema())
        }
        _ => return Ok(None),
    };
    batch.map(Some).map_err(|error| Fault::caused(Exit::Broken, error))
}

fn tables(catalog: &Catalog) -> Result<RecordBatch, ArrowError> {
    let tables = &catalog.tables;
    let origins: Vec<(&str, String)> = tables.all.iter().map(|table| table.origin()).collect();
    texts([
        ("table", tables.all.iter().map(|table| Some(table.shown(tables))).collect()),
        ("is", origins.iter().map(|(is, _)| Some((*is).to_owned())).collect()),
        ("of", origins.iter().map(|(_, of)| Some(of.clone())).collect()),
    ])
}

fn columns(schema: &arrow::datatypes::Schema) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields();
    texts([
        ("column", fields.iter().map(|field| Some(field.name().clone())).collect()),
        ("type", fields.iter().map(|field| Some(type_word(field.data_type()))).collect()),
        ("unit", fields.iter().map(|field| field.metadata().get("unit").cloned()).collect()),
    ])
}

fn texts<const N: usize>(columns: [(&str, Vec<Option<String>>); N]) -> Result<RecordBatch, ArrowError> {
    let column = |(name, texts): (&str, Vec<Option<String>>)| {
        (name.to_owned(), Arc::new(StringArray::from(texts)) as ArrayRef, true)
    };
    RecordBatch::try_from_iter_with_nullable(columns.map(column))
}

/// Schema and name of a table.
fn parts(name: &ObjectName) -> Result<(String, String), Fault> {
    let parts: Option<Vec<&str>> = name.0.iter().map(|part| Some(part.as_ident()?.value.as_str())).collect();
    match parts.as_deref() {
        Some([name]) => Ok((PUBLIC.to_owned(), (*name).to_owned())),
        Some([schema, name]) | Some([_, schema, name]) => Ok(((*schema).to_owned(), (*name).to_owned())),
        _ => Err(Fault::request(format!("{name} is no table's name; SHOW TABLES lists them"))),
    }
}
