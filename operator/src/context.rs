//! What the controllers share: a client, a clock, the counts, and the words they have read already.

use crate::api::{Archive, Pipeline};
use crate::metrics::Metrics;
use crate::moment::Moment;
use crate::own::Own;
use crate::pace::Pace;
use crate::roster::Roster;
use crate::settle::{self, Settled};
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most words that are kept read: Runs of one Pipeline share them.
const WORDS_MAX: usize = 1_000;

/// Reads the time.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

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
    pub runs: OnceLock<Roster>,
    /// Where events are written.
    pub(crate) recorder: Recorder,
    /// What was written here.
    pub(crate) own: Own,
    /// When the pods of which Job were listed.
    pub(crate) pods: Pace,
    words: Mutex<HashMap<String, Arc<Settled>>>,
    checked: Mutex<HashMap<String, Arc<Settled>>>,
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
            own: Own::default(),
            pods: Pace::default(),
            words: Mutex::default(),
            checked: Mutex::default(),
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
        kept(&self.words, Arc::new(settled))
    }

    /// The words of an Archive and a Pipeline as they are now. The same ones are not checked again, which takes milliseconds; those
    /// that a Run wrote down long ago may have been checked by another version of the operator, and do not count.
    ///
    /// Errors: every mistake as a sentence.
    pub(crate) fn settle(&self, archive: &Archive, pipeline: &Pipeline) -> Result<Arc<Settled>, Vec<String>> {
        let text = settle::text(archive, pipeline);
        let known = self.checked.lock().unwrap_or_else(PoisonError::into_inner).get(&settle::hash(&text)).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let settled = kept(&self.words, Arc::new(settle::settle_text(&text)?));
        Ok(kept(&self.checked, settled))
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

/// Keeps words among others; those that are there already, if they are.
fn kept(words: &Mutex<HashMap<String, Arc<Settled>>>, settled: Arc<Settled>) -> Arc<Settled> {
    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
    if words.len() >= WORDS_MAX {
        words.clear();
    }
    Arc::clone(words.entry(settled.hash.clone()).or_insert(settled))
}
