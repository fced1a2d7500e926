//! The three controllers: which changes ask for which look, how many looks at a time, and how soon again after a failure.
//!
//! ```text
//! watch Runs ────────────┬─► Run controller ──► life::look
//! watch Jobs (metadata) ─┘        │ a Run came, ended, went      a Run ended: the next of its Pipeline is woken
//! watch Jobs of polls ───┐        ▼
//! watch Pipelines ───────┴─► Pipeline controller ──► upkeep::look
//! watch Archives ──────────► Archive controller ──► upkeep::look_at_archive     (and the Pipelines that read it)
//! ```
//! Watches only say where to look: what is decided is read from the API server. There is no watch of pods. What the operator wrote
//! itself is no news, and a Run that has ended for good is not looked at again.

use crate::api::{Archive, Pipeline};
use crate::build::{ACT, MANAGED_BY};
use crate::context::Context;
use crate::glance::Glance;
use crate::moment::Moment;
use crate::others::Sibling;
use crate::reason::Error;
use crate::roster::Roster;
use crate::timetable::SHOW_SECONDS;
use crate::{life, upkeep};
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::{Future, ready};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument;

/// Looks at a time, per kind.
const CONCURRENCY: usize = 32;
/// Those among them that may be at Runs that have not begun, or have ended.
const PATIENT: usize = 8;
/// Changes that come so close together are one look.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// Objects of one page of a watch's first list. Their managed fields, which are thrown away, are most of what a page takes:
/// with 500, the operator's peak was 57 MB at 1,300 Runs, nearly all of it two such pages.
const PAGE: u32 = 50;
/// First pause after a failed look, and the longest.
const BACKOFF_MS: (u64, u64) = (1_000, 60_000);
/// How long after it was first seen a Run is looked for to be shown in its Pipeline: most are over by then, and how far one has
/// come does not show there.
const SHOWN: Duration = Duration::from_secs(SHOW_SECONDS.unsigned_abs());
/// A Run that ended so recently wakes the one that waits for it, seconds; after a restart the others have been looked at.
const WAKE_SECONDS: i64 = 60;

/// Where the operator looks.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// One namespace; `None`: all of them.
    pub namespace: Option<String>,
}

impl Scope {
    fn api<K>(&self, context: &Context) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(context.client.clone(), namespace),
            None => Api::all(context.client.clone()),
        }
    }
}

type Guarded<K> = DeserializeGuard<K>;

/// Runs all three until `stop` is ready; then lets what is under way come to its end.
///
/// Both futures are boxed so that all of this is compiled here, once, and not again in each program that calls it.
pub fn run(context: Arc<Context>, scope: &Scope, stop: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    let (changed, changes) = mpsc::unbounded();
    let (stops, [first, second, third]) = stops();
    let runs = runs(Arc::clone(&context), scope, changed, first);
    let pipelines = pipelines(Arc::clone(&context), scope, changes, second);
    let archives = archives(context, scope, third);
    let stopped = async move {
        stop.await;
        for stop in stops {
            // A controller that is gone already needs no stop.
            let _ = stop.send(());
        }
    };
    Box::pin(async move {
        futures::join!(runs, pipelines, archives, stopped);
    })
}

type Stops = [oneshot::Sender<()>; 3];

fn stops() -> (Stops, [oneshot::Receiver<()>; 3]) {
    let [(a, x), (b, y), (c, z)] = [oneshot::channel(), oneshot::channel(), oneshot::channel()];
    ([a, b, c], [x, y, z])
}

