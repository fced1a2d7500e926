//! The commit: from the reports of a plan's shards to one version of the table.
//!
//! ```text
//! plan ─► reports ─► ledger ─► account ─► gates ─► table::commit::publish ─► Committed
//! ```

use crate::fault::{Exit, Fault};
use crate::message::failures as failures_of;
use crate::work::{ENGINE, Work, now_ms};
use archive::store::{Store, StoreError};
use engine::account::Account;
use futures::TryStreamExt;
use pipeline::plan::{Bucket, Plan, Shard, State, digest};
use pipeline::time::{Day, SECOND_NS, Span};
use std::collections::BTreeMap;
use std::sync::Arc;
use table::checkpoint::checkpoint;
use table::commit::{Outcome, Publication, publish};
use table::decide::{Other, Why};
use table::delta::Origin;
use table::drift;
use table::gates::{Shards, judge};
use table::history::changes;
use table::layout;
use table::ledger::{Failure, Ledger, LedgerLine, LineState};
use table::patience::Patience;
use table::report::{Report, read_reports};
use table::state::TableState;

/// What became of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    /// The table's version that holds the plan's rows.
    pub(crate) version: u64,
    /// Whether this command made it.
    pub(crate) published: bool,
    /// Whether the plan made it, in this command or before; else it was there and the plan changes nothing.
    pub(crate) changed: bool,
    /// The whole version's account.
    pub(crate) account: Account,
    /// All shards of the version.
    pub(crate) ledger: Ledger,
}

/// Publishes what the reports of a plan's shards say, if it passes the gates. Safe to repeat. `started_ms` says when the run
/// began, in ms since the epoch.
pub(crate) async fn commit(work: &Work, plan: &Plan, run: &str, started_ms: Option<i64>) -> Result<Committed, Fault> {
    let base = base_of(work, plan).await?;
    let ledger = ledger(work, plan, base.as_ref()).await?;
    let mut account = Account::default();
    ledger.accounts().for_each(|shard| account.merge(shard));
    let mut gates = judge(work.pipeline(), &account, shards(&ledger));
    gates.extend(drifted(work, base.as_ref(), &ledger).await?);
    let changes = changes(work.result.as_ref(), base.as_ref(), &plan.meaning, ENGINE).await?;
    let publication = Publication {
        run: run.to_owned(),
        plan: plan.hash(),
        source: plan.source.clone(),
        pipeline: plan.pipeline.clone(),
        meaning: meaning_hash(plan),
        engine: ENGINE.to_owned(),
        schema: work.compiled.schema(),
        retention_s: u64::try_from(work.pipeline().retention_ns() / SECOND_NS).unwrap_or_default(),
        base,
        ledger,
        gates,
        origin: Origin { started_ms, changes, restored: None },
        now_ms: now_ms(),
    };
    let made = make_version(&work.result, &publication).await;
    let Made { version, published, changed } = made.map_err(|fault| with_failed(fault, plan, &publication.ledger))?;
    Ok(Committed { version, published, changed, account, ledger: publication.ledger })
}

/// A sentence for each gate of `tolerate.drift` that the version would not pass. A first version has no base.
async fn drifted(work: &Work, base: Option<&TableState>, ledger: &Ledger) -> Result<Vec<String>, Fault> {
    let gates = &work.pipeline().tolerate.drift;
    match base.filter(|_| !gates.is_empty()) {
        Some(base) => Ok(drift::judge(&work.result, gates, base, &work.compiled.schema(), ledger).await?),
        None => Ok(Vec::new()),
    }
}

/// Why nothing was published, with the shards that failed.
fn with_failed(fault: Fault, plan: &Plan, ledger: &Ledger) -> Fault {
    if fault.exit() != Exit::Gate {
        return fault;
    }
    fault.with_failed(ledger.count(LineState::Failed) as u64, failures_of(plan, ledger))
}

/// A version, and what a publication had to do with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    /// The version to speak of.
    pub(crate) version: u64,
    /// Whether this call made it.
    pub(crate) published: bool,
    /// Whether the plan made it, now or before.
    changed: bool,
}

/// Publishes, and writes a checkpoint when one is due.
pub(crate) async fn make_version(result: &Arc<dyn Store>, publication: &Publication) -> Result<Made, Fault> {
    let outcome = publish(result, publication, Patience::default()).await?;
    let made = version_of(result, outcome)?;
    if made.published
        && let Err(error) = checkpoint(result, made.version).await
    {
        tracing::warn!(version = made.version, %error, "no checkpoint was written; the table is complete without it");
    }
    Ok(made)
}

/// Its shards by what became of them.
fn shards(ledger: &Ledger) -> Shards {
    let failed = ledger.lines.iter().filter(|line| line.state == LineState::Failed);
    let tried = |line: &&LedgerLine| line.failure.as_ref().is_some_and(|failure| failure.attempts > 0);
    let (tried, untried): (Vec<_>, Vec<_>) = failed.partition(tried);
    Shards { all: ledger.lines.len() as u64, failed: tried.len() as u64, untried: untried.len() as u64 }
}

/// Hash of the words that touch rows.
pub(crate) fn meaning_hash(plan: &Plan) -> String {
    digest(plan.meaning.to_string().as_bytes())
}

/// The version that the plan was made against.
async fn base_of(work: &Work, plan: &Plan) -> Result<Option<TableState>, Fault> {
    match plan.base {
        None => Ok(None),
        Some(version) => Ok(TableState::open(&work.result, Some(version)).await?),
    }
}

