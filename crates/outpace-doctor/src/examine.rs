//! The course of an examination: serially, in reverse, in parallel; then each difference is looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::faster::faster;
use crate::finding::{Aside, Class, Finding, Involved, Report, RuledOut};
use crate::pairings::deal;
use crate::record::{Outcome, Plan, Round, Test};
use crate::thing::Touch;
use crate::trials::Trials;
use crate::{advice, overrides};

/// Whoever can run pytest.
pub trait Lab {
    /// Why a run is not possible.
    type Error;
    /// Runs pytest once.
    fn run(&mut self, plan: &Plan) -> Result<Round, Self::Error>;
    /// Says what comes next; a line of its own stays, anything else is replaced by what follows.
    fn say(&mut self, line: &str, stays: bool);
}

/// How much is to be done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Workers of the parallel runs.
    pub workers: usize,
    /// Parallel runs.
    pub rounds: u32,
    /// How often two suspects are run side by side.
    pub repeat: usize,
    /// Runs of pytest to look into differences, at most.
    pub budget: usize,
}

/// Everything known so far.
pub(crate) struct Examination<'a, L: Lab> {
    pub(crate) trials: Trials<'a, L>,
    pub(crate) options: Options,
    pub(crate) serial: Round,
    pub(crate) reversed: Round,
    pub(crate) parallel: Vec<Round>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) ruled_out: Vec<RuledOut>,
    /// Failing tests that nothing explains yet.
    pub(crate) open: Vec<String>,
    report: Report,
}

/// The whole of it.
pub fn examine<L: Lab>(lab: &mut L, options: &Options) -> Result<Report, L::Error> {
    let mut examination = Examination {
        trials: Trials::new(lab, options.budget),
        options: options.clone(),
        serial: Round::default(),
        reversed: Round::default(),
        parallel: Vec::new(),
        findings: Vec::new(),
        ruled_out: Vec::new(),
        open: Vec::new(),
        report: Report::default(),
    };
    if examination.baseline()? {
        examination.differences()?;
        while let Some(id) = examination.open.first().cloned() {
            if examination.trials.exhausted() {
                break;
            }
            examination.look_into(&id)?;
            examination.open.retain(|open| *open != id);
        }
        examination.latent()?;
        examination.leaks();
    }
    Ok(examination.conclude())
}

/// Two tests only, which are all that the lab collects, as somebody wants to see them: side by side. The inner error says
/// why there are not two.
pub fn examine_pair<L: Lab>(
    lab: &mut L,
    options: &Options,
) -> Result<Result<Option<Finding>, String>, L::Error> {
    let serial = lab.run(&Plan { record: true, ..Plan::default() })?;
    let ids: Vec<String> = serial.tests.iter().map(|test| test.id.clone()).collect();
    let [first, second] = ids.as_slice() else {
        return Ok(Err(format!("--pair needs two tests, not {}\n{}", ids.len(), serial.tail)));
    };
    let mut examination = Examination {
        trials: Trials::new(lab, options.budget),
        options: options.clone(),
        serial,
        reversed: Round::default(),
        parallel: Vec::new(),
        findings: Vec::new(),
        ruled_out: Vec::new(),
        open: Vec::new(),
        report: Report::default(),
    };
    Ok(Ok(examination.pair(first, second)?))
}

