//! Turns for the cores: of tests that are known to compute, no more run at a time than there are cores.
//!
//! An elastic run has more workers than cores, since tests wait. Where it is known from earlier runs which ones compute
//! instead, those do not take the cores from each other: what must be done in a certain time is, as in a serial run. A
//! worker whose next test computes waits before it with its fixtures alive until a core is free. Tests of which nothing is
//! known are the pool's ([`pool`](crate::pool)).
//!
//! A test whose outcome has changed from run to run has a quiet core: its turn is as good as two, so that what the others need
//! besides has a core of its own.
//!
//! A turn that takes far longer than expected counts no more: it waits for something, and must not keep others
//! from the core.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use outpace_model::{Expected, ItemIndex, WorkerIndex};
use outpace_protocol::{ToController, ToWorker};

use crate::event::Action;
use crate::run::Run;
use crate::worker::Worker;

/// What takes less CPU, in seconds, disturbs nobody.
const WORTH_A_TURN: f32 = 0.005;
/// At least this share of its time a test that computes has a core: not all of it, where others took the core from it.
const COMPUTES: f32 = 0.2;
/// A turn counts for so many times what its test is expected to take, and a second.
const PATIENCE: f32 = 3.0;
/// What takes longer, in seconds, has no quiet core: it would keep the others waiting for too long.
const LONGEST_QUIET: f32 = 5.0;

/// What a test takes of the cores.
#[derive(Clone, Copy, Debug)]
struct Need {
    /// How long a turn counts.
    lasts: Duration,
    /// How many turns it is as good as.
    turns: usize,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    item: ItemIndex,
    until: Duration,
    turns: usize,
}

/// Who has a core, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    /// 0 where nobody takes turns.
    count: usize,
    /// Of the tests that compute, and those that are to have a quiet core.
    needs: BTreeMap<ItemIndex, Need>,
    turns: BTreeMap<WorkerIndex, Turn>,
    waiting: VecDeque<(WorkerIndex, ItemIndex)>,
}

impl Cores {
    pub(crate) fn expect(&mut self, expected: &[Option<Expected>], unsteady: &HashSet<ItemIndex>) {
        let need = |item: ItemIndex, each: &Expected| {
            let is_quiet = unsteady.contains(&item) && each.wall <= LONGEST_QUIET;
            let computes = each.cpu >= WORTH_A_TURN && each.cpu >= each.wall * COMPUTES;
            let lasts = Duration::from_secs_f32(each.wall.max(0.0) * PATIENCE + 1.0);
            (is_quiet || computes).then_some(Need { lasts, turns: if is_quiet { 2 } else { 1 } })
        };
        let items = (0..).map(ItemIndex).zip(expected);
        self.needs = items.filter_map(|(item, each)| Some((item, need(item, each.as_ref()?)?))).collect();
    }

    pub(crate) fn open(&mut self, count: usize) {
        self.count = count;
    }

    fn need(&self, item: ItemIndex) -> Option<Need> {
        self.needs.get(&item).copied().filter(|_| self.count > 0)
    }

    /// A turn for the item, if it is to have one and there is room for it beside those of the workers but this one.
    fn turn(&self, worker: WorkerIndex, item: ItemIndex, now: Duration) -> Option<Turn> {
        let Need { lasts, turns } = self.need(item)?;
        let turns = turns.min(self.count);
        let others = self.turns.iter().filter(|(each, _)| **each != worker);
        let taken: usize = others.map(|(_, turn)| turn.turns).sum();
        (taken + turns <= self.count).then_some(Turn { item, until: now + lasts, turns })
    }

    /// How many of these tests may be granted together: one that computes comes alone.
    pub(crate) fn together(&self, items: &[ItemIndex]) -> usize {
        let computes = |item: &ItemIndex| self.need(*item).is_some();
        items.iter().position(computes).map_or(items.len(), |first| first.max(1))
    }

    /// Whether a test may have to go back that was taken for a worker.
    pub(crate) fn are_taken_in_turns(&self) -> bool {
        self.count > 0 && !self.needs.is_empty()
    }

