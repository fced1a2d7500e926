//! The sections of `show` as JSON for programs.

use crate::fault::{Exit, Fault, Result};
use crate::present::type_word;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value, json};
use table::ledger::{Ledger, LedgerLine};

/// `[{"name": …, "type": …, "unit": …}]`.
pub(super) fn schema(schema: &Schema) -> Value {
    let column = |field: &arrow::datatypes::FieldRef| {
        json!({
            "name": field.name(),
            "type": type_word(field.data_type()),
            "unit": field.metadata().get("unit"),
        })
    };
    schema.fields().iter().map(column).collect()
}

/// An object per row. Numbers and bools are themselves, infinities and times are text.
pub(in crate::command) fn rows(batches: &[RecordBatch]) -> Result<Value> {
    let odd = |error: ArrowError| Fault::caused(Exit::Broken, error);
    let options = FormatOptions::new();
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let texts = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let texts = texts.collect::<std::result::Result<Vec<_>, _>>().map_err(odd)?;
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().zip(&texts).map(|(column, text)| cell(column, text, row));
            let names = schema.fields().iter().map(|field| field.name().clone());
            rows.push(Value::Object(names.zip(cells).collect::<Map<_, _>>()));
        }
    }
    Ok(Value::Array(rows))
}

/// One value: numbers and bools are themselves, infinities and times are text.
pub(in crate::command) fn value(column: &dyn Array, row: usize) -> Result<Value> {
    let options = FormatOptions::new();
    let text = ArrayFormatter::try_new(column, &options).map_err(|error| Fault::caused(Exit::Broken, error))?;
    Ok(cell(column, &text, row))
}

fn cell(column: &dyn Array, text: &ArrayFormatter<'_>, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let value = match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        // Infinities are no JSON numbers and come out as null here.
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        // What SQL gives besides: counts and the like are whole numbers of other widths.
        kind if kind.is_integer() => {
            text.value(row).to_string().parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
        }
        _ => Value::Null,
    };
    if value.is_null() { json!(text.value(row).to_string()) } else { value }
}

/// An object per shard.
pub(super) fn ledger(ledger: &Ledger) -> Value {
    ledger.lines.iter().map(line).collect()
}

fn line(line: &LedgerLine) -> Value {
    json!({
        "key": line.key,
        "state": line.state,
        "reason": line.reason,
        "fromNs": line.span.from_ns,
        "toNs": line.span.to_ns,
        "robots": line.robots,
        "rows": line.rows,
        "files": line.files.iter().map(|file| json!({"path": file.path, "rows": file.rows, "bytes": file.bytes})).collect::<Value>(),
        "account": line.account,
        "quarantine": line.quarantine,
        "failure": line.failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BooleanArray, Float64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn numbers_stay_numbers_and_infinities_become_text() {
        let batch = RecordBatch::try_from_iter([
            ("robot", Arc::new(StringArray::from(vec!["a", "b"])) as _),
            ("speed", Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(0.5)])) as _),
            ("valid", Arc::new(BooleanArray::from(vec![Some(true), None])) as _),
        ])
        .unwrap();
        assert_eq!(
            rows(&[batch]).unwrap(),
            json!([{"robot": "a", "speed": "inf", "valid": true}, {"robot": "b", "speed": 0.5, "valid": null}])
        );
    }
}
