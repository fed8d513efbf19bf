//! A template or worker process: its state, its life and its end. What it does is in `template` and `testing`.

use std::collections::VecDeque;
use std::time::Duration;

use outpace_model::{ItemIndex, Phase};
use outpace_protocol::{FromWorker, ToWorker};
use outpace_supervise::Peer;

use super::happening::{Happening, Pid};
use super::simulation::World;

/// What a process does at its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Booting,
    AwaitingInput,
    Collecting,
    Serving,
    /// About to say that it can take tests.
    BecomingWorker,
    /// Between tests.
    Seeking,
    /// Has stored the position of a grant and not looked at the limit yet; the test that is torn down meanwhile.
    Claiming(Option<ItemIndex>),
    /// Has asked; the test that is torn down meanwhile.
    Asked(Option<ItemIndex>),
    /// Waits for the answer to what it asked ahead; the test that is torn down meanwhile.
    AskedAhead(Option<ItemIndex>),
    Beginning(ItemIndex),
    Calling(ItemIndex),
    /// Has asked for the terminal, and waits for it.
    WaitingForTerminal(ItemIndex),
    /// In the debugger.
    Debugging(ItemIndex),
    TearingDown(ItemIndex),
    /// The test ends; the next one is claimed, or there is none.
    Ending(ItemIndex, Option<ItemIndex>),
    Finishing,
    Leaving,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that come independently of each other")]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) peer: Peer,
    /// The template that forked it and has not reaped it.
    pub(crate) parent: Option<Pid>,
    pub(crate) lane: u32,
    pub(crate) alive: bool,
    pub(crate) hung: bool,
    /// Its end of the connection is open.
    pub(crate) connected: bool,
    pub(crate) state: State,
    pub(crate) inbox: VecDeque<ToWorker>,
    pub(crate) granted: VecDeque<(u32, ItemIndex)>,
    pub(crate) position: u32,
    /// With so many tests left it asks for more.
    pub(crate) ask_ahead_at: Option<usize>,
    pub(crate) asked_ahead: bool,
    pub(crate) over: bool,
    /// It is to start no test.
    pub(crate) held: bool,
    pub(crate) failures: u32,
    /// A result that leaves with the next message.
    pub(crate) unsent: Option<FromWorker>,
    pub(crate) ticket: u32,
    /// When the test it runs began.
    pub(crate) begun_at: Duration,
}

impl World {
    pub(crate) fn start_process(&mut self, peer: Peer, state: State, parent: Option<Pid>, lane: u32) -> Pid {
        self.last_pid += 1;
        let process = Process {
            pid: self.last_pid,
            peer,
            parent,
            lane,
            alive: true,
            hung: false,
            connected: true,
            state,
            inbox: VecDeque::new(),
            granted: VecDeque::new(),
            position: 0,
            ask_ahead_at: None,
            asked_ahead: false,
            over: false,
            held: false,
            failures: 0,
            unsent: None,
            ticket: 0,
            begun_at: Duration::ZERO,
        };
        self.processes.insert(self.last_pid, process);
        let pause = self.dice.micros(100, 5_000);
        self.step_after(self.last_pid, pause);
        self.last_pid
    }

    pub(crate) fn process(&mut self, pid: Pid) -> &mut Process {
        self.processes.get_mut(&pid).expect("processes are never forgotten")
    }

    pub(crate) fn step_after(&mut self, pid: Pid, pause: Duration) {
        let at = self.now + pause;
        let process = self.process(pid);
        process.ticket += 1;
        let ticket = process.ticket;
        self.agenda.put(at, Happening::Step(pid, ticket));
    }

    /// Goes on in this state after this time.
    pub(crate) fn then(&mut self, pid: Pid, state: State, pause: Duration) {
        self.process(pid).state = state;
        self.step_after(pid, pause);
    }

    /// Goes on in this state when a message is there.
    pub(crate) fn then_receive(&mut self, pid: Pid, state: State) {
        let process = self.process(pid);
        process.state = state;
        if !process.inbox.is_empty() {
            self.step_after(pid, Duration::from_micros(20));
        }
    }

    pub(crate) fn on_step(&mut self, pid: Pid, ticket: u32) {
        let process = self.process(pid);
        if !process.alive || process.hung || process.ticket != ticket {
            return;
        }
        let faults = self.scenario.faults;
        if self.dice.permille(faults.crash) {
            return self.die(pid);
        }
        // Whoever sits at the terminal ends a debugger that does not answer.
        let is_looked_at =
            matches!(self.process(pid).state, State::WaitingForTerminal(_) | State::Debugging(_));
        if !is_looked_at && self.dice.permille(faults.hang) {
            self.process(pid).hung = true;
            return;
        }
        if self.dice.permille(faults.garbage) {
            self.close_connection(pid, Duration::ZERO, Some("sent bytes that are not outpace's protocol"));
        }
        match self.process(pid).state {
            State::Booting
            | State::AwaitingInput
            | State::Collecting
            | State::Serving
            | State::BecomingWorker => self.step_before_tests(pid),
            _ => self.step_with_tests(pid),
        }
    }

