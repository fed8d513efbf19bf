//! The loop itself: what the kernel says becomes events. What is done about them is in `actions`.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use outpace_model::Phase;
use outpace_os::{
    Board, Pid, Terminal, become_subreaper, from_wait_status, raise_open_files, reap, usable_cpus,
};
use outpace_protocol::{Decoder, FromController, FromWorker, Hello, ProtocolError, ToController};
use outpace_supervise::{Event, LANES, Peer, Run};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;

use crate::forward::Forwards;
use crate::history::Historian;
use crate::link::Link;
use crate::load::{self, Meter};
use crate::looking::Lookout;
use crate::memory::{self, Gauge};
use crate::processes::{self, ForkedTemplate};
use crate::reader::Input;
use crate::sleepers::Sleepers;

/// Why the coordinator could not do its work at all.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// The kernel refused something the run cannot do without.
    #[error("{what}: {source}")]
    Os {
        /// What was wanted.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Whoever is at the other end of the socket does not speak the protocol.
    #[error("the controller {0}")]
    Controller(String),
}

fn os(what: &'static str) -> impl FnOnce(io::Error) -> RunnerError {
    move |source| RunnerError::Os { what, source }
}

/// Runs the coordinator on a connected socket until the run is over or the controller is gone.
///
/// `version` is this binary's; a controller of another version is refused with a message. `template` is the template,
/// if it is there already.
pub fn serve(
    controller: OwnedFd,
    template: Option<ForkedTemplate>,
    version: &str,
) -> Result<(), RunnerError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(os("the event loop could not be made"))?;
    runtime.block_on(async {
        let mut engine = Engine::new(controller, template, version)?;
        engine.run().await
    })
}

/// How often rings are looked at although nobody asked: what a test says is seen that soon.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Bytes kept for a controller that is busy, before workers have to wait for it.
const MOST_BACKLOG: usize = 16 << 20;

fn decode_all(decoder: &mut Decoder, messages: &mut Vec<FromWorker>) -> Result<(), ProtocolError> {
    while let Some(frame) = decoder.next_frame()? {
        messages.push(FromWorker::decode(frame)?);
    }
    Ok(())
}

pub(crate) struct Engine {
    pub(crate) run: Run,
    pub(crate) started: Instant,
    pub(crate) board: Arc<Board>,
    pub(crate) controller: Link,
    /// Whether the controller keeps up. While it does not, nobody else is read: rings and sockets fill, and workers wait.
    room: watch::Sender<bool>,
    pub(crate) links: BTreeMap<Peer, Link>,
    /// What came out of each worker's ring, up to the last whole message.
    pub(crate) rings: BTreeMap<Peer, Decoder>,
    pub(crate) lanes: BTreeMap<Peer, u32>,
    pub(crate) lookout: Lookout,
    pub(crate) forwards: Forwards,
    pub(crate) pids: BTreeMap<Peer, i32>,
    pub(crate) forked_template: Option<ForkedTemplate>,
    pub(crate) historian: Historian,
    /// Made when it is first read.
    pub(crate) meter: Option<Meter>,
    pub(crate) sleepers: Sleepers,
    pub(crate) gauge: Gauge,
    pub(crate) inputs: UnboundedReceiver<Input>,
    pub(crate) to_inputs: UnboundedSender<Input>,
    pub(crate) version: String,
    pub(crate) open_files: u64,
    /// The template was told that nothing more is to be forked; it runs its own exit handlers now.
    pub(crate) template_ends: bool,
    pub(crate) quit: bool,
    /// The terminal, while a process has it that is not the controller.
    pub(crate) lent: Option<Terminal>,
    /// Why the controller's connection was given up, when it did not simply end.
    pub(crate) controller_fault: Option<String>,
}

impl Engine {
    fn new(
        controller: OwnedFd,
        forked_template: Option<ForkedTemplate>,
        version: &str,
    ) -> Result<Self, RunnerError> {
        become_subreaper().map_err(os("orphans of tests cannot be adopted"))?;
        let (to_inputs, inputs) = mpsc::unbounded_channel();
        let (open_files, _) = raise_open_files();
        Ok(Self {
            run: Run::new(),
            started: Instant::now(),
            board: Arc::new(Board::new(LANES).map_err(os("no shared memory for the board"))?),
            controller: Link::to_controller(controller, &to_inputs).map_err(os("the controller's socket"))?,
            room: watch::Sender::new(true),
            links: BTreeMap::new(),
            rings: BTreeMap::new(),
            lanes: BTreeMap::new(),
            lookout: Lookout::default(),
            forwards: Forwards::default(),
            pids: BTreeMap::new(),
            forked_template,
            historian: Historian::default(),
            meter: None,
            sleepers: Sleepers::default(),
            gauge: Gauge::default(),
            inputs,
            to_inputs,
            version: version.to_owned(),
            open_files,
            template_ends: false,
            quit: false,
            lent: None,
            controller_fault: None,
        })
    }

