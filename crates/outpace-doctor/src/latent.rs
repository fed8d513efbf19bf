//! Conflicts that no run has shown: two tests touch one thing, and the moment in which it matters is short.

use std::collections::BTreeMap;

use crate::examine::{Examination, Lab};
use crate::finding::RuledOut;
use crate::record::{Outcome, Round, Test};
use crate::thing::{Kind, Meeting, Mode, Thing, meetings};

/// Things that are tried, at most.
const MOST: usize = 8;

impl<L: Lab> Examination<'_, L> {
    /// Runs one pair of tests for each thing that is touched by several and changed by one.
    pub(crate) fn latent(&mut self) -> Result<(), L::Error> {
        for (one, other, meeting) in self.unproven().into_iter().take(MOST) {
            if self.trials.exhausted() {
                break;
            }
            self.trials.say(&format!("running {one} beside {other}"), false);
            match self.trials.beside(&one, &other, self.options.repeat)? {
                Some(beside) => {
                    let mut finding = self.conflict(&one, &other, &meeting, beside);
                    finding.note = Some("the runs of the whole suite did not show it".to_owned());
                    self.explains_others(finding);
                }
                None => self.ruled_out.push(RuledOut { on: meeting.thing, tests: (one, other) }),
            }
        }
        Ok(())
    }

    /// One pair for each thing, which two processes have touched: a name that holds a process id is not shared.
    fn unproven(&self) -> Vec<(String, String, Meeting)> {
        let mut found: Vec<(String, String, Meeting)> = Vec::new();
        for round in &self.parallel {
            for (thing, users) in self.users(round) {
                let known = found.iter().any(|(_, _, meeting)| meeting.thing.is_same(&thing));
                if known || self.is_explained(&thing) {
                    continue;
                }
                let Some((writer, _)) = users.iter().find(|(_, mode)| *mode == Mode::Write) else { continue };
                for (other, _) in users.iter().filter(|(other, _)| other.lane != writer.lane) {
                    let (theirs, others) = (self.all_of(round, &writer.id), self.all_of(round, &other.id));
                    let met = meetings(&theirs, &others, false);
                    let Some(meeting) = met.into_iter().find(|meeting| meeting.thing.is_same(&thing)) else {
                        continue;
                    };
                    let (one, two) = (writer.id.clone(), other.id.clone());
                    let taken =
                        found.iter().any(|(a, b, _)| (*a == one && *b == two) || (*a == two && *b == one));
                    if !taken && !self.was_tried(&one, &two) {
                        found.push((one, two, meeting));
                    }
                    break;
                }
            }
        }
        found.sort_by_key(|(_, _, meeting)| (meeting.thing.kind == Kind::Listing, meeting.thing.kind));
        found
    }

    /// By thing, the tests that touched it; a database is a file.
    fn users<'r>(&self, round: &'r Round) -> Users<'r> {
        let mut users: Users<'_> = BTreeMap::new();
        for test in round.tests.iter().filter(|test| test.outcome == Outcome::Passed) {
            let touches = test.touches.iter().chain(self.witnessed_of(&test.id));
            for touch in touches.filter(|touch| !touch.private) {
                let kind = if touch.thing.kind == Kind::Database { Kind::File } else { touch.thing.kind };
                let thing = Thing { kind, name: touch.thing.name.clone() };
                users.entry(thing).or_default().push((test, touch.mode));
            }
        }
        users
    }

    fn is_explained(&self, thing: &Thing) -> bool {
        self.findings.iter().filter_map(|finding| finding.on.as_ref()).any(|on| {
            on.is_same(thing)
                || (thing.kind == Kind::Listing && on.name.starts_with(&thing.name))
                || (on.kind == Kind::Tree && thing.name.starts_with(&on.name))
        })
    }

    fn was_tried(&self, one: &str, other: &str) -> bool {
        self.ruled_out.iter().any(|tried| {
            (tried.tests.0 == one && tried.tests.1 == other)
                || (tried.tests.0 == other && tried.tests.1 == one)
        })
    }
}

type Users<'a> = BTreeMap<Thing, Vec<(&'a Test, Mode)>>;
