//! Does what was decided: one call each. A create that collides has been done before.

use crate::api::{Pipeline, Run};
use crate::build;
use crate::context::Context;
use crate::decide::{JobPatch, Order};
use crate::facts::{Act, RunFacts};
use crate::reason::{During, Error, Step};
use crate::settle::Settled;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;

/// Who writes, for managed fields.
pub const MANAGER: &str = "fleetloom-operator";

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Done now.
    Done,
    /// Done before, by this operator or the one before it, or by somebody else: the next look sees whose object it is.
    Before,
    /// The API server refuses the object itself: trying again is of no use.
    Refused(String),
}

/// Writes the words down.
pub async fn create_words(context: &Context, run: &Run, settled: &Settled) -> Result<Applied, Error> {
    create(context, &build::words(run, settled), Step::CreateWords).await
}

/// Creates the Job of an act.
pub async fn create_job(context: &Context, run: &Run, order: &Order) -> Result<Applied, Error> {
    match build::job(run, order) {
        Ok(job) => {
            let (applied, made) = made(context, &job, Step::CreateJob).await?;
            made.iter().for_each(|job| context.own.wrote(job));
            Ok(applied)
        }
        Err(sentence) => Ok(Applied::Refused(sentence)),
    }
}

/// Creates an object in its namespace.
pub(crate) async fn create<K>(context: &Context, object: &K, step: Step) -> Result<Applied, Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    made(context, object, step).await.map(|(applied, _)| applied)
}

/// Creates an object in its namespace; as it is stored, where it was done now.
async fn made<K>(context: &Context, object: &K, step: Step) -> Result<(Applied, Option<K>), Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<K> = Api::namespaced(context.client.clone(), &namespace);
    let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    context.metrics.write(step);
    match api.create(&params, object).await.during(step) {
        Ok(made) => Ok((Applied::Done, Some(made))),
        Err(error) if error.is_there() => Ok((Applied::Before, None)),
        Err(error) if error.is_refusal() => Ok((Applied::Refused(error.sentence()), None)),
        Err(error) => Err(error),
    }
}

/// Writes the words of a Pipeline's polls down, anew where they have changed. Something else that has their name is left alone.
pub(crate) async fn write_poll_words(
    context: &Context,
    pipeline: &Pipeline,
    settled: &Settled,
) -> Result<Applied, Error> {
    let mut words = build::poll_words(pipeline, settled);
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &pipeline.namespace().unwrap_or_default());
    let name = words.name_any();
    let Some(there) = maps.get_opt(&name).await.during(Step::ReadWords)? else {
        return create(context, &words, Step::CreateWords).await;
    };
    if !there.owner_references().iter().any(|owner| Some(&owner.uid) == pipeline.metadata.uid.as_ref()) {
        let sentence =
            format!("the ConfigMap {name} exists and is not the Pipeline's; delete it, or rename the Pipeline");
        return Ok(Applied::Refused(sentence));
    }
    if there.data == words.data {
        return Ok(Applied::Done);
    }
    // Onto what was read: another one that has taken its place is not changed.
    words.metadata.resource_version = there.metadata.resource_version;
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    context.metrics.write(Step::CreateWords);
    match maps.patch(&name, &params, &Patch::Merge(&words)).await.during(Step::CreateWords) {
        Ok(_) => Ok(Applied::Done),
        Err(error) if error.is_conflict() => Ok(Applied::Before),
        Err(error) if error.is_refusal() => Ok(Applied::Refused(error.sentence())),
        Err(error) => Err(error),
    }
}

/// Suspends, resumes or scales the Job of an act.
pub async fn patch_job(
    context: &Context,
    run: &Run,
    facts: &RunFacts,
    act: Act,
    patch: JobPatch,
) -> Result<Applied, Error> {
    let mut spec = json!({});
    if let Some(suspend) = patch.suspend {
        spec["suspend"] = json!(suspend);
    }
    if let Some(parallelism) = patch.parallelism {
        spec["parallelism"] = json!(parallelism);
    }
    let jobs: Api<Job> = Api::namespaced(context.client.clone(), &run.namespace().unwrap_or_default());
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    context.metrics.write(Step::PatchJob);
    let patched = jobs.patch(&facts.job_name(act), &params, &Patch::Merge(json!({"spec": spec}))).await;
    match patched.during(Step::PatchJob) {
        Ok(_) => Ok(Applied::Done),
        // It went away in between: the next look sees how.
        Err(error) if error.is_missing() => Ok(Applied::Done),
        Err(error) => Err(error),
    }
}

/// Deletes the Job of an act, and its pods.
pub async fn delete_job(context: &Context, run: &Run, facts: &RunFacts, act: Act) -> Result<Applied, Error> {
    delete::<Job>(context, &run.namespace().unwrap_or_default(), &facts.job_name(act), None, Step::DeleteJob).await
}

/// Deletes a Run, and with it all that belongs to it.
pub async fn delete_run(context: &Context, namespace: &str, name: &str, uid: &str) -> Result<Applied, Error> {
    delete::<Run>(context, namespace, name, Some(uid), Step::DeleteRun).await
}

/// Deletes an object; of that UID only, where one is given.
pub(crate) async fn delete<K>(
    context: &Context,
    namespace: &str,
    name: &str,
    uid: Option<&str>,
    step: Step,
) -> Result<Applied, Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    let only = uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    let params = DeleteParams { preconditions: only, ..DeleteParams::background() };
    context.metrics.write(step);
    match api.delete(name, &params).await.during(step) {
        Ok(_) => Ok(Applied::Done),
        Err(error) if error.is_missing() => Ok(Applied::Done),
        Err(error) if error.is_conflict() && is_another(&api, name, uid).await.during(step)? => Ok(Applied::Done),
        Err(error) => Err(error),
    }
}

/// Whether the object of that UID is gone, and at most another one has its name by now.
async fn is_another<K>(api: &Api<K>, name: &str, uid: Option<&str>) -> Result<bool, kube::Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let there = api.get_metadata_opt(name).await?;
    Ok(uid.is_some() && there.is_none_or(|there| there.metadata.uid.as_deref() != uid))
}
