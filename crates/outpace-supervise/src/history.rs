//! What earlier runs taught, asked for at the start, and what this one teaches, handed on at its end.
//!
//! The run waits for an answer for a moment at most: nothing here is needed for correctness.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use outpace_model::{Conflict, Costs, Expected, ItemIndex, Outcome, Paid, WorkerIndex};
use outpace_protocol::ToController;

use crate::event::Action;
use crate::pool::Work;
use crate::run::Run;

/// How long tests that could start wait for the history. It is read while they are collected, and quicker; but where
/// tests are known to be in each other's way, to begin without it would let them fail.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known from earlier runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recollection {
    /// By node id.
    pub tests: HashMap<String, Expected>,
    /// By file: what its first test on a worker takes more.
    pub fixtures: HashMap<String, Expected>,
    /// What each worker takes for fixtures of the session.
    pub session: Expected,
    /// Tests whose outcome has changed from run to run of late.
    pub unsteady: HashSet<String>,
    /// Tests that are known to be in each other's way.
    pub conflicts: Vec<Conflict>,
    /// Tests that are kept apart no more, because a file has changed since.
    pub dropped: Vec<String>,
    /// Cores that this run may use.
    pub cores: f64,
    /// For how many workers there is memory.
    pub room: u32,
}

/// One run of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Which test.
    pub item: ItemIndex,
    /// How it ended.
    pub outcome: Outcome,
    /// The test before it on its worker was of another file.
    pub is_first_of_file: bool,
    /// Its worker had run no other.
    pub is_first_of_worker: bool,
    /// What it took.
    pub costs: Costs,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    is_kept: bool,
    /// Until then an answer is waited for.
    awaited: Option<Duration>,
    /// The tests could start, and wait for the answer.
    blocks: bool,
    pub(crate) known: Option<Recollection>,
    /// Of `known`, what is minded although nothing is known of what tests take.
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) dropped: Vec<String>,
    /// What the tests of this run add up to, as far as that is known.
    pub(crate) work: Option<Work>,
    observations: Vec<Observation>,
    paid: Paid,
}

impl History {
    /// Only where something waits.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.awaited.filter(|_| self.blocks)
    }
}

impl Run {
    pub(crate) fn on_history(&mut self, path: String, root: String) {
        self.history.is_kept = true;
        self.history.awaited = Some(self.now + PATIENCE);
        self.act(Action::Recall { path, root });
    }

    pub(crate) fn on_recalled(&mut self, outcome: Result<Recollection, String>) {
        match outcome {
            _ if self.finished => return,
            Ok(mut known) => {
                self.history.conflicts = std::mem::take(&mut known.conflicts);
                self.history.dropped = std::mem::take(&mut known.dropped);
                if self.scheduler.is_some() {
                    self.conflicts_came_too_late();
                }
                self.history.known = Some(known).filter(|known| !known.tests.is_empty());
            }
            Err(message) => {
                self.history.is_kept = false;
                self.tell(ToController::Notice { message });
            }
        }
        self.history.awaited = None;
        self.go_on_without_waiting();
    }

    /// Whether the tests must wait for the history. They are let go when it comes, or is too late.
    pub(crate) fn waits_for_history(&mut self) -> bool {
        self.history.blocks = self.history.awaited.is_some_and(|until| self.now < until);
        self.history.blocks
    }

    pub(crate) fn on_history_due(&mut self) {
        if self.history.deadline().is_some_and(|at| at <= self.now) {
            self.history.awaited = None;
            self.go_on_without_waiting();
        }
    }

    fn go_on_without_waiting(&mut self) {
        if std::mem::take(&mut self.history.blocks) {
            self.begin();
        }
    }

    /// The seconds that each test is expected to take; empty where nothing is known of any.
    pub(crate) fn expect(&mut self) -> Vec<Option<f32>> {
        let expected = self.expected();
        self.history.work = self.work(&expected);
        if self.may_grow_to > 0 {
            let unsteady = self.unsteady();
            self.cores.expect(&expected, &unsteady);
        }
        expected.into_iter().map(|each| each.map(|each| each.wall)).collect()
    }

