//! Words of a cluster made ready: an Archive and a Pipeline checked together, as the laptop checks them, and written down
//! for the pods of a Run. Pure; the same `check` as `fleetloom check`, and what only holds on a cluster.

use crate::api::{Archive, Pipeline};
use crate::quantity;
use kube::ResourceExt;
use pipeline::location::Location;
use pipeline::read::{Document, Spec, Words};
use pipeline::spec::{API_VERSION, ArchiveSpec, PipelineSpec, PodSpec, ResourcesSpec, StoreSpec, WorkersSpec};
use pipeline::time::{SECOND_NS, words::duration_ns};
use serde::Serialize;
use serde_json::json;

/// Shards at a time, when nothing is said.
pub const PARALLELISM: u32 = 8;
/// Tries per index beyond the first, when nothing is said.
pub const RETRIES: u32 = 3;
/// Runs predicted to be shorter are finished by their plan pod, when nothing is said.
pub const INLINE: &str = "1m";
/// Complete Runs of a Pipeline that are kept, when nothing is said.
pub const KEEP_SUCCEEDED: u32 = 3;
/// Failed Runs of a Pipeline that are kept, when nothing is said.
pub const KEEP_FAILED: u32 = 1;
/// Memory of a pod, when nothing is said.
const MEMORY: &str = "1Gi";

/// An Archive and a Pipeline with nothing left to check but expressions, which the plan pod types.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Both as YAML, as the pods read them.
    pub text: String,
    /// BLAKE3 of the text.
    pub hash: String,
    /// Name of the Pipeline.
    pub name: String,
    /// Where telemetry lies.
    pub source: StoreSpec,
    /// Where the table goes.
    pub result: StoreSpec,
    /// What its pods need.
    pub workers: Workers,
}

/// What the pods of a Pipeline need, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Workers {
    /// Shards at a time.
    pub parallelism: u32,
    /// Text of a duration.
    pub inline: String,
    /// `None`: the operator's own version.
    pub image: Option<String>,
    /// Quantities of the pod; memory is in `memory_bytes`.
    pub resources: ResourcesSpec,
    /// Memory of a pod: request and limit.
    pub memory_bytes: u64,
    /// Tries beyond the first.
    pub retries: u32,
    /// Greatest duration of a Run, seconds.
    pub deadline_seconds: Option<i64>,
    /// Pod template fields.
    pub pod: PodSpec,
}

/// Checks both and writes them down.
///
/// Errors: every mistake as a sentence, the same as on a laptop.
pub fn settle(archive: &Archive, pipeline: &Pipeline) -> Result<Settled, Vec<String>> {
    settle_text(&text(archive, pipeline))
}

/// Both, written down and not checked yet.
pub fn text(archive: &Archive, pipeline: &Pipeline) -> String {
    let archive = document("Archive", &archive.name_any(), &archive.spec);
    let pipeline = document("Pipeline", &pipeline.name_any(), &pipeline.spec);
    [archive, pipeline].join("---\n")
}

/// Checks what [`text`] wrote down.
///
/// Errors: as [`settle`].
pub fn settle_text(text: &str) -> Result<Settled, Vec<String>> {
    check(text)?;
    read(text)
}

/// The hash by which words are known.
pub fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Checks an Archive alone.
///
/// Errors: every mistake as a sentence.
pub fn settle_archive(archive: &Archive) -> Result<(), Vec<String>> {
    check(&document("Archive", &archive.name_any(), &archive.spec))
}

/// Reads what [`settle`] wrote down. It is not checked again: a Run in flight must not fail because another version of the
/// operator asks for more.
///
/// Errors: sentences, where the text is somebody else's.
pub fn read(text: &str) -> Result<Settled, Vec<String>> {
    let mut archive: Option<ArchiveSpec> = None;
    let mut pipeline: Option<(String, PipelineSpec)> = None;
    for Document { metadata, spec, .. } in Words::read(text, None, None).documents {
        match spec {
            Spec::Archive(spec) => archive = Some(*spec),
            Spec::Pipeline(spec) => pipeline = Some((metadata.name, *spec)),
            Spec::Run(_) => {}
        }
    }
    let (Some(archive), Some((name, pipeline))) = (archive, pipeline) else {
        return Err(vec!["an Archive or a Pipeline is missing".into()]);
    };
    Ok(Settled {
        text: text.to_owned(),
        hash: hash(text),
        name,
        source: archive.store,
        result: pipeline.result.store,
        workers: workers(pipeline.workers)?,
    })
}

fn document(kind: &str, name: &str, spec: &impl Serialize) -> String {
    crate::yaml::of(&json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}))
}

