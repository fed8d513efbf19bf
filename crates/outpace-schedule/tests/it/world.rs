//! A run around a scheduler: who holds what, what started where, and what must be true after every step.

use std::collections::{BTreeMap, VecDeque};

use outpace_model::{DistMode, WorkerIndex};
use outpace_schedule::Plan;
use proptest::prelude::*;

use crate::plans::{Calls, items};
use crate::unit_model::UnitModel;

/// One thing that happens in a run. `usize` picks a live worker.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask(usize, usize),
    /// The running item ends, the next granted one starts.
    Advance(usize),
    GiveBack(usize, usize),
    Join,
    /// The worker dies; is the item it was running to run again?
    Die(usize, bool),
    /// An item that has ended is to run once more.
    Again(usize),
}

pub(crate) fn step(requeues: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..8, 1_usize..6).prop_map(|(worker, max)| Step::Ask(worker, max)),
        6 => (0_usize..8).prop_map(Step::Advance),
        2 => (0_usize..8, 1_usize..4).prop_map(|(worker, count)| Step::GiveBack(worker, count)),
        1 => Just(Step::Join),
        1 => (0_usize..8, prop::bool::weighted(if requeues { 0.5 } else { 0.0 }))
            .prop_map(|(worker, again)| Step::Die(worker, again)),
        u32::from(requeues) => (0_usize..40).prop_map(Step::Again),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Pool,
    Held,
    Ended,
}

#[derive(Clone, Debug, Default)]
struct Worker {
    granted: VecDeque<u32>,
    running: Option<u32>,
    asked: bool,
    planned: bool,
}

pub(crate) struct World {
    calls: Calls,
    plan: Plan,
    /// A worker asks only when it has nothing left, as with late binding; else it may ask ahead.
    patient: bool,
    places: Vec<Place>,
    runs: Vec<usize>,
    expected_runs: Vec<usize>,
    requeued: Vec<bool>,
    workers: BTreeMap<u32, Worker>,
    next_worker: u32,
    started: BTreeMap<u32, Vec<u32>>,
    units: Option<UnitModel>,
}

impl World {
    pub(crate) fn new(plan: Plan, patient: bool) -> Self {
        let size = plan.node_ids.len();
        let planned = || Worker { planned: true, ..Worker::default() };
        let workers: BTreeMap<u32, Worker> =
            plan.workers.iter().map(|worker| (worker.0, planned())).collect();
        let spans = matches!(plan.mode, DistMode::Load | DistMode::WorkSteal);
        Self {
            calls: Calls::new(&plan),
            patient,
            places: vec![Place::Pool; size],
            runs: vec![0; size],
            expected_runs: vec![1; size],
            requeued: vec![false; size],
            next_worker: plan.workers.iter().map(|worker| worker.0 + 1).max().unwrap_or(0),
            workers,
            started: BTreeMap::new(),
            units: (!spans).then(|| UnitModel::new(&plan)),
            plan,
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match *step {
            Step::Ask(choice, max) => self.ask(self.live(choice), max),
            Step::Advance(choice) => self.advance(self.live(choice)),
            Step::GiveBack(choice, count) => self.give_back(self.live(choice), count),
            Step::Join => self.join(),
            Step::Die(choice, again) => self.die(self.live(choice), again),
            Step::Again(choice) => self.again(choice),
        }
        self.check();
    }

    /// Lets the live workers finish the run, and checks that every item ended as often as it should.
    pub(crate) fn finish(&mut self) {
        if self.workers.is_empty() {
            self.join();
        }
        while self.workers.values().any(|worker| worker.running.is_some() || !worker.granted.is_empty())
            || self.calls.pending() > 0
        {
            let before = (self.runs.clone(), self.places.clone(), self.started.clone());
            for worker in self.workers.keys().copied().collect::<Vec<_>>() {
                self.ask(worker, 2);
                self.advance(worker);
            }
            assert_ne!(
                before,
                (self.runs.clone(), self.places.clone(), self.started.clone()),
                "the run hangs"
            );
            self.check();
        }
        assert!(self.places.iter().all(|&place| place == Place::Ended));
        assert_eq!(self.runs, self.expected_runs);
        if self.expected_runs.iter().all(|&runs| runs == 1) && !self.requeued.contains(&true) {
            self.check_start_order();
        }
    }

    /// One of the live workers; when there are none, a worker that never was.
    fn live(&self, choice: usize) -> u32 {
        self.workers.keys().nth(choice % self.workers.len().max(1)).copied().unwrap_or(u32::MAX)
    }

    fn ask(&mut self, index: u32, max: usize) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        if self.patient && !worker.granted.is_empty() {
            return;
        }
        worker.asked = true;
        let batch = self.calls.take(index, max);
        assert!(batch.len() <= max);
        worker.granted.extend(&batch);
        for &item in &batch {
            let place = &mut self.places[item as usize];
            assert_eq!(*place, Place::Pool, "item {item} has a holder");
            *place = Place::Held;
        }
        if let Some(units) = &mut self.units {
            units.granted(index, &batch, &self.requeued, |worker| self.workers.contains_key(&worker));
        } else if self.patient && !self.requeued.contains(&true) {
            assert!(batch.is_sorted(), "{batch:?} is not in collection order");
        }
    }