/// Runs: looked at when they, or Jobs of theirs, change.
fn runs(
    context: Arc<Context>,
    scope: &Scope,
    changed: Changed,
    stop: oneshot::Receiver<()>,
) -> impl Future<Output = ()> + use<> {
    let (store, writer) = reflector::store();
    let roster = Roster::of(store.clone());
    // Only the first of several would be kept; there is one.
    let _ = context.runs.set(roster.clone());
    let taken_down = roster.clone();
    let seen = stored(scope.api(&context), "Run", Glance::prune, writer, move |event| {
        let is_new = taken_down.see(event);
        match event {
            Event::Apply(run) | Event::InitApply(run) if is_new && !run.phase().is_end() => {
                tokio::spawn(tell_when_shown(
                    taken_down.clone(),
                    ObjectRef::from_obj(run),
                    pipeline_of(run),
                    changed.clone(),
                ));
            }
            Event::Apply(run) | Event::InitApply(run) if !run.phase().is_end() => {}
            Event::Apply(run) | Event::InitApply(run) | Event::Delete(run) => tell(&changed, pipeline_of(run)),
            Event::Init | Event::InitDone => {}
        }
    });
    let told = Arc::clone(&context);
    let seen = seen.try_filter(move |run: &Glance| ready(run.phase().is_end() || told.own.is_news(run)));
    let jobs = watcher(scope.api::<PartialObjectMeta<Job>>(&context), ours("!="));
    let told = Arc::clone(&context);
    let jobs = jobs
        .default_backoff()
        .touched_objects()
        .try_filter(move |job: &PartialObjectMeta<Job>| ready(told.own.is_news(job)));
    let (woken, wakes) = mpsc::unbounded();
    let turns = Turns::of("Run");
    Controller::for_stream(seen, store)
        .with_config(config())
        .watches_stream(jobs, |job| owners::<Glance>(&job))
        .reconcile_on(wakes)
        .graceful_shutdown_on(stop.map(|_| ()))
        .run(
            move |run, context| {
                wake_next(&roster, &run, context.now(), &woken);
                if run.is_over() {
                    return ready(Ok(Action::await_change())).left_future();
                }
                let urgency = if run.is_under_way() { Urgency::Now } else { Urgency::Later };
                look(Arc::clone(&turns), urgency, run, context, |context, namespace, name| async move {
                    Box::pin(life::look(&context, &namespace, &name)).await
                })
                .right_future()
            },
            |run, error, context| failed("Run", &*run, error, &context),
            context,
        )
        .for_each(|_| std::future::ready(()))
}

/// Pipelines: looked at when they, their Archive, Runs or polls change.
fn pipelines(
    context: Arc<Context>,
    scope: &Scope,
    changes: mpsc::UnboundedReceiver<ObjectRef<Guarded<Pipeline>>>,
    stop: oneshot::Receiver<()>,
) -> impl Future<Output = ()> + use<> {
    let (store, writer) = reflector::store();
    let seen = stored::<Guarded<Pipeline>>(scope.api(&context), "Pipeline", prune, writer, |_| {});
    let told = Arc::clone(&context);
    let seen = seen.try_filter(move |pipeline: &Guarded<Pipeline>| ready(told.own.is_news(pipeline)));
    let polls = watcher(scope.api::<PartialObjectMeta<Job>>(&context), ours("="));
    let archives = watcher(scope.api::<PartialObjectMeta<Archive>>(&context), watching());
    let readers = store.clone();
    let turns = Turns::of("Pipeline");
    Controller::for_stream(seen, store)
        .with_config(config())
        .watches_stream(polls.default_backoff().touched_objects(), |job| owners::<Guarded<Pipeline>>(&job))
        .watches_stream(archives.default_backoff().touched_objects(), move |archive| reading(&readers, &archive))
        .reconcile_on(changes)
        .graceful_shutdown_on(stop.map(|_| ()))
        .run(
            move |pipeline, context| {
                look(Arc::clone(&turns), Urgency::Now, pipeline, context, |context, namespace, name| async move {
                    Box::pin(upkeep::look(&context, &namespace, &name)).await
                })
            },
            |pipeline, error, context| failed("Pipeline", &*pipeline, error, &context),
            context,
        )
        .for_each(|_| std::future::ready(()))
}

/// Archives: looked at when they change.
fn archives(context: Arc<Context>, scope: &Scope, stop: oneshot::Receiver<()>) -> impl Future<Output = ()> + use<> {
    let (store, writer) = reflector::store();
    let seen = stored::<Guarded<Archive>>(scope.api(&context), "Archive", prune, writer, |_| {});
    let turns = Turns::of("Archive");
    Controller::for_stream(seen, store)
        .with_config(config())
        .graceful_shutdown_on(stop.map(|_| ()))
        .run(
            move |archive, context| {
                look(Arc::clone(&turns), Urgency::Now, archive, context, |context, namespace, name| async move {
                    upkeep::look_at_archive(&context, &namespace, &name).await
                })
            },
            |archive, error, context| failed("Archive", &*archive, error, &context),
            context,
        )
        .for_each(|_| std::future::ready(()))
}

