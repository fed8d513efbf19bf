//! Tests that are known from the history to be in each other's way: what keeps them apart in this run, and the line that says so.
//!
//! Those that meet on something get a resource of their own, of which there is one; those whose order matters a chain,
//! which one worker runs in the order of the collection; those that fail beside anything are serial.

use std::collections::{BTreeMap, BTreeSet};

use outpace_model::{Apart, Conflict, DistMode, ItemIndex};
use outpace_protocol::ToController;
use outpace_schedule::{Demand, Marks};

use crate::marks::marks_of;
use crate::run::Run;

/// Things that are named in the line.
const NAMED: usize = 3;

/// What is kept apart.
#[derive(Debug, Default)]
struct Kept<'a> {
    tests: BTreeSet<ItemIndex>,
    on: Vec<&'a str>,
    count: usize,
}

impl Run {
    /// What tests say of themselves, and what is known of them.
    pub(crate) fn marks(&mut self) -> Marks {
        let Some((collection, _)) = &self.reference else { return Marks::default() };
        let mut marks = marks_of(&collection.marks);
        let (conflicts, dropped) = (&self.history.conflicts, &self.history.dropped);
        if conflicts.is_empty() && dropped.is_empty() {
            return marks;
        }
        let items = Items::new(&collection.node_ids, &collection.groups);
        let kept = mind(&mut marks, conflicts, &items, self.mode());
        let doubtful = dropped.iter().filter(|id| items.contains(id)).count();
        let notices = [kept.line(), dropped_line(doubtful)];
        for message in notices.into_iter().flatten() {
            self.tell(ToController::Notice { message });
        }
        marks
    }

    /// The tests run already.
    pub(crate) fn conflicts_came_too_late(&mut self) {
        if !self.history.conflicts.is_empty() {
            let message = "tests that are known to be in each other's way were not kept apart: reading the history took too \
                           long";
            self.tell(ToController::Notice { message: message.to_owned() });
        }
    }
}

/// The collection by node id.
struct Items<'a>(BTreeMap<&'a str, Vec<ItemIndex>>);

impl<'a> Items<'a> {
    fn new(node_ids: &'a [String], groups: &[Option<String>]) -> Self {
        let mut items = BTreeMap::<&str, Vec<ItemIndex>>::new();
        for (item, (place, id)) in (0..).map(ItemIndex).zip(node_ids.iter().enumerate()) {
            let group = groups.get(place).and_then(Option::as_deref);
            items.entry(without_group(id, group)).or_default().push(item);
        }
        Self(items)
    }

    fn contains(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    fn of(&self, conflict: &Conflict) -> BTreeSet<ItemIndex> {
        let found = conflict.tests.iter().filter_map(|id| self.0.get(id.as_str()));
        found.flatten().copied().collect()
    }
}

/// `--dist loadgroup` writes the group into the id.
fn without_group<'a>(id: &'a str, group: Option<&str>) -> &'a str {
    group.and_then(|group| id.strip_suffix(group)?.strip_suffix('@')).unwrap_or(id)
}

/// Adds what follows from the conflicts to what tests say of themselves.
fn mind<'a>(marks: &mut Marks, conflicts: &'a [Conflict], items: &Items<'_>, mode: DistMode) -> Kept<'a> {
    let mut kept = Kept::default();
    let mut chains: Vec<BTreeSet<ItemIndex>> = Vec::new();
    for conflict in conflicts {
        let members = items.of(conflict);
        let nothing_to_mind = members.len() < if conflict.apart == Apart::FromAll { 1 } else { 2 };
        if nothing_to_mind || (conflict.apart == Apart::InOrder && mode == DistMode::External) {
            continue;
        }
        match conflict.apart {
            Apart::InTime => {
                let resource = u32::try_from(marks.capacities.len()).unwrap_or(u32::MAX);
                marks.capacities.push(1);
                for item in &members {
                    let demand = Demand { resource, amount: 1, lasting: conflict.lasting };
                    marks.items.entry(*item).or_default().demands.push(demand);
                }
            }
            Apart::InOrder => chain(&mut chains, members.clone()),
            Apart::FromAll => {
                for item in &members {
                    marks.items.entry(*item).or_default().serial = true;
                }
            }
        }
        kept.count += 1;
        kept.tests.extend(members);
        if !kept.on.contains(&conflict.on.as_str()) {
            kept.on.push(&conflict.on);
        }
    }
    for (number, members) in (0..).zip(chains) {
        // Serial tests have one order and one worker too, but another than the rest.
        let is_serial = |item: &ItemIndex| marks.items.get(item).is_some_and(|mark| mark.serial);
        let all_serial = members.iter().any(is_serial);
        for item in members {
            let mark = marks.items.entry(item).or_default();
            mark.chain = Some(number);
            mark.serial |= all_serial;
        }
    }
    kept
}

