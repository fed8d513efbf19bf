//! From the first message to the first test: the template, its collection, fork or spawn.

use outpace_model::{DistMode, WorkerIndex};
use outpace_protocol::{Collection, FromWorker, Plan, StartMethod, Started, ToController, ToWorker};
use outpace_schedule::Scheduler;

use crate::event::{Action, Peer};
use crate::ledger::Ledger;
use crate::run::{Run, TemplateStage};
use crate::worker::{Stage, Worker};

impl Run {
    /// The controller lets a worker exist: part of the plan, or a replacement.
    pub(crate) fn on_worker_announced(&mut self, index: WorkerIndex, input: Vec<u8>) {
        if self.workers.contains_key(&index) || self.finished {
            return;
        }
        let lane = self.free_lane();
        let is_first = self.workers.is_empty();
        self.workers.insert(index, Worker::new(input.clone(), lane));
        if self.stopping {
            // The end of the run tells the controller that it was not wanted any more.
            self.workers.entry(index).and_modify(|worker| worker.stage = Stage::Down);
            return;
        }
        self.retry_announced();
        self.recycled_announced();
        if self.comes_too_late() {
            self.workers.entry(index).and_modify(|worker| worker.stage = Stage::Down);
            return;
        }
        self.act(Action::ResetLane(lane));
        if is_first {
            self.template = TemplateStage::Collecting;
            self.act(Action::Send(Peer::Template, ToWorker::Init { lane, input }));
        } else if self.scheduler.is_some() {
            if let Some(scheduler) = &mut self.scheduler {
                scheduler.add_worker(index);
            }
            self.launch(index);
        } else if self.spawning {
            self.launch(index);
        }
    }

    /// What the run is to be: the collection may have come before.
    pub(crate) fn on_plan(&mut self, plan: Plan) {
        let spawn = plan.start_method == StartMethod::Spawn;
        self.watching.set_times(plan.timeouts);
        self.plan = Some(plan);
        if spawn && !self.stopping {
            self.spawning = true;
            let others: Vec<WorkerIndex> = self.workers.keys().copied().skip(1).collect();
            for index in others {
                self.launch(index);
            }
        }
        self.begin();
        self.refresh(Peer::Template);
    }

    /// Brings an announced worker to life.
    pub(crate) fn launch(&mut self, index: WorkerIndex) {
        let can_fork = self.can_fork();
        let argv = self.template_argv.clone();
        let Some(worker) = self.workers.get_mut(&index) else { return };
        worker.stage = Stage::Starting;
        worker.active_at = self.now;
        worker.forked = can_fork;
        self.forget_sight(Peer::Worker(index));
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let (lane, input) = (worker.lane, std::mem::take(&mut worker.input));
        if can_fork {
            self.act(Action::Fork { worker: index, lane, input });
        } else {
            let peer = Peer::Worker(index);
            self.act(Action::Spawn { peer, argv });
            if let Some((collection, _)) = self.reference.as_ref().filter(|it| !it.0.isolate.is_empty()) {
                let text = collection.isolate.clone();
                self.act(Action::Send(peer, ToWorker::Isolate(text)));
            }
            self.act(Action::Send(peer, ToWorker::Init { lane, input }));
        }
        self.refresh(Peer::Worker(index));
    }

    pub(crate) fn can_fork(&self) -> bool {
        !self.spawning && self.template == TemplateStage::Serving && self.template_lives()
    }

    fn template_lives(&self) -> bool {
        self.template != TemplateStage::Dead && !self.template_is_deaf && self.template_exit.is_none()
    }

    pub(crate) fn on_spawned(&mut self, peer: Peer, pid: i32) {
        match peer {
            Peer::Template => self.template_pid = Some(pid),
            Peer::Worker(index) => {
                if let Some(worker) = self.workers.get_mut(&index) {
                    worker.pid = Some(pid);
                }
            }
        }
    }

    pub(crate) fn on_spawn_failed(&mut self, peer: Peer, why: &str) {
        match peer {
            Peer::Template => self.fatal(format!("the test process could not be started: {why}")),
            Peer::Worker(index) => self.never_lived(index, format!("could not be started: {why}")),
        }
    }

