//! What the watch keeps of a Run: fifty thousand of them are held in memory, and none of them is decided by.
//!
//! A Run whose words do not fit this version of the operator fits here too, so that one of them never stops the watch.

use crate::api::{Phase, Run};
use crate::decide::LEAVES_A_JOB;
use crate::moment::Moment;
use crate::others::Sibling;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// A Run, as far as it says where to look.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Glance {
    metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    pipeline: String,
    suspend: bool,
    range: Option<IgnoredAny>,
    ttl_seconds_after_finished: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    start_time: Option<Moment>,
    completion_time: Option<Moment>,
    conditions: Told,
    shards: Shards,
    source: Source,
}

/// What is kept of the conditions.
#[derive(Debug, Clone, Default)]
struct Told {
    /// When the last of them changed.
    turned: Option<Moment>,
    may_have_left_a_job: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Shards {
    time: Option<Moment>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Source {
    version: Option<String>,
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Condition {
            reason: String,
            last_transition_time: Option<Moment>,
        }
        let told = Vec::<Condition>::deserialize(from)?;
        let leaves_a_job = |told: &Condition| LEAVES_A_JOB.iter().any(|reason| reason.word() == told.reason);
        Ok(Self {
            turned: told.iter().filter_map(|told| told.last_transition_time).max(),
            may_have_left_a_job: told.iter().any(leaves_a_job),
        })
    }
}

impl Glance {
    /// Name of its Pipeline.
    pub fn pipeline(&self) -> &str {
        &self.spec.pipeline
    }

    /// Where it stands; Pending for a word of another version of the operator.
    pub fn phase(&self) -> Phase {
        Phase::ALL.into_iter().find(|phase| phase.word() == self.status.phase).unwrap_or_default()
    }

    /// Whether it has begun and not ended.
    pub fn is_under_way(&self) -> bool {
        let phase = self.phase();
        phase != Phase::Pending && !phase.is_end()
    }

    /// Whether it has ended, and nothing is ever to be done for it again: it left no Job at work, and stays until it is deleted.
    /// An old list may say so too: from an end no Run comes back.
    pub fn is_over(&self) -> bool {
        let stays = self.spec.ttl_seconds_after_finished.is_none();
        self.phase().is_end() && stays && !self.status.conditions.may_have_left_a_job
    }

    /// When it ended.
    pub fn ended(&self) -> Option<Moment> {
        self.status.completion_time
    }

    /// Since when it has not got on: it was created, started, a condition changed, or shards were done. `None` for one that has
    /// ended or is suspended: nothing is to come of it.
    pub fn stands_since(&self) -> Option<Moment> {
        if self.phase().is_end() || self.spec.suspend {
            return None;
        }
        let created = self.creation_timestamp().as_ref().map(Moment::of);
        [created, self.status.start_time, self.status.conditions.turned, self.status.shards.time]
            .into_iter()
            .flatten()
            .max()
    }

    /// The source version that the whole table follows after it, if that was not left out. A Run of some days carries the
    /// others over, so that what is new in those is still to be computed.
    pub fn source(&self) -> Option<&str> {
        self.status.source.version.as_deref().filter(|_| self.spec.range.is_none())
    }

