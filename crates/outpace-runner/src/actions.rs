//! What the run wants done, carried out.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use outpace_os::{Pid, Signal, ask, fence, fence_registered, kill, socket_pair};
use outpace_protocol::{Decoder, ToController, ToWorker, Why};
use outpace_supervise::{Action, Event, Peer};

use crate::event_loop::Engine;
use crate::looking::look_closely;
use crate::processes;
use crate::reader::Input;

impl Engine {
    /// Carries an action out; some have an answer.
    pub(crate) fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::ToController(message) => {
                if let (ToController::Finished(_), Some(report)) = (&message, self.gauge.report()) {
                    ToController::Memory(report).encode(self.controller.out());
                }
                if matches!(message, ToController::Returned { .. }) {
                    self.lent = None;
                }
                message.encode(self.controller.out());
            }
            Action::Send(peer, message) => self.send(peer, &message),
            Action::Spawn { peer, argv } => return Some(self.spawn(peer, &argv)),
            Action::Fork { worker, lane, input } => {
                let peer = Peer::Worker(worker);
                let message = ToWorker::Fork { worker, lane, input };
                if let Err(error) = self.fork(peer, lane, &message) {
                    return Some(Event::SpawnFailed(peer, error.to_string()));
                }
            }
            Action::ResetLane(lane) => self.board.reset(lane),
            Action::Unlimit(lane) => self.board.set_limit(lane, u32::MAX),
            Action::Halt(lane) => self.board.set_limit(lane, 0),
            Action::Revoke { worker, lane } => {
                self.board.set_limit(lane, self.board.position(lane));
                if self.board.is_registered(lane) {
                    fence_registered();
                } else {
                    fence();
                }
                return Some(Event::Revoked { worker, kept: self.board.position(lane) });
            }
            Action::Interrupt(pid) => {
                let _ = kill(Pid(pid), Signal::Interrupt);
            }
            Action::Terminate(pid) => {
                let _ = kill(Pid(pid), Signal::Terminate);
            }
            Action::Look { peer, pid, why, hold } => self.look(peer, pid, why, hold),
            Action::AskToFail { peer, pid, asked } => {
                if let Some(lane) = self.lanes.get(&peer) {
                    self.board.set_asked(*lane, asked);
                    // One that cannot hear is asked again, and ended when that was in vain.
                    let _ = ask(Pid(pid));
                }
            }
            Action::Kill(pid) => processes::kill_tree(pid),
            Action::Close(peer) => {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.finish_reading();
                }
            }
            Action::Recall { path, root } => self.recall(path, PathBuf::from(root)),
            Action::Learn(observations, paid) => self.learn(observations, paid),
            Action::Quit => self.quit = true,
        }
        None
    }

    fn look(&self, peer: Peer, pid: i32, why: Why, hold: Option<u32>) {
        let (board, lane, inputs) =
            (Arc::clone(&self.board), self.lanes.get(&peer).copied(), self.to_inputs.clone());
        tokio::spawn(async move {
            let found = look_closely(pid, board, lane, why, hold).await;
            let _ = inputs.send(Input::Looked(peer, why, found));
        });
    }

    pub(crate) fn send(&mut self, peer: Peer, message: &ToWorker) {
        self.template_ends |= *message == ToWorker::Exit;
        if *message == ToWorker::Run {
            // From here on it is a worker; before, a template shares its lane with its first fork.
            self.rings.insert(peer, Decoder::default());
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        if let ToWorker::Init { lane, .. } = message {
            self.lanes.insert(peer, *lane);
            match self.board.fd().try_clone_to_owned() {
                Ok(board) => link.attach(board),
                // Without the board it cannot be a worker.
                Err(_) => link.finish_reading(),
            }
        }
        message.encode(link.out());
    }

    fn spawn(&mut self, peer: Peer, argv: &[String]) -> Event {
        let forked = self.forked_template.take_if(|_| peer == Peer::Template);
        let started = forked
            .map_or_else(
                || processes::start(argv, self.open_files),
                |template| Ok((Pid(template.pid), template.socket)),
            )
            .and_then(|(pid, socket)| Ok((pid, self.link_to(peer, socket)?)));
        match started {
            Ok((pid, link)) => {
                self.links.insert(peer, link);
                self.pids.insert(peer, pid.0);
                Event::Spawned(peer, pid.0)
            }
            Err(error) => Event::SpawnFailed(peer, error.to_string()),
        }
    }

    fn fork(&mut self, peer: Peer, lane: u32, message: &ToWorker) -> io::Result<()> {
        let (ours, theirs) = socket_pair()?;
        let link = self.link_to(peer, ours)?;
        let Some(template) = self.links.get_mut(&Peer::Template) else {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the template is gone"));
        };
        template.attach(theirs);
        message.encode(template.out());
        self.links.insert(peer, link);
        self.rings.insert(peer, Decoder::default());
        self.lanes.insert(peer, lane);
        Ok(())
    }
}
