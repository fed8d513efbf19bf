//! Turns for the cores: of tests that are known to compute, no more run at a time than there are cores.
//!
//! An elastic run has more workers than cores, since tests wait. Where it is known from earlier runs which ones compute
//! instead, those do not take the cores from each other: what must be done in a certain time is, as in a serial run. A
//! worker whose next test computes waits before it with its fixtures alive until a core is free. Tests of which nothing is
//! known are the pool's ([`pool`](crate::pool)).
//!
//! A test whose outcome has changed from run to run has a quiet core: its turn is as good as two ([`quiet`](crate::quiet)).
//!
//! A turn that takes far longer than expected counts no more: it waits for something, and must not keep others
//! from the core.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use outpace_model::{Expected, ItemIndex, WorkerIndex};
use outpace_protocol::ToWorker;

use crate::event::Action;
use crate::run::Run;

/// What takes less CPU, in seconds, disturbs nobody.
const WORTH_A_TURN: f32 = 0.005;
/// At least this share of its time a test that computes has a core.
const COMPUTES: f32 = 0.5;
/// A turn counts for so many times what its test is expected to take, and a second.
const PATIENCE: f32 = 3.0;
/// What takes longer, in seconds, has no quiet core: it would keep the others waiting for too long.
const LONGEST_QUIET: f32 = 5.0;

/// So long a test that is to have a quiet core waits for workers that are being started.
const CALM: Duration = Duration::from_secs(2);

/// What a test takes of the cores.
#[derive(Clone, Copy, Debug)]
struct Need {
    /// How long a turn counts.
    lasts: Duration,
    is_quiet: bool,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    item: ItemIndex,
    until: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    worker: WorkerIndex,
    item: ItemIndex,
    since: Duration,
}

/// Who has a core, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    /// 0 where nobody takes turns.
    count: usize,
    /// Of the tests that compute, and those that are to have a quiet core.
    needs: BTreeMap<ItemIndex, Need>,
    turns: BTreeMap<WorkerIndex, Turn>,
    waiting: VecDeque<Waiting>,
    /// Who starts nothing while somebody has a quiet core.
    pub(crate) hushed: BTreeSet<WorkerIndex>,
}

