//! Where the marked items wait: in one pool for all workers, or in `each` in a pool of each worker's own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use outpace_model::{DistMode, ItemIndex, WorkerIndex};

use crate::blocks::Blocks;
use crate::facts::Facts;
use crate::plan::Plan;
use crate::runs::Runs;

/// Marked items that nobody has been given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) blocks: Blocks,
    pub(crate) serial: Runs,
}

impl Pool {
    fn new(facts: &Facts) -> Self {
        let serial = facts.items().filter(|(_, fact)| fact.serial).map(|(item, _)| item).collect();
        Self { blocks: Blocks::new(facts), serial }
    }

    pub(crate) fn pending(&self) -> usize {
        self.blocks.pending() + self.serial.len()
    }

    pub(crate) fn put_back(&mut self, items: &[ItemIndex], facts: &Facts) {
        let is_serial = |item: &ItemIndex| facts.get(*item).is_some_and(|fact| fact.serial);
        let (serial, others): (Vec<ItemIndex>, Vec<ItemIndex>) = items.iter().copied().partition(is_serial);
        self.serial.prepend(&serial);
        self.blocks.put_back(&others, facts);
    }
}

/// All pools of a run.
#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Shared(Pool),
    /// What workers that are gone had left is for those that take their places.
    Own {
        by_worker: BTreeMap<WorkerIndex, Pool>,
        legacies: VecDeque<Pool>,
    },
}

impl Pools {
    pub(crate) fn new(plan: &Plan, facts: &Facts) -> Self {
        let pool = Pool::new(facts);
        if plan.mode == DistMode::Each {
            let by_worker = plan.workers.iter().map(|worker| (*worker, pool.clone())).collect();
            Self::Own { by_worker, legacies: VecDeque::new() }
        } else {
            Self::Shared(pool)
        }
    }

    pub(crate) fn add_worker(&mut self, worker: WorkerIndex) {
        if let Self::Own { by_worker, legacies } = self {
            by_worker.entry(worker).or_insert_with(|| legacies.pop_front().unwrap_or_default());
        }
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex], facts: &Facts) {
        match self {
            Self::Shared(pool) => {
                pool.blocks.remove_worker(worker);
                pool.put_back(unstarted, facts);
            }
            Self::Own { by_worker, legacies } => {
                let Some(mut pool) = by_worker.remove(&worker) else { return };
                pool.blocks.remove_worker(worker);
                pool.put_back(unstarted, facts);
                if pool.pending() > 0 {
                    legacies.push_back(pool);
                }
            }
        }
    }

    pub(crate) fn of(&self, worker: WorkerIndex) -> Option<&Pool> {
        match self {
            Self::Shared(pool) => Some(pool),
            Self::Own { by_worker, .. } => by_worker.get(&worker),
        }
    }

    pub(crate) fn of_mut(&mut self, worker: WorkerIndex) -> Option<&mut Pool> {
        match self {
            Self::Shared(pool) => Some(pool),
            Self::Own { by_worker, .. } => by_worker.get_mut(&worker),
        }
    }

    /// Runs an item again. In `each` nothing is.
    pub(crate) fn requeue(&mut self, item: ItemIndex, facts: &Facts) {
        if let Self::Shared(pool) = self {
            pool.blocks.release(item, facts);
            pool.put_back(&[item], facts);
        }
    }

    pub(crate) fn serial_pending(&self) -> usize {
        self.all().map(|pool| pool.serial.len()).sum()
    }

    pub(crate) fn parallel_pending(&self) -> usize {
        self.all().map(|pool| pool.blocks.pending()).sum()
    }

    /// The resources that waiting items need, all workers' together.
    pub(crate) fn wanted(&self, facts: &Facts) -> BTreeSet<u32> {
        self.all().flat_map(|pool| pool.blocks.wanted(facts)).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Pool> {
        let (shared, own) = match self {
            Self::Shared(pool) => (Some(pool), None),
            Self::Own { by_worker, .. } => (None, Some(by_worker.values())),
        };
        shared.into_iter().chain(own.into_iter().flatten())
    }
}
