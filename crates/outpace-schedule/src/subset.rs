//! The unmarked items as a collection of their own, so that the rules of the modes need to know of no others.

use outpace_model::ItemIndex;

use crate::facts::Facts;
use crate::marks::Marks;
use crate::plan::{Plan, number};

/// Positions among the unmarked items and positions in the whole collection, both in collection order.
#[derive(Clone, Debug)]
pub(crate) struct Subset {
    items: Vec<ItemIndex>,
}

impl Subset {
    pub(crate) fn of_unmarked(plan: &Plan, facts: &Facts) -> Self {
        let all = (0..number(plan.node_ids.len())).map(ItemIndex);
        Self { items: all.filter(|item| facts.get(*item).is_none()).collect() }
    }

    /// The plan for these items alone.
    pub(crate) fn plan(&self, plan: &Plan) -> Plan {
        let groups = if plan.groups.is_empty() {
            Vec::new()
        } else {
            self.items.iter().map(|item| plan.groups.get(item.get()).cloned().flatten()).collect()
        };
        Plan {
            mode: plan.mode,
            node_ids: self.items.iter().map(|item| plan.node_ids[item.get()].clone()).collect(),
            groups,
            workers: plan.workers.clone(),
            reorder: plan.reorder,
            marks: Marks::default(),
            expected: if plan.expected.is_empty() {
                Vec::new()
            } else {
                self.items.iter().map(|item| plan.expected.get(item.get()).copied().flatten()).collect()
            },
        }
    }

    /// As the whole collection counts.
    pub(crate) fn outer(&self, inner: &[ItemIndex]) -> Vec<ItemIndex> {
        inner.iter().map(|item| self.items[item.get()]).collect()
    }

    /// As this collection counts; marked items are left out.
    pub(crate) fn inner(&self, outer: &[ItemIndex]) -> Vec<ItemIndex> {
        let position = |item| self.items.binary_search(item).ok();
        outer.iter().filter_map(position).map(|position| ItemIndex(number(position))).collect()
    }
}
