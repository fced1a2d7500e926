//! The replay: a published shard computed again from its pinned inputs, and compared with what was published.
//!
//! ```text
//! version ─► shard ─► plan, objects ─► shard_into(scratch) ─┐
//!                └──► published files ──────────────────────┴─► compare ─► Verdict
//! ```
//! The result is only read: files and report of the second computation go into a scratch folder that is removed.

mod compare;

pub(crate) use compare::{Comparison, First};

use crate::fault::{Exit, Fault};
use crate::past::{self, Made, Past, stray};
use crate::scratch::Scratch;
use crate::shard::shard_into;
use crate::work::Work;
use archive::store::Store;
use arrow::datatypes::SchemaRef;
use compare::Compare;
use futures::stream::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use table::error::TableError;
use table::ledger::LedgerLine;
use table::part::DataFile;
use table::scan::file_rows;
use table::state::LiveFile;
use table::version::VersionName;
use tokio::runtime::Handle;

/// Which shard is replayed, and by what.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The version.
    pub(crate) version: VersionName,
    /// Its shard.
    pub(crate) shard: Which,
    /// Whether words or an engine other than those that made the version will do.
    pub(crate) words: Words,
}

/// Names a shard.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    /// Its key, or the beginning of it.
    Key(String),
    /// Its position in the version's plan.
    Index(u32),
}

/// By which words a shard is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// Those that made it; others are refused.
    Same,
    /// Those at hand, to see what they change.
    AtHand,
}

/// What a replay came to.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// The version that was looked at.
    pub(crate) version: u64,
    /// The shard as the version has it.
    pub(crate) line: LedgerLine,
    /// The plan that made it, by name.
    pub(crate) plan: String,
    /// The version of the archive that was read.
    pub(crate) source: String,
    /// In what the words or the engine at hand differ from those that made it.
    pub(crate) stray: Option<String>,
    /// Rows computed now, and in how many files.
    pub(crate) recomputed: (u64, usize),
    /// The rows compared.
    pub(crate) rows: Comparison,
    /// Counts of the account that differ: path, published, recomputed.
    pub(crate) account: Vec<(String, Value, Value)>,
    /// A published file that is not as large as the ledger says.
    pub(crate) resized: Option<String>,
}

/// What it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same rows and account, bit for bit.
    Equal,
    /// Other words or another engine give something else: what was asked.
    OtherWords,
    /// A published file is not the one that was written.
    FileChanged,
    /// The same inputs, words and engine gave something else.
    Broken,
}

impl Replayed {
    /// Whether rows and account are the same, bit for bit.
    pub(crate) fn is_equal(&self) -> bool {
        self.rows.is_equal() && self.account.is_empty()
    }

    /// What it means.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.is_equal(), &self.stray, &self.resized) {
            (true, _, _) => Verdict::Equal,
            (false, Some(_), _) => Verdict::OtherWords,
            (false, None, Some(_)) => Verdict::FileChanged,
            (false, None, None) => Verdict::Broken,
        }
    }
}

impl Verdict {
    /// The exit code that says it.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Equal => Exit::Done,
            Self::OtherWords | Self::FileChanged => Exit::Changed,
            Self::Broken => Exit::Broken,
        }
    }
}

/// Replays a shard. Blocks: call it outside the runtime's threads.
pub(crate) fn replay(work: &Work, runtime: &Handle, asked: &Asked) -> Result<Replayed, Fault> {
    let past = runtime.block_on(Past::open(work, &asked.version))?;
    let line = match &asked.shard {
        Which::Key(prefix) => past.line(prefix)?,
        Which::Index(index) => runtime.block_on(past.line_at(work, *index))?,
    };
    let made = runtime.block_on(past.made(work, line))?;
    let stray = stray(work, &made.plan);
    if let Some(stray) = stray.as_ref().filter(|_| asked.words == Words::Same) {
        let key = line.key.get(..12).unwrap_or(&line.key);
        return Err(Fault::request(format!(
            "shard {key} cannot be replayed: {stray}; use the file and the program that made it, or ask with --other-words \
             what the change does to its rows"
        )));
    }
    compute(work, runtime, &past, line, &made).map(|replayed| Replayed { stray, ..replayed })
}