fn config() -> Config {
    Config::default().debounce(DEBOUNCE)
}

fn watching() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// Our Jobs: those of polls (`=`), or all others (`!=`).
fn ours(relation: &str) -> watcher::Config {
    let (label, value) = MANAGED_BY;
    watching().labels(&format!("{label}={value},{ACT}{relation}poll"))
}

/// A watch that keeps what it sees, without what `prune` leaves out, and then tells `see` of it.
fn stored<K>(
    api: Api<K>,
    kind: &'static str,
    prune: impl Fn(&mut K) + Send + 'static,
    writer: Writer<K>,
    see: impl Fn(&Event<K>) + Send + 'static,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let pruned = watcher(api, watching()).default_backoff().modify(prune);
    pruned.reflect(writer).inspect_ok(see).touched_objects().inspect_err(move |error| {
        tracing::warn!(%error, kind, "the watch failed, and goes on");
    })
}

type Changed = mpsc::UnboundedSender<ObjectRef<Guarded<Pipeline>>>;

fn pipeline_of(run: &Glance) -> ObjectRef<Guarded<Pipeline>> {
    within(run.pipeline(), run)
}

/// Asks for a look at a Pipeline.
fn tell(changed: &Changed, pipeline: ObjectRef<Guarded<Pipeline>>) {
    // The Pipelines' controller is gone only when this one is about to be.
    let _ = changed.unbounded_send(pipeline);
}

/// Asks for a look at its Pipeline once a new Run is old enough to be shown there, if it goes on then.
async fn tell_when_shown(
    roster: Roster,
    run: ObjectRef<Glance>,
    pipeline: ObjectRef<Guarded<Pipeline>>,
    changed: Changed,
) {
    tokio::time::sleep(SHOWN).await;
    if roster.goes_on(&run) {
        tell(&changed, pipeline);
    }
}

/// Leaves out what only the API server needs.
fn prune(object: &mut impl Resource) {
    object.meta_mut().managed_fields = None;
}

fn within<K: Resource<DynamicType = ()>>(name: &str, neighbour: &impl ResourceExt) -> ObjectRef<K> {
    ObjectRef::new(name).within(&neighbour.namespace().unwrap_or_default())
}

/// Whose Job it is.
fn owners<K: Resource<DynamicType = ()>>(job: &PartialObjectMeta<Job>) -> Vec<ObjectRef<K>> {
    let ours = job.owner_references().iter().filter(|owner| owner.kind == K::kind(&()));
    ours.map(|owner| within(&owner.name, job)).collect()
}

/// The Pipelines that read an Archive.
fn reading(
    pipelines: &Store<Guarded<Pipeline>>,
    archive: &PartialObjectMeta<Archive>,
) -> Vec<ObjectRef<Guarded<Pipeline>>> {
    let all = pipelines.state();
    let readers = all.iter().filter_map(|pipeline| pipeline.0.as_ref().ok()).filter(|pipeline| {
        pipeline.namespace() == archive.namespace() && pipeline.spec.0.archive == archive.name_any()
    });
    readers.map(|pipeline| within(&pipeline.name_any(), pipeline)).collect()
}

/// A Run has ended: the first that waits for it is looked at.
fn wake_next(roster: &Roster, ended: &Glance, now: Moment, woken: &mpsc::UnboundedSender<ObjectRef<Glance>>) {
    if ended.ended().is_none_or(|end| now.since(end) > WAKE_SECONDS) {
        return;
    }
    let siblings = roster.of_pipeline(&ended.namespace().unwrap_or_default(), ended.pipeline());
    let waiting = siblings.iter().map(|run| Sibling::from(&**run)).filter(|run| run.is_active() && !run.is_started());
    if let Some(next) = waiting.min_by_key(|run| (run.created, run.name.clone())) {
        let _ = woken.unbounded_send(within(&next.name, ended));
    }
}

