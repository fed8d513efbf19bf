//! The rules of `worksteal`, most of which `load` shares.

use outpace_model::DistMode;

use crate::plans::{Calls, files, plan};

fn even(sizes: &[usize], workers: u32) -> Calls {
    Calls::new(&plan(DistMode::WorkSteal, files(sizes), workers))
}

#[test]
fn two_trivial_tests_use_both_workers() {
    let mut calls = even(&[2], 2);
    assert_eq!(calls.take_all(1), [1]);
    assert_eq!(calls.pending(), 1);
    assert_eq!(calls.take_all(0), [0]);
}

#[test]
fn the_first_item_of_a_span_waits_for_its_worker_and_the_rest_does_not() {
    let mut calls = even(&[8], 2);
    assert_eq!(calls.take_all(0), [0, 1, 2, 3, 5, 6, 7]);
    assert!(!calls.has_work_for(0));
    assert_eq!(calls.take_all(1), [4]);
}

#[test]
fn the_first_item_of_a_removed_worker_is_free() {
    let mut calls = even(&[2], 2);
    calls.remove(1, []);
    assert_eq!(calls.take_all(0), [0, 1]);
}

#[test]
fn surplus_workers_get_nothing() {
    let mut calls = even(&[2], 4);
    let shares: Vec<Vec<u32>> = [3, 2, 1, 0].into_iter().map(|worker| calls.take_all(worker)).collect();
    assert_eq!(shares, [vec![], vec![], vec![1], vec![0]]);
}

#[test]
fn workers_that_join_a_plan_without_workers_get_everything() {
    let mut calls = even(&[8], 0);
    assert_eq!(calls.pending(), 8);
    calls.add(0);
    calls.add(1);
    assert_eq!((calls.take(0, 2), calls.take(1, 9)), (vec![0, 1], vec![2, 3, 4]));
    assert_eq!(calls.take_all(0), [5, 6, 7]);
}

#[test]
fn an_empty_collection_gives_nothing() {
    let mut calls = even(&[], 2);
    assert_eq!((calls.pending(), calls.take(0, 5)), (0, vec![]));
}

#[test]
fn spans_differ_by_at_most_one_item_within_a_file() {
    let mut calls = even(&[11], 3);
    let firsts: Vec<u32> = (0..3).flat_map(|worker| calls.take(worker, 1)).collect();
    assert_eq!(firsts, [0, 4, 8]);
}

#[test]
fn the_first_cut_is_at_a_near_file_boundary() {
    let second_worker_begins = |sizes: &[usize]| even(sizes, 2).take(1, 1);
    assert_eq!(second_worker_begins(&[23, 17]), [23]);
    assert_eq!(second_worker_begins(&[17, 23]), [17]);
    assert_eq!(second_worker_begins(&[24, 16]), [20], "20 % of a span is too far");
    assert_eq!(second_worker_begins(&[16, 24]), [20]);
    assert_eq!(second_worker_begins(&[1, 37, 2]), [20], "the ends of the collection are never moved");
}

#[test]
fn an_idle_worker_steals_the_front_half_of_the_largest_span() {
    let mut calls = even(&[30], 3);
    assert_eq!(calls.take(0, 10), (0..10).collect::<Vec<_>>());
    assert_eq!(calls.take(1, 6), [10, 11, 12, 13, 14, 15]);
    assert_eq!(calls.take(2, 1), [20]);
    assert_eq!(calls.take(0, 2), [21, 22], "of 21..30 the front four");
    assert_eq!(calls.take(0, 9), [23, 24], "its span first, not topped up by another theft");
    assert_eq!(calls.take(0, 9), [25, 26], "5 are left there, 4 in the other span");
    assert_eq!(calls.take(2, 9), [27, 28, 29]);
}

#[test]
fn a_theft_cuts_at_a_near_file_boundary() {
    let mut calls = even(&[34, 6], 1);
    calls.add(1);
    assert_eq!((calls.take(1, 1), calls.take(0, 2)), (vec![1], vec![0, 20]));
    let mut calls = even(&[24, 16], 1);
    calls.add(1);
    assert_eq!((calls.take(1, 1), calls.take(0, 2)), (vec![1], vec![0, 24]));
}

#[test]
fn a_lone_worker_follows_the_collection() {
    let mut calls = even(&[3, 4], 1);
    assert_eq!(calls.take(0, 4), [0, 1, 2, 3]);
    calls.give_back(0, [2, 3]);
    assert_eq!(calls.take_all(0), [2, 3, 4, 5, 6]);
}

#[test]
fn revoked_items_go_to_whoever_asks() {
    let mut calls = even(&[4], 2);
    assert_eq!(calls.take(0, 2), [0, 1]);
    assert_eq!(calls.take(1, 2), [2, 3]);
    assert!(!calls.has_work_for(1));
    calls.give_back(0, [1]);
    assert_eq!(calls.take(1, 1), [1]);
}

#[test]
fn the_span_of_a_dead_worker_is_adopted_whole_and_in_order() {
    let mut calls = even(&[12], 2);
    assert_eq!(calls.take(0, 3), [0, 1, 2]);
    calls.remove(0, [1, 2]);
    calls.add(2);
    assert_eq!(calls.take(2, 9), [1, 2, 3, 4, 5]);
    assert_eq!(calls.take(1, 6), [6, 7, 8, 9, 10, 11]);
    assert_eq!(calls.pending(), 0);
}

#[test]
fn a_worker_finishes_its_span_before_it_adopts_one() {
    let mut calls = even(&[8], 2);
    calls.remove(0, []);
    assert_eq!(calls.take_all(1), [4, 5, 6, 7, 0, 1, 2, 3]);
}

#[test]
fn an_item_asked_for_again_comes_before_the_span() {
    let mut calls = even(&[6], 2);
    assert_eq!(calls.take(0, 1), [0]);
    calls.requeue(0);
    assert_eq!(calls.pending(), 6);
    assert_eq!(calls.take(0, 2), [0, 1]);
}

#[test]
fn an_item_asked_for_again_goes_to_an_idle_worker_but_not_before_what_only_it_can_run() {
    let mut calls = even(&[2], 2);
    assert_eq!(calls.take(0, 1), [0]);
    calls.requeue(0);
    assert_eq!(calls.take(1, 2), [1, 0]);
    calls.requeue(1);
    assert_eq!(calls.take(0, 2), [1]);
}

#[test]
fn calls_for_workers_that_are_not_live_change_nothing() {
    let mut calls = even(&[4], 1);
    assert_eq!(calls.take(7, 1), []);
    calls.give_back(7, [0]);
    calls.remove(7, [0]);
    calls.add(0);
    assert_eq!(calls.pending(), 4);
    assert_eq!(calls.take_all(0), [0, 1, 2, 3]);
}

#[test]
fn a_worker_named_twice_in_the_plan_counts_once() {
    let mut twice = plan(DistMode::WorkSteal, files(&[6]), 2);
    twice.workers.insert(1, twice.workers[0]);
    let mut calls = Calls::new(&twice);
    assert_eq!((calls.take(0, 3), calls.take(1, 3)), (vec![0, 1, 2], vec![3, 4, 5]));
}

#[test]
fn nothing_is_given_when_nothing_is_asked_for() {
    let mut calls = even(&[2], 1);
    assert_eq!(calls.0.take(outpace_model::WorkerIndex(0), 0), []);
    assert_eq!(calls.take_all(0), [0, 1]);
}
