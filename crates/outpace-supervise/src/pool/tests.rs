use std::time::Duration;

use outpace_model::{Expected, WorkerIndex};
use proptest::prelude::*;

use super::{Census, Change, Load, Pool, Work};

const CORES: f64 = 2.0;
const WAITING: Work = Work { wall: 80.0, cpu: 8.0, longest: 1.0, each: Expected { wall: 0.0, cpu: 0.0 } };

fn load(idle: f64) -> Load {
    Load { span: 0.1, cores: CORES, idle, room: 1000, in_setup: Vec::new(), asleep: Vec::new() }
}

fn census(live: u32, pending: u32) -> Census {
    Census { live, at_work: live, asleep: 0, starting: 0, pending, is_steady: true }
}

/// Feeds the same reading until something changes, for two seconds at most.
fn settle(pool: &mut Pool, load: &Load, census: Census, now: &mut Duration) -> Change {
    for _ in 0..20 {
        *now += Duration::from_millis(100);
        let change = pool.decide(load, census, *now);
        if change != Change::None {
            return change;
        }
    }
    Change::None
}

#[test]
fn workers_that_wait_are_tripled_up_to_the_limit() {
    let (mut pool, mut now) = (Pool::new(2, 20, 0.0), Duration::ZERO);
    let mut live = 2;
    for wanted in [4, 12, 2] {
        assert_eq!(settle(&mut pool, &load(CORES), census(live, 400), &mut now), Change::Grow(wanted));
        pool.expected = 0;
        live += wanted;
    }
    assert_eq!(settle(&mut pool, &load(CORES), census(live, 400), &mut now), Change::None);
}

#[test]
fn a_full_cpu_never_grows_and_never_holds_those_it_began_with() {
    let (mut pool, mut now) = (Pool::new(2, 12, 0.0), Duration::ZERO);
    assert_eq!(settle(&mut pool, &load(0.0), census(2, 400), &mut now), Change::None);
}

#[test]
fn extras_are_held_while_the_cpu_is_full_and_go_on_when_it_is_not() {
    let (mut pool, mut now) = (Pool::new(2, 12, 0.0), Duration::ZERO);
    assert_eq!(settle(&mut pool, &load(0.0), census(8, 400), &mut now), Change::Hold(3));
    pool.held.extend((5..8).rev().map(WorkerIndex));
    assert_eq!(settle(&mut pool, &load(0.0), census(8, 400), &mut now), Change::Hold(2));
    pool.held.extend((3..5).rev().map(WorkerIndex));
    assert_eq!(settle(&mut pool, &load(0.0), census(8, 400), &mut now), Change::Hold(1));
    pool.held.push(WorkerIndex(2));
    assert_eq!(settle(&mut pool, &load(0.0), census(8, 400), &mut now), Change::None);
    assert!(matches!(settle(&mut pool, &load(1.0), census(8, 400), &mut now), Change::Release(1..=6)));
}

#[test]
fn an_expensive_fixture_is_not_paid_for_a_short_rest() {
    let (mut pool, mut now) = (Pool::new(2, 12, 0.0), Duration::ZERO);
    for _ in 0..2 {
        pool.record(5.0, true);
        pool.record(0.1, false);
    }
    assert_eq!(settle(&mut pool, &load(CORES), census(2, 20), &mut now), Change::None);
    assert!(matches!(settle(&mut pool, &load(CORES), census(2, 200), &mut now), Change::Grow(_)));
}

#[test]
fn nothing_grows_while_a_worker_is_not_yet_at_work() {
    let (mut pool, mut now) = (Pool::new(2, 12, 0.0), Duration::ZERO);
    let starting = Census { is_steady: false, ..census(2, 400) };
    assert_eq!(settle(&mut pool, &load(CORES), starting, &mut now), Change::None);
}

#[test]
fn the_busy_share_is_that_of_all_readings() {
    let mut pool = Pool::new(2, 12, 0.0);
    assert_eq!(pool.busy_share(), None);
    pool.decide(&load(2.0), census(2, 0), Duration::from_millis(100));
    pool.decide(&load(0.0), census(2, 0), Duration::from_millis(200));
    assert_eq!(pool.busy_share(), Some(0.5));
}

