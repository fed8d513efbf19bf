//! The world and its clock.

use std::collections::BTreeMap;
use std::time::Duration;

use outpace_protocol::Why;
use outpace_supervise::{Event, Found, Peer, Run, Sight};

use super::board::Board;
use super::controller::Controller;
use super::dice::Dice;
use super::happening::{Agenda, Happening, Pid};
use super::observer::Observer;
use super::process::Process;
use super::scenario::Scenario;

/// Deadlines in a row while nothing else is under way: more than any patience in the run needs.
const MANY_TICKS: u32 = 10_000;

/// A connection as the coordinator sees it.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// When the last bytes under way arrive here, and there.
    pub(crate) inbound: Duration,
    pub(crate) outbound: Duration,
    pub(crate) opened: bool,
    pub(crate) closed: bool,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) dice: Dice,
    pub(crate) now: Duration,
    pub(crate) agenda: Agenda,
    pub(crate) run: Run,
    pub(crate) board: Board,
    pub(crate) processes: BTreeMap<Pid, Process>,
    pub(crate) last_pid: Pid,
    pub(crate) connections: BTreeMap<Peer, Connection>,
    pub(crate) lanes: BTreeMap<Peer, u32>,
    /// What was last seen in each lane.
    pub(crate) seen: BTreeMap<Peer, Sight>,
    slow_lines: u32,
    pub(crate) controller: Controller,
    pub(crate) observer: Observer,
    pub(crate) quit: bool,
}

/// Runs the scenario to its end; panics where anything is not as it must be. Returns what there was to see.
pub(crate) fn simulate(scenario: &Scenario) -> Observer {
    let mut world = World {
        scenario: scenario.clone(),
        dice: Dice::new(scenario.seed),
        now: Duration::ZERO,
        agenda: Agenda::default(),
        run: Run::new(),
        board: Board::default(),
        processes: BTreeMap::new(),
        last_pid: 100,
        connections: BTreeMap::new(),
        lanes: BTreeMap::new(),
        seen: BTreeMap::new(),
        slow_lines: 0,
        controller: Controller::default(),
        observer: Observer::new(scenario),
        quit: false,
    };
    world.begin();
    while !world.quit {
        world.go_on();
    }
    world.observer
}

impl World {
    fn begin(&mut self) {
        self.open_controller();
        if let Some(at) = self.scenario.template_dies {
            self.agenda.put(at, Happening::TemplateDies);
        }
    }

    fn go_on(&mut self) {
        let mut ticks = 0;
        loop {
            match (self.agenda.next_at(), self.run.deadline()) {
                (next, Some(deadline)) if next.is_none_or(|next| deadline <= next) && ticks < MANY_TICKS => {
                    ticks += 1;
                    self.now = self.now.max(deadline);
                    self.look_at_lanes();
                    self.deliver(Event::Tick);
                }
                (Some(_), _) => break,
                (None, _) if self.look_at_lanes() => {}
                (None, _) => return self.unblock(),
            }
        }
        if let Some((at, happening)) = self.agenda.pop() {
            self.now = self.now.max(at);
            self.on(happening);
            if self.dice.permille(300) {
                self.look_at_lanes();
            }
        }
    }

    fn on(&mut self, happening: Happening) {
        match happening {
            Happening::FromController(message) => self.deliver(Event::Controller(message)),
            Happening::FromPeer(peer, message) => self.hear_peer(peer, message),
            Happening::Closed(peer, fault) => self.closed(peer, fault),
            Happening::Reaped(pid) => self.deliver(Event::Exited { pid, cause: "exit code 0".to_owned() }),
            Happening::ToController(message) => self.on_controller(&message),
            Happening::ToPeer(peer, message) => self.on_arrival(peer, message),
            Happening::TemplateReaps(pid) => self.on_template_reaps(pid),
            Happening::Step(pid, ticket) => self.on_step(pid, ticket),
            Happening::Looked(peer, why) => {
                if why == Why::Slow {
                    self.on_slow();
                }
                self.deliver(Event::Looked { peer, why, found: Found::default() });
            }
            Happening::Recalled => self.on_recalled(),
            Happening::Measured => self.on_measured(),
            Happening::TemplateDies => {
                if let Some(pid) = self.pid_of(Peer::Template) {
                    self.die(pid);
                }
            }
        }
    }

    /// It is said again and again that something is slow: after a while the user kills what hangs.
    fn on_slow(&mut self) {
        self.slow_lines += 1;
        let hung =
            self.processes.values().find(|process| process.alive && process.hung).map(|process| process.pid);
        if self.slow_lines.is_multiple_of(50)
            && let Some(pid) = hung
        {
            self.die(pid);
        }
    }

    /// Nothing is under way: only a process that hangs may be waited for, if it may hang for ever. Its user kills it.
    fn unblock(&mut self) {
        let ends = self.scenario.timeouts.test > 0 && self.scenario.limits.is_empty();
        assert!(!ends, "the run waits for what it was to end: {self:#?}");
        let hung =
            self.processes.values().find(|process| process.alive && process.hung).map(|process| process.pid);
        match hung {
            Some(pid) => self.die(pid),
            None => panic!("the run waits for nothing and is not over: {self:#?}"),
        }
    }
}
