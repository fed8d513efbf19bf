//! How many workers an elastic run has: more while tests wait and the CPU is idle, no further test of theirs while it
//! is full.
//!
//! The workers that the run began with, one a core, are never held. It reads no clock and starts nothing: it is told
//! how busy the machine is some ten times a second and says what should change.

use std::time::Duration;

use outpace_model::{Expected, WorkerIndex};

/// With less idle CPU than this, in cores, no extra worker starts another test.
const FULL: f64 = 0.10;
/// With more than this one that was held may go on.
const ROOM: f64 = 0.35;
/// With more than this a further worker pays.
const WASTE: f64 = 0.50;
/// So many times as many workers as there are may be added at once.
const GROWTH: u32 = 2;
/// A worker is believed to need at least this share of a core.
const LEAST_SHARE: f64 = 0.02;
/// Weight of the newest reading.
const WEIGHT: f64 = 0.5;
/// Between two changes, so that readings show the last one.
const SETTLE: Duration = Duration::from_millis(150);
/// What starting a worker costs at least, in seconds of the run.
const START_COST: f64 = 0.1;
/// For so long, and twice what they take to prepare, it is the start of workers, and not their tests, that fills the CPU.
const STARTING: Duration = Duration::from_millis(500);

/// With how much of the workers that would just fill the CPU a run begins of which it is known that its tests wait.
/// The rest is left to what the machine then says.
const AT_ONCE: f64 = 0.85;

/// Among so many workers at most the best number is looked for, whatever the run may have.
const THINKABLE: u32 = 1024;

/// What differs by less is the same.
const ALIKE: f64 = 1.0 + 1e-9;

/// What the tests of a run are expected to take in all, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Work {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    /// The longest of them.
    pub(crate) longest: f64,
    /// What each worker takes besides, for what its tests share.
    pub(crate) each: Expected,
}

impl Work {
    /// The tests add up to it; where nothing is known of some they are taken to be as the others.
    pub(crate) fn of(expected: &[Option<Expected>], each: Expected) -> Option<Self> {
        let mut work = Self { each, ..Self::default() };
        let mut known = 0.0;
        for each in expected.iter().flatten() {
            known += 1.0;
            work.wall += f64::from(each.wall);
            work.cpu += f64::from(each.cpu.min(each.wall));
            work.longest = work.longest.max(f64::from(each.wall));
        }
        let scale = f64::from(u32::try_from(expected.len()).unwrap_or(u32::MAX)) / known;
        (known > 0.0).then_some(Self { wall: work.wall * scale, cpu: work.cpu * scale, ..work })
    }

    /// What so many workers take at least.
    fn time(&self, workers: u32, cores: f64) -> f64 {
        let workers = f64::from(workers);
        let waiting = f64::from(self.each.wall) + self.longest.max(self.wall / workers);
        waiting.max((self.cpu + workers * f64::from(self.each.cpu)) / cores.max(1.0))
    }
}

/// How busy the machine has been since the last reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Seconds since the last reading.
    pub span: f64,
    /// Cores that this run may use.
    pub cores: f64,
    /// How many of them, on average, did nothing.
    pub idle: f64,
    /// For how many further workers there is memory.
    pub room: u32,
    /// Workers that are still in the set-up of a test.
    pub in_setup: Vec<WorkerIndex>,
    /// Workers that have used no CPU in their test for a while.
    pub asleep: Vec<WorkerIndex>,
}

/// What the pool sees of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Census {
    /// Workers that have not ended.
    pub(crate) live: u32,
    /// Those of them that are at tests, or soon will be, and neither are held nor sleep.
    pub(crate) at_work: u32,
    /// Those that sleep in a test.
    pub(crate) asleep: u32,
    /// Those that are not ready yet.
    pub(crate) starting: u32,
    /// Tests that nobody holds.
    pub(crate) pending: u32,
    /// Every live worker is busy with a test whose fixtures are there: what the CPU does now is what it would go on
    /// to do.
    pub(crate) is_steady: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// This many workers more.
    Grow(u32),
    /// This many of the extra workers are to start nothing more for now.
    Hold(u32),
    /// This many of the held ones may go on, those first that were held first.
    Release(u32),
}

#[derive(Debug)]
pub(crate) struct Pool {
    base: u32,
    most: u32,
    /// What a worker takes before its first test, in seconds: a spawned one collects.
    preparation: f64,
    idle: Option<f64>,
    /// Of a core, what a worker needed when none was held.
    share: Option<f64>,
    changed_at: Duration,
    /// When workers that were asked for were last not announced yet.
    asked_at: Option<Duration>,
    /// Asked for and not yet announced.
    pub(crate) expected: u32,
    /// The one that was held first comes first.
    pub(crate) held: Vec<WorkerIndex>,
    /// The most workers alive at one time.
    pub(crate) peak: u32,
    busy_seconds: f64,
    core_seconds: f64,
    tests: Mean,
    first_tests: Mean,
}

#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value.max(0.0);
        self.count += 1.0;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

impl Pool {
    pub(crate) fn new(base: u32, most: u32, preparation: f64) -> Self {
        Self {
            base,
            most,
            preparation,
            idle: None,
            share: None,
            changed_at: Duration::ZERO,
            asked_at: None,
            expected: 0,
            held: Vec::new(),
            peak: base,
            busy_seconds: 0.0,
            core_seconds: 0.0,
            tests: Mean::default(),
            first_tests: Mean::default(),
        }
    }

