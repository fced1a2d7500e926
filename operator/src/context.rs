//! What the controllers share: a client, a clock, the counts, and the words they have read already.

use crate::glance::Glance;
use crate::metrics::Metrics;
use crate::moment::Moment;
use crate::pace::Pace;
use crate::settle::Settled;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most words that are kept read: Runs of one Pipeline share them.
const WORDS_MAX: usize = 1_000;

/// Reads the time.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Runs as a watch has them; good for a hint, never for the truth.
pub type Runs = Store<Glance>;

/// What the controllers share.
pub struct Context {
    /// The way to the API server. Tests pass one that fails or stops.
    pub client: Client,
    /// The time. Tests pass one that stands still.
    pub clock: Clock,
    /// Image of workers whose words name none.
    pub image: String,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Runs as the watch has them, once there is one.
    pub runs: OnceLock<Runs>,
    /// Where events are written.
    pub(crate) recorder: Recorder,
    /// When the pods of which Job were listed.
    pub(crate) pods: Pace,
    words: Mutex<HashMap<String, Arc<Settled>>>,
    failures: Mutex<HashMap<String, u32>>,
}

impl Context {
    /// A context around a client.
    pub fn new(client: Client, image: String, clock: Clock) -> Self {
        let reporter = Reporter { controller: "fleetloom-operator".into(), instance: std::env::var("HOSTNAME").ok() };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            clock,
            image,
            metrics: Arc::new(Metrics::new()),
            runs: OnceLock::new(),
            pods: Pace::default(),
            words: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// The time.
    pub fn now(&self) -> Moment {
        (self.clock)()
    }

    /// Words of that hash, if they were read before.
    pub(crate) fn known_words(&self, hash: &str) -> Option<Arc<Settled>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    /// Keeps words for the next look.
    pub(crate) fn keep_words(&self, settled: Settled) -> Arc<Settled> {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() >= WORDS_MAX {
            words.clear();
        }
        Arc::clone(words.entry(settled.hash.clone()).or_insert_with(|| Arc::new(settled)))
    }

    /// Counts a failure of an object: how many there were in a row.
    pub(crate) fn failed_again(&self, object: &str) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.to_owned()).or_insert(0);
        *count += 1;
        *count
    }

    /// Forgets the failures of an object.
    pub(crate) fn succeeded(&self, object: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}
