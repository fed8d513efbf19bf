//! `loadscope`, `loadfile` and `loadgroup`: whole units, each on one worker.
//!
//! A worker draws a unit and gets nothing else until all of that unit has been granted; a batch never reaches into
//! the next unit. What it hands back stays bound to it. Only when the worker is gone does the rest of its unit become
//! available again, in front of all others. Planned worker *k* has unit *k* set aside for it.
//!
//! The invariant: the items of a unit that are not granted yet are in one place, so a unit is never shared by two
//! live workers. The one exception is an item asked for again after all of its unit was granted.

use std::collections::{BTreeMap, VecDeque};

use outpace_model::{ItemIndex, WorkerIndex};

use crate::plan::Plan;
use crate::runs::Runs;
use crate::times::Times;
use crate::unit_table::UnitTable;

#[derive(Clone, Debug, Default)]
struct Bound {
    /// The unit that only this worker may draw.
    first: Option<u32>,
    /// The unit drawn last.
    drawn: Option<u32>,
    /// What is left to grant of it, after what the worker handed back.
    rest: Runs,
}

impl Bound {
    fn has_some_of(&self, unit: u32, table: &UnitTable) -> bool {
        let front = self.rest.iter().next();
        front.is_some_and(|item| self.drawn == Some(unit) || table.unit_of(item) == unit)
    }
}

/// The scheduler of the unit modes.
#[derive(Clone, Debug)]
pub(crate) struct Units {
    table: UnitTable,
    bound: BTreeMap<WorkerIndex, Bound>,
    /// Units that came back, before all others; no unit is here twice.
    returned: VecDeque<(u32, Runs)>,
    untouched: VecDeque<u32>,
    pending: usize,
}

impl Units {
    pub(crate) fn new(plan: &Plan) -> Self {
        let table = UnitTable::new(plan);
        let mut untouched = VecDeque::from(table.in_order(plan.reorder, Times::new(plan).as_ref()));
        let mut bound = BTreeMap::<_, Bound>::new();
        for &worker in &plan.workers {
            bound.entry(worker).or_insert_with(|| Bound { first: untouched.pop_front(), ..Bound::default() });
        }
        Self { table, bound, returned: VecDeque::new(), untouched, pending: plan.node_ids.len() }
    }

    pub(crate) fn add_worker(&mut self, worker: WorkerIndex) {
        self.bound.entry(worker).or_default();
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        let Some(Bound { first, rest, .. }) = self.bound.remove(&worker) else { return };
        self.pending += unstarted.len();
        if let Some(unit) = first {
            self.return_items(unit, self.table.items(unit).to_vec());
        }
        let mut parts: Vec<(u32, Vec<ItemIndex>)> = Vec::new();
        for item in unstarted.iter().copied().chain(rest.iter()) {
            let unit = self.table.unit_of(item);
            match parts.iter_mut().rev().find(|(part, _)| *part == unit) {
                Some((_, items)) => items.push(item),
                None => parts.push((unit, vec![item])),
            }
        }
        for (unit, items) in parts.into_iter().rev() {
            self.return_items(unit, items);
        }
    }

    /// The unit that is set aside for the worker is anybody's.
    pub(crate) fn share_first(&mut self, worker: WorkerIndex) {
        if let Some(unit) = self.bound.get_mut(&worker).and_then(|bound| bound.first.take()) {
            self.return_items(unit, self.table.items(unit).to_vec());
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        let mut granted = Vec::new();
        let Some(bound) = self.bound.get_mut(&worker).filter(|_| max > 0) else { return granted };
        if bound.rest.is_empty() {
            let whole = |unit| (unit, self.table.items(unit).iter().copied().collect());
            let drawn = bound
                .first
                .take()
                .map(whole)
                .or_else(|| self.returned.pop_front())
                .or_else(|| self.untouched.pop_front().map(whole));
            let Some((unit, items)) = drawn else { return granted };
            bound.drawn = Some(unit);
            bound.rest = items;
        }
        bound.rest.fill(&mut granted, max);
        let one_unit = granted
            .iter()
            .take_while(|&&item| self.table.unit_of(item) == self.table.unit_of(granted[0]))
            .count();
        bound.rest.prepend(&granted.split_off(one_unit));
        self.pending -= granted.len();
        granted
    }

    pub(crate) fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if let Some(bound) = self.bound.get_mut(&worker) {
            bound.rest.prepend(items);
            self.pending += items.len();
        }
    }

    /// The item joins what is left of its unit where that is; else it is a unit of its own.
    pub(crate) fn requeue(&mut self, item: ItemIndex) {
        let unit = self.table.unit_of(item);
        self.pending += 1;
        let holder = self.bound.values_mut().find(|bound| bound.has_some_of(unit, &self.table));
        match holder {
            Some(bound) => bound.rest.push_front(item),
            None => self.return_items(unit, vec![item]),
        }
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    pub(crate) fn has_work_for(&self, worker: WorkerIndex) -> bool {
        let queued = !self.returned.is_empty() || !self.untouched.is_empty();
        self.bound.get(&worker).is_some_and(|bound| queued || bound.first.is_some() || !bound.rest.is_empty())
    }

    fn return_items(&mut self, unit: u32, items: Vec<ItemIndex>) {
        match self.returned.iter_mut().find(|(waiting, _)| *waiting == unit) {
            Some((_, rest)) => rest.prepend(&items),
            None => self.returned.push_front((unit, items.into_iter().collect())),
        }
    }
}
