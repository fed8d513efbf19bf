//! The course of an examination: serially, in reverse, in parallel; then each difference is looked into.

use std::collections::BTreeMap;

use crate::faster::Machine;
use crate::finding::{Class, Finding, Report, RuledOut};
use crate::record::{Plan, Round, Test};
use crate::thing::Touch;
use crate::trials::Trials;

/// Whoever can run pytest.
pub trait Lab {
    /// Why a run is not possible.
    type Error;
    /// Runs pytest once.
    fn run(&mut self, plan: &Plan) -> Result<Round, Self::Error>;
    /// What it runs on, before the first run.
    fn machine(&self) -> Machine {
        Machine::default()
    }
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
    /// What only the kernel saw a test touch.
    pub(crate) witnessed: BTreeMap<String, Vec<Touch>>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) ruled_out: Vec<RuledOut>,
    /// Failing tests that nothing explains yet.
    pub(crate) open: Vec<String>,
    pub(crate) report: Report,
}

/// The whole of it.
pub fn examine<L: Lab>(lab: &mut L, options: &Options) -> Result<Report, L::Error> {
    let mut examination = Examination::new(lab, options);
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
    let serial = lab.run(&Plan { record: true, witness: true, ..Plan::default() })?;
    let ids: Vec<String> = serial.tests.iter().map(|test| test.id.clone()).collect();
    let [first, second] = ids.as_slice() else {
        return Ok(Err(format!("--pair needs two tests, not {}\n{}", ids.len(), serial.tail)));
    };
    let backwards = vec![second.clone(), first.clone()];
    let mut examination = Examination { serial, ..Examination::new(lab, options) };
    examination.reversed =
        examination.trials.free(&Plan { record: true, witness: true, ..Plan::serial(backwards) })?;
    examination.hear_the_kernel();
    Ok(Ok(examination.pair(first, second)?))
}

impl<'a, L: Lab> Examination<'a, L> {
    fn new(lab: &'a mut L, options: &Options) -> Self {
        Self {
            trials: Trials::new(lab, options.budget),
            options: options.clone(),
            serial: Round::default(),
            reversed: Round::default(),
            parallel: Vec::new(),
            witnessed: BTreeMap::new(),
            findings: Vec::new(),
            ruled_out: Vec::new(),
            open: Vec::new(),
            report: Report::default(),
        }
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
        let note = format!("failed in {} of {} runs by itself", alone.failed, alone.of);
        self.findings.push(Finding { note: Some(note), ..Finding::that_fails(Class::Flaky, id, failure) });
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
            also: beside,
            note: Some("the cause was not found; beside it ran the tests named here".to_owned()),
            ..Finding::that_fails(class, id, failure)
        });
        Ok(())
    }

    /// The failure that people saw: of the parallel runs, else of the reversed one.
    pub(crate) fn failure_of(&self, id: &str) -> Option<crate::Failure> {
        let rounds = self.parallel.iter().chain([&self.reversed]);
        rounds
            .flat_map(|round| &round.tests)
            .filter(|test| test.id == id)
            .find_map(|test| test.failure.clone())
    }

    /// Everything a test was seen to touch, in any run, by whomever.
    pub(crate) fn touches_of(&self, id: &str) -> Vec<Touch> {
        let mut found: Vec<Touch> = Vec::new();
        for round in [&self.serial, &self.reversed].into_iter().chain(&self.parallel) {
            for touch in round.tests.iter().filter(|test| test.id == id).flat_map(|test| &test.touches) {
                if !found.iter().any(|known| known.thing == touch.thing && known.mode == touch.mode) {
                    found.push(touch.clone());
                }
            }
        }
        found.extend_from_slice(self.witnessed_of(id));
        found
    }

    pub(crate) fn place_of(&self, id: &str) -> String {
        self.serial.test(id).map_or_else(|| id.to_owned(), |test| test.place.clone())
    }
}

/// Tests by node id.
pub(crate) fn by_id(round: &Round) -> BTreeMap<&str, &Test> {
    round.tests.iter().map(|test| (test.id.as_str(), test)).collect()
}