    async fn run(&mut self) -> Result<(), RunnerError> {
        let mut children = signal(SignalKind::child()).map_err(os("SIGCHLD"))?;
        // Ctrl-C is the controller's to answer; it tells us what to do.
        let mut interrupt = signal(SignalKind::interrupt()).map_err(os("SIGINT"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(os("SIGTERM"))?;
        let mut looked = Instant::now();
        let mut watched = Instant::now();
        let mut measured = Instant::now();
        let mut weighed = Instant::now();
        while !self.quit {
            let deadline = self.run.deadline().map(|at| self.started + at);
            let look = (!self.rings.is_empty()).then(|| looked + LOOK_EVERY);
            let watch = self.run.watch_every().map(|every| watched + every);
            let measure = self.run.is_elastic().then(|| measured + load::EVERY);
            let weigh = self.run.has_workers().then(|| weighed + memory::EVERY);
            // Where rings are looked at, lanes are looked at beside them: no time of its own.
            let quiet_watch = watch.filter(|_| look.is_none());
            let timer = deadline.into_iter().chain(look).chain(quiet_watch).chain(measure).chain(weigh).min();
            let wait = async {
                match timer {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                input = self.inputs.recv() => self.take_inputs(input),
                _ = children.recv() => self.reap_children(),
                () = wait => {
                    let now = Instant::now();
                    if look.is_some_and(|at| at <= now) {
                        looked = now;
                        self.read_rings();
                    }
                    // Also before anything is done because its time has come: it may be over.
                    if watch.is_some_and(|at| at <= now) || deadline.is_some_and(|at| at <= now) {
                        watched = now;
                        self.look_at_lanes();
                    }
                    if weigh.is_some_and(|at| at <= now) {
                        weighed = now;
                        self.weigh();
                    }
                    if measure.is_some_and(|at| at <= now) {
                        measured = now;
                        self.measure();
                    }
                    self.handle(Event::Tick);
                }
                _ = interrupt.recv() => {}
                _ = terminate.recv() => self.on_terminate(),
            }
            self.flush();
        }
        self.leave();
        self.controller_fault.take().map_or(Ok(()), |fault| Err(RunnerError::Controller(fault)))
    }

    fn take_inputs(&mut self, first: Option<Input>) {
        let mut next = first;
        while let Some(input) = next {
            self.take_input(input);
            next = self.inputs.try_recv().ok();
        }
    }

    fn take_input(&mut self, input: Input) {
        match input {
            Input::FromController(messages) => {
                for message in messages {
                    self.on_controller(message);
                }
            }
            Input::FromPeer(peer, messages, fds) => {
                if *self.room.borrow() {
                    self.read_ring(peer);
                }
                let mut fds = fds.into_iter();
                for message in messages {
                    if let FromWorker::Expose(target) = &message {
                        self.forwards.add(peer, fds.next(), target);
                    } else if self.links.contains_key(&peer) {
                        self.on_peer(peer, message);
                    }
                }
            }
            Input::ControllerClosed(fault) => {
                self.controller_fault = fault;
                self.take_terminal_back();
                self.handle(Event::ControllerGone);
            }
            Input::Looked(peer, why, found) => self.handle(Event::Looked { peer, why, found }),
            Input::Recalled(outcome) => self.recalled(outcome),
            Input::PeerClosed(peer, fault) => {
                self.read_ring(peer);
                self.closed(peer, fault);
            }
            Input::Writable(None) => self.controller.on_writable(),
            Input::Writable(Some(peer)) => {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.on_writable();
                }
            }
        }
    }

    fn on_controller(&mut self, message: FromController) {
        if let FromController::Hello(hello) = &message {
            let answer = if hello.version == self.version {
                let cpus = usable_cpus();
                ToController::Welcome(Hello {
                    version: self.version.clone(),
                    cpu_quota: cpus.quota.and_then(|_| u32::try_from(cpus.count).ok()),
                    cpus: cpus.why,
                })
            } else {
                ToController::Fatal {
                    message: format!(
                        "the outpace binary is version {}, the Python package is version {}: \
                         reinstall outpace so that both come from one wheel",
                        self.version, hello.version
                    ),
                }
            };
            answer.encode(self.controller.out());
        }
        if let FromController::Memory { limit, report } = message {
            self.gauge.set(limit, report);
        }
        if let FromController::Lent { path: Some(path), group, .. } = &message {
            self.lent = Terminal::remember(Path::new(path), Pid(*group)).ok();
        }
        let adopts = self.forked_template.is_some();
        self.handle(Event::Controller(message));
        if adopts {
            // It may have ended before we heard signals.
            self.reap_children();
        }
    }

    fn on_peer(&mut self, peer: Peer, message: FromWorker) {
        match message {
            FromWorker::Exited(exited) => {
                let cause = self.cause(exited.pid, from_wait_status(exited.status));
                self.handle(Event::Exited { pid: exited.pid, cause });
            }
            FromWorker::Hello(hello) if hello.version != self.version => {
                let fault = format!("is outpace {}, expected {}", hello.version, self.version);
                self.closed(peer, Some(fault));
            }
            message => {
                if matches!(message, FromWorker::Bye(_)) {
                    self.weigh_before_the_end(peer);
                }
                let is_ready = matches!(message, FromWorker::Ready { .. });
                self.handle(Event::Message(peer, message));
                if is_ready {
                    self.weigh_at_the_beginning(peer);
                }
            }
        }
    }

    pub(crate) fn link_to(&self, peer: Peer, socket: OwnedFd) -> io::Result<Link> {
        Link::to_peer(peer, socket, self.room.subscribe(), &self.to_inputs)
    }

    fn read_rings(&mut self) {
        if !*self.room.borrow() {
            return;
        }
        let peers: Vec<Peer> = self.rings.keys().copied().collect();
        for peer in peers {
            self.read_ring(peer);
        }
    }

    /// Handles what a worker has put into its ring: everything it reports before it next speaks on its socket.
    fn read_ring(&mut self, peer: Peer) {
        let (Some(decoder), Some(lane)) = (self.rings.get_mut(&peer), self.lanes.get(&peer)) else { return };
        let mut messages = Vec::new();
        let mut bytes = Vec::new();
        let fault = match self.board.drain(*lane, &mut bytes) {
            Ok(0) => return,
            Ok(_) => {
                decoder.feed(&bytes);
                decode_all(decoder, &mut messages).err().map(|error| error.to_string())
            }
            Err(error) => Some(error.to_string()),
        };
        for message in messages {
            self.on_peer(peer, message);
        }
        if let Some(fault) = fault {
            self.closed(peer, Some(format!("reported bytes that are not outpace's protocol: {fault}")));
        }
    }

    fn look_at_lanes(&mut self) {
        if self.run.watch_every().is_none() {
            return;
        }
        let peers: Vec<Peer> = self.links.keys().copied().collect();
        for peer in peers {
            if let Some(lane) = self.lanes.get(&peer)
                && let Some(sight) = self.lookout.look(peer, &self.board, *lane)
            {
                self.handle(Event::Seen(peer, sight));
            }
        }
    }

    fn closed(&mut self, peer: Peer, fault: Option<String>) {
        self.links.remove(&peer);
        self.rings.remove(&peer);
        self.lookout.forget(peer);
        self.forwards.end(peer);
        let lane = self.lanes.get(&peer).copied();
        let position = lane.map_or(0, |lane| self.board.position(lane));
        let phase = lane.map_or(Phase::Idle, |lane| self.board.phase(lane));
        self.handle(Event::Closed { peer, fault, position, phase });
    }

    fn reap_children(&mut self) {
        for (pid, exit) in reap() {
            let cause = self.cause(pid.0, exit);
            self.handle(Event::Exited { pid: pid.0, cause });
        }
    }

    /// SIGTERM to the coordinator alone ends the run as Ctrl-C does.
    fn on_terminate(&mut self) {
        self.handle(Event::Controller(FromController::Stop { interrupt: true, kill: false }));
    }

    /// The controller is gone while a worker has its terminal: nobody else would put that right.
    fn take_terminal_back(&mut self) {
        if let Some(terminal) = self.lent.take() {
            let _ = terminal.restore();
        }
    }

    pub(crate) fn handle(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let actions = self.run.handle(event, self.started.elapsed());
            for action in actions {
                if let Some(answer) = self.act(action) {
                    events.push(answer);
                }
            }
        }
    }

    fn flush(&mut self) {
        self.controller.flush();
        let has_room = self.controller.backlog() < MOST_BACKLOG;
        self.room.send_if_modified(|is_there| std::mem::replace(is_there, has_room) != has_room);
        for link in self.links.values_mut() {
            if !link.is_drained() {
                link.flush();
            }
        }
    }

    /// Lets the template end by itself, then makes sure that nothing of the run is left.
    fn leave(&mut self) {
        if let Some(pid) = self.pids.get(&Peer::Template).filter(|_| self.template_ends) {
            processes::wait_for(*pid, Duration::from_secs(5));
        }
        processes::leave_none();
        self.historian.finish();
    }
}
