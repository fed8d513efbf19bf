//! A worker at its tests, step by step as `outpace.worker.loop` does it.

use std::time::Duration;

use outpace_model::{ItemIndex, Phase};
use outpace_protocol::{FromWorker, ToWorker};

use super::happening::Pid;
use super::process::State;
use super::simulation::World;

/// A real worker asks ahead from larger grants on only; more questions make more trouble.
const WORTH_ASKING_AHEAD: usize = 3;

impl World {
    pub(crate) fn step_with_tests(&mut self, pid: Pid) {
        match self.process(pid).state {
            State::Seeking => self.seek(pid, None),
            State::Claiming(running) => self.claim(pid, running),
            State::Asked(running) => self.take_answer(pid, running),
            State::AskedAhead(running) => self.take_answer_ahead(pid, running),
            State::Beginning(item) => {
                if self.must_wait(pid) {
                    return;
                }
                let now = self.now;
                let process = self.process(pid);
                process.begun_at = now;
                let lane = process.lane;
                let lane = self.board.lane(lane);
                lane.sequence += 1;
                lane.item = Some(item);
                self.enter(pid, Phase::Setup);
                self.send(pid, result(item, false, 0, Duration::ZERO));
                let longest = u64::try_from(self.scenario.longest.as_micros()).expect("microseconds");
                let pause = self.dice.micros(1, longest) * if self.dice.permille(50) { 30 } else { 1 };
                self.then(pid, State::Calling(item), pause);
            }
            State::Calling(item) => {
                self.enter(pid, Phase::Call);
                if self.dice.permille(300) {
                    self.send(pid, result(item, false, 0, Duration::ZERO));
                }
                if self.dice.permille(self.scenario.debugged) {
                    self.send(pid, FromWorker::WantTerminal);
                    return self.then_receive(pid, State::WaitingForTerminal(item));
                }
                self.then(pid, State::TearingDown(item), Duration::from_micros(30));
            }
            State::WaitingForTerminal(item) => self.take_terminal(pid, item),
            State::Debugging(item) => {
                self.observer.lending.left(pid);
                self.send(pid, FromWorker::LeaveTerminal);
                self.then(pid, State::TearingDown(item), Duration::from_micros(30));
            }
            State::TearingDown(item) => {
                self.enter(pid, Phase::Teardown);
                if self.process(pid).over {
                    return self.then(pid, State::Ending(item, None), Duration::from_micros(30));
                }
                self.seek(pid, Some(item));
            }
            State::Ending(item, next) => self.end_test(pid, item, next),
            State::Finishing => {
                self.enter(pid, Phase::Finish);
                self.observer.ended(pid);
                self.send(pid, FromWorker::Bye(Vec::new()));
                let pause = self.dice.micros(0, 3_000);
                self.then(pid, State::Leaving, pause);
            }
            State::Leaving => self.leave(pid),
            other => unreachable!("{other:?} comes before the tests"),
        }
    }

    /// Other messages are kept for later.
    fn take_terminal(&mut self, pid: Pid, item: ItemIndex) {
        let inbox = &mut self.process(pid).inbox;
        let Some(place) = inbox.iter().position(|message| matches!(message, ToWorker::Terminal { .. }))
        else {
            return;
        };
        let Some(ToWorker::Terminal { path, .. }) = inbox.remove(place) else { return };
        if path.is_none() {
            return self.then(pid, State::TearingDown(item), Duration::from_micros(30));
        }
        self.observer.lending.taken(pid);
        let longest = u64::try_from(self.scenario.longest.as_micros()).expect("microseconds");
        let pause = self.dice.micros(1, longest * 40);
        self.then(pid, State::Debugging(item), pause);
    }

    /// `_claim`, and the question where there is nothing to claim.
    fn seek(&mut self, pid: Pid, running: Option<ItemIndex>) {
        let process = self.process(pid);
        let lane = process.lane;
        if let Some((position, _)) = process.granted.front().copied() {
            self.board.lane(lane).position = position + 1;
            let pause = self.dice.micros(0, 300);
            return self.then(pid, State::Claiming(running), pause);
        }
        if std::mem::take(&mut process.asked_ahead) {
            return self.then_receive(pid, State::AskedAhead(running));
        }
        if process.over {
            return self.without_test(pid, running);
        }
        let position = process.position;
        self.send(pid, FromWorker::Ask { position, running: running.is_some() });
        self.then_receive(pid, State::Asked(running));
    }

