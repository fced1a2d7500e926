//! The ledger: a line per shard of a version, and the accounts behind it. It is what `show` prints and what the next plan
//! compares with.

use crate::columns::{integers, text, texts};
use crate::error::{TableError, placed};
use crate::layout;
use crate::part::DataFile;
use crate::upload::{Layout, ParquetUpload};
use archive::store::Store;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type};
use bytes::Bytes;
use engine::account::Account;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use pipeline::time::Span;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// Layout of a ledger, in its footer.
const LAYOUT: Layout = Layout { name: "ledger/1", unique: &["key", "files", "account", "failure"], dense: &[] };

/// What became of a shard in a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LineState {
    /// Computed by the run.
    Done,
    /// Taken from a report that was there.
    Reused,
    /// It failed, within what the pipeline tolerates; it has no rows.
    Failed,
    /// Outside the run's range: taken from the base version as it was.
    Carried,
}

/// Where and why a shard failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// When the last of them ended, ms since the epoch; 0: never tried.
    #[serde(default)]
    pub failed_ms: i64,
    /// Tries that were made.
    pub attempts: u32,
    /// One word for the kind.
    pub reason: String,
    /// Object, member, place: where a person looks.
    pub place: String,
    /// The whole message.
    pub message: String,
}

/// One shard of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerLine {
    /// The shard's key.
    pub key: String,
    /// What became of it.
    pub state: LineState,
    /// Why it was computed; empty when it was not.
    pub reason: String,
    /// Its rows' times.
    pub span: Span,
    /// Its robots: the leading bits of their hash, `0` and `1`; empty: all.
    pub robots: String,
    /// Its files.
    pub files: Vec<DataFile>,
    /// Its rows.
    pub rows: u64,
    /// What came in, went out, was dropped; `None` when it failed.
    pub account: Option<Account>,
    /// Its quarantine file, if it refused anything.
    pub quarantine: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// All shards of a version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// In the plan's order.
    pub lines: Vec<LedgerLine>,
}

impl Ledger {
    /// The files of the version.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.lines.iter().flat_map(|line| &line.files)
    }

    /// The lines of one state.
    pub fn count(&self, state: LineState) -> usize {
        self.lines.iter().filter(|line| line.state == state).count()
    }

    /// Whether another ledger says the same of the same shards: then a version with it would be the same version.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |ledger: &Self| -> BTreeSet<(String, bool)> {
            ledger.lines.iter().map(|line| (line.key.clone(), line.state == LineState::Failed)).collect()
        };
        said(self) == said(other)
    }

    /// The accounts of its shards; they add up to the account of the version.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.lines.iter().filter_map(|line| line.account.as_ref())
    }
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("key"),
        text("state"),
        text("reason"),
        Field::new("from_ns", DataType::Int64, true),
        Field::new("to_ns", DataType::Int64, true),
        text("robots"),
        text("files"),
        Field::new("rows", DataType::UInt64, true),
        text("account"),
        text("quarantine"),
        text("failure"),
    ]))
});

/// Lines encoded at a time: a line is a few KiB.
const BATCH_LINES: usize = 1024;

/// Writes the ledger of one attempt to publish a plan. Returns its name and the BLAKE3 of its bytes, in hex.
pub async fn write_ledger(
    store: &dyn Store,
    plan: &str,
    write: &str,
    ledger: &Ledger,
) -> Result<(String, String), TableError> {
    let name = layout::ledger(plan, write);
    let mut file = ParquetUpload::create(store, &name, &SCHEMA, &LAYOUT).await?;
    for lines in ledger.lines.chunks(BATCH_LINES) {
        file.write(encode(&name, lines)?).await?;
    }
    let finished = file.finish().await?;
    Ok((name, finished.hash.to_hex().to_string()))
}

/// Reads a ledger. Refuses one whose bytes are not those of `hash`.
pub async fn read_ledger(store: &dyn Store, name: &str, hash: &str) -> Result<Ledger, TableError> {
    let (_, bytes) = store.get(name).await?;
    let name = &placed(store, name);
    if blake3::hash(&bytes).to_hex().as_str() != hash {
        return Err(TableError::malformed(
            name,
            "its bytes are not those that the commit names; restore it from a backup",
        ));
    }
    decode(name, bytes)
}

