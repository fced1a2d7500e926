//! What the operator counts, as Prometheus reads it. Labels are words of closed lists: never a name, never a text.

use crate::api::{ConditionType, Phase, RunStatus, condition};
use crate::moment::Moment;
use crate::reason::Step;
use pipeline::schema::Kind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Every metric: name as it is scraped, labels, meaning. `docs/observability.md` is made from it.
pub const METRICS: &[(&str, &str, &str)] = &[
    ("fleetloom_build_info", "version", "1, with the operator's version."),
    ("fleetloom_reconciles_total", "kind, outcome", "Looks at an object, by how they came out (`ok`, `error`)."),
    ("fleetloom_reconcile_seconds", "kind", "How long a look took."),
    ("fleetloom_errors_total", "reason", "Calls to the API server that failed, by the reason of a condition."),
    ("fleetloom_writes_total", "call", "Calls that change something, by what they do; events are `Event`."),
    ("fleetloom_undecodable_total", "kind", "Times that a stored object did not fit this version of the operator."),
    ("fleetloom_runs", "phase", "Runs as the watch has them."),
    ("fleetloom_oldest_run_seconds", "phase", "Age of the oldest Run, from when it last got on; suspended ones aside."),
    ("fleetloom_runs_ended_total", "phase, reason", "Runs that have ended, by the reason of the condition."),
    ("fleetloom_run_seconds", "phase", "From a Run's start to its end."),
    ("fleetloom_status_lag_seconds", "", "From the end of a Job to the status that tells of it."),
    ("fleetloom_scheduled_total", "outcome", "Scheduled times: `started`, `missed`."),
    ("fleetloom_polls_total", "outcome", "Looks for a new version of an archive: `same`, `changed`, `failed`."),
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKindAndOutcome {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCall {
    call: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPhase {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPhaseAndReason {
    phase: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVersion {
    version: &'static str,
}

const LOOK_SECONDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
const LAG_SECONDS: [f64; 8] = [0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0];
const RUN_SECONDS: [f64; 10] = [5.0, 15.0, 60.0, 180.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 21_600.0, 86_400.0];

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: Family<ByKindAndOutcome, Counter>,
    reconcile_seconds: Family<ByKind, Histogram, fn() -> Histogram>,
    errors: Family<ByReason, Counter>,
    writes: Family<ByCall, Counter>,
    undecodable: Family<ByKind, Counter>,
    runs: Family<ByPhase, Gauge>,
    oldest_run_seconds: Family<ByPhase, Gauge>,
    runs_ended: Family<ByPhaseAndReason, Counter>,
    run_seconds: Family<ByPhase, Histogram, fn() -> Histogram>,
    status_lag_seconds: Histogram,
    scheduled: Family<ByOutcome, Counter>,
    polls: Family<ByOutcome, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of them, at nought.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            reconciles: Family::default(),
            reconcile_seconds: Family::new_with_constructor(|| Histogram::new(LOOK_SECONDS)),
            errors: Family::default(),
            writes: Family::default(),
            undecodable: Family::default(),
            runs: Family::default(),
            oldest_run_seconds: Family::default(),
            runs_ended: Family::default(),
            run_seconds: Family::new_with_constructor(|| Histogram::new(RUN_SECONDS)),
            status_lag_seconds: Histogram::new(LAG_SECONDS),
            scheduled: Family::default(),
            polls: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let build: Family<ByVersion, Gauge> = Family::default();
        build.get_or_create(&ByVersion { version: env!("CARGO_PKG_VERSION") }).set(1);
        let to = &mut self.registry;
        add(to, "fleetloom_build_info", build);
        add(to, "fleetloom_reconciles", self.reconciles.clone());
        add(to, "fleetloom_reconcile_seconds", self.reconcile_seconds.clone());
        add(to, "fleetloom_errors", self.errors.clone());
        add(to, "fleetloom_writes", self.writes.clone());
        add(to, "fleetloom_undecodable", self.undecodable.clone());
        add(to, "fleetloom_runs", self.runs.clone());
        add(to, "fleetloom_oldest_run_seconds", self.oldest_run_seconds.clone());
        add(to, "fleetloom_runs_ended", self.runs_ended.clone());
        add(to, "fleetloom_run_seconds", self.run_seconds.clone());
        add(to, "fleetloom_status_lag_seconds", self.status_lag_seconds.clone());
        add(to, "fleetloom_scheduled", self.scheduled.clone());
        add(to, "fleetloom_polls", self.polls.clone());
    }

    /// All of them in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// A look at an object.
    pub fn reconciled(&self, kind: &'static str, is_ok: bool, seconds: f64) {
        let outcome = if is_ok { "ok" } else { "error" };
        self.reconciles.get_or_create(&ByKindAndOutcome { kind, outcome }).inc();
        self.reconcile_seconds.get_or_create(&ByKind { kind }).observe(seconds);
    }

    /// A call that failed.
    pub fn error(&self, step: Step) {
        self.errors.get_or_create(&ByReason { reason: step.reason().word() }).inc();
    }

    /// A call that changes something.
    pub fn write(&self, step: Step) {
        self.writes.get_or_create(&ByCall { call: format!("{step:?}") }).inc();
    }

    /// An event.
    pub fn event(&self) {
        self.writes.get_or_create(&ByCall { call: "Event".into() }).inc();
    }

    /// An object that could not be read.
    pub fn undecodable(&self, kind: &str) {
        self.undecodable.get_or_create(&ByKind { kind: known_kind(kind) }).inc();
    }

    /// Runs as the watch has them: their phase, and since when they have not got on, where something is to come of them.
    pub fn runs(&self, runs: impl IntoIterator<Item = (Phase, Option<Moment>)>, now: Moment) {
        let mut found = Phase::ALL.map(|phase| (phase, 0i64, 0i64));
        for (phase, since) in runs {
            if let Some((_, count, oldest)) = found.iter_mut().find(|(known, ..)| *known == phase) {
                *count += 1;
                *oldest = since.map_or(0, |since| now.since(since)).max(*oldest);
            }
        }
        for (phase, count, oldest) in found {
            let label = ByPhase { phase: phase.word() };
            self.runs.get_or_create(&label).set(count);
            if !phase.is_end() {
                self.oldest_run_seconds.get_or_create(&label).set(oldest);
            }
        }
    }

    /// A Run's status was written: if it has ended with that, it is counted.
    pub fn run_moved(&self, before: Option<&RunStatus>, after: Option<&RunStatus>) {
        let Some(after) = after.filter(|after| after.phase.is_end()) else { return };
        if before.is_some_and(|before| before.phase.is_end()) {
            return;
        }
        let kind = if after.phase == Phase::Failed { ConditionType::Failed } else { ConditionType::Complete };
        let reason = condition(&after.conditions, kind).map_or("Other", |condition| condition.reason.word());
        let phase = after.phase.word();
        self.runs_ended.get_or_create(&ByPhaseAndReason { phase, reason }).inc();
        if let Some((start, end)) = after.start_time.zip(after.completion_time) {
            self.run_seconds.get_or_create(&ByPhase { phase }).observe(seconds(end.since(start)));
        }
    }

    /// A status tells of a Job that ended then.
    pub fn lag(&self, ended: Moment, now: Moment) {
        self.status_lag_seconds.observe(seconds(now.since(ended)));
    }

    /// Scheduled times.
    pub fn scheduled(&self, outcome: &'static str, count: u64) {
        self.scheduled.get_or_create(&ByOutcome { outcome }).inc_by(count);
    }

    /// A poll that ended.
    pub fn polled(&self, outcome: &'static str) {
        self.polls.get_or_create(&ByOutcome { outcome }).inc();
    }
}

/// The kind as a label: one of ours.
fn known_kind(kind: &str) -> &'static str {
    Kind::ALL.into_iter().map(Kind::word).find(|known| *known == kind).unwrap_or("Other")
}

/// Registers a metric under its name without `_total`, which the text format appends to counters.
fn add(registry: &mut Registry, name: &str, metric: impl prometheus_client::registry::Metric) {
    let known = METRICS.iter().find(|(metric, _, _)| metric.trim_end_matches("_total") == name);
    registry.register(name, known.map_or("", |(_, _, meaning)| meaning.trim_end_matches('.')), metric);
}

fn seconds(seconds: i64) -> f64 {
    f64::from(i32::try_from(seconds.max(0)).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_written_down_with_its_labels_and_a_meaning() {
        let metrics = Metrics::new();
        metrics.reconciled("Run", true, 0.1);
        metrics.error(Step::CreateJob);
        metrics.write(Step::CreateJob);
        metrics.undecodable("Run");
        metrics.runs([(Phase::Running, Some(Moment(1)))], Moment(2));
        let ended = RunStatus {
            phase: Phase::Complete,
            start_time: Some(Moment(1)),
            completion_time: Some(Moment(5)),
            ..RunStatus::default()
        };
        metrics.run_moved(None, Some(&ended));
        metrics.lag(Moment(1), Moment(2));
        metrics.scheduled("started", 1);
        metrics.polled("same");
        let text = metrics.text();
        let scraped: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert_eq!(scraped.len(), METRICS.len(), "{text}");
        for (name, labels, meaning) in METRICS {
            let family = name.trim_end_matches("_total");
            assert!(text.contains(&format!("# HELP {family} {meaning}")), "{family}: {text}");
            let sample = text.lines().find(|line| line.starts_with(*name)).unwrap();
            for label in labels.split(", ").filter(|label| !label.is_empty()) {
                assert!(sample.contains(&format!("{label}=\"")), "{sample}");
            }
        }
    }

    #[test]
    fn the_oldest_run_of_a_phase_is_told_until_it_gets_on() {
        let metrics = Metrics::new();
        let told = |phase: &str| {
            let name = format!("fleetloom_oldest_run_seconds{{phase=\"{phase}\"}} ");
            let text = metrics.text();
            text.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
        };
        let running = |since| (Phase::Running, Some(Moment(since)));
        metrics.runs([running(300), running(100), (Phase::Planning, None), (Phase::Complete, None)], Moment(1_000));
        assert_eq!(["Running", "Planning", "Pending"].map(told), ["900", "0", "0"].map(|age| Some(age.to_owned())));
        assert_eq!(told("Complete"), None, "what has ended has no age");
        metrics.runs([running(300), running(990)], Moment(1_000));
        assert_eq!(told("Running").as_deref(), Some("700"));
        metrics.runs([running(1_001)], Moment(1_000));
        assert_eq!(told("Running").as_deref(), Some("0"), "clocks may differ");
    }
}
