//! What a command works with: the checked pipeline, its two stores, and how much of the machine it may use.

use crate::cli::cores;
use crate::fault::Fault;
use crate::stop::Stop;
use archive::open::{Side, open};
use archive::store::Store;
use engine::compile::Compiled;
use pipeline::pipeline::Pipeline;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// Threads that wait for stores: folders are read by the blocking pool, networks need little.
const IO_THREADS: usize = 2;

/// The version of what rows mean: it changes when the same words and bytes would give other rows, and is part of every
/// shard's key.
pub(crate) const ENGINE: &str = "1";

/// One pipeline, ready to plan, compute and publish.
#[derive(Debug)]
pub(crate) struct Work {
    /// Words and rules, with expressions and schema.
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
    pub(crate) fn open(compiled: Compiled, effort: Effort, stop: Stop) -> Result<Self, Fault> {
        let pipeline = compiled.pipeline();
        let source = open(&pipeline.archive.store, Side::Source)?;
        let result = open(&pipeline.spec.result.store, Side::Result)?;
        Ok(Self { compiled, source, result, effort, stop })
    }

    /// Words and rules.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        self.compiled.pipeline()
    }
}

/// Memory budget where nothing is said.
const MEMORY_BYTES: u64 = 512 << 20;
/// What the program, its libraries and one block a thread take, whatever the archive: a run over a kilobyte peaks at 65 MB.
const OWN_BYTES: u64 = 64 << 20;
/// Least memory budget that can be kept: 60 robot-hours with it peak at 119 MB.
pub(crate) const MEMORY_BYTES_MIN: u64 = 2 * OWN_BYTES;

impl Effort {
    /// What observations and rows may take: the budget without what the program takes itself.
    pub(crate) fn room_bytes(&self) -> u64 {
        self.memory_bytes.max(MEMORY_BYTES_MIN) - OWN_BYTES
    }
}

impl Default for Effort {
    /// One thread a core, and [`MEMORY_BYTES`].
    fn default() -> Self {
        Self { threads: cores(), memory_bytes: MEMORY_BYTES }
    }
}

/// The runtime for what stores do. Computing happens on threads of our own.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(IO_THREADS).enable_all().build()
}

/// A name for a run that was given none.
pub(crate) fn run_id() -> String {
    format!("run-{}", Uuid::new_v4().simple())
}

/// The time, ms since the epoch: for what is written about a run, never for its rows.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
