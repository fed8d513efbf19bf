//! Turns for the cores: of tests that are known to compute, no more run at a time than there are cores.
//!
//! An elastic run has more workers than cores, since tests wait. Where it is known from earlier runs which ones compute
//! instead, those do not take the cores from each other: what must be done in a certain time is, as in a serial run. A
//! worker whose next test computes waits before it with its fixtures alive until a core is free. Tests of which nothing is
//! known are the pool's ([`pool`](crate::pool)).
//!
//! A turn that takes far longer than expected counts no more: it waits for something, and must not keep others
//! from the core.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use outpace_model::{Expected, ItemIndex, WorkerIndex};
use outpace_protocol::ToWorker;

use crate::event::Action;
use crate::run::Run;
use crate::worker::Worker;

/// What takes less CPU, in seconds, disturbs nobody.
const WORTH_A_TURN: f32 = 0.005;
/// At least this share of its time a test that computes has a core: not all of it, where others took the core from it.
const COMPUTES: f32 = 0.2;
/// A turn counts for so many times what its test is expected to take, and a second.
const PATIENCE: f32 = 3.0;

#[derive(Clone, Copy, Debug)]
struct Turn {
    item: ItemIndex,
    until: Duration,
}

/// Who has a core, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    /// 0 where nobody takes turns.
    count: usize,
    /// The tests that compute, and how long a turn of theirs counts.
    computing: BTreeMap<ItemIndex, Duration>,
    turns: BTreeMap<WorkerIndex, Turn>,
    waiting: VecDeque<(WorkerIndex, ItemIndex)>,
}

impl Cores {
    pub(crate) fn expect(&mut self, expected: &[Option<Expected>]) {
        let computes = |each: &Expected| each.cpu >= WORTH_A_TURN && each.cpu >= each.wall * COMPUTES;
        let lasts = |each: &Expected| Duration::from_secs_f32(each.wall.max(0.0) * PATIENCE + 1.0);
        let items = (0..).map(ItemIndex).zip(expected);
        self.computing = items
            .filter_map(|(item, each)| Some((item, lasts(each.as_ref().filter(|each| computes(each))?))))
            .collect();
    }

    pub(crate) fn open(&mut self, count: usize) {
        self.count = count;
    }

    fn lasts(&self, item: ItemIndex) -> Option<Duration> {
        self.computing.get(&item).copied().filter(|_| self.count > 0)
    }

    /// How many of these tests may be granted together: one that computes comes alone.
    pub(crate) fn together(&self, items: &[ItemIndex]) -> usize {
        let computes = |item: &ItemIndex| self.lasts(*item).is_some();
        items.iter().position(computes).map_or(items.len(), |first| first.max(1))
    }

    /// Whether a test may have to go back that was taken for a worker.
    pub(crate) fn are_taken_in_turns(&self) -> bool {
        self.count > 0 && !self.computing.is_empty()
    }

    pub(crate) fn computes(&self, item: ItemIndex) -> bool {
        self.lasts(item).is_some()
    }

    /// Whether the worker may begin the test as soon as it can; if not it must wait until [`Cores::settle`] names it.
    fn ask(&mut self, worker: WorkerIndex, item: ItemIndex, now: Duration) -> bool {
        let Some(lasts) = self.lasts(item) else { return true };
        let others = self.turns.keys().filter(|each| **each != worker).count();
        let may_begin = self.waiting.is_empty() && others < self.count;
        if may_begin {
            self.turns.insert(worker, Turn { item, until: now + lasts });
        } else {
            self.waiting.push_back((worker, item));
        }
        may_begin
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
        while self.turns.len() < self.count
            && let Some(next) = self.waiting.iter().position(|(worker, _)| may_begin(*worker))
            && let Some((worker, item)) = self.waiting.remove(next)
        {
            let until = now + self.lasts(item).unwrap_or_default();
            self.turns.insert(worker, Turn { item, until });
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
