//! What must be true of a run, whatever happens: the book kept from outside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_protocol::{Down, Finished, FromController, FromWorker, ToController, ToWorker};
use outpace_supervise::{Action, Event, Peer};

use super::happening::Pid;
use super::holdings::Holdings;
use super::lending::Lending;
use super::overlap::Overlap;
use super::scenario::Scenario;

/// What became of one test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Runs asked for beyond the first.
    pub(crate) again: u32,
    pub(crate) finished: u32,
    pub(crate) crashed: u32,
    pub(crate) reopened: u32,
    pub(crate) interrupted: u32,
}

impl Record {
    pub(crate) fn closed(&self) -> u32 {
        self.finished + self.crashed + self.interrupted - self.reopened
    }
}

#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) mode: DistMode,
    maxfail: u32,
    failures: u32,
    /// How often a failed test runs again, how often each did, and which are still to.
    retries: u32,
    retried: BTreeMap<ItemIndex, u32>,
    to_retry: VecDeque<ItemIndex>,
    /// Workers in the middle of a test that has failed.
    failing: BTreeMap<WorkerIndex, bool>,
    pub(crate) stopped: bool,
    pub(crate) records: Vec<Record>,
    pub(crate) holdings: Holdings,
    /// Truth: which processes have claimed a test and not ended it.
    claims: BTreeSet<(ItemIndex, Pid)>,
    pub(crate) overlap: Overlap,
    pub(crate) lending: Lending,
    ready: BTreeSet<WorkerIndex>,
    pub(crate) down: BTreeSet<WorkerIndex>,
    unjudged: BTreeMap<WorkerIndex, Option<ItemIndex>>,
    /// How many workers the tests were scheduled for, in `each`.
    pub(crate) first_wave: Option<u32>,
    /// The time told last, and until when each worker is known to have waited.
    at: u64,
    waited: BTreeMap<WorkerIndex, u64>,
    pub(crate) finished: Option<Finished>,
    pub(crate) fatal: bool,
}

