//! Tests that depend on what ran before them in the same process.

use crate::examine::{Examination, Lab};
use crate::finding::{Class, Finding, Involved, Proof, Reproduction, Side};
use crate::record::{Outcome, Plan};
use crate::shrink::shrink;
use crate::thing::{Kind, Mode, Thing, meetings};

/// Things to put back one by one, at most.
const MOST_UNDONE: usize = 8;
const PROOFS: usize = 3;

impl<L: Lab> Examination<'_, L> {
    /// It fails alone, and passed in the serial run: something before it there is needed.
    pub(crate) fn needs_others(&mut self, id: &str) -> Result<(), L::Error> {
        let passed = self.serial.tests.iter().filter(|test| test.outcome != Outcome::Skipped);
        let before: Vec<String> =
            passed.take_while(|test| test.id != id).map(|test| test.id.clone()).collect();
        let Some(needed) = self.smallest(&before, id, false)? else {
            if self.is_flaky(id)? {
                return Ok(());
            }
            self.findings.push(Finding {
                note: Some(
                    "fails by itself now, also after the tests before it; did an earlier failure leave something?"
                        .to_owned(),
                ),
                ..self.bare(Class::Alone, id)
            });
            return Ok(());
        };
        self.depends(Class::Alone, &needed, id, false)
    }

    /// It passes alone, and fails after others. `lane`: those before it in a lane of a parallel run, else those of the
    /// reversed run.
    pub(crate) fn suffers_from_others(
        &mut self,
        id: &str,
        lane: Option<Vec<String>>,
    ) -> Result<bool, L::Error> {
        let before = lane.unwrap_or_else(|| {
            let tests = self.reversed.tests.iter();
            tests.take_while(|test| test.id != id).map(|test| test.id.clone()).collect()
        });
        let Some(polluters) = self.smallest(&before, id, true)? else { return Ok(false) };
        self.depends(Class::Order, &polluters, id, true)?;
        Ok(true)
    }

    /// Whether more runs by itself end differently: then no other test is to blame.
    pub(crate) fn is_flaky(&mut self, id: &str) -> Result<bool, L::Error> {
        let alone = self.trials.alone_more(id, 3)?;
        let flaky = alone.failed > 0 && alone.failed < alone.of;
        if flaky {
            let failure = self.failure_of(id);
            self.flaky(id, failure)?;
        }
        Ok(flaky)
    }

    /// The smallest part of `before` after which `id` fails (or passes); none if it does not do so after all of them.
    fn smallest(
        &mut self,
        before: &[String],
        id: &str,
        fails: bool,
    ) -> Result<Option<Vec<String>>, L::Error> {
        if before.is_empty() {
            return Ok(None);
        }
        let hinted: Vec<String> = before.iter().filter(|each| self.is_suspect(each, id)).cloned().collect();
        let trials = &mut self.trials;
        let mut holds = |part: &[String]| -> Result<bool, L::Error> {
            Ok(trials.fails_after(part, id, Plan::default())? == Some(fails))
        };
        let start = if !hinted.is_empty() && hinted.len() < before.len() && holds(&hinted)? {
            hinted
        } else if holds(before)? {
            before.to_vec()
        } else {
            return Ok(None);
        };
        shrink(&start, 60, holds).map(Some)
    }

    /// It left something, or touched something that the other one touches.
    fn is_suspect(&self, other: &str, id: &str) -> bool {
        let left = self.serial.test(other).is_some_and(|test| !test.left.is_empty());
        left || !meetings(&self.touches_of(other), &self.touches_of(id), true).is_empty()
    }

    fn depends(&mut self, class: Class, set: &[String], id: &str, fails: bool) -> Result<(), L::Error> {
        let mut reproduced = 0;
        for _ in 0..PROOFS {
            reproduced += usize::from(self.trials.fails_after(set, id, Plan::default())? == Some(fails));
        }
        // A flaky test may have failed each time by chance.
        if self.is_flaky(id)? {
            return Ok(());
        }
        if reproduced < PROOFS {
            self.findings.push(Finding {
                note: Some("it fails now and then; no other test makes a certain difference".to_owned()),
                ..self.bare(Class::Flaky, id)
            });
            return Ok(());
        }
        let (on, sides) = self.explained(set, id, fails)?;
        let also_open = self.same_cause(set, id, fails)?;
        let how = if fails {
            Reproduction::Serial(set.iter().cloned().chain([id.to_owned()]).collect())
        } else {
            Reproduction::Serial(vec![id.to_owned()])
        };
        let mut finding = self.bare(class, id);
        finding.on = on;
        finding.sides = sides;
        finding.proof = Some(Proof { reproduced, of: PROOFS, how });
        for other in also_open {
            let failure = self.failure_of(&other);
            self.open.retain(|open| *open != other);
            finding.tests.push(Involved { id: other, failure });
        }
        self.findings.push(finding);
        Ok(())
    }

    /// What of all that the earlier tests left makes the difference: with it put back, the outcome is the other one.
    fn explained(
        &mut self,
        set: &[String],
        id: &str,
        fails: bool,
    ) -> Result<(Option<Thing>, Vec<Side>), L::Error> {
        let mut candidates: Vec<(Thing, Side)> = Vec::new();
        for other in set.iter().rev() {
            let records = [&self.serial, &self.reversed].into_iter().chain(&self.parallel);
            let left = records.flat_map(|round| &round.tests).filter(|test| test.id == *other);
            for left in left.flat_map(|test| &test.left) {
                if !candidates.iter().any(|(thing, _)| *thing == left.thing) {
                    let does = "changes it and leaves it changed".to_owned();
                    let side = Side { id: other.clone(), does, place: left.place.clone() };
                    candidates.push((left.thing.clone(), side));
                }
            }
        }
        let victim_file = id.split("::").next().unwrap_or_default().to_owned();
        candidates.sort_by_key(|(thing, _)| rank(thing.kind, &thing.name, &victim_file));
        let failure = self.failure_of(id);
        let place = failure.and_then(|failure| failure.place).unwrap_or_else(|| self.place_of(id));
        let victim = |does: &str| Side { id: id.to_owned(), does: does.to_owned(), place: place.clone() };
        for (thing, side) in candidates.iter().take(MOST_UNDONE) {
            let plan = Plan { undo: vec![thing.clone()], ..Plan::default() };
            if self.trials.fails_after(set, id, plan)? == Some(!fails) {
                let does = if fails { "fails with it" } else { "needs it" };
                let mut sides: Vec<Side> = set
                    .iter()
                    .filter(|other| **other != side.id)
                    .map(|other| self.changes(other, thing).unwrap_or_else(|| self.runs_before(other)))
                    .collect();
                sides.extend([side.clone(), victim(does)]);
                return Ok((Some(thing.clone()), sides));
            }
        }
        for other in set.iter().rev() {
            let met = meetings(&self.touches_of(other), &self.touches_of(id), true);
            let mut met: Vec<_> =
                met.into_iter().filter(|meeting| meeting.first.mode == Mode::Write).collect();
            met.sort_by_key(|meeting| meeting.thing.kind);
            if let Some(meeting) = met.into_iter().next() {
                let first = Side {
                    id: other.clone(),
                    does: "writes and leaves it".to_owned(),
                    place: meeting.first.place,
                };
                let does = if meeting.second.mode == Mode::Write { "uses it" } else { "reads it" };
                let second = Side { id: id.to_owned(), does: does.to_owned(), place: meeting.second.place };
                return Ok((Some(meeting.thing), vec![first, second]));
            }
        }
        let mut sides: Vec<Side> = set.iter().map(|other| self.runs_before(other)).collect();
        sides.push(victim(if fails { "fails after it" } else { "fails without it" }));
        Ok((None, sides))
    }

    fn runs_before(&self, id: &str) -> Side {
        Side { id: id.to_owned(), does: "runs before".to_owned(), place: self.place_of(id) }
    }

    /// The test's change of the thing, if it leaves it changed.
    fn changes(&self, id: &str, thing: &Thing) -> Option<Side> {
        let left = self.serial.test(id)?.left.iter().find(|left| left.thing == *thing)?;
        let does = "changes it and leaves it changed".to_owned();
        Some(Side { id: id.to_owned(), does, place: left.place.clone() })
    }

    /// Which other failing tests do the same: after the set one way, without it the other.
    fn same_cause(&mut self, set: &[String], id: &str, fails: bool) -> Result<Vec<String>, L::Error> {
        let others: Vec<String> =
            self.open.iter().filter(|open| *open != id && !set.contains(open)).cloned().collect();
        if others.is_empty() {
            return Ok(others);
        }
        let after = self.trials.run(&Plan::serial(set.iter().chain(&others).cloned().collect()))?;
        let without = self.trials.run(&Plan::serial(others.clone()))?;
        Ok(others
            .into_iter()
            .filter(|other| {
                let (after, without) = (after.failures(other), without.failures(other));
                after.1 > 0 && without.1 > 0 && (after.0 > 0) == fails && (without.0 > 0) != fails
            })
            .collect())
    }

    pub(crate) fn bare(&self, class: Class, id: &str) -> Finding {
        Finding::that_fails(class, id, self.failure_of(id))
    }
}

/// What is looked at first: what names the same module, then what a test changes on purpose, then what changes by itself.
fn rank(kind: Kind, name: &str, victim_file: &str) -> (usize, bool) {
    let module = victim_file.rsplit('/').next().unwrap_or_default().trim_end_matches(".py");
    let order = match kind {
        Kind::Variable | Kind::Folder | Kind::Path | Kind::Signal | Kind::Locale | Kind::Timezone => 0,
        Kind::Attribute | Kind::Process | Kind::Logging | Kind::Socket => 1,
        Kind::Random | Kind::Thread => 3,
        _ => 2,
    };
    (order, !name.starts_with(module))
}
