//! What this operator wrote itself. Its watches tell of it too, and that is no news: whoever wrote went on from there.

use kube::ResourceExt;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most objects whose last write is remembered; without it they are only looked at once more.
const WRITES_MAX: usize = 10_000;

/// The version of each object that this operator wrote last, by UID, until the watch tells of it.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<HashMap<String, String>>);

impl Own {
    /// Remembers an object as it was just stored.
    pub(crate) fn wrote(&self, object: &impl ResourceExt) {
        let (Some(uid), Some(version)) = (object.uid(), object.resource_version()) else { return };
        let mut writes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if writes.len() >= WRITES_MAX {
            writes.clear();
        }
        writes.insert(uid, version);
    }

    /// Whether a watch tells of more than that write.
    pub(crate) fn is_news(&self, seen: &impl ResourceExt) -> bool {
        let (Some(uid), version) = (seen.uid(), seen.resource_version()) else { return true };
        let mut writes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = version.is_some() && writes.get(&uid) == version.as_ref();
        if is_known {
            writes.remove(&uid);
        }
        !is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::batch::v1::Job;
    use serde_json::json;

    #[test]
    fn a_write_is_no_news_once_and_what_comes_after_it_is() {
        let job = |version: &str| -> Job {
            serde_json::from_value(json!({"metadata": {"uid": "u", "resourceVersion": version}})).unwrap()
        };
        let own = Own::default();
        assert!(own.is_news(&job("7")), "somebody else's");
        own.wrote(&job("8"));
        assert!(own.is_news(&job("7")) && !own.is_news(&job("8")));
        assert!(own.is_news(&job("8")), "the watch began anew, and nobody knows what was missed");
        own.wrote(&job("9"));
        own.wrote(&job("10"));
        assert!(own.is_news(&job("9")), "the last write counts");
        assert!(!own.is_news(&job("10")));
    }
}
