//! Checkpoints: a version's whole state in one file, so that opening a table does not read its whole history.
//!
//! A step of its own after a commit; its failure is a warning, for nothing needs it.

use crate::bridge::log_store;
use crate::error::TableError;
use archive::store::Store;
use deltalake_core::DeltaTable;
use deltalake_core::checkpoints::create_checkpoint;
use std::sync::Arc;

/// Versions between two checkpoints.
pub const INTERVAL: u64 = 50;

/// Writes the checkpoint of `version` when one is due. Returns whether it was.
pub async fn checkpoint(store: &Arc<dyn Store>, version: u64) -> Result<bool, TableError> {
    if version == 0 || !version.is_multiple_of(INTERVAL) {
        return Ok(false);
    }
    let delta = |error| TableError::delta(store, error);
    let mut table = DeltaTable::new(log_store(store));
    table.load_version(version).await.map_err(delta)?;
    create_checkpoint(&table, None).await.map_err(delta)?;
    Ok(true)
}
