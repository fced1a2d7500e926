//! An archive as it is looked at: listed once, its members known from a run where one made their lists, else walked into a folder
//! that is removed. No result is written to.

use super::apart;
use crate::fault::Fault;
use crate::plan::{Sources, ensure_sources, known_sources};
use crate::scratch::Scratch;
use crate::stop::Stop;
use crate::words::Whole;
use crate::work::Effort;
use crate::work::Work;
use archive::listing::list;
use archive::open::{Side, open};
use archive::store::Store;
use engine::account::{Account, Counts};
use engine::compile::{Compiled, compile};
use pipeline::archive::Archive;
use pipeline::check::examine;
use pipeline::pipeline::{Pipeline, RobotFilter};
use pipeline::read::{Spec, Words};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

/// An archive, and what is known of it.
pub(crate) struct Reading {
    compiled: Compiled,
    source: Arc<dyn Store>,
    /// Where its pipelines write: runs leave the lists of its members there.
    results: Vec<Arc<dyn Store>>,
    effort: Effort,
    stop: Stop,
    runtime: Handle,
    known: OnceCell<Known>,
    /// By signal, what was met.
    met: Mutex<BTreeMap<usize, Account>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The archive's objects and members.
#[derive(Clone)]
pub(crate) struct Known {
    /// As they were listed.
    pub(crate) sources: Arc<Sources>,
    /// Where the member lists lie.
    lists: Arc<dyn Store>,
    _scratch: Option<Arc<Scratch>>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("archive", &self.archive().name).finish_non_exhaustive()
    }
}

impl Reading {
    /// An archive of the words, whoever reads it.
    pub(super) fn of_archive(
        whole: &Whole,
        archive: &Archive,
        (effort, stop): (Effort, &Stop),
        runtime: &Handle,
    ) -> Result<Self, Fault> {
        let compiled = bare(whole, archive)?;
        let readers = whole.checked.pipelines.iter().filter(|pipeline| pipeline.archive.name == archive.name);
        let results = readers.map(|pipeline| open(&pipeline.spec.result.store, Side::Result));
        let results = results.collect::<Result<Vec<_>, _>>()?;
        Self::new(compiled, results, (effort, stop), runtime)
    }

    /// The archive of a pipeline, whose robots and reaches hold.
    pub(crate) fn of_pipeline(compiled: Compiled, limits: (Effort, &Stop), runtime: &Handle) -> Result<Self, Fault> {
        let result = open(&compiled.pipeline().spec.result.store, Side::Result)?;
        Self::new(compiled, vec![result], limits, runtime)
    }

    fn new(
        compiled: Compiled,
        results: Vec<Arc<dyn Store>>,
        (effort, stop): (Effort, &Stop),
        runtime: &Handle,
    ) -> Result<Self, Fault> {
        let source = open(&compiled.pipeline().archive.store, Side::Source)?;
        Ok(Self {
            compiled,
            source,
            results,
            effort,
            stop: stop.clone(),
            runtime: runtime.clone(),
            known: OnceCell::new(),
            met: Mutex::default(),
            threads: Mutex::default(),
        })
    }

    /// Its words.
    pub(crate) fn archive(&self) -> &Archive {
        &self.compiled.pipeline().archive
    }

    /// The runtime of the stores.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// A flag that stops one reader.
    pub(super) fn stop(&self) -> Stop {
        self.stop.below()
    }

    /// Its objects and members, as they are listed when it is first asked.
    pub(crate) async fn known(self: &Arc<Self>) -> Result<Known, Fault> {
        let learn = || {
            let this = Arc::clone(self);
            apart(move || this.runtime.block_on(this.learn()))
        };
        self.known.get_or_try_init(learn).await.cloned()
    }

    async fn learn(&self) -> Result<Known, Fault> {
        let listing = list(self.source.as_ref(), self.archive()).await?;
        for result in &self.results {
            let work = self.work_with(Arc::clone(result), None, self.stop.clone())?;
            // Whatever keeps us from a run's lists, they can be made again.
            if let Ok(Some(sources)) = known_sources(&work, &listing.source_version).await {
                return Ok(Known { sources: Arc::new(sources), lists: Arc::clone(result), _scratch: None });
            }
        }
        let scratch = Scratch::new()?;
        let work = self.work_with(scratch.store(), None, self.stop.clone())?;
        let sources = ensure_sources(&work, &listing, None).await?;
        Ok(Known { sources: Arc::new(sources), lists: scratch.store(), _scratch: Some(Arc::new(scratch)) })
    }

