//! What vacuum reads before it decides, and the deletes after it.

use super::{Facts, PlanNeeds, Sweep, decide, horizon_ns, kept};
use crate::error::TableError;
use crate::history::{made_by, read_plan};
use crate::layout::{self, Kind, LOG, OWN};
use crate::report::read_reports;
use crate::sources::{Patterns, read_sources};
use crate::state::TableState;
use crate::tag::tags;
use archive::store::{Object, Store};
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use pipeline::plan::Plan;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Deletes under way at a time.
const DELETES: usize = 16;

/// Times that facts are gathered anew because something was planned or published meanwhile.
const LOOKS_MAX: u32 = 5;

/// What is asked of a vacuum.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The time, ns since the epoch.
    pub now_ns: i64,
    /// How long old versions stay, ns.
    pub retention_ns: i64,
    /// Whether to delete, or only to say what would be.
    pub delete: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Swept {
    /// What goes, or went.
    pub sweep: Sweep,
    /// Versions whose rows stay readable.
    pub kept: BTreeSet<u64>,
    /// All versions that there are.
    pub versions: u64,
}

/// Finds what nobody needs, and deletes it if asked.
///
/// Errors: the store could not be asked, or something that is kept cannot be read. Then nothing was deleted, or less.
pub async fn sweep(store: &Arc<dyn Store>, ask: Ask) -> Result<Swept, TableError> {
    let mut looked = look(store, ask).await?;
    if !ask.delete {
        return Ok(looked.swept());
    }
    // A run that planned meanwhile counts on what it found.
    for _ in 0..LOOKS_MAX {
        if names(store).await? == looked.names {
            let swept = looked.swept();
            delete(store, &swept.sweep).await?;
            return Ok(swept);
        }
        looked = look(store, ask).await?;
    }
    Err(TableError::Refused(format!("{store}: runs plan and publish all the time; nothing was deleted, try again")))
}

/// What was seen.
struct Looked {
    facts: Facts,
    kept: BTreeSet<u64>,
    versions: u64,
    names: BTreeSet<String>,
}

impl Looked {
    fn swept(&self) -> Swept {
        Swept { sweep: decide(&self.facts), kept: self.kept.clone(), versions: self.versions }
    }
}

/// The plans, commits and tags that there are.
async fn names(store: &Arc<dyn Store>) -> Result<BTreeSet<String>, TableError> {
    let mut names = BTreeSet::new();
    for prefix in [LOG, layout::PLANS, layout::TAGS] {
        let objects: Vec<Object> = store.list(prefix).try_collect().await?;
        names.extend(objects.into_iter().map(|object| object.key));
    }
    Ok(names)
}

async fn look(store: &Arc<dyn Store>, ask: Ask) -> Result<Looked, TableError> {
    let names = names(store).await?;
    let log: Vec<Object> = store.list(LOG).try_collect().await?;
    let commit = |object: &Object| Some((layout::commit_version(&object.key)?, object.modified_ns));
    let commits: BTreeMap<u64, Option<i64>> = log.iter().filter_map(commit).collect();
    let tagged = tags(store.as_ref()).await?.into_iter().map(|tag| tag.version).collect();
    let kept = kept(&commits, &tagged, horizon_ns(ask.now_ns, ask.retention_ns));
    let mut objects: Vec<Object> = store.list(layout::DATA).try_collect().await?;
    objects.extend(store.list(OWN).try_collect::<Vec<Object>>().await?);
    objects.extend(store.unfinished().await?);
    let mut versions_need = BTreeSet::new();
    for version in &kept {
        versions_need.extend(version_needs(store, *version).await?);
    }
    let facts = Facts {
        now_ns: ask.now_ns,
        retention_ns: ask.retention_ns,
        reports: reports(store, &objects).await?,
        plans: plans(store, &objects).await?,
        objects,
        versions_need,
    };
    Ok(Looked { facts, kept, versions: commits.len() as u64, names })
}

