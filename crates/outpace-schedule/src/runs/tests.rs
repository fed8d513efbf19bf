//! `Runs` against a plain list, and where it cuts.

use std::collections::VecDeque;

use outpace_model::ItemIndex;
use proptest::prelude::*;

use super::Runs;
use crate::files::Files;

#[derive(Clone, Debug)]
enum Op {
    PushBack(u32),
    Prepend(Vec<u32>),
    Fill(usize),
    StealBack,
    SplitFront(usize),
    Remove(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0_u32..12).prop_map(Op::PushBack),
        2 => (0_u32..12, 1_u32..4).prop_map(|(start, count)| Op::Prepend((start..start + count).collect())),
        1 => prop::collection::vec(0_u32..12, 0..4).prop_map(Op::Prepend),
        2 => (0_usize..6).prop_map(Op::Fill),
        1 => Just(Op::StealBack),
        1 => (0_usize..8).prop_map(Op::SplitFront),
        2 => (0_u32..12).prop_map(Op::Remove),
    ]
}

fn items(numbers: &[u32]) -> Vec<ItemIndex> {
    numbers.iter().copied().map(ItemIndex).collect()
}

fn listed(runs: &Runs) -> Vec<u32> {
    let listed: Vec<u32> = runs.iter().map(|item| item.0).collect();
    assert_eq!((runs.len(), runs.is_empty()), (listed.len(), listed.is_empty()));
    listed
}

/// A collection whose files have these sizes.
fn files(sizes: &[usize]) -> Files {
    let node_ids: Vec<String> =
        sizes.iter().enumerate().flat_map(|(file, &size)| vec![format!("f{file}.py::t"); size]).collect();
    Files::new(&node_ids)
}

proptest! {
    #[test]
    fn behaves_like_a_list(start in 0_u32..6, ops in prop::collection::vec(op(), 0..30)) {
        let files = files(&[3, 1, 6, 4]);
        let mut runs = Runs::from_span(0..start);
        let mut list: VecDeque<u32> = (0..start).collect();
        for op in ops {
            match op {
                Op::PushBack(item) => {
                    runs.push_back(ItemIndex(item));
                    list.push_back(item);
                }
                Op::Prepend(numbers) => {
                    runs.prepend(&items(&numbers));
                    numbers.into_iter().rev().for_each(|item| list.push_front(item));
                }
                Op::Fill(max) => {
                    let mut out = vec![ItemIndex(99)];
                    runs.fill(&mut out, max);
                    let wanted = max.saturating_sub(1).min(list.len());
                    let expected: Vec<u32> = [99].into_iter().chain(list.drain(..wanted)).collect();
                    prop_assert_eq!(out, items(&expected));
                }
                Op::SplitFront(count) => {
                    let front = listed(&runs.split_front(count));
                    prop_assert_eq!(front, list.drain(..count.min(list.len())).collect::<Vec<_>>());
                }
                Op::Remove(item) => {
                    let at = list.iter().position(|each| *each == item);
                    prop_assert_eq!(runs.remove(ItemIndex(item)), at.is_some());
                    at.map(|at| list.remove(at));
                }
                Op::StealBack => {
                    let stolen = listed(&runs.split_back(&files));
                    prop_assert_eq!(stolen.is_empty(), list.is_empty());
                    let slack = list.len() * 15 / 100;
                    prop_assert!(stolen.len().abs_diff(list.len().div_ceil(2)) <= slack);
                    let cut = list.len() - stolen.len();
                    prop_assert_eq!(list.split_off(cut), stolen);
                }
            }
            prop_assert_eq!(&list, &listed(&runs));
        }
    }
}

#[test]
fn the_back_half_is_the_larger_half() {
    let mut runs = Runs::from_span(0..5);
    assert_eq!(listed(&runs.split_back(&files(&[5]))), [2, 3, 4]);
    assert_eq!(listed(&runs), [0, 1]);
}

#[test]
fn a_single_item_is_stolen() {
    let mut runs = Runs::from_span(7..8);
    assert_eq!(listed(&runs.split_back(&files(&[20]))), [7]);
    assert!(runs.is_empty());
}

#[test]
fn a_near_file_boundary_is_cut_at_and_a_far_one_is_not() {
    let stolen_from_twenty = |files: &Files| listed(&Runs::from_span(0..20).split_back(files))[0];
    assert_eq!(stolen_from_twenty(&files(&[13, 7])), 13);
    assert_eq!(stolen_from_twenty(&files(&[7, 13])), 7);
    assert_eq!(stolen_from_twenty(&files(&[14, 6])), 10);
    assert_eq!(stolen_from_twenty(&files(&[6, 14])), 10);
    assert_eq!(stolen_from_twenty(&files(&[8, 3, 9])), 11);
}

#[test]
fn the_edge_of_a_run_is_a_boundary_too() {
    let mut runs: Runs =
        items(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]).into_iter().collect();
    assert_eq!(listed(&runs.split_back(&files(&[40])))[0], 20);
    assert_eq!(listed(&runs), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}
