//! A published version as a table, read with our own reader: only the columns that are wanted, of data files and row groups that
//! may hold what is wanted.

use super::apart;
use super::error::passing;
use super::signal::pushed;
use crate::fault::Fault;
use crate::work::version_of;
use archive::store::Store;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricType, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use engine::relation::Wanted;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use table::scan::{may_hold, wanted_rows};
use table::state::{LiveFile, TableState};
use table::version::VersionName;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

/// A pipeline's result, which is opened when it is asked for.
#[derive(Debug)]
pub(super) struct Published {
    store: Arc<dyn Store>,
    version: VersionName,
    /// Files read at a time.
    threads: usize,
    table: OnceCell<Arc<ResultTable>>,
}

impl Published {
    pub(super) fn new(store: Arc<dyn Store>, version: VersionName, threads: usize) -> Self {
        Self { store, version, threads, table: OnceCell::new() }
    }

    /// The version that is asked for.
    ///
    /// Errors: there is no table, or not that version.
    pub(super) async fn table(self: &Arc<Self>) -> Result<Arc<ResultTable>, Fault> {
        let open = || {
            let (this, runtime) = (Arc::clone(self), Handle::current());
            apart(move || runtime.block_on(this.open()))
        };
        self.table.get_or_try_init(open).await.cloned()
    }

    async fn open(&self) -> Result<Arc<ResultTable>, Fault> {
        let state = version_of(&self.store, &self.version).await?;
        // What something else wrote has no ledger: then all of its files of the right days are read.
        let ledger = state.ledger(&self.store).await.unwrap_or_default();
        let stats = ledger.files().map(|file| (file.path.clone(), file.stats.clone())).collect();
        Ok(Arc::new(ResultTable { store: Arc::clone(&self.store), state, stats, threads: self.threads }))
    }
}

/// One version of a table.
#[derive(Debug)]
pub(super) struct ResultTable {
    store: Arc<dyn Store>,
    state: TableState,
    /// Statistics of its files, by path.
    stats: HashMap<String, String>,
    threads: usize,
}

#[async_trait]
impl TableProvider for ResultTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.state.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| pushed(filter)).collect())
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.state.schema.fields().len()).collect();
        let columns = projection.unwrap_or(&all).clone();
        let schema: SchemaRef = Arc::new(self.state.schema.project(&columns)?);
        let wanted = Wanted::by(filters);
        let stats = |file: &LiveFile| self.stats.get(&file.path).map(String::as_str);
        let files = self.state.files.iter().filter(|file| may_hold(file, stats(file), &wanted)).cloned();
        let files: Vec<LiveFile> = files.collect();
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let reading = Reading {
            store: Arc::clone(&self.store),
            table: Arc::clone(&self.state.schema),
            version: self.state.version,
            files_of_version: self.state.files.len(),
            columns,
            wanted,
            schema,
        };
        Ok(Arc::new(ResultExec::new(reading, &files, self.threads)))
    }
}

/// What is read of each file.
#[derive(Debug)]
struct Reading {
    store: Arc<dyn Store>,
    /// The table's columns.
    table: SchemaRef,
    version: u64,
    files_of_version: usize,
    columns: Vec<usize>,
    wanted: Wanted,
    /// The columns that are given.
    schema: SchemaRef,
}

/// Reads data files, some at a time.
#[derive(Debug)]
struct ResultExec {
    reading: Arc<Reading>,
    /// By partition.
    files: Vec<Vec<LiveFile>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ResultExec {
    fn new(reading: Reading, files: &[LiveFile], threads: usize) -> Self {
        let each = files.len().div_ceil(threads.max(1)).max(1);
        let files: Vec<Vec<LiveFile>> = files.chunks(each).map(<[LiveFile]>::to_vec).collect();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&reading.schema)),
            Partitioning::UnknownPartitioning(files.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self { reading: Arc::new(reading), files, properties: Arc::new(properties), metrics }
    }
}

impl fmt::Display for ResultExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading { store, version, files_of_version, schema, .. } = &*self.reading;
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let files: usize = self.files.iter().map(Vec::len).sum();
        write!(f, "{store} version {version}, files={files} of {files_of_version}, columns=[{}]", columns.join(", "))
    }
}

impl DisplayAs for ResultExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match kind {
            DisplayFormatType::TreeRender => write!(f, "{self}"),
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "ResultExec: {self}"),
        }
    }
}

impl ExecutionPlan for ResultExec {
    fn name(&self) -> &'static str {
        "ResultExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a result has no inputs") }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(files) = self.files.get(partition).cloned() else {
            return internal_err!("a result has no partition {partition}");
        };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let read = MetricBuilder::new(&self.metrics).with_type(MetricType::Summary).counter("files", partition);
        let reading = Arc::clone(&self.reading);
        let opened = stream::iter(files).then(move |file| {
            let (reading, read) = (Arc::clone(&reading), read.clone());
            async move {
                read.add(1);
                let Reading { store, table, columns, wanted, .. } = &*reading;
                let rows = wanted_rows(store, table, &file, columns, wanted).await.map_err(passing)?;
                Ok::<_, DataFusionError>(rows.map_err(passing))
            }
        });
        let batches = opened.try_flatten().map_ok(move |batch| batch.record_output(&metrics));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.reading.schema), batches.boxed())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
