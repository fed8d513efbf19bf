//! A made-up suite: what each test shares, leaves, needs and suffers from is known, and pytest is played.

use std::collections::BTreeSet;
use std::convert::Infallible;

use outpace_doctor::{By, Failure, Kind, Lab, Left, Mode, Outcome, Plan, Round, Test, Thing, Touch};

#[derive(Debug, Clone, Default)]
pub(crate) struct Spec {
    pub(crate) id: String,
    /// Files that it writes and reads back.
    pub(crate) files: Vec<String>,
    /// What it shares that nobody sees.
    pub(crate) secrets: Vec<String>,
    /// Attributes that it changes and leaves changed.
    pub(crate) leaves: Vec<String>,
    /// Attributes that must have been changed.
    pub(crate) needs: Vec<String>,
    /// Attributes that must not.
    pub(crate) suffers: Vec<String>,
    /// It cannot run in a worker.
    pub(crate) shy: bool,
    /// It must not be slowed down.
    pub(crate) hurried: bool,
}

impl Spec {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) tests: Vec<Spec>,
    /// What failed in a run of the whole suite.
    pub(crate) failed: BTreeSet<String>,
}

impl World {
    pub(crate) fn new(tests: Vec<Spec>) -> Self {
        Self { tests, failed: BTreeSet::new() }
    }

    fn spec(&self, id: &str) -> Option<&Spec> {
        self.tests.iter().find(|spec| spec.id == id)
    }

    fn fails(spec: &Spec, state: &BTreeSet<String>, plan: &Plan, busy: bool) -> bool {
        spec.needs.iter().any(|name| !state.contains(name))
            || spec.suffers.iter().any(|name| state.contains(name))
            || (spec.shy && plan.in_worker)
            || (spec.hurried && (plan.slowed || busy))
    }
}

pub(crate) fn attribute(name: &str) -> Thing {
    Thing { kind: Kind::Attribute, name: name.to_owned() }
}

impl Lab for World {
    type Error = Infallible;

    fn run(&mut self, plan: &Plan) -> Result<Round, Infallible> {
        let everything = || vec![self.tests.iter().map(|spec| spec.id.clone()).collect()];
        let lanes: Vec<Vec<String>> = plan.lanes.clone().unwrap_or_else(everything);
        let mut round = Round { exit: Some(0), ..Round::default() };
        round.collected = self.tests.iter().map(|spec| spec.id.clone()).collect();
        for (lane, ids) in lanes.iter().enumerate() {
            let mut state = BTreeSet::new();
            for (number, id) in ids.iter().enumerate() {
                let Some(spec) = self.spec(id) else { continue };
                if number + 1 == ids.len() {
                    for thing in &plan.undo {
                        state.remove(&thing.name);
                    }
                }
                let beside: Vec<&Spec> = lanes[..lane]
                    .iter()
                    .filter_map(|other| other.get(number).and_then(|id| self.spec(id)))
                    .collect();
                let met = beside.iter().any(|other| {
                    other.files.iter().any(|file| spec.files.contains(file))
                        || other.secrets.iter().any(|secret| spec.secrets.contains(secret))
                });
                let fails = met || Self::fails(spec, &state, plan, plan.record && lanes.len() > 1);
                state.extend(spec.leaves.iter().cloned());
                round.tests.push(ran(spec, lane, number, fails));
            }
        }
        if plan.record {
            self.failed.extend(round.failed().iter().map(|test| test.id.clone()));
        }
        Ok(round)
    }

    fn say(&mut self, _: &str, _: bool) {}
}

fn ran(spec: &Spec, lane: usize, number: usize, fails: bool) -> Test {
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let start = number as f64;
    let touch = |mode| {
        move |file: &String| Touch {
            thing: Thing { kind: Kind::File, name: file.clone() },
            mode,
            place: "t.py:1".to_owned(),
            private: false,
            lasting: false,
            by: By::Python,
        }
    };
    Test {
        id: spec.id.clone(),
        outcome: if fails { Outcome::Failed } else { Outcome::Passed },
        failure: fails.then(|| Failure { message: "no".to_owned(), ..Failure::default() }),
        lane,
        span: (start, start + 0.9),
        cpu: 0.1,
        seconds: 0.9,
        shared: (0.0, 0.0),
        place: "t.py:1".to_owned(),
        touches: spec
            .files
            .iter()
            .map(touch(Mode::Write))
            .chain(spec.files.iter().map(touch(Mode::Read)))
            .collect(),
        left: spec
            .leaves
            .iter()
            .map(|name| Left { thing: attribute(name), place: "t.py:2".to_owned() })
            .collect(),
    }
}
