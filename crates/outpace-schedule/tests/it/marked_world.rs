//! Workers that run marked tests: what is really running, what fixtures still hold, and what must never meet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_schedule::{Mark, Plan, Scheduler};
use proptest::prelude::*;

/// One thing that happens. `usize` picks a live worker.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The worker goes on: it starts a test, or ends one and goes on to the next.
    Advance(usize, usize),
    /// It asks for more before it has started all it has.
    Ahead(usize),
    GiveBack(usize),
    Join,
    /// The worker dies; is the item it was running to run again?
    Die(usize, bool),
}

impl Step {
    /// Nothing that was granted is lost or handed back.
    pub(crate) fn is_calm(&self) -> bool {
        !matches!(self, Self::Die(..))
    }
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_usize..8, 1_usize..5).prop_map(|(worker, max)| Step::Advance(worker, max)),
        1 => (0_usize..8).prop_map(Step::Ahead),
        1 => (0_usize..8).prop_map(Step::GiveBack),
        1 => Just(Step::Join),
        1 => (0_usize..8, any::<bool>()).prop_map(|(worker, again)| Step::Die(worker, again)),
    ]
}

#[derive(Clone, Debug, Default)]
struct Worker {
    granted: VecDeque<ItemIndex>,
    running: Option<ItemIndex>,
    /// Fixtures of earlier tests may be alive.
    is_set_up: bool,
    /// What they hold.
    lasting: BTreeMap<u32, u64>,
    has_begun: bool,
}

