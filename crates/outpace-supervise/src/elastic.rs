//! The elastic pool's part of a run: what it is told, and what its decisions mean for workers.

use std::collections::BTreeSet;

use outpace_model::{DistMode, WorkerIndex};
use outpace_protocol::{ToController, ToWorker};

use crate::event::Action;
use crate::pool::{Census, Change, Load, Pool};
use crate::run::Run;
use crate::worker::{Asking, Stage, Worker};

impl Run {
    /// The run may have up to `most` workers. Not where each worker runs what it alone is given.
    pub(crate) fn on_elastic(&mut self, most: u32) {
        self.may_grow_to = most;
    }

    /// Whether readings of the machine's load are of use.
    pub fn is_elastic(&self) -> bool {
        self.pool.is_some() && !self.stopping && !self.finished
    }

    /// The workers that live, and the process of each that runs its tests.
    pub fn living(&self) -> impl Iterator<Item = (WorkerIndex, i32)> {
        let live = self.workers.iter().filter(|(_, worker)| worker.is_live());
        live.filter_map(|(index, worker)| Some((*index, worker.acting.or(worker.pid)?)))
    }

    /// Called when the workers that the run begins with are known. Of spawned ones, each of which collects and has all its
    /// memory to itself, it does not begin with more: first it must be seen what one needs.
    pub(crate) fn make_pool(&mut self, workers: usize) {
        let base = u32::try_from(workers).unwrap_or(u32::MAX);
        if self.may_grow_to > base && self.is_shared() && self.mode() != DistMode::Each {
            let preparation = if self.spawning { self.collecting_took.as_secs_f64() } else { 0.0 };
            let mut pool = Pool::new(base, self.may_grow_to, preparation);
            let pending = self.scheduler.as_ref().map_or(0, outpace_schedule::Scheduler::pending);
            if !self.spawning
                && let (Some(known), Some(work)) = (&self.history.known, self.history.work)
            {
                let pending = u32::try_from(pending).unwrap_or(u32::MAX);
                let count = pool.begin(work, known.cores, pending, known.room);
                if count > 0 {
                    let waiting = 100.0 * (1.0 - work.cpu / work.wall).clamp(0.0, 1.0);
                    let why = Some(format!(
                        "{} workers at once: in earlier runs its tests waited {waiting:.0}% of their time",
                        base + count
                    ));
                    self.tell(ToController::Grow { count, why });
                }
            }
            self.pool = Some(pool);
            self.cores.open(workers);
        }
    }

    pub(crate) fn on_load(&mut self, load: &Load) {
        // What others do while somebody has a quiet core says nothing.
        if self.debugging.is_going_on() || self.cores.is_quiet() {
            return;
        }
        let census = self.census(load);
        let Some(pool) = &mut self.pool else { return };
        match pool.decide(load, census, self.now) {
            Change::None => {}
            Change::Grow(count) => self.tell(ToController::Grow { count, why: None }),
            Change::Hold(count) => self.hold_extras(count as usize),
            Change::Release(count) => self.release(count as usize),
        }
    }

