//! Marked tests under a scheduler in the controller: each worker goes through its own list, in its order.
//!
//! Nothing moves between workers, so a worker whose next test may not start yet waits. Once a worker has
//! asked and its next test is serial, nobody starts anything before that has run; of several, the one with the lowest
//! number has its turn first.

use std::collections::BTreeSet;

use outpace_model::{ItemIndex, WorkerIndex};

use crate::facts::Facts;
use crate::hindrance::Hindrance;
use crate::holdings::Holdings;
use crate::marks::{Demand, Share};
use crate::own_queues::OwnQueues;
use crate::plan::{Plan, number};

#[derive(Clone, Debug)]
pub(crate) struct Turns {
    facts: Facts,
    holdings: Holdings,
    /// All of them: what will be assigned is not known.
    resources: BTreeSet<u32>,
    /// Who asked when its next test was serial.
    waiting: BTreeSet<WorkerIndex>,
    pub(crate) queues: OwnQueues,
}

impl Turns {
    pub(crate) fn new(plan: &Plan) -> Self {
        let facts = Facts::new(plan);
        let (holdings, queues) = (Holdings::new(&facts), OwnQueues::external(plan));
        let resources = (0..number(facts.capacities.len())).collect();
        Self { facts, holdings, resources, waiting: BTreeSet::new(), queues }
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        self.queues.remove_worker(worker, unstarted);
        self.holdings.remove(worker, &self.facts);
        self.waiting.remove(&worker);
    }

    /// The next item, if it may start now. One at a time.
    pub(crate) fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        let Some(item) = self.queues.next_of(worker).filter(|_| max > 0) else { return Vec::new() };
        let fact = self.facts.get(item);
        let needs = fact.map_or(&[][..], |fact| self.facts.needs(fact));
        let is_serial = fact.is_some_and(|fact| fact.serial);
        if is_serial {
            self.waiting.insert(worker);
        }
        if self.holdings.is_locked_out(worker, &self.facts)
            || self.serial_turn().is_some_and(|turn| turn != worker)
            || (is_serial && !self.holdings.is_alone(worker))
            || !self.holdings.fits(worker, needs, &self.facts)
            || self.holdings.must_tear_down(worker, needs, &self.resources, &self.facts)
        {
            return Vec::new();
        }
        self.waiting.remove(&worker);
        let items = self.queues.take(worker, 1);
        self.holdings.grant(worker, &items, &self.facts);
        items
    }

    pub(crate) fn is_serial(&self, item: ItemIndex) -> bool {
        self.facts.get(item).is_some_and(|fact| fact.serial)
    }

    pub(crate) fn hindrance(&self, worker: WorkerIndex) -> Option<Hindrance> {
        if self.holdings.is_locked_out(worker, &self.facts) || self.serial_turn().is_some() {
            return Some(Hindrance::Serial);
        }
        let fact = self.queues.next_of(worker).and_then(|item| self.facts.get(item))?;
        let lacks =
            |demand: &&Demand| !self.holdings.fits(worker, std::slice::from_ref(*demand), &self.facts);
        Hindrance::of_resources(self.facts.needs(fact).iter().filter(lacks).map(|demand| demand.resource))
    }

    /// The worker whose serial test all others wait for.
    fn serial_turn(&self) -> Option<WorkerIndex> {
        let is_serial = |item| self.facts.get(item).is_some_and(|fact| fact.serial);
        self.waiting.iter().copied().find(|worker| self.queues.next_of(*worker).is_some_and(is_serial))
    }

    pub(crate) fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        self.queues.give_back(worker, items);
        self.holdings.revoke(worker, items, &self.facts);
    }

    pub(crate) fn finish(&mut self, worker: WorkerIndex, item: ItemIndex) -> bool {
        self.holdings.finish(worker, item, &self.facts)
    }

    pub(crate) fn tear_down(&mut self, worker: WorkerIndex) -> bool {
        self.holdings.tear_down(worker, &self.facts)
    }

    pub(crate) fn shares(&self, worker: WorkerIndex, item: ItemIndex) -> Vec<Share> {
        self.holdings.shares(worker, item, &self.facts)
    }
}
