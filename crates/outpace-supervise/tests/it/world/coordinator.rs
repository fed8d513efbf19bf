//! The event loop around the run, as `outpace-runner` has it.

use std::collections::{HashMap, HashSet};

use outpace_model::{Expected, Phase};
use outpace_protocol::{FromWorker, ToWorker};
use outpace_supervise::{Action, Event, Peer, Recollection};

use super::happening::{Happening, Pid};
use super::process::State;
use super::simulation::World;

impl World {
    pub(crate) fn hear_peer(&mut self, peer: Peer, message: FromWorker) {
        if self.connections.get(&peer).is_none_or(|connection| connection.closed) {
            return;
        }
        self.deliver(match message {
            FromWorker::Exited(exited) => Event::Exited { pid: exited.pid, cause: "exit code 0".to_owned() },
            message => Event::Message(peer, message),
        });
    }

    pub(crate) fn closed(&mut self, peer: Peer, fault: Option<String>) {
        let connection = self.connections.entry(peer).or_default();
        if !connection.opened || std::mem::replace(&mut connection.closed, true) {
            return;
        }
        let lane = self.lanes.get(&peer).map(|lane| *self.board.lane(*lane));
        let (position, phase) = lane.map_or((0, Phase::Idle), |lane| (lane.position, lane.phase));
        self.deliver(Event::Closed { peer, fault, position, phase });
    }

    pub(crate) fn deliver(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            self.observer.before(&event, self.now);
            let actions = self.run.handle(event, self.now);
            self.observer.after(&actions);
            for action in actions {
                events.extend(self.act(action));
            }
        }
        self.observer.check_nobody_idles(self.now, &mut self.board, &self.lanes);
    }

    /// Of most tests something is known, and it may be wrong.
    pub(crate) fn on_recalled(&mut self) {
        if self.dice.permille(100) {
            return self.deliver(Event::Recalled(Err("it is damaged".to_owned())));
        }
        let (mut tests, mut unsteady) = (HashMap::new(), HashSet::new());
        for node_id in self.scenario.node_ids() {
            let wall = self.dice.micros(0, 3_000_000).as_secs_f32();
            if self.dice.permille(800) {
                let share = if self.dice.permille(300) { 0.9 } else { 0.05 };
                if self.dice.permille(100) {
                    unsteady.insert(node_id.clone());
                }
                tests.insert(node_id, Expected { wall, cpu: wall * share });
            }
        }
        let room = u32::try_from(self.dice.below(20)).expect("small");
        let known = Recollection { tests, unsteady, cores: 2.0, room, ..Recollection::default() };
        self.deliver(Event::Recalled(Ok(known)));
    }

    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::ToController(message) => self.tell_controller(message),
            Action::Send(peer, message) => self.send_to(peer, message),
            Action::Spawn { peer, .. } => return Some(self.spawn(peer)),
            Action::Fork { worker, lane, input } => {
                let peer = Peer::Worker(worker);
                if self.connections.get(&Peer::Template).is_none_or(|template| template.closed) {
                    return Some(Event::SpawnFailed(peer, "the template is gone".to_owned()));
                }
                self.connections.entry(peer).or_default().opened = true;
                self.lanes.insert(peer, lane);
                self.send_to(Peer::Template, ToWorker::Fork { worker, lane, input });
            }
            Action::ResetLane(lane) => self.board.reset(lane),
            Action::Unlimit(lane) => self.board.lane(lane).limit = u32::MAX,
            Action::Halt(lane) => self.board.lane(lane).limit = 0,
            Action::Revoke { worker, lane } => {
                let lane = self.board.lane(lane);
                lane.limit = lane.position;
                return Some(Event::Revoked { worker, kept: lane.position });
            }
            Action::Look { peer, why, .. } => {
                let at = self.now + self.dice.micros(5_000, 500_000);
                self.agenda.put(at, Happening::Looked(peer, why));
            }
            Action::AskToFail { pid, asked, .. } => {
                self.check_too_long(pid, asked);
                self.ask_to_fail(pid, asked);
            }
            Action::Terminate(pid) => self.terminate(pid),
            Action::Interrupt(pid) => self.interrupt(pid),
            Action::Kill(pid) => self.kill(pid),
            Action::Close(peer) => {
                let connection = self.connections.entry(peer).or_default();
                let at = connection.inbound.max(self.now);
                self.agenda.put(at, Happening::Closed(peer, None));
            }
            Action::Recall { .. } => {
                let at = self.now + self.dice.micros(0, 150_000);
                self.agenda.put(at, Happening::Recalled);
            }
            Action::Learn(observations, _) => {
                let items = self.scenario.items;
                assert!(observations.iter().all(|each| each.item.0 < items), "lessons of tests there are");
            }
            Action::Quit => self.quit = true,
        }
        None
    }

    /// What is asked to fail has had its time.
    fn check_too_long(&mut self, pid: Pid, asked: u32) {
        let process = self.process(pid);
        let (lane, begun_at) = (process.lane, process.begun_at);
        let lane = self.board.lane(lane);
        if let Some(item) = lane.item
            && lane.sequence + 1 == asked
        {
            let limit = self.scenario.limit_of(item).expect("a test without a limit is left alone");
            assert!(begun_at + limit <= self.now, "{item:?} is to end before its time");
        }
    }

    /// Lanes are looked at now and then, and before anything is done because its time has come.
    pub(crate) fn look_at_lanes(&mut self) -> bool {
        if self.run.watch_every().is_none() {
            return false;
        }
        let mut news = false;
        for (peer, lane) in self.lanes.clone() {
            let sight = self.board.lane(lane).sight();
            let open = self.connections.get(&peer).is_some_and(|connection| !connection.closed);
            if open && self.seen.insert(peer, sight) != Some(sight) {
                news = true;
                self.deliver(Event::Seen(peer, sight));
            }
        }
        news
    }

    fn spawn(&mut self, peer: Peer) -> Event {
        if self.dice.permille(self.scenario.faults.spawn) {
            return Event::SpawnFailed(peer, "no more processes".to_owned());
        }
        self.connections.entry(peer).or_default().opened = true;
        Event::Spawned(peer, self.start_process(peer, State::Booting, None, 0))
    }

    fn send_to(&mut self, peer: Peer, message: ToWorker) {
        if let ToWorker::Init { lane, .. } = message {
            self.lanes.insert(peer, lane);
        }
        let arrival = self.now + self.dice.micros(10, 1_000);
        let Some(connection) = self.connections.get_mut(&peer).filter(|connection| !connection.closed) else {
            return;
        };
        connection.outbound = connection.outbound.max(arrival);
        self.agenda.put(connection.outbound, Happening::ToPeer(peer, message));
    }

    /// SIGKILL to the whole group: nothing keeps the connection open, but what left the group.
    fn kill(&mut self, pid: Pid) {
        let pause = self.dice.micros(0, 100);
        if self.process(pid).alive {
            self.end(pid, pause);
        } else if self.dice.permille(500) {
            let peer = self.process(pid).peer;
            self.agenda.put(self.now.max(self.connections[&peer].inbound), Happening::Closed(peer, None));
        }
    }
}