pub(crate) struct World {
    scheduler: Scheduler,
    plan: Plan,
    workers: BTreeMap<WorkerIndex, Worker>,
    next_worker: u32,
    ended: Vec<usize>,
    pub(crate) started: Vec<(WorkerIndex, ItemIndex)>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            scheduler: Scheduler::new(&plan),
            workers: plan.workers.iter().map(|worker| (*worker, Worker::default())).collect(),
            next_worker: u32::try_from(plan.workers.len()).expect("few"),
            ended: vec![0; plan.node_ids.len()],
            started: Vec::new(),
            plan,
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match *step {
            Step::Advance(choice, max) => {
                self.advance(self.live(choice), max);
            }
            Step::Ahead(choice) => self.ask_ahead(self.live(choice)),
            Step::GiveBack(choice) => self.give_back(self.live(choice)),
            Step::Join => self.join(),
            Step::Die(choice, again) => self.die(self.live(choice), again),
        }
        self.check();
    }

    /// Runs to the end; every item ends once.
    pub(crate) fn finish(&mut self) {
        if self.workers.is_empty() {
            self.join();
        }
        loop {
            let workers: Vec<WorkerIndex> = self.workers.keys().copied().collect();
            let mut has_moved = false;
            for worker in workers {
                has_moved |= self.advance(worker, 2);
                self.check();
            }
            if !has_moved {
                break;
            }
        }
        assert_eq!(self.scheduler.pending(), 0, "the run hangs");
        let times = if self.plan.mode == DistMode::Each { self.plan.workers.len() } else { 1 };
        assert!(self.ended.iter().all(|runs| *runs == times), "{:?}", self.ended);
    }

    fn live(&self, choice: usize) -> WorkerIndex {
        self.workers.keys().nth(choice % self.workers.len().max(1)).copied().unwrap_or(WorkerIndex(u32::MAX))
    }

    fn mark(&self, item: ItemIndex) -> Option<&Mark> {
        self.plan.marks.items.get(&item)
    }

    /// True when anything happened.
    pub(crate) fn advance(&mut self, index: WorkerIndex, max: usize) -> bool {
        let Some(worker) = self.workers.get_mut(&index) else { return false };
        let mut has_moved = false;
        let before = worker.running;
        if before.is_none() && worker.granted.is_empty() {
            worker.is_set_up = false;
            worker.lasting.clear();
            has_moved |= self.scheduler.tear_down(index);
        }
        if worker.granted.is_empty() {
            worker.granted = self.scheduler.take(index, max).into();
        }
        if before.is_none() && worker.granted.is_empty() {
            self.check_that_nothing_could_start(index);
        }
        let worker = self.workers.get_mut(&index).expect("it lives");
        let next = worker.granted.pop_front();
        // The next one is known, and its needs held, while the last one is torn down.
        self.check();
        if let Some(item) = before {
            self.ended[item.get()] += 1;
            self.scheduler.finish(index, item);
            let demands = self.mark(item).map(|mark| mark.demands.clone()).unwrap_or_default();
            let worker = self.workers.get_mut(&index).expect("it lives");
            for demand in demands.iter().filter(|demand| demand.lasting) {
                let amount = worker.lasting.entry(demand.resource).or_default();
                *amount = demand.amount.max(*amount);
            }
        }
        let worker = self.workers.get_mut(&index).expect("it lives");
        worker.running = next;
        worker.is_set_up |= next.is_some();
        worker.has_begun |= next.is_some();
        self.started.extend(next.map(|item| (index, item)));
        has_moved || before.is_some() || next.is_some()
    }

    fn ask_ahead(&mut self, index: WorkerIndex) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        if worker.granted.is_empty() {
            return;
        }
        let items = self.scheduler.take_ahead(index, 2);
        worker.granted.extend(&items);
        assert!(items.iter().all(|item| self.mark(*item).is_none()), "{items:?} are granted ahead");
    }

    fn give_back(&mut self, index: WorkerIndex) {
        if let Some(worker) = self.workers.get_mut(&index)
            && self.scheduler.is_revocable()
        {
            let items: Vec<ItemIndex> = worker.granted.drain(..).collect();
            self.scheduler.give_back(index, &items);
        }
    }

    fn join(&mut self) {
        let worker = WorkerIndex(self.next_worker);
        self.next_worker += 1;
        self.workers.insert(worker, Worker::default());
        self.scheduler.add_worker(worker);
    }

    fn die(&mut self, index: WorkerIndex, again: bool) {
        let Some(worker) = self.workers.remove(&index) else { return };
        let unstarted: Vec<ItemIndex> = worker.granted.into_iter().collect();
        self.scheduler.remove_worker(index, &unstarted);
        match worker.running {
            Some(item) if again && self.plan.mode != DistMode::Each => self.scheduler.requeue(item),
            Some(item) => self.ended[item.get()] += 1,
            None => {}
        }
        if self.plan.mode == DistMode::Each {
            self.join();
        }
    }

    fn check(&self) {
        let running = || self.workers.iter().filter_map(|(index, worker)| Some((*index, worker.running?)));
        for (index, item) in running().filter(|(_, item)| self.mark(*item).is_some_and(|mark| mark.serial)) {
            let others: Vec<_> =
                self.workers.iter().filter(|(other, worker)| **other != index && worker.is_set_up).collect();
            assert!(others.is_empty(), "{item:?} is not alone: {others:?}");
        }
        for (resource, &capacity) in (0_u32..).zip(&self.plan.marks.capacities) {
            let needs = |worker: &Worker| {
                let marks = worker.running.and_then(|item| self.mark(item)).into_iter();
                let own = marks.flat_map(|mark| &mark.demands).filter(|demand| demand.resource == resource);
                let own = own.map(|demand| demand.amount).max().unwrap_or(0);
                own.max(worker.lasting.get(&resource).copied().unwrap_or(0))
            };
            let in_use: u64 = self.workers.values().map(needs).sum();
            assert!(in_use <= capacity, "{in_use} of {capacity} of resource {resource}");
        }
        let mut units = BTreeSet::new();
        for (index, item) in running() {
            let shares = self.scheduler.shares(index, item);
            for demand in self.mark(item).iter().flat_map(|mark| &mark.demands) {
                let share = shares.iter().find(|share| share.resource == demand.resource).expect("a share");
                assert_eq!(share.units.len() as u64, demand.amount);
                for unit in &share.units {
                    assert!(units.insert((demand.resource, *unit)), "unit {unit} has two holders");
                }
            }
        }
    }

    /// An idle worker got nothing: then nothing unmarked is free, unless serial tests have their time.
    fn check_that_nothing_could_start(&self, index: WorkerIndex) {
        let held: Vec<ItemIndex> = self
            .workers
            .values()
            .flat_map(|worker| worker.granted.iter().copied().chain(worker.running))
            .collect();
        let is_open = |item: &ItemIndex| self.ended[item.get()] == 0 && !held.contains(item);
        let open: Vec<ItemIndex> =
            (0..).map(ItemIndex).take(self.plan.node_ids.len()).filter(is_open).collect();
        let is_serial = |item: &ItemIndex| self.mark(*item).is_some_and(|mark| mark.serial);
        let others = self.workers.iter().filter(|(other, _)| **other != index);
        let serial_runs = held.iter().any(is_serial);
        let serial_comes = self.plan.marks.serial_first && open.iter().any(is_serial);
        if self.plan.mode != DistMode::Load || serial_runs || serial_comes {
            return;
        }
        let set_aside = others.clone().filter(|(_, worker)| !worker.has_begun).count();
        let unmarked = open.iter().filter(|item| self.mark(**item).is_none()).count();
        assert!(unmarked <= set_aside, "{index:?} idles although {unmarked} unmarked items wait");
        let are_all_quiet = others.clone().all(|(_, worker)| !worker.is_set_up && worker.granted.is_empty());
        let resources = open.iter().filter(|item| self.mark(**item).is_some() && !is_serial(item)).count();
        assert!(resources == 0 || !are_all_quiet, "{index:?} idles although nobody holds anything");
    }
}
