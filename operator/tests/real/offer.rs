//! Offers Runs, many at once, and watches what becomes of them: when each was seen in which phase.

use super::call::{is_over, post};
use super::player::End;
use super::watch::{Change, Meta, watch};
use super::{RUNS, run};
use futures::StreamExt;
use kube::Client;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Objects that are created at a time.
const AT_A_TIME: usize = 16;
/// How often the count of ended Runs is told.
const TOLD: Duration = Duration::from_secs(5);

/// A Run, as far as it is looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Run {
    metadata: Meta,
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    phase: String,
}

/// Watches until it is dropped.
pub(crate) struct Audience {
    hall: Arc<Hall>,
    watching: JoinHandle<()>,
}

#[derive(Default)]
struct Hall {
    /// By name: the phases that a Run was seen in, and since when.
    seen: Mutex<HashMap<String, Vec<(Phase, Instant)>>>,
    changed: Notify,
}

/// How far a Run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Pending,
    Planning,
    Running,
    Committing,
    Ended,
}

impl Phase {
    fn of(word: &str) -> Self {
        match word {
            "Planning" => Self::Planning,
            "Running" => Self::Running,
            "Committing" => Self::Committing,
            "Complete" | "Failed" => Self::Ended,
            _ => Self::Pending,
        }
    }

    fn of_act(act: &str) -> Self {
        match act {
            "plan" => Self::Planning,
            "shards" => Self::Running,
            _ => Self::Committing,
        }
    }
}

impl Audience {
    /// Begins to watch all Runs.
    pub(crate) fn start(client: Client) -> Self {
        let hall = Arc::new(Hall::default());
        let seeing = Arc::clone(&hall);
        let watching = tokio::spawn(async move {
            watch(client, "/apis/fleetloom.dev/v1alpha1/runs", "", |change, run: Run| seeing.see(change, run)).await;
        });
        Self { hall, watching }
    }

    /// How many Runs have ended.
    pub(crate) fn ended(&self) -> usize {
        let seen = self.hall.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().filter(|phases| phases.last().is_some_and(|(phase, _)| *phase == Phase::Ended)).count()
    }

    /// Waits until so many Runs have ended.
    pub(crate) async fn until_ended(&self, runs: usize, deadline: Duration) {
        let (began, mut told) = (Instant::now(), Instant::now());
        loop {
            let ended = self.ended();
            if ended >= runs {
                return;
            }
            assert!(began.elapsed() < deadline, "{ended} of {runs} Runs have ended after {deadline:?}");
            if told.elapsed() > TOLD {
                eprintln!("  {ended} of {runs} Runs have ended");
                told = Instant::now();
            }
            // Whatever comes first: a Run moves on, or it is time to tell.
            let _late = tokio::time::timeout(TOLD, self.hall.changed.notified()).await;
        }
    }

    /// How long after the end of each of these Jobs its Run's status told of it, as a watcher sees it; sorted.
    pub(crate) fn lags(&self, ends: &[End]) -> Vec<Duration> {
        let seen = self.hall.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lag = |end: &End| {
            let act = Phase::of_act(end.job.act());
            let told = seen.get(end.job.run())?.iter().find(|(phase, _)| *phase > act)?.1;
            Some(told.saturating_duration_since(end.at))
        };
        let mut lags: Vec<Duration> = ends.iter().filter_map(lag).collect();
        lags.sort_unstable();
        lags
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Hall {
    fn see(&self, change: Change, run: Run) {
        if change == Change::Gone {
            return;
        }
        let phase = Phase::of(&run.status.phase);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let phases = seen.entry(run.metadata.name).or_default();
        if phases.last().is_none_or(|(last, _)| *last != phase) {
            phases.push((phase, Instant::now()));
            drop(seen);
            self.changed.notify_one();
        }
    }
}

/// Creates objects of one collection, many at a time.
pub(crate) async fn create(client: &Client, path: &str, objects: impl Iterator<Item = Value>) {
    let created = futures::stream::iter(objects).for_each_concurrent(AT_A_TIME, |object| async move {
        while let Err(error) = post::<IgnoredAny>(client, path, &object).await {
            if is_over(&error) {
                return;
            }
            eprintln!("  an object is not taken yet: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    created.await;
}

/// Creates Runs `<prefix>-0` and on, of so many Pipelines in turn.
pub(crate) async fn offer(client: &Client, prefix: &str, runs: u32, pipelines: u32) {
    let runs = (0..runs).map(|number| run(&format!("{prefix}-{number}"), &pipeline_name(number % pipelines)));
    create(client, RUNS, runs).await;
}

/// Name of a Pipeline of many.
pub(crate) fn pipeline_name(number: u32) -> String {
    format!("fleet-{number}")
}
