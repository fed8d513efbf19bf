//! What really runs at the same time, and what may not.

use std::collections::{BTreeMap, BTreeSet};

use outpace_model::{DistMode, ItemIndex};
use outpace_protocol::{Marks, Need};

use super::happening::Pid;
use super::scenario::Scenario;

#[derive(Debug)]
pub(crate) struct Overlap {
    marks: Marks,
    serial: BTreeSet<ItemIndex>,
    needs: BTreeMap<ItemIndex, Vec<Need>>,
    /// Serial tests, tests that need resources, and the tests of their units.
    marked: BTreeSet<ItemIndex>,
    running: BTreeSet<(Pid, ItemIndex)>,
    /// What fixtures hold that outlive their test.
    lasting: BTreeMap<Pid, BTreeMap<u32, u64>>,
}

impl Overlap {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let marks = scenario.marks();
        let serial: BTreeSet<ItemIndex> = marks.serial.iter().copied().collect();
        let needs: BTreeMap<_, _> =
            marks.demands.iter().map(|each| (each.items[0], each.needs.clone())).collect();
        let units: BTreeSet<u32> =
            needs.keys().filter(|item| !serial.contains(item)).map(|item| scenario.unit_of(*item)).collect();
        let is_marked = |item: &ItemIndex| serial.contains(item) || units.contains(&scenario.unit_of(*item));
        let marked = (0..scenario.items).map(ItemIndex).filter(is_marked).collect();
        Self { marks, serial, needs, marked, running: BTreeSet::new(), lasting: BTreeMap::new() }
    }

    pub(crate) fn is_marked(&self, item: ItemIndex) -> bool {
        self.marked.contains(&item)
    }

    /// Whether serial tests, of which these are not over, keep others from starting.
    pub(crate) fn is_serial_time(&self, held: &BTreeSet<ItemIndex>, open: &BTreeSet<ItemIndex>) -> bool {
        held.intersection(&self.serial).next().is_some()
            || (self.marks.serial_first && open.intersection(&self.serial).next().is_some())
    }

    pub(crate) fn starts(&mut self, pid: Pid, item: ItemIndex) {
        self.running.insert((pid, item));
        for (holder, serial) in self.running.iter().filter(|(_, item)| self.serial.contains(item)) {
            let other = self.running.iter().find(|(other, _)| other != holder);
            assert_eq!(other, None, "{serial:?} is not alone in {holder}");
        }
        for (resource, each) in (0_u32..).zip(&self.marks.resources) {
            let mut in_use: BTreeMap<Pid, u64> = BTreeMap::new();
            for (pid, item) in &self.running {
                for need in self.needs.get(item).into_iter().flatten() {
                    let amount = in_use.entry(*pid).or_default();
                    *amount = (*amount).max(if need.resource == resource { need.amount } else { 0 });
                }
            }
            for (pid, lasting) in &self.lasting {
                let amount = in_use.entry(*pid).or_default();
                *amount = (*amount).max(lasting.get(&resource).copied().unwrap_or(0));
            }
            let sum: u64 = in_use.values().sum();
            assert!(sum <= each.capacity, "{in_use:?} of {each:?}: {self:#?}");
        }
    }

    pub(crate) fn ends(&mut self, pid: Pid, item: ItemIndex, tears_everything_down: bool) {
        self.running.remove(&(pid, item));
        if tears_everything_down {
            self.lasting.remove(&pid);
            return;
        }
        for need in self.needs.get(&item).into_iter().flatten().filter(|need| need.lasting) {
            let amount = self.lasting.entry(pid).or_default().entry(need.resource).or_default();
            *amount = need.amount.max(*amount);
        }
    }

    pub(crate) fn dies(&mut self, pid: Pid) {
        self.running.retain(|(holder, _)| *holder != pid);
        self.lasting.remove(&pid);
    }
}

/// Whether in this mode an idle worker can run any test.
pub(crate) fn is_span_mode(mode: DistMode) -> bool {
    matches!(mode, DistMode::Load | DistMode::WorkSteal)
}
