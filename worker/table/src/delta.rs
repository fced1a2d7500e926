//! Delta's words: the schema, the table's properties, and the lines of a commit, as deltalake's own actions.
//!
//! Pure. A commit's bytes are built once, here, and never again for the same attempt.

use crate::error::TableError;
use crate::layout::PARTITION;
use crate::part::DataFile;
use crate::state::{LiveFile, TableState};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use deltalake_core::kernel::{Action, Add, CommitInfo, Remove, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Reader version: plain columns and timestamps need no more.
const READER: i32 = 1;
/// Writer version: the least that every engine writes.
const WRITER: i32 = 2;
/// The application of our `txn` actions, and the key of our words in `commitInfo`.
pub(crate) const APPLICATION: &str = "fleetloom";
/// Table property: the pipeline that owns the table.
pub(crate) const OWNER: &str = "fleetloom.pipeline";

/// What made a version: our words in its `commitInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// Id of the run.
    pub run: String,
    /// Hash of the plan.
    pub plan: String,
    /// Version of the archive that was read.
    pub source: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Hash of the words that touch rows.
    pub meaning: String,
    /// Semantic version of the engine.
    pub engine: String,
    /// Name of the ledger.
    pub ledger: String,
    /// BLAKE3 of the ledger's bytes, hex.
    pub ledger_hash: String,
    /// Random id of this attempt to write: it tells our own commit from another of the same plan.
    pub write: String,
    /// Rows of the version.
    pub rows: u64,
    /// Files of the version.
    pub files: u64,
    /// Shards of the version, by what became of them.
    #[serde(default)]
    pub shards: ShardCounts,
    /// How it came about.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Shards of a version, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardCounts {
    /// Computed by the run.
    pub done: u64,
    /// Taken from reports that were there; in a restored version, all that did not fail.
    pub reused: u64,
    /// Taken from the base as they were.
    pub carried: u64,
    /// Failed, within what the pipeline tolerates.
    pub failed: u64,
}

/// How a version came about: what its history tells besides who made it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// When the run began, ms since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<i64>,
    /// The fields in which the words differ from those that made the version before; `None`: there is none, or its plan is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<String>>,
    /// The version whose files, columns and ledger these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<u64>,
}

/// Everything that a commit says.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) provenance: &'a Provenance,
    pub(crate) base: Option<&'a TableState>,
    pub(crate) schema: &'a Schema,
    pub(crate) properties: &'a BTreeMap<String, String>,
    pub(crate) files: &'a [DataFile],
    pub(crate) now_ms: i64,
}

impl Commit<'_> {
    /// The version that it makes: exactly one above its base, or 0.
    pub(crate) fn version(&self) -> u64 {
        next_version(self.base)
    }

    /// Whether it would change neither files nor words of the table.
    pub(crate) fn is_empty(&self) -> bool {
        self.added().next().is_none() && self.removed().next().is_none() && !self.renews_metadata()
    }

    /// Its files that are not live in the base.
    pub(crate) fn added(&self) -> impl Iterator<Item = &DataFile> {
        let live: HashSet<&str> = self.live().iter().map(|file| file.path.as_str()).collect();
        self.files.iter().filter(move |file| !live.contains(file.path.as_str()))
    }

    /// The base's files that are not its own.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &LiveFile> {
        let kept: HashSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        self.live().iter().filter(move |file| !kept.contains(file.path.as_str()))
    }

    /// Its lines: provenance first, so that history reads no further.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, TableError> {
        let mut actions = vec![line(&Action::CommitInfo(self.info()))?];
        if self.base.is_none() {
            actions.push(json!({"protocol": {"minReaderVersion": READER, "minWriterVersion": WRITER}}).to_string());
        }
        if self.base.is_none() || self.renews_metadata() {
            actions.push(self.metadata()?.to_string());
        }
        let version = i64::try_from(self.version()).unwrap_or(i64::MAX);
        actions.push(line(&Action::Txn(Transaction::new_with_last_update(APPLICATION, version, Some(self.now_ms))))?);
        for file in self.removed() {
            actions.push(line(&Action::Remove(self.remove(file)))?);
        }
        for file in self.added() {
            actions.push(line(&Action::Add(self.add(file)))?);
        }
        Ok((actions.join("\n") + "\n").into_bytes())
    }

    fn live(&self) -> &[LiveFile] {
        self.base.map_or(&[], |base| &base.files)
    }

    /// Whether schema or properties differ from the base's.
    fn renews_metadata(&self) -> bool {
        self.base.is_some_and(|base| {
            let same_schema = schema_json(self.schema).is_ok_and(|schema| schema == base.schema_json);
            !same_schema || self.properties != &base.properties
        })
    }

    fn metadata(&self) -> Result<Value, TableError> {
        let id = match self.base {
            Some(base) => base.table_id.clone(),
            None => uuid::Uuid::new_v4().to_string(),
        };
        Ok(json!({"metaData": {
            "id": id,
            "name": self.provenance.pipeline,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema_json(self.schema)?.to_string(),
            "partitionColumns": [PARTITION],
            "configuration": self.properties,
            "createdTime": self.base.map_or(self.now_ms, |base| base.created_ms),
        }}))
    }

    fn info(&self) -> CommitInfo {
        let added = self.added().count();
        let removed = self.removed().count();
        let metrics = json!({
            "numAddedFiles": added.to_string(),
            "numRemovedFiles": removed.to_string(),
            "numOutputRows": self.added().fold(0u64, |sum, file| sum.saturating_add(file.rows)).to_string(),
        });
        let (operation, parameters) = match self.provenance.origin.restored {
            None => ("WRITE", vec![("mode", json!("Overwrite")), ("partitionBy", json!("[\"date\"]"))]),
            Some(version) => ("RESTORE", vec![("version", json!(version.to_string()))]),
        };
        let words = [(APPLICATION.to_owned(), json!(self.provenance)), ("operationMetrics".to_owned(), metrics)];
        CommitInfo {
            timestamp: Some(self.now_ms),
            operation: Some(operation.to_owned()),
            operation_parameters: Some(parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            read_version: self.base.map(|base| base.version),
            is_blind_append: Some(false),
            engine_info: Some(format!("{APPLICATION}:{}", env!("CARGO_PKG_VERSION"))),
            info: HashMap::from(words),
            ..CommitInfo::default()
        }
    }

    fn add(&self, file: &DataFile) -> Add {
        Add {
            path: file.path.clone(),
            partition_values: partition(&file.date),
            size: signed(file.bytes),
            modification_time: self.now_ms,
            data_change: true,
            stats: Some(file.stats.clone()),
            ..Add::default()
        }
    }

    fn remove(&self, file: &LiveFile) -> Remove {
        Remove {
            path: file.path.clone(),
            data_change: true,
            deletion_timestamp: Some(self.now_ms),
            extended_file_metadata: Some(true),
            partition_values: Some(partition(&file.date)),
            size: Some(signed(file.bytes)),
            ..Remove::default()
        }
    }
}

