//! Who holds which test, as the messages say; nobody waits without a reason.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use outpace_model::{ItemIndex, WorkerIndex};
use outpace_supervise::Peer;

use super::board::Board;
use super::observer::Observer;
use super::overlap::is_span_mode;
use super::scenario::Scenario;

/// How long a test may lie unstarted with a busy worker while another one is idle.
const PATIENCE: Duration = Duration::from_millis(11);

#[derive(Debug, Default)]
struct Holder {
    granted: VecDeque<(u32, ItemIndex)>,
    begun: bool,
    /// Since when it waits for an answer, between tests.
    idle_since: Option<Duration>,
    active_at: Duration,
    ever_granted: bool,
    leaving: bool,
}

#[derive(Debug)]
pub(crate) struct Holdings {
    holders: BTreeMap<WorkerIndex, Holder>,
    /// Tests that stay together, by number; the number of a file in the unit modes.
    unit_of: Vec<u32>,
    last_holder: BTreeMap<u32, WorkerIndex>,
    pub(crate) now: Duration,
}

impl Holdings {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let unit_of = (0..scenario.items).map(|item| scenario.unit_of(ItemIndex(item))).collect();
        Self { holders: BTreeMap::new(), unit_of, last_holder: BTreeMap::new(), now: Duration::ZERO }
    }

    pub(crate) fn starts(&mut self, worker: WorkerIndex) {
        self.holders.entry(worker).or_default();
    }

    pub(crate) fn granted(&mut self, worker: WorkerIndex, position: u32, items: &[ItemIndex], shared: bool) {
        for item in items.iter().filter(|_| shared) {
            let other =
                self.holders.iter().find(|(_, holder)| holder.granted.iter().any(|(_, held)| held == item));
            assert!(
                other.is_none(),
                "{worker} is granted {item:?}, which {:?} holds",
                other.map(|(index, _)| index)
            );
            self.last_holder.insert(self.unit_of[item.get()], worker);
        }
        let now = self.now;
        let holder = self.holders.entry(worker).or_default();
        assert!(!holder.leaving, "{worker} is granted {items:?} after its goodbye");
        holder.granted.extend((position..).zip(items.iter().copied()));
        holder.idle_since = None;
        holder.active_at = now;
        holder.ever_granted = true;
    }

    /// Who was idle because everybody had to wait is idle from now on.
    pub(crate) fn go_on(&mut self) {
        for holder in self.holders.values_mut().filter(|holder| holder.idle_since.is_some()) {
            holder.idle_since = Some(self.now);
        }
    }

    pub(crate) fn answered(&mut self, worker: WorkerIndex) {
        self.holders.entry(worker).or_default().idle_since = None;
    }

    pub(crate) fn asks(&mut self, worker: WorkerIndex, running: bool, now: Duration) {
        self.holders.entry(worker).or_default().idle_since = (!running).then_some(now);
    }

    pub(crate) fn cut(&mut self, worker: WorkerIndex, position: u32) {
        self.holders.entry(worker).or_default().granted.retain(|(held, _)| *held < position);
    }

    pub(crate) fn result(&mut self, worker: WorkerIndex, item: ItemIndex, finished: bool, now: Duration) {
        let holder = self.holders.entry(worker).or_default();
        assert_eq!(
            holder.granted.front().map(|(_, held)| *held),
            Some(item),
            "{worker} runs what it does not hold"
        );
        holder.begun = !finished;
        if finished {
            holder.granted.pop_front();
            holder.active_at = now;
        }
    }

    /// Its session is over: it holds at most the test it had begun.
    pub(crate) fn leaves(&mut self, worker: WorkerIndex) {
        let holder = self.holders.entry(worker).or_default();
        holder.granted.truncate(usize::from(holder.begun));
        holder.idle_since = None;
        holder.leaving = true;
    }

    pub(crate) fn drop_worker(&mut self, worker: WorkerIndex) {
        self.holders.remove(&worker);
        self.last_holder.retain(|_, holder| *holder != worker);
    }
}

impl Observer {
    /// No worker idles while a test could start on it.
    pub(crate) fn check_nobody_idles(
        &mut self,
        now: Duration,
        board: &mut Board,
        lanes: &BTreeMap<Peer, u32>,
    ) {
        let may_be_idle = self.stopped || self.finished.is_some() || self.fatal || self.lending.is_paused();
        if may_be_idle || !self.is_shared() {
            return;
        }
        let idle = self.holdings.holders.values().filter_map(|holder| holder.idle_since).min();
        let Some(idle_since) = idle else { return };
        let held: BTreeSet<ItemIndex> = self
            .holdings
            .holders
            .values()
            .flat_map(|holder| holder.granted.iter().map(|(_, item)| *item))
            .collect();
        let open: BTreeSet<ItemIndex> = (0..)
            .map(ItemIndex)
            .zip(&self.records)
            .filter(|(item, record)| record.closed() < self.wanted(*item))
            .map(|(item, _)| item)
            .collect();
        if self.overlap.is_serial_time(&held, &open) {
            return;
        }
        let free: BTreeSet<u32> = open
            .difference(&held)
            .filter(|item| !self.overlap.is_marked(**item))
            .map(|item| self.holdings.unit_of[item.get()])
            .filter(|unit| self.is_span_mode() || !self.holdings.last_holder.contains_key(unit))
            .collect();
        // The first test of a worker that has not come to it yet is set aside for it.
        let new =
            self.holdings.holders.values().filter(|holder| !holder.ever_granted && !holder.leaving).count();
        assert!(
            free.len() <= new,
            "a worker is idle since {idle_since:?} and {free:?} could start ({now:?})"
        );
        if self.is_span_mode() {
            self.check_nobody_hoards(now, idle_since, board, lanes);
        }
    }

    fn is_span_mode(&self) -> bool {
        is_span_mode(self.mode)
    }

    fn check_nobody_hoards(
        &self,
        now: Duration,
        idle_since: Duration,
        board: &mut Board,
        lanes: &BTreeMap<Peer, u32>,
    ) {
        for (worker, holder) in &self.holdings.holders {
            let Some(lane) = lanes.get(&Peer::Worker(*worker)) else { continue };
            let claimed = board.lane(*lane).position;
            let unclaimed = holder.granted.iter().skip(1).any(|(position, _)| *position >= claimed);
            let patient = now <= idle_since.max(holder.active_at) + PATIENCE;
            assert!(
                !unclaimed || patient,
                "{worker} sits on {holder:?} at {claimed}, somebody idle since {idle_since:?}"
            );
        }
    }
}