/// All mistakes of a text.
fn check(text: &str) -> Result<(), Vec<String>> {
    let words = Words::read(text, None, None);
    let (_, mistakes) = pipeline::check::examine(&words);
    let mut sentences: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    sentences.extend(words.documents.iter().filter_map(on_a_machine));
    if sentences.is_empty() { Ok(()) } else { Err(sentences) }
}

/// A folder is on one machine; pods run on many. Relative ones `check` has refused already.
fn on_a_machine(document: &Document) -> Option<String> {
    let (store, path) = match &document.spec {
        Spec::Archive(spec) => (&spec.store, "spec.store.url"),
        Spec::Pipeline(spec) => (&spec.result.store, "spec.result.store.url"),
        Spec::Run(_) => return None,
    };
    match Location::parse(&store.url, None) {
        Ok(Location::Folder(_)) => Some(format!(
            "{}: {path}: is {}, a folder, which the pods of a cluster do not share; write s3://bucket/prefix/",
            document.label, store.url
        )),
        _ => None,
    }
}

/// The least that a worker takes as its budget: below it refuses to start.
const MEMORY_BYTES_MIN: u64 = 128 << 20;

fn workers(words: Option<WorkersSpec>) -> Result<Workers, Vec<String>> {
    let words = words.unwrap_or(WorkersSpec {
        parallelism: None,
        inline: None,
        image: None,
        resources: None,
        retries: None,
        deadline: None,
        pod: None,
    });
    let resources = words.resources.unwrap_or(ResourcesSpec { requests: [].into(), limits: [].into() });
    let memory = resources.limits.get("memory").or(resources.requests.get("memory")).map_or(MEMORY, String::as_str);
    let memory_bytes = quantity::bytes(memory).filter(|bytes| *bytes >= MEMORY_BYTES_MIN).ok_or_else(|| {
        let what = format!("memory is {memory:?}, and the worker needs 128Mi; write that or more, such as 1Gi");
        vec![format!("spec.workers.resources: {what}")]
    })?;
    let deadline_ns = words.deadline.as_deref().and_then(|text| duration_ns(text).ok());
    Ok(Workers {
        parallelism: words.parallelism.unwrap_or(PARALLELISM),
        inline: words.inline.unwrap_or_else(|| INLINE.into()),
        image: words.image,
        resources,
        memory_bytes,
        retries: words.retries.unwrap_or(RETRIES),
        deadline_seconds: deadline_ns.map(|ns| (ns / SECOND_NS).max(1)),
        pod: words.pod.unwrap_or_else(empty_pod),
    })
}

fn empty_pod() -> PodSpec {
    serde_json::from_value(json!({})).expect("every field of a pod may be left out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_was_written_down_is_read_as_the_same() {
        let settled = settle(&testing::archive(), &testing::pipeline()).unwrap();
        assert_eq!(read(&settled.text).unwrap(), settled);
        assert_eq!((settled.workers.memory_bytes, settled.workers.parallelism), (1 << 30, 8));
        assert_eq!(settled.source.url, "s3://telemetry/ur3/");
    }

    #[test]
    fn a_cluster_says_the_sentences_of_a_laptop() {
        let mut pipeline = testing::pipeline();
        pipeline.spec.0.join[0].tolerance = "500".into();
        let said = settle(&testing::archive(), &pipeline).unwrap_err();
        assert_eq!(
            said,
            [
                "Pipeline ur3-stops: spec.join[0].tolerance: \"500\" has no unit; write a whole number and a unit (ns, us, ms, s, m, h, d), such as 500ms or 42s"
            ]
        );
    }

    #[test]
    fn folders_and_results_inside_the_archive_are_refused() {
        let mut archive = testing::archive();
        for (url, word) in [("file:///srv/ur3/", "do not share"), ("ur3/", "no file it could be relative to")] {
            archive.spec.0.store = testing::store(url);
            assert!(settle_archive(&archive).unwrap_err()[0].contains(word), "{url}");
        }
        let mut pipeline = testing::pipeline();
        pipeline.spec.0.result.store.url = "s3://telemetry/ur3/out/".into();
        assert!(settle(&testing::archive(), &pipeline).unwrap_err()[0].contains("lies inside the Archive ur3"));
    }

    #[test]
    fn memory_is_the_limit_and_no_other_kind_of_number() {
        let mut pipeline = testing::pipeline();
        pipeline.spec.0.workers = Some(
            serde_json::from_value(json!({"resources": {"limits": {"memory": "512Mi"}}, "deadline": "6h"})).unwrap(),
        );
        let workers = settle(&testing::archive(), &pipeline).unwrap().workers;
        assert_eq!((workers.memory_bytes, workers.deadline_seconds), (512 << 20, Some(21_600)));
        pipeline.spec.0.workers =
            Some(serde_json::from_value(json!({"resources": {"limits": {"memory": "0"}}})).unwrap());
        assert!(settle(&testing::archive(), &pipeline).is_err());
    }
}
