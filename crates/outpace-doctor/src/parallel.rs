//! Tests that fail beside others: with whom they meet, and on what.

use crate::examine::{Examination, Lab, by_id};
use crate::finding::{Class, Finding, Involved, Proof, Reproduction, RuledOut, Side};
use crate::record::{Outcome, Plan, Test};
use crate::thing::{By, Deed, Kind, Meeting, Mode, Thing, Touch, common, meetings};

/// So many suspects are run beside a failing test.
const SUSPECTS: usize = 4;
/// So many that nothing is known of.
const BLIND: usize = 2;
/// A circumstance is the cause if the test fails in it so many times in a row, and never without it.
const TIMES: usize = 3;
/// Two tests met also if one began so soon after the other ended.
const MARGIN: f64 = 0.05;

struct Suspect {
    id: String,
    meeting: Meeting,
    score: i32,
}

impl<L: Lab> Examination<'_, L> {
    /// Explains a failure of the parallel runs in which `id` passes alone; false if it cannot.
    pub(crate) fn met_another(&mut self, id: &str, failed_in: &[usize]) -> Result<bool, L::Error> {
        let mut tried: Vec<Thing> = Vec::new();
        for suspect in self.suspects(id, failed_in) {
            if tried.iter().filter(|thing| **thing == suspect.meeting.thing).count() >= 2
                || tried.len() >= SUSPECTS
                || self.trials.exhausted()
            {
                continue;
            }
            tried.push(suspect.meeting.thing.clone());
            self.trials.say(&format!("running {id} beside {}", suspect.id), false);
            match self.trials.beside(&suspect.id, id, self.options.repeat)? {
                Some(beside) => {
                    let finding = self.conflict(&suspect.id, id, &suspect.meeting, beside);
                    self.explains_others(finding);
                    return Ok(true);
                }
                None => self
                    .ruled_out
                    .push(RuledOut { on: suspect.meeting.thing, tests: (suspect.id, id.to_owned()) }),
            }
        }
        if self.fails_in_a_worker(id)?
            || self.fails_in_its_lane(id, failed_in)?
            || self.depends_on_time(id)?
        {
            return Ok(true);
        }
        for other in self.beside(id).into_iter().take(BLIND) {
            if let Some(beside) = self.trials.beside(&other, id, self.options.repeat)? {
                let tests = self.bare(Class::ParallelOnly, id).tests;
                self.findings.push(Finding { tests, ..self.unseen(&other, id, beside) });
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `outpace doctor --pair`.
    pub(crate) fn pair(&mut self, one: &str, other: &str) -> Result<Option<Finding>, L::Error> {
        let met = meetings(&self.touches_of(one), &self.touches_of(other), false);
        let Some(beside) = self.trials.beside(one, other, self.options.repeat)? else { return Ok(None) };
        let mut finding = match met
            .into_iter()
            .min_by_key(|meeting| (meeting.thing.kind == Kind::Listing, meeting.thing.kind))
        {
            Some(meeting) => self.conflict(one, other, &meeting, beside),
            None => self.unseen(one, other, beside),
        };
        finding.patch = crate::overrides::patch(&finding, &self.serial);
        finding.advice = crate::advice::advice(&finding);
        Ok(Some(finding))
    }

    /// Tests of other lanes that met it, the likeliest first.
    fn suspects(&self, id: &str, failed_in: &[usize]) -> Vec<Suspect> {
        let touched = self.touches_of(id);
        let text = self.failure_of(id).map(|failure| failure.message).unwrap_or_default();
        let mut found: Vec<Suspect> = Vec::new();
        for number in failed_in {
            let round = &self.parallel[*number];
            let Some(victim) =
                round.tests.iter().find(|test| test.id == id && test.outcome == Outcome::Failed)
            else {
                continue;
            };
            for other in round.tests.iter().filter(|other| other.lane != victim.lane && other.id != id) {
                // Only what the other one touched in that round: a name may hold its process id.
                let theirs = [&other.touches, self.witnessed_of(&other.id)].concat();
                for meeting in meetings(&theirs, &touched, false) {
                    let score = score(&meeting, overlap(other, victim), &text);
                    match found
                        .iter_mut()
                        .find(|known| known.id == other.id && known.meeting.thing == meeting.thing)
                    {
                        Some(known) => known.score = known.score.max(score),
                        None => found.push(Suspect { id: other.id.clone(), meeting, score }),
                    }
                }
            }
        }
        found.sort_by_key(|suspect| -suspect.score);
        found
    }

    pub(crate) fn conflict(
        &self,
        one: &str,
        other: &str,
        meeting: &Meeting,
        beside: crate::trials::Beside,
    ) -> Finding {
        let side = |id: &str, deed: &Deed| Side {
            id: id.to_owned(),
            does: format!("{}{}", verb(meeting.thing.kind, deed.mode), who(deed.by)),
            place: deed.place.clone(),
        };
        let mut sides = vec![side(one, &meeting.first), side(other, &meeting.second)];
        if beside.failed.iter().all(|(id, _)| id == one) {
            sides.reverse();
        }
        Finding {
            on: Some(meeting.thing.clone()),
            sides,
            tests: self.involved(beside.failed),
            by: meeting.first.by.max(meeting.second.by),
            proof: Some(beside.proof),
            ..Finding::of(Class::ParallelOnly)
        }
    }

    /// Of two that fail beside each other, and nobody saw why.
    fn unseen(&self, one: &str, other: &str, beside: crate::trials::Beside) -> Finding {
        let side = |id: &str| Side {
            id: id.to_owned(),
            does: "runs at the same time".to_owned(),
            place: self.place_of(id),
        };
        Finding {
            sides: vec![side(one), side(other)],
            tests: self.involved(beside.failed),
            proof: Some(beside.proof),
            note: Some("what they share was not seen, neither from Python nor from the kernel".to_owned()),
            ..Finding::of(Class::ParallelOnly)
        }
    }

    fn involved(&self, failed: Vec<(String, crate::Failure)>) -> Vec<Involved> {
        failed
            .into_iter()
            .map(|(id, failure)| Involved { failure: self.failure_of(&id).or(Some(failure)), id })
            .collect()
    }

    /// Adds to a proven conflict every failing test that meets others on the same thing, and names the rest that do.
    pub(crate) fn explains_others(&mut self, mut finding: Finding) {
        if let Some(thing) = finding.on.clone() {
            let touching = self.touching(&thing);
            for id in touching {
                if finding.tests.iter().any(|test| test.id == id) {
                    continue;
                }
                let failed = self.parallel.iter().any(|round| round.failures(&id).0 > 0);
                if failed && self.reversed.failures(&id).0 == 0 {
                    finding.tests.push(Involved { failure: self.failure_of(&id), id });
                } else {
                    finding.also.push(id);
                }
            }
        }
        self.open.retain(|open| !finding.tests.iter().any(|test| test.id == *open));
        self.findings.push(finding);
    }

    /// Every test that touches the thing in a way that could disturb one of the others, or be disturbed.
    pub(crate) fn touching(&self, thing: &Thing) -> Vec<String> {
        let mut found = Vec::new();
        for test in &self.serial.tests {
            let touched = self.touches_of(&test.id).iter().any(|touch| {
                let writer = Touch::of(thing.clone());
                let reader = Touch { mode: Mode::Read, ..writer.clone() };
                !touch.private && (common(&writer, touch).is_some() || common(touch, &reader).is_some())
            });
            if touched {
                found.push(test.id.clone());
            }
        }
        found
    }

    fn always_fails(&mut self, id: &str, plan: &Plan) -> Result<bool, L::Error> {
        for _ in 0..TIMES {
            if self.trials.run(plan)?.failures(id).0 == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fails_in_a_worker(&mut self, id: &str) -> Result<bool, L::Error> {
        if !self.always_fails(id, &Plan { in_worker: true, ..Plan::serial(vec![id.to_owned()]) })? {
            return Ok(false);
        }
        if self.is_flaky(id)? {
            return Ok(true);
        }
        let mut finding = self.bare(Class::Worker, id);
        finding.proof =
            Some(Proof { reproduced: TIMES, of: TIMES, how: Reproduction::Worker(id.to_owned()) });
        self.findings.push(finding);
        Ok(true)
    }

    /// Whether what ran before it in its lane is enough, with nothing beside it.
    fn fails_in_its_lane(&mut self, id: &str, failed_in: &[usize]) -> Result<bool, L::Error> {
        let lane = failed_in.iter().find_map(|number| {
            let round = &self.parallel[*number];
            let victim = by_id(round).get(id).map(|test| test.lane)?;
            let tests = round.tests.iter().filter(|test| test.lane == victim);
            let before: Vec<String> =
                tests.take_while(|test| test.id != id).map(|test| test.id.clone()).collect();
            (!before.is_empty()).then_some(before)
        });
        match lane {
            Some(before) => self.suffers_from_others(id, Some(before)),
            None => Ok(false),
        }
    }

    fn depends_on_time(&mut self, id: &str) -> Result<bool, L::Error> {
        if !self.always_fails(id, &Plan { slowed: true, ..Plan::serial(vec![id.to_owned()]) })? {
            return Ok(false);
        }
        if self.is_flaky(id)? {
            return Ok(true);
        }
        let mut finding = self.bare(Class::Time, id);
        finding.note =
            Some(format!("with a fifth of the CPU it failed {TIMES} of {TIMES} times, with all of it never"));
        self.findings.push(finding);
        Ok(true)
    }

    /// The tests that ran while it failed, those that did longest first.
    pub(crate) fn beside(&self, id: &str) -> Vec<String> {
        let mut found: Vec<(f64, String)> = Vec::new();
        for round in &self.parallel {
            for victim in round.tests.iter().filter(|test| test.id == id && test.outcome == Outcome::Failed) {
                for other in round.tests.iter().filter(|other| other.lane != victim.lane) {
                    let shared = overlap(other, victim);
                    if shared > 0.0 && !found.iter().any(|(_, known)| *known == other.id) {
                        found.push((shared, other.id.clone()));
                    }
                }
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.into_iter().map(|(_, id)| id).take(6).collect()
    }
}

/// Seconds during which both ran, with a margin; not positive if they did not.
fn overlap(one: &Test, other: &Test) -> f64 {
    one.span.1.min(other.span.1) - one.span.0.max(other.span.0) + MARGIN
}

fn score(meeting: &Meeting, overlap: f64, failure: &str) -> i32 {
    let mut score = match meeting.thing.kind {
        Kind::Port | Kind::Server => 30,
        Kind::Database | Kind::File => 25,
        Kind::Tree => 20,
        _ => 10,
    };
    if overlap > 0.0 {
        score += 40;
    }
    if meeting.first.mode == Mode::Write {
        score += 15;
    }
    let name = meeting.thing.name.rsplit('/').next().unwrap_or_default();
    if !name.is_empty() && failure.contains(name) {
        score += 50;
    }
    let hint = match meeting.thing.kind {
        Kind::Port | Kind::Server => {
            failure.contains("ddress already in use") || failure.contains("onnection")
        }
        Kind::Database => failure.contains("database") || failure.contains("sqlite"),
        _ => false,
    };
    score + if hint { 50 } else { 0 }
}

fn who(by: By) -> &'static str {
    match by {
        By::Python => "",
        By::Subprocess => ", in a subprocess",
        By::Unseen => ", in C code, a thread or another process",
    }
}

fn verb(kind: Kind, mode: Mode) -> &'static str {
    match (kind, mode) {
        (Kind::Port, Mode::Write) => "binds it",
        (Kind::Port, Mode::Read) => "connects to it",
        (Kind::Server, _) => "uses it",
        (Kind::Database, _) => "opens it",
        (Kind::Listing, Mode::Read) => "lists it",
        (Kind::Listing, Mode::Write) => "adds or removes a file",
        (Kind::Tree, _) => "removes it",
        (_, Mode::Write) => "writes it",
        (_, Mode::Read) => "reads it",
    }
}