impl<L: Lab> Examination<'_, L> {
    fn baseline(&mut self) -> Result<bool, L::Error> {
        self.trials.say("serially", false);
        self.serial = self.trials.free(&Plan { record: true, ..Plan::default() })?;
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
                self.findings.push(Finding {
                    class: Class::Flaky,
                    on: None,
                    sides: Vec::new(),
                    tests: vec![Involved { id: id.to_owned(), failure }],
                    also: Vec::new(),
                    proof: None,
                    advice: Vec::new(),
                    patch: None,
                    note: Some(note),
                });
                return Ok(());
            }
        }
        self.report.aside.push(Aside { id: id.to_owned(), failure });
        Ok(())
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.serial.tests.iter().filter(|test| test.outcome == outcome).count()
    }

    fn differences(&mut self) -> Result<(), L::Error> {
        let passed: Vec<(String, f64)> = self
            .serial
            .tests
            .iter()
            .filter(|test| test.outcome == Outcome::Passed)
            .map(|test| (test.id.clone(), test.seconds))
            .collect();
        self.trials.say("in reverse order", false);
        let backwards = passed.iter().rev().map(|(id, _)| id.clone()).collect();
        self.reversed = self.trials.free(&Plan { record: true, ..Plan::serial(backwards) })?;
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
            class: Class::Collection,
            on: None,
            sides: Vec::new(),
            tests: involved.into_iter().map(|id| Involved { id, failure: None }).collect(),
            also: Vec::new(),
            proof: None,
            advice: Vec::new(),
            patch: None,
            note: Some(note),
        });
    }

    fn look_into(&mut self, id: &str) -> Result<(), L::Error> {
        self.trials.say(&format!("looking into {id}"), false);
        let failure = self.failure_of(id);
        let alone = self.trials.alone(id)?;
        if alone.failed > 0 && alone.failed < alone.of {
            return self.flaky(id, failure);
        }
        if alone.failed > 0 {
            return self.needs_others(id);
        }
        if self.reversed.failures(id).0 > 0 && self.suffers_from_others(id, None)? {
            return Ok(());
        }
        let failed_in: Vec<usize> =
            (0..self.parallel.len()).filter(|round| self.parallel[*round].failures(id).0 > 0).collect();
        if !failed_in.is_empty() && self.met_another(id, &failed_in)? {
            return Ok(());
        }
        self.unexplained(id, failure)
    }

    pub(crate) fn flaky(&mut self, id: &str, failure: Option<crate::Failure>) -> Result<(), L::Error> {
        let alone = self.trials.alone_more(id, 4)?;
        self.findings.push(Finding {
            class: Class::Flaky,
            on: None,
            sides: Vec::new(),
            tests: vec![Involved { id: id.to_owned(), failure }],
            also: Vec::new(),
            proof: None,
            advice: Vec::new(),
            patch: None,
            note: Some(format!("failed in {} of {} runs by itself", alone.failed, alone.of)),
        });
        Ok(())
    }

    fn unexplained(&mut self, id: &str, failure: Option<crate::Failure>) -> Result<(), L::Error> {
        let alone = self.trials.alone_more(id, 4)?;
        if alone.failed > 0 {
            return self.flaky(id, failure);
        }
        let beside = self.beside(id);
        let class = if self.reversed.failures(id).0 > 0 { Class::Order } else { Class::ParallelOnly };
        self.findings.push(Finding {
            class,
            on: None,
            sides: Vec::new(),
            tests: vec![Involved { id: id.to_owned(), failure }],
            also: beside,
            proof: None,
            advice: Vec::new(),
            patch: None,
            note: Some("the cause was not found; beside it ran the tests named here".to_owned()),
        });
        Ok(())
    }

    /// What was left behind for good, by the test that did it.
    fn leaks(&mut self) {
        for thing in self.serial.left_for_good.clone() {
            if !crate::advice::is_leak(thing.kind) {
                continue;
            }
            let by = self.serial.tests.iter().find_map(|test| {
                test.left.iter().find(|left| left.thing == thing).map(|left| (test, left.place.clone()))
            });
            let Some((test, place)) = by else { continue };
            let known = self.findings.iter().any(|finding| finding.on.as_ref() == Some(&thing));
            if known {
                continue;
            }
            let side = crate::Side { id: test.id.clone(), does: "leaves it".to_owned(), place };
            self.findings.push(Finding {
                class: Class::Leak,
                on: Some(thing),
                sides: vec![side],
                tests: Vec::new(),
                also: Vec::new(),
                proof: None,
                advice: Vec::new(),
                patch: None,
                note: None,
            });
        }
    }

    /// The failure that people saw: of the parallel runs, else of the reversed one.
    pub(crate) fn failure_of(&self, id: &str) -> Option<crate::Failure> {
        let rounds = self.parallel.iter().chain([&self.reversed]);
        rounds
            .flat_map(|round| &round.tests)
            .filter(|test| test.id == id)
            .find_map(|test| test.failure.clone())
    }

    /// Everything a test was seen to touch, in any run.
    pub(crate) fn touches_of(&self, id: &str) -> Vec<Touch> {
        let mut found: Vec<Touch> = Vec::new();
        for round in [&self.serial, &self.reversed].into_iter().chain(&self.parallel) {
            for touch in round.tests.iter().filter(|test| test.id == id).flat_map(|test| &test.touches) {
                if !found.iter().any(|known| known.thing == touch.thing && known.mode == touch.mode) {
                    found.push(touch.clone());
                }
            }
        }
        found
    }

    pub(crate) fn place_of(&self, id: &str) -> String {
        self.serial.test(id).map_or_else(|| id.to_owned(), |test| test.place.clone())
    }

    fn conclude(mut self) -> Report {
        let mut report = self.report;
        report.counts.runs = self.trials.runs;
        report.unexamined = self.open;
        report.ruled_out = self.ruled_out;
        self.findings = merged(self.findings);
        for finding in &mut self.findings {
            finding.patch = overrides::patch(finding, &self.serial);
            finding.advice = advice::advice(finding);
        }
        self.findings
            .sort_by_key(|finding| (finding.class == Class::Leak, std::cmp::Reverse(finding.tests.len())));
        report.findings = self.findings;
        if report.stopped.is_none() {
            report.faster = faster(&self.serial, report.counts.workers);
        }
        report
    }
}

/// Findings of one class on one thing are one.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = merged.iter_mut().find(|known| {
            known.class == finding.class
                && known.on.is_some()
                && known.on == finding.on
                && known.class != Class::Leak
        });
        let Some(known) = same else {
            merged.push(finding);
            continue;
        };
        let sides = finding.sides.into_iter().map(|side| side.id);
        for id in sides.chain(finding.also) {
            let named =
                known.sides.iter().any(|side| side.id == id) || known.tests.iter().any(|test| test.id == id);
            if !named && !known.also.contains(&id) {
                known.also.push(id);
            }
        }
        for test in finding.tests {
            known.also.retain(|id| *id != test.id);
            if !known.tests.iter().any(|other| other.id == test.id) {
                known.tests.push(test);
            }
        }
    }
    merged
}

/// Tests by node id.
pub(crate) fn by_id(round: &Round) -> BTreeMap<&str, &Test> {
    round.tests.iter().map(|test| (test.id.as_str(), test)).collect()
}
