//! What holds in every run, whatever goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use outpace_model::{DistMode, ItemIndex};
use outpace_protocol::{StartMethod, Timeouts};
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{Faults, Marked, Scenario, Stop, simulate};

const MODES: &[DistMode] = &[
    DistMode::Load,
    DistMode::WorkSteal,
    DistMode::LoadScope,
    DistMode::LoadFile,
    DistMode::Each,
    DistMode::External,
];
const METHODS: &[StartMethod] = &[StartMethod::Auto, StartMethod::Fork, StartMethod::Spawn];

fn millis(most: u64) -> impl Strategy<Value = Duration> {
    (0..most * 1000).prop_map(Duration::from_micros)
}

fn stop() -> impl Strategy<Value = Option<Stop>> {
    let stop = (millis(200), any::<bool>(), prop::bool::weighted(0.2));
    prop::option::weighted(0.3, stop.prop_map(|(at, interrupt, kill)| Stop { at, interrupt, kill }))
}

/// A fault that most runs do not have.
fn rarely(permille: u32) -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => 1..=permille]
}

fn faults() -> impl Strategy<Value = Faults> {
    let deaths = (rarely(30), rarely(10), rarely(10), rarely(300), rarely(300), rarely(300), rarely(700));
    let sessions =
        (rarely(300), rarely(50), rarely(200), rarely(300), rarely(1000), rarely(300), rarely(1000));
    (deaths, sessions).prop_map(|(deaths, sessions)| {
        let (crash, hang, garbage, linger, deaf, spawn, stubborn) = deaths;
        let (failure, gives_up, usage_error, different, requeue, again, hungry) = sessions;
        Faults {
            crash,
            hang,
            garbage,
            linger,
            failure,
            gives_up,
            deaf,
            stubborn,
            spawn,
            usage_error,
            different,
            requeue,
            again,
            hungry,
        }
    })
}

fn marked() -> impl Strategy<Value = Marked> {
    (any::<bool>(), rarely(500), rarely(500)).prop_map(|(serial_first, serial, needy)| Marked {
        serial_first,
        serial,
        needy,
    })
}

fn scenario(faults: impl Strategy<Value = Faults>) -> impl Strategy<Value = Scenario> {
    let what = (any::<u64>().no_shrink(), select(MODES), select(METHODS), prop::bool::weighted(0.3));
    let size = (
        prop_oneof![3 => 0_u32..40, 1 => 40_u32..120],
        (1_u32..6, prop_oneof![2 => Just(0), 1 => 2_u32..12], prop_oneof![2 => Just(0), 1 => 1_u32..3]),
        prop_oneof![millis(1), millis(20), millis(300)],
        (millis(50), rarely(200)),
    );
    let policy = (
        prop_oneof![3 => Just(0), 1 => 1_u32..4],
        0_u32..5,
        stop(),
        prop::option::weighted(0.2, millis(100)),
        timeouts(),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec((0_u32..20, 0_u64..300), 0..4)],
    );
    (what, size, policy, faults, marked()).prop_map(|(what, size, policy, faults, marked)| {
        let (seed, mode, start_method, unsafe_to_fork) = what;
        let (items, (workers, most, retries), longest, (slowest_start, debugged)) = size;
        let (maxfail, replacements, stop, template_dies, timeouts, limits) = policy;
        Scenario {
            seed,
            mode,
            start_method,
            unsafe_to_fork,
            items,
            workers,
            most,
            longest: longest + Duration::from_micros(1),
            slowest_start: slowest_start + Duration::from_micros(101),
            maxfail,
            debugged,
            retries,
            history: seed % 2 == 0,
            replacements,
            stop,
            template_dies,
            timeouts,
            // Each test has one.
            limits: BTreeMap::from_iter(limits)
                .into_iter()
                .map(|(item, limit)| (ItemIndex(item), limit))
                .collect(),
            faults,
            marked,
        }
    })
}

/// Longer than the longest start: that a healthy process is ended is another matter.
fn timeouts() -> impl Strategy<Value = Timeouts> {
    let slow = prop_oneof![Just(0), 20_u64..2_000];
    let test = prop_oneof![Just(0), 100_u64..2_000];
    (slow, test, 0_u64..3_000).prop_map(|(slow, test, grace)| Timeouts { slow, test, grace })
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_goes_wrong_the_run_ends_and_every_test_has_one_record(scenario in scenario(faults())) {
        simulate(&scenario).check_records();
    }

    #[test]
    fn where_nothing_goes_wrong_every_test_runs(mut scenario in scenario(Just(Faults::default())), hungry in rarely(1000)) {
        scenario.faults.hungry = hungry;
        (scenario.stop, scenario.template_dies) = (None, None);
        (scenario.timeouts.test, scenario.limits) = (0, Vec::new());
        let observer = simulate(&scenario);
        observer.check_records();
        prop_assert!(!observer.ran_too_little(), "{observer:#?}");
    }

    #[test]
    fn with_a_timeout_the_run_ends_whatever_hangs(mut scenario in scenario(faults())) {
        scenario.timeouts.test = scenario.timeouts.test.max(100);
        scenario.limits.clear();
        scenario.faults.hang = scenario.faults.hang.max(5);
        simulate(&scenario).check_records();
    }
}
