//! Runs of pytest that are to answer one question each, counted, and the answers that are asked for again.

use std::collections::BTreeMap;

use crate::examine::Lab;
use crate::faster::Machine;
use crate::finding::{Proof, Reproduction};
use crate::record::{Failure, Plan, Round};

/// How a test fared by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alone {
    pub(crate) failed: usize,
    pub(crate) of: usize,
}

/// What came of running two tests side by side.
pub(crate) struct Beside {
    pub(crate) proof: Proof,
    /// Who failed, and how.
    pub(crate) failed: Vec<(String, Failure)>,
}

pub(crate) struct Trials<'a, L: Lab> {
    lab: &'a mut L,
    budget: usize,
    pub(crate) runs: usize,
    alone: BTreeMap<String, Alone>,
    sound: BTreeMap<(String, usize), bool>,
}

impl<'a, L: Lab> Trials<'a, L> {
    pub(crate) fn new(lab: &'a mut L, budget: usize) -> Self {
        Self { lab, budget, runs: 0, alone: BTreeMap::new(), sound: BTreeMap::new() }
    }

    pub(crate) fn machine(&self) -> Machine {
        self.lab.machine()
    }

    pub(crate) fn say(&mut self, line: &str, stays: bool) {
        self.lab.say(line, stays);
    }

    pub(crate) fn exhausted(&self) -> bool {
        self.budget == 0
    }

    /// A run that does not count against the budget.
    pub(crate) fn free(&mut self, plan: &Plan) -> Result<Round, L::Error> {
        self.runs += 1;
        self.lab.run(plan)
    }

    pub(crate) fn run(&mut self, plan: &Plan) -> Result<Round, L::Error> {
        self.budget = self.budget.saturating_sub(1);
        self.free(&Plan { narrow: true, ..plan.clone() })
    }

    /// Once in a fresh process, and once more if that fails.
    pub(crate) fn alone(&mut self, id: &str) -> Result<Alone, L::Error> {
        if let Some(known) = self.alone.get(id) {
            return Ok(*known);
        }
        let alone = self.alone_times(id, 1)?;
        if alone.failed > 0 { self.alone_more(id, 1) } else { Ok(alone) }
    }

    /// Some more times.
    pub(crate) fn alone_more(&mut self, id: &str, times: usize) -> Result<Alone, L::Error> {
        let known = self.alone.get(id).copied().unwrap_or(Alone { failed: 0, of: 0 });
        let more = self.alone_times(id, times)?;
        let sum = Alone { failed: known.failed + more.failed, of: known.of + more.of };
        self.alone.insert(id.to_owned(), sum);
        Ok(sum)
    }

    fn alone_times(&mut self, id: &str, times: usize) -> Result<Alone, L::Error> {
        let mut alone = Alone { failed: 0, of: 0 };
        for _ in 0..times {
            let round = self.run(&Plan::serial(vec![id.to_owned()]))?;
            let (failed, ran) = round.failures(id);
            alone.of += 1;
            alone.failed += usize::from(failed > 0 || ran == 0);
        }
        self.alone.insert(id.to_owned(), alone);
        Ok(alone)
    }

    /// Whether `id` fails as the last of these, in one fresh process; none if it did not run.
    pub(crate) fn fails_after(
        &mut self,
        before: &[String],
        id: &str,
        plan: Plan,
    ) -> Result<Option<bool>, L::Error> {
        let mut lane = before.to_vec();
        lane.push(id.to_owned());
        let round = self.run(&Plan { lanes: Some(vec![lane]), ..plan })?;
        let (failed, ran) = round.failures(id);
        Ok((ran > 0).then_some(failed > 0))
    }

    /// The two at the same time, in two workers, again and again, in slow motion; each by itself first, likewise, so
    /// that a failure is the pair's and not the slow motion's. None if nothing failed, or a test fails like that anyway.
    pub(crate) fn beside(
        &mut self,
        one: &str,
        other: &str,
        times: usize,
    ) -> Result<Option<Beside>, L::Error> {
        let repeat = if self.is_sound(one, times)? && self.is_sound(other, times)? { times } else { 1 };
        if repeat == 1 && !(self.is_sound(one, 1)? && self.is_sound(other, 1)?) {
            return Ok(None);
        }
        let mut proof = Proof { reproduced: 0, of: 0, how: Reproduction::Pair(one.into(), other.into()) };
        let mut failed: Vec<(String, Failure)> = Vec::new();
        let rounds = if repeat == 1 { 3 } else { 2 };
        for seed in 1..=rounds {
            let lane = |id: &str| vec![id.to_owned(); repeat];
            let round = self.run(&Plan {
                lanes: Some(vec![lane(one), lane(other)]),
                together: true,
                slow_motion: Some(seed),
                in_worker: true,
                ..Plan::default()
            })?;
            let runs = |id: &str| -> Vec<Option<Failure>> {
                round.tests.iter().filter(|test| test.id == id).map(|test| test.failure.clone()).collect()
            };
            let (first, second) = (runs(one), runs(other));
            for (a, b) in first.iter().zip(&second) {
                proof.of += 1;
                proof.reproduced += usize::from(a.is_some() || b.is_some());
            }
            for (id, failures) in [(one, first), (other, second)] {
                let known = failed.iter().any(|(known, _)| known == id);
                failed.extend(
                    failures
                        .into_iter()
                        .flatten()
                        .next()
                        .filter(|_| !known)
                        .map(|failure| (id.to_owned(), failure)),
                );
            }
            if proof.reproduced > 0 && repeat > 1 {
                break;
            }
        }
        // What fails now and then beside another may do so by itself: then it is asked once more, at length.
        if proof.reproduced > 0 && proof.reproduced < proof.of {
            for (id, _) in &failed {
                if repeat > 1 && !self.is_sound(id, 2 * times)? || self.alone_more(id, 3)?.failed > 0 {
                    return Ok(None);
                }
            }
        }
        Ok((proof.reproduced > 0).then_some(Beside { proof, failed }))
    }

    /// Whether it passes so many times in a row in one worker, in slow motion, with nothing beside it.
    fn is_sound(&mut self, id: &str, times: usize) -> Result<bool, L::Error> {
        let key = (id.to_owned(), times);
        if let Some(known) = self.sound.get(&key) {
            return Ok(*known);
        }
        let round = self.run(&Plan {
            slow_motion: Some(7),
            in_worker: true,
            ..Plan::serial(vec![id.to_owned(); times])
        })?;
        let sound = round.failures(id) == (0, times);
        self.sound.insert(key, sound);
        Ok(sound)
    }
}
