//! What stands between a worker that asks and the rules of the modes when tests are marked.
//!
//! Marked items wait in [`Pools`], the others in the rules. A worker gets, in this order:
//!
//! 1. nothing while another worker has a serial test;
//! 2. a serial test, when their time has come (at the end: nothing else is pending; at the start: any is pending), the
//!    worker is the one that has them, and every other worker has torn everything down. Until then it gets nothing,
//!    and so the others come to an end of what they have;
//! 3. a test that needs resources, when they are there: such tests come first, since they may have to wait for each other;
//! 4. what the rules say, unless the worker must first tear down a fixture that holds what others wait for.
//!
//! One serial test or one that needs resources is granted at a time, and never ahead. Nothing is granted in parts:
//! whoever waits holds nothing that another one waits for, so there is no deadlock.

use std::collections::BTreeSet;

use outpace_model::{ItemIndex, WorkerIndex};

use crate::facts::Facts;
use crate::hindrance::Hindrance;
use crate::holdings::Holdings;
use crate::marks::Share;
use crate::plan::Plan;
use crate::pools::{Pool, Pools};
use crate::rules::Rules;
use crate::subset::Subset;

#[derive(Clone, Debug)]
pub(crate) struct Gate {
    facts: Facts,
    subset: Subset,
    holdings: Holdings,
    pools: Pools,
    rules: Rules,
    workers: Vec<WorkerIndex>,
    /// Who has the serial tests, while it lives.
    serial_worker: Option<WorkerIndex>,
}

