//! Words and observations made by hand.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use fleetloom_engine::arrange::RobotSignals;
use fleetloom_engine::compile::{Compiled, compile};
use fleetloom_engine::compute::RobotRows;
use pipeline::archive::ColumnKind;
use pipeline::check::check;
use pipeline::mistake::Mistake;
use pipeline::pipeline::Pipeline;
use pipeline::read::Words;
use pipeline::time::Span;
use std::sync::Arc;

/// A second.
pub(crate) const S: i64 = 1_000_000_000;
/// Where the tests' time begins: 2020-01-01, plus `seconds`.
pub(crate) fn at(seconds: f64) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "tests stay near their beginning")]
    let ns = (seconds * 1e9).round() as i64;
    1_577_836_800 * S + ns
}

const ARCHIVE: &str = "
apiVersion: fleetloom.dev/v1alpha1
kind: Archive
metadata: {name: a}
spec:
  store: {url: in/}
  objects: \"{robot}/{millis}.json\"
  format: Json
  robot: {capture: robot}
  signals:
  - name: status
    at: /status[*]
    times: [{name: event, field: /ts, unit: ms}, {name: arrival, field: /at, unit: ms}]
    KNOWN
    columns: [{name: stop, type: bool}, {name: n, type: int64}, {name: mode, type: string}, {name: seen, type: timestamp, unit: ms}]
    duplicates: Keep
  - name: speed
    at: /speed[*]
    times: [{name: event, field: /ts, unit: ms}, {name: arrival, field: /at, unit: ms}]
    KNOWN
    columns: [{name: mps, unit: m/s}, {name: load}]
    duplicates: Keep
";

/// A pipeline over `status` (stop, n, mode, seen) and `speed` (mps, load), without `known` clocks.
pub(crate) fn words(spec: &str) -> Pipeline {
    pipeline(spec, "")
}

/// The same, but values become known at their `arrival`.
pub(crate) fn two_clocks(spec: &str) -> Pipeline {
    pipeline(spec, "known: arrival")
}

fn pipeline(spec: &str, known: &str) -> Pipeline {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    let pipeline = format!(
        "---\napiVersion: fleetloom.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: p}}\nspec:\n  archive: a\n  \
         result: {{store: {{url: out/}}}}\n{spec}"
    );
    let text = format!("{}{pipeline}", ARCHIVE.replace("KNOWN", known));
    let checked = check(&Words::read(&text, Some("test.yaml"), Some("/tmp/fixture")));
    let checked = checked.unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes)));
    checked.pipelines.into_iter().next().unwrap()
}

pub(crate) fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

pub(crate) fn compiled(pipeline: &Pipeline) -> Compiled {
    compile(pipeline).unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes)))
}

/// One observation: time, known, and a value per column.
pub(crate) type Observed = (i64, i64, Vec<Value>);

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    F(f64),
    I(i64),
    B(bool),
    T(&'static str),
}

/// A status at `seconds`, known at once.
pub(crate) fn status(seconds: f64, stop: Option<bool>, n: i64) -> Observed {
    let stop = stop.map_or(Value::Null, Value::B);
    let mode = Value::T(if n % 2 == 0 { "even" } else { "odd" });
    (at(seconds), at(seconds), vec![stop, Value::I(n), mode, Value::I(at(seconds))])
}

/// A speed at `seconds`, known at once.
pub(crate) fn speed(seconds: f64, mps: f64) -> Observed {
    (at(seconds), at(seconds), vec![Value::F(mps), Value::F(-mps)])
}

/// The robot `r` with its observations per signal, in the archive's order.
pub(crate) fn robot(pipeline: &Pipeline, signals: &[Vec<Observed>]) -> RobotSignals {
    let signals = pipeline.archive.signals.iter().zip(signals).map(|(signal, observed)| {
        let clock =
            |pick: fn(&Observed) -> i64| Arc::new(observed.iter().map(pick).collect::<Int64Array>()) as ArrayRef;
        let mut columns = vec![clock(|o| o.0), clock(|o| o.1)];
        for (index, column) in signal.columns.iter().enumerate() {
            columns.push(array(&column.kind, observed.iter().map(|o| &o.2[index])));
        }
        let names = ["time", "known"].into_iter().chain(signal.columns.iter().map(|column| column.name.as_str()));
        let fields = names.zip(&columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
    });
    RobotSignals { robot: Arc::from("r"), signals: signals.collect() }
}

fn array<'a>(kind: &ColumnKind, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    let integer = |value: &Value| if let Value::I(i) = value { Some(*i) } else { None };
    match kind {
        ColumnKind::Float64 => Arc::new(
            values.map(|value| if let Value::F(f) = value { Some(*f) } else { None }).collect::<Float64Array>(),
        ),
        ColumnKind::Int64 => Arc::new(values.map(integer).collect::<Int64Array>()),
        ColumnKind::Bool => Arc::new(
            values.map(|value| if let Value::B(b) = value { Some(*b) } else { None }).collect::<BooleanArray>(),
        ),
        ColumnKind::String => {
            Arc::new(values.map(|value| if let Value::T(t) = value { Some(*t) } else { None }).collect::<StringArray>())
        }
        ColumnKind::Timestamp(_) => {
            let times: TimestampNanosecondArray = values.map(integer).collect();
            Arc::new(times.with_data_type(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))))
        }
    }
}

/// Computes the robot's rows of `span`.
pub(crate) fn rows_of(pipeline: &Pipeline, signals: &[Vec<Observed>], span: Span) -> RobotRows {
    let rows = compiled(pipeline).compute(robot(pipeline, signals), span).unwrap();
    assert_eq!(rows.account.imbalance(), [""; 0], "the account balances");
    rows
}

/// Computes all of the robot's rows.
pub(crate) fn rows(pipeline: &Pipeline, signals: &[Vec<Observed>]) -> RobotRows {
    rows_of(pipeline, signals, Span::ALL)
}

pub(crate) fn column<'a>(rows: &'a RobotRows, name: &str) -> &'a ArrayRef {
    let names = || rows.batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    rows.batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name} among {:?}", names()))
}

pub(crate) fn floats(rows: &RobotRows, name: &str) -> Vec<Option<f64>> {
    column(rows, name).as_primitive::<Float64Type>().iter().collect()
}

pub(crate) fn integers(rows: &RobotRows, name: &str) -> Vec<Option<i64>> {
    column(rows, name).as_primitive::<Int64Type>().iter().collect()
}

pub(crate) fn truths(rows: &RobotRows, name: &str) -> Vec<Option<bool>> {
    column(rows, name).as_boolean().iter().collect()
}

pub(crate) fn texts(rows: &RobotRows, name: &str) -> Vec<Option<String>> {
    column(rows, name).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

/// Times as seconds since the tests' beginning.
pub(crate) fn seconds(rows: &RobotRows, name: &str) -> Vec<Option<f64>> {
    let times = column(rows, name).as_primitive::<TimestampMicrosecondType>();
    #[allow(clippy::cast_precision_loss, reason = "tests stay near their beginning")]
    let seconds = times.iter().map(|time| time.map(|us| (us - at(0.0) / 1000) as f64 / 1e6));
    seconds.collect()
}
