//! The comparison against a slow oracle that holds everything, over random versions cut into random files.

use super::*;
use crate::part::PartWriter;
use crate::state::LiveFile;
use crate::testing::memory;
use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAY_US: i64 = 86_400_000_000;

/// A row of the tests.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    robot: &'static str,
    day: i32,
    second: i64,
    kind: &'static str,
    speed: Option<f64>,
    count: Option<i64>,
    text: Option<&'static str>,
}

impl Sample {
    fn time_us(&self) -> i64 {
        i64::from(self.day) * DAY_US + self.second * 1_000_000
    }

    /// Its compared values, as the oracle compares them.
    fn values(&self) -> [Value; 3] {
        [
            self.speed.map_or(Value::Null, Value::Float),
            self.count.map_or(Value::Null, Value::Whole),
            self.text.map_or(Value::Null, |text| Value::Text(text.to_owned())),
        ]
    }
}

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |name: &str, kind: DataType| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        field("robot", DataType::Utf8),
        field("date", DataType::Date32),
        field("time", time),
        field("row_kind", DataType::Utf8),
        field("speed", DataType::Float64),
        field("count", DataType::Int64),
        field("text", DataType::Utf8),
    ]))
}

fn batch(rows: &[Sample]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.robot))),
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.day))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(Sample::time_us)).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.kind))),
        Arc::new(rows.iter().map(|row| row.speed).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.count).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.text).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Writes a version: the rows of each day in as many files as `cuts`, equal keys in one file.
async fn version(store: &Arc<dyn Store>, name: &str, rows: &[Sample], cuts: i64) -> TableState {
    let mut files = Vec::new();
    for cut in 0..cuts {
        let mut part = PartWriter::new(store, &schema(), &format!("{name}{cut}"), "a").unwrap();
        let some: Vec<Sample> = rows.iter().filter(|row| row.second % cuts == cut).cloned().collect();
        part.write(&batch(&some)).await.unwrap();
        let live = |file: crate::part::DataFile| LiveFile {
            path: file.path,
            date: file.date,
            bytes: file.bytes,
            rows: Some(file.rows),
        };
        files.extend(part.finish().await.unwrap().into_iter().map(live));
    }
    files.sort_by(|one: &LiveFile, other| one.path.cmp(&other.path));
    TableState {
        version: 0,
        table_id: String::new(),
        created_ms: 0,
        committed_ms: None,
        schema: schema(),
        properties: BTreeMap::new(),
        files,
        provenance: None,
        schema_json: serde_json::Value::Null,
    }
}

async fn compared(store: &Arc<dyn Store>, before: TableState, after: TableState) -> (Vec<RobotDay>, Summary) {
    let mut diff = Diff::open(store, before, after).await.unwrap();
    let mut days = Vec::new();
    while let Some(more) = diff.next().await.unwrap() {
        days.extend(more);
    }
    (days, diff.summary().clone())
}

/// What the oracle knows of a robot's day.
#[derive(Debug, Default)]
struct Truth {
    rows: RowCounts,
    changed: [u64; 3],
    values: [[Vec<Value>; 2]; 3],
    changes: Vec<(usize, Value, Value)>,
}

type Key = (&'static str, i32, i64, &'static str);

