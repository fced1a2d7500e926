//! Stores and rows for this crate's tests.

use crate::commit::Publication;
use crate::delta::Origin;
use crate::ledger::{Ledger, LedgerLine, LineState};
use crate::part::PartWriter;
use crate::state::TableState;
use archive::memory::MemoryStore;
use archive::store::Store;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pipeline::time::Span;
use std::sync::Arc;

/// An empty store in memory.
pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

/// The columns of a small result.
pub(crate) fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("robot", DataType::Utf8, true),
        Field::new("date", DataType::Date32, true),
        Field::new("time", time, true),
        Field::new("speed_v", DataType::Float64, true).with_metadata([("unit".to_owned(), "m/s".to_owned())].into()),
        Field::new("speed_dt_us", DataType::Int64, true),
        Field::new("valid", DataType::Boolean, true),
    ]))
}

/// `count` rows of a robot on a day, a second apart; each third value is null.
pub(crate) fn rows(robot: &str, day: i32, count: usize) -> RecordBatch {
    let numbers = || (0..count).map(|row| i64::try_from(row).unwrap());
    let start = i64::from(day) * 86_400_000_000;
    let times = numbers().map(|row| start + row * 1_000_000);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![robot; count])),
        Arc::new(Date32Array::from(vec![day; count])),
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(numbers().map(|row| (row % 3 != 0).then_some(row as f64 * 0.5)).collect::<Float64Array>()),
        Arc::new(Int64Array::from_iter_values(numbers().map(|row| -row))),
        Arc::new(BooleanArray::from_iter(numbers().map(|row| Some(row % 2 == 0)))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Writes a shard of some rows and gives its ledger line.
pub(crate) async fn shard(store: &Arc<dyn Store>, key: &str, day: i32, count: usize) -> LedgerLine {
    let mut part = PartWriter::new(store, &schema(), key, "a").unwrap();
    part.write(&rows("r1", day, count)).await.unwrap();
    let files = part.finish().await.unwrap();
    LedgerLine {
        key: key.to_owned(),
        state: LineState::Done,
        reason: "new".to_owned(),
        span: Span { from_ns: 0, to_ns: 1 },
        robots: String::new(),
        rows: files.iter().map(|file| file.rows).sum(),
        files,
        account: None,
        quarantine: None,
        failure: None,
    }
}

/// A plan with these shards.
pub(crate) fn publication(plan: &str, base: Option<TableState>, lines: Vec<LedgerLine>) -> Publication {
    Publication {
        run: format!("run-{plan}"),
        plan: plan.to_owned(),
        source: "s1".to_owned(),
        pipeline: "p".to_owned(),
        meaning: "m1".to_owned(),
        engine: "1".to_owned(),
        schema: schema(),
        retention_s: 7 * 86_400,
        base,
        ledger: Ledger { lines },
        gates: Vec::new(),
        origin: Origin::default(),
        now_ms: 1_700_000_000_000,
    }
}
