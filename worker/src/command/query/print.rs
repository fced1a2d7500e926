//! Rows on stdout as they come, in one of three formats. A reader that went away ends it, and is no error.

use crate::cli::Format;
use crate::command::show::values;
use crate::fault::{Exit, Fault, Result};
use crate::present::{self, Frame};
use crate::query::{Answer, Kind};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;

/// Rows of one table: beyond, another begins, for a table's widths are those of all its rows.
const TABLE_ROWS: usize = 1_000;
/// Rows that may lie side by side, each a column.
const SIDE_ROWS: usize = 5;

/// Prints the rows of one answer.
pub(super) struct Printer {
    format: Format,
    kind: Kind,
    schema: SchemaRef,
    frame: Frame,
    /// Rows that wait for their table.
    waiting: Vec<RecordBatch>,
    begun: bool,
}

impl Printer {
    pub(super) fn new(format: Format, answer: &Answer) -> Self {
        let (kind, schema, frame) = (answer.kind, SchemaRef::clone(&answer.schema), Frame::of_stdout());
        Self { format, kind, schema, frame, waiting: Vec::new(), begun: false }
    }

    /// Prints some rows, or keeps them for their table. `Break`: nobody reads any more.
    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        match (self.format, self.kind) {
            (Format::Table, Kind::Plan) => write(&plan(batch)),
            (Format::Table, Kind::Rows) => self.table(batch),
            (Format::Csv, _) => {
                let header = if self.begun { String::new() } else { header(&self.schema) };
                self.begun = true;
                write(&(header + &csv(batch).map_err(odd)?))
            }
            (Format::Json, _) => write(&lines(batch)?),
        }
    }

    /// Prints what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        let text = match (self.format, self.kind) {
            (Format::Table, Kind::Rows) if !self.begun && self.waiting.is_empty() => {
                present::upright(&[RecordBatch::new_empty(self.schema)]).map_err(odd)?.text(self.frame)
            }
            (Format::Table, Kind::Rows) => self.ended()?,
            (Format::Csv, _) if !self.begun => header(&self.schema),
            _ => String::new(),
        };
        write(&text).map(|_| ())
    }

    fn table(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        let mut start = 0;
        while start < batch.num_rows() {
            let waiting: usize = self.waiting.iter().map(RecordBatch::num_rows).sum();
            if waiting == TABLE_ROWS {
                let text = present::upright(&std::mem::take(&mut self.waiting)).map_err(odd)?.text(self.frame);
                self.begun = true;
                if write(&text)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            }
            let rows = (TABLE_ROWS - waiting).min(batch.num_rows() - start);
            self.waiting.push(batch.slice(start, rows));
            start += rows;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The last table: few rows of many columns lie on their side.
    fn ended(&mut self) -> Result<String> {
        let waiting = std::mem::take(&mut self.waiting);
        let rows: usize = waiting.iter().map(RecordBatch::num_rows).sum();
        let table = if !self.begun && rows <= SIDE_ROWS { present::rows(&waiting) } else { present::upright(&waiting) };
        let table = table.map_err(odd)?;
        Ok(if rows == 0 { String::new() } else { table.text(self.frame) })
    }
}

fn odd(error: ArrowError) -> Fault {
    Fault::caused(Exit::Broken, error)
}

/// Text on stdout. `Break`: nobody reads it.
fn write(text: &str) -> Result<ControlFlow<()>> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(io::Error::new(error.kind(), format!("stdout cannot be written: {error}")).into()),
    }
}

/// A plan's text: what the second column holds.
fn plan(batch: &RecordBatch) -> String {
    let texts = batch.columns().get(1).and_then(|column| column.as_string_opt::<i32>());
    texts.map(|texts| texts.iter().flatten().collect::<Vec<_>>().concat()).unwrap_or_default()
}

fn header(schema: &SchemaRef) -> String {
    let names: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    names.join(",") + "\r\n"
}

/// Lines of RFC 4180. A text that is empty is in quotes, null is not.
fn csv(batch: &RecordBatch) -> std::result::Result<String, ArrowError> {
    let options = FormatOptions::new();
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for (index, (column, shown)) in batch.columns().iter().zip(&columns).enumerate() {
            text.push_str(if index > 0 { "," } else { "" });
            if column.is_valid(row) {
                text.push_str(&quoted(&shown.value(row).to_string()));
            }
        }
        text.push_str("\r\n");
    }
    Ok(text)
}

fn quoted(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// An object a line.
fn lines(batch: &RecordBatch) -> Result<String> {
    let Value::Array(rows) = values::rows(std::slice::from_ref(batch))? else { return Ok(String::new()) };
    Ok(rows.iter().map(|row| format!("{row}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, StringArray, UInt64Array};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("robot", Arc::new(StringArray::from(vec![Some("a,\"b\""), Some(""), None])) as _),
            ("n", Arc::new(UInt64Array::from(vec![1, 2, u64::MAX])) as _),
            ("speed", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::INFINITY)])) as _),
        ])
        .unwrap()
    }

    #[test]
    fn a_text_with_commas_is_quoted_and_null_is_not_an_empty_text() {
        assert_eq!(header(&batch().schema()), "robot,n,speed\r\n");
        let expected = "\"a,\"\"b\"\"\",1,0.5\r\n\"\",2,\r\n,18446744073709551615,inf\r\n";
        assert_eq!(csv(&batch()).unwrap(), expected);
    }

    #[test]
    fn json_is_an_object_a_line() {
        let expected = "{\"robot\":\"a,\\\"b\\\"\",\"n\":1,\"speed\":0.5}\n{\"robot\":\"\",\"n\":2,\"speed\":null}\n\
                        {\"robot\":null,\"n\":18446744073709551615,\"speed\":\"inf\"}\n";
        assert_eq!(lines(&batch()).unwrap(), expected);
    }
}
