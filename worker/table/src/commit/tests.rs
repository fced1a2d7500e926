//! Publishing on a store in memory and in a folder, with and without faults.

use super::*;
use crate::ledger::{LedgerLine, LineState};
use crate::part::PartWriter;
use crate::testing::{Fault, Faulty, memory, rows, schema};
use archive::folder::{FolderStore, MissingRoot};
use archive::store::Put;
use pipeline::time::Span;
use std::time::Duration;

const PATIENCE: Patience = Patience { deadline: Duration::from_millis(200), pause: Duration::from_millis(1) };

/// Writes a shard of some rows and gives its ledger line.
async fn shard(store: &Arc<dyn Store>, key: &str, day: i32, count: usize) -> LedgerLine {
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

fn publication(plan: &str, base: Option<TableState>, lines: Vec<LedgerLine>) -> Publication {
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
        now_ms: 1_700_000_000_000,
    }
}

async fn latest(store: &Arc<dyn Store>) -> TableState {
    TableState::open(store, None).await.unwrap().unwrap()
}

fn paths(state: &TableState) -> Vec<&str> {
    state.files.iter().map(|file| file.path.as_str()).collect()
}

async fn creates_then_replaces(store: Arc<dyn Store>) {
    assert!(TableState::open(&store, None).await.unwrap().is_none());
    let first = publication("a", None, vec![shard(&store, "k1", 19_000, 10).await, shard(&store, "k2", 19_001, 5).await]);
    assert_eq!(publish(&store, &first, PATIENCE).await.unwrap(), Outcome::Published { version: 0 });
    let zero = latest(&store).await;
    assert_eq!(paths(&zero), ["date=2022-01-08/part-k1-a.parquet", "date=2022-01-09/part-k2-a.parquet"]);
    assert_eq!((zero.version, zero.rows(), zero.pipeline()), (0, Some(15), Some("p")));
    assert_eq!(zero.schema, schema());
    assert_eq!(zero.ledger(&store).await.unwrap(), first.ledger);
    assert_eq!(zero.properties["delta.enableExpiredLogCleanup"], "false");
    assert_eq!(zero.properties["delta.deletedFileRetentionDuration"], "interval 604800 seconds");

    let kept = first.ledger.lines[0].clone();
    let second = publication("b", Some(zero.clone()), vec![kept, shard(&store, "k3", 19_001, 7).await]);
    assert_eq!(publish(&store, &second, PATIENCE).await.unwrap(), Outcome::Published { version: 1 });
    let one = latest(&store).await;
    assert_eq!(paths(&one), ["date=2022-01-08/part-k1-a.parquet", "date=2022-01-09/part-k3-a.parquet"]);
    assert_eq!((one.rows(), one.table_id.as_str()), (Some(17), zero.table_id.as_str()));
    assert_eq!(TableState::open(&store, Some(0)).await.unwrap().unwrap().files, zero.files);
    let error = TableState::open(&store, Some(2)).await.unwrap_err();
    assert!(error.to_string().contains("its latest is 1"), "{error}");
}

#[tokio::test]
async fn a_table_is_made_and_then_holds_exactly_the_next_plans_files() {
    creates_then_replaces(memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_holds_tables_too() {
    let folder = tempfile::tempdir().unwrap();
    creates_then_replaces(Arc::new(FolderStore::new(folder.path().join("result"), MissingRoot::Empty))).await;
}