impl Observer {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            mode: scenario.mode,
            maxfail: scenario.maxfail,
            failures: 0,
            retries: scenario.retries,
            retried: BTreeMap::new(),
            to_retry: VecDeque::new(),
            failing: BTreeMap::new(),
            stopped: false,
            records: vec![Record::default(); scenario.items as usize],
            holdings: Holdings::new(scenario),
            claims: BTreeSet::new(),
            overlap: Overlap::new(scenario),
            lending: Lending::default(),
            at: 0,
            waited: BTreeMap::new(),
            ready: BTreeSet::new(),
            down: BTreeSet::new(),
            unjudged: BTreeMap::new(),
            first_wave: None,
            finished: None,
            fatal: false,
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self.mode, DistMode::Each | DistMode::External)
    }

    /// How often a test is to run.
    pub(crate) fn wanted(&self, item: ItemIndex) -> u32 {
        let times = if self.mode == DistMode::Each { self.first_wave.unwrap_or(1).max(1) } else { 1 };
        times + self.records[item.get()].again
    }

    // -- what processes really do

    pub(crate) fn claimed(&mut self, pid: Pid, item: ItemIndex) {
        assert!(!self.stopped, "{item:?} starts after the stop");
        if self.is_shared() {
            let other = self.claims.iter().find(|(claimed, _)| *claimed == item);
            assert_eq!(other, None, "{item:?} starts in {pid} too");
        }
        self.claims.insert((item, pid));
        self.overlap.starts(pid, item);
    }

    pub(crate) fn completed(&mut self, pid: Pid, item: ItemIndex, next: Option<ItemIndex>) {
        self.claims.remove(&(item, pid));
        self.overlap.ends(pid, item, next.is_none());
    }

    /// The process, or its session, ends.
    pub(crate) fn ended(&mut self, pid: Pid) {
        self.claims.retain(|(_, holder)| *holder != pid);
        self.overlap.dies(pid);
        self.lending.left(pid);
    }

    // -- what the run hears

    pub(crate) fn before(&mut self, event: &Event, now: Duration) {
        self.holdings.now = now;
        if let Event::Controller(message) = event {
            self.lending.heard(message);
        }
        match event {
            Event::Controller(FromController::Stop { .. }) => self.stopped = true,
            Event::Controller(FromController::Verdict { worker, requeue }) => {
                let crashed = self.unjudged.remove(worker).flatten();
                if let Some(item) = crashed
                    && *requeue
                    && !self.stopped
                    && self.is_shared()
                {
                    self.records[item.get()].reopened += 1;
                }
                if let Some(item) = crashed.filter(|_| !*requeue && !self.stopped && self.is_shared()) {
                    self.try_again(item);
                }
            }
            Event::Controller(FromController::Requeue { item }) => self.on_requeue(*item),
            Event::Message(Peer::Worker(worker), message) => self.on_message(*worker, message, now),
            // Only a template that became a worker has messages that count here, as the first one.
            Event::Message(Peer::Template, message) => self.on_message(WorkerIndex(0), message, now),
            Event::Revoked { worker, kept } => self.holdings.cut(*worker, *kept),
            _ => {}
        }
    }

    fn on_requeue(&mut self, item: ItemIndex) {
        let wanted = self.records.get(item.get()).map(|_| self.wanted(item));
        if let Some(record) = self.records.get_mut(item.get())
            && !self.stopped
            && self.finished.is_none()
            && self.unjudged.values().all(|crashed| *crashed != Some(item))
            && !self.to_retry.contains(&item)
            && !matches!(self.mode, DistMode::Each | DistMode::External)
            && wanted == Some(record.closed())
        {
            record.again += 1;
        }
    }

    fn on_message(&mut self, worker: WorkerIndex, message: &FromWorker, now: Duration) {
        if self.down.contains(&worker) {
            return;
        }
        match message {
            FromWorker::Ask { position, running } => {
                self.holdings.cut(worker, *position);
                self.holdings.asks(worker, *running, now);
            }
            FromWorker::Result { item, finished, failures, .. } => {
                self.holdings.result(worker, *item, *finished, now);
                self.count(worker, *item, *finished, *failures);
                self.stopped |= self.maxfail > 0 && self.failures >= self.maxfail;
            }
            FromWorker::Bye(_) => self.holdings.leaves(worker),
            _ => {}
        }
    }

    /// A failure that is to be tried again counts when it was.
    fn count(&mut self, worker: WorkerIndex, item: ItemIndex, finished: bool, failures: u32) {
        let failed = self.failing.remove(&worker).unwrap_or(false) || failures > 0;
        let used = self.retried.get(&item).copied().unwrap_or(0);
        if self.stopped || !self.is_shared() || used >= self.retries {
            self.failures += failures;
        } else if !finished {
            self.failing.insert(worker, failed);
        } else if failed {
            *self.retried.entry(item).or_default() += 1;
            self.to_retry.push_back(item);
        }
    }

    /// A crash is a failure, where it is not undone.
    fn try_again(&mut self, item: ItemIndex) {
        let used = self.retried.entry(item).or_default();
        if *used < self.retries {
            *used += 1;
            self.to_retry.push_back(item);
        }
    }

    // -- what the run says

    pub(crate) fn after(&mut self, actions: &[Action]) {
        let starts =
            |action: &&Action| matches!(action, Action::Fork { .. } | Action::Send(_, ToWorker::Run));
        let wave = u32::try_from(actions.iter().filter(starts).count()).expect("small");
        if self.first_wave.is_none() && wave > 0 {
            self.first_wave = Some(wave);
        }
        for action in actions {
            match action {
                Action::ToController(message) => self.told(message),
                Action::Fork { worker, .. } => self.holdings.starts(*worker),
                Action::Send(peer, message) => self.sent(*peer, message),
                _ => {}
            }
        }
        if self.lending.settle() {
            self.holdings.go_on();
        }
    }

    fn sent(&mut self, peer: Peer, message: &ToWorker) {
        let worker = if let Peer::Worker(worker) = peer { worker } else { WorkerIndex(0) };
        match message {
            ToWorker::Run => self.holdings.starts(worker),
            ToWorker::Grant { position, items } => {
                assert!(!self.stopped, "{worker} is granted {items:?} after the stop");
                assert!(!self.lending.must_wait(worker), "{worker} is granted {items:?} and is to wait");
                for item in items {
                    let open = self.wanted(*item) > self.records[item.get()].closed();
                    assert!(open || !self.is_shared(), "{item:?} is granted though it has its record");
                }
                self.holdings.granted(worker, *position, items, self.is_shared());
            }
            ToWorker::Nothing | ToWorker::Shutdown => self.holdings.answered(worker),
            _ => {}
        }
    }

    fn told(&mut self, message: &ToController) {
        let silent = matches!(message, ToController::Unscheduled { .. });
        assert!(silent || self.finished.is_none(), "{message:?} comes after the end");
        self.lending.told(message);
        match message {
            ToController::Ready { worker, .. } => {
                assert!(!self.down.contains(worker), "{worker} is ready although it is down");
                self.ready.insert(*worker);
            }
            ToController::Result { worker, item, finished, .. } => {
                assert!(self.ready.contains(worker), "{worker} has results and was never ready");
                assert!(!self.down.contains(worker), "{worker} has results although it is down");
                self.records[item.get()].finished += u32::from(*finished);
            }
            ToController::Bye { worker, .. } | ToController::Event { worker, .. } => {
                assert!(!self.down.contains(worker), "{worker} speaks although it is down");
            }
            ToController::Grow { why: None, .. } if self.ready.difference(&self.down).next().is_none() => {
                let item = self.to_retry.pop_front().expect("a test to run again");
                self.records[item.get()].reopened += 1;
            }
            ToController::Down(down) => self.on_down(down),
            ToController::Finished(finished) => self.on_finished(finished),
            ToController::Fatal { .. } => self.fatal = true,
            ToController::At { at } => {
                assert!(*at >= self.at, "time goes backwards");
                self.at = *at;
            }
            ToController::Waited(waited) => {
                let before = self.waited.insert(waited.worker, self.at).unwrap_or(0);
                assert!(self.at - waited.micros >= before, "{waited:?} overlaps the wait before it");
            }
            _ => {}
        }
    }

    fn on_down(&mut self, down: &Down) {
        assert!(self.down.insert(down.worker), "{} is down twice", down.worker);
        self.holdings.drop_worker(down.worker);
        if let Some(item) = down.item {
            let record = &mut self.records[item.get()];
            *if down.crashed { &mut record.crashed } else { &mut record.interrupted } += 1;
        }
        if down.crashed {
            self.unjudged.insert(down.worker, down.item);
        }
    }

    fn on_finished(&mut self, finished: &Finished) {
        assert_eq!(self.unjudged, BTreeMap::new(), "a crash has no verdict");
        let alive: Vec<_> = self.ready.difference(&self.down).collect();
        assert!(alive.is_empty(), "{alive:?} are not down");
        assert!(self.claims.is_empty(), "{:?} are still running", self.claims);
        assert!(self.stopped || self.to_retry.is_empty(), "{:?} were to run again", self.to_retry);
        self.finished = Some(finished.clone());
    }

    // -- the end

    /// Every scheduled execution has exactly one record, and the coordinator's book says the same.
    pub(crate) fn check_records(&self) {
        if self.fatal {
            return;
        }
        let finished = self.finished.as_ref().expect("the run says that it is finished");
        let sum = |count: fn(&Record) -> u32| self.records.iter().map(count).sum::<u32>();
        let done = sum(|record| record.finished + record.crashed - record.reopened);
        assert_eq!(finished.done, done, "tests with a record");
        assert_eq!(
            finished.interrupted.len(),
            sum(|record| record.interrupted) as usize,
            "interrupted tests"
        );
        let not_run: BTreeSet<ItemIndex> = finished.not_run.iter().copied().collect();
        assert_eq!(not_run.len(), finished.not_run.len(), "a test is listed twice");
        if self.first_wave.is_none() && not_run.is_empty() {
            assert_eq!(done, 0, "nothing was started");
            return;
        }
        for (item, record) in (0..).map(ItemIndex).zip(&self.records) {
            let (wanted, closed) = (self.wanted(item), record.closed());
            assert_eq!(closed < wanted, not_run.contains(&item), "{item:?}: {record:?}, wanted {wanted}");
            if self.mode != DistMode::External {
                assert!(closed <= wanted, "{item:?} has too many records: {record:?}, wanted {wanted}");
            }
        }
    }

    pub(crate) fn ran_too_little(&self) -> bool {
        self.fatal || self.finished.as_ref().is_none_or(|finished| !finished.not_run.is_empty())
    }
}
