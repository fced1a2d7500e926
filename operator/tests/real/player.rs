//! Plays the Job controller and the pods, as far as the operator sees them: every Job of ours that is not suspended begins, has a
//! pod, and ends as the test wants it. Statuses are those of Kubernetes 1.34, whose API server judges them.
//!
//! ```text
//! watch Jobs ──► began: startTime, active ──► a pod with the message ──► ended: SuccessCriteriaMet, Complete
//!                                                                              FailureTarget, Failed
//! ```

use super::call::{is_over, patch, post};
use super::watch::{Change, Meta, watch};
use super::{exited, merge};
use kube::Client;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Jobs that are played at a time.
const AT_A_TIME: usize = 16;
/// How often a call is made that the API server cannot answer, and the pause before the next.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// Our Jobs.
const OURS: &str = "app.kubernetes.io/managed-by=fleetloom-operator";

/// A Job, as far as it is played.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Job {
    pub(crate) metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    suspend: bool,
    parallelism: u32,
    completions: u32,
    completion_mode: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
}

/// What becomes of a Job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    /// Its pod, or all of them, end well, the last one with this message.
    Done(Value),
    /// Its pod ends with this exit code and message, and the Job with it.
    Failed(u8, Value),
    /// These indexes end well and those do not, the last pod with this message: `0-3,7`.
    Indexes {
        /// Those that end well.
        completed: String,
        /// Those that do not.
        failed: String,
        /// What the last pod says.
        message: Value,
    },
    /// It begins, and goes on.
    Goes,
    /// Nobody looks after it.
    Left,
}

impl From<Value> for Fate {
    fn from(message: Value) -> Self {
        Self::Done(message)
    }
}

/// The end of a Job, as it was written.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// Which Job.
    pub(crate) job: Job,
    /// When the API server had it.
    pub(crate) at: Instant,
}

/// Plays until it is dropped.
pub(crate) struct Player {
    stage: Arc<Stage>,
    watching: JoinHandle<()>,
}

struct Stage {
    client: Client,
    fate: Box<dyn Fn(&Job) -> Fate + Send + Sync>,
    turns: Semaphore,
    begun: Mutex<HashSet<String>>,
    ends: Mutex<Vec<End>>,
}

impl Player {
    /// Begins to play, in all namespaces; `fate` says what becomes of a Job when it begins, a message meaning that it ends well.
    pub(crate) fn start<F: Into<Fate>>(client: Client, fate: impl Fn(&Job) -> F + Send + Sync + 'static) -> Self {
        let stage = Arc::new(Stage {
            client: client.clone(),
            fate: Box::new(move |job| fate(job).into()),
            turns: Semaphore::new(AT_A_TIME),
            begun: Mutex::default(),
            ends: Mutex::default(),
        });
        let playing = Arc::clone(&stage);
        let watching = tokio::spawn(async move {
            watch(client, "/apis/batch/v1/jobs", OURS, |change, job: Job| {
                if change == Change::There && playing.is_next(&job) {
                    tokio::spawn(Arc::clone(&playing).play(job));
                }
            })
            .await;
        });
        Self { stage, watching }
    }

