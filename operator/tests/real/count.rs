//! What programs counted, read from Prometheus' text, and what of it are an operator's calls.

use super::call::text;
use kube::Client;
use serde::Serialize;

/// Samples: name with labels, value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(Vec<(String, f64)>);

impl Counts {
    /// Reads a text, whatever else stands in it.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(lines.filter_map(sample).collect())
    }

    /// Those of the API server.
    pub(crate) async fn of_server(client: &Client) -> Self {
        Self::parse(&text(client, "/metrics").await.expect("the API server counts"))
    }

    /// The sum of a metric over all samples with these labels.
    pub(crate) fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let of_metric = self.0.iter().filter(|(name, _)| name.split('{').next() == Some(metric));
        of_metric
            .filter(|(name, _)| wanted.iter().all(|label| name.contains(label.as_str())))
            .map(|(_, value)| value)
            .sum()
    }
}

/// Calls of an operator, by what they do. As the API server counts them nobody else may make such calls meanwhile: the player
/// writes Jobs' statuses, pods and Runs, and reads by watches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Calls {
    /// ConfigMaps of words created.
    pub(crate) words: f64,
    /// Jobs created, changed and deleted.
    pub(crate) jobs: f64,
    /// Statuses of Runs.
    pub(crate) statuses: f64,
    /// Statuses of Pipelines and Archives.
    pub(crate) upkeep: f64,
    /// Events.
    pub(crate) events: f64,
    /// Objects read, one by one.
    pub(crate) gets: f64,
    /// Lists.
    pub(crate) lists: f64,
}

impl Calls {
    /// As the API server counted them from `before` to `after`, refused ones too.
    pub(crate) fn counted(before: &Counts, after: &Counts) -> Self {
        let calls = |verb: &str, resource: &str, subresource: &str| {
            let labels = [("verb", verb), ("resource", resource), ("subresource", subresource)];
            let of = |counts: &Counts| counts.sum("apiserver_request_total", &labels);
            of(after) - of(before)
        };
        let all = |verb: &str, resources: &[&str]| resources.iter().map(|it| calls(verb, it, "")).sum::<f64>();
        Self {
            words: calls("POST", "configmaps", ""),
            jobs: ["POST", "PATCH", "DELETE"].map(|verb| calls(verb, "jobs", "")).iter().sum(),
            statuses: calls("PUT", "runs", "status"),
            upkeep: calls("PUT", "pipelines", "status") + calls("PUT", "archives", "status"),
            events: calls("POST", "events", "") + calls("PATCH", "events", ""),
            gets: all("GET", &["runs", "pipelines", "archives", "jobs", "configmaps"]),
            lists: all("LIST", &["runs", "pods"]),
        }
    }

    /// As the operator itself counted its writes from `before` to `after`.
    pub(crate) fn told(before: &Counts, after: &Counts) -> Self {
        let calls = |step: &str| {
            let of = |counts: &Counts| counts.sum("fleetloom_writes_total", &[("call", step)]);
            of(after) - of(before)
        };
        Self {
            words: calls("CreateWords"),
            jobs: ["CreateJob", "PatchJob", "DeleteJob"].map(calls).iter().sum(),
            statuses: calls("WriteStatus"),
            events: calls("Event"),
            ..Self::default()
        }
    }

    /// What a Run's life writes, events aside.
    pub(crate) fn writes(&self) -> f64 {
        self.words + self.jobs + self.statuses
    }

    /// For each of so many Runs.
    pub(crate) fn per(self, runs: u32) -> Self {
        let runs = f64::from(runs);
        Self {
            words: self.words / runs,
            jobs: self.jobs / runs,
            statuses: self.statuses / runs,
            upkeep: self.upkeep / runs,
            events: self.events / runs,
            gets: self.gets / runs,
            lists: self.lists / runs,
        }
    }
}