impl Gate {
    pub(crate) fn new(plan: &Plan) -> Self {
        let facts = Facts::new(plan);
        let subset = Subset::of_unmarked(plan, &facts);
        Self {
            holdings: Holdings::new(&facts),
            pools: Pools::new(plan, &facts),
            rules: Rules::new(&subset.plan(plan)),
            workers: plan.workers.clone(),
            serial_worker: None,
            subset,
            facts,
        }
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn add_worker(&mut self, worker: WorkerIndex) {
        if !self.workers.contains(&worker) {
            self.workers.push(worker);
            self.rules.add_worker(worker);
            self.pools.add_worker(worker);
        }
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        if self.workers.contains(&worker) {
            self.workers.retain(|each| *each != worker);
            self.rules.remove_worker(worker, &self.subset.inner(unstarted));
            self.pools.remove_worker(worker, &self.marked(unstarted), &self.facts);
            self.holdings.remove(worker, &self.facts);
            self.serial_worker = self.serial_worker.filter(|each| *each != worker);
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        if max == 0 || !self.workers.contains(&worker) || self.holdings.is_locked_out(worker, &self.facts) {
            return Vec::new();
        }
        if self.is_time_for_serial() {
            return self.take_serial(worker).into_iter().collect();
        }
        let wanted = self.wanted_of(worker);
        let Some(pool) = self.pools.of_mut(worker) else { return Vec::new() };
        if let Some(item) = pool.blocks.take(worker, &wanted, &mut self.holdings, &self.facts) {
            self.rules.share_first(worker);
            return vec![item];
        }
        self.take_unmarked(worker, &wanted, max)
    }

    /// As [`Gate::take`], for a worker that has not started all it has: unmarked items only, and none while a marked one
    /// could start, which then comes with its next question.
    pub(crate) fn take_ahead(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        let wanted = self.wanted_of(worker);
        let could_start = |pool: &Pool| pool.blocks.could_start(worker, &wanted, &self.holdings, &self.facts);
        if self.holdings.is_locked_out(worker, &self.facts)
            || self.is_time_for_serial()
            || self.pools.of(worker).is_none_or(could_start)
        {
            return Vec::new();
        }
        self.take_unmarked(worker, &wanted, max)
    }

    /// What waits for resources, as far as the worker's fixtures may hold it.
    fn wanted_of(&self, worker: WorkerIndex) -> BTreeSet<u32> {
        let has_lasting = self.holdings.has_lasting(worker, &self.facts);
        if has_lasting { self.pools.wanted(&self.facts) } else { BTreeSet::new() }
    }

    fn take_unmarked(&mut self, worker: WorkerIndex, wanted: &BTreeSet<u32>, max: usize) -> Vec<ItemIndex> {
        if self.holdings.must_tear_down(worker, &[], wanted, &self.facts) {
            return Vec::new();
        }
        let items = self.subset.outer(&self.rules.take(worker, max));
        self.holdings.grant(worker, &items, &self.facts);
        items
    }

    fn is_time_for_serial(&self) -> bool {
        let parallel_pending = || self.rules.pending() + self.pools.parallel_pending();
        self.pools.serial_pending() > 0 && (self.facts.serial_first || parallel_pending() == 0)
    }

    fn take_serial(&mut self, worker: WorkerIndex) -> Option<ItemIndex> {
        let still_has_some = |other: WorkerIndex| {
            other != worker && self.pools.of(other).is_some_and(|pool| !pool.serial.is_empty())
        };
        if self.serial_worker.is_some_and(still_has_some) || !self.holdings.is_alone(worker) {
            return None;
        }
        let pool = self.pools.of_mut(worker)?;
        let item = pool.serial.iter().next()?;
        let needs = self.facts.get(item).map_or(&[][..], |fact| self.facts.needs(fact));
        if !self.holdings.fits(worker, needs, &self.facts) {
            return None;
        }
        let mut taken = Vec::with_capacity(1);
        pool.serial.fill(&mut taken, 1);
        self.holdings.grant(worker, &taken, &self.facts);
        self.serial_worker = Some(worker);
        self.rules.share_first(worker);
        Some(item)
    }

    pub(crate) fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if self.workers.contains(&worker) {
            let marked = self.marked(items);
            self.rules.give_back(worker, &self.subset.inner(items));
            self.holdings.revoke(worker, &marked, &self.facts);
            if let Some(pool) = self.pools.of_mut(worker) {
                pool.put_back(&marked, &self.facts);
            }
        }
    }

    pub(crate) fn requeue(&mut self, item: ItemIndex) {
        if self.facts.get(item).is_some() {
            self.pools.requeue(item, &self.facts);
        }
        for &item in &self.subset.inner(&[item]) {
            self.rules.requeue(item);
        }
    }

    pub(crate) fn finish(&mut self, worker: WorkerIndex, item: ItemIndex) -> bool {
        self.holdings.finish(worker, item, &self.facts)
    }

    pub(crate) fn tear_down(&mut self, worker: WorkerIndex) -> bool {
        if let Some(pool) = self.pools.of_mut(worker) {
            pool.blocks.unbind(worker);
            self.holdings.bind(worker, None, &self.facts);
        }
        self.holdings.tear_down(worker, &self.facts)
    }

    pub(crate) fn shares(&self, worker: WorkerIndex, item: ItemIndex) -> Vec<Share> {
        self.holdings.shares(worker, item, &self.facts)
    }

    pub(crate) fn pending(&self) -> usize {
        self.rules.pending() + self.pools.parallel_pending() + self.pools.serial_pending()
    }

    pub(crate) fn has_work_for(&self, worker: WorkerIndex) -> bool {
        let marked = self.pools.of(worker).is_some_and(|pool| pool.pending() > 0);
        self.workers.contains(&worker) && (marked || self.rules.has_work_for(worker))
    }

    pub(crate) fn is_serial(&self, item: ItemIndex) -> bool {
        self.facts.get(item).is_some_and(|fact| fact.serial)
    }

    pub(crate) fn hindrance(&self, worker: WorkerIndex) -> Option<Hindrance> {
        if self.holdings.is_locked_out(worker, &self.facts) || self.is_time_for_serial() {
            return Some(Hindrance::Serial);
        }
        let pool = self.pools.of(worker)?;
        Hindrance::of_resources(pool.blocks.lacking(worker, &self.holdings, &self.facts))
    }

    fn marked(&self, items: &[ItemIndex]) -> Vec<ItemIndex> {
        items.iter().copied().filter(|item| self.facts.get(*item).is_some()).collect()
    }
}
