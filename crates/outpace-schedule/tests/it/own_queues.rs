//! The rules of `each` and of a scheduler in the controller, and both against plain lists.

use std::collections::{BTreeMap, VecDeque};

use outpace_model::DistMode;
use proptest::prelude::*;

use crate::plans::{Calls, files, plan};

fn calls(mode: DistMode, size: usize, workers: u32) -> Calls {
    Calls::new(&plan(mode, files(&[size]), workers))
}

#[test]
fn each_worker_runs_everything_in_order() {
    let mut calls = calls(DistMode::Each, 3, 1);
    assert!(!calls.0.is_revocable());
    assert_eq!(calls.pending(), 3);
    assert_eq!(calls.take(0, 2), [0, 1]);
    calls.give_back(0, [1]);
    assert_eq!(calls.take_all(0), [1, 2]);
}

#[test]
fn each_hands_what_a_dead_worker_had_left_to_the_one_in_its_place() {
    let mut calls = calls(DistMode::Each, 3, 2);
    assert_eq!(calls.take(0, 2), [0, 1]);
    calls.remove(0, [1]);
    calls.requeue(0);
    calls.assign(1, [2]);
    assert_eq!(calls.unassign(1, [2]), []);
    assert_eq!(calls.pending(), 3);
    assert_eq!(calls.take_all(1), [0, 1, 2]);
    calls.add(5);
    assert_eq!(calls.take_all(5), [1, 2]);
    calls.add(6);
    assert_eq!(calls.take_all(6), []);
}

#[test]
fn each_does_not_take_a_finished_worker_for_the_dead_one() {
    let mut calls = calls(DistMode::Each, 3, 2);
    assert_eq!(calls.take_all(0), [0, 1, 2]);
    calls.remove(0, []);
    assert_eq!(calls.take(1, 1), [0]);
    calls.remove(1, []);
    calls.add(2);
    assert_eq!(calls.take_all(2), [1, 2]);
}

#[test]
fn an_external_scheduler_decides_alone() {
    let mut calls = calls(DistMode::External, 6, 2);
    assert!(!calls.0.is_revocable());
    assert_eq!(calls.pending(), 0);
    calls.assign(0, [4, 2, 3]);
    assert!(!calls.has_work_for(1));
    assert_eq!(calls.take(0, 2), [4, 2]);
    calls.give_back(0, [2]);
    calls.requeue(4);
    assert_eq!(calls.take_all(0), [2, 3]);
}

#[test]
fn external_queues_are_taken_back_whole_or_not_at_all() {
    let mut calls = calls(DistMode::External, 6, 1);
    calls.assign(0, [0, 1, 2, 3, 4]);
    assert_eq!(calls.take(0, 1), [0]);
    assert_eq!(calls.unassign(0, [0, 4]), []);
    assert_eq!(calls.unassign(0, [4, 2]), [2, 4]);
    assert_eq!(calls.unassign(0, []), []);
    assert_eq!(calls.take_all(0), [1, 3]);
}

#[test]
fn external_items_of_a_dead_worker_are_for_the_controller() {
    let mut calls = calls(DistMode::External, 6, 2);
    calls.assign(0, [0, 1, 2]);
    assert_eq!(calls.take(0, 1), [0]);
    calls.remove(0, [0]);
    calls.assign(0, [3]);
    assert_eq!(calls.pending(), 0);
}

