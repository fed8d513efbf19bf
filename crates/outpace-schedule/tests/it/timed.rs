//! The rules of `load` where it is known what tests take.

use outpace_model::DistMode;
use outpace_schedule::Plan;

use crate::plans::{Calls, files, plan};

fn timed(sizes: &[usize], workers: u32, seconds: &[f32]) -> Calls {
    let expected = seconds.iter().map(|&each| (each > 0.0).then_some(each)).collect();
    Calls::new(&Plan { expected, ..plan(DistMode::Load, files(sizes), workers) })
}

#[test]
fn files_come_in_order_and_whole() {
    let mut calls = timed(&[3, 3, 3, 3], 2, &[1.0; 12]);
    assert_eq!((calls.take(0, 1), calls.take(1, 1)), (vec![0], vec![3]));
    assert_eq!((calls.take(1, 1), calls.take(1, 1)), (vec![4], vec![5]));
    assert_eq!(calls.take(1, 1), [6], "the next file, although the other worker is slow");
    assert_eq!((calls.take(0, 1), calls.take(0, 1), calls.take(0, 1)), (vec![1], vec![2], vec![9]));
}

#[test]
fn a_file_that_would_end_late_comes_first() {
    let seconds = [[1.0; 2], [1.0; 2], [4.0; 2]].concat();
    let mut calls = timed(&[2, 2, 2], 2, &seconds);
    assert_eq!(
        (calls.take(0, 1), calls.take(1, 1)),
        (vec![4], vec![5]),
        "it takes more than a worker's share"
    );
    assert_eq!(calls.take_all(1), [0, 1, 2, 3]);
}

#[test]
fn a_long_test_is_pulled_out_of_its_file_where_it_would_begin_too_late() {
    let mut seconds = [0.5; 12];
    seconds[11] = 5.0;
    let mut calls = timed(&[6, 6], 2, &seconds);
    assert_eq!(calls.take(0, 1), [11]);
    assert_eq!(calls.take_all(1), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn it_stays_where_it_begins_soon_enough() {
    let mut seconds = [0.5; 12];
    seconds[6] = 5.0;
    let mut calls = timed(&[6, 6], 2, &seconds);
    assert_eq!((calls.take(0, 1), calls.take(1, 1)), (vec![6], vec![0]));
    assert_eq!(calls.take(0, 1), [7], "its file is kept together");
}

#[test]
fn when_no_file_is_left_half_of_the_longest_rest_is_taken_by_time() {
    let mut calls = timed(&[6], 2, &[3.0, 3.0, 1.0, 1.0, 2.0, 2.0]);
    assert_eq!(calls.take(0, 1), [0]);
    assert_eq!(calls.take(1, 1), [1], "about half of what is left");
    assert_eq!(calls.take(1, 1), [2]);
    assert_eq!(calls.take(0, 1), [3]);
}

#[test]
fn tests_that_take_long_are_granted_one_by_one() {
    let mut calls = timed(&[5], 1, &[0.001, 0.001, 0.5, 0.001, 0.001]);
    assert_eq!(calls.take(0, 9), [0]);
    assert_eq!((calls.take(0, 9), calls.take(0, 9)), (vec![1], vec![2]));
    assert_eq!(calls.take(0, 9), [3, 4]);
}

#[test]
fn of_a_test_that_is_new_its_file_tells_how_long_it_takes() {
    // 0 stands for a test that nothing is known of.
    let mut calls = timed(&[2, 2, 2], 2, &[0.1, 0.1, 3.0, 0.0, 0.1, 0.1]);
    assert_eq!((calls.take(0, 1), calls.take(1, 1)), (vec![2], vec![3]), "as long as its neighbour");
}

#[test]
fn one_worker_runs_everything_in_order() {
    let mut calls = timed(&[2, 2, 2], 1, &[0.1, 0.1, 3.0, 9.0, 0.1, 0.1]);
    assert_eq!(calls.take_all(0), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn units_that_take_longest_come_first() {
    let expected = [0.1, 0.1, 0.1, 5.0, 2.0, 2.0].map(Some).to_vec();
    let of_files = Plan { expected, ..plan(DistMode::LoadFile, files(&[3, 1, 2]), 1) };
    assert_eq!(Calls::new(&of_files).take_all(0), [3, 4, 5, 0, 1, 2]);
    let in_order = Plan { reorder: false, ..of_files };
    assert_eq!(Calls::new(&in_order).take_all(0), [0, 1, 2, 3, 4, 5]);
}