/// What a version's rows and its story need.
async fn version_needs(store: &Arc<dyn Store>, version: u64) -> Result<BTreeSet<String>, TableError> {
    let Some(state) = TableState::open(store, Some(version)).await? else { return Ok(BTreeSet::new()) };
    let mut needs: BTreeSet<String> = state.files.iter().map(|file| file.path.clone()).collect();
    let Some(made) = &state.provenance else { return Ok(needs) };
    let ledger = match state.ledger(store).await {
        Ok(ledger) => ledger,
        // A tag may be older than this program, or name what was vacuumed before it was tagged: its files are kept.
        Err(TableError::Refused(_)) => return Ok(needs),
        Err(error) => return Err(error),
    };
    needs.insert(made.ledger.clone());
    needs.extend(ledger.lines.iter().flat_map(|line| line.quarantine.clone()));
    needs.extend(ledger.lines.iter().map(|line| layout::report(&line.key)));
    let keys = ledger.lines.into_iter().map(|line| line.key).collect();
    needs.extend(plans_behind(store, made.plan.clone(), keys).await?);
    Ok(needs)
}

/// The plans that name a version's shards: its own, and those of its bases for shards that runs carried over.
async fn plans_behind(
    store: &Arc<dyn Store>,
    mut hash: String,
    mut keys: HashSet<String>,
) -> Result<BTreeSet<String>, TableError> {
    let mut behind = BTreeSet::new();
    loop {
        behind.insert(layout::plan(&hash));
        let Some(plan) = read_plan(store.as_ref(), &hash).await? else { return Ok(behind) };
        plan.shards.iter().for_each(|shard| _ = keys.remove(&shard.key));
        let Some(base) = plan.base.filter(|_| !keys.is_empty()) else { return Ok(behind) };
        match made_by(store.as_ref(), base).await? {
            Some(made) => hash = made.plan,
            None => return Ok(behind),
        }
    }
}

/// The files of each report.
async fn reports(store: &Arc<dyn Store>, objects: &[Object]) -> Result<BTreeMap<String, Vec<String>>, TableError> {
    let keys: Vec<String> =
        objects.iter().filter_map(|object| layout::report_key(&object.key)).map(str::to_owned).collect();
    let reports = read_reports(store.as_ref(), &keys).await?;
    let named = reports.into_values().map(|report| {
        let files = report.files.into_iter().map(|file| file.path).chain(report.quarantine);
        (layout::report(&report.key), files.collect())
    });
    Ok(named.collect())
}

async fn plans(store: &Arc<dyn Store>, objects: &[Object]) -> Result<BTreeMap<String, PlanNeeds>, TableError> {
    let mut plans = BTreeMap::new();
    let mut inputs = BTreeMap::new();
    for object in objects.iter().filter(|object| layout::kind(&object.key) == Some(Kind::Plan)) {
        let Some(hash) = layout::plan_hash(&object.key) else { continue };
        let Some(plan) = read_plan(store.as_ref(), hash).await? else { continue };
        let source = source_name(&plan);
        if let Some(source) = source.as_ref().filter(|source| !inputs.contains_key(*source)) {
            inputs.insert(source.clone(), inputs_of(store, source).await?);
        }
        let inputs = source.and_then(|source| inputs.get(&source)).cloned().unwrap_or_default();
        let reports = plan.shards.iter().map(|shard| layout::report(&shard.key)).collect();
        plans.insert(object.key.clone(), PlanNeeds { reports, inputs });
    }
    Ok(plans)
}

/// The list of the objects that a plan was made from.
fn source_name(plan: &Plan) -> Option<String> {
    Some(Patterns::of_meaning(&plan.meaning)?.sources_name(&plan.source))
}

/// That list, and the member lists it names.
async fn inputs_of(store: &Arc<dyn Store>, source: &str) -> Result<BTreeSet<String>, TableError> {
    let lines = read_sources(store, source).await?.unwrap_or_default();
    let lists = lines.iter().map(|line| layout::members(&line.content_id));
    Ok(lists.chain([layout::sources(source)]).collect())
}

/// One kind after the other, so that reports are gone before their files.
async fn delete(store: &Arc<dyn Store>, sweep: &Sweep) -> Result<(), TableError> {
    for kind in sweep.goes.chunk_by(|(kind, _), (other, _)| kind == other) {
        let deletes = stream::iter(kind).map(async |(kind, object)| match kind {
            Kind::Unfinished => store.discard(&object.key).await,
            _ => store.delete(&object.key).await,
        });
        deletes.buffer_unordered(DELETES).try_collect::<()>().await?;
    }
    Ok(())
}
