//! The least time that a parallel run can take, and what bounds it.
//!
//! Tests are collected before the first one starts, in one process; then several bounds hold at once, and the largest
//! of them counts.

use serde::Serialize;

/// A test, without the fixtures that it shares with others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
    pub(crate) is_serial: bool,
    /// Resources by number, and the share of each that it holds: 1 where nobody else can hold any of it.
    pub(crate) needs: Vec<(usize, f64)>,
}

/// What is to be done, and by how many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    pub(crate) tests: Vec<Task>,
    pub(crate) resources: Vec<String>,
    /// Seconds before the first test.
    pub(crate) collecting: f64,
    /// Fixtures that tests share, by number: what one set-up takes, and what all workers spend on it.
    pub(crate) fixtures: Vec<(f64, f64)>,
    pub(crate) workers: f64,
    pub(crate) cores: f64,
}

/// What bounds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoundBy {
    /// The longest test.
    Longest,
    /// All tests, divided by the workers.
    Workers,
    /// Their CPU time, divided by the cores.
    Cores,
    /// Tests beside which nothing runs, and then the rest.
    Serial,
    /// The tests that hold a resource.
    Resource,
    /// A fixture that somebody has to set up.
    Fixture,
}

/// One bound.
#[derive(Debug, Clone, Serialize)]
pub struct Bound {
    /// What it is.
    pub by: BoundBy,
    /// The test or resource.
    pub name: Option<String>,
    /// Seconds after the collection.
    pub seconds: f64,
}

impl Load {
    /// The least time, in seconds.
    pub(crate) fn limit(&self) -> f64 {
        self.collecting + self.bounds().first().map_or(0.0, |bound| bound.seconds)
    }

    /// All bounds, the largest first.
    pub(crate) fn bounds(&self) -> Vec<Bound> {
        let mut found = Vec::new();
        let mut add = |by, name: Option<String>, seconds: f64| {
            if seconds > 0.0 {
                found.push(Bound { by, name, seconds });
            }
        };
        if let Some(longest) = longest(self.tests.iter()) {
            add(BoundBy::Longest, Some(longest.id.clone()), longest.seconds);
        }
        let fixtures: f64 = self.fixtures.iter().map(|(_, all)| all).sum();
        let (rest, rest_cpu) = sums(self.tests.iter());
        add(BoundBy::Workers, None, (rest + fixtures) / self.workers);
        add(BoundBy::Cores, None, rest_cpu / self.cores);
        let serial: f64 = self.tests.iter().filter(|test| test.is_serial).map(|test| test.seconds).sum();
        if serial > 0.0 {
            let others = || self.tests.iter().filter(|test| !test.is_serial);
            let (seconds, cpu) = sums(others());
            let shared = (seconds + fixtures) / self.workers;
            let longest = longest(others()).map_or(0.0, |test| test.seconds);
            add(BoundBy::Serial, None, serial + shared.max(cpu / self.cores).max(longest));
        }
        for (number, name) in self.resources.iter().enumerate() {
            let held = self.tests.iter().map(|test| {
                let share: f64 =
                    test.needs.iter().filter(|(of, _)| *of == number).map(|(_, share)| share).sum();
                test.seconds * share
            });
            add(BoundBy::Resource, Some(name.clone()), held.sum());
        }
        let dearest = self.fixtures.iter().map(|(one, _)| *one).fold(0.0, f64::max);
        add(BoundBy::Fixture, None, dearest);
        found.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        found
    }

    /// What a run would gain if the load were changed like that.
    pub(crate) fn saved(&self, change: impl FnOnce(&mut Self)) -> f64 {
        let mut other = self.clone();
        change(&mut other);
        (self.limit() - other.limit()).max(0.0)
    }
}

fn longest<'a>(tests: impl Iterator<Item = &'a Task>) -> Option<&'a Task> {
    tests.max_by(|one, other| one.seconds.total_cmp(&other.seconds))
}