proptest! {
    /// Whatever is read: never more workers than allowed, than tests, than fit into memory; never a change within the
    /// time that the last one needs to show.
    #[test]
    fn limits_hold(
        base in 1_u32..5,
        extra in 0_u32..40,
        preparation in prop_oneof![Just(0.0), 0.1..5.0_f64],
        readings in proptest::collection::vec((0.0..4.0_f64, 0_u32..50, 0_u32..500, any::<bool>(), 0_u32..4, 0_u32..2), 1..80),
    ) {
        let most = base + extra;
        let (mut pool, mut live, mut now) = (Pool::new(base, most, preparation), base, Duration::ZERO);
        pool.record(1.0, false);
        let mut changed = None;
        for (idle, room, pending, is_steady, asleep, starting) in readings {
            now += Duration::from_millis(50);
            let load = Load { room, ..load(idle) };
            let held = u32::try_from(pool.held.len()).expect("few");
            let asleep = asleep.min(live - held);
            let at_work = live - held - asleep;
            let census = Census { live, at_work, asleep, starting, pending, is_steady };
            let change = pool.decide(&load, census, now);
            if change != Change::None {
                prop_assert!(changed.is_none_or(|at| now >= at + super::SETTLE));
                changed = Some(now);
            }
            match change {
                Change::Grow(count) => {
                    prop_assert!(count >= 1 && count <= pending.min(room).min(2 * live));
                    let replaces = count <= asleep && at_work + count <= base;
                    prop_assert!(replaces || (is_steady && idle > 0.0));
                    live += count;
                    pool.expected = 0;
                }
                Change::Hold(count) => {
                    let extras: Vec<_> = (base..live).map(WorkerIndex).filter(|each| !pool.held.contains(each)).collect();
                    prop_assert!(count >= 1 && count as usize <= extras.len());
                    pool.held.extend(extras.into_iter().rev().take(count as usize));
                }
                Change::Release(count) => {
                    prop_assert!(count >= 1 && count as usize <= pool.held.len());
                    pool.held.drain(..count as usize);
                }
                Change::None => {}
            }
            prop_assert!(live <= most);
            prop_assert!(pool.held.iter().all(|worker| worker.0 >= base));
        }
    }
}

#[test]
fn when_the_first_workers_have_nothing_left_held_ones_go_on_however_full_the_cpu_is() {
    let (mut pool, mut now) = (Pool::new(2, 12, 0.0), Duration::ZERO);
    pool.held.extend((2..8).map(WorkerIndex));
    let one_works = Census { at_work: 1, ..census(8, 10) };
    assert_eq!(settle(&mut pool, &load(0.0), one_works, &mut now), Change::Release(1));
    let two_work = Census { at_work: 2, ..census(8, 10) };
    assert_eq!(settle(&mut pool, &load(0.0), two_work, &mut now), Change::None);
}

#[test]
fn a_run_whose_tests_are_known_to_wait_begins_with_as_many_as_fill_the_cpu() {
    let begin = |work| Pool::new(2, 32, 0.0).begin(work, CORES, 400, 1000);
    let waiting = WAITING;
    assert_eq!(begin(waiting), 15, "17 of the 20 that fill it");
    assert_eq!(
        begin(Work { longest: 20.0, ..waiting }),
        2,
        "the longest test takes as long as four workers need"
    );
    assert_eq!(begin(Work { cpu: 80.0, ..waiting }), 0);
    assert_eq!(begin(Work { wall: 0.08, cpu: 0.008, longest: 0.001, ..WAITING }), 0, "not worth it");
    assert_eq!(Pool::new(2, 8, 0.0).begin(waiting, CORES, 400, 1000), 6);
    assert_eq!(Pool::new(2, 32, 0.0).begin(waiting, CORES, 5, 1000), 3);
    assert_eq!(Pool::new(2, 32, 0.0).begin(waiting, CORES, 400, 1), 1);
}

#[test]
fn what_is_not_known_is_taken_to_be_as_the_rest() {
    let known = |wall, cpu| Some(Expected { wall, cpu });
    let work = Work::of(&[known(1.0, 0.5), None, known(3.0, 9.0), None], Expected::default());
    assert_eq!(work, Some(Work { wall: 8.0, cpu: 7.0, longest: 3.0, each: Expected::default() }));
    assert_eq!(Work::of(&[None], Expected::default()), None);
}

