//! Publishing on a store in memory and in a folder, with and without faults.

use super::*;
use crate::checkpoint::{INTERVAL, checkpoint};
use crate::history::{history, published_by};
use crate::ledger::LedgerLine;
use crate::part::PartWriter;
use crate::restore::{Wish, restoration};
use crate::rows::first_rows;
use crate::testing::{memory, publication, rows, schema, shard};
use archive::counting::Counting;
use archive::faulty::{Fault, Faults};
use archive::folder::{FolderStore, MissingRoot};
use archive::store::Put;
use pipeline::pipeline::Drift;
use std::time::Duration;

const PATIENCE: Patience = Patience { deadline: Duration::from_millis(200), pause: Duration::from_millis(1) };

async fn latest(store: &Arc<dyn Store>) -> TableState {
    TableState::open(store, None).await.unwrap().unwrap()
}

fn paths(state: &TableState) -> Vec<&str> {
    state.files.iter().map(|file| file.path.as_str()).collect()
}

async fn creates_then_replaces(store: Arc<dyn Store>) {
    assert!(TableState::open(&store, None).await.unwrap().is_none());
    let first =
        publication("a", None, vec![shard(&store, "k1", 19_000, 10).await, shard(&store, "k2", 19_001, 5).await]);
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
    Box::pin(creates_then_replaces(memory())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_holds_tables_too() {
    let folder = tempfile::tempdir().unwrap();
    Box::pin(creates_then_replaces(Arc::new(FolderStore::new(folder.path().join("result"), MissingRoot::Empty)))).await;
}

/// A table with one shard, and its state.
async fn table(store: &Arc<dyn Store>) -> TableState {
    let first = publication("a", None, vec![shard(store, "k1", 19_000, 4).await]);
    assert_eq!(publish(store, &first, PATIENCE).await.unwrap(), Outcome::Published { version: 0 });
    latest(store).await
}

#[tokio::test]
async fn a_lost_answer_never_makes_a_second_version() {
    let faults: [&[Fault]; 7] = [
        &[Fault::Lost],
        &[Fault::Twice],
        &[Fault::Dropped],
        &[Fault::Busy, Fault::Busy, Fault::Lost],
        &[Fault::Dropped, Fault::Twice],
        &[Fault::Late],
        &[Fault::Busy, Fault::Late, Fault::Twice],
    ];
    for faults in faults {
        let sound = memory();
        let store = Faults::of_creates(layout::LOG, faults).around(&sound);
        let first = publication("a", None, vec![shard(&store, "k1", 19_000, 4).await]);
        assert_eq!(publish(&store, &first, PATIENCE).await.unwrap(), Outcome::Published { version: 0 }, "{faults:?}");

        let store = Faults::of_creates(layout::LOG, faults).around(&sound);
        let next = publication("b", Some(latest(&sound).await), vec![shard(&store, "k2", 19_000, 5).await]);
        assert_eq!(publish(&store, &next, PATIENCE).await.unwrap(), Outcome::Published { version: 1 }, "{faults:?}");
        assert_eq!(history(sound.as_ref(), 9).await.unwrap().len(), 2, "{faults:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stays_unclear_is_unknown_and_the_next_try_settles_it() {
    let sound = memory();
    let store = Faults::of_creates(layout::LOG, &[Fault::Busy; 1000]).around(&sound);
    let first = publication("a", None, vec![shard(&store, "k1", 19_000, 4).await]);
    let short = Patience { deadline: Duration::from_millis(5), pause: Duration::from_millis(1) };
    assert_eq!(publish(&store, &first, short).await.unwrap(), Outcome::Unknown);
    assert_eq!(publish(&sound, &first, PATIENCE).await.unwrap(), Outcome::Published { version: 0 });
    assert_eq!(publish(&sound, &first, PATIENCE).await.unwrap(), Outcome::AlreadyPublished { version: 0 });
}

#[tokio::test]
async fn a_store_without_permission_says_so() {
    let store = Faults::of_creates(layout::LOG, &[Fault::Denied]).around(&memory());
    let first = publication("a", None, vec![shard(&store, "k1", 19_000, 4).await]);
    let outcome = publish(&store, &first, PATIENCE).await.unwrap();
    assert!(matches!(&outcome, Outcome::Refused(Why::Store(why)) if why.contains("permission")), "{outcome:?}");
}

async fn one_version_for_many_publishers_of_a_plan(store: Arc<dyn Store>) {
    let line = shard(&store, "k1", 19_000, 4).await;
    let mut base = None;
    for (version, plan) in ["a", "b", "c"].into_iter().enumerate() {
        let line = LedgerLine { rows: version as u64, ..line.clone() };
        let publication = Publication { meaning: plan.to_owned(), ..publication(plan, base, vec![line]) };
        let racers = (0..8).map(|_| publish(&store, &publication, PATIENCE));
        let outcomes = futures::future::try_join_all(racers).await.unwrap();
        let version = version as u64;
        let won = outcomes.iter().filter(|outcome| **outcome == Outcome::Published { version }).count();
        let late = outcomes.iter().filter(|outcome| **outcome == Outcome::AlreadyPublished { version }).count();
        assert_eq!((won, late), (1, 7), "{outcomes:?}");
        base = Some(latest(&store).await);
        assert_eq!(base.as_ref().unwrap().version, version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_publishers_of_one_plan_make_one_version() {
    one_version_for_many_publishers_of_a_plan(memory()).await;
    let folder = tempfile::tempdir().unwrap();
    one_version_for_many_publishers_of_a_plan(Arc::new(FolderStore::new(folder.path(), MissingRoot::Empty))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_publishers_of_different_plans_meet_in_a_conflict() {
    let store = memory();
    let base = Some(table(&store).await);
    let left = publication("l", base.clone(), vec![shard(&store, "kl", 19_000, 4).await]);
    let right = publication("r", base, vec![shard(&store, "kr", 19_000, 4).await]);
    let (one, two) = tokio::join!(publish(&store, &left, PATIENCE), publish(&store, &right, PATIENCE));
    let outcomes = [one.unwrap(), two.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Published { version: 1 }).count(), 1);
    let conflict = |outcome: &Outcome| matches!(outcome, Outcome::Conflict { version: 1, other: Other::Plan(_) });
    assert!(outcomes.iter().any(conflict), "{outcomes:?}");
}

#[tokio::test]
async fn the_same_files_and_meaning_are_nothing_to_do() {
    let store = memory();
    let base = table(&store).await;
    let lines = base.ledger(&store).await.unwrap().lines;
    let again = publication("b", Some(base.clone()), lines.clone());
    assert_eq!(publish(&store, &again, PATIENCE).await.unwrap(), Outcome::NothingToDo { version: 0 });
    let other = Publication { meaning: "m2".to_owned(), ..publication("c", Some(base), lines) };
    assert_eq!(publish(&store, &other, PATIENCE).await.unwrap(), Outcome::Published { version: 1 });
}

#[tokio::test]
async fn a_shard_without_rows_that_is_new_is_a_version_of_its_own() {
    let store = memory();
    let base = table(&store).await;
    let mut lines = base.ledger(&store).await.unwrap().lines;
    lines.push(LedgerLine { key: "empty".to_owned(), files: Vec::new(), rows: 0, ..lines[0].clone() });
    let more = publication("b", Some(base), lines);
    assert_eq!(publish(&store, &more, PATIENCE).await.unwrap(), Outcome::Published { version: 1 });
    assert_eq!(latest(&store).await.ledger(&store).await.unwrap(), more.ledger);
}

#[tokio::test]
async fn a_new_column_comes_with_the_same_table_id() {
    let store = memory();
    let base = table(&store).await;
    let mut fields = schema().fields().to_vec();
    fields.push(Arc::new(arrow::datatypes::Field::new("label", arrow::datatypes::DataType::Boolean, true)));
    let wider = Arc::new(arrow::datatypes::Schema::new(fields));
    let next = Publication { schema: Arc::clone(&wider), ..publication("b", Some(base.clone()), Vec::new()) };
    assert_eq!(publish(&store, &next, PATIENCE).await.unwrap(), Outcome::Published { version: 1 });
    let state = latest(&store).await;
    assert_eq!((&state.schema, &state.table_id, state.created_ms), (&wider, &base.table_id, base.created_ms));
    assert!(state.files.is_empty());
    assert_eq!(TableState::open(&store, Some(0)).await.unwrap().unwrap().schema, schema());
}

#[tokio::test]
async fn a_version_written_by_something_else_is_refused() {
    let store = memory();
    let base = table(&store).await;
    let foreign = r#"{"commitInfo":{"operation":"DELETE","engineInfo":"other"}}
"#;
    store.put(&layout::commit(1), foreign.into(), Put::IfAbsent).await.unwrap();
    let late = publication("b", Some(base), Vec::new());
    let conflict = Outcome::Conflict { version: 1, other: Other::Foreign };
    assert_eq!(publish(&store, &late, PATIENCE).await.unwrap(), conflict);

    let state = latest(&store).await;
    assert_eq!((state.version, &state.provenance), (1, &None));
    let outcome = publish(&store, &publication("c", Some(state), Vec::new()), PATIENCE).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Refused(Why::Foreign(why)) if why.contains("not made by fleetloom")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_ledger_that_is_gone_or_changed_makes_a_version_foreign() {
    let store = memory();
    let state = table(&store).await;
    let name = state.provenance.as_ref().unwrap().ledger.clone();
    let short = TableState { files: Vec::new(), ..state.clone() };
    assert!(short.ledger(&store).await.unwrap_err().to_string().contains("does not fit its files"));
    store.put(&name, "other".into(), Put::Always).await.unwrap();
    assert!(matches!(state.ledger(&store).await, Err(TableError::Malformed { .. })));
    store.delete(&name).await.unwrap();
    assert!(state.ledger(&store).await.unwrap_err().to_string().contains("is gone"));
}

#[tokio::test]
async fn another_pipelines_table_is_refused() {
    let store = memory();
    let base = table(&store).await;
    let other = Publication { pipeline: "q".to_owned(), ..publication("b", Some(base), Vec::new()) };
    assert_eq!(publish(&store, &other, PATIENCE).await.unwrap(), Outcome::Refused(Why::Owner("p".to_owned())));
}

#[tokio::test]
async fn over_a_gate_only_the_ledger_is_kept() {
    let store = memory();
    let line = shard(&store, "k1", 19_000, 4).await;
    let gated = Publication { gates: vec!["too late".to_owned()], ..publication("a", None, vec![line]) };
    let outcome = publish(&store, &gated, PATIENCE).await.unwrap();
    assert_eq!(outcome, Outcome::Refused(Why::Gates(vec!["too late".to_owned()])));
    assert!(TableState::open(&store, None).await.unwrap().is_none());
    let ledgers: Vec<_> = store.list("_fleetloom/ledger/").try_collect().await.unwrap();
    assert_eq!(ledgers.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_gone_is_refused() {
    let store = memory();
    let line = shard(&store, "k1", 19_000, 4).await;
    store.delete(&line.files[0].path).await.unwrap();
    let gone = vec![line.files[0].path.clone()];
    let outcome = publish(&store, &publication("a", None, vec![line]), PATIENCE).await.unwrap();
    assert_eq!(outcome, Outcome::Refused(Why::Missing(gone)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_versions_are_opened_through_a_checkpoint() {
    many_versions(memory()).await;
}

#[tokio::test]
async fn a_checkpoint_needs_no_second_thread() {
    let folder = tempfile::tempdir().unwrap();
    many_versions(Arc::new(FolderStore::new(folder.path(), MissingRoot::Empty))).await;
}

async fn many_versions(store: Arc<dyn Store>) {
    let mut base = None;
    for version in 0..=INTERVAL + 1 {
        let line = shard(&store, &format!("k{version}"), 19_000, 3).await;
        let next = publication(&format!("p{version}"), base, vec![line]);
        assert_eq!(publish(&store, &next, PATIENCE).await.unwrap(), Outcome::Published { version });
        assert_eq!(checkpoint(&store, version).await.unwrap(), version == INTERVAL);
        base = Some(latest(&store).await);
    }
    let state = base.unwrap();
    assert_eq!((state.rows(), state.files.len(), &state.schema), (Some(3), 1, &schema()));
    for version in 0..INTERVAL - 1 {
        store.delete(&layout::commit(version)).await.unwrap();
    }
    assert_eq!(latest(&store).await.files, state.files);
    let versions = history(store.as_ref(), 2).await.unwrap();
    assert_eq!(versions.iter().map(|info| info.version).collect::<Vec<_>>(), [51, 50]);
    assert_eq!(versions[0].provenance.as_ref().unwrap().plan, "p51");
    let found = published_by(store.as_ref(), "run-p51", Some(50)).await.unwrap().unwrap();
    assert_eq!(found.version, 51);
    assert!(published_by(store.as_ref(), "run-p51", Some(51)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_table_of_a_thousand_versions_opens_with_few_requests() {
    let inner = memory();
    let mut base = None;
    for version in 0..1_000 {
        let line = shard(&inner, &format!("k{version}"), 19_000, 2).await;
        let next = publication(&format!("p{version}"), base, vec![line]);
        publish(&inner, &next, PATIENCE).await.unwrap();
        checkpoint(&inner, version).await.unwrap();
        base = Some(latest(&inner).await);
    }
    let counting = Counting::around(Arc::clone(&inner));
    let store: Arc<dyn Store> = Arc::new(counting.clone());
    let state = latest(&store).await;
    assert_eq!((state.version, state.rows()), (999, Some(2)));
    let counts = counting.counts();
    // The last checkpoint and the 49 commits since, twice at most: once by the Delta kernel, once for who made the version.
    assert!(counts.list <= 4 && counts.head + counts.get + counts.read <= 130, "{counts:?}");
}

/// What is to be published to bring a version back.
async fn restoration_of(store: &Arc<dyn Store>, version: u64, pipeline: &str) -> Result<Publication, TableError> {
    let old = TableState::open(store, Some(version)).await?.unwrap();
    let wish = Wish { run: "back".to_owned(), pipeline: pipeline.to_owned(), retention_s: 7 * 86_400, now_ms: 1 };
    restoration(store, latest(store).await, &old, wish).await
}

#[tokio::test]
async fn a_restored_version_has_the_old_files_columns_ledger_and_plan() {
    let store = memory();
    let zero = table(&store).await;
    let mut fields = schema().fields().to_vec();
    fields.push(Arc::new(arrow::datatypes::Field::new("label", arrow::datatypes::DataType::Boolean, true)));
    let wider = Arc::new(arrow::datatypes::Schema::new(fields));
    let next = Publication { schema: wider, ..publication("b", Some(zero.clone()), Vec::new()) };
    publish(&store, &next, PATIENCE).await.unwrap();

    let back = restoration_of(&store, 0, "p").await.unwrap();
    assert_eq!(publish(&store, &back, PATIENCE).await.unwrap(), Outcome::Published { version: 2 });
    let two = latest(&store).await;
    assert_eq!((&two.files, &two.schema, &two.table_id), (&zero.files, &zero.schema, &zero.table_id));
    assert_eq!(two.ledger(&store).await.unwrap(), zero.ledger(&store).await.unwrap());
    let made = two.provenance.as_ref().unwrap();
    assert_eq!((made.plan.as_str(), made.run.as_str(), made.origin.restored), ("a", "back", Some(0)));
    assert_eq!(made.shards, ShardCounts { reused: 1, ..ShardCounts::default() });
    assert_eq!(history(store.as_ref(), 1).await.unwrap()[0].operation.as_deref(), Some("RESTORE"));

    let again = restoration_of(&store, 0, "p").await.unwrap();
    assert_eq!(publish(&store, &again, PATIENCE).await.unwrap(), Outcome::NothingToDo { version: 2 });
    let other = restoration_of(&store, 1, "q").await.unwrap();
    assert_eq!(publish(&store, &other, PATIENCE).await.unwrap(), Outcome::Refused(Why::Owner("p".to_owned())));
}

#[tokio::test]
async fn a_lost_answer_restores_once_and_two_at_a_time_make_one_version() {
    let sound = memory();
    let zero = table(&sound).await;
    publish(&sound, &publication("b", Some(zero), Vec::new()), PATIENCE).await.unwrap();
    let back = restoration_of(&sound, 0, "p").await.unwrap();
    let store = Faults::of_creates(layout::LOG, &[Fault::Lost]).around(&sound);
    assert_eq!(publish(&store, &back, PATIENCE).await.unwrap(), Outcome::Published { version: 2 });
    assert_eq!(publish(&sound, &back, PATIENCE).await.unwrap(), Outcome::AlreadyPublished { version: 2 });
    assert_eq!(latest(&sound).await.version, 2);
}

#[tokio::test]
async fn a_version_whose_files_are_gone_is_not_restored() {
    let store = memory();
    let zero = table(&store).await;
    publish(&store, &publication("b", Some(zero.clone()), Vec::new()), PATIENCE).await.unwrap();
    store.delete(&zero.files[0].path).await.unwrap();
    let error = restoration_of(&store, 0, "p").await.unwrap_err().to_string();
    assert!(error.contains("1 of its 1 data files are gone") && error.contains(&zero.files[0].path), "{error}");
}

#[tokio::test]
async fn drift_is_judged_on_whole_versions_and_every_file_is_read_once() {
    let store = memory();
    let zero = table(&store).await;
    let kept = zero.ledger(&store).await.unwrap().lines;
    let next = Ledger { lines: [kept.clone(), vec![shard(&store, "k2", 19_001, 1_000).await]].concat() };
    let drift =
        |mean_shift| Drift { columns: vec!["speed_*".to_owned()], null_share: None, mean_shift: Some(mean_shift) };
    let judged =
        async |gates: &[Drift], ledger: &Ledger| crate::drift::judge(&store, gates, &zero, &schema(), ledger).await;
    let told = judged(&[drift(3.0)], &next).await.unwrap();
    // Before: 0.5 and 1; after: these, and 0.5 … 499.5 where the row is no multiple of three.
    assert!(told[0].starts_with("the mean of `speed_v` went from 0.75 to 249.0"), "{told:?}");
    assert_eq!(told.len(), 2, "speed_dt_us went too: {told:?}");
    assert!(judged(&[drift(1e6)], &next).await.unwrap().is_empty());
    store.delete(&zero.files[0].path).await.unwrap();
    assert!(judged(&[drift(3.0)], &Ledger { lines: kept }).await.unwrap().is_empty(), "the same files are not read");
}

#[tokio::test]
async fn rows_are_read_back_with_their_day() {
    let store = memory();
    let lines = vec![shard(&store, "k1", 19_000, 4).await, shard(&store, "k2", 19_001, 4).await];
    publish(&store, &publication("a", None, lines), PATIENCE).await.unwrap();
    let state = latest(&store).await;
    let found = first_rows(&store, &state, 6).await.unwrap();
    let found = arrow::compute::concat_batches(&schema(), &found).unwrap();
    let wanted = arrow::compute::concat_batches(&schema(), &[rows("r1", 19_000, 4), rows("r1", 19_001, 2)]).unwrap();
    assert_eq!(found, wanted);
    assert!(first_rows(&store, &state, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn columns_that_are_never_null_are_read_like_the_others() {
    let store = memory();
    let strict = |field: &Arc<arrow::datatypes::Field>| field.as_ref().clone().with_nullable(field.name() == "speed_v");
    let strict = Arc::new(arrow::datatypes::Schema::new(schema().fields().iter().map(strict).collect::<Vec<_>>()));
    let mut part = PartWriter::new(&store, &strict, "k1", "a").unwrap();
    let batch = rows("r1", 19_000, 3);
    let never_null = arrow::array::RecordBatch::try_new(Arc::clone(&strict), batch.columns().to_vec()).unwrap();
    part.write(&never_null).await.unwrap();
    let line = LedgerLine { files: part.finish().await.unwrap(), ..shard(&store, "k2", 19_000, 0).await };
    let first = Publication { schema: strict, ..publication("a", None, vec![line]) };
    publish(&store, &first, PATIENCE).await.unwrap();
    assert_eq!(first_rows(&store, &latest(&store).await, 9).await.unwrap(), [batch]);
}