    fn census(&self, load: &Load) -> Census {
        let live = || self.workers.values().filter(|worker| worker.is_live());
        let can_grow = self.can_fork() || self.spawning;
        let is_steady = can_grow
            && self.workers.iter().filter(|(_, worker)| worker.is_live()).all(|(index, worker)| {
                worker.stage == Stage::Active
                    && worker.asking != Some(Asking::Idle)
                    && (worker.has_finished_any || !load.in_setup.contains(index))
                    && !worker.granted.is_empty()
            });
        let pending = self.scheduler.as_ref().map_or(0, outpace_schedule::Scheduler::pending);
        let works = |worker: &Worker| {
            worker.is_live() && (worker.stage == Stage::Starting || !worker.granted.is_empty())
        };
        let sleeps = |index: &WorkerIndex, worker: &Worker| {
            worker.stage == Stage::Active
                && load.asleep.contains(index)
                && (worker.has_finished_any || !load.in_setup.contains(index))
        };
        let (asleep, at_work): (Vec<_>, Vec<_>) = self
            .workers
            .iter()
            .filter(|(index, worker)| works(worker) && !self.is_held(**index))
            .partition(|(index, worker)| sleeps(index, worker));
        // What is left may be for nobody else.
        let waits = |worker: &Worker| worker.asking == Some(Asking::Idle);
        let starting =
            live().filter(|worker| matches!(worker.stage, Stage::Starting | Stage::Collected)).count();
        let is_replaced = can_grow && !live().any(waits);
        Census {
            live: u32::try_from(live().count()).unwrap_or(u32::MAX),
            at_work: u32::try_from(at_work.len()).unwrap_or(u32::MAX),
            asleep: if is_replaced { u32::try_from(asleep.len()).unwrap_or(u32::MAX) } else { 0 },
            starting: u32::try_from(starting).unwrap_or(u32::MAX),
            pending: u32::try_from(pending).unwrap_or(u32::MAX),
            is_steady,
        }
    }

    fn hold_extras(&mut self, count: usize) {
        let extras = self.extras();
        let Some(pool) = &mut self.pool else { return };
        let working = extras.into_iter().rev().filter(|index| !pool.held.contains(index));
        let newly: Vec<WorkerIndex> = working.take(count).collect();
        pool.held.extend(&newly);
        for index in newly {
            self.act(Action::Send(self.peer_of(index), ToWorker::Hold));
        }
    }

    /// The workers that live, but for as many as the run began with.
    pub(crate) fn extras(&self) -> Vec<WorkerIndex> {
        let Some(pool) = &self.pool else { return Vec::new() };
        let live = self.workers.iter().filter(|(_, worker)| worker.is_live()).map(|(index, _)| *index);
        live.enumerate().filter(|(rank, _)| pool.is_extra(*rank)).map(|(_, index)| index).collect()
    }

    fn release(&mut self, count: usize) {
        let Some(pool) = &mut self.pool else { return };
        let released: Vec<WorkerIndex> = pool.held.drain(..count.min(pool.held.len())).collect();
        for index in released {
            self.go_on(index);
        }
    }

    /// One reason to hold the worker is gone; it goes on if that was the last.
    pub(crate) fn go_on(&mut self, index: WorkerIndex) {
        let lives = self.workers.get(&index).is_some_and(Worker::is_live);
        if lives && !self.is_held(index) {
            self.act(Action::Send(self.peer_of(index), ToWorker::Go));
        }
    }

    pub(crate) fn is_held(&self, index: WorkerIndex) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.held.contains(&index))
            || self.cores.is_waiting(index)
            || self.cores.hushed.contains(&index)
    }

    /// The run stops: a worker that was held must not start the test that it holds.
    pub(crate) fn end_held(&mut self) {
        let mut held: BTreeSet<WorkerIndex> = self.cores.clear().into_iter().collect();
        held.extend(self.pool.iter_mut().flat_map(|pool| pool.held.drain(..)));
        for index in held {
            self.act(Action::Send(self.peer_of(index), ToWorker::Shutdown));
        }
    }

    /// A worker is announced: whether the pool asked for it, and there is nothing left for it to do.
    pub(crate) fn comes_too_late(&mut self) -> bool {
        let Some(pool) = self.pool.as_mut().filter(|pool| pool.expected > 0) else { return false };
        pool.expected -= 1;
        self.scheduler.as_ref().is_some_and(|scheduler| scheduler.pending() == 0)
    }

    pub(crate) fn pool_lost(&mut self, index: WorkerIndex) {
        if let Some(pool) = &mut self.pool {
            pool.held.retain(|held| *held != index);
        }
    }

    /// What the summary says of the pool, if there was one.
    pub(crate) fn tell_pool(&mut self) {
        if let Some(pool) = &self.pool {
            let message = ToController::Pool { workers: pool.peak, busy: pool.busy_share() };
            self.tell(message);
        }
        self.tell_unsteady();
    }
}
