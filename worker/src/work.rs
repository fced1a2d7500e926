//! What a command works with: the checked pipeline, its two stores, and how much of the machine it may use.

use crate::cli::{self, cores};
use crate::fault::{Exit, Fault};
use crate::memory;
use crate::stop::Stop;
use crate::words;
use archive::open::{Side, open};
use archive::store::{Store, StoreError};
use engine::compile::Compiled;
use pipeline::pipeline::Pipeline;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use table::members::MemberLists;
use table::state::TableState;
use table::version::VersionName;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// Threads that wait for stores: folders are read by the blocking pool, networks need little.
const IO_THREADS: usize = 2;

/// Share of the memory budget that member lists may take which this process wrote.
const KEPT_SHARE: u64 = 64;

/// The version of what rows mean: it changes when the same words and bytes would give other rows, and is part of every
/// shard's key.
pub(crate) const ENGINE: &str = "2";

/// One pipeline, ready to plan, compute and publish.
#[derive(Debug)]
pub(crate) struct Work {
    /// Words and rules, with expressions and schema.
    pub(crate) compiled: Compiled,
    /// Where telemetry lies.
    pub(crate) source: Arc<dyn Store>,
    /// Where the table lies.
    pub(crate) result: Arc<dyn Store>,
    /// The member lists beside it.
    pub(crate) lists: MemberLists,
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
        Ok(Self::between(source, result, compiled, effort, stop))
    }

    /// The same with stores that are open.
    pub(crate) fn between(
        source: Arc<dyn Store>,
        result: Arc<dyn Store>,
        compiled: Compiled,
        effort: Effort,
        stop: Stop,
    ) -> Self {
        let kept_bytes = usize::try_from(effort.room_bytes() / KEPT_SHARE).unwrap_or(usize::MAX);
        let lists = MemberLists::of(Arc::clone(&result), kept_bytes);
        Self { compiled, source, result, lists, effort, stop }
    }

    /// Words and rules.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        self.compiled.pipeline()
    }
}

/// The one pipeline that a verb is about, and its table's place. The archive is not opened: it may be gone.
pub(crate) fn table_of(words: &cli::Words) -> Result<(Compiled, Arc<dyn Store>), Fault> {
    let compiled = words::only(words)?;
    let result = open(&compiled.pipeline().spec.result.store, Side::Result)?;
    Ok((compiled, result))
}

/// The version of the table that a person named.
pub(crate) async fn version_of(result: &Arc<dyn Store>, name: &VersionName) -> Result<TableState, Fault> {
    let version = name.resolve(result.as_ref()).await?;
    let state = TableState::open(result, Some(version)).await?;
    let state = state.ok_or_else(|| Fault::new(Exit::Changed, format!("{result}: the table was removed meanwhile")))?;
    if *name != VersionName::Latest {
        refuse_if_vacuumed(result, &state).await?;
    }
    Ok(state)
}

/// Vacuum removes a version's ledger before its rows.
async fn refuse_if_vacuumed(result: &Arc<dyn Store>, state: &TableState) -> Result<(), Fault> {
    let Some(made) = &state.provenance else { return Ok(()) };
    match result.head(&made.ledger).await {
        Err(StoreError::NotFound { .. }) => Err(Fault::request(format!(
            "version {} of {result} cannot be read any more: {} is gone; vacuum removes what is older than `retention` and has no \
             tag; `fleetloom history` lists the versions",
            state.version, made.ledger
        ))),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Memory budget where nothing is said and no control group has a lower limit.
const MEMORY_BYTES: u64 = 512 << 20;
/// What the program, its libraries and one block a thread take, whatever the archive: a run over a kilobyte peaks at 65 MB.
const OWN_BYTES: u64 = 64 << 20;
/// Least memory budget. One below twice [`OWN_BYTES`] holds for what is read and computed; the program itself comes on top.
pub(crate) const MEMORY_BYTES_MIN: u64 = 64 << 20;

impl Effort {
    /// The same threads with half of the memory, for one of two that share it.
    pub(crate) fn half(self) -> Self {
        Self { memory_bytes: (self.memory_bytes / 2).max(MEMORY_BYTES_MIN), ..self }
    }

    /// What observations and rows may take: the budget without what the program takes itself, at least half of it.
    pub(crate) fn room_bytes(&self) -> u64 {
        let memory_bytes = self.memory_bytes.max(MEMORY_BYTES_MIN);
        memory_bytes - OWN_BYTES.min(memory_bytes / 2)
    }
}

impl Default for Effort {
    /// One thread a core, and [`MEMORY_BYTES`] or what the process's control groups let it have.
    fn default() -> Self {
        let memory_bytes = memory::limit_bytes().map_or(MEMORY_BYTES, |limit| limit.min(MEMORY_BYTES));
        Self { threads: cores(), memory_bytes }
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
