//! `each` and external scheduling: every worker has a list of its own and nothing moves between workers.
//!
//! For `each` the list is the whole collection; for a scheduler in the controller it is what that one assigned.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use outpace_model::{ItemIndex, WorkerIndex};

use crate::plan::{Plan, number};
use crate::runs::Runs;

/// The scheduler of the modes in which nothing is shared.
#[derive(Clone, Debug)]
pub(crate) struct OwnQueues {
    queues: BTreeMap<WorkerIndex, Runs>,
    /// `each`: what workers that are gone had left, for those that take their places. External: nothing.
    legacies: Option<VecDeque<Runs>>,
}

impl OwnQueues {
    /// Every worker starts with the whole collection.
    pub(crate) fn each(plan: &Plan) -> Self {
        Self::starting_with(0..number(plan.node_ids.len()), plan, Some(VecDeque::new()))
    }

    /// Every worker starts with nothing.
    pub(crate) fn external(plan: &Plan) -> Self {
        Self::starting_with(0..0, plan, None)
    }

    fn starting_with(start: Range<u32>, plan: &Plan, legacies: Option<VecDeque<Runs>>) -> Self {
        let queues = plan.workers.iter().map(|&worker| (worker, Runs::from_span(start.clone()))).collect();
        Self { queues, legacies }
    }

    /// In `each` the worker takes the place of one that is gone, and what that one had left.
    pub(crate) fn add_worker(&mut self, worker: WorkerIndex) {
        let legacies = &mut self.legacies;
        let legacy = || legacies.as_mut().and_then(VecDeque::pop_front).unwrap_or_default();
        self.queues.entry(worker).or_insert_with(legacy);
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        let Some(mut left) = self.queues.remove(&worker) else { return };
        if let Some(legacies) = &mut self.legacies {
            left.prepend(unstarted);
            // A worker that has finished is not replaced; nothing of it may be taken for what another one left.
            if !left.is_empty() {
                legacies.push_back(left);
            }
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        let mut granted = Vec::new();
        if let Some(queue) = self.queues.get_mut(&worker) {
            queue.fill(&mut granted, max);
        }
        granted
    }

    /// What the worker would get.
    pub(crate) fn next_of(&self, worker: WorkerIndex) -> Option<ItemIndex> {
        self.queues.get(&worker)?.iter().next()
    }

    pub(crate) fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if let Some(queue) = self.queues.get_mut(&worker) {
            queue.prepend(items);
        }
    }

    pub(crate) fn assign(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if let Some(queue) = self.queues.get_mut(&worker) {
            for &item in items {
                queue.push_back(item);
            }
        }
    }

    /// All of `items` in queue order, or none; an item queued twice counts as not there, as in xdist.
    pub(crate) fn unassign(&mut self, worker: WorkerIndex, items: &[ItemIndex]) -> Vec<ItemIndex> {
        let Some(queue) = self.queues.get_mut(&worker) else { return Vec::new() };
        let wanted: BTreeSet<ItemIndex> = items.iter().copied().collect();
        let (taken, kept): (Vec<_>, Vec<_>) = queue.iter().partition(|item| wanted.contains(item));
        if taken.len() != wanted.len() {
            return Vec::new();
        }
        *queue = kept.into_iter().collect();
        taken
    }

    pub(crate) fn pending(&self) -> usize {
        self.queues.values().map(Runs::len).sum()
    }

    pub(crate) fn has_work_for(&self, worker: WorkerIndex) -> bool {
        self.queues.get(&worker).is_some_and(|queue| !queue.is_empty())
    }
}
