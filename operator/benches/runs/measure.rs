//! One part: a world, an operator, Runs offered at once, and what came of it.

use crate::known;
use crate::real::count::{Calls, Counts};
use crate::real::offer::{Audience, offer};
use crate::real::player::{Fate, Player};
use crate::real::program::{Operator, cpu_seconds, memory_bytes, part};
use crate::real::{World, apply_fleet, message, published};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Until all of it must be over, on two slow cores that do other things too.
const DEADLINE: Duration = Duration::from_secs(1_200);
/// Between two looks at whether the operator has come to rest.
const REST: Duration = Duration::from_secs(1);
/// What it may take meanwhile, seconds of processors.
const REST_SECONDS: f64 = 0.03;

/// How a Run comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Its plan pod finishes it.
    Inline,
    /// A plan Job, an Indexed Job of shards, a commit Job.
    Three,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Three => "three",
        }
    }

    /// Writes of a Run's life, events aside, that are not to be exceeded.
    pub(crate) fn writes_max(self) -> u32 {
        match self {
            Self::Inline => 5,
            Self::Three => 12,
        }
    }

    fn fate(self, act: &str) -> Fate {
        match self {
            Self::Inline => published().into(),
            Self::Three => message(act, 30).into(),
        }
    }
}

/// Seconds of processors, by whose they are.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Seconds {
    pub(crate) operator: f64,
    pub(crate) api_server: f64,
    pub(crate) etcd: f64,
    /// This process: it offers, plays and watches.
    pub(crate) harness: f64,
}

/// What was found in one part.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    /// Runs that were offered.
    pub(crate) runs: u32,
    /// Runs that had ended before, and that the operator knew.
    pub(crate) known: u32,
    /// From the first offer to the last end.
    pub(crate) elapsed_seconds: f64,
    pub(crate) runs_per_minute: f64,
    /// As the API server counted, for each Run.
    pub(crate) calls_per_run: Calls,
    /// As the operator counted its own, for each Run.
    pub(crate) told_per_run: Calls,
    /// From the end of a Job to the status that tells of it, for all Jobs of all Runs.
    pub(crate) lag_seconds: Lag,
    /// The most memory that the operator had resident.
    pub(crate) peak_bytes: u64,
    pub(crate) cpu: Seconds,
    /// From its start until the operator had read all known Runs and come to rest.
    pub(crate) settled_seconds: f64,
    /// What that took it of processors.
    pub(crate) settled_cpu: Seconds,
    /// The most memory that it had until then.
    pub(crate) settled_peak_bytes: u64,
}

/// A distribution.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Lag {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) most: f64,
}

impl Lag {
    /// Of sorted durations.
    fn of(sorted: &[Duration]) -> Self {
        let at = |share: f64| {
            let rank = (share * as_f64(sorted.len())).ceil();
            let found = (0..sorted.len()).find(|index| as_f64(index + 1) >= rank).map(|index| sorted[index]);
            found.unwrap_or_default().as_secs_f64()
        };
        Self { p50: at(0.5), p99: at(0.99), most: at(1.0) }
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whose processors are asked for.
struct Whose {
    operator: u32,
    api_server: u32,
    etcd: u32,
}

impl Whose {
    fn of(world: &World, operator: &Operator) -> Self {
        let part = |name| part(world.folder(), name);
        Self { operator: operator.pid(), api_server: part("kube-apiserver"), etcd: part("etcd") }
    }

    fn seconds(&self) -> Seconds {
        Seconds {
            operator: cpu_seconds(self.operator),
            api_server: cpu_seconds(self.api_server),
            etcd: cpu_seconds(self.etcd),
            harness: cpu_seconds(std::process::id()),
        }
    }
}

impl Seconds {
    fn since(self, before: Self) -> Self {
        Self {
            operator: self.operator - before.operator,
            api_server: self.api_server - before.api_server,
            etcd: self.etcd - before.etcd,
            harness: self.harness - before.harness,
        }
    }
}

/// Offers so many Runs at once to an operator that knows so many that have ended.
pub(crate) async fn measure(kind: Kind, runs: u32, known: u32) -> Measured {
    eprintln!("{} Runs ({}), {known} known: starting the API server", runs, kind.word());
    let world = World::start();
    let client = world.client().await;
    apply_fleet(&client, runs).await;
    known::make(&world, &client, known, runs).await;

    let kubeconfig = world.install();
    let began = Instant::now();
    let operator = Operator::start(&world, &kubeconfig);
    let whose = Whose::of(&world, &operator);
    let fresh = Seconds { operator: 0.0, ..whose.seconds() };
    settle(&operator, known).await;
    let (settled_seconds, settled) = (began.elapsed().as_secs_f64(), whose.seconds());
    let settled_peak_bytes = memory_bytes(operator.pid(), "VmHWM");
    eprintln!("  the operator came to rest after {settled_seconds:.1} s; offering");

    let player = Player::start(world.client().await, move |job| kind.fate(job.act()));
    let audience = Audience::start(world.client().await);
    // Those that had ended before are none of those that are waited for.
    audience.until_ended(known as usize, DEADLINE).await;
    let (server, own, before) = (Counts::of_server(&client).await, operator.counts(), whose.seconds());
    let (offered, began) = ((known + runs) as usize, Instant::now());
    offer(&client, "run", runs, runs).await;
    audience.until_ended(offered, DEADLINE).await;
    let elapsed_seconds = began.elapsed().as_secs_f64();
    let cpu = whose.seconds().since(before);
    // What is written after the last end is written for these Runs too.
    settle(&operator, known).await;

    let lags = audience.lags(&player.ends());
    Measured {
        kind,
        runs,
        known,
        elapsed_seconds,
        runs_per_minute: f64::from(runs) / elapsed_seconds * 60.0,
        calls_per_run: Calls::counted(&server, &Counts::of_server(&client).await).per(runs),
        told_per_run: Calls::told(&own, &operator.counts()).per(runs),
        lag_seconds: Lag::of(&lags),
        peak_bytes: memory_bytes(operator.pid(), "VmHWM"),
        cpu,
        settled_seconds,
        settled_cpu: settled.since(fresh),
        settled_peak_bytes,
    }
}

/// Waits until the operator has read what there is, and takes no processor any more.
async fn settle(operator: &Operator, known: u32) {
    let began = Instant::now();
    let mut before = cpu_seconds(operator.pid());
    loop {
        tokio::time::sleep(REST).await;
        let now = cpu_seconds(operator.pid());
        let read = operator.counts().sum("fleetloom_runs", &[]) >= f64::from(known);
        if read && now - before < REST_SECONDS {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "the operator does not come to rest\n{}", operator.said());
        before = now;
    }
}
