//! Plans in a few words, and calls in plain numbers.

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_schedule::{Plan, Scheduler};

/// A plan over these node ids for workers 0, 1, ….
pub(crate) fn plan<S: Into<String>>(
    mode: DistMode,
    node_ids: impl IntoIterator<Item = S>,
    workers: u32,
) -> Plan {
    Plan {
        mode,
        node_ids: node_ids.into_iter().map(Into::into).collect(),
        groups: Vec::new(),
        workers: (0..workers).map(WorkerIndex).collect(),
        reorder: true,
        marks: outpace_schedule::Marks::default(),
        expected: Vec::new(),
    }
}

/// Node ids of files `f0.py`, `f1.py`, … with that many tests each.
pub(crate) fn files(sizes: &[usize]) -> Vec<String> {
    let tests =
        |(file, &size): (usize, &usize)| (0..size).map(move |test| format!("f{file}.py::test_{test}"));
    sizes.iter().enumerate().flat_map(tests).collect()
}

pub(crate) fn items(numbers: impl IntoIterator<Item = u32>) -> Vec<ItemIndex> {
    numbers.into_iter().map(ItemIndex).collect()
}

/// A scheduler called with plain numbers.
pub(crate) struct Calls(pub(crate) Scheduler);

impl Calls {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self(Scheduler::new(plan))
    }

    pub(crate) fn take(&mut self, worker: u32, max: usize) -> Vec<u32> {
        let promised = self.has_work_for(worker);
        let taken: Vec<u32> = self.0.take(WorkerIndex(worker), max).into_iter().map(|item| item.0).collect();
        assert_eq!(promised, !taken.is_empty(), "has_work_for and take agree");
        taken
    }

    /// Everything this worker can get when nobody else asks.
    pub(crate) fn take_all(&mut self, worker: u32) -> Vec<u32> {
        let mut taken = Vec::new();
        while self.has_work_for(worker) {
            taken.extend(self.take(worker, 1));
        }
        taken
    }

    pub(crate) fn add(&mut self, worker: u32) {
        self.0.add_worker(WorkerIndex(worker));
    }

    pub(crate) fn remove(&mut self, worker: u32, unstarted: impl IntoIterator<Item = u32>) {
        self.0.remove_worker(WorkerIndex(worker), &items(unstarted));
    }

    pub(crate) fn give_back(&mut self, worker: u32, numbers: impl IntoIterator<Item = u32>) {
        self.0.give_back(WorkerIndex(worker), &items(numbers));
    }

    pub(crate) fn requeue(&mut self, item: u32) {
        self.0.requeue(ItemIndex(item));
    }

    pub(crate) fn assign(&mut self, worker: u32, numbers: impl IntoIterator<Item = u32>) {
        self.0.assign(WorkerIndex(worker), &items(numbers));
    }

    pub(crate) fn unassign(&mut self, worker: u32, numbers: impl IntoIterator<Item = u32>) -> Vec<u32> {
        self.0.unassign(WorkerIndex(worker), &items(numbers)).into_iter().map(|item| item.0).collect()
    }

    pub(crate) fn has_work_for(&self, worker: u32) -> bool {
        self.0.has_work_for(WorkerIndex(worker))
    }

    pub(crate) fn pending(&self) -> usize {
        self.0.pending()
    }
}
