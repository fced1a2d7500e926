//! The plan flow: list the archive, cut it, compare with what is there, write the plan down.
//!
//! ```text
//! list ─► base ─► member lists ─► outline ─► parts ─► inputs ─► reports ─► Plan ─► _fleetloom/plans/<hash>.json
//! ```

mod before;
mod cells;
mod changes;
mod draft;
mod reports;
mod sources;

pub(crate) use sources::{Sources, Walk, ensure as ensure_sources, load as known_sources, of_plan as sources_of};

use crate::fault::Fault;
use crate::work::{ENGINE, Work, now_ms};
use archive::listing::{Listing, list};
use archive::store::{Put, StoreError};
use futures::future::join;
use pipeline::meaning::meaning;
use pipeline::member::Member;
use pipeline::pipeline::DayRange;
use pipeline::plan::{Facts, Plan, member_robot, plan as decide, robots_known};
use pipeline::spec::Recompute;
use pipeline::time::MILLI_NS;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use table::estimate::{Estimate, estimate, write_estimate};
use table::layout;
use table::probe::proved;
use table::report::read_reports;
use table::state::TableState;

/// What is asked of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Id of the run.
    pub(crate) run: String,
    /// Days to recompute; `None`: all.
    pub(crate) range: Option<DayRange>,
    /// What is computed anew.
    pub(crate) recompute: Recompute,
    /// When, ms since the epoch.
    pub(crate) asked_ms: i64,
}

/// A plan and what it was made from.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// The archive as it was listed.
    pub(crate) listing: Listing,
    /// Its objects, and where their member lists lie, until whoever computes shards takes them.
    pub(crate) sources: Sources,
    /// What its work will take.
    pub(crate) estimate: Estimate,
}

/// Makes the plan of a run and writes it down. Before a first version the result's store is tried out meanwhile: one that
/// cannot hold a result is refused before anything is computed.
pub(crate) async fn plan(work: &Work, ask: &Ask) -> Result<Planned, Fault> {
    let listing = list(work.source.as_ref(), &work.pipeline().archive).await?;
    let base = TableState::open(&work.result, None).await?;
    refuse_if_empty(work, &listing, base.as_ref())?;
    let planning = Box::pin(against(work, ask, listing, base.as_ref()));
    if base.is_some() {
        return planning.await;
    }
    let result = Arc::clone(&work.result);
    let proving = tokio::spawn(async move { proved(result.as_ref(), now_ms()).await });
    let planned = planning.await;
    let proof = proving.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
    proof.map_err(Fault::from).and(planned)
}

/// Plans against what was published before, and writes the plan down.
async fn against(work: &Work, ask: &Ask, listing: Listing, base: Option<&TableState>) -> Result<Planned, Fault> {
    let before = match base {
        Some(base) => before::before(work, base).await?,
        None => None,
    };
    let range = narrower(work.pipeline().range, ask.range)?;
    let sources = sources::ensure(work, &listing, before.as_ref().map(|plan| plan.source.as_str())).await?;
    refuse_if_memberless(work, &listing, &sources, base)?;
    let (cut, drafted) = draft::draft(work, &sources, range, before.as_ref()).await?;
    let asked_by = (ask.recompute == Recompute::All).then_some(ask.run.as_str());
    let facts = Facts {
        meaning: meaning(work.pipeline()),
        engine: ENGINE,
        source: listing.source_version.clone(),
        base: base.map(|base| (base.version, before.as_ref())),
        range: ask.range,
        cut,
        asked_by,
    };
    let keys = facts.keys(&drafted).into_iter().flatten().collect();
    let found = reports::find(work, base, &keys).await?;
    let mut plan = decide(work.pipeline(), &facts, drafted, &found.reusable);
    if let Some(before) = &before {
        changes::name(work, &mut plan, &sources, before).await?;
    }
    let measured = if plan.stale().next().is_some() {
        read_reports(work.result.as_ref(), &found.latest).await?
    } else {
        BTreeMap::new()
    };
    let estimate = estimate(&plan, measured.values());
    write(work, &plan, &estimate).await?;
    Ok(Planned { plan, listing, sources, estimate })
}

/// The plan of that hash, made from the words at hand.
pub(crate) async fn read(work: &Work, hash: &str) -> Result<Plan, Fault> {
    let plan = stored(work, hash).await?;
    if plan.pipeline != work.pipeline().name || plan.meaning != meaning(work.pipeline()) {
        let why = "was made from other words; use the file that it was made from, or plan again";
        return Err(Fault::request(format!("plan {hash} {why}")));
    }
    Ok(plan)
}

