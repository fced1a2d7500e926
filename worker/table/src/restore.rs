//! Going back: a new version with the files, columns and ledger of an old one.
//!
//! It is published like any other, at exactly base+1, and holds nothing of its own. It carries the old version's plan, source
//! and meaning, for these made its rows: the next plan compares with them, and reuses the reports of whatever was undone.

use crate::commit::{Publication, missing};
use crate::delta::{Origin, Provenance};
use crate::error::TableError;
use crate::history::{changes, read_plan};
use crate::ledger::Ledger;
use crate::part::DataFile;
use crate::state::TableState;
use archive::store::Store;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// What is asked of a restoration.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Id of the act, in the place of a run's.
    pub run: String,
    /// Name of the pipeline that asks; only the table's own may.
    pub pipeline: String,
    /// How long files of old versions stay readable, s.
    pub retention_s: u64,
    /// The time, ms since the epoch.
    pub now_ms: i64,
}

/// What is to be published to bring `old` back on top of `latest`.
///
/// Errors: [`TableError::Refused`] when something else made `old`, or files of it are gone.
pub async fn restoration(
    store: &Arc<dyn Store>,
    latest: TableState,
    old: &TableState,
    wish: Wish,
) -> Result<Publication, TableError> {
    let ledger = old.ledger(store).await?;
    refuse_if_gone(store, old, &ledger).await?;
    // A version with a ledger of ours has our words.
    let made = old.provenance.clone().unwrap_or_default();
    let changes = undone(store.as_ref(), &latest, &made).await?;
    Ok(Publication {
        run: wish.run,
        plan: made.plan,
        source: made.source,
        pipeline: wish.pipeline,
        meaning: made.meaning,
        engine: made.engine,
        schema: SchemaRef::clone(&old.schema),
        retention_s: wish.retention_s,
        base: Some(latest),
        ledger,
        gates: Vec::new(),
        origin: Origin { started_ms: Some(wish.now_ms), changes, restored: Some(old.version) },
        now_ms: wish.now_ms,
    })
}

async fn refuse_if_gone(store: &Arc<dyn Store>, old: &TableState, ledger: &Ledger) -> Result<(), TableError> {
    let files: Vec<&DataFile> = ledger.files().collect();
    let gone = missing(store.as_ref(), &files).await?;
    let Some(first) = gone.first() else { return Ok(()) };
    Err(TableError::Refused(format!(
        "version {} of {store} cannot be restored: {} of its {} data files are gone, such as {first}; vacuum removes what is \
         older than `retention`, unless its version is tagged",
        old.version,
        gone.len(),
        files.len()
    )))
}

/// The fields in which the old version's words differ from the latest's.
async fn undone(store: &dyn Store, latest: &TableState, made: &Provenance) -> Result<Option<Vec<String>>, TableError> {
    if latest.provenance.as_ref().is_some_and(|now| now.meaning == made.meaning && now.engine == made.engine) {
        return Ok(Some(Vec::new()));
    }
    match read_plan(store, &made.plan).await? {
        Some(plan) => changes(store, Some(latest), &plan.meaning, &made.engine).await,
        None => Ok(None),
    }
}