fn encode(name: &str, lines: &[LedgerLine]) -> Result<RecordBatch, TableError> {
    let json = |line: &LedgerLine| to_json(name, &line.files);
    let files = lines.iter().map(json).collect::<Result<Vec<_>, _>>()?;
    let accounts = lines.iter().map(|line| line.account.as_ref().map(|account| to_json(name, account)).transpose());
    let failures = lines.iter().map(|line| line.failure.as_ref().map(|failure| to_json(name, failure)).transpose());
    let states = lines.iter().map(|line| Some(line.state.word()));
    let columns: Vec<ArrayRef> = vec![
        text(lines.iter().map(|line| Some(line.key.as_str()))),
        text(states),
        text(lines.iter().map(|line| Some(line.reason.as_str()))),
        Arc::new(Int64Array::from_iter_values(lines.iter().map(|line| line.span.from_ns))),
        Arc::new(Int64Array::from_iter_values(lines.iter().map(|line| line.span.to_ns))),
        text(lines.iter().map(|line| Some(line.robots.as_str()))),
        Arc::new(StringArray::from(files)),
        Arc::new(UInt64Array::from_iter_values(lines.iter().map(|line| line.rows))),
        Arc::new(StringArray::from(accounts.collect::<Result<Vec<_>, _>>()?)),
        text(lines.iter().map(|line| line.quarantine.as_deref())),
        Arc::new(StringArray::from(failures.collect::<Result<Vec<_>, _>>()?)),
    ];
    RecordBatch::try_new(SchemaRef::clone(&SCHEMA), columns).map_err(|error| TableError::writing(name, &error))
}

fn decode(name: &str, bytes: Bytes) -> Result<Ledger, TableError> {
    let reading = |error| TableError::reading(name, error);
    let options = ArrowReaderOptions::new().with_schema(SchemaRef::clone(&SCHEMA));
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).map_err(reading)?;
    let mut ledger = Ledger::default();
    for batch in reader.build().map_err(reading)? {
        let batch = batch.map_err(|error| TableError::malformed(name, error.to_string()))?;
        for row in 0..batch.num_rows() {
            ledger.lines.push(decode_line(name, &batch, row)?);
        }
    }
    Ok(ledger)
}

fn decode_line(name: &str, batch: &RecordBatch, row: usize) -> Result<LedgerLine, TableError> {
    let cell = |column: usize| texts(batch, column, row);
    let whole = |column: usize| integers::<Int64Type>(batch, column, row);
    let needed = |column: usize| cell(column).unwrap_or_default().to_owned();
    Ok(LedgerLine {
        key: needed(0),
        state: cell(1).and_then(state_of).ok_or_else(|| TableError::malformed(name, "a line has no state"))?,
        reason: needed(2),
        span: Span { from_ns: whole(3).unwrap_or(i64::MIN), to_ns: whole(4).unwrap_or(i64::MAX) },
        robots: needed(5),
        files: cell(6).map(|json| from_json(name, json)).transpose()?.unwrap_or_default(),
        rows: integers::<UInt64Type>(batch, 7, row).unwrap_or(0),
        account: cell(8).map(|json| from_json(name, json)).transpose()?,
        quarantine: cell(9).map(str::to_owned),
        failure: cell(10).map(|json| from_json(name, json)).transpose()?,
    })
}

const STATES: [(LineState, &str); 4] = [
    (LineState::Done, "done"),
    (LineState::Reused, "reused"),
    (LineState::Failed, "failed"),
    (LineState::Carried, "carried"),
];

impl LineState {
    /// Its word in the ledger.
    pub fn word(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }
}

fn state_of(word: &str) -> Option<LineState> {
    STATES.iter().find(|(_, one)| *one == word).map(|(state, _)| *state)
}

fn to_json(name: &str, value: &impl Serialize) -> Result<String, TableError> {
    serde_json::to_string(value).map_err(|error| TableError::writing(name, &error))
}

fn from_json<T: DeserializeOwned>(name: &str, json: &str) -> Result<T, TableError> {
    serde_json::from_str(json).map_err(|error| TableError::malformed(name, error.to_string()))
}
