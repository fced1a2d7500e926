//! Plays the garbage collector: what belongs to a deleted Run, Pipeline or Job goes with it, and what comes later goes too.

use super::call::{delete, get, is_over};
use super::watch::{Bare, Change, Meta, watch};
use kube::Client;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

const OURS: &str = "/apis/fleetloom.dev/v1alpha1";
const JOBS: &str = "/apis/batch/v1";
const CORE: &str = "/api/v1";

/// Collects until it is dropped.
pub(crate) struct Collector {
    watching: Vec<JoinHandle<()>>,
}

struct Yard {
    client: Client,
    gone: Mutex<HashSet<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    items: Vec<Bare>,
}

impl Collector {
    /// Begins to collect, in all namespaces.
    pub(crate) fn start(client: Client) -> Self {
        let yard = Arc::new(Yard { client, gone: Mutex::default() });
        let watched = [format!("{OURS}/runs"), format!("{OURS}/pipelines"), format!("{JOBS}/jobs")];
        let watching = watched.map(|path| {
            let yard = Arc::clone(&yard);
            tokio::spawn(async move {
                watch(yard.client.clone(), &path, "", |change, object: Bare| yard.see(change, object.metadata)).await;
            })
        });
        Self { watching: watching.into() }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        for watching in &self.watching {
            watching.abort();
        }
    }
}

impl Yard {
    fn see(self: &Arc<Self>, change: Change, object: Meta) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if change == Change::Gone {
            gone.insert(object.uid.clone());
            tokio::spawn(Arc::clone(self).collect(object));
        } else if let Some(owner) = object.owner_references.iter().find(|owner| gone.contains(&owner.uid)) {
            // It came after the end of its owner.
            let owner = Meta { name: owner.name.clone(), uid: owner.uid.clone(), ..object };
            tokio::spawn(Arc::clone(self).collect(owner));
        }
    }

    /// Deletes what belongs to an object that is gone. What is gone by itself, or cannot be listed now, is left.
    async fn collect(self: Arc<Self>, owner: Meta) {
        let Meta { namespace, name, uid, .. } = &owner;
        let of_run = format!("fleetloom.dev/run-uid={uid}");
        let of_pipeline = format!("fleetloom.dev/pipeline={name}");
        let of_job = format!("batch.kubernetes.io/controller-uid={uid}");
        for (api, kind, label) in [
            (OURS, "runs", &of_pipeline),
            (JOBS, "jobs", &of_pipeline),
            (CORE, "configmaps", &of_pipeline),
            (JOBS, "jobs", &of_run),
            (CORE, "configmaps", &of_run),
            (CORE, "pods", &of_job),
        ] {
            let path = format!("{api}/namespaces/{namespace}/{kind}");
            let Ok(list) = get::<List>(&self.client, &format!("{path}?labelSelector={label}")).await else { continue };
            let owned =
                list.items.into_iter().filter(|item| item.metadata.owner_references.iter().any(|it| it.uid == *uid));
            for Bare { metadata } in owned {
                match delete(&self.client, &format!("{path}/{}", metadata.name), &metadata.uid).await {
                    Ok(()) => {}
                    Err(error) if is_over(&error) => {}
                    Err(error) => eprintln!("collector: {}: {error}", metadata.name),
                }
            }
        }
    }
}
