//! The run: its state, and where each event goes.

use std::collections::BTreeMap;
use std::time::Duration;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_protocol::{Collection, FromController, FromWorker, Plan, ToController};
use outpace_schedule::Scheduler;

use crate::cores::Cores;
use crate::debugger::Debugging;
use crate::event::{Action, Event, Peer};
use crate::history::History;
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::recycle::Recycling;
use crate::retry::Retries;
use crate::timeline::Timeline;
use crate::watch::Watching;
use crate::worker::{Asking, Stage, Worker};

/// Lanes on the board, and so workers alive at one time.
pub const LANES: u32 = 512;

/// Where the template is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TemplateStage {
    #[default]
    Absent,
    /// Its interpreter runs; it has no input yet.
    Waiting,
    Collecting,
    /// It forks workers on demand.
    Serving,
    /// It went on as a worker.
    Worker(WorkerIndex),
    Dead,
}

/// One run of a suite.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that come independently of each other")]
pub struct Run {
    pub(crate) plan: Option<Plan>,
    pub(crate) template: TemplateStage,
    pub(crate) template_argv: Vec<String>,
    pub(crate) template_pid: Option<i32>,
    pub(crate) template_status: String,
    pub(crate) template_exit: Option<String>,
    pub(crate) template_fault: Option<String>,
    /// It was ended because it took too long.
    pub(crate) template_hung: bool,
    /// It is only alive to be looked at, at most until then.
    pub(crate) farewell: Option<Duration>,
    /// Its connection has ended.
    pub(crate) template_is_deaf: bool,
    /// The collection that item indices refer to, and its payload as received.
    pub(crate) reference: Option<(Collection, Vec<u8>)>,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) ledger: Ledger,
    pub(crate) workers: BTreeMap<WorkerIndex, Worker>,
    /// Workers are processes of their own.
    pub(crate) spawning: bool,
    /// Spawned workers wait for one another before the first test.
    pub(crate) barrier: bool,
    /// Workers that the run may grow to; 0 for no more than it begins with.
    pub(crate) may_grow_to: u32,
    /// From the start of the run to its collection.
    pub(crate) collecting_took: Duration,
    pub(crate) pool: Option<Pool>,
    pub(crate) cores: Cores,
    pub(crate) history: History,
    pub(crate) retries: Retries,
    pub(crate) recycling: Recycling,
    pub(crate) debugging: Debugging,
    /// Where one is asked for.
    pub(crate) timeline: Option<Timeline>,
    pub(crate) stopping: bool,
    pub(crate) interrupted: bool,
    pub(crate) failures: u32,
    pub(crate) finished: bool,
    pub(crate) tick_at: Option<Duration>,
    pub(crate) watching: Watching,
    pub(crate) now: Duration,
    pub(crate) actions: Vec<Action>,
}

