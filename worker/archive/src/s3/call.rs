//! One call: a place among those under way, tries with pauses between them, and an end after a bounded time.
//!
//! ```text
//! permit ─► try ─► done
//!            ▲ └─► trouble ─► again? ─► pause (jitter) ─┐
//!            └───────────────────────────────────────────┘   until the limit of the call
//! ```

use super::settings::Limits;
use super::trouble::{Kind, Trouble};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Calls under way at a time: more would only queue in the store, and each may hold 8 MiB.
const CALLS: usize = 32;

/// Tries of a call whose answer was lost, or that was told to wait.
const TRIES: u32 = 8;

/// Tries to connect: an address that is wrong stays wrong, and a person waits.
const CONNECTS: u32 = 4;

/// Longest pause, in first ones.
const GROWTH_MAX: u32 = 50;

/// Whether a request may be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Sent twice, it does what it does once.
    Repeatable,
    /// A second one would meet the first: after a lost answer the caller must look.
    Once,
}

/// What all calls of a store share.
#[derive(Debug)]
pub(super) struct Calls {
    permits: Semaphore,
    limits: Limits,
}

impl Calls {
    pub(super) fn new(limits: Limits) -> Self {
        Self { permits: Semaphore::new(CALLS), limits }
    }

    /// Does `attempt` until it succeeds, or another try would not help, or not be allowed, or come too late.
    pub(super) async fn call<T, F>(&self, effect: Effect, attempt: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        // A closed semaphore would mean that the store is being dropped, and nobody calls then.
        let _permit = self.permits.acquire().await.ok();
        let until = Instant::now() + self.limits.call;
        let mut tries = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(self.limits.attempt);
            // Boxed: the SDK's futures are large.
            let trouble = match timeout(left, Box::pin(attempt())).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::late(),
            };
            tries += 1;
            match again(trouble.kind, effect, tries).map(|growth| jittered(self.limits.pause * growth)) {
                Some(pause) if Instant::now() + pause < until => tokio::time::sleep(pause).await,
                _ => return Err(trouble),
            }
        }
    }
}

/// How long to wait at most before another try after so many, in first pauses; `None`: there is no point in one.
fn again(kind: Kind, effect: Effect, tries: u32) -> Option<u32> {
    let tries_max = match kind {
        // None of these had an effect.
        Kind::Busy | Kind::Conflict => TRIES,
        Kind::Unreachable | Kind::KeysUnavailable => CONNECTS,
        Kind::Lost if effect == Effect::Repeatable => TRIES,
        _ => return None,
    };
    (tries < tries_max).then(|| 1_u32.checked_shl(tries - 1).unwrap_or(GROWTH_MAX).min(GROWTH_MAX))
}

/// Between half and all of a pause, so that many callers do not come back together.
fn jittered(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0_u8) % 512;
    pause / 2 + pause * u32::try_from(chance).unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const SHORT: Limits = Limits {
        connect: Duration::from_millis(100),
        attempt: Duration::from_millis(40),
        call: Duration::from_millis(100),
        pause: Duration::from_micros(10),
    };

    /// Tries until success, and the time they took, of a call that fails with these kinds first.
    async fn tried(effect: Effect, kinds: &[Kind]) -> (u32, Result<(), Kind>) {
        let tries = AtomicU32::new(0);
        let attempt = || async {
            let at = tries.fetch_add(1, Ordering::Relaxed) as usize;
            kinds.get(at).map_or(Ok(()), |kind| Err(Trouble::new(*kind, "")))
        };
        let said = Calls::new(SHORT).call(effect, attempt).await.map_err(|trouble| trouble.kind);
        (tries.into_inner(), said)
    }

    #[tokio::test]
    async fn what_had_no_effect_is_tried_again_whatever_it_is() {
        let kinds = [Kind::Busy, Kind::Conflict, Kind::Unreachable];
        assert_eq!(tried(Effect::Once, &kinds).await, (4, Ok(())));
        assert_eq!(tried(Effect::Repeatable, &kinds).await, (4, Ok(())));
    }

    #[tokio::test]
    async fn a_lost_answer_is_asked_for_again_only_where_that_changes_nothing() {
        assert_eq!(tried(Effect::Once, &[Kind::Lost]).await, (1, Err(Kind::Lost)));
        assert_eq!(tried(Effect::Repeatable, &[Kind::Lost; 3]).await, (4, Ok(())));
        assert_eq!(tried(Effect::Repeatable, &[Kind::Lost; 99]).await, (TRIES, Err(Kind::Lost)));
    }

    #[tokio::test]
    async fn what_will_not_pass_is_said_at_once() {
        for kind in [Kind::Missing, Kind::Denied, Kind::WrongKey, Kind::Precondition, Kind::Untrusted, Kind::Refused] {
            assert_eq!(tried(Effect::Repeatable, &[kind]).await, (1, Err(kind)));
        }
        assert_eq!(tried(Effect::Once, &[Kind::Unreachable; 99]).await, (CONNECTS, Err(Kind::Unreachable)));
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_given_up_in_time() {
        let started = Instant::now();
        let never = || std::future::pending::<Result<(), Trouble>>();
        let trouble = Calls::new(SHORT).call(Effect::Repeatable, never).await.unwrap_err();
        assert_eq!(trouble.kind, Kind::Lost);
        assert!(started.elapsed() < SHORT.call * 50, "{:?}", started.elapsed());
    }

    #[test]
    fn pauses_grow_and_are_never_equal_for_all() {
        let growths: Vec<_> = (1..TRIES).filter_map(|tries| again(Kind::Busy, Effect::Once, tries)).collect();
        assert_eq!(growths, [1, 2, 4, 8, 16, 32, 50]);
        let pause = Duration::from_secs(1);
        let chances: std::collections::HashSet<_> = (0..50).map(|_| jittered(pause)).collect();
        assert!(chances.len() > 10 && chances.iter().all(|chance| *chance >= pause / 2 && *chance <= pause));
    }
}
