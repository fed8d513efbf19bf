//! The rules of the modes behind one face.

use outpace_model::{DistMode, ItemIndex, WorkerIndex};

use crate::own_queues::OwnQueues;
use crate::plan::Plan;
use crate::spans::Spans;
use crate::timed::Timed;
use crate::units::Units;

#[derive(Clone, Debug)]
pub(crate) enum Rules {
    Spans(Spans),
    Timed(Box<Timed>),
    Units(Units),
    Each(OwnQueues),
    External(OwnQueues),
}

impl Rules {
    pub(crate) fn new(plan: &Plan) -> Self {
        match plan.mode {
            DistMode::Load => match Timed::new(plan) {
                Some(timed) => Self::Timed(Box::new(timed)),
                None => Self::Spans(Spans::new(plan)),
            },
            DistMode::WorkSteal => Self::Spans(Spans::new(plan)),
            DistMode::LoadScope | DistMode::LoadFile | DistMode::LoadGroup => Self::Units(Units::new(plan)),
            DistMode::Each => Self::Each(OwnQueues::each(plan)),
            DistMode::External => Self::External(OwnQueues::external(plan)),
        }
    }

    pub(crate) fn add_worker(&mut self, worker: WorkerIndex) {
        match self {
            Self::Spans(spans) => spans.add_worker(worker),
            Self::Timed(timed) => timed.add_worker(worker),
            Self::Units(units) => units.add_worker(worker),
            Self::Each(queues) | Self::External(queues) => queues.add_worker(worker),
        }
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        match self {
            Self::Spans(spans) => spans.remove_worker(worker, unstarted),
            Self::Timed(timed) => timed.remove_worker(worker, unstarted),
            Self::Units(units) => units.remove_worker(worker, unstarted),
            Self::Each(queues) | Self::External(queues) => queues.remove_worker(worker, unstarted),
        }
    }

    /// The worker is busy with something else: what is set aside for it is anybody's.
    pub(crate) fn share_first(&mut self, worker: WorkerIndex) {
        match self {
            Self::Spans(spans) => spans.share_first(worker),
            Self::Timed(timed) => timed.share_first(worker),
            Self::Units(units) => units.share_first(worker),
            Self::Each(_) | Self::External(_) => {}
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        match self {
            Self::Spans(spans) => spans.take(worker, max),
            Self::Timed(timed) => timed.take(worker, max),
            Self::Units(units) => units.take(worker, max),
            Self::Each(queues) | Self::External(queues) => queues.take(worker, max),
        }
    }

    pub(crate) fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        match self {
            Self::Spans(spans) => spans.give_back(worker, items),
            Self::Timed(timed) => timed.give_back(worker, items),
            Self::Units(units) => units.give_back(worker, items),
            Self::Each(queues) | Self::External(queues) => queues.give_back(worker, items),
        }
    }

    pub(crate) fn requeue(&mut self, item: ItemIndex) {
        match self {
            Self::Spans(spans) => spans.requeue(item),
            Self::Timed(timed) => timed.requeue(item),
            Self::Units(units) => units.requeue(item),
            Self::Each(_) | Self::External(_) => {}
        }
    }

    pub(crate) fn is_revocable(&self) -> bool {
        matches!(self, Self::Spans(_) | Self::Timed(_))
    }

    pub(crate) fn pending(&self) -> usize {
        match self {
            Self::Spans(spans) => spans.pending(),
            Self::Timed(timed) => timed.pending(),
            Self::Units(units) => units.pending(),
            Self::Each(queues) | Self::External(queues) => queues.pending(),
        }
    }

    pub(crate) fn has_work_for(&self, worker: WorkerIndex) -> bool {
        match self {
            Self::Spans(spans) => spans.has_work_for(worker),
            Self::Timed(timed) => timed.has_work_for(worker),
            Self::Units(units) => units.has_work_for(worker),
            Self::Each(queues) | Self::External(queues) => queues.has_work_for(worker),
        }
    }
}
