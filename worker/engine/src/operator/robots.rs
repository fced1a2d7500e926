//! What all operators of one computation share: the robots' observations, the span whose rows are written, the accounts.

use crate::account::Account;
use crate::arrange::RobotSignals;
use crate::steps::{self, Step, Steps};
use arrow::array::RecordBatch;
use pipeline::time::Span;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The robots of a computation; a plan's partition is an index into them.
#[derive(Debug)]
pub(crate) struct Robots {
    inputs: Vec<RobotSignals>,
    span: Span,
    accounts: Vec<Mutex<Account>>,
    steps: Vec<Mutex<Steps>>,
}

/// One robot, as an operator sees it.
#[derive(Debug, Clone)]
pub(crate) struct Robot {
    robots: Arc<Robots>,
    index: usize,
}

impl Robots {
    pub(crate) fn new(inputs: Vec<RobotSignals>, span: Span) -> Self {
        let accounts = inputs.iter().map(|_| Mutex::default()).collect();
        let steps = inputs.iter().map(|_| Mutex::default()).collect();
        Self { inputs, span, accounts, steps }
    }

    pub(crate) fn len(&self) -> usize {
        self.inputs.len()
    }

    /// The robot of a partition.
    pub(crate) fn robot(self: &Arc<Self>, index: usize) -> Robot {
        Robot { robots: Arc::clone(self), index }
    }
}

impl Robot {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.robots.inputs[self.index].robot
    }

    /// Rows and onsets inside are ours to write and count; the rest is context.
    pub(crate) fn span(&self) -> Span {
        self.robots.span
    }

    /// The observations of a signal as they came in.
    pub(crate) fn observations(&self, signal: usize) -> Option<&RecordBatch> {
        self.robots.inputs[self.index].signals.get(signal)
    }

    /// Positions of the ascending `times` inside the span.
    pub(crate) fn own(&self, times: &[i64]) -> Range<usize> {
        let span = self.span();
        let from = times.partition_point(|&t| t < span.from_ns);
        let to = times.partition_point(|&t| t < span.from_ns || span.contains(t));
        from..to
    }

    /// Counts something.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Account)) {
        // A poisoned account belongs to a computation that has panicked; its counts are still whole.
        change(&mut self.robots.accounts[self.index].lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what a step took.
    pub(crate) fn spend(&self, step: Step, time: Duration, bytes: usize) {
        let mut taken = self.robots.steps[self.index].lock().unwrap_or_else(PoisonError::into_inner);
        steps::add(&mut taken, step, time, bytes);
    }

    /// What the steps took so far; begins anew.
    pub(crate) fn take_steps(&self) -> Steps {
        std::mem::take(&mut *self.robots.steps[self.index].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was counted so far; begins anew.
    pub(crate) fn take_account(&self) -> Account {
        let mut account = Account::default();
        self.count(|counted| account = std::mem::take(counted));
        account
    }
}