    /// How many workers more the run needs at once, where it is known that its tests wait: as many as fill the CPU, and no
    /// more than end it as soon as its longest test does. Each has fixtures of its own to set up. What it says is taken to
    /// be done.
    pub(crate) fn begin(&mut self, work: Work, cores: f64, pending: u32, room: u32) -> u32 {
        let time = |workers| work.time(workers, cores);
        let numbers = || self.base..=self.base.max(THINKABLE);
        let least = numbers().map(time).fold(f64::INFINITY, f64::min);
        let full = numbers().find(|workers| time(*workers) * AT_ONCE <= least * ALIKE);
        let most = self.most.min(pending).min(self.base.saturating_add(room));
        let wanted = full.unwrap_or(self.base).min(most);
        let more = wanted.saturating_sub(self.base);
        if more == 0 || time(self.base) - time(wanted) < START_COST {
            return 0;
        }
        self.expected += more;
        self.share = Some(work.cpu / work.wall);
        more
    }

    /// A test took so long; the first one of a worker pays for its fixtures and imports.
    pub(crate) fn record(&mut self, seconds: f64, is_first: bool) {
        if is_first { &mut self.first_tests } else { &mut self.tests }.add(seconds);
    }

    /// The share of the CPU that was used while tests ran; none before the first reading.
    pub(crate) fn busy_share(&self) -> Option<f64> {
        (self.core_seconds > 0.0).then(|| (self.busy_seconds / self.core_seconds).clamp(0.0, 1.0))
    }

    pub(crate) fn is_extra(&self, rank: usize) -> bool {
        rank >= self.base as usize
    }

    /// What should change, given the newest reading. What it says is taken to be done.
    pub(crate) fn decide(&mut self, load: &Load, census: Census, now: Duration) -> Change {
        let idle = self.read(load);
        self.peak = self.peak.max(census.live);
        if self.expected > 0 {
            self.asked_at = Some(now);
        }
        let starts = census.starting > 0 && self.asked_at.is_some_and(|asked| now < asked + self.starting());
        if census.is_steady && self.held.is_empty() {
            self.share = Some((load.cores - idle) / f64::from(census.live.max(1)));
        }
        if starts {
            self.idle = None;
        }
        if now < self.changed_at + SETTLE {
            return Change::None;
        }
        let change = self.change(load, census, idle);
        match change {
            Change::None => return change,
            Change::Hold(_) if starts => return Change::None,
            Change::Grow(count) => {
                self.expected += count;
                self.idle = None;
            }
            Change::Hold(_) | Change::Release(_) => {}
        }
        self.changed_at = now;
        change
    }

    fn change(&self, load: &Load, census: Census, idle: f64) -> Change {
        let held = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        // Who was held a moment ago is still at a test: of those that work now it says too little.
        let share = self.share.unwrap_or(1.0);
        let fitting = whole(idle / share.max(LEAST_SHARE));
        // However full the CPU is, and whoever fills it: as many work as the run began with.
        let released =
            self.base.saturating_sub(census.at_work).max(if idle > ROOM { fitting.max(1) } else { 0 });
        if held > 0 && released > 0 {
            return Change::Release(released.min(held));
        }
        let extras = census.live.saturating_sub(self.base + held);
        if idle < FULL && extras > 0 && census.at_work > self.base {
            // Not all at once: who waits most of the time would leave the CPU empty.
            return Change::Hold(extras.div_ceil(2));
        }
        let more = self.most.saturating_sub(census.live).min(census.pending).min(load.room);
        let replaced = census.asleep.min(self.base.saturating_sub(census.at_work)).min(more);
        let is_free = held == 0 && self.expected == 0;
        // However full it is: what sleeps takes no core, and perhaps never ends.
        if is_free && replaced > 0 && (census.at_work == 0 || self.is_worth_it(census, replaced)) {
            return Change::Grow(replaced);
        }
        let at_once = if self.preparation > 0.0 { whole(idle).max(1) } else { u32::MAX };
        let wanted = fitting.min(at_once).min(GROWTH * census.live).min(more);
        let pays = wanted > 0 && is_free && census.is_steady && idle > WASTE;
        if pays && self.is_worth_it(census, wanted) { Change::Grow(wanted) } else { Change::None }
    }

    /// Whether what is left to do takes longer than making so many more workers ready for it, and they save more time than one
    /// of them takes for that.
    fn is_worth_it(&self, census: Census, more: u32) -> bool {
        let Some(mean) = self.tests.value() else { return self.preparation <= 0.0 };
        let fixtures = self.first_tests.value().map_or(0.0, |first| (first - mean).max(0.0));
        let (live, more) = (f64::from(census.live.max(1)), f64::from(more));
        let left = f64::from(census.pending) * mean / live;
        left > START_COST + self.preparation + fixtures && left * more / (live + more) > self.preparation
    }

    fn starting(&self) -> Duration {
        STARTING + Duration::from_secs_f64(2.0 * self.preparation)
    }

    fn read(&mut self, load: &Load) -> f64 {
        let newest = load.idle.clamp(0.0, load.cores);
        self.busy_seconds += (load.cores - newest) * load.span;
        self.core_seconds += load.cores * load.span;
        let idle = self.idle.map_or(newest, |idle| idle + WEIGHT * (newest - idle));
        self.idle = Some(idle);
        idle
    }
}

fn whole(number: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is positive")]
    let whole = number as u32;
    whole
}

#[cfg(test)]
mod tests;
