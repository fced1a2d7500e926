//! One API server for all tests of this program, who plays Jobs on it, and who watches that each is created once.

use crate::real::call::{get, patch, post};
use crate::real::collector::Collector;
use crate::real::player::{Fate, Job as Played, Player, finish};
use crate::real::watch::{Bare, Change, Meta, watch};
use crate::real::{ARCHIVES, JOBS, MAPS, PIPELINES, RUNS, World, archive, message, pipeline, published, run, timeless};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, Resource};
use operator::api::Run;
use operator::context::Context;
use operator::facts::Act;
use operator::moment::Moment;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Until what a test waits for must be so, on two slow cores that do other things too. Three acts of a Run whose ends nobody tells
/// of would take longer: then each is looked at after 30 s.
pub(crate) const DEADLINE: Duration = Duration::from_secs(80);

/// How often it is asked for what no watch tells.
const POLL: Duration = Duration::from_millis(50);

/// Runs of that name are finished by their plan pod.
pub(crate) const SMALL: &str = "small";

/// Runs of that name take three Jobs.
pub(crate) const LARGE: &str = "large";

/// Jobs in namespaces that begin so go on until a test ends them.
pub(crate) const STILL: &str = "still";

/// The API server with all that lives on it.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) seen: Arc<Seen>,
    client: Client,
    runtime: Runtime,
    _player: Player,
    _collector: Collector,
}

static STAGE: OnceLock<Stage> = OnceLock::new();

/// The stage, which the first test of this process sets up. It goes with the process.
pub(crate) fn stage() -> &'static Stage {
    STAGE.get_or_init(Stage::start)
}

impl Stage {
    fn start() -> Self {
        let world = World::start();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let seen = Arc::<Seen>::default();
        let (client, player, collector) = runtime.block_on(async {
            let client = world.client().await;
            seen.watch(&client);
            let player = Player::start(world.client().await, fate);
            (client.clone(), player, Collector::start(client))
        });
        Self { world, seen, client, runtime, _player: player, _collector: collector }
    }

    /// Lets a test run. All clients live in one runtime, so that they may outlive the test that made them.
    pub(crate) fn block_on<F: Future>(&self, test: F) -> F::Output {
        self.runtime.block_on(test)
    }

    /// A namespace of its own, with an Archive and the Pipeline `stops` that reads it.
    pub(crate) async fn place(&self, namespace: &str, more: &Value) -> Place {
        let place = Place { namespace: namespace.into(), client: self.client.clone() };
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let _made: Value = post(&self.client, "/api/v1/namespaces", &object).await.expect("a namespace is taken");
        place.create(ARCHIVES, &archive()).await;
        place.create(PIPELINES, &pipeline("stops", more)).await;
        place
    }
}

/// What becomes of a Job.
fn fate(job: &Played) -> Fate {
    if job.metadata.namespace.starts_with(STILL) {
        return Fate::Goes;
    }
    let is_small = job.run().starts_with(SMALL);
    Fate::Done(if is_small && job.act() == "plan" { published() } else { message(job.act(), 30) })
}

/// Context of an operator that has just started.
pub(crate) fn context(client: Client) -> Context {
    Context::new(client, "worker:1".into(), Arc::new(now))
}

/// The time.
pub(crate) fn now() -> Moment {
    jiff::Timestamp::now().into()
}

/// Asks until there is an answer.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let asked = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                None => tokio::time::sleep(POLL).await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(|_| panic!("{what}: not so after {DEADLINE:?}"))
}

/// A namespace of one test.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) client: Client,
}

impl Place {
    /// The path of a collection here, from that in the namespace `fleet`.
    pub(crate) fn path(&self, collection: &str) -> String {
        collection.replace("/fleet/", &format!("/{}/", self.namespace))
    }

    /// Creates an object.
    pub(crate) async fn create(&self, collection: &str, object: &Value) {
        let _made: Value = post(&self.client, &self.path(collection), object).await.expect("an object is taken");
    }

    /// Creates a Run of the Pipeline `stops`.
    pub(crate) async fn run(&self, name: &str) {
        self.create(RUNS, &run(name, "stops")).await;
    }

    /// An object as it is now.
    pub(crate) async fn get(&self, collection: &str, name: &str) -> Value {
        get(&self.client, &format!("{}/{name}", self.path(collection))).await.expect("an object is there")
    }

    /// Names of a collection, the least first.
    pub(crate) async fn names(&self, collection: &str) -> Vec<String> {
        #[derive(Deserialize)]
        struct List {
            items: Vec<Bare>,
        }
        let list: List = get(&self.client, &self.path(collection)).await.expect("a collection can be listed");
        list.items.into_iter().map(|item| item.metadata.name).collect()
    }

