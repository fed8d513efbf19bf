//! What is known about units from outside: who was given items of which.

use outpace_model::DistMode;
use outpace_schedule::Plan;

pub(crate) struct UnitModel {
    unit_of: Vec<usize>,
    /// The worker that was given items of the unit last, not counting items that were requeued: one that was requeued
    /// after all of its unit was granted may run elsewhere.
    owners: Vec<Option<u32>>,
}

impl UnitModel {
    pub(crate) fn new(plan: &Plan) -> Self {
        let name = |position: usize| {
            let node_id = &plan.node_ids[position];
            let cut = match plan.mode {
                DistMode::LoadScope => node_id.rfind("::"),
                DistMode::LoadFile => node_id.find("::"),
                _ => None,
            };
            let group =
                plan.groups.get(position).cloned().flatten().filter(|_| plan.mode == DistMode::LoadGroup);
            (group.clone(), group.map_or(&node_id[..cut.unwrap_or(node_id.len())], |_| ""))
        };
        let mut names = Vec::new();
        let unit_of = (0..plan.node_ids.len())
            .map(|position| {
                let name = name(position);
                names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                })
            })
            .collect();
        Self { unit_of, owners: vec![None; names.len()] }
    }

    /// A batch belongs to one unit, and no other live worker was given items of that unit.
    pub(crate) fn granted(
        &mut self,
        worker: u32,
        batch: &[u32],
        requeued: &[bool],
        is_live: impl Fn(u32) -> bool,
    ) {
        assert!(batch.iter().all(|&item| self.unit(item) == self.unit(batch[0])), "{batch:?} crosses units");
        for &item in batch.iter().filter(|&&item| !requeued[item as usize]) {
            let unit = self.unit(item);
            let owner = &mut self.owners[unit];
            if !owner.is_some_and(&is_live) {
                *owner = Some(worker);
            }
            assert_eq!(*owner, Some(worker), "unit {unit} is split");
        }
    }

    /// Is there a unit with items in the pool that is neither begun by a live worker nor set aside for one? Units
    /// of which an item was requeued are left out.
    pub(crate) fn has_free_unit(
        &self,
        pool: &[u32],
        requeued: &[bool],
        unasked: usize,
        is_live: impl Fn(u32) -> bool,
    ) -> bool {
        let untouched = self.owners.iter().filter(|owner| owner.is_none()).count();
        let disturbed: Vec<usize> =
            (0..).zip(requeued).filter(|(_, again)| **again).map(|(item, _)| self.unit(item)).collect();
        let orphaned = |&item: &u32| self.owner(item).is_some_and(|owner| !is_live(owner));
        untouched > unasked
            || pool.iter().filter(|&&item| !disturbed.contains(&self.unit(item))).any(orphaned)
    }

    pub(crate) fn has_bound_items(&self, worker: u32, pool: &[u32], requeued: &[bool]) -> bool {
        pool.iter().any(|&item| !requeued[item as usize] && self.owner(item) == Some(worker))
    }

    pub(crate) fn check_order(&self, started: &[u32]) {
        for unit in 0..self.owners.len() {
            let members: Vec<u32> = started.iter().copied().filter(|&item| self.unit(item) == unit).collect();
            assert!(members.is_sorted(), "unit {unit} ran as {members:?}");
        }
    }

    fn unit(&self, item: u32) -> usize {
        self.unit_of[item as usize]
    }

    fn owner(&self, item: u32) -> Option<u32> {
        self.owners[self.unit(item)]
    }
}