fn truth(before: &[Sample], after: &[Sample]) -> BTreeMap<(&'static str, i32), Truth> {
    let mut keys: BTreeMap<Key, [Vec<&Sample>; 2]> = BTreeMap::new();
    for (version, rows) in [before, after].into_iter().enumerate() {
        for row in rows {
            keys.entry((row.robot, row.day, row.second, row.kind)).or_default()[version].push(row);
        }
    }
    let mut truths: BTreeMap<(&'static str, i32), Truth> = BTreeMap::new();
    for ((robot, day, ..), [old, new]) in keys {
        let truth = truths.entry((robot, day)).or_default();
        for nth in 0..old.len().max(new.len()) {
            judge(truth, old.get(nth).map(|row| row.values()), new.get(nth).map(|row| row.values()));
        }
    }
    truths.retain(|_, truth| truth.rows.differ());
    truths
}

fn judge(truth: &mut Truth, old: Option<[Value; 3]>, new: Option<[Value; 3]>) {
    for (version, row) in [&old, &new].into_iter().enumerate() {
        for (column, value) in row.iter().flatten().enumerate() {
            truth.values[column][version].push(value.clone());
        }
    }
    truth.rows.before += u64::from(old.is_some());
    truth.rows.after += u64::from(new.is_some());
    match (old, new) {
        (Some(old), Some(new)) => {
            let differing: Vec<usize> = (0..3).filter(|column| bits(&old[*column]) != bits(&new[*column])).collect();
            truth.rows.changed += u64::from(!differing.is_empty());
            for column in differing {
                truth.changed[column] += 1;
                truth.changes.push((column, old[column].clone(), new[column].clone()));
            }
        }
        (Some(_), None) => truth.rows.removed += 1,
        (None, _) => truth.rows.added += 1,
    }
}

fn bits(value: &Value) -> String {
    if let Value::Float(value) = value { value.to_bits().to_string() } else { format!("{value:?}") }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Whole(value) => Some(*value as f64),
        _ => None,
    }
}

/// Share of nulls, mean, standard deviation and quantiles, by their definitions.
fn statistics(values: &[Value]) -> [Option<f64>; 6] {
    let nulls = values.iter().filter(|value| **value == Value::Null).count();
    let mut numbers: Vec<f64> = values.iter().filter_map(number).filter(|number| number.is_finite()).collect();
    numbers.sort_by(f64::total_cmp);
    let n = numbers.len() as f64;
    let mean = (n > 0.0).then(|| numbers.iter().sum::<f64>() / n);
    let squares = mean.map(|mean| numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>());
    // Rank n lies at n; between two ranks the value goes straight from one to the other.
    let quantile = |share: f64| {
        let at = (n - 1.0) * share;
        let low = (0..numbers.len()).rev().find(|rank| *rank as f64 <= at)?;
        let high = numbers.get(low + 1).unwrap_or(&numbers[low]);
        Some(numbers[low] + (high - numbers[low]) * (at - low as f64))
    };
    [
        (!values.is_empty()).then(|| nulls as f64 / values.len() as f64),
        mean,
        squares.filter(|_| n > 1.0).map(|squares| (squares / (n - 1.0)).sqrt()),
        quantile(0.05),
        quantile(0.5),
        quantile(0.95),
    ]
}

fn figures(statistics: &Statistics) -> [Option<f64>; 6] {
    let moments = &statistics.moments;
    let [p05, p50, p95] = [0, 1, 2].map(|at| statistics.quantiles.map(|quantiles| quantiles[at]));
    [moments.null_share(), moments.mean(), moments.std(), p05, p50, p95]
}

fn close(one: [Option<f64>; 6], other: [Option<f64>; 6]) -> bool {
    one.iter().zip(other).all(|(one, other)| match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() < 1e-9,
        (None, None) => true,
        _ => false,
    })
}

