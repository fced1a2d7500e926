//! What an act says at its end to whoever started it in a pod: [`pipeline::act::Message`], written to the file that
//! `FLEETLOOM_MESSAGE` names, and nowhere without it.

use crate::commit::Committed;
use crate::fault::{Exit, Fault, Result};
use crate::plan::{Planned, sources_of};
use crate::work::Work;
use archive::listing::Listing;
use pipeline::act::{self, Message};
use pipeline::plan::Plan;
use std::path::PathBuf;
use table::layout;
use table::ledger::{Ledger, LedgerLine, LineState};

/// Names the file.
const VARIABLE: &str = "FLEETLOOM_MESSAGE";

/// Where messages go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Messages(Option<PathBuf>);

impl Messages {
    /// As the process's environment says.
    pub(crate) fn of_process() -> Self {
        Self(std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from))
    }

    /// Writes a message, if somebody wants it. The last one counts.
    ///
    /// Errors: the file cannot be written, and nobody would hear of what was done.
    pub(crate) fn say(&self, message: &Message) -> Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        std::fs::write(path, message.to_json())
            .map_err(|error| Fault::new(Exit::Storage, format!("{VARIABLE}={}: {error}", path.display())))
    }

    /// Writes why nothing came of it. What went wrong is told by exit code and log too, so this may fail.
    pub(crate) fn complain(&self, fault: &Fault) {
        let sentence = fault.chain().join(": ");
        let sentence = fault.details().iter().fold(sentence, |sentence, line| sentence + "\n" + line);
        let (failed, failures) = fault.failed();
        let failed = act::Failed { code: fault.exit() as u8, sentence, failed, failures: failures.to_vec() };
        if let Err(error) = self.say(&Message::Failed(failed)) {
            tracing::warn!(%error, "nobody was told how it ended");
        }
    }
}

/// A plan that lies ready.
pub(crate) fn planned(work: &Work, planned: &Planned) -> Message {
    let (plan, hash) = (&planned.plan, planned.plan.hash());
    let stale = plan.stale().map(|index| &plan.shards[index].inputs);
    Message::Planned(act::Planned {
        uri: format!("{}{}", work.result, layout::plan(&hash)),
        plan: hash,
        source: act::Source { members: members(plan), ..listed(&planned.listing) },
        base: plan.base,
        shards: plan.shards.len() as u64,
        stale: plan.stale().count() as u64,
        bytes: stale.fold(0, |sum, inputs| sum + inputs.bytes + inputs.context_bytes),
        seconds: whole_seconds(planned.estimate.core_seconds),
    })
}

/// An archive as it was listed.
pub(crate) fn listed(listing: &Listing) -> act::Source {
    let objects = listing.objects.len() as u64;
    act::Source { version: listing.source_version.clone(), objects, members: 0, bytes: listing.bytes() }
}

/// A plan that was committed, or that changes nothing.
pub(crate) async fn committed(work: &Work, plan: &Plan, committed: &Committed) -> Result<Message> {
    let source = source_of(work, plan).await?;
    let (ledger, rows) = (&committed.ledger, &committed.account.rows);
    if !committed.changed {
        return Ok(Message::NothingToDo(act::NothingToDo {
            plan: plan.hash(),
            source,
            url: work.result.to_string(),
            version: committed.version,
            shards: plan.shards.len() as u64,
            rows: rows.written,
        }));
    }
    Ok(Message::Published(act::Published {
        plan: plan.hash(),
        source,
        url: work.result.to_string(),
        version: committed.version,
        shards: plan.shards.len() as u64,
        reused: (plan.shards.len() - plan.stale().count()) as u64,
        rows: rows.written,
        invalid: rows.invalid.values().sum(),
        quarantined: committed.account.quarantined(),
        bytes: ledger.files().map(|file| file.bytes).sum(),
        failed: ledger.count(LineState::Failed) as u64,
        failures: failures(plan, ledger),
    }))
}

/// The archive that a plan was made from, as its own objects say.
async fn source_of(work: &Work, plan: &Plan) -> Result<act::Source> {
    let objects = sources_of(work, plan).await?.objects;
    let bytes = objects.iter().fold(0u64, |sum, object| sum.saturating_add(object.bytes));
    Ok(act::Source { version: plan.source.clone(), objects: objects.len() as u64, members: members(plan), bytes })
}

fn members(plan: &Plan) -> u64 {
    plan.shards.iter().fold(0, |sum, shard| sum + shard.inputs.members)
}

/// The first failed shards, by their index in the plan.
pub(crate) fn failures(plan: &Plan, ledger: &Ledger) -> Vec<act::Failure> {
    let index = |line: &LedgerLine| plan.shards.iter().position(|shard| shard.key == line.key);
    let failed = ledger.lines.iter().filter_map(|line| Some((index(line)?, line.failure.as_ref()?)));
    let mut failures: Vec<act::Failure> = failed
        .map(|(index, failure)| act::Failure {
            shard: index as u64,
            reason: failure.message.clone(),
            place: Some(failure.place.clone()).filter(|place| !place.is_empty()),
        })
        .collect();
    failures.sort_by_key(|failure| failure.shard);
    failures.truncate(act::FAILURES_MAX);
    failures
}

/// Rounded up; what is no time at all is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits, and a guess anyway")]
fn whole_seconds(seconds: f64) -> u64 {
    if seconds.is_finite() { seconds.ceil().clamp(0.0, 1e15) as u64 } else { 0 }
}
