//! Marked items that stay together on one worker: those of a unit, in the modes that have units, and those of a chain.
//! A chain that reaches into several units ties these together.

use std::collections::{BTreeMap, BTreeSet};

use outpace_model::{DistMode, ItemIndex};

use crate::plan::{Plan, number};
use crate::unit_table::UnitTable;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    Unit(u32),
    Chain(u32),
}

/// By marked item, what it is tied to, itself included. Serial items are tied to nothing.
#[derive(Debug, Default)]
pub(crate) struct Ties {
    sets: Vec<BTreeSet<ItemIndex>>,
    set_of: BTreeMap<Tie, usize>,
    /// In which set each item is.
    index: BTreeMap<ItemIndex, usize>,
}

impl Ties {
    pub(crate) fn new(plan: &Plan) -> Self {
        let marks = &plan.marks.items;
        let units = matches!(plan.mode, DistMode::LoadScope | DistMode::LoadFile | DistMode::LoadGroup)
            .then(|| UnitTable::new(plan));
        let is_serial = |item: &ItemIndex| marks.get(item).is_some_and(|mark| mark.serial);
        let mut ties = Self::default();
        for (&item, mark) in marks.range(..ItemIndex(number(plan.node_ids.len()))) {
            if mark.serial {
                continue;
            }
            if let Some(table) = &units {
                let unit = table.unit_of(item);
                let members = table.items(unit).iter().copied().filter(|item| !is_serial(item));
                ties.join(Tie::Unit(unit), members);
            }
            if let Some(chain) = mark.chain {
                ties.join(Tie::Chain(chain), [item]);
            }
            if let (Some(table), Some(chain)) = (&units, mark.chain) {
                ties.merge(Tie::Unit(table.unit_of(item)), Tie::Chain(chain));
            }
        }
        let members = |(number, set): (usize, &BTreeSet<ItemIndex>)| {
            set.iter().map(|item| (*item, number)).collect::<Vec<_>>()
        };
        ties.index = ties.sets.iter().enumerate().flat_map(members).collect();
        ties
    }

    /// What the item is tied to, in collection order; none if that is nothing.
    pub(crate) fn of(&self, item: ItemIndex) -> Option<&BTreeSet<ItemIndex>> {
        self.index.get(&item).map(|set| &self.sets[*set])
    }

    fn join(&mut self, tie: Tie, items: impl IntoIterator<Item = ItemIndex>) {
        let next = self.sets.len();
        let set = *self.set_of.entry(tie).or_insert(next);
        if set == next {
            self.sets.push(BTreeSet::new());
        }
        self.sets[set].extend(items);
    }

    fn merge(&mut self, one: Tie, other: Tie) {
        let (kept, gone) = (self.set_of[&one], self.set_of[&other]);
        if kept != gone {
            let items = std::mem::take(&mut self.sets[gone]);
            self.sets[kept].extend(items);
            self.set_of.values_mut().filter(|set| **set == gone).for_each(|set| *set = kept);
        }
    }
}
