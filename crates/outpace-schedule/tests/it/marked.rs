//! The rules for serial tests and resources, by example.

use std::collections::BTreeMap;

use outpace_model::{DistMode, ItemIndex};
use outpace_schedule::{Demand, Mark, Marks, Plan};

use crate::plans::{Calls, files, items, plan};

const SERIAL: Mark = Mark { serial: true, demands: Vec::new(), chain: None };

fn needs(amount: u64) -> Mark {
    Mark { demands: vec![Demand { resource: 0, amount, lasting: false }], ..Mark::default() }
}

fn lasting() -> Mark {
    Mark { demands: vec![Demand { resource: 0, amount: 1, lasting: true }], ..Mark::default() }
}

fn marked(
    mode: DistMode,
    sizes: &[usize],
    workers: u32,
    marks: impl IntoIterator<Item = (u32, Mark)>,
) -> Plan {
    let items: BTreeMap<ItemIndex, Mark> =
        marks.into_iter().map(|(item, mark)| (ItemIndex(item), mark)).collect();
    let marks = Marks { serial_first: false, capacities: vec![2], items };
    Plan { marks, ..plan(mode, files(sizes), workers) }
}

impl Calls {
    fn ask(&mut self, worker: u32) -> Vec<u32> {
        self.0.take(outpace_model::WorkerIndex(worker), 9).into_iter().map(|item| item.0).collect()
    }

    fn finish(&mut self, worker: u32, item: u32) -> bool {
        self.0.finish(outpace_model::WorkerIndex(worker), ItemIndex(item))
    }

    fn tear_down(&mut self, worker: u32) -> bool {
        self.0.tear_down(outpace_model::WorkerIndex(worker))
    }
}

#[test]
fn serial_tests_come_last_on_one_worker_in_collection_order_once_the_others_have_torn_down() {
    let mut calls = Calls::new(&marked(DistMode::Load, &[6], 2, [1, 3, 5].map(|item| (item, SERIAL))));
    assert_eq!((calls.ask(0), calls.ask(1), calls.ask(1)), (vec![0], vec![2], vec![4]));
    assert_eq!(calls.ask(0), [0; 0]);
    calls.tear_down(0);
    assert_eq!(calls.ask(0), [0; 0], "the other one is not done");
    assert_eq!(calls.ask(1), [1], "which goes on with the serial ones itself");
    assert_eq!(calls.ask(0), [0; 0]);
    assert!(calls.finish(1, 1));
    assert_eq!(calls.ask(0), [0; 0], "they stay on one worker");
    assert_eq!(calls.ask(1), [3]);
    calls.remove(1, []);
    assert_eq!(calls.ask(0), [5], "unless that is gone");
}

#[test]
fn serial_tests_come_first_where_that_is_asked_for() {
    let mut plan = marked(DistMode::Load, &[4], 2, [(3, SERIAL)]);
    plan.marks.serial_first = true;
    let mut calls = Calls::new(&plan);
    assert_eq!((calls.ask(1), calls.ask(0)), (vec![3], vec![]));
    assert!(calls.finish(1, 3));
    assert_eq!(calls.ask(0), [0]);
}

#[test]
fn whoever_cannot_have_a_resource_gets_another_test() {
    let plan = marked(DistMode::Load, &[8], 3, [(0, needs(2)), (1, needs(2)), (2, needs(2))]);
    let mut calls = Calls::new(&plan);
    assert_eq!(calls.ask(0), [0]);
    assert_eq!(calls.ask(1), [4]);
    assert_eq!(calls.ask(0), [1], "the holder goes on");
    assert!(calls.finish(0, 0));
    assert!(calls.finish(0, 1));
    assert_eq!(calls.ask(1), [2], "and when it has let go, anybody");
}

#[test]
fn what_a_fixture_holds_is_free_when_the_worker_has_torn_down() {
    let plan = marked(DistMode::Load, &[6], 2, [(0, lasting()), (1, lasting()), (2, needs(2))]);
    let mut calls = Calls::new(&plan);
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![0], vec![1]));
    assert_eq!(calls.ask(0), [0; 0], "it must tear down before a test without what others want");
    calls.finish(0, 0);
    assert_eq!(calls.ask(0), [0; 0]);
    assert!(calls.tear_down(0));
    assert_eq!(calls.ask(0), [3]);
    assert_eq!(calls.ask(1), [2], "the other one has all of it now");
    calls.finish(1, 1);
    calls.finish(1, 2);
    assert_eq!(calls.ask(1), [4], "nobody wants it: the fixture may live on");
}