    /// What reads the observations of these robots (`None`: of those of the words). The result is where the member lists lie,
    /// and only read.
    pub(crate) fn work(&self, known: &Known, robots: Option<&BTreeSet<String>>, stop: Stop) -> Result<Work, Fault> {
        self.work_with(Arc::clone(&known.lists), robots, stop)
    }

    fn work_with(&self, lists: Arc<dyn Store>, robots: Option<&BTreeSet<String>>, stop: Stop) -> Result<Work, Fault> {
        let compiled = match robots {
            None => self.compiled.clone(),
            Some(robots) => of_robots(self.compiled.pipeline(), robots)?,
        };
        Ok(Work::between(Arc::clone(&self.source), lists, compiled, self.effort, stop))
    }

    /// Adds what was met of a signal. Of several readers of one the one that met most is told of.
    pub(super) fn met(&self, signal: usize, account: Account) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let known = met.entry(signal).or_default();
        if account.members.read >= known.members.read {
            *known = account;
        }
    }

    /// Keeps a thread that reads, to wait for its end.
    pub(super) fn keep(&self, thread: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Waits for the end of all that read. They end when nobody takes what they read.
    pub(super) fn wait(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }

    /// What was left out of each signal, a sentence each.
    pub(super) fn left_out(&self) -> Vec<String> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let signals = &self.archive().signals;
        met.iter().filter_map(|(signal, account)| sentence(&signals[*signal].name, account)).collect()
    }
}

/// What a run would leave out too, as it would; `None`: nothing.
fn sentence(signal: &str, account: &Account) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(counts) = account.signals.get(signal) {
        parts.extend(counted(&counts.quarantined).map(|what| format!("{what} in quarantine")));
        if counts.duplicate > 0 {
            parts.push(format!("{} duplicate", crate::present::count(counts.duplicate)));
        }
    }
    parts.extend(counted(&account.members.quarantined).map(|what| format!("members or lines refused: {what}")));
    let what = parts.join("; ");
    (!what.is_empty()).then(|| format!("{signal}: left out, as a run does: {what}"))
}

/// `5 (late 3, mismatch 2)`.
fn counted(counts: &Counts) -> Option<String> {
    let total: u64 = counts.values().fold(0, |sum, count| sum.saturating_add(*count));
    let by_kind: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    (total > 0).then(|| format!("{} ({})", crate::present::count(total), by_kind.join(", ")))
}

/// A pipeline over an archive that joins, derives and writes nothing: its rows are what the archive holds.
fn bare(whole: &Whole, archive: &Archive) -> Result<Compiled, Fault> {
    let broken = |why: &str| Fault::broken(format!("archive {}: cannot be looked at alone: {why}", archive.name));
    let signal = archive.signals.first().map_or("", |signal| signal.name.as_str());
    let words = format!(
        "apiVersion: fleetloom.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: query}}\nspec:\n  archive: {}\n  \
         rows: {{signal: {signal}}}\n  result: {{store: {{url: \"file:///nowhere/fleetloom-query/\"}}}}\n",
        archive.name
    );
    let is_it = |spec: &Spec, name: &str| matches!(spec, Spec::Archive(_)) && name == archive.name;
    let documents = whole.read.documents.iter().filter(|one| is_it(&one.spec, &one.metadata.name)).cloned().collect();
    let read = Words { documents, mistakes: Vec::new() }.and(Words::read(&words, None, None));
    let (checked, mistakes) = examine(&read);
    if let Some(mistake) = mistakes.first() {
        return Err(broken(&mistake.to_string()));
    }
    let pipeline = checked.pipelines.first().ok_or_else(|| broken("no pipeline"))?;
    compile(pipeline).map_err(|_| broken("it has an expression"))
}

/// The same, of these robots only. A name with `*` also takes others, which the query leaves out itself.
fn of_robots(pipeline: &Pipeline, robots: &BTreeSet<String>) -> Result<Compiled, Fault> {
    let robots = RobotFilter { include: robots.iter().cloned().collect(), exclude: Vec::new() };
    let pipeline = Pipeline { robots, ..pipeline.clone() };
    compile(&pipeline).map_err(|_| Fault::broken("a pipeline that was compiled once does not compile again"))
}