    fn expected(&self) -> Vec<Option<Expected>> {
        let (Some(known), Some((collection, _))) = (&self.history.known, &self.reference) else {
            return Vec::new();
        };
        let mut previous = "";
        let expected = collection.node_ids.iter().map(|node_id| {
            let file = outpace_schedule::file_of(node_id);
            let is_first = file != std::mem::replace(&mut previous, file);
            let fixtures = known.fixtures.get(file).filter(|_| is_first).copied().unwrap_or_default();
            let test = known.tests.get(node_id)?;
            Some(Expected { wall: test.wall + fixtures.wall, ..*test })
        });
        let expected: Vec<Option<Expected>> = expected.collect();
        if expected.iter().any(Option::is_some) { expected } else { Vec::new() }
    }

    /// What they add up to, the CPU of what the tests of a file share included.
    fn work(&self, expected: &[Option<Expected>]) -> Option<Work> {
        let (known, (collection, _)) = (self.history.known.as_ref()?, self.reference.as_ref()?);
        let mut work = Work::of(expected, known.session)?;
        let files: HashSet<&str> =
            collection.node_ids.iter().map(|node_id| outpace_schedule::file_of(node_id)).collect();
        let shared = files.iter().filter_map(|file| known.fixtures.get(*file));
        work.cpu += shared.map(|fixtures| f64::from(fixtures.cpu)).sum::<f64>();
        Some(work)
    }

    /// Tests of this run whose outcome has changed from run to run of late, and those of the same function: they do the same
    /// with other values.
    fn unsteady(&self) -> HashSet<ItemIndex> {
        let (Some(known), Some((collection, _))) = (&self.history.known, &self.reference) else {
            return HashSet::new();
        };
        if known.unsteady.is_empty() {
            return HashSet::new();
        }
        let unsteady: HashSet<&str> = known.unsteady.iter().map(|node_id| function_of(node_id)).collect();
        let items = (0..).map(ItemIndex).zip(&collection.node_ids);
        items.filter(|(_, node_id)| unsteady.contains(function_of(node_id))).map(|(item, _)| item).collect()
    }

    pub(crate) fn observe(&mut self, index: WorkerIndex, item: ItemIndex, failed: bool) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let before = worker.last_item.replace(item);
        let Some((_, costs)) = worker.costs.take().filter(|(of, _)| *of == item) else { return };
        let outcome = match costs.skipped {
            _ if failed => Outcome::Failed,
            true => Outcome::Skipped,
            false => Outcome::Passed,
        };
        let file = |item| self.node_id(item).map(outpace_schedule::file_of);
        let is_first_of_file = before.is_none_or(|before| file(before) != file(item));
        let is_first_of_worker = before.is_none();
        self.note(Observation { item, outcome, is_first_of_file, is_first_of_worker, costs });
    }

    pub(crate) fn observe_crash(&mut self, item: ItemIndex) {
        self.note(Observation {
            item,
            outcome: Outcome::Crashed,
            is_first_of_file: false,
            is_first_of_worker: false,
            costs: Costs::default(),
        });
    }

    /// Several processes may collect the same files: the first one's word counts.
    pub(crate) fn on_paid(&mut self, paid: Paid) {
        if self.history.is_kept {
            let known = &mut self.history.paid;
            if known.imports.is_empty() {
                known.imports = paid.imports;
            }
            known.fixtures.extend(paid.fixtures);
        }
    }

    fn note(&mut self, observation: Observation) {
        if self.history.is_kept {
            self.history.observations.push(observation);
        }
    }

    /// At the end, when the controller has been told everything.
    pub(crate) fn hand_on_lessons(&mut self) {
        let observations = std::mem::take(&mut self.history.observations);
        if self.history.is_kept && !observations.is_empty() {
            let paid = std::mem::take(&mut self.history.paid);
            self.act(Action::Learn(observations, paid));
        }
    }
}

/// A node id without its parameters.
fn function_of(node_id: &str) -> &str {
    node_id.split_once('[').map_or(node_id, |(function, _)| function)
}
