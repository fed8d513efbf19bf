//! How long whole runs take, in a simulation where a worker asks for one item as soon as it is free.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use outpace_model::DistMode;
use outpace_schedule::Plan;
use proptest::prelude::*;

use crate::plans::{Calls, files, plan};

/// When each item ended. Worker *k* asks first at `joins[k]`.
fn simulate(plan: &Plan, durations: &[u64], joins: &[u64]) -> Vec<u64> {
    let mut calls = Calls::new(plan);
    let mut free: BinaryHeap<Reverse<(u64, u32)>> =
        plan.workers.iter().zip(joins).map(|(worker, &time)| Reverse((time, worker.0))).collect();
    let mut ends = vec![0; durations.len()];
    while let Some(Reverse((now, worker))) = free.pop() {
        if let [item] = calls.take(worker, 1)[..] {
            let end = now + durations[item as usize];
            ends[item as usize] = end;
            free.push(Reverse((end, worker)));
        }
    }
    assert_eq!(calls.pending(), 0);
    ends
}

fn makespan(plan: &Plan, durations: &[u64]) -> u64 {
    simulate(plan, durations, &vec![0; plan.workers.len()]).into_iter().max().unwrap_or(0)
}

/// No run can take less: what all workers share, the longest item, and the two that must follow each other on one worker.
fn floor(durations: &[u64], workers: usize) -> u64 {
    let mut longest_first = durations.to_vec();
    longest_first.sort_unstable_by_key(|&time| Reverse(time));
    let at = |place: usize| longest_first.get(place).copied().unwrap_or(0);
    let share = durations.iter().sum::<u64>().div_ceil(workers as u64);
    share.max(at(0)).max(if longest_first.len() > workers { at(workers - 1) + at(workers) } else { 0 })
}

fn seconds(micros: u64) -> f32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "six digits are enough")]
    let seconds = (micros as f64 / 1e6) as f32;
    seconds
}

/// The bound of any schedule in which no worker idles while a piece of work waits.
fn check_bound(makespan: u64, workers: u32, total: u64, longest: u64) -> Result<(), TestCaseError> {
    let workers = u64::from(workers);
    prop_assert!(
        makespan * workers <= total + longest * (workers - 1),
        "{makespan} on {workers}: {total}, {longest}"
    );
    Ok(())
}

fn timed_files() -> impl Strategy<Value = (Vec<usize>, Vec<u64>)> {
    prop::collection::vec(0_usize..15, 0..12).prop_flat_map(|sizes| {
        let items = sizes.iter().sum::<usize>();
        let duration = prop_oneof![9 => 0_u64..10, 1 => 0_u64..500];
        (Just(sizes), prop::collection::vec(duration, items))
    })
}

proptest! {
    #[test]
    fn spans_of_equal_items_are_optimal(sizes in prop::collection::vec(0_usize..40, 0..12), workers in 1_u32..20) {
        let node_ids = files(&sizes);
        let items = node_ids.len();
        let plan = plan(DistMode::Load, node_ids, workers);
        let rounds = u64::try_from(items).unwrap().div_ceil(u64::from(workers));
        prop_assert_eq!(makespan(&plan, &vec![1; items]), rounds);
    }

    #[test]
    fn spans_of_any_items_are_near_optimal((sizes, durations) in timed_files(), workers in 1_u32..9) {
        let plan = plan(DistMode::WorkSteal, files(&sizes), workers);
        let longest = durations.iter().copied().max().unwrap_or(0);
        check_bound(makespan(&plan, &durations), workers, durations.iter().sum(), longest)?;
    }

    /// However wrong the expectations are.
    #[test]
    fn items_of_any_expectation_are_near_optimal(
        (sizes, durations) in timed_files(),
        lies in prop::collection::vec(prop::option::of(0.0_f32..10.0), 180),
        workers in 1_u32..9,
    ) {
        let expected = lies[..durations.len()].to_vec();
        let plan = Plan { expected, ..plan(DistMode::Load, files(&sizes), workers) };
        let longest = durations.iter().copied().max().unwrap_or(0);
        check_bound(makespan(&plan, &durations), workers, durations.iter().sum(), longest)?;
    }

    /// Where they are right, the run takes at most a half more than no run can do without.
    #[test]
    fn items_of_known_times_are_nearer_to_optimal((sizes, durations) in timed_files(), workers in 1_u32..9) {
        let durations: Vec<u64> = durations.iter().map(|tenths| tenths * 100_000).collect();
        let expected = durations.iter().map(|&micros| Some(seconds(micros))).collect();
        let plan = Plan { expected, ..plan(DistMode::Load, files(&sizes), workers) };
        let took = makespan(&plan, &durations);
        let floor = floor(&durations, workers as usize);
        prop_assert!(took * 2 <= floor * 3 + 100_000, "{took} for {floor}: {durations:?}");
    }

    #[test]
    fn units_are_near_optimal((sizes, durations) in timed_files(), workers in 1_u32..9, reorder: bool) {
        let plan = Plan { reorder, ..plan(DistMode::LoadFile, files(&sizes), workers) };
        let mut units = BTreeMap::<&str, u64>::new();
        for (node_id, duration) in plan.node_ids.iter().zip(&durations) {
            *units.entry(node_id.split("::").next().unwrap()).or_default() += duration;
        }
        let longest = units.into_values().max().unwrap_or(0);
        check_bound(makespan(&plan, &durations), workers, durations.iter().sum(), longest)?;
    }

    #[test]
    fn only_the_first_share_waits_for_a_late_worker((sizes, durations) in timed_files(), late in 0_u64..3000) {
        let plan = plan(DistMode::Load, files(&sizes), 2);
        let total: u64 = durations.iter().sum();
        let ends = simulate(&plan, &durations, &[0, late]);
        let after_total = ends.iter().filter(|&&end| end > total).count();
        prop_assert!(after_total <= 1 || late <= total, "{ends:?}");
        prop_assert!(ends.iter().all(|&end| end <= total.max(late) + durations.iter().max().unwrap_or(&0)));
    }
}
