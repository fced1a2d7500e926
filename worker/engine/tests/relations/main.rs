//! The relations of SQL: `nearest_join` finds what brute force finds, `look_back` gives the kernels' own bits, whatever the order
//! and the batches that rows come in; conditions reach the inputs and change nothing.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod conditions;
mod laws;
mod refused;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::compute::concat_batches;
use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use fleetloom_engine::relation;
use std::future::Future;
use std::sync::Arc;

/// A row: robot, time (ns), value.
pub(crate) type Row = (Option<&'static str>, Option<i64>, Option<f64>);

/// Rows as a batch; `n` numbers them.
pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let robots: StringArray = rows.iter().map(|row| row.0).collect();
    let times: TimestampNanosecondArray = rows.iter().map(|row| row.1).collect();
    let values: Float64Array = rows.iter().map(|row| row.2).collect();
    let numbers = Int64Array::from_iter_values(0..i64::try_from(rows.len()).unwrap());
    RecordBatch::try_from_iter_with_nullable([
        ("robot", Arc::new(robots) as ArrayRef, true),
        ("time", Arc::new(times.with_timezone("UTC")) as ArrayRef, true),
        ("v", Arc::new(values) as ArrayRef, true),
        ("n", Arc::new(numbers) as ArrayRef, false),
    ])
    .unwrap()
}

/// A session over tables, whose rows come in batches of so many, in two partitions.
pub(crate) fn session(tables: &[(&str, &[Row])], batch_rows: usize) -> SessionContext {
    let config = SessionConfig::new().with_batch_size(batch_rows.max(1)).with_target_partitions(2);
    let state = SessionStateBuilder::new().with_config(config).with_default_features();
    let context = SessionContext::new_with_state(relation::session(state).build());
    for (name, rows) in tables {
        let whole = batch(rows);
        let pieces = (0..whole.num_rows()).step_by(batch_rows.max(1));
        let pieces: Vec<RecordBatch> =
            pieces.map(|from| whole.slice(from, batch_rows.max(1).min(whole.num_rows() - from))).collect();
        let (even, odd): (Vec<_>, Vec<_>) = pieces.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let bare = |pieces: Vec<(usize, RecordBatch)>| pieces.into_iter().map(|(_, piece)| piece).collect();
        let table = MemTable::try_new(whole.schema(), vec![bare(even), bare(odd)]).unwrap();
        context.register_table(*name, Arc::new(table)).unwrap();
    }
    context
}

/// Runs what waits.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn frame(context: &SessionContext, sql: &str) -> Result<DataFrame> {
    let statement = relation::with_relations(relation::statements(sql)?.remove(0))?;
    let plan = context.state().statement_to_plan(statement).await?;
    context.execute_logical_plan(plan).await
}

/// The answer as one batch.
pub(crate) fn ask(context: &SessionContext, sql: &str) -> Result<RecordBatch> {
    wait(async {
        let frame = frame(context, sql).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        Ok(concat_batches(&schema, &frame.collect().await?)?)
    })
}