    /// Every Job that ended so far.
    pub(crate) fn ends(&self) -> Vec<End> {
        self.stage.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Stage {
    /// Whether a Job waits to be begun; it is asked once.
    fn is_next(&self, job: &Job) -> bool {
        let over = job.status.conditions.iter().any(|it| it.kind == "Complete" || it.kind == "Failed");
        if job.spec.suspend || over || job.metadata.deletion_timestamp.is_some() {
            return false;
        }
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(job.metadata.uid.clone())
    }

    async fn play(self: Arc<Self>, job: Job) {
        // Closed by nobody.
        let _turn = self.turns.acquire().await;
        match (self.fate)(&job) {
            Fate::Left => {}
            Fate::Goes => self.insist(&job, || begin(&self.client, &job)).await,
            fate => {
                self.insist(&job, || begin(&self.client, &job)).await;
                self.insist(&job, || finish(&self.client, &job, &fate)).await;
                let end = End { job, at: Instant::now() };
                self.ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
            }
        }
    }

    /// Does something until the API server has done it, or has no such object any more.
    async fn insist<F: Future<Output = kube::Result<()>>>(&self, job: &Job, act: impl Fn() -> F) {
        for _ in 0..TRIES {
            match act().await {
                Ok(()) => return,
                Err(error) if is_over(&error) => return,
                Err(error) => eprintln!("player: {}: {error}", job.metadata.name),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Job {
    /// Which act of a Run it is, or `poll`.
    pub(crate) fn act(&self) -> &str {
        self.label("fleetloom.dev/act")
    }

    /// Name of its Run.
    pub(crate) fn run(&self) -> &str {
        self.label("fleetloom.dev/run")
    }

    fn label(&self, label: &str) -> &str {
        self.metadata.labels.get(label).map_or("", String::as_str)
    }

    /// How many indexes it has; 0 for one that has none.
    pub(crate) fn indexes(&self) -> u32 {
        if self.spec.completion_mode.as_deref() == Some("Indexed") { self.spec.completions } else { 0 }
    }

    fn path(&self) -> String {
        let Meta { namespace, name, .. } = &self.metadata;
        format!("/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
    }
}

/// Writes a Job's status.
pub(crate) async fn write(client: &Client, job: &Job, status: &Value) -> kube::Result<()> {
    // Another Job of that name is none of ours.
    let change = json!({"metadata": {"uid": job.metadata.uid}, "status": status});
    patch(client, &format!("{}/status", job.path()), &change).await
}

/// The Job has pods at work.
pub(crate) async fn begin(client: &Client, job: &Job) -> kube::Result<()> {
    let active = job.spec.parallelism.min(job.indexes()).max(1);
    let status = json!({"startTime": now(), "active": active, "ready": 0, "terminating": 0,
                        "uncountedTerminatedPods": {}});
    write(client, job, &status).await
}

/// Some indexes of the Job have ended, and the others go on.
pub(crate) async fn go_on(client: &Client, job: &Job, completed: &str, failed: &str) -> kube::Result<()> {
    let (succeeded, lost) = (count(completed), count(failed));
    let active = job.spec.parallelism.min(job.indexes().saturating_sub(succeeded + lost));
    let status = json!({"active": active, "ready": active, "succeeded": succeeded, "failed": lost,
                        "completedIndexes": completed, "failedIndexes": filled(failed)});
    write(client, job, &status).await
}

/// The Job ends so, and with it one pod that tells.
pub(crate) async fn finish(client: &Client, job: &Job, fate: &Fate) -> kube::Result<()> {
    let mut status = json!({"active": 0, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}});
    match fate {
        Fate::Done(message) => {
            pod(client, job, 0, message).await?;
            let all = job.indexes().checked_sub(1).map(|last| if last == 0 { "0".into() } else { format!("0-{last}") });
            status["succeeded"] = json!(job.indexes().max(1));
            status["completedIndexes"] = all.map_or(Value::Null, Value::String);
            merge(&mut status, &complete());
        }
        Fate::Failed(code, message) => {
            let name = pod(client, job, *code, message).await?;
            status["failed"] = json!(1);
            merge(&mut status, &failed(job, *code, &name));
        }
        Fate::Indexes { completed, failed: lost, message } => {
            pod(client, job, 0, message).await?;
            status["succeeded"] = json!(count(completed));
            status["failed"] = json!(count(lost));
            status["completedIndexes"] = json!(completed);
            status["failedIndexes"] = filled(lost);
            let end = if lost.is_empty() { complete() } else { ended_badly("FailedIndexes", "Job has failed indexes") };
            merge(&mut status, &end);
        }
        Fate::Goes | Fate::Left => return Ok(()),
    }
    write(client, job, &status).await
}

fn complete() -> Value {
    let word = ("CompletionsReached", "Reached expected number of succeeded pods");
    json!({"completionTime": now(), "conditions": [condition("SuccessCriteriaMet", word), condition("Complete", word)]})
}

fn ended_badly(reason: &str, message: &str) -> Value {
    let word = (reason, message);
    json!({"conditions": [condition("FailureTarget", word), condition("Failed", word)]})
}

/// As the pod failure policy of our Jobs has it, or because tries are used up.
fn failed(job: &Job, code: u8, pod: &str) -> Value {
    let rule = match code {
        2 => 2,
        5 => 3,
        7 => 4,
        _ => return ended_badly("BackoffLimitExceeded", "Job has reached the specified backoff limit"),
    };
    let namespace = &job.metadata.namespace;
    let message = format!(
        "Container worker for pod {namespace}/{pod} failed with exit code {code} matching FailJob rule at index {rule}"
    );
    ended_badly("PodFailurePolicy", &message)
}

fn condition(kind: &str, (reason, message): (&str, &str)) -> Value {
    let now = now();
    json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastProbeTime": now,
           "lastTransitionTime": now})
}

/// A pod of the Job that has ended; its name.
async fn pod(client: &Client, job: &Job, code: u8, message: &Value) -> kube::Result<String> {
    let Meta { name, namespace, uid, .. } = &job.metadata;
    let pod = format!("{name}-{}", uid.get(..5).unwrap_or_default());
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": pod,
            "labels": {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name,
                       "fleetloom.dev/act": job.act()},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": true,
                                 "blockOwnerDeletion": false}],
        },
        "spec": {"restartPolicy": "Never", "automountServiceAccountToken": false,
                 "containers": [{"name": "worker", "image": "worker:1"}]},
    });
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    match post::<IgnoredAny>(client, &path, &object).await {
        Ok(IgnoredAny) => {}
        Err(error) if is_over(&error) => {}
        Err(error) => return Err(error),
    }
    let (reason, phase) = if code == 0 { ("Completed", "Succeeded") } else { ("Error", "Failed") };
    let mut status = exited(code.into(), reason, message, &now());
    status["phase"] = json!(phase);
    patch(client, &format!("{path}/{pod}/status"), &json!({"status": status})).await?;
    Ok(pod)
}

/// How many indexes `0-3,7` names.
fn count(indexes: &str) -> u32 {
    let ranges = indexes.split(',').filter(|range| !range.is_empty());
    let each = ranges.map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let [first, last] = [first, last].map(|index| index.parse::<u32>().expect("an index is a number"));
        last - first + 1
    });
    each.sum()
}

/// Nothing where there is nothing: an empty text says that indexes may fail alone.
fn filled(indexes: &str) -> Value {
    if indexes.is_empty() { Value::Null } else { json!(indexes) }
}

/// The time as Kubernetes writes it.
fn now() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}
