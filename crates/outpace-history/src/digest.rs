//! One run's observations of one file, put in a form to be averaged.
//!
//! The first test of a file on a worker pays for fixtures that later ones share. What it took more than they is the
//! file's, not the test's, or its expected time would depend on where it happened to run.

use outpace_model::Outcome;

use crate::store::Lesson;

/// What is to be averaged of one run of a test, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Times {
    pub(crate) wall: i64,
    pub(crate) cpu: i64,
    pub(crate) setup: i64,
    pub(crate) setup_cpu: i64,
    pub(crate) teardown: i64,
    pub(crate) teardown_cpu: i64,
}

impl Times {
    fn of(lesson: &Lesson) -> Self {
        let [wall, cpu] = [lesson.costs.wall, lesson.costs.cpu].map(|phases| phases.map(micros));
        Self {
            wall: wall.iter().sum(),
            cpu: cpu.iter().sum(),
            setup: wall[0],
            setup_cpu: cpu[0],
            teardown: wall[2],
            teardown_cpu: cpu[2],
        }
    }

    /// What its setup takes more than `usual`, and the share of its CPU that belongs to that.
    fn more_than(&self, usual: i64) -> Shared {
        let wall = (self.setup - usual).max(0);
        Shared { wall, cpu: if self.setup > 0 { self.setup_cpu * wall / self.setup } else { 0 } }
    }

    fn without(self, shared: Shared) -> Self {
        Self {
            wall: self.wall - shared.wall,
            cpu: self.cpu - shared.cpu,
            setup: self.setup - shared.wall,
            setup_cpu: self.setup_cpu - shared.cpu,
            ..self
        }
    }
}

/// What a file's fixtures took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shared {
    pub(crate) wall: i64,
    pub(crate) cpu: i64,
}

/// The lessons of one file: the times of each, in their order (none where there are none), and what the file's
/// fixtures took, where that could be told.
pub(crate) fn digest(lessons: &[&Lesson]) -> (Vec<Option<Times>>, Option<Shared>) {
    let is_timed = |lesson: &Lesson| matches!(lesson.outcome, Outcome::Passed | Outcome::Failed);
    let mut usual: Vec<i64> = lessons
        .iter()
        .filter(|lesson| is_timed(lesson) && !lesson.is_first_of_file)
        .map(|lesson| micros(lesson.costs.wall[0]))
        .collect();
    usual.sort_unstable();
    let usual = usual.get(usual.len() / 2).copied();
    let mut fixtures = None;
    let times = lessons
        .iter()
        .map(|lesson| {
            let times = is_timed(lesson).then(|| Times::of(lesson))?;
            let Some(usual) = usual.filter(|_| lesson.is_first_of_file) else { return Some(times) };
            let shared = times.more_than(usual);
            if !lesson.is_first_of_worker {
                fixtures = fixtures.max(Some(shared));
            }
            Some(times.without(shared))
        })
        .collect();
    (times, fixtures)
}

pub(crate) fn micros(seconds: f32) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let whole = (f64::from(seconds).max(0.0) * 1e6) as i64;
    whole
}

pub(crate) fn seconds(micros: i64) -> f32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "six digits are enough")]
    let seconds = (micros as f64 / 1e6) as f32;
    seconds
}

#[cfg(test)]
mod tests {
    use outpace_model::Costs;

    use super::*;

    fn lesson(setup: f32, first: bool) -> Lesson {
        let costs = Costs { wall: [setup, 1.0, 0.5], cpu: [setup / 2.0, 0.0, 0.0], ..Costs::default() };
        Lesson {
            node_id: "a.py::t".into(),
            outcome: Outcome::Passed,
            is_first_of_file: first,
            is_first_of_worker: false,
            costs,
        }
    }

    #[test]
    fn what_the_first_test_pays_for_others_is_the_files() {
        let lessons = [lesson(3.0, true), lesson(0.25, false), lesson(0.25, false)];
        let (times, fixtures) = digest(&lessons.each_ref());
        assert_eq!(fixtures, Some(Shared { wall: 2_750_000, cpu: 1_375_000 }));
        let first = times[0].unwrap();
        assert_eq!((first.wall, first.setup, first.setup_cpu), (1_750_000, 250_000, 125_000));
        assert_eq!(times[1], Some(Times::of(&lessons[1])));
    }

    #[test]
    fn a_test_alone_in_its_file_keeps_its_setup() {
        let lessons = [lesson(3.0, true)];
        let (times, fixtures) = digest(&lessons.each_ref());
        assert_eq!((times[0].unwrap().setup, fixtures), (3_000_000, None));
    }

    #[test]
    fn what_was_skipped_or_crashed_has_no_times() {
        let skipped = Lesson { outcome: Outcome::Skipped, ..lesson(9.0, false) };
        let crashed = Lesson { outcome: Outcome::Crashed, ..lesson(9.0, false) };
        let (times, fixtures) = digest(&[&lesson(1.0, true), &skipped, &crashed]);
        assert_eq!((times[0].unwrap().setup, times[1], times[2], fixtures), (1_000_000, None, None, None));
    }
}
