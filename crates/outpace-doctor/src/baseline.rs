//! The runs of the whole suite: serially, in reverse, in parallel. What ends differently is open.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::examine::{Examination, Lab};
use crate::finding::{Aside, Class, Finding, Involved};
use crate::pairings::deal;
use crate::record::{Outcome, Plan};

impl<L: Lab> Examination<'_, L> {
    /// The run that everything is compared with; false if there is none.
    pub(crate) fn baseline(&mut self) -> Result<bool, L::Error> {
        self.trials.say("serially", false);
        self.serial = self.trials.free(&Plan { record: true, witness: true, ..Plan::default() })?;
        let serial = &self.serial;
        if let Some((what, message)) = serial.errors.first() {
            self.report.stopped = Some(format!("{what} cannot be collected: {message}"));
        } else if let Some((id, place)) = &serial.hung {
            self.report.stopped = Some(format!("{id} does not end (at {place})"));
        } else if serial.tests.is_empty() {
            self.report.stopped = Some(format!("no test ran serially\n{}", serial.tail));
        } else if !matches!(serial.exit, Some(0 | 1)) {
            let code = serial.exit.map_or("it was killed".to_owned(), |code| format!("exit code {code}"));
            self.report.stopped = Some(format!("the serial run did not end well: {code}\n{}", serial.tail));
        }
        if self.report.stopped.is_some() {
            return Ok(false);
        }
        let (passed, skipped) = (self.count(Outcome::Passed), self.count(Outcome::Skipped));
        let failed = self.serial.failed().len();
        let mut line = format!("serially              {passed} passed");
        for (count, word) in [(failed, "failed"), (skipped, "skipped")] {
            if count > 0 {
                let _ = write!(line, ", {count} {word}");
            }
        }
        self.trials.say(&format!("{line:<48}{:>7.1} s", self.serial.seconds), true);
        let counts = &mut self.report.counts;
        counts.tests = self.serial.tests.len();
        counts.passed = passed;
        counts.skipped = skipped;
        counts.serial_seconds = self.serial.seconds;
        for id in self.serial.failed().iter().map(|test| test.id.clone()).collect::<Vec<_>>() {
            self.set_aside(&id)?;
        }
        if passed == 0 {
            self.report.stopped = Some("no test passes serially".to_owned());
        }
        Ok(passed > 0)
    }

    /// A test that fails serially is nobody's conflict, unless it passes the next time.
    fn set_aside(&mut self, id: &str) -> Result<(), L::Error> {
        let failure = self.serial.test(id).and_then(|test| test.failure.clone());
        if self.report.aside.len() < 5 {
            let alone = self.trials.alone(id)?;
            if alone.failed < alone.of {
                let tests = self.serial.tests.iter().take_while(|test| test.id != id);
                let before: Vec<String> = tests.map(|test| test.id.clone()).collect();
                if alone.failed == 0 && self.suffers_from_others(id, Some(before))? {
                    return Ok(());
                }
                let alone = self.trials.alone_more(id, 4)?;
                let note = format!(
                    "failed in the serial run, and in {} of {} runs by itself",
                    alone.failed, alone.of
                );
                self.findings
                    .push(Finding { note: Some(note), ..Finding::that_fails(Class::Flaky, id, failure) });
                return Ok(());
            }
        }
        self.report.aside.push(Aside { id: id.to_owned(), failure });
        Ok(())
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.serial.tests.iter().filter(|test| test.outcome == outcome).count()
    }

    /// The same tests in reverse order and in parallel: what fails there is open.
    pub(crate) fn differences(&mut self) -> Result<(), L::Error> {
        let passed: Vec<(String, f64)> = self
            .serial
            .tests
            .iter()
            .filter(|test| test.outcome == Outcome::Passed)
            .map(|test| (test.id.clone(), test.seconds))
            .collect();
        self.trials.say("in reverse order", false);
        let backwards = passed.iter().rev().map(|(id, _)| id.clone()).collect();
        self.reversed = self.trials.free(&Plan { record: true, witness: true, ..Plan::serial(backwards) })?;
        self.hear_the_kernel();
        let reversed_failed = self.reversed.failed().len();
        self.told("in reverse order", passed.len(), reversed_failed, self.reversed.seconds);
        self.collections();
        let mut failed_once = BTreeSet::new();
        let mut quickest = f64::INFINITY;
        for seed in 1..=self.options.rounds {
            self.trials.say(&format!("in parallel, {seed} of {}", self.options.rounds), false);
            let lanes = deal(&passed, self.options.workers, seed);
            let round = self.trials.free(&Plan {
                record: true,
                lanes: Some(lanes),
                in_worker: true,
                memory: seed == 1,
                ..Plan::default()
            })?;
            failed_once.extend(round.failed().iter().map(|test| test.id.clone()));
            quickest = quickest.min(round.seconds);
            self.parallel.push(round);
        }
        let label = format!("in parallel, {} times", self.options.rounds);
        self.told(&label, passed.len(), failed_once.len(), quickest);
        let mut failing: Vec<String> = self.reversed.failed().iter().map(|test| test.id.clone()).collect();
        failing.reverse();
        for (id, _) in &passed {
            if failed_once.contains(id) && !failing.contains(id) {
                failing.push(id.clone());
            }
        }
        self.open = failing;
        let counts = &mut self.report.counts;
        counts.reversed_failed = reversed_failed;
        counts.reversed_seconds = self.reversed.seconds;
        counts.workers = self.options.workers;
        counts.rounds = self.parallel.len();
        counts.parallel_failed = failed_once.len();
        counts.parallel_seconds = if quickest.is_finite() { quickest } else { 0.0 };
        Ok(())
    }

    fn told(&mut self, label: &str, all: usize, failed: usize, seconds: f64) {
        let what = if failed == 0 { format!("{all} passed") } else { format!("{failed} of {all} failed") };
        let line = format!("{label:<22}{what}");
        self.trials.say(&format!("{line:<48}{seconds:>7.1} s"), true);
    }

    /// Whether each process collects the same.
    fn collections(&mut self) {
        let first = &self.serial.collected;
        let known: BTreeSet<&String> = first.iter().collect();
        let other = &self.reversed.collected;
        let again: BTreeSet<&String> = other.iter().collect();
        let only_first: Vec<String> = known.difference(&again).map(|id| (*id).clone()).collect();
        let only_again: Vec<String> = again.difference(&known).map(|id| (*id).clone()).collect();
        let note = if let (Some(gone), Some(new)) = (only_first.first(), only_again.first()) {
            format!("{gone} in one process, {new} in the next")
        } else if let Some(id) = only_first.first().or(only_again.first()) {
            format!("{id} is there in one process and not in the next")
        } else if let Some((one, _)) = first.iter().zip(other).find(|(one, other)| one != other) {
            format!("from {one} on, they come in another order in each process")
        } else {
            return;
        };
        let involved = if only_first.is_empty() { only_again } else { only_first };
        self.findings.push(Finding {
            tests: involved.into_iter().map(|id| Involved { id, failure: None }).collect(),
            note: Some(note),
            ..Finding::of(Class::Collection)
        });
    }
}
