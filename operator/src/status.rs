//! Writes statuses and tells events: only what changed, only onto the version that was read, at most 8 KiB.

use crate::api::{Archive, Condition, ConditionType, Pipeline, Run, RunStatus, condition, holds};
use crate::condition::{Said, cut, set};
use crate::context::Context;
use crate::decide::Note;
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
    let written = api.replace_status(&name, &params, &object).await.during(Step::WriteStatus)?;
    context.own.wrote(&written);
    Ok(written)
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

/// A kind whose status holds conditions.
pub(crate) trait Judged:
    Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
    /// What they say now.
    fn told(&self) -> &[Condition];

    /// The same, to be changed.
    fn told_mut(&mut self) -> &mut Vec<Condition>;

    /// Leaves out what would make the status too large.
    fn fit(&mut self) {}
}

/// Conditions of a kind lie in its status.
macro_rules! judged {
    ($kind:ty { $($more:tt)* }) => {
        impl Judged for $kind {
            fn told(&self) -> &[Condition] {
                self.status.as_ref().map_or(&[], |status| &status.conditions)
            }

            fn told_mut(&mut self) -> &mut Vec<Condition> {
                &mut self.status.get_or_insert_default().conditions
            }

            $($more)*
        }
    };
}

judged!(Archive {});
judged!(Pipeline {});
judged!(Run {
    fn fit(&mut self) {
        self.status = self.status.take().map(fitted);
    }
});

impl From<&Error> for Note {
    fn from(error: &Error) -> Self {
        Self { reason: error.step.reason(), message: error.sentence() }
    }
}

/// Says on an object that the operator cannot do what it wants to; once per reason. Best effort: where a status cannot be
/// written, only an event tells.
pub(crate) async fn degraded<K: Judged>(context: &Context, object: &K, note: &Note) {
    let is_known = condition(object.told(), ConditionType::Degraded).is_some_and(|known| known.reason == note.reason);
    if is_known {
        return;
    }
    if note.reason != Step::WriteStatus.reason() {
        let mut said = object.clone();
        let degraded = Said::yes(ConditionType::Degraded, note.reason, note.message.clone());
        set(said.told_mut(), degraded, object.meta().generation, context.now());
        said.fit();
        if let Err(error) = replace(context, said).await {
            tracing::debug!(reason = %error.step.reason(), "the condition Degraded was not written");
            return;
        }
    }
    tell(context, &object.object_ref(&()), note).await;
}

/// Takes that back, once all went well.
pub(crate) async fn recovered<K: Judged>(context: &Context, object: &K) -> Result<(), Error> {
    if !holds(object.told(), ConditionType::Degraded) {
        return Ok(());
    }
    let mut said = object.clone();
    let recovered = Said::no(ConditionType::Degraded, Reason::Recovered, "");
    set(said.told_mut(), recovered, object.meta().generation, context.now());
    replace(context, said).await.map(|_| ())
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
