//! Which unit each item belongs to, and each unit's items in collection order.

use std::cmp::Reverse;
use std::collections::HashMap;

use outpace_model::{DistMode, ItemIndex};

use crate::plan::{Plan, file_of, number, scope_of};
use crate::times::Times;

/// Units up to this size count as equally small when the largest go first.
///
/// xdist hands a worker whose unit has two items or fewer its second unit at once, so small units end on different
/// workers however quick the tests are; keeping them in order of appearance gives the same without holding any back.
const SMALL: usize = 2;

/// What makes two items members of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key<'plan> {
    Group(&'plan str),
    Name(&'plan str),
}

/// The units of a collection, numbered by first appearance.
#[derive(Clone, Debug)]
pub(crate) struct UnitTable {
    unit_of: Vec<u32>,
    /// All items, those of unit 0 first.
    items: Vec<ItemIndex>,
    /// Where the items of a unit begin in `items`; one more entry than units.
    begins: Vec<usize>,
}

impl UnitTable {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut numbers = HashMap::new();
        let unit_of: Vec<u32> = (0..plan.node_ids.len())
            .map(|position| {
                let next = number(numbers.len());
                *numbers.entry(key(plan, position)).or_insert(next)
            })
            .collect();
        let mut begins = vec![0; numbers.len() + 1];
        for &unit in &unit_of {
            begins[unit as usize + 1] += 1;
        }
        for unit in 1..begins.len() {
            begins[unit] += begins[unit - 1];
        }
        let mut items: Vec<ItemIndex> = (0..number(unit_of.len())).map(ItemIndex).collect();
        items.sort_by_key(|item| unit_of[item.get()]);
        Self { unit_of, items, begins }
    }

    /// The units in the order in which they are given out; the largest are those that take longest, where that is known.
    pub(crate) fn in_order(&self, largest_first: bool, times: Option<&Times>) -> Vec<u32> {
        let mut units: Vec<u32> = (0..number(self.begins.len() - 1)).collect();
        if let Some(times) = times.filter(|_| largest_first) {
            let time = |unit| self.items(unit).iter().map(|item| times.of(*item)).sum::<u64>();
            units.sort_by_cached_key(|&unit| Reverse(time(unit)));
        } else if largest_first {
            units.sort_by_key(|&unit| Reverse(self.items(unit).len().max(SMALL)));
        }
        units
    }

    /// The items of a unit, in collection order.
    pub(crate) fn items(&self, unit: u32) -> &[ItemIndex] {
        let unit = unit as usize;
        &self.items[self.begins[unit]..self.begins[unit + 1]]
    }

    pub(crate) fn unit_of(&self, item: ItemIndex) -> u32 {
        self.unit_of[item.get()]
    }
}

fn key(plan: &Plan, position: usize) -> Key<'_> {
    let node_id = plan.node_ids[position].as_str();
    match plan.mode {
        DistMode::LoadScope => Key::Name(scope_of(node_id)),
        DistMode::LoadFile => Key::Name(file_of(node_id)),
        _ => match plan.groups.get(position) {
            Some(Some(group)) => Key::Group(group),
            _ => Key::Name(node_id),
        },
    }
}
