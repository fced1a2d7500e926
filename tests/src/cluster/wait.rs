//! Waiting for a condition, with a deadline and a sentence for when it passes. Nothing here waits for time alone.

use super::{Result, Trouble};
use std::thread;
use std::time::{Duration, Instant};

/// Asks until there is an answer.
///
/// Errors: `ask` failed, or gave nothing until the deadline; then `what` was not so.
pub(super) fn until<T>(
    what: &str,
    deadline: Duration,
    poll: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if started.elapsed() > deadline {
            return Err(Trouble::new(format!("{what}: not so after {} s", deadline.as_secs())));
        }
        thread::park_timeout(poll);
    }
}
