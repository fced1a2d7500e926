//! A published version and what it was made from: its ledger, and for each of its shards the plan and the pinned objects.
//!
//! ```text
//! version ─► commitInfo ─► ledger ─► line of a shard
//!                  └─► plan ─► shard, source version ─► objects as they were listed
//! ```
//! A shard that a run carried over is in the plan of an earlier version: the bases are followed back to it.

use crate::fault::{Exit, Fault};
use crate::plan::{Sources, sources_of, stored};
use crate::work::{ENGINE, Work, version_of};
use pipeline::meaning::{differences, meaning};
use pipeline::plan::{Plan, Shard};
use table::ledger::{Ledger, LedgerLine, LineState};
use table::state::TableState;
use table::version::VersionName;

/// A published version of ours.
#[derive(Debug)]
pub(crate) struct Past {
    /// Its files and columns.
    pub(crate) state: TableState,
    /// Its shards.
    pub(crate) ledger: Ledger,
}

/// What made a shard's rows.
#[derive(Debug)]
pub(crate) struct Made {
    /// The plan that names the shard.
    pub(crate) plan: Plan,
    /// Position of the shard in the plan.
    pub(crate) index: usize,
    /// The objects that it read, as they were then.
    pub(crate) sources: Sources,
}

impl Made {
    /// The shard.
    pub(crate) fn shard(&self) -> &Shard {
        &self.plan.shards[self.index]
    }
}

impl Past {
    /// The version of that name.
    ///
    /// Errors: there is no table or no such version, or something else made it.
    pub(crate) async fn open(work: &Work, version: &VersionName) -> Result<Self, Fault> {
        let state = version_of(&work.result, version).await?;
        let ledger = state.ledger(&work.result).await?;
        Ok(Self { state, ledger })
    }

    /// The line of the shard whose key begins like this.
    ///
    /// Errors: none, several, or one that failed and has no rows.
    pub(crate) fn line(&self, prefix: &str) -> Result<&LedgerLine, Fault> {
        let mut found = self.ledger.lines.iter().filter(|line| line.key.starts_with(prefix));
        let (first, second) = (found.next(), found.next());
        let version = self.state.version;
        match (first, second) {
            (Some(line), None) => whole(line, version),
            (None, _) => Err(Fault::request(format!(
                "version {version} has no shard {prefix}; `fleetloom show --section ledger` lists its shards"
            ))),
            (Some(_), Some(_)) => {
                let several = found.count() + 2;
                let what = format!("version {version} has {several} shards whose key begins with `{prefix}`");
                Err(Fault::request(format!("{what}; write more of it")))
            }
        }
    }

    /// The line of the shard at a position of the version's own plan.
    pub(crate) async fn line_at(&self, work: &Work, index: u32) -> Result<&LedgerLine, Fault> {
        let plan = plan_of(work, &self.state).await?;
        let shards = plan.shards.len();
        let out = || Fault::request(format!("--index {index}: the plan has {shards} shards, numbered from 0"));
        let shard = plan.shards.get(index as usize).ok_or_else(out)?;
        self.line(&shard.key)
    }

    /// What made the rows of a shard.
    ///
    /// Errors: its plan or its source version is gone.
    pub(crate) async fn made(&self, work: &Work, line: &LedgerLine) -> Result<Made, Fault> {
        let mut plan = plan_of(work, &self.state).await?;
        loop {
            if let Some(index) = plan.shards.iter().position(|shard| shard.key == line.key) {
                let sources = sources_of(work, &plan).await?;
                return Ok(Made { plan, index, sources });
            }
            let gone = || Fault::request(format!("{}: no plan names shard {}", work.result, line.key));
            let base = TableState::open(&work.result, Some(plan.base.ok_or_else(gone)?)).await?.ok_or_else(gone)?;
            plan = plan_of(work, &base).await?;
        }
    }
}

/// A line with rows to look at.
fn whole(line: &LedgerLine, version: u64) -> Result<&LedgerLine, Fault> {
    match (&line.failure, line.state) {
        (Some(failure), LineState::Failed) => Err(Fault::request(format!(
            "shard {} failed in version {version} ({}): it has no rows",
            line.key, failure.message
        ))),
        _ => Ok(line),
    }
}

/// The plan that made a version.
async fn plan_of(work: &Work, state: &TableState) -> Result<Plan, Fault> {
    let foreign = || Fault::request(format!("version {} of {} was not made by fleetloom", state.version, work.result));
    let made = state.provenance.as_ref().ok_or_else(foreign)?;
    stored(work, &made.plan).await
}

/// In what the file's words and this program differ from those that made a plan, as a clause; `None`: in nothing that rows
/// depend on.
pub(crate) fn stray(work: &Work, plan: &Plan) -> Option<String> {
    if plan.pipeline != work.pipeline().name {
        return Some(format!("it was made by pipeline `{}`, the file says `{}`", plan.pipeline, work.pipeline().name));
    }
    let fields = differences(&plan.meaning, &meaning(work.pipeline()));
    if !fields.is_empty() {
        return Some(format!("the file's words differ from those that made it in {}", fields.join(", ")));
    }
    (plan.engine != ENGINE).then(|| format!("it was made by engine {}, this is engine {ENGINE}", plan.engine))
}

/// The first file of a shard that is not as large as the ledger says.
///
/// Errors: one is gone; that is a changed table, not a wrong request.
pub(crate) async fn resized(work: &Work, line: &LedgerLine) -> Result<Option<String>, Fault> {
    for file in &line.files {
        let there = work.result.head(&file.path).await.map_err(Fault::reading)?;
        if there.bytes != file.bytes {
            return Ok(Some(format!("{} has {} bytes, the ledger says {}", file.path, there.bytes, file.bytes)));
        }
    }
    Ok(None)
}

/// Why a shard's published files could not be read: one that is not as large as the ledger says was changed.
pub(crate) fn unreadable(resized: Option<&String>, fault: Fault) -> Fault {
    match resized {
        Some(file) => Fault::new(Exit::Changed, format!("{file}: it was changed after it was written")).noting(&fault),
        None => fault,
    }
}
