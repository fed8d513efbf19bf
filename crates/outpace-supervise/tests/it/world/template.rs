//! A process before its first test: collecting, forking, waiting to be told how to go on.

use std::time::Duration;

use outpace_model::Phase;
use outpace_protocol::{Collection, Exited, FromWorker, Hello, ToWorker};
use outpace_supervise::Peer;

use super::happening::{Happening, Pid};
use super::process::State;
use super::simulation::World;

impl World {
    pub(crate) fn step_before_tests(&mut self, pid: Pid) {
        match self.process(pid).state {
            State::Booting => {
                let hello = Hello { version: String::new(), cpu_quota: None, cpus: String::new() };
                self.send(pid, FromWorker::Hello(hello));
                self.then_receive(pid, State::AwaitingInput);
            }
            State::AwaitingInput => self.take_input(pid),
            State::Collecting => self.collect(pid),
            State::Serving => self.serve(pid),
            State::BecomingWorker => {
                let lane = self.process(pid).lane;
                let lane = self.board.lane(lane);
                (lane.sequence, lane.item, lane.answered, lane.phase) = (0, None, 0, Phase::Idle);
                self.send(pid, FromWorker::Ready { pid, info: Vec::new() });
                let pause = self.dice.micros(0, 500);
                self.then(pid, State::Seeking, pause);
            }
            other => unreachable!("{other:?} comes with the tests"),
        }
    }

    fn take_input(&mut self, pid: Pid) {
        match self.process(pid).inbox.pop_front() {
            Some(ToWorker::Init { lane, .. }) => {
                self.process(pid).lane = lane;
                self.enter(pid, Phase::Start);
                self.board.lane(lane).sequence += 1;
                let slowest = u64::try_from(self.scenario.slowest_start.as_micros()).expect("microseconds");
                let pause = self.dice.micros(100, slowest);
                self.then(pid, State::Collecting, pause);
            }
            Some(_) => self.end(pid, Duration::ZERO),
            None => {}
        }
    }

    fn collect(&mut self, pid: Pid) {
        let faults = self.scenario.faults;
        if self.dice.permille(faults.usage_error) {
            return self.then(pid, State::Finishing, Duration::ZERO);
        }
        let mut collection = Collection {
            node_ids: self.scenario.node_ids(),
            limits: self.scenario.limits.clone(),
            marks: self.scenario.marks(),
            ..Collection::default()
        };
        if self.scenario.unsafe_to_fork {
            collection.unsafe_to_fork.push("a thread runs".to_owned());
        }
        if self.process(pid).peer != Peer::Template {
            if self.dice.permille(500) {
                collection.node_ids.reverse();
            }
            if self.dice.permille(faults.different) {
                collection.node_ids.push("other.py::t".to_owned());
            }
        }
        let payload = collection.encode_payload();
        self.send(pid, FromWorker::Collected { collection, payload });
        self.then_receive(pid, State::Serving);
    }

    fn serve(&mut self, pid: Pid) {
        let Some(message) = self.process(pid).inbox.pop_front() else { return };
        match message {
            ToWorker::Fork { worker, lane, .. } => {
                if self.dice.permille(self.scenario.faults.spawn) {
                    self.agenda.put(self.now, Happening::Closed(Peer::Worker(worker), None));
                    self.send(pid, FromWorker::Forked { worker, outcome: Err("no memory".to_owned()) });
                } else {
                    let child =
                        self.start_process(Peer::Worker(worker), State::BecomingWorker, Some(pid), lane);
                    self.send(pid, FromWorker::Forked { worker, outcome: Ok(child) });
                }
            }
            ToWorker::Run => return self.then(pid, State::BecomingWorker, Duration::from_micros(20)),
            ToWorker::Shutdown => return self.then(pid, State::Finishing, Duration::ZERO),
            ToWorker::Exit => return self.end(pid, Duration::ZERO),
            ToWorker::Init { .. }
            | ToWorker::Isolate(_)
            | ToWorker::Grant { .. }
            | ToWorker::Lease { .. }
            | ToWorker::Nothing
            | ToWorker::Reference(_)
            | ToWorker::Hold
            | ToWorker::Terminal { .. }
            | ToWorker::Go => {}
        }
        self.then_receive(pid, State::Serving);
    }

    pub(crate) fn on_template_reaps(&mut self, pid: Pid) {
        let Some(parent) = self.process(pid).parent else { return };
        let template = self.process(parent);
        // One that hangs leaves its zombies until it dies.
        if template.alive && !template.hung {
            self.process(pid).parent = None;
            self.send(parent, FromWorker::Exited(Exited { pid, status: 0 }));
        }
    }

    /// Forks die with their template; those that are dead already are the coordinator's to reap.
    pub(crate) fn orphan_children_of(&mut self, parent: Pid) {
        let children: Vec<Pid> = self
            .processes
            .values()
            .filter(|process| process.parent == Some(parent))
            .map(|process| process.pid)
            .collect();
        for child in children {
            self.process(child).parent = None;
            if self.process(child).alive {
                self.die(child);
            } else {
                let at = self.now + self.dice.micros(0, 2_000);
                self.agenda.put(at, Happening::Reaped(child));
            }
        }
    }
}