    /// Leaves nothing of its metadata but what says which Run it is.
    pub fn prune(&mut self) {
        let meta = std::mem::take(&mut self.metadata);
        self.metadata = ObjectMeta {
            name: meta.name,
            namespace: meta.namespace,
            uid: meta.uid,
            resource_version: meta.resource_version,
            creation_timestamp: meta.creation_timestamp,
            deletion_timestamp: meta.deletion_timestamp,
            ..ObjectMeta::default()
        };
        self.status.source = Source::default();
        self.spec.pipeline.shrink_to_fit();
        self.status.phase.shrink_to_fit();
    }
}

impl From<&Glance> for Sibling {
    fn from(run: &Glance) -> Self {
        Self {
            created: run.creation_timestamp().as_ref().map(Moment::of).unwrap_or_default(),
            name: run.name_any(),
            uid: run.uid().unwrap_or_default(),
            phase: run.phase(),
            suspended: run.spec.suspend,
            going: run.metadata.deletion_timestamp.is_some(),
        }
    }
}

impl Resource for Glance {
    type DynamicType = ();
    type Scope = <Run as Resource>::Scope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        Run::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        Run::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        Run::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        Run::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_run_fits_and_little_of_it_stays() {
        let stored = json!({
            "apiVersion": "fleetloom.dev/v1alpha1", "kind": "Run",
            "metadata": {"name": "a", "namespace": "fleet", "uid": "u", "managedFields": [{"manager": "m"}],
                         "annotations": {"long": "text"}, "creationTimestamp": "2026-11-24T18:00:00Z"},
            "spec": {"pipeline": "stops", "fromTheFuture": {"x": 1}},
            "status": {"phase": "Dreaming", "conditions": [{"type": "Odd"}], "completionTime": "2026-11-24T18:00:05Z"},
        });
        let mut run: Glance = serde_json::from_value(stored).unwrap();
        run.prune();
        assert_eq!((run.pipeline(), run.phase(), run.ended()), ("stops", Phase::Pending, Some(Moment(1_795_543_205))));
        assert!(run.metadata.managed_fields.is_none() && run.metadata.annotations.is_none());
        assert_eq!(Sibling::from(&run).name, "a");
        let bare: Glance =
            serde_json::from_value(json!({"metadata": {"name": "b"}, "spec": {"pipeline": "stops"}})).unwrap();
        assert_eq!((bare.phase(), bare.ended()), (Phase::Pending, None));
    }

    #[test]
    fn a_run_is_over_when_it_has_ended_stays_and_left_no_job() {
        let of = |spec: serde_json::Value, phase: &str, reason: &str| {
            let status =
                json!({"phase": phase, "conditions": [{"type": "Failed", "status": "True", "reason": reason}]});
            let mut run: Glance = serde_json::from_value(json!({"spec": spec, "status": status})).unwrap();
            run.prune();
            run.is_over()
        };
        assert!(of(json!({}), "Complete", "Published") && of(json!({}), "Failed", "GateRefused"));
        assert!(!of(json!({}), "Running", "ComputingShards") && !of(json!({}), "Pending", ""));
        assert!(!of(json!({}), "Failed", "DeadlineExceeded") && !of(json!({}), "Failed", "WordsLost"));
        assert!(!of(json!({"ttlSecondsAfterFinished": 60}), "Complete", "Published"));
    }

    #[test]
    fn a_run_stands_still_since_the_last_thing_that_became_of_it_unless_nothing_is_to() {
        let of = |suspend: bool, status: serde_json::Value| -> Option<Moment> {
            let metadata = json!({"name": "a", "creationTimestamp": "1970-01-01T00:00:10Z"});
            let run = json!({"metadata": metadata, "spec": {"suspend": suspend}, "status": status});
            serde_json::from_value::<Glance>(run).unwrap().stands_since()
        };
        let turn = |second: u32| json!({"type": "Odd", "lastTransitionTime": format!("1970-01-01T00:00:{second}Z")});
        let running = json!({"phase": "Running", "startTime": "1970-01-01T00:00:20Z"});
        let with = |name: &str, value: serde_json::Value| {
            let mut status = running.clone();
            status[name] = value;
            status
        };
        assert_eq!(of(false, json!({})), Some(Moment(10)));
        assert_eq!(of(false, running.clone()), Some(Moment(20)));
        assert_eq!(of(false, with("conditions", json!([turn(30), turn(25)]))), Some(Moment(30)));
        assert_eq!(of(false, with("shards", json!({"time": "1970-01-01T00:00:40Z", "done": 3}))), Some(Moment(40)));
        assert_eq!(of(true, running.clone()), None);
        assert_eq!(of(false, with("phase", json!("Complete"))), None);
    }

    #[test]
    fn a_run_of_some_days_says_nothing_of_the_others() {
        let of = |range: serde_json::Value| -> Glance {
            let spec = json!({"pipeline": "stops", "range": range});
            serde_json::from_value(json!({"spec": spec, "status": {"source": {"version": "s1"}}})).unwrap()
        };
        assert_eq!(of(json!(null)).source(), Some("s1"));
        assert_eq!(of(json!({"from": "2026-11-01", "to": "2026-11-02"})).source(), None);
    }
}