impl Cores {
    pub(crate) fn expect(&mut self, expected: &[Option<Expected>], unsteady: &HashSet<ItemIndex>) {
        let need = |item: ItemIndex, each: &Expected| {
            let is_quiet = unsteady.contains(&item) && each.wall <= LONGEST_QUIET;
            let computes = each.cpu >= WORTH_A_TURN && each.cpu >= each.wall * COMPUTES;
            let lasts = Duration::from_secs_f32(each.wall.max(0.0) * PATIENCE + 1.0);
            (is_quiet || computes).then_some(Need { lasts, is_quiet })
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
        let Need { lasts, .. } = self.need(item)?;
        let worth = |item| if self.wants_quiet(item) { 2.min(self.count) } else { 1 };
        let others = self.turns.iter().filter(|(each, _)| **each != worker);
        let taken: usize = others.map(|(_, turn)| worth(turn.item)).sum();
        (taken + worth(item) <= self.count).then_some(Turn { item, until: now + lasts })
    }

    /// How many of these tests may be granted together: one that computes comes alone.
    pub(crate) fn together(&self, items: &[ItemIndex]) -> usize {
        items.iter().position(|item| self.computes(*item)).map_or(items.len(), |first| first.max(1))
    }

    /// Whether anybody may have to wait for a core.
    pub(crate) fn are_taken_in_turns(&self) -> bool {
        self.count > 0 && !self.needs.is_empty()
    }

    pub(crate) fn computes(&self, item: ItemIndex) -> bool {
        self.need(item).is_some()
    }

    /// How many tests of this run have a quiet core.
    pub(crate) fn quiet(&self) -> usize {
        if self.count == 0 { 0 } else { self.needs.values().filter(|need| need.is_quiet).count() }
    }

    /// Whether the test is to have a quiet core.
    fn wants_quiet(&self, item: ItemIndex) -> bool {
        self.need(item).is_some_and(|need| need.is_quiet)
    }

    /// Whether somebody has a quiet core.
    pub(crate) fn is_quiet(&self) -> bool {
        self.turns.values().any(|turn| self.wants_quiet(turn.item))
    }

    pub(crate) fn has_quiet(&self, worker: WorkerIndex) -> bool {
        self.turns.get(&worker).is_some_and(|turn| self.wants_quiet(turn.item))
    }

    /// Whether the worker may begin the test, which computes, as soon as it can; if not it must wait until [`Cores::settle`]
    /// names it.
    fn ask(&mut self, worker: WorkerIndex, item: ItemIndex, is_calm: bool, now: Duration) -> bool {
        let may_be_next = self.waiting.is_empty() && (is_calm || !self.wants_quiet(item));
        let turn = self.turn(worker, item, now).filter(|_| may_be_next);
        if let Some(turn) = turn {
            self.turns.insert(worker, turn);
        } else {
            self.waiting.push_back(Waiting { worker, item, since: now });
        }
        turn.is_some()
    }

    /// Brings turns and queue up to who holds what, and names the workers that wait no more. A turn goes to who `may_begin`.
    fn settle(
        &mut self,
        now: Duration,
        holds: impl Fn(WorkerIndex, ItemIndex) -> bool,
        may_begin: impl Fn(WorkerIndex) -> bool,
        is_calm: bool,
    ) -> Vec<WorkerIndex> {
        self.turns.retain(|worker, turn| now < turn.until && holds(*worker, turn.item));
        let mut free = Vec::new();
        self.waiting.retain(|each| {
            let waits = holds(each.worker, each.item);
            if !waits {
                free.push(each.worker);
            }
            waits
        });
        while let Some((next, Waiting { worker, item, .. })) = self.next(&may_begin, is_calm, now)
            && let Some(turn) = self.turn(worker, item, now)
        {
            self.waiting.remove(next);
            self.turns.insert(worker, turn);
            free.push(worker);
        }
        free
    }

    /// Who is next, and its place in the queue.
    fn next(
        &self,
        may_begin: impl Fn(WorkerIndex) -> bool,
        is_calm: bool,
        now: Duration,
    ) -> Option<(usize, Waiting)> {
        let is_next = |(_, each): &(usize, Waiting)| {
            let may_be_loud = is_calm || !self.wants_quiet(each.item) || now >= each.since + CALM;
            may_be_loud && may_begin(each.worker)
        };
        self.waiting.iter().copied().enumerate().find(is_next)
    }

    pub(crate) fn is_waiting(&self, worker: WorkerIndex) -> bool {
        self.waiting.iter().any(|each| each.worker == worker)
    }

    /// Nobody waits any more.
    pub(crate) fn clear(&mut self) -> Vec<WorkerIndex> {
        self.count = 0;
        self.turns.clear();
        let waiting = self.waiting.drain(..).map(|each| each.worker);
        waiting.chain(std::mem::take(&mut self.hushed)).collect()
    }

    /// When a turn is over at the latest that somebody waits for.
    pub(crate) fn deadline(&self, now: Duration) -> Option<Duration> {
        let ends = self.turns.values().map(|turn| turn.until);
        let loud =
            self.waiting.iter().filter(|each| self.wants_quiet(each.item)).map(|each| each.since + CALM);
        let next = ends.chain(loud).filter(|at| *at > now).min();
        next.filter(|_| !self.waiting.is_empty() || !self.hushed.is_empty())
    }
}

impl Run {
    /// The worker is about to be granted this test first. It is told to hold before the grant reaches it.
    pub(crate) fn ask_for_core(&mut self, index: WorkerIndex, item: ItemIndex) {
        if self.cores.computes(item) {
            let is_calm = self.is_calm();
            if !self.cores.ask(index, item, is_calm, self.now) {
                self.act(Action::Send(self.peer_of(index), ToWorker::Hold));
            }
        }
    }

    /// Who waits for a core that has come free goes on. After each event: it must cost nothing where nobody takes turns.
    pub(crate) fn settle_cores(&mut self) {
        if self.stopping || !self.cores.are_taken_in_turns() {
            return;
        }
        let workers = &self.workers;
        let holds = |index, item| {
            let worker = workers.get(&index).filter(|worker| worker.is_live());
            worker.is_some_and(|worker| worker.granted.iter().any(|grant| grant.item == item))
        };
        let pool = self.pool.as_ref();
        let may_begin = |index| pool.is_none_or(|pool| !pool.held.contains(&index));
        let is_calm = self.is_calm();
        for index in self.cores.settle(self.now, holds, may_begin, is_calm) {
            // It has a core.
            self.cores.hushed.remove(&index);
            self.go_on(index);
        }
        self.hush();
    }
}
