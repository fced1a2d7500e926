//! What a command works with: the checked pipeline, its two stores, and how much of the machine it may use.

use crate::fault::Fault;
use crate::stop::Stop;
use archive::open::{Side, open};
use archive::store::Store;
use engine::compile::Compiled;
use pipeline::pipeline::Pipeline;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of what rows mean: it changes when the same words and bytes would give other rows, and is part of every
/// shard's key.
pub(crate) const ENGINE: &str = "1";

/// One pipeline, ready to plan, compute and publish.
#[derive(Debug)]
pub(crate) struct Work {
    /// Words and rules.
    pub(crate) pipeline: Pipeline,
    /// Its expressions and schema.
    pub(crate) compiled: Compiled,
    /// Where telemetry lies.
    pub(crate) source: Arc<dyn Store>,
    /// Where the table lies.
    pub(crate) result: Arc<dyn Store>,
    /// How much of the machine it may use. Changes no row.
    pub(crate) effort: Effort,
    /// Whether somebody asked to stop.
    pub(crate) stop: Stop,
}

/// How much of the machine a command may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Threads that decode and compute.
    pub(crate) threads: usize,
    /// Memory budget, bytes.
    pub(crate) memory_bytes: u64,
}

impl Work {
    /// Opens the stores of a pipeline. Nothing is read yet.
    pub(crate) fn open(pipeline: Pipeline, compiled: Compiled, effort: Effort, stop: Stop) -> Result<Self, Fault> {
        let source = open(&pipeline.archive.store, Side::Source)?;
        let result = open(&pipeline.spec.result.store, Side::Result)?;
        Ok(Self { pipeline, compiled, source, result, effort, stop })
    }
}

/// The time, ms since the epoch: for what is written about a run, never for its rows.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
