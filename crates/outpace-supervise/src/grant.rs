//! Giving tests out, and taking back what has not started.

use std::time::Duration;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_protocol::ToWorker;
use outpace_schedule::Scheduler;

use crate::event::Action;
use crate::run::Run;
use crate::worker::{Asking, Grant, Stage, Worker};

/// How long a worker may sit on tests it has not started while another one is idle.
const PATIENCE: Duration = Duration::from_millis(5);

impl Run {
    pub(crate) fn on_ask(&mut self, index: WorkerIndex, position: u32, asking: Asking) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let returned = worker.cut(position);
        worker.asking = Some(asking);
        let mut frees = self.is_gated() && !returned.is_empty();
        if !returned.is_empty() {
            self.give_back(index, &returned);
        }
        if asking == Asking::Idle
            && let Some(scheduler) = &mut self.scheduler
        {
            frees |= scheduler.tear_down(index);
        }
        self.answer(index);
        if frees {
            self.wake_idle();
        }
    }

    fn give_back(&mut self, index: WorkerIndex, items: &[ItemIndex]) {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.give_back(index, items);
        }
    }

    /// A worker that will run out soon: it must not wait for the answer then, so it gets one now.
    pub(crate) fn on_ahead(&mut self, index: WorkerIndex) {
        let paused = self.is_paused() && !self.debugging.concerns(self.peer_of(index));
        let active = self.workers.values().filter(|worker| worker.stage == Stage::Active).count();
        let recycled = self.is_recycled(index);
        let in_turns = self.cores.are_taken_in_turns();
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let items = match &mut self.scheduler {
            // With its limit lifted it would start what was taken from it and given to others.
            Some(scheduler)
                if !self.stopping
                    && !paused
                    && worker.stage == Stage::Active
                    && !worker.limited
                    && !recycled
                    // A unit would be this worker's though it went back as a whole.
                    && (scheduler.is_revocable() || !in_turns) =>
            {
                scheduler.take_ahead(index, worker.pace.batch(scheduler.pending(), active))
            }
            _ => Vec::new(),
        };
        let items = self.apart(index, items);
        // It would hold before the tests that it has yet to start.
        let computes = items.first().is_some_and(|item| self.cores.computes(*item));
        if computes {
            self.give_back(index, &items);
        }
        if items.is_empty() || computes {
            return self.act(Action::Send(self.peer_of(index), ToWorker::Nothing));
        }
        self.grant(index, items);
    }

    /// Answers a worker's question, or leaves it waiting where it may wait.
    pub(crate) fn answer(&mut self, index: WorkerIndex) {
        if self.is_paused() && !self.debugging.concerns(self.peer_of(index)) {
            return;
        }
        let external = self.mode() == DistMode::External;
        let gated = self.is_gated();
        let recycled = self.is_recycled(index);
        let peer = self.peer_of(index);
        let active = self.workers.values().filter(|worker| worker.stage == Stage::Active).count();
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let Some(asking) = worker.asking else { return };
        let (pending, items) = match &mut self.scheduler {
            Some(scheduler) if !self.stopping && worker.stage == Stage::Active && !recycled => {
                let batch = if external { 1 } else { worker.pace.batch(scheduler.pending(), active) };
                (scheduler.pending(), scheduler.take(index, batch))
            }
            _ => (0, Vec::new()),
        };
        if !items.is_empty() {
            let items = self.apart(index, items);
            return self.grant(index, items);
        }
        let retired = worker.retired;
        let may_wait = !(external || retired || gated || recycled || self.stopping);
        if asking == Asking::Running && may_wait && self.somebody_hoards(index) {
            self.tick_at.get_or_insert(self.now + PATIENCE);
            return;
        }
        let Some(worker) = self.workers.get_mut(&index) else { return };
        // What it holds while it waits may be what others wait for.
        if asking == Asking::Running && (!external || retired || gated || recycled || self.stopping) {
            worker.asking = None;
            return self.act(Action::Send(peer, ToWorker::Nothing));
        }
        if !self.stopping && worker.stage == Stage::Active && !recycled {
            let more_may_come = if external { !retired } else { self.may_get_more(index, pending) };
            let held_back = gated && self.scheduler.as_ref().is_some_and(|each| each.has_work_for(index));
            if more_may_come || held_back {
                return;
            }
        }
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.asking = None;
            worker.stage = Stage::Finishing;
        }
        self.act(Action::Send(peer, ToWorker::Shutdown));
    }

    /// A test that takes a turn for a core is granted alone; the others go back.
    fn apart(&mut self, index: WorkerIndex, mut items: Vec<ItemIndex>) -> Vec<ItemIndex> {
        let others = items.split_off(self.cores.together(&items));
        if !others.is_empty() {
            self.give_back(index, &others);
        }
        items
    }

    fn grant(&mut self, index: WorkerIndex, items: Vec<ItemIndex>) {
        if let Some(first) = items.first() {
            self.ask_for_core(index, *first);
        }
        let peer = self.peer_of(index);
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let position = worker.next_position;
        for item in &items {
            worker.granted.push_back(Grant { position: worker.next_position, item: *item });
            worker.next_position += 1;
        }
        worker.asking = None;
        worker.active_at = now;
        let lane = worker.lane;
        if std::mem::take(&mut worker.limited) {
            self.act(Action::Unlimit(lane));
        }
        if self.is_gated() {
            // Others may sit idle although tests are granted, and never ask again.
            self.tick_at.get_or_insert(now + PATIENCE);
        }
        self.lease(index, position, &items);
        self.act(Action::Send(peer, ToWorker::Grant { position, items }));
    }

    /// Whether tests that others hold, or that are set aside for them, may yet come to this idle worker.
    fn may_get_more(&mut self, index: WorkerIndex, pending: usize) -> bool {
        let others = self.workers.iter().filter(|(other, _)| **other != index).map(|(_, worker)| worker);
        let soon = others.clone().any(|worker| worker.unjudged) || (pending > 0 && self.is_shared());
        let revocable = self.scheduler.as_ref().is_some_and(Scheduler::is_revocable);
        let hoarded = revocable && others.clone().any(|worker| worker.unstarted() > 0);
        if revocable && others.clone().any(|worker| self.may_be_revoked(worker)) {
            self.tick_at.get_or_insert(self.now + PATIENCE);
        }
        soon || hoarded
    }

    /// Whether others have what this worker may get in a moment. In its teardown it waits for that: it would set up anew what
    /// its tests share.
    fn somebody_hoards(&self, index: WorkerIndex) -> bool {
        let hoards = |worker| self.may_be_revoked(worker) || (worker.revoking && worker.is_live());
        self.scheduler.as_ref().is_some_and(Scheduler::is_revocable)
            && self.workers.iter().any(|(other, worker)| *other != index && hoards(worker))
    }

    /// Something may have come free: answer those who wait.
    pub(crate) fn wake_idle(&mut self) {
        let waiting: Vec<WorkerIndex> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.asking.is_some() && worker.stage == Stage::Active)
            .map(|(index, _)| *index)
            .collect();
        for index in waiting {
            self.answer(index);
        }
    }

    /// Whether what the worker has not started may be of use to another one. A serial test comes alone and is not: its
    /// worker would tear down what the test is to find.
    fn may_be_revoked(&self, worker: &Worker) -> bool {
        let last = worker.granted.back().map(|grant| grant.item);
        let is_serial = |item| self.scheduler.as_ref().is_some_and(|each| each.is_serial(item));
        worker.can_be_revoked() && !last.is_some_and(is_serial)
    }

    /// Takes back what slow workers have not started, while others are idle.
    pub(crate) fn revoke_for_idle(&mut self) {
        let waits = |worker: &&Worker| worker.asking.is_some() && worker.stage == Stage::Active;
        let idle = self.workers.values().filter(waits).count();
        if idle == 0 || self.stopping || !self.scheduler.as_ref().is_some_and(Scheduler::is_revocable) {
            return;
        }
        let mut hoarders: Vec<(usize, WorkerIndex, u32, Duration)> = self
            .workers
            .iter()
            .filter(|(_, worker)| self.may_be_revoked(worker))
            .map(|(index, worker)| (worker.unstarted(), *index, worker.lane, worker.active_at))
            .collect();
        hoarders.sort_unstable_by_key(|(unstarted, ..)| std::cmp::Reverse(*unstarted));
        let mut again = !hoarders.is_empty();
        // One that is quick keeps what it has, and does not stand before one that has not moved for long.
        let stuck = hoarders.into_iter().filter(|(.., active_at)| self.now >= *active_at + PATIENCE);
        for (_, worker, lane, _) in stuck.take(idle).collect::<Vec<_>>() {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.limited = true;
                worker.revoking = true;
            }
            self.act(Action::Revoke { worker, lane });
            again = false;
        }
        // What is taken back may be for none of the idle ones.
        again |= self.is_gated() && self.workers.values().any(|worker| self.may_be_revoked(worker));
        if again {
            self.tick_at = Some(self.now + PATIENCE);
        }
    }

    pub(crate) fn on_revoked(&mut self, index: WorkerIndex, kept: u32) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        worker.revoking = false;
        // The front may just have been claimed by a worker whose last question is still on its way.
        let items = worker.cut(kept);
        if items.is_empty() {
            self.revoke_for_idle();
        } else {
            self.give_back(index, &items);
        }
        self.wake_idle();
    }

    /// The first test that the worker holds has said something.
    pub(crate) fn on_result(&mut self, index: WorkerIndex, finished: bool, failures: u32, duration: f64) {
        let now = self.now;
        let Some(worker) = self.workers.get(&index) else { return };
        let item = worker.granted.front().map(|grant| grant.item);
        let retried = item.filter(|item| self.may_retry(*item));
        let Some(worker) = self.workers.get_mut(&index) else { return };
        worker.begun = !finished;
        worker.failing |= failures > 0;
        let failed = finished && std::mem::take(&mut worker.failing);
        let mut frees = false;
        if finished {
            worker.active_at = now;
            worker.pace.record(duration);
            let is_first = !std::mem::replace(&mut worker.has_finished_any, true);
            if let Some(pool) = &mut self.pool {
                pool.record(duration, is_first);
            }
            if let Some(grant) = worker.granted.pop_front() {
                self.ledger.finish(grant.item);
                frees = self.scheduler.as_mut().is_some_and(|each| each.finish(index, grant.item));
            }
        }
        if let Some(item) = item.filter(|_| finished) {
            self.observe(index, item, failed);
        }
        match retried {
            Some(item) if failed => self.retry_later(item),
            Some(_) => {}
            None => self.failures += failures,
        }
        let maxfail = self.plan.as_ref().map_or(0, |plan| plan.maxfail);
        if maxfail > 0 && self.failures >= maxfail && !self.stopping {
            self.stop(false, false);
        }
        if frees {
            self.wake_idle();
        }
    }
}