fn compute(work: &Work, runtime: &Handle, past: &Past, line: &LedgerLine, made: &Made) -> Result<Replayed, Fault> {
    let resized = runtime.block_on(past::resized(work, line))?;
    let scratch = Scratch::new()?;
    let store = scratch.store();
    let report = shard_into(work, runtime, &made.sources, made.shard(), &store)?;
    let published = Side { store: &work.result, schema: &past.state.schema, files: &line.files };
    let recomputed = Side { store: &store, schema: &work.compiled.schema(), files: &report.files };
    let rows = runtime.block_on(compare(work, published, recomputed));
    let rows = rows.map_err(|fault| past::unreadable(resized.as_ref(), fault))?;
    let json = |account: &engine::account::Account| json!(account);
    let (before, now) = (line.account.as_ref().map(json).unwrap_or_default(), json(&report.account));
    Ok(Replayed {
        version: past.state.version,
        line: line.clone(),
        plan: made.plan.hash(),
        source: made.plan.source.clone(),
        stray: None,
        recomputed: (report.rows, report.files.len()),
        rows,
        account: account_differences(&before, &now),
        resized,
    })
}

/// The files of one side of the comparison.
#[derive(Clone, Copy)]
struct Side<'a> {
    store: &'a Arc<dyn Store>,
    schema: &'a SchemaRef,
    files: &'a [DataFile],
}

impl Side<'_> {
    /// The files of a day in the order in which they were begun: a further file of a day has a longer name.
    fn of_day(&self, date: &str) -> Vec<LiveFile> {
        let mut files: Vec<LiveFile> = self.files.iter().filter(|file| file.date == date).map(LiveFile::from).collect();
        files.sort_by_key(|file| (file.path.len(), file.path.clone()));
        files
    }

    /// The rows of a day.
    async fn rows(self, date: &str) -> Result<table::scan::FileRows, TableError> {
        let mut all = Vec::new();
        for file in self.of_day(date) {
            all.push(file_rows(self.store, self.schema, &file).await?);
        }
        Ok(futures::stream::iter(all).flatten().boxed())
    }
}

/// Compares day by day, so that two files are open at a time.
async fn compare(work: &Work, published: Side<'_>, recomputed: Side<'_>) -> Result<Comparison, Fault> {
    let days: BTreeSet<&str> = published.files.iter().chain(recomputed.files).map(|file| file.date.as_str()).collect();
    let mut compare = Compare::new(published.schema, recomputed.schema);
    for day in days {
        let (mut before, mut now) = (published.rows(day).await?, recomputed.rows(day).await?);
        loop {
            work.stop.check()?;
            if compare.wants_published() {
                compare.published(before.try_next().await?);
            }
            if compare.wants_recomputed() {
                compare.recomputed(now.try_next().await?);
            }
            if !compare.step().map_err(|error| Fault::caused(Exit::Broken, error))? {
                break;
            }
        }
    }
    Ok(compare.finish())
}

/// The counts in which two accounts differ.
fn account_differences(before: &Value, now: &Value) -> Vec<(String, Value, Value)> {
    let counts = |value: &Value| {
        let mut counts = BTreeMap::new();
        flatten(String::new(), value, &mut counts);
        counts
    };
    let (before_counts, now_counts) = (counts(before), counts(now));
    let at = |counts: &BTreeMap<String, Value>, path: &str| counts.get(path).cloned().unwrap_or(Value::Null);
    let triple = |path: &String| (path.clone(), at(&before_counts, path), at(&now_counts, path));
    let paths: BTreeSet<&String> = before_counts.keys().chain(now_counts.keys()).collect();
    paths.into_iter().map(triple).filter(|(_, before, now)| before != now).collect()
}

fn flatten(path: String, value: &Value, counts: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(below, value, counts);
            }
        }
        value => {
            counts.insert(path, value.clone());
        }
    }
}
