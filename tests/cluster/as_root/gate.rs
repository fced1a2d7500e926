//! A way from pods to the buckets with gates on it: a request that comes to one is held for as long as the test needs, so that
//! what the test does meanwhile happens at that very moment, however fast or slow the machine is.

use super::shared;
use fleetloom_tests::proxy::{Choice, Moment, Proxy, Request};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Until a request comes to a gate: a pod or two start before it.
const DEADLINE: Duration = Duration::from_secs(180);

/// A way to the buckets. Only the first request that comes to a gate is held.
pub(super) struct Way {
    proxy: Proxy,
    gates: Arc<Gates>,
}

#[derive(Default)]
struct Gates {
    all: Mutex<Vec<Barrier>>,
    moved: Condvar,
}

struct Barrier {
    at: Moment,
    part: String,
    /// Requests that pass before one is held.
    before: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ahead,
    Held,
    Open(Choice),
}

/// A gate; it opens at the latest when it is dropped.
pub(super) struct Gate {
    gates: Arc<Gates>,
    number: usize,
}

impl Way {
    /// Without any gate.
    pub(super) fn new() -> Self {
        let proxy = shared().store().behind_proxy_at(shared().machine());
        let gates = Arc::new(Gates::default());
        let chooser = Arc::clone(&gates);
        proxy.choose(move |at, request| chooser.choose(at, request));
        Self { proxy, gates }
    }

    /// Its beginning, for `endpoint`.
    pub(super) fn endpoint(&self) -> String {
        self.proxy.endpoint()
    }

    /// A gate for the PUT of what has `part` in its path, after `before` others: before the store knows of it, or before the
    /// pod knows of the store's answer.
    pub(super) fn gate(&self, at: Moment, part: &str, before: usize) -> Gate {
        let mut all = self.gates.all();
        all.push(Barrier { at, part: part.to_owned(), before, state: State::Ahead });
        Gate { gates: Arc::clone(&self.gates), number: all.len() - 1 }
    }
}

impl Gate {
    /// Waits until a request stands before it.
    pub(super) fn reached(&self) {
        let not_yet = |all: &mut Vec<Barrier>| all[self.number].state == State::Ahead;
        let waited = self.gates.moved.wait_timeout_while(self.gates.all(), DEADLINE, not_yet);
        let (all, late) = waited.unwrap_or_else(PoisonError::into_inner);
        let part = all[self.number].part.clone();
        drop(all);
        assert!(!late.timed_out(), "no PUT of {part} came within {DEADLINE:?}");
    }

    /// Lets what stands before it go on like that, and all after it pass.
    pub(super) fn open(&self, choice: Choice) {
        self.gates.all()[self.number].state = State::Open(choice);
        self.gates.moved.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if !matches!(self.gates.all()[self.number].state, State::Open(_)) {
            self.open(Choice::Pass);
        }
    }
}

impl Gates {
    fn all(&self) -> MutexGuard<'_, Vec<Barrier>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn choose(&self, at: Moment, request: &Request) -> Choice {
        let mut all = self.all();
        let fits = |gate: &Barrier| {
            gate.state == State::Ahead && gate.at == at && request.verb == "PUT" && request.path.contains(&gate.part)
        };
        let Some(number) = all.iter().position(fits) else { return Choice::Pass };
        if all[number].before > 0 {
            all[number].before -= 1;
            return Choice::Pass;
        }
        all[number].state = State::Held;
        self.moved.notify_all();
        let held = |all: &mut Vec<Barrier>| all[number].state == State::Held;
        let all = self.moved.wait_while(all, held).unwrap_or_else(PoisonError::into_inner);
        match all[number].state {
            State::Open(choice) => choice,
            State::Ahead | State::Held => Choice::Pass,
        }
    }
}
