//! Writes statuses and tells events: only what changed, only onto the version that was read, at most 8 KiB.

use crate::api::{Condition, ConditionType, Run, RunStatus, condition, holds};
use crate::condition::{Said, cut, set};
use crate::context::Context;
use crate::decide::Note;
use crate::moment::Moment;
use crate::reason::{During, Error, Reason, Step, Told};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::PostParams;
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Most bytes of a Run's status.
pub const STATUS_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of a condition's message where the status would be too large.
const SHORT_BYTES_MAX: usize = 128;
/// Most bytes of an event's note, as Kubernetes takes it.
const NOTE_BYTES_MAX: usize = 1_000;

/// Writes a Run's status and tells of it; the Run as it is stored then.
///
/// Errors: also where somebody else wrote in between.
pub async fn write(context: &Context, run: &Run, status: RunStatus, note: Option<Note>) -> Result<Run, Error> {
    let written = replace(context, Run { status: Some(fitted(status)), ..run.clone() }).await?;
    context.own.wrote(&written);
    context.metrics.run_moved(run.status.as_ref(), written.status.as_ref());
    if let Some(note) = note {
        tell(context, &run.object_ref(&()), &note).await;
    }
    Ok(written)
}

/// PUT of the status subresource: all of it, onto the version that was read.
pub(crate) async fn replace<K>(context: &Context, object: K) -> Result<K, Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let params = PostParams { field_manager: Some(crate::apply::MANAGER.into()), ..PostParams::default() };
    context.metrics.write(Step::WriteStatus);
    let mut object = object;
    object.meta_mut().managed_fields = None;
    let name = object.name_any();
    api.replace_status(&name, &params, &object).await.during(Step::WriteStatus)
}

/// The status, with fewer failures where it would be too large, then with shorter messages.
pub fn fitted(mut status: RunStatus) -> RunStatus {
    let is_large = |status: &RunStatus| serde_json::to_vec(status).map_or(0, |json| json.len()) > STATUS_BYTES_MAX;
    while is_large(&status) && status.failures.pop().is_some() {}
    if is_large(&status) {
        for condition in &mut status.conditions {
            condition.message = cut(&condition.message, SHORT_BYTES_MAX);
        }
    }
    status
}

/// Says on a Run that the operator cannot do what it wants to; once per reason. Best effort: what failed may be this too.
pub async fn degraded(context: &Context, run: &Run, error: &Error) {
    let mut status = run.status.clone().unwrap_or_default();
    if say_degraded(&mut status.conditions, error, run.metadata.generation, context.now()) {
        let note = Note { reason: error.step.reason(), message: error.sentence() };
        if let Err(error) = write(context, run, status, Some(note)).await {
            tracing::debug!(reason = %error.step.reason(), "the condition Degraded was not written");
        }
    }
}

/// Takes that back, once all went well.
pub async fn recovered(context: &Context, run: &Run) -> Result<(), Error> {
    let mut status = run.status.clone().unwrap_or_default();
    match say_recovered(&mut status.conditions, run.metadata.generation, context.now()) {
        true => write(context, run, status, None).await.map(|_| ()),
        false => Ok(()),
    }
}

/// The condition Degraded for a call that failed; whether that is news.
pub(crate) fn say_degraded(
    conditions: &mut Vec<Condition>,
    error: &Error,
    generation: Option<i64>,
    now: Moment,
) -> bool {
    let reason = error.step.reason();
    let is_known = condition(conditions, ConditionType::Degraded).is_some_and(|known| known.reason == reason);
    if is_known || error.step == Step::WriteStatus {
        return false;
    }
    set(conditions, Said::yes(ConditionType::Degraded, reason, error.sentence()), generation, now);
    true
}

/// The condition Degraded when all went well; whether that is news.
pub(crate) fn say_recovered(conditions: &mut Vec<Condition>, generation: Option<i64>, now: Moment) -> bool {
    let is_news = holds(conditions, ConditionType::Degraded);
    if is_news {
        set(conditions, Said::no(ConditionType::Degraded, Reason::Recovered, ""), generation, now);
    }
    is_news
}

/// Tells an event. A lost one is no harm: conditions say the same.
pub(crate) async fn tell(context: &Context, about: &ObjectReference, note: &Note) {
    let event = Event {
        type_: if note.reason.told() == Told::Normal { EventType::Normal } else { EventType::Warning },
        reason: note.reason.word().into(),
        note: Some(cut(&note.message, NOTE_BYTES_MAX)).filter(|note| !note.is_empty()),
        action: note.reason.word().into(),
        secondary: None,
    };
    context.metrics.event();
    if let Err(error) = context.recorder.publish(&event, about).await {
        tracing::debug!(%error, reason = %note.reason, "an event was not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{RunFailure, RunShards};

    #[test]
    fn a_status_of_five_thousand_indexes_and_long_texts_fits() {
        let mut status = RunStatus::default();
        let indexes: Vec<String> = (0..2_500).map(|index| (2 * index).to_string()).collect();
        let text = crate::indexes::shown(&indexes.join(","));
        status.shards =
            Some(RunShards { completed_indexes: text.clone(), failed_indexes: text, ..RunShards::default() });
        let failure = RunFailure { shard: 7, reason: "\"é".repeat(200), place: Some("\\".repeat(96)) };
        status.failures = vec![failure; 10];
        for kind in ConditionType::ALL {
            set(
                &mut status.conditions,
                Said::yes(kind, Reason::WordsRefused, "\n".repeat(9_000)),
                Some(1),
                Default::default(),
            );
        }
        let fitted = fitted(status);
        assert!(serde_json::to_vec(&fitted).unwrap().len() <= STATUS_BYTES_MAX);
        assert_eq!(fitted.conditions.len(), 8);
    }
}