    fn claim(&mut self, pid: Pid, running: Option<ItemIndex>) {
        let process = self.process(pid);
        let lane = process.lane;
        let (position, item) = process.granted.pop_front().expect("a grant to claim");
        if position < self.board.lane(lane).limit {
            let process = self.process(pid);
            process.position = position + 1;
            if process.ask_ahead_at == Some(process.granted.len()) {
                process.ask_ahead_at = None;
                process.asked_ahead = true;
                self.send(pid, FromWorker::Ahead);
            }
            self.observer.claimed(pid, item);
            let state = running.map_or(State::Beginning(item), |running| State::Ending(running, Some(item)));
            return self.then(pid, state, Duration::from_micros(20));
        }
        self.process(pid).granted.clear();
        self.board.lane(lane).position = position;
        self.seek(pid, running);
    }

    fn take_answer_ahead(&mut self, pid: Pid, running: Option<ItemIndex>) {
        if self.receive(pid) {
            self.seek(pid, running);
        }
    }

    /// `_ends_while_held`: between two tests, before the next one begins.
    fn must_wait(&mut self, pid: Pid) -> bool {
        while !self.process(pid).over && !self.process(pid).inbox.is_empty() {
            self.receive(pid);
        }
        let process = self.process(pid);
        if process.over {
            self.then(pid, State::Finishing, Duration::ZERO);
            return true;
        }
        process.held
    }

    /// Takes a message, if one has come.
    fn receive(&mut self, pid: Pid) -> bool {
        let process = self.process(pid);
        let mut message = process.inbox.pop_front();
        while let Some(ToWorker::Hold | ToWorker::Go | ToWorker::Lease { .. } | ToWorker::Terminal { .. }) =
            message
        {
            process.held = if matches!(message, Some(ToWorker::Lease { .. } | ToWorker::Terminal { .. })) {
                process.held
            } else {
                message == Some(ToWorker::Hold)
            };
            message = process.inbox.pop_front();
        }
        process.asked_ahead &= message.is_none();
        match message {
            Some(ToWorker::Grant { position, items }) => {
                process.ask_ahead_at = (items.len() >= WORTH_ASKING_AHEAD).then_some(items.len() / 2);
                process.granted.extend((position..).zip(items));
            }
            Some(ToWorker::Shutdown) => process.over = true,
            Some(_) => {}
            None => return false,
        }
        true
    }

    fn take_answer(&mut self, pid: Pid, running: Option<ItemIndex>) {
        if !self.receive(pid) {
            return;
        }
        if running.is_some() && self.process(pid).granted.is_empty() {
            return self.without_test(pid, running);
        }
        self.seek(pid, running);
    }

    fn without_test(&mut self, pid: Pid, running: Option<ItemIndex>) {
        let state = running.map_or(State::Finishing, |item| State::Ending(item, None));
        self.then(pid, state, Duration::from_micros(30));
    }

    fn end_test(&mut self, pid: Pid, item: ItemIndex, next: Option<ItemIndex>) {
        let faults = self.scenario.faults;
        let failures = u32::from(self.dice.permille(faults.failure));
        let took = self.scenario.longest / 2;
        self.observer.completed(pid, item, next);
        let maxfail = self.scenario.maxfail;
        self.enter(pid, Phase::Idle);
        let process = self.process(pid);
        let lane = process.lane;
        self.board.lane(lane).item = None;
        let process = self.process(pid);
        process.unsent = Some(result(item, true, failures, took));
        process.failures += failures;
        let enough = maxfail > 0 && process.failures >= maxfail;
        let state = if enough || self.dice.permille(faults.gives_up) {
            State::Finishing
        } else {
            next.map_or(State::Seeking, State::Beginning)
        };
        self.then(pid, state, Duration::from_micros(10));
    }

    /// The connection may end long before the process.
    fn leave(&mut self, pid: Pid) {
        if self.dice.permille(self.scenario.faults.linger) {
            self.close_connection(pid, Duration::ZERO, None);
            if self.dice.permille(500) {
                self.process(pid).hung = true;
                return;
            }
        }
        self.die(pid);
    }
}

fn result(item: ItemIndex, finished: bool, failures: u32, took: Duration) -> FromWorker {
    FromWorker::Result { item, finished, failures, duration: took.as_secs_f64(), blob: Vec::new() }
}