/// The version that follows a base.
pub(crate) fn next_version(base: Option<&TableState>) -> u64 {
    base.map_or(0, |base| base.version.saturating_add(1))
}

/// The properties of a table of ours. `retention_s`: how long files of old versions stay readable.
pub(crate) fn properties(pipeline: &str, retention_s: u64) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("delta.enableExpiredLogCleanup".to_owned(), "false".to_owned()),
        ("delta.deletedFileRetentionDuration".to_owned(), format!("interval {retention_s} seconds")),
        (OWNER.to_owned(), pipeline.to_owned()),
    ])
}

/// What the first `commitInfo` of a commit says; `None` when it has none or not our words.
pub(crate) fn commit_info(commit: &[u8]) -> Option<CommitInfo> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(rename = "commitInfo")]
        info: Option<CommitInfo>,
    }
    let lines = commit.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok()).find_map(|line| line.info)
}

/// Our words in a `commitInfo`; `None`: something else wrote it.
pub(crate) fn provenance(info: &CommitInfo) -> Option<Provenance> {
    Provenance::deserialize(info.info.get(APPLICATION)?).ok()
}

/// The Delta schema of Arrow columns.
///
/// Errors: [`TableError::Unwritable`] for a type that no result has.
pub(crate) fn schema_json(schema: &Schema) -> Result<Value, TableError> {
    let fields: Vec<Value> = schema.fields().iter().map(|field| field_json(field)).collect::<Result<_, _>>()?;
    Ok(json!({"type": "struct", "fields": fields}))
}

/// The Arrow columns of a Delta schema.
///
/// Errors: [`TableError::Refused`] for a type that no result has.
pub(crate) fn schema_arrow(schema: &Value) -> Result<Schema, TableError> {
    let fields = schema["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(Schema::new(fields.iter().map(field_arrow).collect::<Result<Vec<_>, _>>()?))
}

fn field_json(field: &Field) -> Result<Value, TableError> {
    let words = TYPES.iter().find(|(kind, _)| kind == field.data_type());
    let Some((_, word)) = words else {
        return Err(TableError::writing(field.name(), &format!("Delta has no type for {}", field.data_type())));
    };
    let metadata: BTreeMap<_, _> = field.metadata().iter().collect();
    Ok(json!({"name": field.name(), "type": word, "nullable": true, "metadata": metadata}))
}

fn field_arrow(field: &Value) -> Result<Field, TableError> {
    let name = field["name"].as_str().unwrap_or_default();
    let Some((kind, _)) = TYPES.iter().find(|(_, word)| field["type"].as_str() == Some(word)) else {
        return Err(TableError::Refused(format!(
            "the table at the result's URL is not fleetloom's: its column `{name}` has type {}, which no pipeline writes; \
             write the result to another URL",
            field["type"]
        )));
    };
    let none = Map::new();
    let metadata = field["metadata"].as_object().unwrap_or(&none);
    let metadata = metadata.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
    Ok(Field::new(name, kind.clone(), true).with_metadata(metadata.collect()))
}

/// The types of results, in Arrow's and in Delta's words.
static TYPES: std::sync::LazyLock<[(DataType, &str); 6]> = std::sync::LazyLock::new(|| {
    [
        (DataType::Utf8, "string"),
        (DataType::Float64, "double"),
        (DataType::Int64, "long"),
        (DataType::Boolean, "boolean"),
        (DataType::Date32, "date"),
        (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), "timestamp"),
    ]
});

fn partition(date: &str) -> HashMap<String, Option<String>> {
    HashMap::from([(PARTITION.to_owned(), Some(date.to_owned()))])
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn line(action: &Action) -> Result<String, TableError> {
    serde_json::to_string(action).map_err(|error| TableError::writing("commit", &error))
}
