//! The three kinds as Kubernetes stores them: the words of `pipeline::spec` with a status each.
//!
//! ```text
//! Archive ──named by── Pipeline ──named by── Run          spec: a person's words      status: ours, in `status`
//! ```
//! What their CRDs say beyond names and columns (schemas, defaults, rules) is in [`crate::crd`].

#![allow(clippy::duplicated_attributes, reason = "two printer columns of one type are no duplicate")]

mod status;

pub use status::*;

use kube::CustomResource;
use pipeline::spec;
use serde::{Deserialize, Serialize};

/// `spec` of an Archive on a cluster.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "fleetloom.dev",
    version = "v1alpha1",
    kind = "Archive",
    namespaced,
    schema = "disabled",
    status = "ArchiveStatus",
    derive = "PartialEq",
    shortname = "flarc",
    category = "fleetloom",
    doc = "Where telemetry lies and how to read it.",
    printcolumn(name = "Url", type_ = "string", json_path = ".spec.store.url"),
    printcolumn(name = "Format", type_ = "string", json_path = ".spec.format"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
pub struct ArchiveWords(pub spec::ArchiveSpec);

/// `spec` of a Pipeline on a cluster.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "fleetloom.dev",
    version = "v1alpha1",
    kind = "Pipeline",
    namespaced,
    schema = "disabled",
    status = "PipelineStatus",
    derive = "PartialEq",
    shortname = "flpl",
    category = "fleetloom",
    selectable = ".spec.archive",
    doc = "What a row is, what is joined to it, what is computed, what is to be learnt.",
    printcolumn(name = "Archive", type_ = "string", json_path = ".spec.archive"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Active", type_ = "integer", json_path = ".status.activeCount"),
    printcolumn(name = "Last Run", type_ = "string", json_path = ".status.lastRun"),
    printcolumn(name = "Last Schedule", type_ = "date", json_path = ".status.lastScheduleTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Result", type_ = "string", json_path = ".spec.result.store.url", priority = 1)
)]
#[serde(transparent)]
pub struct PipelineWords(pub spec::PipelineSpec);

/// `spec` of a Run on a cluster.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "fleetloom.dev",
    version = "v1alpha1",
    kind = "Run",
    namespaced,
    schema = "disabled",
    status = "RunStatus",
    derive = "PartialEq",
    shortname = "flrun",
    category = "fleetloom",
    selectable = ".spec.pipeline",
    selectable = ".status.phase",
    scale(spec_replicas_path = ".spec.parallelism", status_replicas_path = ".status.parallelism"),
    doc = "One execution of a Pipeline: one version of an archive becomes one version of a table.",
    printcolumn(name = "Pipeline", type_ = "string", json_path = ".spec.pipeline"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Done", type_ = "string", json_path = ".status.shards.progress"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.shards.failed"),
    printcolumn(name = "Rows", type_ = "integer", json_path = ".status.result.rows"),
    printcolumn(name = "Version", type_ = "integer", json_path = ".status.result.version"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Source", type_ = "string", json_path = ".status.source.version", priority = 1),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration", priority = 1),
    printcolumn(name = "Queue", type_ = "string", json_path = ".status.queue", priority = 1)
)]
#[serde(transparent)]
pub struct RunWords(pub spec::RunSpec);
