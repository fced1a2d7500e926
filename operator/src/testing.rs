//! Objects for tests, as small as they can be.

use crate::api::{Archive, ArchiveWords, Phase, Pipeline, PipelineWords, Run, RunWords};
use crate::moment::Moment;
use crate::others::Sibling;
use pipeline::spec::StoreSpec;
use serde_json::json;

/// A store at that place.
pub(crate) fn store(url: &str) -> StoreSpec {
    serde_json::from_value(json!({"url": url})).unwrap()
}

/// The Archive `ur3` of namespace `fleet`.
pub(crate) fn archive() -> Archive {
    let spec = json!({
        "store": {"url": "s3://telemetry/ur3/", "credentialsSecret": "telemetry-read"},
        "objects": "{date}.zip",
        "members": "{robot}/{millis}.json.gz",
        "format": "Json",
        "robot": {"capture": "robot"},
        "signals": [
            {"name": "current", "at": "/current[*]", "times": [{"name": "event", "field": "/ts", "unit": "ms"}],
             "columns": [{"name": "j0", "unit": "A"}]},
            {"name": "status", "at": "/status[*]", "times": [{"name": "event", "field": "/ts", "unit": "ms"}],
             "columns": [{"name": "stop", "type": "bool"}]},
        ],
    });
    let words: ArchiveWords = serde_json::from_value(spec).unwrap();
    in_fleet(Archive::new("ur3", words), "archive-uid")
}

/// The Pipeline `ur3-stops` of namespace `fleet`.
pub(crate) fn pipeline() -> Pipeline {
    let spec = json!({
        "archive": "ur3",
        "rows": {"signal": "status"},
        "join": [{"signal": "current", "tolerance": "500ms"}],
        "result": {"store": {"url": "s3://features/ur3-stops/", "credentialsSecret": "features-write"}},
    });
    let words: PipelineWords = serde_json::from_value(spec).unwrap();
    in_fleet(Pipeline::new("ur3-stops", words), "pipeline-uid")
}

/// The Run `backfill` of namespace `fleet`, just created.
pub(crate) fn run() -> Run {
    let words: RunWords = serde_json::from_value(json!({"pipeline": "ur3-stops"})).unwrap();
    in_fleet(Run::new("backfill", words), "run-uid")
}

/// A Run of some Pipeline, created at that second, as others see it.
pub(crate) fn sibling(name: &str, created: i64, phase: Phase) -> Sibling {
    let (created, uid) = (Moment(created), format!("{name}-uid"));
    Sibling { created, name: name.into(), uid, phase, suspended: false, going: false }
}

fn in_fleet<K: kube::Resource>(mut object: K, uid: &str) -> K {
    let meta = object.meta_mut();
    meta.namespace = Some("fleet".into());
    meta.uid = Some(uid.into());
    meta.generation = Some(1);
    meta.resource_version = Some("1".into());
    meta.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
        k8s_openapi::jiff::Timestamp::from_second(NOW.0).unwrap(),
    ));
    object
}

/// The time at which all of them were created: 2026-11-24T18:00:00Z.
pub(crate) const NOW: Moment = Moment(1_795_543_200);
