//! The rules that only `load` has.

use outpace_model::DistMode;

use crate::plans::{Calls, files, plan};

fn load(sizes: &[usize], workers: u32) -> Calls {
    Calls::new(&plan(DistMode::Load, files(sizes), workers))
}

#[test]
fn few_tests_are_handed_out_one_by_one_from_the_front() {
    let mut calls = load(&[4], 2);
    assert!(calls.0.is_revocable());
    assert_eq!(calls.take(1, 9), [1]);
    assert_eq!(calls.take(0, 9), [0]);
    assert_eq!(calls.take(0, 9), [2]);
    assert_eq!(calls.take(1, 9), [3]);
}

#[test]
fn shares_get_smaller_towards_the_end() {
    let mut calls = load(&[64], 2);
    let shares: Vec<usize> = (0..6).map(|turn| calls.take(turn % 2, 99).len()).collect();
    assert_eq!(shares, [16, 12, 9, 6, 5, 4]);
}

#[test]
fn a_share_ends_with_its_file_where_that_is_near() {
    let mut calls = load(&[8, 8], 2);
    assert_eq!(calls.take(0, 99), (0..8).collect::<Vec<_>>(), "4 would be fair, the file has 8");
    assert_eq!(calls.take(1, 99), [8, 9]);
}

#[test]
fn each_worker_sees_the_collection_in_order() {
    let mut calls = load(&[5, 40, 3, 17, 1, 1, 30], 3);
    let mut last = [None; 3];
    while calls.pending() > 0 {
        for worker in 0..3 {
            for item in calls.take(worker, 4) {
                assert!(last[worker as usize] < Some(item));
                last[worker as usize] = Some(item);
            }
        }
    }
}

#[test]
fn when_nothing_is_left_to_hand_out_the_largest_share_is_robbed() {
    let mut calls = load(&[16], 1);
    assert_eq!(calls.take(0, 1), [0]);
    calls.add(1);
    assert_eq!(calls.take(1, 3), [8, 9, 10], "the share after the first");
    assert_eq!(calls.take(1, 99), [11]);
    assert_eq!(calls.take(1, 99), [12, 13]);
    assert_eq!(calls.take(1, 99), [14]);
    assert_eq!(calls.take(1, 99), [15]);
    assert_eq!(calls.take(1, 99), [1, 2, 3], "nothing is left but what the first has");
    assert_eq!(calls.take(0, 99), [4, 5, 6, 7]);
}
