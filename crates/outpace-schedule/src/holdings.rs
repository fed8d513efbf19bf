//! Who holds what just now.
//!
//! A worker runs its tests one after the other, so what it holds of a resource is the most that any of them needs: those
//! it was granted and has not finished, the rest of the unit it is bound to, and what a fixture that outlives its test
//! keeps until everything is torn down. A worker that has torn everything down holds nothing.
//!
//! Nothing here chooses; [`Gate`](crate::gate::Gate) does.

use std::collections::{BTreeMap, BTreeSet};

use outpace_model::{ItemIndex, WorkerIndex};

use crate::facts::Facts;
use crate::marks::{Demand, Share};

/// Units of a resource with more of them than this are not told apart: nobody lists that many values.
const MOST_NUMBERED: u64 = 4096;

#[derive(Clone, Debug, Default)]
struct Holder {
    /// Something was granted since it had last torn everything down.
    is_set_up: bool,
    /// Marked items it was granted and has not finished.
    unfinished: Vec<ItemIndex>,
    /// The class of the unit it is bound to.
    bound: Option<usize>,
    /// What outlives its tests.
    lasting: BTreeMap<u32, u64>,
    held: BTreeMap<u32, u64>,
    /// Which units it holds of resources whose units are told apart.
    units: BTreeMap<u32, Vec<u32>>,
}

