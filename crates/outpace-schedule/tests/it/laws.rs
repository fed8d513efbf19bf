//! Random runs: nothing lost, nothing given twice, no unit split, nobody waiting without a reason.

use outpace_model::DistMode;
use outpace_schedule::Plan;
use proptest::prelude::*;

use crate::plans::plan;
use crate::world::{Step, World, step};

/// Items of few files, classes and groups, scattered.
fn any_plan(modes: &'static [DistMode]) -> impl Strategy<Value = Plan> {
    let item = (0_u8..4, prop::option::of(0_u8..2), 0_u8..20, prop::option::weighted(0.6, 0_u8..3));
    let collection = prop::collection::vec(item, 0..40);
    (prop::sample::select(modes), collection, any::<bool>(), 0_u32..6, any::<bool>()).prop_map(
        |(mode, mut collection, scattered, workers, reorder)| {
            if !scattered {
                collection.sort_unstable();
            }
            let node_id = |&(file, class, test, _): &(u8, Option<u8>, u8, Option<u8>)| match class {
                Some(class) => format!("f{file}.py::C{class}::t{test}"),
                None => format!("f{file}.py::t{test}"),
            };
            let groups = collection.iter().map(|item| item.3.map(|group| format!("g{group}"))).collect();
            Plan { groups, reorder, ..plan(mode, collection.iter().map(node_id), workers) }
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    any::<bool>().prop_flat_map(|requeues| prop::collection::vec(step(requeues), 0..80))
}

fn run(plan: Plan, patient: bool, steps: &[Step]) {
    let mut world = World::new(plan, patient);
    for step in steps {
        world.step(step);
    }
    world.finish();
}

/// The same plan, with times that were once known of most items, or none.
fn timed(plan: impl Strategy<Value = Plan>) -> impl Strategy<Value = Plan> {
    plan.prop_flat_map(|plan| {
        let time = prop_oneof![4 => 0.0_f32..0.1, 1 => 0.0_f32..9.0];
        let expected = prop::collection::vec(prop::option::weighted(0.8, time), plan.node_ids.len());
        expected.prop_map(move |expected| Plan { expected, ..plan.clone() })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn spans_lose_nothing_and_keep_nobody_waiting(
        plan in any_plan(&[DistMode::Load, DistMode::WorkSteal]),
        patient: bool,
        steps in steps(),
    ) {
        run(plan, patient, &steps);
    }

    #[test]
    fn so_do_spans_of_known_times(
        plan in timed(any_plan(&[DistMode::Load])),
        patient: bool,
        steps in steps(),
    ) {
        run(plan, patient, &steps);
    }

    #[test]
    fn units_of_known_times_are_never_split_either(
        plan in timed(any_plan(&[DistMode::LoadScope, DistMode::LoadFile, DistMode::LoadGroup])),
        patient: bool,
        steps in steps(),
    ) {
        run(plan, patient, &steps);
    }

    #[test]
    fn units_lose_nothing_and_are_never_split(
        plan in any_plan(&[DistMode::LoadScope, DistMode::LoadFile, DistMode::LoadGroup]),
        patient: bool,
        steps in steps(),
    ) {
        run(plan, patient, &steps);
    }

    #[test]
    fn a_lone_worker_keeps_collection_order_whatever_is_revoked(
        size in 0_usize..30,
        calls in prop::collection::vec((1_usize..6, 1_usize..4, 0_usize..4), 0..40),
    ) {
        let plan = plan(DistMode::Load, (0..size).map(|item| format!("f{}.py::t{item}", item / 4)), 1);
        let steps: Vec<Step> = calls
            .into_iter()
            .flat_map(|(max, count, advances)| {
                [Step::Ask(0, max), Step::GiveBack(0, count)].into_iter().chain(vec![Step::Advance(0); advances])
            })
            .collect();
        run(plan, true, &steps);
    }
}
