//! A run that uses more memory than it may gives some back: a worker that has grown past its share ends between two
//! tests, and a fresh one takes its place.
//!
//! It is told what workers use and starts nothing by itself. What a worker shares with the template is not its own.

use outpace_model::{ItemIndex, WorkerIndex};
use outpace_protocol::{Recycled, ToController};

use crate::run::{Run, TemplateStage};
use crate::worker::{Asking, Stage};

/// What the run uses, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// What it may use.
    pub limit: u64,
    /// What no worker can give back: the template.
    pub base: u64,
    /// What each worker uses beyond what it shares, and the tests that made it grow most.
    pub own: Vec<(WorkerIndex, u64, Vec<ItemIndex>)>,
}

impl Usage {
    fn total(&self) -> u64 {
        self.own.iter().fold(self.base, |sum, (_, own, _)| sum.saturating_add(*own))
    }

    /// What each of so many workers may have for itself.
    fn share(&self) -> u64 {
        self.limit.saturating_sub(self.base) / u64::try_from(self.own.len().max(1)).unwrap_or(1)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Recycling {
    /// The worker that ends after its test, and what is told then.
    ending: Option<Recycled>,
    /// The one in its place is not announced yet.
    expected: bool,
}

impl Run {
    /// Whether there is a worker whose memory is of interest.
    pub fn has_workers(&self) -> bool {
        !self.finished && self.living().next().is_some()
    }

    /// The process of the template, if it is not a worker.
    pub fn template_pid(&self) -> Option<i32> {
        self.template_pid.filter(|_| self.template == TemplateStage::Serving)
    }

    /// Whether the worker began with the template's memory.
    pub fn is_forked(&self, index: WorkerIndex) -> bool {
        self.workers.get(&index).is_some_and(|worker| worker.forked)
    }

    pub(crate) fn on_usage(&mut self, usage: &Usage) {
        let pending = self.scheduler.as_ref().map_or(0, outpace_schedule::Scheduler::pending);
        let busy = self.recycling.ending.is_some() || self.recycling.expected;
        if usage.total() <= usage.limit || busy || pending == 0 || self.stopping || !self.is_shared() {
            return;
        }
        let share = usage.share();
        let candidates = usage.own.iter().filter(|(index, own, _)| {
            *own > share
                && self.workers.get(index).is_some_and(|worker| {
                    // One that has just begun would be no smaller in its next life.
                    worker.stage == Stage::Active && worker.has_finished_any && !worker.is_template
                })
        });
        let Some((worker, own, items)) = candidates.max_by_key(|(_, own, _)| *own) else { return };
        self.recycling.ending =
            Some(Recycled { worker: *worker, own: *own, share, items: items.clone(), limit: usage.limit });
        if self.workers.get(worker).is_some_and(|worker| worker.asking == Some(Asking::Idle)) {
            self.answer(*worker);
        }
    }

    /// Whether the worker is to start nothing more.
    pub(crate) fn is_recycled(&self, index: WorkerIndex) -> bool {
        self.recycling.ending.as_ref().is_some_and(|ending| ending.worker == index)
    }

    /// A worker is announced.
    pub(crate) fn recycled_announced(&mut self) {
        self.recycling.expected = false;
    }

    /// Called when a worker is gone. One that crashed instead is replaced for that reason.
    pub(crate) fn recycle_gone(&mut self, index: WorkerIndex, crashed: bool) {
        if self.is_recycled(index)
            && let Some(ending) = self.recycling.ending.take()
            && !crashed
            && !self.stopping
        {
            self.recycling.expected = true;
            self.tell(ToController::Recycled(ending));
        }
    }

    pub(crate) fn awaits_recycled(&self) -> bool {
        self.recycling.expected && !self.stopping
    }
}
