//! The steps by which what takes too long comes to its end. What is watched, and since when: [`super`].

use std::time::Duration;

use outpace_model::WorkerIndex;
use outpace_protocol::{Looked, ToController, Why};

use super::{ASK_EVERY, Found, LAST_WORDS, PATIENCE, Pursuit, Step, Watch, asked, millis};
use crate::event::{Action, Peer};
use crate::run::Run;
use crate::stop::LINGER;
use crate::worker::{Hung, Stage};

impl Run {
    pub(crate) fn on_watches_due(&mut self) {
        let now = self.now;
        let due: Vec<Peer> = self
            .watching
            .watches
            .iter()
            .filter(|(_, watch)| watch.due().is_some_and(|at| at <= now))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            self.refresh(peer);
            self.step(peer);
        }
    }

    fn step(&mut self, peer: Peer) {
        let now = self.now;
        let slow = self.watching.slow();
        let pid = self.pid_of(peer);
        let Some(watch) = self.watching.watches.get_mut(&peer) else { return };
        if watch.due().is_none_or(|at| at > now) {
            return;
        }
        let over = watch.limit.is_some_and(|limit| watch.since + limit <= now);
        match watch.step {
            Step::Quiet if over => {
                watch.step = Step::Looking;
                watch.step_ends = Some(now + PATIENCE);
                let asked = asked(watch.pursuit);
                match pid {
                    Some(pid) => self.act(Action::Look { peer, pid, why: Why::Limit, hold: asked }),
                    None => self.on_unborn_for_too_long(peer),
                }
            }
            Step::Quiet => {
                watch.slow_at = slow.map(|slow| now + slow);
                if let Some(pid) = pid {
                    self.act(Action::Look { peer, pid, why: Why::Slow, hold: None });
                }
            }
            Step::Looking => self.ask_to_fail(peer),
            Step::Asking { until } if now < until => self.ask_to_fail(peer),
            Step::Asking { .. } | Step::Failing => self.terminate(peer),
            Step::Terminated => self.kill_hung(peer),
            Step::Killed => watch.step_ends = None,
        }
    }

    /// The answer to [`Action::Look`].
    pub(crate) fn on_looked(&mut self, peer: Peer, why: Why, found: Found) {
        if why == Why::Stop {
            self.tell_looked(peer, why, found);
            if self.farewell.is_some() && self.worker_of(peer).is_none() {
                return self.end_template();
            }
            if let Some(pid) = self.pid_of(peer).filter(|_| self.may_be_interrupted(peer)) {
                self.act(Action::Interrupt(pid));
            }
            return;
        }
        self.refresh(peer);
        let Some(watch) = self.watching.watches.get(&peer) else { return };
        match (why, watch.step) {
            (Why::Limit, Step::Looking) => {
                self.tell_looked(peer, why, found);
                self.ask_to_fail(peer);
            }
            (Why::Slow, Step::Quiet) if self.is_slow(peer) => self.tell_looked(peer, why, found),
            _ => {}
        }
    }

    fn is_slow(&self, peer: Peer) -> bool {
        let (now, slow) = (self.now, self.watching.slow());
        self.watching.watches.get(&peer).zip(slow).is_some_and(|(watch, slow)| watch.since + slow <= now)
    }

    fn may_be_interrupted(&self, peer: Peer) -> bool {
        self.worker_of(peer)
            .and_then(|index| self.workers.get(&index))
            .is_some_and(|worker| worker.is_live() && !worker.said_bye && worker.exit.is_none())
    }

    fn ask_to_fail(&mut self, peer: Peer) {
        let (now, grace) = (self.now, self.watching.grace());
        let pid = self.pid_of(peer);
        let Some(watch) = self.watching.watches.get_mut(&peer) else { return };
        let (Some(asked), Some(pid)) = (asked(watch.pursuit), pid) else { return self.terminate(peer) };
        let until = if let Step::Asking { until } = watch.step { until } else { now + grace };
        watch.step = Step::Asking { until };
        watch.step_ends = Some(until.min(now + ASK_EVERY));
        self.act(Action::AskToFail { peer, pid, asked });
    }

    fn terminate(&mut self, peer: Peer) {
        let now = self.now;
        let pid = self.pid_of(peer);
        let Some(watch) = self.watching.watches.get_mut(&peer) else { return };
        watch.step = Step::Terminated;
        watch.step_ends = Some(now + LAST_WORDS);
        if let Some(pid) = pid {
            self.act(Action::Terminate(pid));
        }
    }

    fn kill_hung(&mut self, peer: Peer) {
        let deadline = self.now + LINGER;
        let pid = self.pid_of(peer);
        if let Some(watch) = self.watching.watches.get_mut(&peer) {
            watch.step = Step::Killed;
            watch.step_ends = None;
        }
        if let Some(worker) = self.worker_of(peer).and_then(|index| self.workers.get_mut(&index)) {
            worker.killed = true;
            worker.deadline = Some(deadline);
        }
        if let Some(pid) = pid {
            self.act(Action::Kill(pid));
        }
    }

    /// A worker that the template was to fork, long ago: it is the template that hangs.
    fn on_unborn_for_too_long(&mut self, peer: Peer) {
        let Some(index) = self.worker_of(peer) else { return };
        if self.workers.get(&index).is_some_and(|worker| worker.forked)
            && let Some(pid) = self.template_pid
        {
            return self.act(Action::Kill(pid));
        }
        self.never_lived(index, "did not start in time".to_owned());
    }

    /// Remembers, at its end, whether a process was being ended because of its time, and the test it was seen too long at.
    pub(crate) fn note_hung(&mut self, peer: Peer) {
        let Some(watch) = self.watching.watches.get(&peer) else { return };
        if matches!(watch.step, Step::Quiet | Step::Looking) {
            return;
        }
        let item = if let Pursuit::Test(_, item) = watch.pursuit { Some(item) } else { None };
        match self.worker_of(peer) {
            Some(index) => {
                if let Some(worker) = self.workers.get_mut(&index).filter(|worker| !worker.interrupted) {
                    worker.hung = Some(Hung { item });
                }
            }
            None => self.template_hung = true,
        }
    }

    /// Ends the template that was only left alive to be looked at.
    pub(crate) fn end_template(&mut self) {
        self.farewell = None;
        if let Some(pid) = self.template_pid {
            self.act(Action::Kill(pid));
        }
    }

    /// The process that is at what is watched.
    pub(crate) fn pid_of(&self, peer: Peer) -> Option<i32> {
        match self.worker_of(peer) {
            Some(index) => self.workers.get(&index).and_then(|worker| worker.acting.or(worker.pid)),
            None => self.template_pid,
        }
    }

    fn tell_looked(&mut self, peer: Peer, why: Why, found: Found) {
        let sight = self.watching.sights.get(&peer).copied().unwrap_or_default();
        let first = self.workers.keys().next().copied().unwrap_or(WorkerIndex(0));
        let (worker, doing) = match self.worker_of(peer) {
            None => (first, self.template_status.clone()),
            Some(index) => {
                (index, self.workers.get(&index).map_or(String::new(), |each| each.status.clone()))
            }
        };
        let buried = self
            .worker_of(peer)
            .is_some_and(|_| self.workers.get(&worker).is_none_or(|worker| worker.stage == Stage::Down));
        let Some(pid) = self.pid_of(peer).filter(|_| !buried && !self.finished) else { return };
        let watch = self.watching.watches.get(&peer);
        let item = match watch.map(|watch| watch.pursuit) {
            Some(Pursuit::Test(_, item)) => Some(item),
            Some(_) => None,
            None => sight.item,
        };
        let exits = watch.is_some_and(|watch| watch.pursuit == Pursuit::Exit);
        let since = |began: fn(&Watch) -> Duration| {
            watch.map_or(0, |watch| millis(self.now.saturating_sub(began(watch))))
        };
        let looked = Looked {
            worker,
            pid,
            why,
            item,
            phase: sight.phase,
            doing: if exits { "exiting".to_owned() } else { doing },
            since: since(|watch| watch.since),
            phase_since: since(|watch| watch.phase_since),
            limit: watch.and_then(|watch| watch.limit).map_or(0, millis),
            stacks: found.stacks,
            native: found.native,
        };
        self.tell(ToController::Looked(looked));
    }
}