impl Run {
    /// A run that nothing is known of yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles one event; `now` never goes backwards.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        self.now = self.now.max(now);
        match event {
            Event::Controller(message) => self.on_controller(message),
            Event::ControllerGone => self.kill_everything(),
            Event::Message(peer, message) => self.on_message(peer, message),
            Event::Closed { peer, fault, position, phase } => self.on_closed(peer, fault, position, phase),
            Event::Exited { pid, cause } => self.on_exited(pid, &cause),
            Event::Spawned(peer, pid) => self.on_spawned(peer, pid),
            Event::SpawnFailed(peer, why) => self.on_spawn_failed(peer, &why),
            Event::Revoked { worker, kept } => self.on_revoked(worker, kept),
            Event::Load(load) => self.on_load(&load),
            Event::Memory(usage) => self.on_usage(&usage),
            Event::Seen(peer, sight) => self.on_seen(peer, sight),
            Event::Looked { peer, why, found } => self.on_looked(peer, why, found),
            Event::Recalled(outcome) => self.on_recalled(outcome),
            Event::Tick => {}
        }
        self.on_deadlines();
        self.settle_cores();
        self.note_waits();
        self.finish_if_over();
        self.watch_the_addressed();
        std::mem::take(&mut self.actions)
    }

    /// When `Event::Tick` is wanted next.
    pub fn deadline(&self) -> Option<Duration> {
        let workers = self.workers.values().filter_map(|worker| worker.deadline);
        let others = [
            self.tick_at,
            self.farewell,
            self.watching.deadline(),
            self.history.deadline(),
            self.cores.deadline(self.now),
        ];
        workers.chain(others.into_iter().flatten()).min()
    }

    /// The node id of a test, for messages.
    pub fn node_id(&self, item: ItemIndex) -> Option<&str> {
        self.reference.as_ref()?.0.node_ids.get(item.get()).map(String::as_str)
    }

    pub(crate) fn mode(&self) -> DistMode {
        self.plan.as_ref().map_or(DistMode::Load, |plan| plan.mode)
    }

    /// Whether any worker may run any test, and a test may be run again.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self.mode(), DistMode::Each | DistMode::External)
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn fatal(&mut self, message: String) {
        self.tell(ToController::Fatal { message });
        self.kill_everything();
    }

    /// The worker a connection belongs to; a template that became a worker speaks on its first connection.
    pub(crate) fn worker_of(&self, peer: Peer) -> Option<WorkerIndex> {
        match (peer, self.template) {
            (Peer::Worker(worker), _) | (Peer::Template, TemplateStage::Worker(worker)) => Some(worker),
            _ => None,
        }
    }

    /// The connection of a worker.
    pub fn peer_of(&self, worker: WorkerIndex) -> Peer {
        if self.template == TemplateStage::Worker(worker) { Peer::Template } else { Peer::Worker(worker) }
    }

    pub(crate) fn free_lane(&self) -> u32 {
        let mut used: Vec<u32> = self
            .workers
            .values()
            .filter(|worker| worker.stage != Stage::Down)
            .map(|worker| worker.lane)
            .collect();
        used.sort_unstable();
        (0..LANES).find(|lane| used.binary_search(lane).is_err()).unwrap_or(LANES - 1)
    }

    fn on_controller(&mut self, message: FromController) {
        match message {
            // The runner's own business.
            FromController::Hello(_) | FromController::Memory { .. } => {}
            FromController::Template { .. } if self.stopping => self.template = TemplateStage::Dead,
            FromController::Template { argv } => {
                self.template_argv.clone_from(&argv);
                self.template = TemplateStage::Waiting;
                self.act(Action::Spawn { peer: Peer::Template, argv });
            }
            FromController::Plan(plan) => self.on_plan(plan),
            FromController::Elastic { most } => self.on_elastic(most),
            FromController::History { path, root } => self.on_history(path, root),
            FromController::Timeline { at } => self.timeline = Some(Timeline::new(at, self.now)),
            FromController::Retry { times } => self.on_retry(times),
            FromController::Worker { worker, input } => self.on_worker_announced(worker, input),
            FromController::Verdict { worker, requeue } => self.on_verdict(worker, requeue),
            FromController::Assign { worker, items } => {
                if let Some(scheduler) = &mut self.scheduler {
                    scheduler.assign(worker, &items);
                }
                self.wake_idle();
            }
            FromController::Unassign { worker, items } => {
                let items = self
                    .scheduler
                    .as_mut()
                    .map(|scheduler| scheduler.unassign(worker, &items))
                    .unwrap_or_default();
                self.tell(ToController::Unscheduled { worker, items });
            }
            FromController::Retire { worker } => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.retired = true;
                }
                self.wake_idle();
            }
            FromController::Stop { interrupt, kill } => self.stop(interrupt, kill),
            FromController::Requeue { item } => {
                // While a crash of the test is judged, the verdict says whether it runs again.
                let judged = self.workers.values().all(|worker| worker.crashed_item != Some(item));
                if !self.stopping
                    && self.is_shared()
                    && judged
                    && !self.retries.expects(item)
                    && self.ledger.again(item)
                    && let Some(scheduler) = &mut self.scheduler
                {
                    scheduler.requeue(item);
                }
                self.wake_idle();
            }
            FromController::Lent { turn, path, why, pause, .. } => self.on_lent(turn, path, why, pause),
            FromController::Done => self.act(Action::Quit),
        }
    }

    fn on_message(&mut self, peer: Peer, message: FromWorker) {
        let Some(worker) = self.worker_of(peer) else {
            return self.on_template_message(message);
        };
        if self.workers.get(&worker).is_none_or(|worker| worker.stage == Stage::Down) {
            return self.on_message_of_the_dead(&message);
        }
        match message {
            FromWorker::Hello(_)
            | FromWorker::Exited(_)
            | FromWorker::Expose(_)
            | FromWorker::Forked { .. }
            | FromWorker::Bell => {}
            FromWorker::Collected { collection, payload } => {
                self.on_worker_collected(worker, collection, payload);
            }
            FromWorker::Ready { pid, info } => self.on_ready(worker, pid, info),
            FromWorker::Result { item, finished, failures, duration, blob } => {
                if self.workers[&worker].granted.front().is_some_and(|grant| grant.item == item) {
                    self.tell(ToController::Result { worker, item, finished, duration, blob });
                    self.on_result(worker, finished, failures, duration);
                }
            }
            FromWorker::Costs { item, costs } => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.costs = Some((item, costs));
                }
            }
            FromWorker::Paid(paid) => self.on_paid(paid),
            FromWorker::Ask { position, running } => {
                self.on_ask(worker, position, if running { Asking::Running } else { Asking::Idle });
            }
            FromWorker::Ahead => self.on_ahead(worker),
            FromWorker::Acting(pid) => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.acting = pid;
                }
            }
            FromWorker::Event(blob) => self.tell(ToController::Event { worker, blob }),
            FromWorker::Status(text) => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.status = text;
                }
            }
            FromWorker::Bye(blob) => self.on_bye(worker, blob),
            FromWorker::WantTerminal => self.on_want_terminal(peer),
            FromWorker::LeaveTerminal => self.on_left_terminal(peer),
        }
    }

    /// A worker that counted as gone speaks: whatever it is, it must not run tests.
    fn on_message_of_the_dead(&mut self, message: &FromWorker) {
        if let FromWorker::Ready { pid, .. } = message {
            self.act(Action::Kill(*pid));
        }
    }
}
