//! Failed tests run again when everything else is over: one at a time, alone, each in a worker of its own.
//!
//! The workers of the run have ended by then. The controller announces one worker for each retry; it finds one test,
//! and ends. Whether a test that failed first and passes then is a failure is the controller's to say.

use std::collections::{BTreeMap, VecDeque};

use outpace_model::{DistMode, ItemIndex};
use outpace_protocol::ToController;

use crate::run::Run;

#[derive(Debug, Default)]
pub(crate) struct Retries {
    /// How often a test may run again.
    times: u32,
    used: BTreeMap<ItemIndex, u32>,
    waiting: VecDeque<ItemIndex>,
    /// A worker was asked for and is not announced yet.
    expected: bool,
}

impl Retries {
    /// Whether the test is to run again anyway.
    pub(crate) fn expects(&self, item: ItemIndex) -> bool {
        self.waiting.contains(&item)
    }
}

impl Run {
    pub(crate) fn on_retry(&mut self, times: u32) {
        self.retries.times = times;
    }

    /// Whether a failure of the test now is not its last word.
    pub(crate) fn may_retry(&self, item: ItemIndex) -> bool {
        let used = self.retries.used.get(&item).copied().unwrap_or(0);
        used < self.retries.times && self.is_shared() && self.mode() != DistMode::Each && !self.stopping
    }

    pub(crate) fn retry_later(&mut self, item: ItemIndex) {
        *self.retries.used.entry(item).or_default() += 1;
        self.retries.waiting.push_back(item);
    }

    /// A worker is announced.
    pub(crate) fn retry_announced(&mut self) {
        self.retries.expected = false;
    }

    /// Called when no worker is left. True when the run goes on with a retry.
    pub(crate) fn goes_on_with_a_retry(&mut self) -> bool {
        if self.stopping || self.retries.expected {
            return !self.stopping;
        }
        let Some(item) = self.retries.waiting.pop_front() else { return false };
        self.ledger.reopen(item);
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.requeue(item);
        }
        self.retries.expected = true;
        self.tell(ToController::Grow { count: 1 });
        true
    }
}
