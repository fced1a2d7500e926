//! The Runs that the watch has, and which of them are of one Pipeline: fifty thousand are not gone through for each look.

use crate::api::Phase;
use crate::glance::Glance;
use crate::moment::Moment;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Runs as a watch has them; good for a hint, never for the truth.
#[derive(Clone)]
pub struct Roster {
    store: Store<Glance>,
    names: Arc<Mutex<Names>>,
}

/// Names of Runs by namespace and Pipeline. One may be left here that the store no longer has, where the watch missed its end.
type Names = HashMap<(String, String), HashSet<Box<str>>>;

impl Roster {
    /// An empty one, of a store that is filled by the watch that [`Self::see`] is told of.
    pub fn of(store: Store<Glance>) -> Self {
        Self { store, names: Arc::default() }
    }

    /// Takes down what the watch saw; whether it is a Run that was not known.
    pub fn see(&self, event: &Event<Glance>) -> bool {
        match event {
            Event::Apply(run) | Event::InitApply(run) => {
                let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                names.entry(key(run)).or_default().insert(run.name_any().into())
            }
            Event::Delete(run) => {
                let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                let key = key(run);
                if let Some(of_pipeline) = names.get_mut(&key) {
                    of_pipeline.remove(run.name_any().as_str());
                    if of_pipeline.is_empty() {
                        names.remove(&key);
                    }
                }
                false
            }
            Event::Init | Event::InitDone => false,
        }
    }

    /// The Runs of a Pipeline.
    pub fn of_pipeline(&self, namespace: &str, pipeline: &str) -> Vec<Arc<Glance>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let of_pipeline = names.get(&(namespace.to_owned(), pipeline.to_owned())).into_iter().flatten();
        of_pipeline.filter_map(|name| self.store.get(&ObjectRef::new(name).within(namespace))).collect()
    }

    /// Whether a Run is there that has not ended.
    pub fn goes_on(&self, run: &ObjectRef<Glance>) -> bool {
        self.store.get(run).is_some_and(|run| !run.phase().is_end())
    }

    /// Where each of them stands, and since when it has not got on, where something is to come of it.
    pub fn standing(&self) -> Vec<(Phase, Option<Moment>)> {
        self.store.state().iter().map(|run| (run.phase(), run.stands_since())).collect()
    }
}

fn key(run: &Glance) -> (String, String) {
    (run.namespace().unwrap_or_default(), run.pipeline().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::reflector;
    use serde_json::json;

    fn run(name: &str, pipeline: &str) -> Glance {
        let metadata = json!({"name": name, "namespace": "fleet", "uid": name});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"pipeline": pipeline}})).unwrap()
    }

    #[test]
    fn runs_are_found_by_their_pipeline_until_they_are_gone() {
        let (store, mut writer) = reflector::store();
        let roster = Roster::of(store);
        let mut see = |event: Event<Glance>| {
            writer.apply_watcher_event(&event);
            roster.see(&event)
        };
        see(Event::Init);
        assert!(see(Event::InitApply(run("a", "stops"))));
        see(Event::InitDone);
        see(Event::Apply(run("b", "stops")));
        see(Event::Apply(run("c", "grips")));
        assert!(!see(Event::Apply(run("b", "stops"))), "it is known");
        let found = |pipeline: &str| {
            let mut names: Vec<String> =
                roster.of_pipeline("fleet", pipeline).iter().map(|run| run.name_any()).collect();
            names.sort();
            names
        };
        assert_eq!((found("stops"), found("grips")), (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]));
        assert!(roster.of_pipeline("elsewhere", "stops").is_empty());
        see(Event::Delete(run("a", "stops")));
        see(Event::Delete(run("c", "grips")));
        assert_eq!((found("stops"), roster.standing().len()), (vec!["b".to_owned()], 1));
        assert!(roster.names.lock().unwrap().len() == 1, "of a Pipeline without Runs nothing is left");
    }
}
