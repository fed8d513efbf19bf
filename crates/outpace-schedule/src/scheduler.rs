//! The one type the other crates see: it sends each call to the rules of the mode, through the gate where tests are marked.

use outpace_model::{DistMode, ItemIndex, WorkerIndex};

use crate::gate::Gate;
use crate::hindrance::Hindrance;
use crate::marks::Share;
use crate::own_queues::OwnQueues;
use crate::plan::Plan;
use crate::rules::Rules;
use crate::turns::Turns;

/// Says which items a worker gets next. Every item it is told of is a position in the plan's collection.
#[derive(Clone, Debug)]
pub struct Scheduler {
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    /// Nothing is marked.
    Open(Rules),
    Gate(Box<Gate>),
    Turns(Box<Turns>),
}

impl Scheduler {
    /// Shares `plan`'s collection out among its workers. A worker named twice counts once.
    pub fn new(plan: &Plan) -> Self {
        let way = match plan.mode {
            _ if plan.marks.items.is_empty() => Way::Open(Rules::new(plan)),
            DistMode::External => Way::Turns(Box::new(Turns::new(plan))),
            _ => Way::Gate(Box::new(Gate::new(plan))),
        };
        Self { way }
    }

    /// A worker joined that was not in the plan (a replacement, or one more).
    pub fn add_worker(&mut self, worker: WorkerIndex) {
        match &mut self.way {
            Way::Open(rules) => rules.add_worker(worker),
            Way::Gate(gate) => gate.add_worker(worker),
            Way::Turns(turns) => turns.queues.add_worker(worker),
        }
    }

    /// The worker is gone for good. `unstarted` (what it was granted and has not started, in the order granted) and
    /// what was set aside for it go back to the pool. In `Each` they wait for the worker that is added in its place; in
    /// `External` its list is dropped.
    pub fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        match &mut self.way {
            Way::Open(rules) => rules.remove_worker(worker, unstarted),
            Way::Gate(gate) => gate.remove_worker(worker, unstarted),
            Way::Turns(turns) => turns.remove_worker(worker, unstarted),
        }
    }

    /// The next items for this worker, at most `max`; empty when there is nothing for it now. In the unit modes all
    /// of them belong to one unit; a marked item comes alone. The worker asks for them when it has started all it was
    /// granted before.
    pub fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        match &mut self.way {
            Way::Open(rules) => rules.take(worker, max),
            Way::Gate(gate) => gate.take(worker, max),
            Way::Turns(turns) => turns.take(worker, max),
        }
    }

    /// As [`Scheduler::take`], for a worker that has items it has not started: nothing marked, and nothing that would
    /// keep it from something marked.
    pub fn take_ahead(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        match &mut self.way {
            Way::Open(rules) => rules.take(worker, max),
            Way::Gate(gate) => gate.take_ahead(worker, max),
            Way::Turns(_) => Vec::new(),
        }
    }

    /// `items` were granted to `worker`, which keeps running, but revoked before they started. They are pending again,
    /// in their order: for any worker in the span modes, for this worker in the others (for any if they are marked and
    /// it has none of their unit left).
    pub fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        match &mut self.way {
            Way::Open(rules) => rules.give_back(worker, items),
            Way::Gate(gate) => gate.give_back(worker, items),
            Way::Turns(turns) => turns.give_back(worker, items),
        }
    }

    /// Runs an item that nobody holds again, before what is pending. In the unit modes it joins what is left to grant
    /// of its unit, on the worker that has it or in the queue. Ignored in `Each` and `External`.
    pub fn requeue(&mut self, item: ItemIndex) {
        match &mut self.way {
            Way::Open(rules) => rules.requeue(item),
            Way::Gate(gate) => gate.requeue(item),
            Way::Turns(_) => {}
        }
    }

    /// The item's teardown is over, but for fixtures that outlive it. True when others may be able to start now.
    pub fn finish(&mut self, worker: WorkerIndex, item: ItemIndex) -> bool {
        match &mut self.way {
            Way::Open(_) => false,
            Way::Gate(gate) => gate.finish(worker, item),
            Way::Turns(turns) => turns.finish(worker, item),
        }
    }

    /// The worker has finished all it was granted and torn everything down. True when others may be able to start now.
    pub fn tear_down(&mut self, worker: WorkerIndex) -> bool {
        match &mut self.way {
            Way::Open(_) => false,
            Way::Gate(gate) => gate.tear_down(worker),
            Way::Turns(turns) => turns.tear_down(worker),
        }
    }

    /// Which units of its resources an item has that was granted to this worker.
    pub fn shares(&self, worker: WorkerIndex, item: ItemIndex) -> Vec<Share> {
        match &self.way {
            Way::Open(_) => Vec::new(),
            Way::Gate(gate) => gate.shares(worker, item),
            Way::Turns(turns) => turns.shares(worker, item),
        }
    }

    /// Are any items marked? Then a worker that asks may get nothing although there is something for it.
    pub fn is_gated(&self) -> bool {
        !matches!(self.way, Way::Open(_))
    }

    /// Does the item run alone?
    pub fn is_serial(&self, item: ItemIndex) -> bool {
        match &self.way {
            Way::Open(_) => false,
            Way::Gate(gate) => gate.is_serial(item),
            Way::Turns(turns) => turns.is_serial(item),
        }
    }

    /// Could another worker run items that are granted to one worker and not started?
    pub fn is_revocable(&self) -> bool {
        match &self.way {
            Way::Open(rules) => rules.is_revocable(),
            Way::Gate(gate) => gate.rules().is_revocable(),
            Way::Turns(_) => false,
        }
    }

    /// How many items nobody holds; in `Each` and `External` the sum over live workers.
    pub fn pending(&self) -> usize {
        match &self.way {
            Way::Open(rules) => rules.pending(),
            Way::Gate(gate) => gate.pending(),
            Way::Turns(turns) => turns.queues.pending(),
        }
    }

    /// Could `take(worker, 1)` give something, now or when what holds it back is over?
    pub fn has_work_for(&self, worker: WorkerIndex) -> bool {
        match &self.way {
            Way::Open(rules) => rules.has_work_for(worker),
            Way::Gate(gate) => gate.has_work_for(worker),
            Way::Turns(turns) => turns.queues.has_work_for(worker),
        }
    }

    /// Why a worker that was given nothing got nothing, if other tests or what they hold are the reason.
    pub fn hindrance(&self, worker: WorkerIndex) -> Option<Hindrance> {
        match &self.way {
            Way::Open(_) => None,
            Way::Gate(gate) => gate.hindrance(worker),
            Way::Turns(turns) => turns.hindrance(worker),
        }
    }

    /// Adds `items` to the end of the worker's list. `External` only, ignored elsewhere.
    pub fn assign(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if let Some(queues) = self.external() {
            queues.assign(worker, items);
        }
    }

    /// Takes back all of `items`, in list order, if all of them are still in the worker's list; else none.
    /// `External` only, nothing elsewhere.
    pub fn unassign(&mut self, worker: WorkerIndex, items: &[ItemIndex]) -> Vec<ItemIndex> {
        self.external().map(|queues| queues.unassign(worker, items)).unwrap_or_default()
    }

    fn external(&mut self) -> Option<&mut OwnQueues> {
        match &mut self.way {
            Way::Open(Rules::External(queues)) => Some(queues),
            Way::Turns(turns) => Some(&mut turns.queues),
            _ => None,
        }
    }
}