    pub(crate) fn computes(&self, item: ItemIndex) -> bool {
        self.need(item).is_some()
    }

    /// How many tests of this run have a quiet core.
    fn quiet(&self) -> usize {
        if self.count == 0 { 0 } else { self.needs.values().filter(|need| need.turns > 1).count() }
    }

    /// Whether the worker may begin the test as soon as it can; if not it must wait until [`Cores::settle`] names it.
    fn ask(&mut self, worker: WorkerIndex, item: ItemIndex, now: Duration) -> bool {
        if self.need(item).is_none() {
            return true;
        }
        let turn = self.turn(worker, item, now).filter(|_| self.waiting.is_empty());
        if let Some(turn) = turn {
            self.turns.insert(worker, turn);
        } else {
            self.waiting.push_back((worker, item));
        }
        turn.is_some()
    }

    /// Brings turns and queue up to who holds what, and names the workers that wait no more. A turn goes to who `may_begin`.
    fn settle(
        &mut self,
        now: Duration,
        holds: impl Fn(WorkerIndex, ItemIndex) -> bool,
        may_begin: impl Fn(WorkerIndex) -> bool,
    ) -> Vec<WorkerIndex> {
        self.turns.retain(|worker, turn| now < turn.until && holds(*worker, turn.item));
        let mut free = Vec::new();
        self.waiting.retain(|(worker, item)| {
            let waits = holds(*worker, *item);
            if !waits {
                free.push(*worker);
            }
            waits
        });
        while let Some(next) = self.waiting.iter().position(|(worker, _)| may_begin(*worker))
            && let Some((worker, item)) = self.waiting.get(next).copied()
            && let Some(turn) = self.turn(worker, item, now)
        {
            self.waiting.remove(next);
            self.turns.insert(worker, turn);
            free.push(worker);
        }
        free
    }

    pub(crate) fn is_waiting(&self, worker: WorkerIndex) -> bool {
        self.waiting.iter().any(|(each, _)| *each == worker)
    }

    /// Nobody waits any more.
    pub(crate) fn clear(&mut self) -> Vec<WorkerIndex> {
        self.count = 0;
        self.turns.clear();
        self.waiting.drain(..).map(|(worker, _)| worker).collect()
    }

    /// When a turn ends that somebody waits for.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let ends = self.turns.values().map(|turn| turn.until).min();
        ends.filter(|_| !self.waiting.is_empty())
    }
}

impl Run {
    /// At the end.
    pub(crate) fn tell_unsteady(&mut self) {
        let message = match self.cores.quiet() {
            0 => return,
            1 => "1 test has a quiet core: how it ends has changed from run to run".to_owned(),
            count => {
                format!("{count} tests have a quiet core each: how they end has changed from run to run")
            }
        };
        self.tell(ToController::Notice { message });
    }

    /// The worker is about to be granted this test first. It is told to hold before the grant reaches it.
    pub(crate) fn ask_for_core(&mut self, index: WorkerIndex, item: ItemIndex) {
        if !self.cores.ask(index, item, self.now) {
            self.act(Action::Send(self.peer_of(index), ToWorker::Hold));
        }
    }

    /// Who waits for a core that has come free goes on.
    pub(crate) fn settle_cores(&mut self) {
        if self.stopping {
            return;
        }
        let workers = &self.workers;
        let holds = |index, item| {
            let worker = workers.get(&index).filter(|worker| worker.is_live());
            worker.is_some_and(|worker| worker.granted.iter().any(|grant| grant.item == item))
        };
        let pool = self.pool.as_ref();
        let may_begin = |index| pool.is_none_or(|pool| !pool.held.contains(&index));
        for index in self.cores.settle(self.now, holds, may_begin) {
            let lives = self.workers.get(&index).is_some_and(Worker::is_live);
            if lives && !self.is_held(index) {
                self.act(Action::Send(self.peer_of(index), ToWorker::Go));
            }
        }
    }
}
