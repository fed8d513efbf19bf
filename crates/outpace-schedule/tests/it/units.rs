//! The rules of `loadscope`, `loadfile` and `loadgroup`.

use outpace_model::DistMode;
use outpace_schedule::Plan;

use crate::plans::{Calls, files, plan};

fn load_file(sizes: &[usize], workers: u32, reorder: bool) -> Calls {
    Calls::new(&Plan { reorder, ..plan(DistMode::LoadFile, files(sizes), workers) })
}

/// The units of a plan, in the order in which one worker gets them.
fn units_of(plan: &Plan) -> Vec<Vec<u32>> {
    let mut calls = Calls::new(plan);
    std::iter::from_fn(|| Some(calls.take(0, usize::MAX)).filter(|unit| !unit.is_empty())).collect()
}

#[test]
fn node_ids_are_cut_as_xdist_cuts_them() {
    let node_ids = ["a.py::A::x", "a.py::y", "b.py::z", "a.py::A::w", "doc.rst"];
    let units = |mode| units_of(&Plan { reorder: false, ..plan(mode, node_ids, 1) });
    assert_eq!(units(DistMode::LoadScope), [vec![0, 3], vec![1], vec![2], vec![4]]);
    assert_eq!(units(DistMode::LoadFile), [vec![0, 1, 3], vec![2], vec![4]]);
    assert_eq!(units(DistMode::LoadGroup), [vec![0], vec![1], vec![2], vec![3], vec![4]]);
}

#[test]
fn a_parameter_with_colons_is_cut_at_the_last_ones() {
    let node_ids = ["a.py::t[x::1]", "a.py::t[x::2]", "a.py::t[y]"];
    assert_eq!(units_of(&plan(DistMode::LoadScope, node_ids, 1)), [vec![0, 1], vec![2]]);
}

#[test]
fn a_group_is_never_mistaken_for_a_node_id() {
    let mut grouped = plan(DistMode::LoadGroup, ["b", "c", "a", "d"], 1);
    grouped.groups = vec![Some("a".into()), None, None, Some("a".into())];
    assert_eq!(units_of(&grouped), [vec![0, 3], vec![1], vec![2]]);
}

#[test]
fn units_of_two_and_of_one_keep_their_order_and_larger_ones_come_first() {
    assert_eq!(
        units_of(&plan(DistMode::LoadFile, files(&[1, 2, 3, 1, 4, 3]), 1)),
        [vec![7, 8, 9, 10], vec![3, 4, 5], vec![11, 12, 13], vec![0], vec![1, 2], vec![6]]
    );
}

/// xdist's `TestLoadScope::test_workqueue_ordered_by_size` and `_by_input`.
#[test]
fn of_ten_and_twenty_tests_the_first_worker_gets_twenty_or_what_comes_first() {
    for first_to_ask in [0, 1] {
        let mut by_size = load_file(&[10, 20], 2, true);
        let mut by_input = load_file(&[10, 20], 2, false);
        for worker in [first_to_ask, 1 - first_to_ask] {
            let (in_order, sorted) = if worker == 0 { (0..10, 10..30) } else { (10..30, 0..10) };
            assert_eq!(by_size.take_all(worker), sorted.collect::<Vec<_>>());
            assert_eq!(by_input.take_all(worker), in_order.collect::<Vec<_>>());
        }
    }
}

/// xdist's `TestLoadScope::test_module_single_start`: of files with 1, 1 and 2 tests, the first two on two workers.
#[test]
fn single_tests_start_on_different_workers_whoever_asks_first() {
    for first_to_ask in [0, 1] {
        let mut calls = load_file(&[1, 1, 2], 2, true);
        let eager = calls.take_all(first_to_ask);
        assert_eq!(eager, [first_to_ask, 2, 3]);
        assert_eq!(calls.take_all(1 - first_to_ask), [1 - first_to_ask]);
    }
}

#[test]
fn a_batch_ends_with_its_unit() {
    let mut calls = load_file(&[3, 3], 1, true);
    assert!(!calls.0.is_revocable());
    assert_eq!(calls.take(0, 2), [0, 1]);
    assert_eq!(calls.take(0, 2), [2]);
    assert_eq!(calls.take(0, 9), [3, 4, 5]);
}

#[test]
fn a_batch_ends_with_its_unit_even_when_the_next_was_begun_before_it_came_back() {
    let mut calls = load_file(&[3, 3], 1, true);
    assert_eq!((calls.take(0, 3), calls.take(0, 1)), (vec![0, 1, 2], vec![3]));
    calls.give_back(0, [1, 2, 3]);
    assert_eq!(calls.take(0, 9), [1, 2]);
    assert_eq!(calls.take(0, 9), [3, 4, 5]);
}

