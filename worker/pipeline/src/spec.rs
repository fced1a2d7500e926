//! The words: the three kinds as a person writes them, unchecked. Nothing here is ready to use; see [`crate::check`].
//!
//! Durations and byte sizes stay text (`42s`, `256Mi`) so that a mistake can be reported at its path with all the others.

mod choice;

pub use choice::*;

use choice::null_is_a_word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The API version of all three kinds.
pub const API_VERSION: &str = "fleetloom.dev/v1alpha1";

/// Declares a struct of words: camelCase, unknown fields refused.
macro_rules! spec {
    ($(#[$doc:meta])* $name:ident { $($body:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name { $($body)* }
    };
}

spec!(
    /// `metadata` of a document; only the name is ours.
    Metadata {
        /// A DNS label.
        pub name: String,
        /// Ignored here, kept for Kubernetes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// Ignored here, kept for Kubernetes.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub labels: BTreeMap<String, String>,
        /// Ignored here, kept for Kubernetes.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub annotations: BTreeMap<String, String>,
    }
);

spec!(
    /// Where an archive or a result lies.
    StoreSpec {
        /// `s3://bucket/prefix/`, `file:///folder/`, or a folder relative to the file (local runs only).
        #[schemars(extend("example" = "s3://bucket/prefix/"))]
        pub url: String,
        /// Only for S3-compatible stores.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
        /// Bucket in the path rather than in the host name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub path_style: Option<bool>,
        /// AWS region.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub region: Option<String>,
        /// Certificate authority of the endpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ca: Option<CaSpec>,
        /// Secret with the AWS keys; absent: the pod's own identity. Not looked up locally.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub credentials_secret: Option<String>,
    }
);
spec!(
    /// A certificate authority in a ConfigMap.
    CaSpec {
        /// Name of the ConfigMap.
        pub config_map: String,
        /// Its key.
        pub key: String,
    }
);

spec!(
    /// `spec` of an Archive.
    ArchiveSpec {
        /// Where telemetry lies.
        pub store: StoreSpec,
        /// Key pattern below the store's URL.
        #[schemars(extend("example" = "{date}.zip"))]
        pub objects: String,
        /// Member pattern inside a zip or tar; absent for plain objects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "{robot}/{millis}.json.gz"))]
        pub members: Option<String>,
        /// How the bytes are laid out.
        pub format: Format,
        /// How far an observation may stray from its member's stamp (10m).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "10m"))]
        pub lateness: Option<String>,
        /// How much time follows a member's stamp (0s).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "5s"))]
        pub covers: Option<String>,
        /// Where the robot's name comes from.
        pub robot: RobotSpec,
        /// The mapped signals.
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
        pub signals: Vec<SignalSpec>,
        /// Bounds on one member or line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limits: Option<LimitsSpec>,
    }
);
spec!(
    /// Where the robot's name comes from.
    RobotSpec {
        /// Name of a capture.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "robot"))]
        pub capture: Option<String>,
        /// JSON pointer into the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub document: Option<String>,
        /// When both differ (Quarantine).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub on_conflict: Option<OnConflict>,
    }
);
spec!(
    /// Bounds on one member or line.
    LimitsSpec {
        /// After decompression (64Mi).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "64Mi"))]
        pub member_bytes: Option<String>,
        /// Nesting (64).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub depth: Option<u32>,
        /// Records over all signals (1,000,000).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub records_per_member: Option<u64>,
    }
);
spec!(
    /// A named series.
    SignalSpec {
        /// Its name.
        pub name: String,
        /// Walk to the records; absent: the whole document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "/current[*]"))]
        pub at: Option<String>,
        /// Only records whose text there is that value.
        #[serde(rename = "match", default, skip_serializing_if = "BTreeMap::is_empty")]
        pub matches: BTreeMap<String, String>,
        /// Its clocks.
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
        pub times: Vec<TimeSpec>,
        /// The join clock (the first).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub clock: Option<String>,
        /// The clock that tells when a value became known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub known: Option<String>,
        /// Its columns.
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
        pub columns: Vec<ColumnSpec>,
        /// Observations with equal time (Last).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub duplicates: Option<Duplicates>,
    }
);
spec!(
    /// A clock of a signal.
    TimeSpec {
        /// Its name.
        pub name: String,
        /// Pointer from the record (`/<name>`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub field: Option<String>,
        /// Pointer from the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub document: Option<String>,
        /// How it is written.
        pub unit: Unit,
        /// strptime format, for `unit: Format`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub format: Option<String>,
        /// IANA time zone of naive texts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "Europe/Berlin"))]
        pub zone: Option<String>,
    }
);
spec!(
    /// A column of a signal.
    ColumnSpec {
        /// Its name.
        pub name: String,
        /// Pointer from the record (`/<name>`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub field: Option<String>,
        /// Pointer from the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub document: Option<String>,
        /// Its type (float64).
        #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
        pub kind: Option<ColumnType>,
        /// Unit of measure; for a timestamp how it is written (`s ms us ns Iso8601 Format`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unit: Option<String>,
        /// strptime format of a timestamp.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub format: Option<String>,
        /// IANA time zone of naive timestamps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "Europe/Berlin"))]
        pub zone: Option<String>,
        /// Multiplied first (1).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scale: Option<f64>,
        /// Added second (0).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub offset: Option<f64>,
        /// Whether numbers in strings are numbers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub text: Option<TextAs>,
        /// JSON texts that mean null.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub nulls: Vec<String>,
        /// What becomes of infinities (Keep). YAML reads an unquoted `Null` as null: it means the word.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_word")]
        #[schemars(extend("nullable" = true))]
        pub infinite: Option<Infinite>,
        /// What becomes of a value that does not fit (Quarantine). YAML reads an unquoted `Null` as null: it means the word.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_word")]
        #[schemars(extend("nullable" = true))]
        pub on_mismatch: Option<OnMismatch>,
    }
);

spec!(
    /// `spec` of a Pipeline.
    PipelineSpec {
        /// Name of the Archive.
        #[schemars(extend("example" = "ur3"))]
        pub archive: String,
        /// Which robots take part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub robots: Option<RobotsSpec>,
        /// Whole UTC days, half-open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub range: Option<RangeSpec>,
        /// What a row is.
        pub rows: RowsSpec,
        /// The named events.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
        pub events: Vec<EventSpec>,
        /// What is joined.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub join: Vec<JoinSpec>,
        /// What is computed per row.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
        pub derive: Vec<DeriveSpec>,
        /// Which rows are written.
        #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
        pub filter: Option<String>,
        /// Look-back windows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub windows: Vec<WindowSpec>,
        /// What is to be learnt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub label: Option<LabelSpec>,
        /// Where and how the table is written.
        pub result: ResultSpec,
        /// What a publication may lose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tolerate: Option<TolerateSpec>,
        /// How the archive is cut.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub shards: Option<ShardsSpec>,
        /// Pods on a cluster; idle in a local run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub workers: Option<WorkersSpec>,
        /// When it runs on a cluster; idle in a local run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub schedule: Option<ScheduleSpec>,
        /// Runs when the archive has a new version; idle in a local run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub on_change: Option<OnChangeSpec>,
    }
);
spec!(
    /// Patterns over robot names.
    RobotsSpec {
        /// Any of these (all when empty).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub include: Vec<String>,
        /// None of these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub exclude: Vec<String>,
    }
);
spec!(
    /// Whole UTC days, half-open.
    RangeSpec {
        /// First day, `YYYY-MM-DD`.
        #[schemars(extend("example" = "2022-10-01"))]
        pub from: String,
        /// Day after the last.
        #[schemars(extend("example" = "2022-11-01"))]
        pub to: String,
    }
);
spec!(
    /// What a row is: exactly one of `signal`, `every`, `event`.
    RowsSpec {
        /// One row per observation of this signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub signal: Option<String>,
        /// A grid with this step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "1s"))]
        pub every: Option<String>,
        /// Signal that keeps the grid alive.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub during: Option<String>,
        /// How long (30s).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "30s"))]
        pub alive: Option<String>,
        /// The onsets of this event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub event: Option<String>,
        /// Rows to compare with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub controls: Option<ControlsSpec>,
    }
);
spec!(
    /// How control rows are drawn.
    ControlsSpec {
        /// How many per onset.
        pub per_event: u32,
        /// Least distance from every onset.
        #[schemars(extend("example" = "120s"))]
        pub apart: String,
        /// Greatest distance from its own (1h).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "1h"))]
        pub within: Option<String>,
        /// Seed (0).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub seed: Option<u64>,
    }
);
spec!(
    /// A named onset rule.
    EventSpec {
        /// Its name.
        pub name: String,
        /// Its signal.
        pub signal: String,
        /// SQL condition over the signal's columns.
        #[schemars(extend("example" = "protective_stop"))]
        pub when: String,
        /// Which change (Rise).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub edge: Option<Edge>,
        /// Onsets closer than this are dropped (0s).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "0s"))]
        pub refractory: Option<String>,
        /// State older than this is forgotten (10m).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "10m"))]
        pub memory: Option<String>,
    }
);
spec!(
    /// A joined signal.
    JoinSpec {
        /// Its name.
        pub signal: String,
        /// Which neighbour (Nearest).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub direction: Option<Direction>,
        /// Greatest distance.
        #[schemars(extend("example" = "500ms"))]
        pub tolerance: String,
        /// Columns (all).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub columns: Option<Vec<String>>,
    }
);
spec!(
    /// A computed column.
    DeriveSpec {
        /// Its name.
        pub name: String,
        /// SQL expression.
        #[schemars(extend("example" = "abs(current.j0)"))]
        pub expression: String,
    }
);
spec!(
    /// A look-back window.
    WindowSpec {
        /// Its length.
        #[schemars(extend("example" = "42s"))]
        pub span: String,
        /// What it looks at (Rows).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub over: Option<Over>,
        /// What is computed.
        pub features: Vec<FeatureSpec>,
        /// What it must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub requires: Option<RequiresSpec>,
        /// Events that make it invalid.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub excludes: Vec<String>,
        /// End of the column names (the span).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub suffix: Option<String>,
    }
);
spec!(
    /// Statistics of columns.
    FeatureSpec {
        /// `signal.column`, `signal.*` or a derived name.
        pub columns: Vec<String>,
        /// Which numbers.
        pub statistics: Vec<Statistic>,
    }
);
spec!(
    /// What a window must hold.
    RequiresSpec {
        /// Least number of values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub count: Option<u64>,
        /// Greatest hole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "5s"))]
        pub gap: Option<String>,
    }
);
spec!(
    /// What is to be learnt.
    LabelSpec {
        /// Its event.
        pub event: String,
        /// How far ahead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "10s"))]
        pub horizon: Option<String>,
        /// How much warning (0s).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "0s"))]
        pub lead: Option<String>,
    }
);
spec!(
    /// Where and how the table is written.
    ResultSpec {
        /// Where.
        pub store: StoreSpec,
        /// Partition columns; only `[date]`, which is the default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub partition_by: Option<Vec<String>>,
        /// What becomes of invalid rows (Keep).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub invalid: Option<Invalid>,
        /// How long files of old versions stay readable (7d).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "7d"))]
        pub retention: Option<String>,
    }
);
spec!(
    /// What a publication may lose.
    TolerateSpec {
        /// Most failed shards (0).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failed_shards: Option<u64>,
        /// Greatest share in quarantine: of observations, and of the members, documents or bytes that hold them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "1%"))]
        pub quarantined: Option<String>,
        /// Greatest share late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "1%"))]
        pub late: Option<String>,
        /// Least share of matched rows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub min_matched: Vec<MinMatchedSpec>,
        /// Greatest drift against the base version.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub drift: Vec<DriftSpec>,
    }
);
spec!(
    /// Least share of matched rows of a joined signal.
    MinMatchedSpec {
        /// The signal.
        pub signal: String,
        /// The share, such as `90%`.
        #[schemars(extend("example" = "90%"))]
        pub share: String,
    }
);
spec!(
    /// Greatest drift of columns against the base version.
    DriftSpec {
        /// Column patterns of the result.
        pub columns: Vec<String>,
        /// Greatest change of the share of nulls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "5%"))]
        pub null_share: Option<String>,
        /// Greatest shift of the mean, in standard deviations of the base.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mean_shift: Option<f64>,
    }
);
spec!(
    /// How the archive is cut.
    ShardsSpec {
        /// Aim for stored bytes per shard (256Mi).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "256Mi"))]
        pub bytes: Option<String>,
    }
);
spec!(
    /// Pods on a cluster.
    WorkersSpec {
        /// Shards at a time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub parallelism: Option<u32>,
        /// Runs predicted shorter than this are finished by the plan pod.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "1m"))]
        pub inline: Option<String>,
        /// Image of the worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub image: Option<String>,
        /// Requests and limits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub resources: Option<ResourcesSpec>,
        /// Tries per shard beyond the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub retries: Option<u32>,
        /// Greatest duration of a Run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "6h"))]
        pub deadline: Option<String>,
        /// Pod template fields.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub pod: Option<PodSpec>,
    }
);
spec!(
    /// Requests and limits of a pod.
    ResourcesSpec {
        /// Kubernetes quantities by resource name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub requests: BTreeMap<String, String>,
        /// Kubernetes quantities by resource name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub limits: BTreeMap<String, String>,
    }
);
spec!(
    /// Pod template fields, in Kubernetes' own words.
    PodSpec {
        /// Node labels.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub node_selector: BTreeMap<String, String>,
        /// Tolerations.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub tolerations: Vec<FreeObject>,
        /// Affinity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub affinity: Option<FreeObject>,
        /// Spread over zones and nodes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub topology_spread_constraints: Vec<FreeObject>,
        /// Priority class.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub priority_class_name: Option<String>,
        /// Service account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub service_account_name: Option<String>,
        /// Image pull secrets.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub image_pull_secrets: Vec<FreeObject>,
        /// Labels.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub labels: BTreeMap<String, String>,
        /// Annotations.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub annotations: BTreeMap<String, String>,
        /// Environment.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub env: Vec<FreeObject>,
    }
);
/// An object in Kubernetes' own words, passed through unread.
pub type FreeObject = serde_json::Map<String, serde_json::Value>;

spec!(
    /// When a pipeline runs on a cluster.
    ScheduleSpec {
        /// Cron lines.
        pub cron: Vec<String>,
        /// IANA time zone (Etc/UTC).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "Etc/UTC"))]
        pub time_zone: Option<String>,
        /// What to do about an active Run (Forbid).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub concurrency: Option<Concurrency>,
        /// How late a start may be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("example" = "1h"))]
        pub starting_deadline: Option<String>,
        /// No new Runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub suspend: Option<bool>,
        /// Complete Runs kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub keep_succeeded: Option<u32>,
        /// Failed Runs kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub keep_failed: Option<u32>,
    }
);
spec!(
    /// Runs when the archive has a new version.
    OnChangeSpec {
        /// How often to look.
        #[schemars(extend("example" = "5m"))]
        pub poll: String,
    }
);

spec!(
    /// `spec` of a Run.
    RunSpec {
        /// Name of the Pipeline.
        #[schemars(extend("example" = "ur3-stops"))]
        pub pipeline: String,
        /// Days to recompute; the others are carried over unchanged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub range: Option<RangeSpec>,
        /// Shards at a time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub parallelism: Option<u32>,
        /// Stop starting work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub suspend: Option<bool>,
        /// What is computed anew (Stale).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub recompute: Option<Recompute>,
        /// When a finished Run is removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ttl_seconds_after_finished: Option<u32>,
    }
);