/// Sizes of the five largest changes of each column, over all robots' days.
fn largest(truths: &BTreeMap<(&'static str, i32), Truth>) -> [Vec<f64>; 3] {
    let mut sizes: [Vec<f64>; 3] = Default::default();
    for truth in truths.values() {
        for (column, old, new) in &truth.changes {
            let [_, mean, std, ..] = statistics(&truth.values[*column][0]);
            let scale = [std, mean.map(f64::abs)].into_iter().flatten().find(|scale| *scale > 1e-12).unwrap_or(1.0);
            let way = number(old).zip(number(new)).map_or(-1.0, |(old, new)| (new - old).abs() / scale);
            sizes[*column].push(way);
        }
    }
    for sizes in &mut sizes {
        sizes.sort_by(|one, other| other.total_cmp(one));
        sizes.truncate(5);
    }
    sizes
}

fn agrees(days: &[RobotDay], summary: &Summary, before: &[Sample], after: &[Sample]) -> Result<(), TestCaseError> {
    let truths = truth(before, after);
    prop_assert_eq!(days.len(), truths.len());
    for day in days {
        let number = crate::part::date_day(&day.date).unwrap();
        let (_, truth) =
            truths.iter().find(|((robot, day_number), _)| *robot == day.robot && *day_number == number).unwrap();
        prop_assert_eq!(day.rows, truth.rows);
        for (column, found) in day.columns.iter().enumerate() {
            prop_assert_eq!(found.changed, truth.changed[column]);
            let [old, new] = &truth.values[column];
            prop_assert!(close(figures(&found.before), statistics(old)), "{:?} {:?}", found.before, old);
            prop_assert!(close(figures(&found.after), statistics(new)), "{:?} {:?}", found.after, new);
        }
    }
    let mut rows = RowCounts::default();
    truths.values().for_each(|truth| rows.add(&truth.rows));
    prop_assert_eq!((summary.rows, summary.robot_days), (rows, truths.len() as u64));
    for (column, wanted) in largest(&truths).iter().enumerate() {
        let changes = summary.changes().into_iter().filter(|change| change.column == column);
        let found: Vec<f64> = changes.map(|change| change.size.unwrap_or(-1.0)).collect();
        prop_assert_eq!(found.len(), wanted.len());
        for (one, other) in found.iter().zip(wanted) {
            prop_assert!(one == other || (one - other).abs() < 1e-6, "{:?} {:?}", found, wanted);
        }
    }
    Ok(())
}

/// Rows over two days, sorted by robot and time; equal keys happen.
fn rows() -> impl Strategy<Value = Vec<Sample>> {
    let speed = prop::option::of(prop::sample::select(vec![0.0, -0.0, 1.5, 2.0, -7.25, f64::INFINITY]));
    let count = prop::option::of(-2i64..3);
    let text = prop::option::of(prop::sample::select(vec!["", "a", "b"]));
    let key = (
        prop::sample::select(vec!["r1", "r2", "r3"]),
        19_000..19_002i32,
        0..4i64,
        prop::sample::select(vec!["control", "event"]),
    );
    let row = (key, speed, count, text).prop_map(|((robot, day, second, kind), speed, count, text)| Sample {
        robot,
        day,
        second,
        kind,
        speed,
        count,
        text,
    });
    prop::collection::vec(row, 0..40).prop_map(|mut rows| {
        rows.sort_by_key(|row| (row.robot, row.day, row.second));
        rows
    })
}

/// A version, and the same with some rows gone, doubled or changed.
fn versions() -> impl Strategy<Value = (Vec<Sample>, Vec<Sample>)> {
    let fate = prop::collection::vec((0u8..12, -3i64..3), 40);
    (rows(), rows(), fate, any::<bool>()).prop_map(|(before, other, fates, unrelated)| {
        if unrelated {
            return (before, other);
        }
        let mut after = Vec::new();
        for (row, (fate, count)) in before.iter().zip(fates) {
            match fate {
                0 => {}
                1 => after.extend([row.clone(), Sample { count: None, ..row.clone() }]),
                2 => after.push(Sample { count: Some(count), ..row.clone() }),
                3 => after.push(Sample { speed: Some(count as f64), ..row.clone() }),
                _ => after.push(row.clone()),
            }
        }
        (before, after)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_comparison_is_what_the_oracle_says((before, after) in versions(), cuts in 1i64..4, other_cuts in 1i64..4) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = memory();
        let (days, summary) = runtime.block_on(async {
            let old = version(&store, "b", &before, cuts).await;
            let new = version(&store, "a", &after, other_cuts).await;
            compared(&store, old, new).await
        });
        agrees(&days, &summary, &before, &after)?;
    }
}

fn sample(second: i64, speed: f64) -> Sample {
    Sample { robot: "r1", day: 19_000, second, kind: "event", speed: Some(speed), count: None, text: None }
}

#[tokio::test]
async fn days_with_the_same_files_are_not_read() {
    let store = memory();
    let old = version(&store, "b", &[sample(0, 1.0), Sample { day: 19_001, ..sample(0, 1.0) }], 1).await;
    let mut new = version(&store, "a", &[sample(0, 2.0)], 1).await;
    new.files.push(old.files[1].clone());
    store.delete(&old.files[1].path).await.unwrap();
    let (days, summary) = compared(&store, old, new).await;
    assert_eq!((days.len(), summary.days_compared, summary.days_same), (1, 1, 1));
    let change = summary.changes()[0].clone();
    assert_eq!((change.before, change.after, change.size), (Value::Float(1.0), Value::Float(2.0), Some(1.0)));
    assert_eq!((change.robot.as_str(), change.time_us, change.kind.as_str()), ("r1", 19_000 * DAY_US, "event"));
}

#[tokio::test]
async fn a_file_that_is_not_sorted_is_refused() {
    let store = memory();
    let rows = [sample(5, 1.0), sample(3, 1.0)];
    let old = version(&store, "b", &rows, 1).await;
    let new = version(&store, "a", &rows[..1], 1).await;
    let mut diff = Diff::open(&store, old, new).await.unwrap();
    let error = diff.next().await.unwrap_err().to_string();
    assert!(error.contains("not sorted"), "{error}");
}

#[tokio::test]
async fn only_columns_of_both_versions_are_compared_and_the_others_are_named() {
    let store = memory();
    let old = version(&store, "b", &[sample(0, 1.0)], 1).await;
    let mut new = version(&store, "a", &[sample(0, 1.0)], 1).await;
    let plain = schema();
    let fields = plain.fields().iter().map(|field| match field.name().as_str() {
        "text" => Field::new("words", DataType::Utf8, true),
        "count" => Field::new("count", DataType::Float64, true),
        "speed" => field.as_ref().clone().with_metadata([("unit".to_owned(), "m/s".to_owned())].into()),
        _ => field.as_ref().clone(),
    });
    new.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let diff = Diff::open(&store, old, new).await.unwrap();
    let names: Vec<&str> = diff.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["speed"]);
    let wanted = [
        SchemaChange::Unit("speed".to_owned(), String::new(), "m/s".to_owned()),
        SchemaChange::Type("count".to_owned(), DataType::Int64, DataType::Float64),
        SchemaChange::Added("words".to_owned(), DataType::Utf8),
        SchemaChange::Removed("text".to_owned(), DataType::Utf8),
    ];
    assert_eq!(diff.schema(), wanted);
}

#[tokio::test]
async fn the_lines_hold_every_column_of_every_day_that_differs() {
    let store = memory();
    let old = version(&store, "b", &[sample(0, 1.0), sample(1, 3.0)], 1).await;
    let new = version(&store, "a", &[sample(0, 1.0), sample(1, 5.0)], 2).await;
    let mut diff = Diff::open(&store, old, new).await.unwrap();
    let mut lines = LineWriter::create(store.as_ref(), "out.parquet").await.unwrap();
    while let Some(days) = diff.next().await.unwrap() {
        lines.write(diff.columns(), &days).await.unwrap();
    }
    lines.finish().await.unwrap();
    let (_, bytes) = store.get("out.parquet").await.unwrap();
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
    let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let text = |name: &str, row: usize| batch.column_by_name(name).unwrap().as_string::<i32>().value(row).to_owned();
    let number =
        |name: &str| batch.column_by_name(name).unwrap().as_primitive::<arrow::datatypes::Float64Type>().value(0);
    assert_eq!((batch.num_rows(), text("column", 0), text("column", 2)), (3, "speed".to_owned(), "text".to_owned()));
    assert_eq!((text("robot", 0), text("date", 0)), ("r1".to_owned(), "2022-01-08".to_owned()));
    let figures = ["mean_before", "mean_after", "p50_after", "p95_before", "null_share_after"].map(number);
    assert_eq!(figures, [2.0, 3.0, 3.0, 2.9, 0.0]);
    assert!((number("mean_shift_in_std") - 1.0 / 2f64.sqrt()).abs() < 1e-12);
}