    /// A message has come for a process that may be waiting for it.
    pub(crate) fn on_arrival(&mut self, peer: Peer, message: ToWorker) {
        let Some(pid) = self.pid_of(peer).filter(|pid| self.processes[pid].alive) else {
            return self.lose(&message);
        };
        let process = self.process(pid);
        process.inbox.push_back(message);
        if matches!(
            process.state,
            State::AwaitingInput
                | State::Serving
                | State::Asked(_)
                | State::AskedAhead(_)
                | State::WaitingForTerminal(_)
        ) || (matches!(process.state, State::Beginning(_)) && process.held)
        {
            self.step_after(pid, Duration::from_micros(20));
        }
    }

    /// A message that nobody will read; the descriptor that came with it is closed.
    fn lose(&mut self, message: &ToWorker) {
        if let ToWorker::Fork { worker, .. } = message {
            self.agenda.put(self.now, Happening::Closed(Peer::Worker(*worker), None));
        }
    }

    pub(crate) fn pid_of(&self, peer: Peer) -> Option<Pid> {
        self.processes.values().find(|process| process.peer == peer).map(|process| process.pid)
    }

    pub(crate) fn enter(&mut self, pid: Pid, phase: Phase) {
        let lane = self.process(pid).lane;
        self.board.lane(lane).phase = phase;
    }

    /// Dies on its own or by a signal; what it left behind may hold its connection open.
    pub(crate) fn die(&mut self, pid: Pid) {
        let lingers = self.dice.permille(self.scenario.faults.linger);
        let pause = if lingers { self.dice.micros(0, 3_000_000) } else { self.dice.micros(0, 2_000) };
        self.end(pid, pause);
    }

    /// Ends the process now, and its connection after a pause.
    pub(crate) fn end(&mut self, pid: Pid, pause: Duration) {
        let process = self.process(pid);
        if !process.alive {
            return;
        }
        process.alive = false;
        let (parent, inbox) = (process.parent, std::mem::take(&mut process.inbox));
        self.observer.ended(pid);
        self.close_connection(pid, pause, None);
        for message in &inbox {
            self.lose(message);
        }
        let at = self.now + self.dice.micros(0, 2_000);
        match parent {
            Some(_) => self.agenda.put(at, Happening::TemplateReaps(pid)),
            None => self.agenda.put(at, Happening::Reaped(pid)),
        }
        self.orphan_children_of(pid);
    }

    pub(crate) fn close_connection(&mut self, pid: Pid, pause: Duration, fault: Option<&str>) {
        let process = self.process(pid);
        if !std::mem::replace(&mut process.connected, false) {
            return;
        }
        let peer = process.peer;
        let at = self.connections.entry(peer).or_default().inbound.max(self.now + pause);
        self.agenda.put(at, Happening::Closed(peer, fault.map(str::to_owned)));
    }

    /// SIGINT: the session finishes; a running test ends without a result.
    pub(crate) fn interrupt(&mut self, pid: Pid) {
        let deaf = self.dice.permille(self.scenario.faults.deaf);
        let process = self.process(pid);
        if !process.alive || deaf {
            return;
        }
        match process.state {
            State::Booting | State::AwaitingInput => self.die(pid),
            State::Leaving => {}
            _ => {
                process.hung = false;
                self.then(pid, State::Finishing, Duration::from_micros(50));
            }
        }
    }

    /// Asked to let fail what it is at: it does, where it can, and goes on.
    pub(crate) fn ask_to_fail(&mut self, pid: Pid, asked: u32) {
        let stubborn = self.dice.permille(self.scenario.faults.stubborn);
        let process = self.process(pid);
        let (lane, state) = (process.lane, process.state);
        if !process.alive || stubborn || self.board.lane(lane).sequence + 1 != asked {
            return;
        }
        let next = match state {
            State::Collecting => State::Collecting,
            State::Calling(item) => State::TearingDown(item),
            _ => return,
        };
        self.board.lane(lane).answered = asked;
        self.process(pid).hung = false;
        self.then(pid, next, Duration::from_micros(50));
    }

    /// SIGTERM.
    pub(crate) fn terminate(&mut self, pid: Pid) {
        let deaf = self.dice.permille(self.scenario.faults.deaf);
        if self.process(pid).alive && !deaf {
            self.die(pid);
        }
    }

    /// Writes to the coordinator: what was held back first.
    pub(crate) fn send(&mut self, pid: Pid, message: FromWorker) {
        let process = self.process(pid);
        let unsent = process.unsent.take();
        let (connected, peer) = (process.connected, process.peer);
        if !connected {
            return;
        }
        let slowest = if self.dice.permille(30) { 20_000 } else { 1_000 };
        let arrival = self.now + self.dice.micros(10, slowest);
        let connection = self.connections.entry(peer).or_default();
        connection.inbound = connection.inbound.max(arrival);
        let at = connection.inbound;
        for message in unsent.into_iter().chain([message]) {
            self.agenda.put(at, Happening::FromPeer(peer, message));
        }
    }
}