#[test]
fn workers_that_sleep_are_replaced_however_full_the_cpu_is() {
    let (mut pool, mut now) = (Pool::new(2, 12, 0.0), Duration::ZERO);
    let one_sleeps = Census { at_work: 1, asleep: 1, ..census(2, 400) };
    assert_eq!(settle(&mut pool, &load(0.0), one_sleeps, &mut now), Change::Grow(1));
    pool.expected = 0;
    let made_up_for = Census { at_work: 2, asleep: 1, ..census(3, 400) };
    assert_eq!(settle(&mut pool, &load(0.0), made_up_for, &mut now), Change::None);
    let all_sleep = Census { at_work: 0, asleep: 3, ..census(3, 400) };
    assert_eq!(settle(&mut pool, &load(0.0), all_sleep, &mut now), Change::Grow(2));
    pool.expected = 0;
    assert_eq!(settle(&mut pool, &Load { room: 0, ..load(0.0) }, all_sleep, &mut now), Change::None);
}

#[test]
fn held_ones_go_on_before_others_are_made() {
    let (mut pool, mut now) = (Pool::new(2, 12, 0.0), Duration::ZERO);
    pool.held.extend((2..4).map(WorkerIndex));
    let both_sleep = Census { at_work: 0, asleep: 2, ..census(4, 400) };
    assert_eq!(settle(&mut pool, &load(0.0), both_sleep, &mut now), Change::Release(2));
}

#[test]
fn when_nothing_else_is_left_than_what_held_ones_have_all_that_fit_go_on_at_once() {
    let (mut pool, mut now) = (Pool::new(2, 32, 0.0), Duration::ZERO);
    pool.begin(WAITING, CORES, 400, 1000);
    pool.expected = 0;
    pool.held.extend((2..17).map(WorkerIndex));
    let one_works = Census { at_work: 1, ..census(17, 0) };
    assert_eq!(settle(&mut pool, &load(1.5), one_works, &mut now), Change::Release(15));
}

#[test]
fn what_the_start_of_workers_takes_holds_nobody() {
    let (mut pool, mut now) = (Pool::new(2, 32, 0.0), Duration::ZERO);
    pool.begin(WAITING, CORES, 400, 1000);
    let starting = Census { starting: 15, is_steady: false, ..census(17, 400) };
    for expected in [15, 15, 0, 0, 0] {
        pool.expected = expected;
        now += Duration::from_millis(100);
        assert_eq!(pool.decide(&load(0.0), starting, now), Change::None);
    }
    assert_eq!(settle(&mut pool, &load(0.0), starting, &mut now), Change::Hold(8), "it takes too long");
}

#[test]
fn held_ones_go_on_while_others_start() {
    let (mut pool, mut now) = (Pool::new(2, 32, 3.0), Duration::ZERO);
    pool.expected = 2;
    pool.held.extend((2..4).map(WorkerIndex));
    let starting = Census { at_work: 1, starting: 2, is_steady: false, ..census(6, 400) };
    assert_eq!(settle(&mut pool, &load(0.0), starting, &mut now), Change::Release(1));
}

#[test]
fn a_fixture_that_each_worker_sets_up_makes_them_fewer() {
    let begin = |wall, cpu| {
        let each = Expected { wall, cpu };
        Pool::new(2, 64, 0.0).begin(Work { wall: 7.0, cpu: 3.8, longest: 0.3, each }, CORES, 400, 1000)
    };
    assert_eq!(begin(0.0, 0.0), 2);
    assert_eq!(begin(1.0, 0.8), 1, "with one more the CPU would need longer than its tests wait");
    assert_eq!(begin(3.0, 3.0), 0);
}

#[test]
fn spawned_workers_are_few_at_once_and_must_save_more_than_they_take() {
    let (mut pool, mut now) = (Pool::new(2, 32, 3.0), Duration::ZERO);
    assert_eq!(
        settle(&mut pool, &load(CORES), census(2, 300), &mut now),
        Change::None,
        "nothing is known of tests"
    );
    pool.record(0.2, true);
    pool.record(0.2, false);
    assert_eq!(settle(&mut pool, &load(CORES), census(2, 300), &mut now), Change::Grow(2));
    pool.expected = 0;
    assert_eq!(settle(&mut pool, &load(CORES), census(4, 280), &mut now), Change::Grow(2));
    pool.expected = 0;
    assert_eq!(settle(&mut pool, &load(CORES), census(8, 280), &mut now), Change::None, "they save 1.4 s");
}