#[test]
fn items_given_back_stay_with_their_worker() {
    let mut calls = load_file(&[4], 2, true);
    assert_eq!(calls.take(0, 4), [0, 1, 2, 3]);
    calls.give_back(0, [2, 3]);
    assert_eq!(calls.pending(), 2);
    assert!(!calls.has_work_for(1));
    assert_eq!(calls.take_all(0), [2, 3]);
}

#[test]
fn the_rest_of_a_dead_workers_unit_comes_first_and_stays_whole() {
    let mut calls = load_file(&[4, 4, 4], 2, true);
    assert_eq!(calls.take(0, 2), [0, 1]);
    calls.remove(0, [1]);
    assert_eq!(calls.take(1, 1), [4], "its own unit was set aside for it");
    calls.add(2);
    assert_eq!(calls.take(2, 1), [1]);
    assert_eq!(calls.take_all(1), [5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(calls.take_all(2), [2, 3]);
}

#[test]
fn what_a_dead_worker_held_of_two_units_comes_back_as_two_units() {
    let mut calls = load_file(&[3, 3, 3], 1, true);
    assert_eq!((calls.take(0, 3), calls.take(0, 1)), (vec![0, 1, 2], vec![3]));
    calls.remove(0, [1, 2, 3]);
    calls.add(1);
    calls.add(2);
    assert_eq!(calls.take(1, 1), [1]);
    assert_eq!(calls.take(2, 1), [3]);
    assert_eq!(calls.take(1, 1), [2]);
    assert_eq!(calls.take(1, 1), [6]);
    assert_eq!(calls.take(2, 9), [4, 5]);
}

#[test]
fn the_unit_set_aside_for_a_worker_that_dies_comes_first() {
    let mut calls = load_file(&[3, 3, 3], 2, true);
    calls.remove(0, []);
    assert_eq!(calls.take_all(1), [3, 4, 5, 0, 1, 2, 6, 7, 8]);
}

#[test]
fn surplus_workers_get_nothing() {
    let mut calls = load_file(&[3, 3], 3, true);
    assert_eq!(calls.take_all(2), []);
    assert_eq!(calls.take_all(1), [3, 4, 5]);
    assert_eq!(calls.pending(), 3);
}

#[test]
fn an_item_asked_for_again_is_a_unit_of_its_own_in_front() {
    let mut calls = load_file(&[3, 3, 3], 2, true);
    assert_eq!((calls.take(0, 3), calls.take(1, 3)), (vec![0, 1, 2], vec![3, 4, 5]));
    calls.requeue(1);
    assert_eq!(calls.pending(), 4);
    assert_eq!(calls.take(1, 9), [1]);
    assert_eq!(calls.take(1, 9), [6, 7, 8]);
}

#[test]
fn an_item_asked_for_again_joins_the_rest_of_its_unit_in_the_queue() {
    let mut calls = load_file(&[3, 3], 2, true);
    assert_eq!(calls.take(0, 1), [0]);
    calls.remove(0, []);
    calls.requeue(0);
    assert_eq!(calls.take_all(1), [3, 4, 5, 0, 1, 2]);
}

#[test]
fn an_item_asked_for_again_joins_the_rest_of_its_unit_on_the_worker_that_has_it() {
    let mut calls = load_file(&[4], 2, true);
    assert_eq!(calls.take(0, 1), [0]);
    calls.remove(0, []);
    assert_eq!(calls.take(1, 1), [1]);
    calls.requeue(0);
    calls.add(2);
    assert!(!calls.has_work_for(2));
    assert_eq!(calls.take_all(1), [0, 2, 3]);
}

#[test]
fn it_joins_that_worker_also_when_items_of_an_earlier_unit_came_back_before_the_rest() {
    let mut calls = load_file(&[3, 3], 2, true);
    assert_eq!(calls.take(1, 1), [3]);
    calls.remove(1, []);
    assert_eq!((calls.take(0, 3), calls.take(0, 1)), (vec![0, 1, 2], vec![4]));
    calls.give_back(0, [2, 4]);
    calls.requeue(3);
    calls.add(2);
    assert!(!calls.has_work_for(2));
    assert_eq!(calls.take_all(0), [3, 2, 4, 5]);
}

#[test]
fn a_unit_that_comes_back_joins_its_item_that_was_asked_for_again() {
    let mut calls = load_file(&[3], 2, true);
    assert_eq!(calls.take(0, 3), [0, 1, 2]);
    calls.requeue(0);
    calls.remove(0, [1, 2]);
    assert_eq!(calls.take(1, 9), [1, 2, 0]);
}

#[test]
fn calls_for_workers_that_are_not_live_change_nothing() {
    let mut calls = load_file(&[2, 2], 1, true);
    assert_eq!(calls.take(7, 1), []);
    calls.give_back(7, [0]);
    calls.remove(7, [0]);
    calls.add(0);
    assert_eq!(calls.pending(), 4);
    assert_eq!(calls.take_all(0), [0, 1, 2, 3]);
}
