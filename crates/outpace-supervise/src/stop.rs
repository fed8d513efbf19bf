//! Ending a run early, and ending what does not end by itself.

use std::time::Duration;

use outpace_model::WorkerIndex;
use outpace_protocol::{Finished, ToController, ToWorker};

use crate::event::{Action, Peer};
use crate::run::{Run, TemplateStage};
use crate::watch::PATIENCE;
use crate::worker::{Hung, Stage, Worker};

/// What a worker gets between SIGINT and SIGKILL.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// What a worker gets between its goodbye and its exit. Much, for a machine on which many others want the cores.
pub(crate) const EXIT: Duration = Duration::from_secs(30);
/// What a worker gets between the end of its connection and that of its process, and the other way round.
pub(crate) const LINGER: Duration = Duration::from_millis(200);

impl Run {
    /// No further test starts.
    pub(crate) fn stop(&mut self, interrupt: bool, kill: bool) {
        self.stopping = true;
        if kill {
            return self.kill_workers();
        }
        let lanes: Vec<u32> =
            self.workers.values().filter(|worker| worker.is_live()).map(|worker| worker.lane).collect();
        for lane in lanes {
            self.act(Action::Halt(lane));
        }
        for worker in self.workers.values_mut() {
            worker.limited = true;
        }
        self.end_held();
        if interrupt && !self.interrupted {
            self.interrupted = true;
            self.end_debugging();
            self.interrupt_running();
        }
        if self.scheduler.is_none() {
            self.end_workers_now();
        }
        self.wake_idle();
    }

    fn interrupt_running(&mut self) {
        let deadline = self.now + GRACE;
        let mut running = Vec::new();
        for (index, worker) in
            self.workers.iter_mut().filter(|(_, worker)| worker.is_live() && !worker.said_bye)
        {
            let collecting = matches!(worker.stage, Stage::Starting | Stage::Collected);
            if !worker.granted.is_empty() || collecting || worker.stage == Stage::Finishing {
                worker.interrupted = true;
                worker.deadline = Some(deadline);
                running.push(*index);
            }
        }
        for index in running {
            self.look_for_the_last_time(self.peer_of(index));
        }
    }

    /// Ends workers that have run nothing yet, and a template that is of no more use.
    pub(crate) fn end_workers_now(&mut self) {
        if matches!(self.template, TemplateStage::Waiting | TemplateStage::Collecting) {
            let look = self.interrupted && self.template == TemplateStage::Collecting;
            self.template = TemplateStage::Dead;
            if look && self.template_pid.is_some() && self.template_exit.is_none() {
                self.farewell = Some(self.now + PATIENCE);
                self.look_for_the_last_time(Peer::Template);
            } else {
                self.end_template();
            }
        }
        let collected: Vec<Peer> = self
            .workers
            .iter()
            .filter(|(_, worker)| matches!(worker.stage, Stage::Starting | Stage::Collected))
            .map(|(index, _)| self.peer_of(*index))
            .collect();
        for peer in collected {
            self.act(Action::Send(peer, ToWorker::Shutdown));
        }
        for worker in self.workers.values_mut() {
            match worker.stage {
                Stage::Announced => worker.stage = Stage::Down,
                Stage::Starting | Stage::Collected => worker.stage = Stage::Finishing,
                Stage::Active | Stage::Finishing | Stage::Down => {}
            }
        }
    }

    fn kill_workers(&mut self) {
        let template = match self.template {
            TemplateStage::Worker(_) | TemplateStage::Absent => None,
            _ => self.template_pid,
        };
        let pids: Vec<i32> = self
            .workers
            .values()
            .filter(|worker| worker.is_live())
            .flat_map(Worker::pids)
            .chain(template)
            .collect();
        if template.is_some() {
            self.template = TemplateStage::Dead;
        }
        for worker in self.workers.values_mut() {
            worker.interrupted = true;
            if worker.stage == Stage::Announced {
                worker.stage = Stage::Down;
            }
        }
        for pid in pids {
            self.act(Action::Kill(pid));
        }
    }

    pub(crate) fn kill_everything(&mut self) {
        self.stopping = true;
        self.kill_workers();
        self.finished = true;
        self.act(Action::Quit);
    }

    pub(crate) fn on_deadlines(&mut self) {
        if self.farewell.is_some_and(|at| at <= self.now) {
            self.end_template();
        }
        self.on_watches_due();
        self.on_history_due();
        if self.tick_at.is_some_and(|at| at <= self.now) {
            self.tick_at = None;
            self.revoke_for_idle();
            // Who waits in its teardown waits no longer than others hold tests.
            self.wake_idle();
        }
        let due: Vec<WorkerIndex> = self
            .workers
            .iter()
            .filter(|(_, worker)| {
                worker.stage != Stage::Down && worker.deadline.is_some_and(|at| at <= self.now)
            })
            .map(|(index, _)| *index)
            .collect();
        for index in due {
            self.on_overdue(index);
        }
    }

    /// A worker did not end in time: first its process is killed, then it counts as gone whatever is heard of it.
    fn on_overdue(&mut self, index: WorkerIndex) {
        let again = self.now + LINGER;
        let peer = self.peer_of(index);
        let Some(worker) = self.workers.get_mut(&index) else { return };
        worker.deadline = None;
        if worker.exit.is_some() {
            if worker.closed.is_none() {
                self.act(Action::Close(peer));
            }
        } else if worker.killed && worker.closed.is_some() {
            worker.exit = Some("it was killed".to_owned());
            self.bury(index);
        } else {
            if let Some(closed) = &mut worker.closed {
                closed
                    .fault
                    .get_or_insert_with(|| "it closed its connection to outpace and was killed".to_owned());
            }
            worker.killed = true;
            if worker.said_bye && !worker.interrupted {
                worker.hung = Some(Hung::default());
            }
            worker.deadline = Some(again);
            match worker.pid {
                Some(pid) => self.act(Action::Kill(pid)),
                None => self.never_lived(index, "did not start in time".to_owned()),
            }
        }
    }

    /// Tells the controller once nothing is alive, nothing is to be judged and nothing can start any more.
    pub(crate) fn finish_if_over(&mut self) {
        let busy = self.workers.values().any(|worker| worker.is_live() || worker.unjudged);
        let over = match self.template {
            TemplateStage::Absent | TemplateStage::Waiting | TemplateStage::Collecting => false,
            // A template that died between its collection and the plan leaves the tests to be run.
            TemplateStage::Serving | TemplateStage::Worker(_) | TemplateStage::Dead => {
                self.scheduler.is_some() || self.stopping
            }
        };
        if self.finished || busy || !over || self.farewell.is_some() || self.workers.is_empty() {
            return;
        }
        if self.awaits_recycled() || self.goes_on_with_a_retry() {
            return;
        }
        self.finished = true;
        if self.template == TemplateStage::Serving {
            self.act(Action::Send(Peer::Template, ToWorker::Exit));
        }
        self.tell_pool();
        self.tell(ToController::Finished(Finished {
            done: self.ledger.records(),
            not_run: self.ledger.not_run(),
            interrupted: self.ledger.interrupted(),
        }));
        self.hand_on_lessons();
    }
}