/// Chains that have an item in common are one.
fn chain(chains: &mut Vec<BTreeSet<ItemIndex>>, mut members: BTreeSet<ItemIndex>) {
    chains.retain(|known| {
        let is_apart = known.is_disjoint(&members);
        if !is_apart {
            members.extend(known);
        }
        is_apart
    });
    chains.push(members);
}

impl Kept<'_> {
    fn line(&self) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let tests = counted(self.tests.len(), "test is", "tests are");
        let mut on = self.on.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
        if self.on.len() > NAMED {
            on += "; …";
        }
        Some(format!("{tests} kept apart, as `outpace doctor` found them in each other's way: {on}"))
    }
}

fn dropped_line(count: usize) -> Option<String> {
    let tests = counted(count, "test is", "tests are");
    (count > 0).then(|| {
        format!("{tests} not kept apart any more, since a file changed: `outpace doctor` looks at them again")
    })
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict(apart: Apart, tests: &[&str]) -> Conflict {
        let tests = tests.iter().map(|test| (*test).to_owned()).collect();
        Conflict { apart, on: format!("{apart:?}"), lasting: false, tests }
    }

    fn minded(ids: &[&str], conflicts: &[Conflict], mode: DistMode) -> (Marks, Option<String>) {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let mut marks = Marks { capacities: vec![7], ..Marks::default() };
        marks.items.entry(ItemIndex(3)).or_default().serial = true;
        let line = mind(&mut marks, conflicts, &Items::new(&ids, &[]), mode).line();
        (marks, line)
    }

    const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

    #[test]
    fn tests_that_meet_share_a_resource_of_their_own() {
        let conflicts =
            [conflict(Apart::InTime, &["a", "e", "gone"]), conflict(Apart::InTime, &["b", "gone"])];
        let (marks, line) = minded(&IDS, &conflicts, DistMode::Load);
        assert_eq!(marks.capacities, [7, 1]);
        let demand = Demand { resource: 1, amount: 1, lasting: false };
        assert_eq!(marks.items[&ItemIndex(0)].demands, [demand]);
        assert_eq!(marks.items[&ItemIndex(4)].demands, [demand]);
        assert_eq!(marks.items.len(), 3, "a conflict with a test that is not here is none");
        let said = "2 tests are kept apart, as `outpace doctor` found them in each other's way: InTime";
        assert_eq!(line.as_deref(), Some(said));
    }

    #[test]
    fn chains_that_touch_are_one_and_a_serial_member_makes_all_serial() {
        let conflicts = [["a", "b"], ["c", "d"], ["b", "e"]].map(|pair| conflict(Apart::InOrder, &pair));
        let (marks, _) = minded(&IDS, &conflicts, DistMode::Load);
        let of = |item| (marks.items[&ItemIndex(item)].chain, marks.items[&ItemIndex(item)].serial);
        assert_eq!([0, 1, 4].map(of), [(Some(1), false); 3]);
        assert_eq!([2, 3].map(of), [(Some(0), true); 2]);
    }

    #[test]
    fn a_scheduler_in_the_controller_keeps_its_order() {
        let conflicts = [conflict(Apart::InOrder, &["a", "b"])];
        let (marks, line) = minded(&IDS, &conflicts, DistMode::External);
        assert_eq!((marks.items.len(), line), (1, None));
    }

    #[test]
    fn a_test_that_fails_beside_anything_is_serial() {
        let (marks, line) = minded(&IDS, &[conflict(Apart::FromAll, &["b"])], DistMode::Load);
        assert!(marks.items[&ItemIndex(1)].serial);
        assert!(line.unwrap().starts_with("1 test is kept apart"));
    }

    #[test]
    fn the_group_is_no_part_of_the_id() {
        assert_eq!(without_group("a.py::t[x@y]@db", Some("db")), "a.py::t[x@y]");
        assert_eq!(without_group("a.py::t[x@y]", None), "a.py::t[x@y]");
        assert_eq!(without_group("a.py::t", Some("t")), "a.py::t");
    }
}
