//! How long an unclear answer is asked about.

use std::time::Duration;
use tokio::time::Instant;

/// How long, and how often, a store is asked again after an unclear answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the first answer to giving up.
    pub deadline: Duration,
    /// Before the first repetition; it doubles with each, up to [`PAUSE_MAX`].
    pub pause: Duration,
}

/// Longest pause between two repetitions.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Default for Patience {
    /// A minute: longer than a store's usual hiccup, shorter than a person's.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(60), pause: Duration::from_millis(100) }
    }
}

impl Patience {
    /// Starts the clock.
    pub(crate) fn start(self) -> Waiting {
        Waiting { until: Instant::now() + self.deadline, pause: self.pause }
    }
}

/// Patience that is being spent.
#[derive(Debug)]
pub(crate) struct Waiting {
    until: Instant,
    pause: Duration,
}

impl Waiting {
    /// Whether there is time for another try.
    pub(crate) fn has_time(&self) -> bool {
        Instant::now() + self.pause <= self.until
    }

    /// Waits a little. False, at once, when there is no time left.
    pub(crate) async fn pause(&mut self) -> bool {
        if !self.has_time() {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}