    fn advance(&mut self, index: u32) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        if let Some(item) = worker.running.take() {
            self.places[item as usize] = Place::Ended;
            self.runs[item as usize] += 1;
        }
        worker.running = worker.granted.pop_front();
        self.started.entry(index).or_default().extend(worker.running);
    }

    fn give_back(&mut self, index: u32, count: usize) {
        let Some(worker) = self.workers.get_mut(&index) else { return };
        let revoked = worker.granted.split_off(worker.granted.len().saturating_sub(count));
        for &item in &revoked {
            self.places[item as usize] = Place::Pool;
        }
        self.calls.give_back(index, revoked);
    }

    fn join(&mut self) {
        self.calls.add(self.next_worker);
        self.workers.insert(self.next_worker, Worker::default());
        self.next_worker += 1;
    }

    fn die(&mut self, index: u32, again: bool) {
        let Some(worker) = self.workers.remove(&index) else { return };
        worker.granted.iter().for_each(|&item| self.places[item as usize] = Place::Pool);
        self.calls.remove(index, worker.granted);
        match worker.running {
            Some(item) if again => self.requeue(item),
            Some(item) => {
                self.places[item as usize] = Place::Ended;
                self.runs[item as usize] += 1;
            }
            None => {}
        }
    }

    fn again(&mut self, choice: usize) {
        let ended: Vec<u32> =
            (0..).zip(&self.places).filter(|(_, p)| **p == Place::Ended).map(|(item, _)| item).collect();
        if let Some(&item) = ended.get(choice % ended.len().max(1)) {
            self.expected_runs[item as usize] += 1;
            self.requeue(item);
        }
    }

    fn requeue(&mut self, item: u32) {
        self.places[item as usize] = Place::Pool;
        self.requeued[item as usize] = true;
        self.calls.requeue(item);
    }

    fn check(&self) {
        let pool: Vec<u32> = (0..)
            .zip(&self.places)
            .filter(|(_, place)| **place == Place::Pool)
            .map(|(item, _)| item)
            .collect();
        assert_eq!(self.calls.pending(), pool.len());
        for &worker in self.workers.keys() {
            let given = self.calls.0.clone().take(WorkerIndex(worker), 1);
            assert_eq!(self.calls.has_work_for(worker), !given.is_empty());
            assert!(given.iter().all(|item| items(pool.iter().copied()).contains(item)));
        }
        let unasked = self.workers.iter().filter(|(_, worker)| worker.planned && !worker.asked);
        let set_aside: Vec<u32> = unasked.map(|(&worker, _)| worker).collect();
        match &self.units {
            Some(units) => self.check_units(units, &pool, &set_aside),
            None => self.check_spans(&pool, &set_aside),
        }
    }

    /// Only the first item of a planned worker's span may keep another worker waiting.
    fn check_spans(&self, pool: &[u32], unasked: &[u32]) {
        let spans = self.plan.node_ids.len().min(self.plan.workers.len());
        let first_shares: Vec<u32> = self.plan.workers[..spans].iter().map(|worker| worker.0).collect();
        let set_aside = unasked.iter().filter(|worker| first_shares.contains(worker));
        let nobodys = pool.len() - set_aside.clone().count();
        for &worker in self.workers.keys() {
            let own = set_aside.clone().any(|&other| other == worker);
            assert_eq!(self.calls.has_work_for(worker), own || nobodys > 0, "worker {worker}");
        }
    }

    fn check_units(&self, units: &UnitModel, pool: &[u32], unasked: &[u32]) {
        let free = units
            .has_free_unit(pool, &self.requeued, unasked.len(), |worker| self.workers.contains_key(&worker));
        for &worker in self.workers.keys() {
            if free || units.has_bound_items(worker, pool, &self.requeued) {
                assert!(self.calls.has_work_for(worker), "worker {worker}");
            }
        }
    }

    /// Collection order is kept inside a unit, and by a worker that was alone.
    fn check_start_order(&self) {
        for started in self.started.values() {
            if let Some(units) = &self.units {
                units.check_order(started);
            }
            if self.next_worker == 1 && self.units.is_none() {
                assert!(started.is_sorted());
            }
        }
    }
}