    /// Objects of a kind here.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Waits until an object is so.
    pub(crate) async fn until<K>(&self, name: &str, holds: impl Condition<K>)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let waited = await_condition(self.api::<K>(), name, holds);
        let found = tokio::time::timeout(DEADLINE, waited).await;
        let found = found.unwrap_or_else(|_| panic!("{}/{name}: not so after {DEADLINE:?}", self.namespace));
        found.expect("an object can be watched");
    }

    /// Waits until a Run has ended.
    pub(crate) async fn ended(&self, run: &str) {
        self.until(run, |run: Option<&Run>| run.is_some_and(has_ended)).await;
    }

    /// Waits until the Job is over that a Run is waiting for, if it is waiting for one that is there.
    pub(crate) async fn job_over(&self, run: &Run) {
        let status = run.status.clone().unwrap_or_default();
        let Some(act) = Act::of(status.phase) else { return };
        let name = run.metadata.name.clone().unwrap_or_default();
        self.over(&format!("{name}-{}-{}", status.attempt.unwrap_or(1), act.word())).await;
    }

    /// Waits until a Job is over, if it is there.
    pub(crate) async fn over(&self, job: &str) {
        self.until(job, |job: Option<&Job>| job.is_none_or(|job| operator::job::ended(job).is_some())).await;
    }

    /// Ends the plan Job of a Run where nobody else ends Jobs: its pod published.
    pub(crate) async fn publish(&self, run: &str) {
        let name = format!("{run}-1-plan");
        let has_begun = |job: Option<&Job>| {
            job.and_then(|job| job.status.as_ref()).is_some_and(|status| status.start_time.is_some())
        };
        self.until(&name, has_begun).await;
        let job: Played = get(&self.client, &format!("{}/{name}", self.path(JOBS))).await.expect("the Job is there");
        finish(&self.client, &job, &Fate::Done(published())).await.expect("a Job can be ended");
    }

    /// Changes an object as a person would.
    pub(crate) async fn change(&self, collection: &str, name: &str, change: &Value) {
        patch(&self.client, &format!("{}/{name}", self.path(collection)), change).await.expect("a change is taken");
    }

    /// How a Run stands, without times, and what there is here.
    pub(crate) async fn outcome(&self, run: &str) -> Value {
        let mut status = self.get(RUNS, run).await["status"].take();
        timeless(&mut status);
        json!({"status": status, "jobs": self.names(JOBS).await, "maps": self.names(MAPS).await})
    }
}

/// Whether a Run has ended.
pub(crate) fn has_ended(run: &Run) -> bool {
    run.status.as_ref().is_some_and(|status| status.phase.is_end())
}

/// What the API server told of Jobs and Runs since it started, in its order.
#[derive(Default)]
pub(crate) struct Seen {
    jobs: Mutex<BTreeMap<(String, String), BTreeSet<String>>>,
    phases: Mutex<Vec<(String, String, String)>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Standing {
    metadata: Meta,
    status: Phase,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Phase {
    phase: String,
}

impl Seen {
    fn watch(self: &Arc<Self>, client: &Client) {
        let (seen, from) = (Arc::clone(self), client.clone());
        tokio::spawn(async move {
            let tell = |_, Bare { metadata }: Bare| {
                let mut jobs = seen.jobs.lock().unwrap_or_else(PoisonError::into_inner);
                jobs.entry((metadata.namespace, metadata.name)).or_default().insert(metadata.uid);
            };
            watch(from, "/apis/batch/v1/jobs", "", tell).await;
        });
        let (seen, from) = (Arc::clone(self), client.clone());
        tokio::spawn(async move {
            let tell = |change, Standing { metadata, status }: Standing| {
                let phase = if change == Change::Gone { "gone".into() } else { status.phase };
                let mut phases = seen.phases.lock().unwrap_or_else(PoisonError::into_inner);
                phases.push((metadata.namespace, metadata.name, phase));
            };
            watch(from, "/apis/fleetloom.dev/v1alpha1/runs", "", tell).await;
        });
    }

    /// Insists that these Jobs, and no other ones, were ever created in a namespace, each once.
    pub(crate) async fn created_once(&self, place: &Place, jobs: &[&str]) {
        let of_place = || {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let here = jobs.iter().filter(|((namespace, _), _)| *namespace == place.namespace);
            here.map(|((_, name), uids)| (name.clone(), uids.len())).collect::<Vec<_>>()
        };
        // What is there now the watch tells of in a moment, and before it whatever was there before.
        let last = until("a Job is seen", || async {
            let there = of_place();
            jobs.iter().all(|job| there.iter().any(|(name, _)| name == job)).then_some(there)
        });
        let expected: Vec<(String, usize)> = jobs.iter().map(|job| ((*job).to_owned(), 1)).collect();
        assert_eq!(last.await, expected, "{}", place.namespace);
    }

    /// The phases of the Runs of a namespace, each change with the Run's name.
    pub(crate) fn phases(&self, place: &Place) -> Vec<(String, String)> {
        let phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let here = phases.iter().filter(|(namespace, _, _)| *namespace == place.namespace);
        let mut changes: Vec<(String, String)> = here.map(|(_, run, phase)| (run.clone(), phase.clone())).collect();
        changes.dedup();
        changes
    }
}