    pub(crate) fn on_template_message(&mut self, message: FromWorker) {
        if self.template == TemplateStage::Dead || self.template_is_deaf {
            return;
        }
        let first = self.workers.keys().next().copied().unwrap_or(WorkerIndex(0));
        match message {
            FromWorker::Collected { collection, payload } => {
                self.tell(ToController::Collected { worker: first, payload: payload.clone() });
                self.collecting_took = self.now;
                self.watching.set_limits(&collection.limits);
                self.reference = Some((collection, payload));
                self.begin();
            }
            FromWorker::Event(blob) => self.tell(ToController::Event { worker: first, blob }),
            FromWorker::Status(text) => self.template_status = text,
            FromWorker::Bye(blob) => self.on_template_bye(first, blob),
            FromWorker::Paid(paid) => self.on_paid(paid),
            FromWorker::WantTerminal => self.on_want_terminal(Peer::Template),
            FromWorker::LeaveTerminal => self.on_left_terminal(Peer::Template),
            FromWorker::Forked { worker, outcome: Ok(pid) } => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.pid = Some(pid);
                }
            }
            FromWorker::Forked { worker, outcome: Err(why) } => {
                self.never_lived(worker, format!("could not be forked: {why}"));
            }
            FromWorker::Hello(_)
            | FromWorker::Acting(_)
            | FromWorker::Ahead
            | FromWorker::Bell
            | FromWorker::Expose(_)
            | FromWorker::Exited(_)
            | FromWorker::Ready { .. }
            | FromWorker::Result { .. }
            | FromWorker::Costs { .. }
            | FromWorker::Ask { .. } => {}
        }
    }

    /// The session ended before its tests could run: a usage error, `pytest.exit`, an internal error.
    fn on_template_bye(&mut self, first: WorkerIndex, blob: Vec<u8>) {
        if self.template == TemplateStage::Collecting {
            self.promote_template(first);
            self.on_bye(first, blob);
            self.stopping = true;
            self.end_workers_now();
        }
    }

    fn promote_template(&mut self, first: WorkerIndex) {
        self.template = TemplateStage::Worker(first);
        if let Some(worker) = self.workers.get_mut(&first) {
            worker.is_template = true;
            worker.pid = self.template_pid;
            worker.exit.clone_from(&self.template_exit);
            worker.input.clear();
            worker.stage = Stage::Starting;
        }
    }

    fn choose_method(&mut self, first: WorkerIndex, wanted: StartMethod, mut reasons: Vec<String>) {
        let usable = self.template_lives();
        self.spawning = match wanted {
            StartMethod::Fork => false,
            StartMethod::Spawn => true,
            StartMethod::Auto => !reasons.is_empty(),
        };
        if !usable {
            self.spawning = true;
            reasons.push("the process that collected the tests died".to_owned());
        }
        let method = if self.spawning { StartMethod::Spawn } else { StartMethod::Fork };
        self.tell(ToController::Started(Started { method, reasons }));
        if !usable {
            self.template = TemplateStage::Dead;
        } else if self.spawning {
            self.promote_template(first);
            if let Some(worker) = self.workers.get_mut(&first) {
                worker.stage = Stage::Collected;
            }
        } else {
            self.template = TemplateStage::Serving;
        }
    }

    /// Once plan and reference collection are known, starts the workers that have something to do.
    pub(crate) fn begin(&mut self) {
        if self.plan.is_none() || self.reference.is_none() || self.finished || self.waits_for_history() {
            return;
        }
        let (Some(plan), Some((collection, _))) = (&self.plan, &self.reference) else { return };
        let (wanted, reasons) = (plan.start_method, collection.unsafe_to_fork.clone());
        if self.stopping {
            return self.end_workers_now();
        }
        let first = self.workers.keys().next().copied().unwrap_or(WorkerIndex(0));
        self.choose_method(first, wanted, reasons);
        let useful = self.useful_workers();
        if self.spawning {
            self.barrier = true;
            for index in useful {
                if self.workers[&index].stage == Stage::Announced {
                    self.launch(index);
                }
            }
            self.compare_early();
            self.pass_barrier();
        } else {
            self.make_scheduler(&useful);
            self.make_pool(useful.len());
            for index in useful {
                self.launch(index);
            }
        }
    }

    /// Not more workers than tests, but always one: its session writes what plugins write at the end.
    fn useful_workers(&self) -> Vec<WorkerIndex> {
        let items = self.reference.as_ref().map_or(0, |(collection, _)| collection.node_ids.len());
        let limit = match self.mode() {
            DistMode::Each | DistMode::External => usize::MAX,
            _ => items.max(1),
        };
        self.workers
            .iter()
            .filter(|(_, worker)| worker.stage != Stage::Down)
            .map(|(index, _)| *index)
            .take(limit)
            .collect()
    }

    fn make_scheduler(&mut self, workers: &[WorkerIndex]) {
        let expected = self.expect();
        let marks = self.marks();
        let Some((collection, _)) = &self.reference else { return };
        let mode = self.mode();
        let plan = outpace_schedule::Plan {
            mode,
            node_ids: collection.node_ids.clone(),
            groups: collection.groups.clone(),
            workers: workers.to_vec(),
            reorder: self.plan.as_ref().is_none_or(|plan| plan.reorder),
            marks,
            expected,
        };
        let times = if mode == DistMode::Each { u32::try_from(workers.len()).unwrap_or(1).max(1) } else { 1 };
        self.ledger = Ledger::new(collection.node_ids.len(), times);
        self.scheduler = Some(Scheduler::new(&plan));
    }

    /// A spawned worker collected.
    pub(crate) fn on_worker_collected(&mut self, index: WorkerIndex, theirs: Collection, payload: Vec<u8>) {
        let Some(worker) = self.workers.get_mut(&index).filter(|worker| worker.stage == Stage::Starting)
        else {
            return;
        };
        if self.barrier || self.scheduler.is_some() {
            self.compare(index, &theirs, payload);
        } else {
            worker.early = Some((theirs, payload));
        }
    }

    /// Those that were quicker than the process whose collection all are compared with.
    fn compare_early(&mut self) {
        let indices: Vec<WorkerIndex> = self.workers.keys().copied().collect();
        for index in indices {
            let worker = self.workers.get_mut(&index).filter(|worker| worker.stage == Stage::Starting);
            if let Some((theirs, payload)) = worker.and_then(|worker| worker.early.take()) {
                self.compare(index, &theirs, payload);
            }
        }
    }

    fn compare(&mut self, index: WorkerIndex, theirs: &Collection, payload: Vec<u8>) {
        self.tell(ToController::Collected { worker: index, payload });
        let Some((ours, reference)) = &self.reference else { return };
        let same_order = ours.node_ids == theirs.node_ids;
        let same_tests = same_order || sorted(&ours.node_ids) == sorted(&theirs.node_ids);
        let reorder = (!same_order).then(|| reference.clone());
        let peer = self.peer_of(index);
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.stage = Stage::Collected;
        }
        if !same_tests {
            return self.on_different(index);
        }
        if let Some(payload) = reorder {
            self.act(Action::Send(peer, ToWorker::Reference(payload)));
        }
        if self.barrier {
            self.pass_barrier();
        } else {
            self.send_run(index);
        }
    }

    fn on_different(&mut self, index: WorkerIndex) {
        self.tell(ToController::Different { workers: vec![index] });
        if self.barrier {
            self.stopping = true;
            self.end_workers_now();
        } else {
            self.act(Action::Send(self.peer_of(index), ToWorker::Shutdown));
            if let Some(worker) = self.workers.get_mut(&index) {
                worker.stage = Stage::Finishing;
            }
        }
    }

    /// Lets spawned workers go once all that still live have collected the same tests.
    pub(crate) fn pass_barrier(&mut self) {
        let waiting = self.workers.values().any(|worker| worker.stage == Stage::Starting || worker.unjudged);
        if !self.barrier || waiting || self.reference.is_none() {
            return;
        }
        self.barrier = false;
        let collected: Vec<WorkerIndex> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.stage == Stage::Collected)
            .map(|(index, _)| *index)
            .collect();
        self.make_scheduler(&collected);
        self.make_pool(collected.len());
        for index in collected {
            self.send_run(index);
        }
    }

    fn send_run(&mut self, index: WorkerIndex) {
        let peer = self.peer_of(index);
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.stage = Stage::Starting;
        }
        self.act(Action::Send(peer, ToWorker::Run));
    }

    pub(crate) fn on_ready(&mut self, index: WorkerIndex, pid: i32, info: Vec<u8>) {
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.pid = Some(pid);
            worker.status.clear();
            if worker.stage == Stage::Starting {
                worker.stage = Stage::Active;
            }
        }
        self.tell(ToController::Ready { worker: index, info });
    }
}

fn sorted(ids: &[String]) -> Vec<&str> {
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids
}
