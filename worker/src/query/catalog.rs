//! What can be asked: every signal of every archive and every pipeline's result, by the names that people know.
//!
//! ```text
//! public     status  current  ur3_stops          what one name alone means
//! ur3        status  current                     signals by archive
//! result     ur3_stops                           results
//! ```
//! A name with `-`, which SQL would want in quotes, is found with `_` too. Nothing is opened before it is asked for.

use super::archive::Reading;
use super::error::passing;
use super::result::Published;
use super::signal::SignalTable;
use super::{Fault, Terms};
use crate::words::Whole;
use archive::open::{Side, open};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::TableType;
use engine::relation;
use pipeline::name::suggest;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The schema of bare names.
pub(super) const PUBLIC: &str = "public";
/// The schema of results.
const RESULT: &str = "result";
/// Relations of DataFusion that stand in FROM with arguments.
const FUNCTIONS: [&str; 2] = ["generate_series", "range"];

/// Every table.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) all: Vec<Table>,
    archives: Vec<Arc<Reading>>,
}

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    /// Its archive's name, or [`RESULT`].
    schema: String,
    name: String,
    of: Of,
}

/// What a table holds.
#[derive(Debug)]
enum Of {
    Signal(Arc<SignalTable>),
    Result(Arc<Published>),
}

/// The catalog, as DataFusion asks it.
#[derive(Debug)]
pub(super) struct Catalog {
    pub(super) tables: Arc<Tables>,
}

impl Catalog {
    /// Of all words. Nothing is read.
    pub(super) fn open(whole: &Whole, terms: &Terms, runtime: &Handle) -> Result<Arc<Self>, Fault> {
        let effort = terms.effort.half();
        let (mut all, mut archives) = (Vec::new(), Vec::new());
        for archive in &whole.checked.archives {
            let reading = Arc::new(Reading::of_archive(whole, archive, (effort, &terms.stop), runtime)?);
            for (index, signal) in archive.signals.iter().enumerate() {
                let table = SignalTable::new(Arc::clone(&reading), index);
                let (schema, name) = (archive.name.clone(), signal.name.clone());
                all.push(Table { schema, name, of: Of::Signal(Arc::new(table)) });
            }
            archives.push(reading);
        }
        for pipeline in &whole.checked.pipelines {
            let store = open(&pipeline.spec.result.store, Side::Result)?;
            let published = Published::new(store, terms.version.clone(), terms.effort.threads);
            let (schema, name) = (RESULT.to_owned(), pipeline.name.clone());
            all.push(Table { schema, name, of: Of::Result(Arc::new(published)) });
        }
        Ok(Arc::new(Self { tables: Arc::new(Tables { all, archives }) }))
    }

    /// Ends what is still being read, and says what was left out.
    pub(super) fn finish(&self) -> Vec<String> {
        self.tables.archives.iter().for_each(|archive| archive.wait());
        self.tables.archives.iter().flat_map(|archive| archive.left_out()).collect()
    }
}

impl Table {
    /// The shortest name that means only this one.
    pub(super) fn shown(&self, tables: &Tables) -> String {
        let name = plain(&self.name);
        if tables.find(PUBLIC, &name).len() == 1 { name } else { format!("{}.{name}", plain(&self.schema)) }
    }

    /// What it is, and where it comes from.
    pub(super) fn origin(&self) -> (&'static str, String) {
        match &self.of {
            Of::Signal(_) => ("signal", format!("archive {}", self.schema)),
            Of::Result(_) => ("result", format!("pipeline {}", self.name)),
        }
    }

    async fn open(&self) -> Result<Arc<dyn TableProvider>, Fault> {
        Ok(match &self.of {
            Of::Signal(signal) => Arc::clone(signal) as Arc<dyn TableProvider>,
            Of::Result(published) => published.table().await?,
        })
    }
}

/// A name that needs no quotes.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

impl Tables {
    /// Those that a name in a schema means.
    fn find(&self, schema: &str, name: &str) -> Vec<&Table> {
        let means = |wanted: &str, name: &str| wanted == name || wanted == plain(name);
        let found = self.all.iter().filter(|table| means(name, &table.name));
        found.filter(|table| schema == PUBLIC || means(schema, &table.schema)).collect()
    }

    /// The one that a name means.
    ///
    /// Errors: none, or several.
    pub(super) async fn open(&self, schema: &str, name: &str) -> Result<Arc<dyn TableProvider>, Fault> {
        match self.find(schema, name).as_slice() {
            [table] => table.open().await,
            [] => Err(self.unknown(schema, name)),
            several => {
                let names: Vec<String> = several.iter().map(|table| table.shown(self)).collect();
                Err(Fault::request(format!("{name} is the name of several tables; write {}", names.join(" or "))))
            }
        }
    }

    fn unknown(&self, schema: &str, name: &str) -> Fault {
        let known: Vec<String> = self.all.iter().map(|table| table.shown(self)).collect();
        let wanted = if schema == PUBLIC { name.to_owned() } else { format!("{schema}.{name}") };
        if known.is_empty() {
            return Fault::request(format!("there is no table {wanted}: the files hold neither Archive nor Pipeline"));
        }
        let remedy = suggest(&wanted, known.iter().map(String::as_str));
        let remedy = if remedy.starts_with("did") { format!("{remedy} ") } else { String::new() };
        Fault::request(format!("there is no table {wanted}; {remedy}The tables are {}", known.join(", ")))
    }
}

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        let schemas: BTreeSet<&str> = self.tables.all.iter().map(|table| table.schema.as_str()).collect();
        std::iter::once(PUBLIC).chain(schemas).map(str::to_owned).collect()
    }

    /// Whatever the name: one that is not known says so when it is asked for a table.
    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(Schema { tables: Arc::clone(&self.tables), name: name.to_owned() }))
    }
}

/// One schema.
#[derive(Debug)]
struct Schema {
    tables: Arc<Tables>,
    name: String,
}

#[async_trait]
impl SchemaProvider for Schema {
    fn table_names(&self) -> Vec<String> {
        let is_here = |table: &&Table| match self.name.as_str() {
            PUBLIC => self.tables.find(PUBLIC, &table.name).len() == 1,
            schema => table.schema == schema,
        };
        self.tables.all.iter().filter(is_here).map(|table| plain(&table.name)).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        // What stands in FROM with arguments is looked for here too.
        let is_function = relation::NAMES.iter().chain(&FUNCTIONS).any(|known| known.eq_ignore_ascii_case(name));
        if self.name == PUBLIC && is_function && self.tables.find(PUBLIC, name).is_empty() {
            return Ok(None);
        }
        self.tables.open(&self.name, name).await.map(Some).map_err(passing)
    }

    async fn table_type(&self, _name: &str) -> Result<Option<TableType>, DataFusionError> {
        Ok(Some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.find(&self.name, name).len() == 1
    }
}
