//! How workers and the template end, well or badly.

use std::time::Duration;

use outpace_model::{ItemIndex, Phase, WorkerIndex};
use outpace_protocol::{Down, ToController};

use crate::event::{Action, Peer};
use crate::run::{Run, TemplateStage};
use crate::stop::{EXIT, LINGER};
use crate::watch::{LAST_WORDS, PATIENCE};
use crate::worker::{Closed, Stage};

/// The end of a worker that the template was to fork.
const UNBORN: &str = "the template died before it could fork this worker";

impl Run {
    pub(crate) fn on_bye(&mut self, index: WorkerIndex, blob: Vec<u8>) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&index).filter(|worker| !worker.said_bye) else { return };
        // What hangs until then is ended by the watch, which looks at it before.
        let watched = if worker.interrupted { Duration::ZERO } else { PATIENCE + LAST_WORDS + LINGER };
        let deadline = now + EXIT + watched;
        worker.said_bye = true;
        worker.stage = Stage::Finishing;
        worker.asking = None;
        worker.deadline = Some(deadline);
        // It starts nothing more, not even what it claimed as the test after its last one.
        let unstarted = worker.not_begun();
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.remove_worker(index, &unstarted);
        }
        self.refresh(self.peer_of(index));
        self.tell(ToController::Bye { worker: index, blob });
        self.on_left_terminal(self.peer_of(index));
        self.wake_idle();
    }

    pub(crate) fn on_closed(&mut self, peer: Peer, fault: Option<String>, position: u32, phase: Phase) {
        let Some(index) = self.worker_of(peer) else {
            if self.template_is_deaf {
                return;
            }
            self.template_fault = fault;
            return self.on_template_closed();
        };
        self.note_hung(self.peer_of(index));
        let deadline = self.now + LINGER;
        let template_speaks = self.can_fork();
        let Some(worker) = self.workers.get_mut(&index) else { return };
        if worker.closed.is_some() {
            return;
        }
        let must_die = fault.is_some();
        worker.closed = Some(Closed { fault, position, phase });
        // Of a fork that ended at once the template may have to tell yet.
        let unborn = worker.pid.is_none() && !(worker.forked && template_speaks);
        if worker.exit.is_some() || unborn {
            self.bury(index);
        } else {
            if !worker.said_bye {
                worker.deadline = Some(deadline);
            }
            if must_die && let Some(pid) = worker.pid {
                self.act(Action::Kill(pid));
            }
        }
    }

    pub(crate) fn on_exited(&mut self, pid: i32, cause: &str) {
        if self.template_pid == Some(pid) {
            self.note_hung(Peer::Template);
            self.template_exit = Some(cause.to_owned());
            if !matches!(self.template, TemplateStage::Worker(_)) {
                return self.on_template_exited();
            }
        }
        let deadline = self.now + LINGER;
        let found = self.workers.iter_mut().find(|(_, worker)| {
            worker.pid == Some(pid) && worker.stage != Stage::Down && worker.exit.is_none()
        });
        let Some((index, worker)) = found else { return };
        let index = *index;
        worker.exit = Some(cause.to_owned());
        let closed = worker.closed.is_some();
        if !closed {
            // Something the test left behind may hold the connection open.
            worker.deadline = Some(deadline);
        }
        self.note_hung(self.peer_of(index));
        if closed {
            self.bury(index);
        }
    }

    fn on_template_closed(&mut self) {
        self.note_hung(Peer::Template);
        self.template_is_deaf = true;
        if self.template_exit.is_some() {
            self.template_is_gone();
        } else if let Some(pid) = self.template_pid {
            // It closed our socket but lives: without it nobody can speak to it.
            self.act(Action::Kill(pid));
        }
    }

    fn on_template_exited(&mut self) {
        if self.template_is_deaf {
            self.template_is_gone();
        } else {
            // What it said before it died counts: its collection, and the forks it made and reaped.
            self.act(Action::Close(Peer::Template));
        }
    }

    /// The template ended. Before the collection there is no run without it; afterwards workers are spawned.
    fn template_is_gone(&mut self) {
        self.on_left_terminal(Peer::Template);
        let stage = std::mem::replace(&mut self.template, TemplateStage::Dead);
        if self.finished || matches!(stage, TemplateStage::Dead) {
            return;
        }
        if self.stopping {
            for worker in self.workers.values_mut().filter(|worker| worker.stage == Stage::Announced) {
                worker.stage = Stage::Down;
            }
            return;
        }
        if self.reference.is_none() {
            let cause = self
                .template_fault
                .clone()
                .or_else(|| self.template_exit.clone())
                .unwrap_or_else(|| "it ended".to_owned());
            let busy = if self.template_status.is_empty() { "starting" } else { &self.template_status };
            let how = if self.template_hung { "hung" } else { "died" };
            return self.fatal(format!("the process that collects the tests {how} while {busy}: {cause}"));
        }
        let unborn: Vec<WorkerIndex> = self
            .workers
            .iter()
            .filter(|(_, worker)| {
                worker.stage == Stage::Starting && worker.pid.is_none() && worker.closed.is_some()
            })
            .map(|(index, _)| *index)
            .collect();
        // Those whose connection still stands may live.
        for index in unborn {
            self.never_lived(index, UNBORN.to_owned());
        }
    }

    /// A worker whose process never came to be.
    pub(crate) fn never_lived(&mut self, index: WorkerIndex, cause: String) {
        if let Some(worker) = self.workers.get_mut(&index)
            && worker.stage != Stage::Down
        {
            worker.exit = Some(cause);
            worker.closed = Some(Closed { fault: None, position: 0, phase: Phase::Start });
            self.bury(index);
        }
    }

    /// Connection and process have ended: settle what the worker held and tell the controller.
    pub(crate) fn bury(&mut self, index: WorkerIndex) {
        let template_is_dead = self.template == TemplateStage::Dead;
        let peer = self.peer_of(index);
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let template_died = template_is_dead && worker.forked;
        let Some(closed) = worker.closed.clone() else { return };
        worker.stage = Stage::Down;
        worker.asking = None;
        worker.deadline = None;
        let crashed = !worker.said_bye;
        let (interrupted, was_template, pid) = (worker.interrupted, worker.is_template, worker.pid);
        let processes = worker.pids();
        let hung = worker.hung;
        // The front is running if it was claimed; what was claimed behind it was only looked at as the next test.
        let running = worker.pop_claimed(closed.position);
        let mut unstarted = worker.cut(0);
        let unborn = if worker.forked && pid.is_none() { UNBORN } else { "" };
        let exit = worker.exit.clone().unwrap_or_else(|| unborn.to_owned());
        let mut cause = closed.fault.unwrap_or(exit);
        if !worker.status.is_empty() {
            cause = format!("{cause} while {}", worker.status);
        }
        for pid in processes {
            // What its tests left running goes with it.
            self.act(Action::Kill(pid));
        }
        if was_template {
            self.template = TemplateStage::Dead;
        }
        // The one it took too long at may have ended just before its process did.
        let other = hung.is_some_and(|hung| running != hung.item);
        let innocent = crashed
            && (template_died || other)
            && !interrupted
            && running.is_none_or(|item| self.ledger.excuse(item));
        if innocent {
            // It runs again, and first.
            unstarted.splice(0..0, running);
        }
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.remove_worker(index, &unstarted);
        }
        self.settle(index, running, crashed && !interrupted, innocent);
        let item = if innocent { None } else { running };
        self.tell(ToController::Down(Down {
            worker: index,
            crashed: crashed && !interrupted,
            item,
            phase: closed.phase,
            cause,
            innocent,
            hung: hung.is_some() && !innocent && !interrupted,
        }));
        // What it held may be given to others only now.
        self.on_left_terminal(peer);
        self.pool_lost(index);
        self.recycle_gone(index, crashed);
        self.pass_barrier();
        self.wake_idle();
    }

    fn settle(&mut self, index: WorkerIndex, running: Option<ItemIndex>, crashed: bool, innocent: bool) {
        match running {
            Some(item) if crashed && !innocent => {
                self.ledger.finish(item);
                self.observe_crash(item);
            }
            Some(item) if !crashed => self.ledger.interrupt(item),
            _ => {}
        }
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.unjudged = crashed;
            worker.crashed_item = running.filter(|_| crashed && !innocent);
        }
    }

    /// The controller has judged a crash.
    pub(crate) fn on_verdict(&mut self, index: WorkerIndex, requeue: bool) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        worker.unjudged = false;
        match worker.crashed_item.take() {
            Some(item) if requeue && !self.stopping && self.is_shared() => {
                self.ledger.reopen(item);
                if let Some(scheduler) = &mut self.scheduler {
                    scheduler.requeue(item);
                }
            }
            Some(item) if !requeue && self.may_retry(item) => self.retry_later(item),
            _ => {}
        }
        self.pass_barrier();
        self.wake_idle();
    }
}
