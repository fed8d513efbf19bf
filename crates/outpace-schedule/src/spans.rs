//! `load` and `worksteal`: every worker works through a span of the collection.
//!
//! For `worksteal` the collection is cut into one span per planned worker. For `load` it is cut into many, each a share
//! of what is left after those before it (guided self-scheduling, Polychronopoulos and Kuck 1987), so that the run
//! goes through the collection from front to back and each worker sees it in order. A worker takes from the front of
//! its span; when that is empty it takes the next span without a worker, else it steals the front half of the
//! largest span left, so that both go on in collection order. Cuts prefer file boundaries, so that tests of one file stay together.
//!
//! The first item of each planned worker's span is set aside for that worker (two trivial tests use two workers even
//! if one worker is quicker to ask). Everything else can be taken by any worker, so no worker waits while it is there.

use std::collections::{BTreeMap, VecDeque};
use std::iter;
use std::ops::Range;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};

use crate::files::{Files, tolerance};
use crate::plan::{Plan, number};
use crate::runs::Runs;

#[derive(Clone, Debug, Default)]
struct Span {
    /// The item that only this worker may take.
    first: Option<ItemIndex>,
    queue: Runs,
}

/// The scheduler of the span modes.
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    files: Files,
    by_worker: BTreeMap<WorkerIndex, Span>,
    /// Items asked for again: any worker takes them before its span.
    again: Runs,
    /// Spans without a worker, in the order to take them; none is empty.
    orphans: VecDeque<Runs>,
    /// How many items any worker could take: all but the ones set aside.
    shared: usize,
    set_aside: usize,
}

impl Spans {
    pub(crate) fn new(plan: &Plan) -> Self {
        let files = Files::new(&plan.node_ids);
        let mut by_worker: BTreeMap<_, _> =
            plan.workers.iter().map(|&worker| (worker, Span::default())).collect();
        let items = plan.node_ids.len();
        let cuts = match plan.mode {
            DistMode::Load => guided_cuts(items, by_worker.len(), &files),
            _ => even_cuts(items, by_worker.len(), &files),
        };
        let mut spans = cuts.windows(2).map(|ends| ends[0]..ends[1]);
        for worker in &plan.workers {
            let Some(span) = by_worker.get_mut(worker).filter(|span| span.first.is_none()) else { continue };
            let Some(Range { start, end }) = spans.next() else { break };
            *span = Span { first: Some(ItemIndex(start)), queue: Runs::from_span(start + 1..end) };
        }
        let nobodys = by_worker.is_empty().then_some(0..number(items));
        let orphans: VecDeque<_> =
            spans.chain(nobodys).map(Runs::from_span).filter(|span| !span.is_empty()).collect();
        let shared =
            by_worker.values().map(|span| span.queue.len()).chain(orphans.iter().map(Runs::len)).sum();
        let set_aside = by_worker.values().filter(|span| span.first.is_some()).count();
        Self { files, by_worker, again: Runs::default(), orphans, shared, set_aside }
    }

    pub(crate) fn add_worker(&mut self, worker: WorkerIndex) {
        self.by_worker.entry(worker).or_default();
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        let Some(Span { first, mut queue }) = self.by_worker.remove(&worker) else { return };
        self.shared += unstarted.len();
        if let Some(item) = first {
            queue.push_front(item);
            self.set_aside -= 1;
            self.shared += 1;
        }
        queue.prepend(unstarted);
        if !queue.is_empty() {
            self.orphans.push_front(queue);
        }
    }

    /// What is set aside for the worker is anybody's.
    pub(crate) fn share_first(&mut self, worker: WorkerIndex) {
        let Some(span) = self.by_worker.get_mut(&worker) else { return };
        if let Some(item) = span.first.take() {
            span.queue.push_front(item);
            self.set_aside -= 1;
            self.shared += 1;
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        let mut granted = Vec::new();
        let Some(span) = self.by_worker.get_mut(&worker).filter(|_| max > 0) else { return granted };
        if let Some(item) = span.first.take() {
            self.set_aside -= 1;
            self.shared += 1;
            granted.push(item);
        }
        self.again.fill(&mut granted, max);
        span.queue.fill(&mut granted, max);
        if granted.is_empty() {
            let mut queue = self.find_span();
            queue.fill(&mut granted, max);
            if let Some(span) = self.by_worker.get_mut(&worker) {
                span.queue = queue;
            }
        }
        self.shared -= granted.len();
        granted
    }

    pub(crate) fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if let Some(span) = self.by_worker.get_mut(&worker) {
            span.queue.prepend(items);
            self.shared += items.len();
        }
    }

    pub(crate) fn requeue(&mut self, item: ItemIndex) {
        self.again.push_front(item);
        self.shared += 1;
    }

    pub(crate) fn pending(&self) -> usize {
        self.shared + self.set_aside
    }

    pub(crate) fn has_work_for(&self, worker: WorkerIndex) -> bool {
        self.by_worker.get(&worker).is_some_and(|span| self.shared > 0 || span.first.is_some())
    }

    /// A span for a worker that has none: the next without a worker, else half of the largest.
    fn find_span(&mut self) -> Runs {
        if let Some(orphan) = self.orphans.pop_front() {
            return orphan;
        }
        if self.shared == 0 {
            return Runs::default();
        }
        let largest = self.by_worker.values_mut().rev().max_by_key(|span| span.queue.len());
        largest.map(|span| span.queue.steal_front(&self.files)).unwrap_or_default()
    }
}

/// Where to cut `items` so that each span is a share of what is left, down to single items; both ends included.
fn guided_cuts(items: usize, workers: usize, files: &Files) -> Vec<u32> {
    let collection: Range<u32> = 0..number(items);
    let mut cuts = Vec::new();
    if workers == 0 {
        return cuts;
    }
    let mut start = 0;
    while start < collection.end {
        cuts.push(start);
        let share = ((collection.end - start) / number(workers * 2)).max(1);
        let ideal = start + share;
        // At most twice the share, so that every worker gets one.
        let tolerance = if share > 1 { share } else { 0 };
        start = files.nearest(ideal, tolerance, &(start..collection.end)).unwrap_or(ideal);
    }
    cuts.push(collection.end);
    cuts
}

/// Where to cut `items` into one span for each worker, both ends included. Surplus workers get none.
fn even_cuts(items: usize, workers: usize, files: &Files) -> Vec<u32> {
    let shares = items.min(workers);
    if shares == 0 {
        return Vec::new();
    }
    let collection: Range<u32> = 0..number(items);
    let tolerance = number(tolerance(items / shares));
    let cuts_between = (1..shares).map(|share| {
        let ideal = number((items * share).div_ceil(shares));
        files.nearest(ideal, tolerance, &collection).unwrap_or(ideal)
    });
    iter::once(collection.start).chain(cuts_between).chain(iter::once(collection.end)).collect()
}
