//! Random runs of marked tests: no two holders beyond capacity, no company for a serial test, nothing lost, no hang.

use std::collections::BTreeMap;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_schedule::{Demand, Mark, Marks, Plan};
use proptest::prelude::*;

use crate::marked_world::{Step, World, step};
use crate::plans::plan;

const CAPACITIES: [u64; 3] = [1, 2, 7];

fn demand(resource: u32) -> impl Strategy<Value = Demand> {
    (1..=CAPACITIES[resource as usize], prop::bool::weighted(0.3)).prop_map(move |(amount, lasting)| Demand {
        resource,
        amount,
        lasting,
    })
}

fn mark() -> impl Strategy<Value = Mark> {
    let rarely = |resource| prop::option::weighted(0.3, demand(resource));
    let chain = prop::option::weighted(0.3, 0_u32..3);
    (prop::bool::weighted(0.2), rarely(0), rarely(1), rarely(2), chain).prop_map(
        |(serial, a, b, c, chain)| Mark { serial, demands: [a, b, c].into_iter().flatten().collect(), chain },
    )
}

fn any_plan() -> impl Strategy<Value = Plan> {
    const MODES: &[DistMode] =
        &[DistMode::Load, DistMode::Load, DistMode::WorkSteal, DistMode::LoadFile, DistMode::Each];
    let item = (0_u8..6, prop::option::weighted(0.4, mark()));
    let items = prop::collection::vec(item, 0..24);
    (prop::sample::select(MODES), items, any::<bool>(), 1_u32..5).prop_map(
        |(mode, items, serial_first, workers)| {
            let ids = items.iter().enumerate().map(|(number, (file, _))| format!("f{file}.py::t{number}"));
            let marks: BTreeMap<ItemIndex, Mark> = (0..)
                .map(ItemIndex)
                .zip(&items)
                .filter_map(|(item, (_, mark))| Some((item, mark.clone()?)))
                .collect();
            let marks = Marks { serial_first, capacities: CAPACITIES.to_vec(), items: marks };
            let expected =
                (0..items.len()).map(|item| Some(0.01 * f32::from(u8::try_from(item).unwrap_or(0))));
            let expected = if serial_first { Vec::new() } else { expected.collect() };
            Plan { marks, expected, ..plan(mode, ids, workers) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn marked_tests_never_meet_and_always_end(
        plan in any_plan(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new(plan);
        for step in &steps {
            world.step(step);
        }
        world.finish();
    }

    /// Where no worker dies, whatever is handed back.
    #[test]
    fn a_chain_runs_on_one_worker_in_collection_order(
        plan in any_plan(),
        steps in prop::collection::vec(step().prop_filter("calm", Step::is_calm), 0..120),
    ) {
        let mode = plan.mode;
        let chains: BTreeMap<ItemIndex, u32> = plan
            .marks
            .items
            .iter()
            .filter(|(_, mark)| !mark.serial)
            .filter_map(|(item, mark)| Some((*item, mark.chain?)))
            .collect();
        let mut world = World::new(plan);
        for step in &steps {
            world.step(step);
        }
        world.finish();
        let mut seen = BTreeMap::<u32, Vec<(WorkerIndex, ItemIndex)>>::new();
        for (worker, item) in &world.started {
            if let Some(chain) = chains.get(item) {
                seen.entry(*chain).or_default().push((*worker, *item));
            }
        }
        for run in seen.values_mut() {
            if mode == DistMode::Each {
                run.sort_by_key(|(worker, _)| *worker);
            } else {
                prop_assert!(run.iter().all(|(worker, _)| *worker == run[0].0), "{run:?}");
            }
            prop_assert!(run.is_sorted(), "{run:?}");
        }
    }
}
