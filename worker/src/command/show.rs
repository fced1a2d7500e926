//! `fleetloom show`: a version of the table, as tables for people or JSON for programs.

mod sections;
mod steps;
pub(in crate::command) mod values;

use crate::cli::{Section, ShowArgs};
use crate::console::print;
use crate::fault::{Exit, Fault, Result};
use crate::present::{self, Frame, bytes, count, time_ms};
use crate::summary::account_text;
use crate::work::{runtime, table_of, version_of};
use archive::store::Store;
use arrow::array::RecordBatch;
use engine::account::Account;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use steps::Steps;
use table::ledger::{Ledger, LineState};
use table::report::read_reports;
use table::rows::first_rows;
use table::state::TableState;

/// Prints the parts asked for, of the version asked for.
pub(crate) fn show(args: &ShowArgs) -> Result {
    let (_, store) = table_of(&args.words)?;
    let shown = runtime()?.block_on(Shown::load(&store, args))?;
    print(&if args.json { shown.json()? } else { shown.text(Frame::of_stdout())? })?;
    Ok(Exit::Done)
}

/// What is shown of a version; what was not asked for is not read.
struct Shown {
    table: String,
    state: TableState,
    sections: Vec<Section>,
    rows: Vec<RecordBatch>,
    ledger: Ledger,
    account: Account,
    steps: Steps,
}

impl Shown {
    async fn load(store: &Arc<dyn Store>, args: &ShowArgs) -> Result<Self> {
        let sections = Section::ALL.into_iter().filter(|one| args.section.is_empty() || args.section.contains(one));
        let sections: Vec<_> = sections.collect();
        let state = version_of(store, &args.version).await?;
        let made = state.ledger(store).await?;
        let wants = |some: &[Section]| some.iter().any(|one| sections.contains(one));
        let rows =
            if wants(&[Section::Rows]) { first_rows(store, &state, args.rows as usize).await? } else { Vec::new() };
        let steps = if wants(&[Section::Steps]) { steps(store, &made).await? } else { Steps::default() };
        let ledger =
            if wants(&[Section::Account, Section::Matches, Section::Ledger]) { made } else { Ledger::default() };
        let mut account = Account::default();
        ledger.accounts().for_each(|shard| account.merge(shard));
        Ok(Self { table: store.to_string(), state, sections, rows, ledger, account, steps })
    }

    fn text(&self, frame: Frame) -> Result<String> {
        let mut text = self.heading();
        for section in &self.sections {
            let (title, body) = match section {
                Section::Schema => ("schema", sections::schema(&self.state.schema).text(frame)),
                Section::Rows => ("first rows", self.rows_text(frame)?),
                Section::Account => ("account", self.account_text(frame)),
                Section::Matches => ("matches", sections::matches(&self.account).text(frame)),
                Section::Ledger => ("ledger", sections::ledger(&self.ledger).text(frame)),
                Section::Steps => ("steps", self.steps.text(frame)),
            };
            text.push_str(&format!("\n{title}\n{body}"));
        }
        Ok(text)
    }

    fn heading(&self) -> String {
        let state = &self.state;
        let rows = state.rows().map_or_else(|| "an unknown number of".into(), count);
        let files = count(state.files.len() as u64);
        let mut text = format!("{} version {}\n", self.table, state.version);
        text.push_str(&format!("{rows} rows in {files} files, {}\n", bytes(state.bytes())));
        if let Some(made) = &state.provenance {
            let when = state.committed_ms.map(|ms| format!(" at {}", time_ms(ms))).unwrap_or_default();
            text.push_str(&format!("pipeline {}, run {}{when}\n", made.pipeline, made.run));
            text.push_str(&format!("plan {}, source {}, engine {}\n", made.plan, made.source, made.engine));
            if let Some(version) = made.origin.restored {
                text.push_str(&format!("restored from version {version}\n"));
            }
        }
        text
    }

    fn rows_text(&self, frame: Frame) -> Result<String> {
        let odd = |error| Fault::caused(Exit::Broken, error);
        let table = present::rows(&self.rows).map_err(odd)?;
        Ok(if table.is_empty() { "no rows\n".into() } else { table.text(frame) })
    }

    fn account_text(&self, frame: Frame) -> String {
        format!("{}{}", account_text(&self.account), sections::signals(&self.account).text(frame))
    }

    fn json(&self) -> Result<String> {
        let state = &self.state;
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.to_owned(), value);
        put("table", json!(self.table));
        put("version", json!(state.version));
        put("committedMs", json!(state.committed_ms));
        put("rows", json!(state.rows()));
        put("files", json!(state.files.len()));
        put("bytes", json!(state.bytes()));
        if let Some(made) = &state.provenance {
            put("pipeline", json!(made.pipeline));
            put("run", json!(made.run));
            put("plan", json!(made.plan));
            put("source", json!(made.source));
            put("engine", json!(made.engine));
            put("restored", json!(made.origin.restored));
        }
        for section in &self.sections {
            match section {
                Section::Schema => put("schema", values::schema(&state.schema)),
                Section::Rows => put("firstRows", values::rows(&self.rows)?),
                Section::Account => put("account", json!(self.account)),
                Section::Matches => put("matches", json!(self.account.joins)),
                Section::Ledger => put("ledger", values::ledger(&self.ledger)),
                Section::Steps => put("steps", self.steps.json()),
            };
        }
        Ok(format!("{:#}\n", Value::Object(json)))
    }
}

/// What the reports of the shards say that the version's own run computed.
async fn steps(store: &Arc<dyn Store>, ledger: &Ledger) -> Result<Steps> {
    let computed = ledger.lines.iter().filter(|line| line.state == LineState::Done);
    let keys: Vec<String> = computed.map(|line| line.key.clone()).collect();
    let reports = read_reports(store.as_ref(), &keys).await?;
    Ok(Steps::of(reports.values()))
}