#[test]
fn a_unit_takes_what_its_tests_need_together_and_keeps_it_to_its_end() {
    let plan = marked(DistMode::LoadFile, &[3, 2, 1], 2, [(1, needs(2)), (4, needs(1))]);
    let mut calls = Calls::new(&plan);
    assert_eq!(calls.ask(0), [0]);
    assert_eq!(calls.ask(1), [5], "the second file must wait for what the first one holds");
    assert_eq!((calls.ask(0), calls.finish(0, 0)), (vec![1], true));
    calls.tear_down(1);
    assert_eq!(calls.ask(1), [0; 0]);
    assert_eq!((calls.ask(0), calls.finish(0, 1)), (vec![2], true));
    assert_eq!(calls.ask(1), [0; 0]);
    calls.finish(0, 2);
    assert_eq!((calls.ask(1), calls.ask(1)), (vec![3], vec![4]));
}

#[test]
fn nothing_marked_is_granted_ahead() {
    let plan = marked(DistMode::Load, &[6], 1, [(5, needs(1)), (4, needs(2))]);
    let mut calls = Calls::new(&plan);
    let worker = outpace_model::WorkerIndex(0);
    assert_eq!(calls.0.take_ahead(worker, 9), items([]), "a marked one could start");
    assert_eq!((calls.ask(0), calls.ask(0)), (vec![4], vec![5]));
    assert_eq!(calls.0.take_ahead(worker, 2), items([0, 1]));
}

#[test]
fn who_needs_much_is_not_overtaken_for_ever() {
    let small = (0..200).map(|item| (item, needs(1)));
    let plan = marked(DistMode::Load, &[201], 2, small.chain([(200, needs(2))]));
    let mut calls = Calls::new(&plan);
    let mut running = [None, None];
    for round in 0_u32.. {
        assert!(round < 100, "200 waits too long");
        let worker = round % 2;
        let next = calls.ask(worker).first().copied();
        if let Some(item) = std::mem::replace(&mut running[worker as usize], next) {
            calls.finish(worker, item);
        }
        if next == Some(200) {
            break;
        }
        if next.is_none() {
            calls.tear_down(worker);
        }
    }
}

#[test]
fn each_worker_runs_its_serial_tests_alone() {
    let mut calls = Calls::new(&marked(DistMode::Each, &[2], 2, [(0, SERIAL)]));
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![1], vec![1]));
    assert_eq!(calls.ask(0), [0; 0]);
    calls.tear_down(0);
    assert_eq!(calls.ask(1), [0]);
    assert_eq!(calls.ask(0), [0; 0]);
    calls.finish(1, 0);
    assert_eq!(calls.ask(1), [0; 0]);
    calls.tear_down(1);
    assert_eq!(calls.ask(0), [0]);
}

#[test]
fn under_a_scheduler_of_the_projects_own_a_serial_test_waits_for_its_turn() {
    let mut calls = Calls::new(&marked(DistMode::External, &[4], 2, [(1, SERIAL)]));
    calls.assign(0, [0, 1]);
    calls.assign(1, [2, 3]);
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![0], vec![2]));
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![], vec![]), "nobody starts anything before it");
    assert!(calls.has_work_for(1));
    calls.finish(1, 2);
    calls.tear_down(1);
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![1], vec![]));
    calls.finish(0, 1);
    assert_eq!(calls.ask(1), [3]);
}

/// Found by `outpace doctor` in a run on a busy machine: the last of a chain went to another worker.
#[test]
fn what_is_left_of_a_chain_is_for_the_worker_that_began_it() {
    let chain = |item| (item, Mark { chain: Some(0), ..Mark::default() });
    let mut calls = Calls::new(&marked(DistMode::Load, &[4], 2, [0, 1, 2].map(chain)));
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![0], vec![3]));
    calls.give_back(0, [0]);
    calls.tear_down(0);
    assert_eq!(calls.ask(1), [0], "nothing of it has begun");
    calls.finish(1, 3);
    calls.finish(1, 0);
    assert_eq!(calls.ask(1), [1]);
    calls.finish(1, 1);
    calls.tear_down(1);
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![], vec![2]), "while it was idle");
    calls.give_back(1, [2]);
    assert_eq!((calls.ask(0), calls.ask(1)), (vec![], vec![2]), "handed back");
    calls.remove(1, [2]);
    assert_eq!(calls.ask(0), [2], "unless that is gone");
}
