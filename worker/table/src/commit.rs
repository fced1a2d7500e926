//! Publishing: one version, at exactly base+1, holding exactly the files of its plan's shards.
//!
//! ```text
//! Publication ─► facts ─► decide ─► ledger ─► bytes, once ─► put ─► read back ─► decide ─► … ─► Outcome
//! ```
//!
//! delta-rs's own commit loop is never used: after a lost answer it would make a version more, and it rebases foreign commits
//! without a word.

use crate::bridge::log_store;
use crate::decide::{Answer, Base, Decision, Facts, Next, Other, Why, decide};
use crate::delta::{Commit, Provenance, commit_info, next_version, properties, provenance};
use crate::error::TableError;
use crate::layout;
use crate::ledger::{Ledger, write_ledger};
use crate::part::DataFile;
use crate::patience::{Patience, Waiting};
use crate::probe::proved;
use crate::state::TableState;
use archive::store::{Store, StoreError};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use deltalake_core::kernel::transaction::TransactionError;
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef};
use futures::TryStreamExt;
use object_store::Error as ObjectStoreError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// A version that a run wants to publish.
#[derive(Debug, Clone)]
pub struct Publication {
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
    /// Columns of the result, `date` among them.
    pub schema: SchemaRef,
    /// How long files of old versions stay readable, s.
    pub retention_s: u64,
    /// The plan's base; `None`: there was no table.
    pub base: Option<TableState>,
    /// All shards; the version holds exactly their files.
    pub ledger: Ledger,
    /// Gates that are not passed, from [`crate::gates::judge`].
    pub gates: Vec<String>,
    /// The time, ms since the epoch.
    pub now_ms: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The version is there, and this call made it.
    Published {
        /// The version.
        version: u64,
    },
    /// The version is there; another attempt at the same plan made it.
    AlreadyPublished {
        /// The version.
        version: u64,
    },
    /// The base holds the same already.
    NothingToDo {
        /// The base.
        version: u64,
    },
    /// Nothing was published, and another try would not change that.
    Refused(Why),
    /// Something else was published since the plan was made: plan again (exit 5).
    Conflict {
        /// The version that something else made.
        version: u64,
        /// What.
        other: Other,
    },
    /// Whether it was published cannot be told now (exit 4): run again.
    Unknown,
}

/// Publishes. Safe to repeat, and to run twice at a time: one plan makes one version.
///
/// Errors: the store could not be asked, or the first commit's probe refuses it. No error leaves a version half made.
pub async fn publish(
    store: &Arc<dyn Store>,
    publication: &Publication,
    patience: Patience,
) -> Result<Outcome, TableError> {
    Publisher::new(store, publication).await?.run(patience).await
}

/// One attempt to publish.
struct Publisher<'a> {
    store: &'a Arc<dyn Store>,
    log: LogStoreRef,
    publication: &'a Publication,
    properties: BTreeMap<String, String>,
    files: Vec<DataFile>,
    facts: Facts,
}

impl<'a> Publisher<'a> {
    async fn new(store: &'a Arc<dyn Store>, publication: &'a Publication) -> Result<Self, TableError> {
        let (base, unchanged) = match &publication.base {
            Some(base) => {
                let (foreign, ledger) = foreign(base.ledger(store).await)?;
                let same = ledger.is_some_and(|ledger| ledger.says_the_same(&publication.ledger));
                (Some(Base { pipeline: base.pipeline().map(str::to_owned), foreign }), same)
            }
            None => (None, false),
        };
        let facts = Facts {
            pipeline: publication.pipeline.clone(),
            plan: publication.plan.clone(),
            write: Uuid::new_v4().simple().to_string(),
            base,
            next: Next::Unread,
            unchanged,
            gates: publication.gates.clone(),
            missing: Vec::new(),
            answer: None,
            in_time: true,
        };
        let properties = properties(&publication.pipeline, publication.retention_s);
        let files = publication.ledger.files().cloned().collect();
        Ok(Self { store, log: log_store(store), publication, properties, files, facts })
    }

    async fn run(mut self, patience: Patience) -> Result<Outcome, TableError> {
        self.look().await?;
        let decision = decide(&self.facts);
        if let Decision::Refuse(Why::Gates(_)) = decision {
            write_ledger(self.store.as_ref(), &self.facts.plan, &self.facts.write, &self.publication.ledger).await?;
        }
        if decision != Decision::Publish {
            return Ok(self.outcome(decision));
        }
        if self.publication.base.is_none() {
            proved(self.store.as_ref(), self.publication.now_ms).await?;
        }
        let bytes = self.build().await?;
        self.put(&bytes, patience.start()).await
    }

    /// Fills in the facts that are read before anything is put.
    async fn look(&mut self) -> Result<(), TableError> {
        self.facts.next = read_next(&self.log, self.version()).await?;
        let words = Provenance::default();
        let commit = self.commit(&words);
        let base = self.publication.base.as_ref();
        let same_meaning = base
            .and_then(|base| base.provenance.as_ref())
            .is_some_and(|made| made.meaning == self.publication.meaning && made.engine == self.publication.engine);
        let unchanged = self.facts.unchanged && same_meaning && commit.is_empty();
        let added: Vec<&DataFile> = commit.added().collect();
        let missing = missing(self.store.as_ref(), &added).await?;
        self.facts.unchanged = unchanged;
        self.facts.missing = missing;
        Ok(())
    }

