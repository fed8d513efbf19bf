//! `load` where it is known from earlier runs what tests take.
//!
//! The collection is handed out file by file, from front to back, each to one worker. Two things come before their turn, because
//! begun late they would make the run longer:
//!
//! - a file that takes about as long as all that is left, shared out among the workers, or longer;
//! - a single test that does, if it would not begin in time within its file. It is pulled out of that; nothing else is.
//!
//! A worker whose file is done and that finds none left takes the front half, by time, of what the worker with most has
//! yet to start, so that both go on in collection order.
//!
//! Expectations choose among what could start; they never keep a worker waiting. So however wrong they are, the run takes
//! at most (work / workers) + (1 - 1 / workers) * (longest test), as any list schedule (Graham 1969). The first
//! item of each planned worker is set aside for it, as in `spans`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use outpace_model::{ItemIndex, WorkerIndex};

use crate::plan::{Plan, file_of, number};
use crate::runs::Runs;
use crate::times::Times;

/// What takes less, in microseconds, is neither worth changing the order for nor granted alone.
const LONG: u64 = 20_000;
/// Nor is what takes less than this part of a worker's share of the whole run.
const SMALLEST_PART: u64 = 100;
/// A worker that is between two files looks this much further ahead than one that would have to leave its file.
const CAUTION: u64 = 2;
/// So many tests are looked at that might have to begin now.
const CANDIDATES: usize = 16;

#[derive(Clone, Debug, Default)]
struct Span {
    /// The item that only this worker may take.
    first: Option<ItemIndex>,
    /// How long the worker may yet be busy with what it was granted last.
    busy: u64,
    queue: Runs,
}

/// By time, the longest last; of equals the first last.
type ByTime = BTreeSet<(u64, Reverse<u32>)>;

/// The scheduler of `load` with expectations.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    times: Times,
    /// What nobody has begun of each file (of each stretch of it, where files are mixed).
    files: Vec<Runs>,
    /// Where each file begins.
    starts: Vec<u32>,
    in_order: VecDeque<u32>,
    by_time: ByTime,
    /// The long items that any worker could take.
    long: ByTime,
    by_worker: BTreeMap<WorkerIndex, Span>,
    again: Runs,
    orphans: VecDeque<Runs>,
    shared: usize,
    set_aside: usize,
    /// The time of all that nobody has been granted.
    left: u64,
}