fn sums<'a>(tests: impl Iterator<Item = &'a Task>) -> (f64, f64) {
    tests.fold((0.0, 0.0), |(seconds, cpu), test| (seconds + test.seconds, cpu + test.cpu))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load() -> impl Strategy<Value = Load> {
        let task =
            (0.01_f64..10.0, 0.0_f64..1.0, 0..4_u8, 0.1_f64..1.0).prop_map(|(seconds, share, kind, held)| {
                Task {
                    id: String::new(),
                    seconds,
                    cpu: seconds * share,
                    is_serial: kind == 0,
                    needs: if kind == 1 { vec![(0, held)] } else { Vec::new() },
                }
            });
        (proptest::collection::vec(task, 1..30), 1..20_u8, 1..20_u8, 0.0_f64..3.0).prop_map(
            |(tests, workers, cores, collecting)| Load {
                tests,
                resources: vec!["db".to_owned()],
                collecting,
                fixtures: Vec::new(),
                workers: f64::from(workers),
                cores: f64::from(cores),
            },
        )
    }

    /// Serial tests first, then the longest ones, each by whoever is free; resources do not keep it waiting.
    fn played(load: &Load) -> f64 {
        let serial: f64 = load.tests.iter().filter(|test| test.is_serial).map(|test| test.seconds).sum();
        let mut rest: Vec<f64> =
            load.tests.iter().filter(|test| !test.is_serial).map(|test| test.seconds).collect();
        rest.sort_by(|one, other| other.total_cmp(one));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
        let mut free = vec![serial; load.workers as usize];
        for seconds in rest {
            let next = free.iter_mut().min_by(|one, other| one.total_cmp(other)).unwrap();
            *next += seconds;
        }
        load.collecting + free.into_iter().fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn no_run_is_shorter_than_the_limit(load in load()) {
            // With a core for each worker, and nothing that is held.
            let mut load = Load { cores: 1e9, ..load };
            load.tests.iter_mut().for_each(|test| test.needs.clear());
            prop_assert!(played(&load) >= load.limit() - 1e-9, "{} < {}", played(&load), load.limit());
        }

        #[test]
        fn less_work_or_more_hands_never_take_longer(load in load(), which in any::<prop::sample::Index>()) {
            let place = which.index(load.tests.len());
            let limit = load.limit();
            let mut gone = load.clone();
            gone.tests.remove(place);
            prop_assert!(gone.limit() <= limit + 1e-9);
            let mut freed = load.clone();
            freed.tests[place].is_serial = false;
            freed.tests[place].needs.clear();
            prop_assert!(freed.limit() <= limit + 1e-9);
            let larger = Load { workers: load.workers + 1.0, cores: load.cores + 1.0, ..load.clone() };
            prop_assert!(larger.limit() <= limit + 1e-9);
            let repeated = Load { fixtures: vec![(1.0, 3.0)], ..load };
            prop_assert!(repeated.limit() >= limit - 1e-9);
        }

        #[test]
        fn endless_workers_are_bounded_by_what_is_serial(load in load()) {
            let serial: f64 = load.tests.iter().filter(|test| test.is_serial).map(|test| test.seconds).sum();
            let endless = Load { workers: 1e12, cores: 1e12, ..load };
            prop_assert!(endless.limit() >= serial - 1e-9);
        }
    }

    #[test]
    fn a_resource_bounds_the_tests_that_hold_it() {
        let task = |seconds, share| Task { seconds, needs: vec![(0, share)], ..Task::default() };
        let load = Load {
            tests: vec![task(2.0, 0.5), task(2.0, 0.5), task(2.0, 0.5), task(2.0, 0.5)],
            resources: vec!["gpu".to_owned()],
            workers: 8.0,
            cores: 8.0,
            ..Load::default()
        };
        let first = &load.bounds()[0];
        assert_eq!((first.by, first.name.as_deref()), (BoundBy::Resource, Some("gpu")));
        assert!((load.limit() - 4.0).abs() < 1e-9);
        assert!((load.saved(|load| load.resources.clear()) - 2.0).abs() < 1e-9);
    }
}