impl Holder {
    /// The resources that its fixtures hold beyond their tests, or will once these have ended.
    fn outliving(&self, facts: &Facts) -> impl Iterator<Item = u32> {
        let unfinished = self.unfinished.iter().filter_map(|item| facts.get(*item));
        let coming = unfinished.flat_map(|fact| facts.needs(fact)).filter(|demand| demand.lasting);
        self.lasting.keys().copied().chain(coming.map(|demand| demand.resource))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Holdings {
    in_use: Vec<u64>,
    /// The units nobody holds, of resources whose units are told apart.
    free_units: Vec<BTreeSet<u32>>,
    holders: BTreeMap<WorkerIndex, Holder>,
}

impl Holdings {
    pub(crate) fn new(facts: &Facts) -> Self {
        let units = |capacity: &u64| match u32::try_from(*capacity) {
            Ok(count) if *capacity <= MOST_NUMBERED => (0..count).collect(),
            _ => BTreeSet::new(),
        };
        Self {
            in_use: vec![0; facts.capacities.len()],
            free_units: facts.capacities.iter().map(units).collect(),
            holders: BTreeMap::new(),
        }
    }

    /// Whether every worker but this one has torn everything down.
    pub(crate) fn is_alone(&self, worker: WorkerIndex) -> bool {
        self.holders.iter().all(|(other, holder)| *other == worker || !holder.is_set_up)
    }

    /// Whether another worker has a serial test.
    pub(crate) fn is_locked_out(&self, worker: WorkerIndex, facts: &Facts) -> bool {
        let is_serial = |item: &ItemIndex| facts.get(*item).is_some_and(|fact| fact.serial);
        self.holders.iter().any(|(other, holder)| *other != worker && holder.unfinished.iter().any(is_serial))
    }

    /// Whether a fixture of this worker holds something beyond its test, or will.
    pub(crate) fn has_lasting(&self, worker: WorkerIndex, facts: &Facts) -> bool {
        self.holders.get(&worker).is_some_and(|holder| holder.outliving(facts).next().is_some())
    }

    /// Whether the worker must tear everything down before it goes on with a test that has these needs: its fixtures
    /// hold something that this test does not need and others want.
    pub(crate) fn must_tear_down(
        &self,
        worker: WorkerIndex,
        needs: &[Demand],
        wanted: &BTreeSet<u32>,
        facts: &Facts,
    ) -> bool {
        let is_needed = |resource: u32| needs.iter().any(|demand| demand.resource == resource);
        let holder = self.holders.get(&worker);
        holder.is_some_and(|holder| {
            holder.outliving(facts).any(|resource| wanted.contains(&resource) && !is_needed(resource))
        })
    }

    /// Whether these needs could be met for this worker now.
    pub(crate) fn fits(&self, worker: WorkerIndex, needs: &[Demand], facts: &Facts) -> bool {
        let holder = self.holders.get(&worker);
        needs.iter().all(|demand| {
            let held = holder.and_then(|holder| holder.held.get(&demand.resource)).copied().unwrap_or(0);
            let resource = demand.resource as usize;
            self.in_use[resource] - held + held.max(demand.amount) <= facts.capacities[resource]
        })
    }

    /// The class of the last marked item that the worker has not finished.
    pub(crate) fn class_at_work(&self, worker: WorkerIndex, facts: &Facts) -> Option<usize> {
        let item = self.holders.get(&worker)?.unfinished.last()?;
        facts.get(*item).map(|fact| fact.class)
    }

    pub(crate) fn grant(&mut self, worker: WorkerIndex, items: &[ItemIndex], facts: &Facts) {
        let holder = self.holders.entry(worker).or_default();
        holder.is_set_up |= !items.is_empty();
        let before = holder.unfinished.len();
        holder.unfinished.extend(items.iter().filter(|item| facts.get(**item).is_some()));
        if holder.unfinished.len() > before {
            self.settle(worker, facts);
        }
    }

    /// The worker has a unit of this class, to its end.
    pub(crate) fn bind(&mut self, worker: WorkerIndex, class: Option<usize>, facts: &Facts) {
        let holder = self.holders.entry(worker).or_default();
        if holder.bound != class {
            holder.bound = class;
            self.settle(worker, facts);
        }
    }

    /// The items were granted and never started.
    pub(crate) fn revoke(&mut self, worker: WorkerIndex, items: &[ItemIndex], facts: &Facts) {
        if let Some(holder) = self.holders.get_mut(&worker) {
            holder.unfinished.retain(|item| !items.contains(item));
            self.settle(worker, facts);
        }
    }

    /// The item's teardown is over. True when that may let others start.
    pub(crate) fn finish(&mut self, worker: WorkerIndex, item: ItemIndex, facts: &Facts) -> bool {
        let Some(holder) = self.holders.get_mut(&worker) else { return false };
        let Some(position) = holder.unfinished.iter().position(|each| *each == item) else { return false };
        holder.unfinished.remove(position);
        let Some(fact) = facts.get(item) else { return false };
        for demand in facts.needs(fact).iter().filter(|demand| demand.lasting) {
            let amount = holder.lasting.entry(demand.resource).or_default();
            *amount = demand.amount.max(*amount);
        }
        self.settle(worker, facts);
        true
    }

    /// The worker has torn everything down. True when that may let others start.
    pub(crate) fn tear_down(&mut self, worker: WorkerIndex, facts: &Facts) -> bool {
        let Some(holder) = self.holders.get_mut(&worker) else { return false };
        holder.lasting.clear();
        let was_set_up = std::mem::take(&mut holder.is_set_up);
        self.settle(worker, facts);
        was_set_up
    }

    pub(crate) fn remove(&mut self, worker: WorkerIndex, facts: &Facts) {
        if let Some(holder) = self.holders.get_mut(&worker) {
            *holder = Holder {
                held: std::mem::take(&mut holder.held),
                units: std::mem::take(&mut holder.units),
                ..Holder::default()
            };
            self.settle(worker, facts);
            self.holders.remove(&worker);
        }
    }

    /// Which units the item has, of the resources it asked for itself.
    pub(crate) fn shares(&self, worker: WorkerIndex, item: ItemIndex, facts: &Facts) -> Vec<Share> {
        let (Some(holder), Some(fact)) = (self.holders.get(&worker), facts.get(item)) else {
            return Vec::new();
        };
        let share = |demand: &Demand| {
            let count = usize::try_from(demand.amount).unwrap_or(usize::MAX);
            let units = holder.units.get(&demand.resource)?.iter().take(count).copied().collect();
            Some(Share { resource: demand.resource, units })
        };
        fact.own.iter().filter_map(share).collect()
    }

    /// Makes what the worker holds what it needs.
    fn settle(&mut self, worker: WorkerIndex, facts: &Facts) {
        let Some(holder) = self.holders.get_mut(&worker) else { return };
        let mut wanted = holder.lasting.clone();
        let classes = holder.unfinished.iter().filter_map(|item| facts.get(*item)).map(|fact| fact.class);
        for demand in classes.chain(holder.bound).flat_map(|class| &facts.classes[class]) {
            let amount = wanted.entry(demand.resource).or_default();
            *amount = demand.amount.max(*amount);
        }
        for (&resource, &amount) in &holder.held {
            self.in_use[resource as usize] -= amount;
        }
        for (&resource, &amount) in &wanted {
            self.in_use[resource as usize] += amount;
        }
        let had: BTreeSet<u32> = holder.held.keys().chain(wanted.keys()).copied().collect();
        for resource in had {
            let count = usize::try_from(wanted.get(&resource).copied().unwrap_or(0)).unwrap_or(usize::MAX);
            let free = &mut self.free_units[resource as usize];
            let units = holder.units.entry(resource).or_default();
            while units.len() > count {
                free.extend(units.pop());
            }
            while units.len() < count
                && let Some(unit) = free.pop_first()
            {
                units.push(unit);
            }
        }
        holder.held = wanted;
    }
}
