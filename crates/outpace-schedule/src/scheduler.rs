//! The one type the other crates see: it sends each call to the rules of the mode.

use outpace_model::{DistMode, ItemIndex, WorkerIndex};

use crate::own_queues::OwnQueues;
use crate::plan::Plan;
use crate::spans::Spans;
use crate::units::Units;

/// Says which items a worker gets next. Every item it is told of is a position in the plan's collection.
#[derive(Clone, Debug)]
pub struct Scheduler {
    rules: Rules,
}

#[derive(Clone, Debug)]
enum Rules {
    Spans(Spans),
    Units(Units),
    Each(OwnQueues),
    External(OwnQueues),
}

impl Scheduler {
    /// Shares `plan`'s collection out among its workers. A worker named twice counts once.
    pub fn new(plan: &Plan) -> Self {
        let rules = match plan.mode {
            DistMode::Load | DistMode::WorkSteal => Rules::Spans(Spans::new(plan)),
            DistMode::LoadScope | DistMode::LoadFile | DistMode::LoadGroup => Rules::Units(Units::new(plan)),
            DistMode::Each => Rules::Each(OwnQueues::each(plan)),
            DistMode::External => Rules::External(OwnQueues::external(plan)),
        };
        Self { rules }
    }

    /// A worker joined that was not in the plan (a replacement, or one more).
    pub fn add_worker(&mut self, worker: WorkerIndex) {
        match &mut self.rules {
            Rules::Spans(spans) => spans.add_worker(worker),
            Rules::Units(units) => units.add_worker(worker),
            Rules::Each(queues) | Rules::External(queues) => queues.add_worker(worker),
        }
    }

    /// The worker is gone for good. `unstarted` (what it was granted and has not started, in the order granted) and
    /// what was set aside for it go back to the pool. In `Each` they wait for the worker that is added in its place; in
    /// `External` its list is dropped.
    pub fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        match &mut self.rules {
            Rules::Spans(spans) => spans.remove_worker(worker, unstarted),
            Rules::Units(units) => units.remove_worker(worker, unstarted),
            Rules::Each(queues) | Rules::External(queues) => queues.remove_worker(worker, unstarted),
        }
    }

    /// The next items for this worker, at most `max`; empty when there is nothing for it now. In the unit modes all
    /// of them belong to one unit.
    pub fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        match &mut self.rules {
            Rules::Spans(spans) => spans.take(worker, max),
            Rules::Units(units) => units.take(worker, max),
            Rules::Each(queues) | Rules::External(queues) => queues.take(worker, max),
        }
    }

    /// `items` were granted to `worker`, which keeps running, but revoked before they started. They are pending again,
    /// in their order: for any worker in the span modes, for this worker in the others.
    pub fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        match &mut self.rules {
            Rules::Spans(spans) => spans.give_back(worker, items),
            Rules::Units(units) => units.give_back(worker, items),
            Rules::Each(queues) | Rules::External(queues) => queues.give_back(worker, items),
        }
    }

    /// Runs an item that nobody holds again, before what is pending. In the unit modes it joins what is left to grant
    /// of its unit, on the worker that has it or in the queue. Ignored in `Each` and `External`.
    pub fn requeue(&mut self, item: ItemIndex) {
        match &mut self.rules {
            Rules::Spans(spans) => spans.requeue(item),
            Rules::Units(units) => units.requeue(item),
            Rules::Each(_) | Rules::External(_) => {}
        }
    }

    /// Could another worker run items that are granted to one worker and not started?
    pub fn is_revocable(&self) -> bool {
        matches!(self.rules, Rules::Spans(_))
    }

    /// How many items nobody holds; in `Each` and `External` the sum over live workers.
    pub fn pending(&self) -> usize {
        match &self.rules {
            Rules::Spans(spans) => spans.pending(),
            Rules::Units(units) => units.pending(),
            Rules::Each(queues) | Rules::External(queues) => queues.pending(),
        }
    }

    /// Could `take(worker, 1)` give something now?
    pub fn has_work_for(&self, worker: WorkerIndex) -> bool {
        match &self.rules {
            Rules::Spans(spans) => spans.has_work_for(worker),
            Rules::Units(units) => units.has_work_for(worker),
            Rules::Each(queues) | Rules::External(queues) => queues.has_work_for(worker),
        }
    }

    /// Adds `items` to the end of the worker's list. `External` only, ignored elsewhere.
    pub fn assign(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if let Rules::External(queues) = &mut self.rules {
            queues.assign(worker, items);
        }
    }

    /// Takes back all of `items`, in list order, if all of them are still in the worker's list; else none.
    /// `External` only, nothing elsewhere.
    pub fn unassign(&mut self, worker: WorkerIndex, items: &[ItemIndex]) -> Vec<ItemIndex> {
        match &mut self.rules {
            Rules::External(queues) => queues.unassign(worker, items),
            _ => Vec::new(),
        }
    }
}