/// The plan of that hash, whatever words it was made from.
pub(crate) async fn stored(work: &Work, hash: &str) -> Result<Plan, Fault> {
    let name = layout::plan(hash);
    let bytes = match work.result.get(&name).await {
        Ok((_, bytes)) => bytes,
        Err(StoreError::NotFound { place }) => {
            return Err(Fault::request(format!(
                "{place}: no such plan; `fleetloom plan` prints the hash of the plan it writes"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let odd = |error| Fault::request(format!("{name}: not a plan of this version of fleetloom ({error}); plan again"));
    let plan: Plan = serde_json::from_slice(&bytes).map_err(odd)?;
    if plan.hash() != hash {
        return Err(Fault::request(format!("{name}: its content does not have that hash; plan again")));
    }
    Ok(plan)
}

/// When a plan was written, ms since the epoch: where its acts are carried out one at a time, the run began then.
pub(crate) async fn planned_ms(work: &Work, hash: &str) -> Result<Option<i64>, Fault> {
    let object = work.result.head(&layout::plan(hash)).await?;
    Ok(object.modified_ns.map(|ns| ns / MILLI_NS))
}

/// Writes down a plan and, meanwhile, what its work will take: nobody asks for that before the plan has ended.
async fn write(work: &Work, plan: &Plan, estimate: &Estimate) -> Result<(), Fault> {
    let hash = plan.hash();
    let (plan, estimate) = join(put(work, &hash, plan), write_estimate(work.result.as_ref(), &hash, estimate)).await;
    plan.and(estimate.map_err(Fault::from))
}

/// A plan's name is its hash, so one that is there is the same, and after a lost answer it may be put again.
async fn put(work: &Work, hash: &str, plan: &Plan) -> Result<(), Fault> {
    let (name, json) = (layout::plan(hash), plan.to_json());
    match work.result.put(&name, json.clone().into(), Put::IfAbsent).await {
        Ok(_) | Err(StoreError::Exists { .. }) => Ok(()),
        Err(StoreError::Unknown { .. }) => {
            work.result.put(&name, json.into(), Put::Always).await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// An archive without objects gives an empty table.
fn refuse_if_empty(work: &Work, listing: &Listing, base: Option<&TableState>) -> Result<(), Fault> {
    if !listing.objects.is_empty() {
        return Ok(());
    }
    let pattern = work.pipeline().archive.objects.text.as_str();
    let there = match listing.ignored {
        0 => "nothing is there".to_owned(),
        1 => format!("another is there: {}", listing.ignored_examples.join(", ")),
        ignored => format!("{ignored} others are there, such as {}", listing.ignored_examples.join(", ")),
    };
    let what = format!("{}: no object matches `objects: {pattern}`; {there}", work.source);
    refuse_to_empty(work, base, &what, "`objects` or the store's url")
}

/// Objects without a member give one too.
fn refuse_if_memberless(
    work: &Work,
    listing: &Listing,
    sources: &Sources,
    base: Option<&TableState>,
) -> Result<(), Fault> {
    let Some(members) = work.pipeline().archive.members.as_ref().filter(|_| sources.is_empty()) else { return Ok(()) };
    let of = match listing.objects.as_slice() {
        [] => return Ok(()),
        [one] => one.key.clone(),
        more => format!("{} objects", more.len()),
    };
    let what = format!("{}: no member of {of} matches `members: {}`", work.source, members.text);
    refuse_to_empty(work, base, &what, "`members`")
}

/// A table that has rows is not emptied by what is most likely a wrong pattern or a folder that is not mounted. One that has none
/// stays so, with a warning.
fn refuse_to_empty(work: &Work, base: Option<&TableState>, what: &str, remedy: &str) -> Result<(), Fault> {
    let Some(base) = base.filter(|base| !base.files.is_empty()) else {
        tracing::warn!("{what}");
        return Ok(());
    };
    let (version, result) = (base.version, &work.result);
    Err(Fault::request(format!(
        "{what}. Version {version} of {result} has rows, which this run would remove: mend {remedy}, or write the result to \
         another URL"
    )))
}

/// The hashes of members' robots where shards are cut by robot; a member that tells none is with the first of them. Neighbours
/// often have the same robot, whose hash is taken once.
#[derive(Debug)]
pub(crate) struct RobotHashes {
    known: bool,
    last: Option<(Option<Arc<str>>, u64)>,
}

impl RobotHashes {
    /// For the members of an archive.
    pub(crate) fn new(work: &Work) -> Self {
        Self { known: robots_known(&work.pipeline().archive), last: None }
    }

    /// That of a member's robot.
    pub(crate) fn of(&mut self, member: &Member) -> Option<u64> {
        let hash = match &self.last {
            Some((robot, hash)) if *robot == member.robot => *hash,
            _ => self.last.insert((member.robot.clone(), member_robot(member).unwrap_or_default())).1,
        };
        self.known.then_some(hash)
    }
}

/// The days of the pipeline's range that the run asks for.
fn narrower(pipeline: Option<DayRange>, run: Option<DayRange>) -> Result<Option<DayRange>, Fault> {
    let (Some(pipeline), Some(run)) = (pipeline, run) else { return Ok(run.or(pipeline)) };
    let (from, to) = (pipeline.from.max(run.from), pipeline.to.min(run.to));
    if from < to {
        Ok(Some(DayRange { from, to }))
    } else {
        Err(Fault::request("the range lies outside the pipeline's range"))
    }
}

#[cfg(test)]
mod tests;
