//! A million items on a thousand workers: a quadratic step anywhere would take hours.

use outpace_model::{DistMode, WorkerIndex};
use outpace_schedule::{Plan, Scheduler};

use crate::plans::plan;

const ITEMS: usize = 1_000_000;
const WORKERS: u32 = 1024;

fn run_all(mode: DistMode, max: usize) {
    let node_ids = (0..ITEMS).map(|item| format!("f{}.py::t{item}", item / 100));
    run_plan(&plan(mode, node_ids, WORKERS), max);
}

fn run_plan(plan: &Plan, max: usize) {
    let mut scheduler = Scheduler::new(plan);
    let mut given = vec![false; ITEMS];
    let mut live: Vec<u32> = (0..WORKERS).collect();
    while !live.is_empty() {
        live.retain(|&worker| {
            let batch = scheduler.take(WorkerIndex(worker), max + worker as usize % 7);
            for item in &batch {
                assert!(!std::mem::replace(&mut given[item.get()], true));
            }
            !batch.is_empty()
        });
    }
    assert_eq!((scheduler.pending(), given.iter().all(|&given| given)), (0, true));
}

#[test]
fn spans_with_thieves() {
    run_all(DistMode::Load, 1);
}

#[test]
fn a_million_units() {
    run_all(DistMode::LoadGroup, 1);
}

#[test]
fn ten_thousand_units_in_batches() {
    run_all(DistMode::LoadFile, 8);
}

#[test]
fn spans_of_known_times() {
    let node_ids = (0..ITEMS).map(|item| format!("f{}.py::t{item}", item / 100));
    let expected = (0..ITEMS).map(|item| Some(if item % 97 == 0 { 5.0 } else { 0.03 })).collect();
    run_plan(&Plan { expected, ..plan(DistMode::Load, node_ids, WORKERS) }, 1);
}