/// Whose turn it is, per kind: [`CONCURRENCY`] looks at a time, first come, first served.
///
/// kube's own limit takes any of those that wait. Measured with 1,000 Runs of three Jobs at once: some of the first waited for
/// 80 s, until all others were done.
///
/// Of those that can wait only some stand in that line at a time. Otherwise 1,000 Runs that are offered at once are all begun
/// before the end of the first one's Job is looked at.
struct Turns {
    kind: &'static str,
    turns: Semaphore,
    patient: Semaphore,
}

/// Whether a look can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// Something under way has gone on.
    Now,
    /// It has not begun, or has ended.
    Later,
}

impl Turns {
    fn of(kind: &'static str) -> Arc<Self> {
        Arc::new(Self { kind, turns: Semaphore::new(CONCURRENCY), patient: Semaphore::new(PATIENT) })
    }

    /// Waits for a turn, which lasts as long as what is given is kept.
    async fn wait(&self, urgency: Urgency) -> Turn<'_> {
        // Closed by nobody: an error would only mean that there is no limit.
        let first = match urgency {
            Urgency::Now => None,
            Urgency::Later => self.patient.acquire().await.ok(),
        };
        Turn { _first: first, _turn: self.turns.acquire().await.ok() }
    }
}

/// A turn, and a place among those that can wait, if it is one of them.
struct Turn<'t> {
    _first: Option<SemaphorePermit<'t>>,
    _turn: Option<SemaphorePermit<'t>>,
}

/// One look at an object, in its turn, counted and with its name in every line of the log.
async fn look<K, L, F>(
    turns: Arc<Turns>,
    urgency: Urgency,
    object: Arc<K>,
    context: Arc<Context>,
    look: L,
) -> Result<Action, Error>
where
    K: ResourceExt,
    L: FnOnce(Arc<Context>, String, String) -> F,
    F: Future<Output = Result<Option<i64>, Error>>,
{
    let kind = turns.kind;
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    drop(object);
    let _turn = turns.wait(urgency).await;
    let key = format!("{kind}/{namespace}/{name}");
    let span = match kind {
        "Run" => tracing::info_span!("look", namespace, run = name),
        "Pipeline" => tracing::info_span!("look", namespace, pipeline = name),
        _ => tracing::info_span!("look", namespace, archive = name),
    };
    let began = Instant::now();
    let looked = look(Arc::clone(&context), namespace, name).instrument(span).await;
    context.metrics.reconciled(kind, looked.is_ok(), began.elapsed().as_secs_f64());
    let again = looked?;
    context.succeeded(&key);
    Ok(again.map_or_else(Action::await_change, |seconds| {
        Action::requeue(Duration::from_secs(u64::try_from(seconds.max(1)).unwrap_or(1)))
    }))
}

fn failed(kind: &'static str, object: &impl ResourceExt, error: &Error, context: &Context) -> Action {
    context.metrics.error(error.step);
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let key = format!("{kind}/{namespace}/{name}");
    let failures = context.failed_again(&key);
    let pause = backoff(&key, failures);
    let (reason, sentence) = (error.step.reason().word(), error.sentence());
    tracing::warn!(
        kind,
        namespace,
        name,
        reason,
        error = sentence,
        failures,
        pause_ms = pause.as_millis(),
        "a look failed"
    );
    Action::requeue(pause)
}

/// Twice as long after each failure in a row up to the longest, give or take a quarter, so that objects that failed together
/// do not come back together.
fn backoff(key: &str, failures: u32) -> Duration {
    let (first_ms, longest_ms) = BACKOFF_MS;
    let ms = first_ms.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest_ms);
    let mut hasher = DefaultHasher::new();
    (key, failures).hash(&mut hasher);
    let share = hasher.finish() % 512;
    Duration::from_millis(ms * (768 + share) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_differ_from_object_to_object() {
        let pause = |failures| backoff("Run/fleet/a", failures).as_millis();
        assert!((750..1_250).contains(&pause(1)), "{}", pause(1));
        assert!((3_000..5_000).contains(&pause(3)), "{}", pause(3));
        assert!((45_000..75_000).contains(&pause(40)), "{}", pause(40));
        let pauses: std::collections::BTreeSet<Duration> =
            (0..100).map(|run| backoff(&format!("Run/fleet/{run}"), 1)).collect();
        assert!(pauses.len() > 50, "{}", pauses.len());
    }
}
