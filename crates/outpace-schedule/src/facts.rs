//! The marks of a collection, arranged for looking up. It never changes during a run.

use std::collections::BTreeMap;

use outpace_model::ItemIndex;

use crate::marks::{Demand, Marks};
use crate::plan::{Plan, number};
use crate::ties::Ties;

/// What is to be known of a marked item. In the unit modes the items beside a marked one are marked too: a unit takes
/// at once whatever its items need. So does a chain.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) serial: bool,
    /// Items of one class need the same.
    pub(crate) class: usize,
    /// Items of one unit or chain stay on one worker.
    pub(crate) unit: u32,
    /// What it asked for itself.
    pub(crate) own: Vec<Demand>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) serial_first: bool,
    pub(crate) capacities: Vec<u64>,
    /// What each class needs, by resource.
    pub(crate) classes: Vec<Vec<Demand>>,
    items: BTreeMap<ItemIndex, Fact>,
}

impl Facts {
    pub(crate) fn new(plan: &Plan) -> Self {
        let Marks { serial_first, capacities, items: marks } = &plan.marks;
        let mut facts =
            Self { serial_first: *serial_first, capacities: capacities.clone(), ..Self::default() };
        let ties = Ties::new(plan);
        let mut numbers = BTreeMap::new();
        for (&item, mark) in marks.range(..ItemIndex(number(plan.node_ids.len()))) {
            if facts.items.contains_key(&item) {
                continue;
            }
            let demands = |item: &ItemIndex| marks.get(item).map_or(&[][..], |mark| &mark.demands);
            let Some(members) = ties.of(item).filter(|_| !mark.serial) else {
                let own = facts.within_capacity(&mark.demands);
                let class = facts.class(&mut numbers, own.clone());
                facts.items.insert(item, Fact { serial: mark.serial, class, unit: item.0, own });
                continue;
            };
            let all: Vec<Demand> = members.iter().flat_map(demands).copied().collect();
            let all = facts.within_capacity(&all);
            let class = facts.class(&mut numbers, all);
            let unit = members.first().map_or(item.0, |first| first.0);
            for member in members {
                let own = facts.within_capacity(demands(member));
                facts.items.insert(*member, Fact { serial: false, class, unit, own });
            }
        }
        facts
    }

    pub(crate) fn get(&self, item: ItemIndex) -> Option<&Fact> {
        self.items.get(&item)
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = (ItemIndex, &Fact)> {
        self.items.iter().map(|(item, fact)| (*item, fact))
    }

    pub(crate) fn needs(&self, fact: &Fact) -> &[Demand] {
        &self.classes[fact.class]
    }

    pub(crate) fn do_share_a_resource(&self, one: usize, other: usize) -> bool {
        let other = &self.classes[other];
        self.classes[one].iter().any(|demand| other.iter().any(|each| each.resource == demand.resource))
    }

    fn class(&mut self, numbers: &mut BTreeMap<Vec<Demand>, usize>, needs: Vec<Demand>) -> usize {
        *numbers.entry(needs).or_insert_with_key(|needs| {
            self.classes.push(needs.clone());
            self.classes.len() - 1
        })
    }

    /// The most that is asked of each resource, and not more than there is.
    fn within_capacity(&self, demands: &[Demand]) -> Vec<Demand> {
        let mut most = BTreeMap::<u32, Demand>::new();
        for demand in demands {
            let Some(&capacity) = self.capacities.get(demand.resource as usize) else { continue };
            let entry =
                most.entry(demand.resource).or_insert(Demand { amount: 0, lasting: false, ..*demand });
            entry.amount = entry.amount.max(demand.amount.min(capacity));
            entry.lasting |= demand.lasting;
        }
        most.into_values().collect()
    }
}
