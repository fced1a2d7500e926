//! Numbers and tables for people: thousands separated, bytes and times scaled, numbers to the right.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use comfy_table::{CellAlignment, ContentArrangement, presets};
use pipeline::time::{MILLI_NS, display};
use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (digit, at) in digits.chars().zip(0..) {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with three digits and a decimal unit: `34.1 MB`.
pub(crate) fn bytes(n: u64) -> String {
    let mut value = n as f64;
    if n < 1_000 {
        return format!("{n} B");
    }
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if value < 999.5 {
            break;
        }
        value /= 1_000.0;
        unit = next;
    }
    format!("{} {unit}", digits(value))
}

/// `0.48 s`, `12.3 s`, `3:05 min`, `2:05:07 h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02} h", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

/// `part` of `whole` in percent: `48.2 %`; `-` of nothing. Only all of it is `100.0 %`.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".into();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    format!("{:.1} %", if part < whole { percent.min(99.9) } else { percent })
}

/// A length of time given in microseconds, with three digits: `930 us`, `32.8 ms`, `16.8 s`.
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{} ms", digits(us as f64 / 1e3)),
        _ => format!("{} s", digits(us as f64 / 1e6)),
    }
}

/// A time given in ms since the epoch: RFC 3339 in UTC.
pub(crate) fn time_ms(ms: i64) -> String {
    display(ms.saturating_mul(MILLI_NS))
}

/// Three digits.
fn digits(value: f64) -> String {
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$}")
}

/// The word for a type, as the pipeline's words spell it where they do.
pub(crate) fn type_word(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "string".into(),
        DataType::Boolean => "bool".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, Some(_)) => "timestamp".into(),
        other => other.to_string().to_lowercase(),
    }
}

/// Where the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// With lines, for a terminal; long cells are wrapped to its width.
    Lines,
    /// A Markdown table in ASCII, for pipes and files.
    Plain,
}

impl Frame {
    /// That which suits stdout.
    pub(crate) fn of_stdout() -> Self {
        if std::io::IsTerminal::is_terminal(&std::io::stdout()) { Self::Lines } else { Self::Plain }
    }
}

/// Rows of texts under named columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let columns = columns.into_iter().map(|(name, align)| (name.to_owned(), align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text, ending in a newline.
    pub(crate) fn text(&self, frame: Frame) -> String {
        let mut table = comfy_table::Table::new();
        match frame {
            Frame::Lines => table.load_preset(presets::UTF8_FULL_CONDENSED),
            Frame::Plain => table.load_preset(presets::ASCII_MARKDOWN),
        };
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(|(name, _)| name));
        table.add_rows(&self.rows);
        for ((_, align), column) in self.columns.iter().zip(table.column_iter_mut()) {
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        format!("{table}\n")
    }
}

/// Tables with more columns than this are shown on their side: a line per column.
const UPRIGHT_COLUMNS: usize = 10;

/// The rows of the batches as a table; null is empty. Wide ones lie on their side: a line per column, rows side by side.
///
/// Errors: a type that arrow cannot show.
pub(crate) fn rows(batches: &[RecordBatch]) -> Result<Table, ArrowError> {
    let Some(first) = batches.first() else { return Ok(Table::default()) };
    if first.num_columns() <= UPRIGHT_COLUMNS { upright(batches) } else { sideways(batches) }
}

/// The rows of the batches as a table, a row each.
///
/// Errors: a type that arrow cannot show.
pub(crate) fn upright(batches: &[RecordBatch]) -> Result<Table, ArrowError> {
    let Some(first) = batches.first() else { return Ok(Table::default()) };
    let schema = first.schema();
    let columns = schema.fields().iter().map(|field| (field.name().as_str(), align(field.data_type())));
    let mut table = Table::new(columns);
    cells(batches)?.into_iter().for_each(|row| table.row(row));
    Ok(table)
}

