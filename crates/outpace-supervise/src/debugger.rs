//! A process that stops in a debugger: it gets the terminal when its turn comes, and its time does not count meanwhile.
//!
//! The terminal is the controller's to lend ([`ToController::Lend`]) and to take back. Where the others are to wait, they
//! are given no test as long as anybody has it; what they are at they finish.

use outpace_model::{ItemIndex, WorkerIndex};
use outpace_protocol::{Lend, ToController, ToWorker};
use outpace_schedule::Scheduler;

use crate::event::{Action, Peer};
use crate::run::Run;
use crate::turns::{Turn, Turns};
use crate::worker::Worker;

#[derive(Debug, Default)]
pub(crate) struct Debugging {
    turns: Turns,
    /// The others wait until nobody has the terminal any more.
    paused: bool,
}

impl Debugging {
    /// Whether the process is in the debugger, or waits to be.
    pub(crate) fn concerns(&self, peer: Peer) -> bool {
        self.turns.concerns(peer)
    }

    /// Whether anybody is.
    pub(crate) fn is_going_on(&self) -> bool {
        self.turns.is_taken()
    }
}

impl Run {
    /// Whether no test is to be given out now.
    pub(crate) fn is_paused(&self) -> bool {
        self.debugging.paused && !self.stopping
    }

    pub(crate) fn on_want_terminal(&mut self, peer: Peer) {
        if self.interrupted {
            let why = "the run is being stopped".to_owned();
            return self.act(Action::Send(peer, ToWorker::Terminal { path: None, why }));
        }
        let turn = self.debugging.turns.want(peer);
        self.refresh(peer);
        if let Some(turn) = turn {
            self.lend(turn);
        }
    }

    fn lend(&mut self, turn: Turn) {
        let Some(pid) = self.pid_of(turn.peer) else { return self.on_left_terminal(turn.peer) };
        let worker = self.worker_of(turn.peer);
        let first = self.workers.keys().next().copied().unwrap_or(WorkerIndex(0));
        let item: Option<ItemIndex> = worker
            .and_then(|index| self.workers.get(&index))
            .and_then(|worker| worker.granted.front())
            .map(|grant| grant.item);
        let doing = match worker {
            None => self.template_status.clone(),
            Some(index) => self.workers.get(&index).map_or(String::new(), |worker| worker.status.clone()),
        };
        let waiting = u32::try_from(self.debugging.turns.waiting()).unwrap_or(u32::MAX);
        let worker = worker.unwrap_or(first);
        self.tell(ToController::Lend(Lend { turn: turn.number, worker, pid, item, doing, waiting }));
    }

    /// The controller has lent the terminal, or has none.
    pub(crate) fn on_lent(&mut self, turn: u32, path: Option<String>, why: String, pause: bool) {
        let Some(peer) = self.debugging.turns.holder(turn) else { return };
        if pause && path.is_some() && !self.debugging.paused {
            self.debugging.paused = true;
            self.take_back_from_others(peer);
        }
        let refused = path.is_none();
        self.act(Action::Send(peer, ToWorker::Terminal { path, why }));
        if refused {
            self.on_left_terminal(peer);
        }
    }

    /// They are to wait after the test that they are at, not after all they were given.
    fn take_back_from_others(&mut self, holder: Peer) {
        if self.stopping || !self.scheduler.as_ref().is_some_and(Scheduler::is_revocable) {
            return;
        }
        let own = self.worker_of(holder);
        let may_be_asked =
            |(index, worker): &(&WorkerIndex, &mut Worker)| Some(**index) != own && worker.can_be_revoked();
        let others: Vec<Action> = self
            .workers
            .iter_mut()
            .filter(may_be_asked)
            .map(|(worker, each)| {
                each.limited = true;
                Action::Revoke { worker: *worker, lane: each.lane }
            })
            .collect();
        self.actions.extend(others);
    }

    /// The run is interrupted: nobody gets the terminal any more, and who has it is interrupted as everybody is.
    pub(crate) fn end_debugging(&mut self) {
        if let Some(turn) = self.debugging.turns.end() {
            self.tell(ToController::Returned { turn: turn.number });
        }
        self.debugging.paused = false;
    }

    /// It is done with the debugger, gave up waiting, or is gone.
    pub(crate) fn on_left_terminal(&mut self, peer: Peer) {
        if !self.debugging.concerns(peer) {
            return;
        }
        if let Some(turn) = self.debugging.turns.leave(peer) {
            self.tell(ToController::Returned { turn: turn.number });
        }
        self.refresh(peer);
        if let Some(next) = self.debugging.turns.begin_next() {
            self.lend(next);
        } else if !self.debugging.turns.is_taken() && std::mem::take(&mut self.debugging.paused) {
            self.wake_idle();
        }
    }
}