impl Timed {
    /// None when nothing is expected of any item.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let times = Times::new(plan)?;
        let mut starts = Vec::new();
        let mut previous = None;
        for (position, node_id) in plan.node_ids.iter().enumerate() {
            let file = Some(file_of(node_id));
            if previous != file {
                starts.push(number(position));
                previous = file;
            }
        }
        let end = number(plan.node_ids.len());
        let ends = starts.iter().skip(1).copied().chain([end]);
        let files: Vec<Runs> =
            starts.iter().zip(ends).map(|(&start, end)| Runs::from_span(start..end)).collect();
        let order = 0..number(files.len());
        let long = (0..end).map(|item| (times.of(ItemIndex(item)), Reverse(item)));
        let mut rules = Self {
            by_time: files
                .iter()
                .zip(order.clone())
                .map(|(file, at)| (times.of_runs(file), Reverse(at)))
                .collect(),
            long: long.filter(|(time, _)| *time >= LONG).collect(),
            left: times.total(),
            in_order: order.collect(),
            by_worker: plan.workers.iter().map(|&worker| (worker, Span::default())).collect(),
            again: Runs::default(),
            orphans: VecDeque::new(),
            shared: plan.node_ids.len(),
            set_aside: 0,
            times,
            files,
            starts,
        };
        for worker in &plan.workers {
            if rules.by_worker[worker].first.is_none() {
                rules.set_aside_for(*worker);
            }
        }
        Some(rules)
    }

    fn set_aside_for(&mut self, worker: WorkerIndex) {
        let mut queue = self.next_queue();
        let mut first = Vec::with_capacity(1);
        queue.fill(&mut first, 1);
        if let Some(item) = first.pop() {
            self.long.remove(&self.key(item));
            self.shared -= 1;
            self.set_aside += 1;
            self.by_worker.insert(worker, Span { first: Some(item), busy: self.times.of(item), queue });
        }
    }

    pub(crate) fn add_worker(&mut self, worker: WorkerIndex) {
        self.by_worker.entry(worker).or_default();
    }

    pub(crate) fn remove_worker(&mut self, worker: WorkerIndex, unstarted: &[ItemIndex]) {
        self.share_first(worker);
        let Some(Span { mut queue, .. }) = self.by_worker.remove(&worker) else { return };
        self.return_items(unstarted);
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
            self.note_long(item);
        }
    }

    pub(crate) fn take(&mut self, worker: WorkerIndex, max: usize) -> Vec<ItemIndex> {
        let mut granted = Vec::new();
        if max == 0 || !self.by_worker.contains_key(&worker) {
            return granted;
        }
        let first = self.by_worker.get_mut(&worker).and_then(|span| span.first.take());
        if let Some(item) = first {
            self.set_aside -= 1;
            self.shared += 1;
            granted.push(item);
        }
        self.again.fill(&mut granted, 1);
        if granted.is_empty()
            && let Some(item) = self.pressing(worker)
        {
            granted.push(item);
        }
        if granted.is_empty() {
            if self.by_worker[&worker].queue.is_empty() {
                let queue = self.next_queue();
                self.by_worker.entry(worker).or_default().queue = queue;
            }
            let times = &self.times;
            if let Some(span) = self.by_worker.get_mut(&worker) {
                let short = span.queue.iter().take(max).take_while(|item| times.of(*item) < LONG).count();
                span.queue.fill(&mut granted, short.max(1));
            }
        }
        if let Some(span) = self.by_worker.get_mut(&worker) {
            span.busy = granted.iter().map(|item| self.times.of(*item)).sum();
        }
        self.shared -= granted.len();
        for &item in &granted {
            self.left -= self.times.of(item);
            self.long.remove(&self.key(item));
        }
        granted
    }

    pub(crate) fn give_back(&mut self, worker: WorkerIndex, items: &[ItemIndex]) {
        if let Some(span) = self.by_worker.get_mut(&worker) {
            span.queue.prepend(items);
            self.return_items(items);
        }
    }

    pub(crate) fn requeue(&mut self, item: ItemIndex) {
        self.again.push_front(item);
        self.shared += 1;
        // Not among the long ones: it comes before them anyway.
        self.left += self.times.of(item);
    }

    pub(crate) fn pending(&self) -> usize {
        self.shared + self.set_aside
    }

    pub(crate) fn has_work_for(&self, worker: WorkerIndex) -> bool {
        self.by_worker.get(&worker).is_some_and(|span| self.shared > 0 || span.first.is_some())
    }

    fn return_items(&mut self, items: &[ItemIndex]) {
        self.shared += items.len();
        for &item in items {
            self.left += self.times.of(item);
            self.note_long(item);
        }
    }

    fn key(&self, item: ItemIndex) -> (u64, Reverse<u32>) {
        (self.times.of(item), Reverse(item.0))
    }

    fn note_long(&mut self, item: ItemIndex) {
        let key = self.key(item);
        if key.0 >= LONG {
            self.long.insert(key);
        }
    }

    /// Whether what takes so long must begin now, or the others would be done before it.
    fn is_pressing(&self, time: u64, caution: u64) -> bool {
        let workers = self.by_worker.len() as u64;
        let is_worth_it =
            workers > 1 && time >= LONG && time.saturating_mul(workers * SMALLEST_PART) >= self.times.total();
        is_worth_it && time.saturating_mul(workers * caution) >= self.left
    }

    /// A test for which this worker must leave its file.
    fn pressing(&mut self, worker: WorkerIndex) -> Option<ItemIndex> {
        let own = &self.by_worker.get(&worker)?.queue;
        let next = own.iter().next()?;
        if self.is_pressing(self.times.of(next), 1) {
            return None;
        }
        let pressing =
            self.long.iter().rev().take(CANDIDATES).take_while(|(time, _)| self.is_pressing(*time, 1));
        let item = pressing
            .map(|(_, item)| ItemIndex(item.0))
            .find(|item| self.times.before(*item, own).is_none())?;
        self.pull(item).then_some(item)
    }

    /// What a worker that has nothing goes on with; empty only when there is nothing that others could take.
    fn next_queue(&mut self) -> Runs {
        if let Some(orphan) = self.orphans.pop_front() {
            return orphan;
        }
        if let Some(queue) = self.pressing_queue() {
            return queue;
        }
        let longest = self.by_time.last().copied().filter(|(time, _)| self.is_pressing(*time, CAUTION));
        if let Some((_, Reverse(file))) = longest {
            return self.begin_file(file);
        }
        while let Some(file) = self.in_order.pop_front() {
            if !self.files[file as usize].is_empty() {
                return self.begin_file(file);
            }
        }
        let largest = self.by_worker.values_mut().rev().max_by_key(|span| self.times.of_runs(&span.queue));
        largest.map(|span| span.queue.split_front(self.times.half(&span.queue))).unwrap_or_default()
    }

    /// A long test that must begin now: its file, where it comes soon enough in that, else the test alone.
    fn pressing_queue(&mut self) -> Option<Runs> {
        let share = self.left / self.by_worker.len().max(1) as u64;
        let pressing =
            self.long.iter().rev().take(CANDIDATES).take_while(|(time, _)| self.is_pressing(*time, CAUTION));
        let items: Vec<(u64, ItemIndex)> = pressing.map(|(time, item)| (*time, ItemIndex(item.0))).collect();
        for (time, item) in items {
            let in_time = |queue: &Runs, busy: u64| {
                self.times.before(item, queue).is_some_and(|before| busy + before + time <= share)
            };
            let file = self.file(item);
            if in_time(&self.files[file as usize], 0) {
                return Some(self.begin_file(file));
            }
            if self.by_worker.values().any(|span| in_time(&span.queue, span.busy)) {
                continue;
            }
            if self.pull(item) {
                return Some([item].into_iter().collect());
            }
        }
        None
    }

    fn file(&self, item: ItemIndex) -> u32 {
        number(self.starts.partition_point(|&start| start <= item.0) - 1)
    }

    fn begin_file(&mut self, file: u32) -> Runs {
        let queue = std::mem::take(&mut self.files[file as usize]);
        self.by_time.remove(&(self.times.of_runs(&queue), Reverse(file)));
        queue
    }

    /// Takes the item out of wherever it waits.
    fn pull(&mut self, item: ItemIndex) -> bool {
        let file = self.file(item);
        let waiting = &mut self.files[file as usize];
        let before = self.times.of_runs(waiting);
        if waiting.remove(item) {
            self.by_time.remove(&(before, Reverse(file)));
            if !waiting.is_empty() {
                self.by_time.insert((self.times.of_runs(waiting), Reverse(file)));
            }
            return true;
        }
        let queues = self.by_worker.values_mut().map(|span| &mut span.queue).chain(&mut self.orphans);
        let is_found = queues.into_iter().any(|queue| queue.remove(item));
        self.orphans.retain(|orphan| !orphan.is_empty());
        is_found
    }
}
