//! A watch that reads as little of an object as its reader wants, and begins anew when it ends.

use futures::TryStreamExt;
use kube::Client;
use kube::api::WatchParams;
use kube::core::{Request, WatchEvent};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a watch waits after it was refused.
const PAUSE: Duration = Duration::from_millis(100);

/// What every reader wants to know of an object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Meta {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) owner_references: Vec<Owner>,
    pub(crate) deletion_timestamp: Option<String>,
}

/// Whose it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub(crate) uid: String,
    pub(crate) name: String,
}

/// An object of which nothing else is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Bare {
    pub(crate) metadata: Meta,
}

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is there, new or changed, or known before.
    There,
    /// It is gone.
    Gone,
}

/// Tells of every object of a collection in all namespaces, and of all that becomes of it, for ever.
pub(crate) async fn watch<T>(client: Client, path: &str, labels: &str, mut tell: impl FnMut(Change, T))
where
    T: DeserializeOwned + Clone,
{
    loop {
        let params = WatchParams::default().labels(labels);
        // From version nought: first all that is there.
        let request = Request::new(path).watch(&params, "0").expect("a watch can be asked for");
        let Ok(events) = client.request_events::<T>(request).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let mut events = Box::pin(events);
        loop {
            match events.try_next().await {
                Ok(Some(WatchEvent::Added(object) | WatchEvent::Modified(object))) => tell(Change::There, object),
                Ok(Some(WatchEvent::Deleted(object))) => tell(Change::Gone, object),
                Ok(Some(WatchEvent::Bookmark(_))) => {}
                Ok(Some(WatchEvent::Error(_)) | None) | Err(_) => break,
            }
        }
    }
}