#[derive(Clone, Debug)]
enum Op {
    Take(u32, usize),
    GiveBack(u32, usize),
    Assign(u32, Vec<u32>),
    Unassign(u32, Vec<u32>),
    Add(u32),
    Remove(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let worker = 0_u32..4;
    let some = || prop::collection::vec(0_u32..6, 0..4);
    prop_oneof![
        3 => (worker.clone(), 0_usize..5).prop_map(|(worker, max)| Op::Take(worker, max)),
        1 => (worker.clone(), 0_usize..4).prop_map(|(worker, count)| Op::GiveBack(worker, count)),
        2 => (worker.clone(), some()).prop_map(|(worker, items)| Op::Assign(worker, items)),
        2 => (worker.clone(), some()).prop_map(|(worker, items)| Op::Unassign(worker, items)),
        1 => worker.clone().prop_map(Op::Add),
        1 => worker.prop_map(Op::Remove),
    ]
}

/// What a worker has queued, and what it was granted last.
type Lists = BTreeMap<u32, (VecDeque<u32>, Vec<u32>)>;

fn model_of_unassign(queue: &mut VecDeque<u32>, items: &[u32]) -> Vec<u32> {
    let distinct = items.iter().enumerate().filter(|(at, item)| !items[..*at].contains(item)).count();
    let found: Vec<u32> = queue.iter().copied().filter(|item| items.contains(item)).collect();
    if found.len() != distinct {
        return Vec::new();
    }
    queue.retain(|item| !items.contains(item));
    found
}

proptest! {
    #[test]
    fn both_modes_behave_like_plain_lists(external: bool, ops in prop::collection::vec(op(), 0..40)) {
        let mode = if external { DistMode::External } else { DistMode::Each };
        let start: VecDeque<u32> = if external { VecDeque::new() } else { (0..6).collect() };
        let mut calls = calls(mode, 6, 2);
        let mut lists: Lists = (0..2).map(|worker| (worker, (start.clone(), vec![]))).collect();
        let mut legacies: VecDeque<VecDeque<u32>> = VecDeque::new();
        for op in ops {
            match op {
                Op::Take(worker, max) => {
                    let expected = lists.get_mut(&worker).map_or_else(Vec::new, |(queue, granted)| {
                        *granted = queue.drain(..max.min(queue.len())).collect();
                        granted.clone()
                    });
                    let taken = calls.0.take(outpace_model::WorkerIndex(worker), max);
                    prop_assert_eq!(taken, crate::plans::items(expected));
                }
                Op::GiveBack(worker, count) => {
                    let revoked = lists.get_mut(&worker).map_or_else(Vec::new, |(queue, granted)| {
                        let revoked = granted.split_off(granted.len().saturating_sub(count));
                        revoked.iter().rev().for_each(|&item| queue.push_front(item));
                        revoked
                    });
                    calls.give_back(worker, revoked);
                }
                Op::Assign(worker, items) => {
                    calls.assign(worker, items.clone());
                    if let Some((queue, _)) = lists.get_mut(&worker).filter(|_| external) {
                        queue.extend(items);
                    }
                }
                Op::Unassign(worker, items) => {
                    let expected = lists
                        .get_mut(&worker)
                        .filter(|_| external)
                        .map_or_else(Vec::new, |(queue, _)| model_of_unassign(queue, &items));
                    prop_assert_eq!(calls.unassign(worker, items), expected);
                }
                Op::Add(worker) => {
                    calls.add(worker);
                    lists
                        .entry(worker)
                        .or_insert_with(|| (legacies.pop_front().unwrap_or_default(), vec![]));
                }
                Op::Remove(worker) => {
                    let gone = lists.remove(&worker);
                    calls.remove(worker, gone.as_ref().map_or_else(Vec::new, |(_, granted)| granted.clone()));
                    let left: VecDeque<u32> =
                        gone.into_iter().flat_map(|(queue, granted)| granted.into_iter().chain(queue)).collect();
                    if !external && !left.is_empty() {
                        legacies.push_back(left);
                    }
                }
            }
            prop_assert_eq!(calls.pending(), lists.values().map(|(queue, _)| queue.len()).sum::<usize>());
            for worker in 0..4 {
                let queued = lists.get(&worker).is_some_and(|(queue, _)| !queue.is_empty());
                prop_assert_eq!(calls.has_work_for(worker), queued);
            }
        }
    }
}