/// The rows of the batches side by side, a line per column.
fn sideways(batches: &[RecordBatch]) -> Result<Table, ArrowError> {
    let Some(first) = batches.first() else { return Ok(Table::default()) };
    let (schema, cells) = (first.schema(), cells(batches)?);
    let numbers: Vec<_> = (1..=cells.len()).map(|n| format!("row {n}")).collect();
    let sides = numbers.iter().map(|number| (number.as_str(), Align::Right));
    let mut table = Table::new([("column", Align::Left)].into_iter().chain(sides));
    for (name, column) in schema.fields().iter().map(|field| field.name().as_str()).zip(0..) {
        table.row([name].into_iter().chain(cells.iter().map(|row| row[column].as_str())));
    }
    Ok(table)
}

/// The values of each row as texts.
fn cells(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, ArrowError> {
    let mut cells = Vec::new();
    let options = FormatOptions::new().with_null("").with_duration_format(DurationFormat::Pretty);
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            cells.push(columns.iter().map(|column| column.value(row).to_string()).collect());
        }
    }
    Ok(cells)
}

fn align(kind: &DataType) -> Align {
    if kind.is_numeric() { Align::Right } else { Align::Left }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    #[test]
    fn numbers_are_short_and_separated() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1_000, 34_123_456, 999_500, 999_499, 121_500_000].map(bytes),
            ["0 B", "999 B", "1.00 kB", "34.1 MB", "1.00 MB", "999 kB", "122 MB"]
        );
        let seconds = [0.481, 12.34, 185.0, 7_507.0].map(|s| duration(Duration::from_secs_f64(s)));
        assert_eq!(seconds, ["0.48 s", "12.3 s", "3:05 min", "2:05:07 h"]);
        assert_eq!(
            [(1, 3), (0, 0), (9_999, 10_000), (5, 5)].map(|(n, of)| share(n, of)),
            ["33.3 %", "-", "99.9 %", "100.0 %"]
        );
        assert_eq!([0, 930, 32_768, 16_777_216].map(micros), ["0 us", "930 us", "32.8 ms", "16.8 s"]);
    }

    #[test]
    fn types_are_spelled_as_in_the_words() {
        let kinds = [DataType::Utf8, DataType::Boolean, DataType::Float64, DataType::Int64];
        assert_eq!(kinds.map(|kind| type_word(&kind)), ["string", "bool", "float64", "int64"]);
    }

    #[test]
    fn a_piped_table_is_markdown_with_numbers_to_the_right() {
        let mut table = Table::new([("signal", Align::Left), ("read", Align::Right)]);
        table.row(["pose", "5"]);
        table.row(["odometry", "1,080"]);
        let expected = "| signal   |  read |\n|----------|-------|\n| pose     |     5 |\n| odometry | 1,080 |\n";
        assert_eq!(table.text(Frame::Plain).replace("-:", "--"), expected);
    }

    #[test]
    fn rows_span_batches_and_null_is_empty() {
        let batch = |robot: &str, speed: Option<f64>| {
            RecordBatch::try_from_iter([
                ("robot", Arc::new(StringArray::from(vec![robot])) as _),
                ("time", Arc::new(TimestampMicrosecondArray::from(vec![1_500_000]).with_timezone("UTC")) as _),
                ("speed", Arc::new(Float64Array::from(vec![speed])) as _),
            ])
            .unwrap()
        };
        let table = rows(&[batch("a", Some(0.5)), batch("b", None)]).unwrap();
        assert_eq!(table.rows, [["a", "1970-01-01T00:00:01.500Z", "0.5"], ["b", "1970-01-01T00:00:01.500Z", ""]]);
    }

    #[test]
    fn a_wide_table_lies_on_its_side() {
        let columns = (0..11).map(|n| (format!("c{n}"), Arc::new(Float64Array::from(vec![0.5, 1.5])) as _));
        let table = rows(&[RecordBatch::try_from_iter(columns).unwrap()]).unwrap();
        assert_eq!(
            table.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["column", "row 1", "row 2"]
        );
        assert_eq!((table.rows.len(), &table.rows[10]), (11, &["c10", "0.5", "1.5"].map(str::to_owned).to_vec()));
    }
}