    /// Writes the ledger and builds the commit that names it.
    async fn build(&self) -> Result<Bytes, TableError> {
        let publication = self.publication;
        let (ledger, ledger_hash) =
            write_ledger(self.store.as_ref(), &self.facts.plan, &self.facts.write, &publication.ledger).await?;
        let provenance = Provenance {
            run: publication.run.clone(),
            plan: publication.plan.clone(),
            source: publication.source.clone(),
            pipeline: publication.pipeline.clone(),
            meaning: publication.meaning.clone(),
            engine: publication.engine.clone(),
            ledger,
            ledger_hash,
            write: self.facts.write.clone(),
            rows: self.files.iter().fold(0, |sum, file| sum.saturating_add(file.rows)),
            files: self.files.len() as u64,
        };
        Ok(self.commit(&provenance).bytes()?.into())
    }

    /// Puts the bytes until it is known what lies at base+1, or there is no time left.
    async fn put(mut self, bytes: &Bytes, mut waiting: Waiting) -> Result<Outcome, TableError> {
        loop {
            self.facts.answer = Some(self.put_once(bytes.clone()).await);
            if self.facts.answer != Some(Answer::Written) {
                self.facts.next = self.read_back(&mut waiting).await;
                self.facts.in_time = waiting.has_time();
            }
            match decide(&self.facts) {
                Decision::Publish => _ = waiting.pause().await,
                decision => return Ok(self.outcome(decision)),
            }
        }
    }

    async fn put_once(&self, bytes: Bytes) -> Answer {
        let written = self.log.write_commit_entry(self.version(), CommitOrBytes::LogBytes(bytes), Uuid::new_v4()).await;
        match written {
            Ok(()) => Answer::Written,
            Err(error) => answer(&error),
        }
    }

    /// What lies at base+1 after an answer other than success: asked again while the store does not say.
    async fn read_back(&self, waiting: &mut Waiting) -> Next {
        loop {
            match read_next(&self.log, self.version()).await {
                Ok(next) => return next,
                Err(_) if waiting.pause().await => continue,
                Err(_) => return Next::Unread,
            }
        }
    }

    fn version(&self) -> u64 {
        next_version(self.publication.base.as_ref())
    }

    fn commit<'c>(&'c self, provenance: &'c Provenance) -> Commit<'c> {
        Commit {
            provenance,
            base: self.publication.base.as_ref(),
            schema: &self.publication.schema,
            properties: &self.properties,
            files: &self.files,
            now_ms: self.publication.now_ms,
        }
    }

    fn outcome(&self, decision: Decision) -> Outcome {
        let version = self.version();
        match decision {
            Decision::Published => Outcome::Published { version },
            Decision::AlreadyPublished(_) => Outcome::AlreadyPublished { version },
            Decision::NothingToDo => Outcome::NothingToDo { version: version.saturating_sub(1) },
            Decision::Refuse(why) => Outcome::Refused(why),
            Decision::Conflict(other) => Outcome::Conflict { version, other },
            Decision::Publish | Decision::Unknown => Outcome::Unknown,
        }
    }
}

/// Why a base is not ours, or its ledger, from the attempt to read it.
fn foreign(ledger: Result<Ledger, TableError>) -> Result<(Option<String>, Option<Ledger>), TableError> {
    match ledger {
        Ok(ledger) => Ok((None, Some(ledger))),
        Err(TableError::Refused(why)) => Ok((Some(why), None)),
        Err(error) => Err(error),
    }
}

/// What lies at a version.
async fn read_next(log: &LogStoreRef, version: u64) -> Result<Next, TableError> {
    let commit = log.read_commit_entry(version).await.map_err(|error| TableError::delta(&"the result", error))?;
    Ok(match commit {
        None => Next::Absent,
        Some(commit) => match commit_info(&commit).as_ref().and_then(provenance) {
            Some(found) => Next::Ours(Box::new(found)),
            None => Next::Foreign,
        },
    })
}

/// What a failed put says. "Exists" may be our own write, retried below us, so it says nothing yet.
fn answer(error: &TransactionError) -> Answer {
    let TransactionError::ObjectStore { source } = error else { return Answer::Unclear };
    let cause = match source {
        ObjectStoreError::PermissionDenied { source, .. } | ObjectStoreError::Generic { source, .. } => source,
        _ => return Answer::Unclear,
    };
    match cause.downcast_ref::<StoreError>() {
        Some(refused @ (StoreError::Denied { .. } | StoreError::Full { .. } | StoreError::Invalid { .. })) => {
            Answer::Hopeless(refused.to_string())
        }
        _ => Answer::Unclear,
    }
}

/// The files that are not there with the size that was reported.
async fn missing(store: &dyn Store, files: &[&DataFile]) -> Result<Vec<String>, TableError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted: HashMap<&str, u64> = files.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
    let mut objects = store.list(layout::DATA);
    while let Some(object) = objects.try_next().await? {
        if wanted.get(object.key.as_str()) == Some(&object.bytes) {
            wanted.remove(object.key.as_str());
        }
    }
    let mut missing: Vec<String> = wanted.into_keys().map(str::to_owned).collect();
    missing.sort_unstable();
    Ok(missing)
}

#[cfg(test)]
mod tests;
