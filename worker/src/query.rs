//! The query: SQL over the signals of archives and over published tables.
//!
//! ```text
//! words ─► catalog ─► statement ─► plan (DataFusion, engine::relation) ─► batches, as they come
//!            │  signal   archive ─► members ─► scan, chunk by chunk on a thread of its own
//!            └─ result   version ─► data files, those that may hold what is wanted
//! ```
//! Nothing is written but what must be held somewhere: member lists that no run has made, and what DataFusion spills, both in
//! folders of this machine that are removed.

mod archive;
mod catalog;
mod describe;
mod error;
mod observations;
mod reader;
mod result;
mod signal;

pub(crate) use archive::Reading;
pub(crate) use error::fault_of;

use crate::fault::Fault;
use crate::stop::Stop;
use crate::words::Whole;
use crate::work::Effort;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use catalog::{Catalog, PUBLIC};
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use futures::TryStreamExt;
use std::sync::Arc;
use table::version::VersionName;
use tokio::runtime::Handle;

/// Share of the memory budget that sorting, grouping and joining may take; the rest is for reading.
const COMPUTING_SHARE: u64 = 2;
/// How often the optimizer goes over a plan: a condition sinks through one relation each time.
const PASSES_MAX: usize = 8;
/// Name of the catalog that holds the schemas.
const CATALOG: &str = "fleetloom";

/// What is asked of all tables.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Which version of result tables.
    pub(crate) version: VersionName,
    /// How much of the machine may be used.
    pub(crate) effort: Effort,
    /// Whether somebody asked to stop.
    pub(crate) stop: Stop,
}

/// Everything that can be asked, and how.
pub(crate) struct Session {
    context: SessionContext,
    catalog: Arc<Catalog>,
}

/// The answer to a statement.
pub(crate) struct Answer {
    /// Its columns.
    pub(crate) schema: SchemaRef,
    /// What it is.
    pub(crate) kind: Kind,
    batches: SendableRecordBatchStream,
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rows.
    Rows,
    /// A plan, whose lines are one text.
    Plan,
}

impl Session {
    /// Over all archives and pipelines of the words.
    ///
    /// Errors: a store whose words cannot be opened.
    pub(crate) fn open(whole: &Whole, terms: &Terms, runtime: &Handle) -> Result<Self, Fault> {
        let catalog = Catalog::open(whole, terms, runtime)?;
        let room = usize::try_from(terms.effort.room_bytes() / COMPUTING_SHARE).unwrap_or(usize::MAX);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(room))).build_arc();
        let state = SessionStateBuilder::new()
            .with_config(config(terms.effort.threads))
            .with_runtime_env(runtime.map_err(fault_of)?)
            .with_default_features();
        let context = SessionContext::new_with_state(engine::relation::session(state).build());
        context.register_catalog(CATALOG, Arc::clone(&catalog) as _);
        Ok(Self { context, catalog })
    }

    /// Begins to answer a statement; `rows_max` ends it early.
    ///
    /// Errors: the statement cannot be parsed or planned, or would change something.
    pub(crate) async fn ask(&self, sql: &str, rows_max: Option<usize>) -> Result<Answer, Fault> {
        let statement = one(sql)?;
        if !only_reads(&statement) {
            return Err(Fault::request("a query only reads: write SELECT, EXPLAIN, SHOW TABLES or DESCRIBE"));
        }
        if let Some(batch) = describe::answer(&self.catalog, &statement).await? {
            return Ok(Answer::of(batch));
        }
        let kind = if matches!(statement, Statement::Explain(_)) { Kind::Plan } else { Kind::Rows };
        let frame = self.plan(statement, rows_max).await.map_err(fault_of)?;
        let batches = frame.execute_stream().await.map_err(fault_of)?;
        Ok(Answer { schema: batches.schema(), kind, batches })
    }

    async fn plan(&self, statement: Statement, rows_max: Option<usize>) -> Result<DataFrame, DataFusionError> {
        let state = self.context.state();
        let plan = state.statement_to_plan(engine::relation::with_relations(statement)?).await?;
        let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reads.verify_plan(&plan)?;
        let frame = DataFrame::new(state, plan);
        if rows_max.is_some() { frame.limit(0, rows_max) } else { Ok(frame) }
    }

    /// What was read and left out, a sentence per table; ends what is still being read.
    pub(crate) fn finish(self) -> Vec<String> {
        self.catalog.finish()
    }
}

impl Answer {
    fn of(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        let batches = futures::stream::once(async { Ok(batch) });
        let batches = datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(Arc::clone(&schema), batches);
        Self { schema, kind: Kind::Rows, batches: Box::pin(batches) }
    }

    /// The next rows.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, Fault> {
        self.batches.try_next().await.map_err(fault_of)
    }
}

/// What blocks, or holds what no other thread may take over while it waits, done on a thread of its own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Fault::broken("a thread that looked into an archive or a table panicked")))
}

/// Names keep their case and texts are plain: as in the expressions of a pipeline.
fn config(threads: usize) -> SessionConfig {
    SessionConfig::new()
        .with_target_partitions(threads)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .set_bool("datafusion.sql_parser.enable_ident_normalization", false)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        .set_bool("datafusion.explain.physical_plan_only", true)
        .set_usize("datafusion.optimizer.max_passes", PASSES_MAX)
        // Observations come by robot and time, equal times in the archive's order: dealt out to threads and merged they would not.
        .set_bool("datafusion.optimizer.enable_round_robin_repartition", false)
        .set_str("datafusion.explain.analyze_level", "summary")
}

/// Whether a statement changes nothing. What the plan holds is looked at once more.
fn only_reads(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(
            statement.as_ref(),
            ast::Statement::Query(_)
                | ast::Statement::Explain { .. }
                | ast::Statement::ExplainTable { .. }
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowColumns { .. }
                | ast::Statement::ShowFunctions { .. }
                | ast::Statement::ShowVariable { .. }
        ),
        Statement::Explain(explain) => only_reads(&explain.statement),
        _ => false,
    }
}

/// The one statement of a text.
fn one(sql: &str) -> Result<Statement, Fault> {
    let mut statements = engine::relation::statements(sql).map_err(fault_of)?;
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(Fault::request("there is no SQL; write a statement such as \"SHOW TABLES\"")),
        (Some(_), more) => Err(Fault::request(format!("there are {} statements; ask one at a time", more + 1))),
    }
}