/// A line for every shard of the plan, and one for every shard of the base that lies outside the run's range.
async fn ledger(work: &Work, plan: &Plan, base: Option<&TableState>) -> Result<Ledger, Fault> {
    let keys: Vec<String> = plan.shards.iter().map(|shard| shard.key.clone()).collect();
    let mut reports = read_reports(work.result.as_ref(), &keys).await?;
    let mut failures = failures(work, plan).await?;
    let mut lines = carried(work, plan, base).await?;
    for shard in &plan.shards {
        lines.push(line(shard, reports.remove(&shard.key), failures.remove(&shard.key)));
    }
    lines.sort_by_key(|line| (line.span, line.robots.clone()));
    Ok(Ledger { lines })
}

/// The base's shards that the run does not touch.
async fn carried(work: &Work, plan: &Plan, base: Option<&TableState>) -> Result<Vec<LedgerLine>, Fault> {
    let (Some((from, to)), Some(base)) = (plan.range, base) else { return Ok(Vec::new()) };
    let days = Span { from_ns: Day(from).start_ns(), to_ns: Day(to).start_ns() };
    let ledger = base.ledger(&work.result).await?;
    let cut = |line: &&LedgerLine| line.span.intersect(days).is_some_and(|inside| inside != line.span);
    if let Some(line) = ledger.lines.iter().find(cut) {
        return Err(Fault::request(format!(
            "a shard of version {} holds {}, more than the days of the range, and its rows outside them cannot be carried \
             over; run without --range to recompute all days",
            base.version, line.span
        )));
    }
    let outside = ledger.lines.into_iter().filter(|line| line.span.intersect(days).is_none());
    let lines: Vec<LedgerLine> = outside.map(carry).collect();
    let made_by = base.provenance.as_ref().map(|provenance| provenance.meaning.as_str());
    if !lines.is_empty() && made_by != Some(meaning_hash(plan).as_str()) {
        return Err(Fault::request(
            "the days outside the range were made by other words and cannot be carried over; recompute all days \
             once: without --range, and without `range` in a Run",
        ));
    }
    Ok(lines)
}

/// A line of the base in the next version. One that failed goes on being a failed one: it still has no rows.
fn carry(line: LedgerLine) -> LedgerLine {
    let state = if line.state == LineState::Failed { LineState::Failed } else { LineState::Carried };
    LedgerLine { state, ..line }
}

/// What a shard's report, or its absence, comes to.
fn line(shard: &Shard, report: Option<Report>, failure: Option<Failure>) -> LedgerLine {
    let (reason, made) = match &shard.state {
        State::Reused => (String::new(), LineState::Reused),
        State::Stale(reason) => (reason.to_string(), LineState::Done),
    };
    let line = LedgerLine {
        key: shard.key.clone(),
        state: LineState::Failed,
        reason,
        span: shard.part.span,
        robots: bucket_text(shard.part.bucket),
        files: Vec::new(),
        rows: 0,
        account: None,
        quarantine: None,
        failure: None,
    };
    match report {
        Some(Report { files, rows, account, quarantine, .. }) => {
            LedgerLine { state: made, files, rows, account: Some(account), quarantine, ..line }
        }
        None => LedgerLine { failure: Some(failure.unwrap_or_else(not_tried)), ..line },
    }
}

fn not_tried() -> Failure {
    let message = "it has neither a report nor a failure: it was never tried to the end".to_owned();
    Failure { failed_ms: 0, attempts: 0, reason: "NotTried".to_owned(), place: String::new(), message }
}

/// The leading bits of the robots' hashes, as text; empty for all robots.
pub(crate) fn bucket_text(bucket: Bucket) -> String {
    (0..bucket.bits).rev().map(|bit| if bucket.value >> bit & 1 == 1 { '1' } else { '0' }).collect()
}

/// The last failure of each shard of the plan, by key.
async fn failures(work: &Work, plan: &Plan) -> Result<BTreeMap<String, Failure>, Fault> {
    let prefix = layout::failures(&plan.hash());
    let mut found = work.result.list(&prefix);
    let mut failures: BTreeMap<String, Failure> = BTreeMap::new();
    while let Some(object) = found.try_next().await? {
        let bytes = match work.result.get(&object.key).await {
            Ok((_, bytes)) => bytes,
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let (key, mut failure): (String, Failure) = serde_json::from_slice(&bytes)
            .map_err(|error| Fault::request(format!("{}: not a failure of ours ({error}); remove it", object.key)))?;
        let before = failures.remove(&key);
        let attempts = failure.attempts + before.as_ref().map_or(0, |before| before.attempts);
        failure = before.filter(|before| before.failed_ms > failure.failed_ms).unwrap_or(failure);
        failures.insert(key, Failure { attempts, ..failure });
    }
    Ok(failures)
}

/// The version to speak of, or why there is none.
fn version_of(result: &Arc<dyn Store>, outcome: Outcome) -> Result<Made, Fault> {
    match outcome {
        Outcome::Published { version } => Ok(Made { version, published: true, changed: true }),
        Outcome::AlreadyPublished { version } => Ok(Made { version, published: false, changed: true }),
        Outcome::NothingToDo { version } => Ok(Made { version, published: false, changed: false }),
        Outcome::Refused(Why::Gates(gates)) => Err(Fault::new(
            Exit::Gate,
            format!(
                "{result}: nothing published: {}; compute what is missing, mend the data, or loosen `tolerate`",
                gates.join("; ")
            ),
        )),
        Outcome::Refused(why) => Err(Fault::request(format!("{result}: nothing published: {why}"))),
        Outcome::Conflict { version, other } => {
            let who = match other {
                Other::Plan(provenance) => format!("run {}", provenance.run),
                Other::Foreign => "another program".to_owned(),
            };
            Err(Fault::new(Exit::Changed, format!("{result}: {who} published version {version} meanwhile; run again")))
        }
        Outcome::Unknown => Err(Fault::new(
            Exit::Storage,
            format!("{result}: whether the version was published is unknown; run again: it will find out"),
        )),
    }
}
