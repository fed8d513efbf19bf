//! What the processes of a run use, read often where that is cheap and exactly where it matters. It must not decide
//! anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use outpace_model::{ItemIndex, WorkerIndex};
use outpace_os::{Pid, available_memory, memory_shares, oom_kills, resident_memory};
use outpace_protocol::{MemoryReport, Peak};
use outpace_supervise::Usage;

/// How often it is read what processes have in memory.
pub(crate) const EVERY: Duration = Duration::from_millis(250);
/// How often it is read exactly, where that is asked for.
const EXACTLY_EVERY: Duration = Duration::from_secs(1);
/// The count of memory kills is compared with one at least so old.
const KILLS_EVERY: Duration = Duration::from_secs(1);
/// Tests that are named when a worker has grown too much.
const NAMED: usize = 3;
/// And that made it grow by so many bytes.
const WORTH_NAMING: i64 = 1_000_000;
/// A difference between two readings that is remembered.
const NOTICED: u64 = 100_000;

/// A worker of this moment.
pub(crate) struct Living {
    pub(crate) worker: WorkerIndex,
    pub(crate) pid: i32,
    /// The test it runs.
    pub(crate) item: Option<ItemIndex>,
    /// It began with the template's memory.
    pub(crate) is_fork: bool,
}

struct Process {
    worker: WorkerIndex,
    /// What it had at first that belongs to no file.
    inherited: u64,
    anonymous: u64,
    resident: u64,
    private: u64,
    peak: u64,
    peak_own: u64,
    peak_proportional: u64,
    /// By how much it grew while each test ran; what a test gave back counts against it.
    growth: BTreeMap<ItemIndex, i64>,
}

impl Process {
    /// Pages of the template's that it has written to are known only after an exact look.
    fn own(&self) -> u64 {
        self.private.max(self.anonymous.saturating_sub(self.inherited))
    }

    fn grew_most(&self) -> Vec<ItemIndex> {
        let much = self.growth.iter().filter(|(_, by)| **by >= WORTH_NAMING);
        let mut tests: Vec<(i64, ItemIndex)> = much.map(|(item, by)| (*by, *item)).collect();
        tests.sort_unstable_by(|one, other| other.cmp(one));
        tests.into_iter().take(NAMED).map(|(_, item)| item).collect()
    }
}

/// Reads the memory of a run's processes.
#[derive(Default)]
pub(crate) struct Gauge {
    asked_limit: u64,
    limit: Option<u64>,
    report: bool,
    exactly_at: Option<Instant>,
    template: u64,
    processes: BTreeMap<i32, Process>,
    gone: Vec<Peak>,
    together: u64,
    unshared: u64,
    /// Counts of memory kills: an older one, and the newest with its time.
    kills: Option<(u64, u64, Instant)>,
}

impl Gauge {
    pub(crate) fn set(&mut self, limit: u64, report: bool) {
        (self.asked_limit, self.report) = (limit, report);
    }

    /// What the run may use: what was asked for, else nine tenths of what there was at the first reading.
    fn limit(&mut self, used: u64) -> u64 {
        *self.limit.get_or_insert_with(|| match self.asked_limit {
            0 => available_memory().map_or(u64::MAX, |bytes| used.saturating_add(bytes / 10 * 9)),
            bytes => bytes,
        })
    }

    /// Whether somebody said how much the run may use.
    pub(crate) fn is_limited(&self) -> bool {
        self.asked_limit > 0
    }

    /// Bytes that the run may still take: none before the first reading, where somebody said how much.
    pub(crate) fn left(&self) -> u64 {
        match self.limit {
            Some(limit) => limit.saturating_sub(self.used()),
            None if self.is_limited() => 0,
            None => u64::MAX,
        }
    }

    fn used(&self) -> u64 {
        self.processes.values().fold(self.template, |sum, process| sum.saturating_add(process.own()))
    }

    /// One reading of everything.
    pub(crate) fn read(&mut self, template: Option<i32>, living: &[Living]) -> Usage {
        self.count_kills();
        self.forget_the_dead(living);
        self.template = template.and_then(|pid| resident_memory(Pid(pid))).map_or(0, |memory| memory.all);
        for each in living {
            self.read_one(each);
        }
        let used = self.used();
        let limit = self.limit(used);
        // Exact readings cost milliseconds: for those who asked, and near the limit.
        if self.report || used > limit / 4 * 3 {
            self.read_exactly(template);
        }
        let own = self.processes.values().map(|process| (process.worker, process.own(), process.grew_most()));
        Usage { limit, base: self.template, own: own.collect() }
    }

    /// One reading of one process. What a worker has at its first one it did not get from a test.
    pub(crate) fn read_one(&mut self, living: &Living) {
        let Some(memory) = resident_memory(Pid(living.pid)) else { return };
        let process = self.processes.entry(living.pid).or_insert_with(|| Process {
            worker: living.worker,
            inherited: if living.is_fork { memory.anonymous } else { 0 },
            anonymous: memory.anonymous,
            resident: 0,
            private: 0,
            peak: 0,
            peak_own: 0,
            peak_proportional: 0,
            growth: BTreeMap::new(),
        });
        if let Some(item) = living.item {
            let growth = memory.anonymous.cast_signed().saturating_sub(process.anonymous.cast_signed());
            if growth.unsigned_abs() >= NOTICED {
                *process.growth.entry(item).or_default() += growth;
            }
        }
        process.anonymous = memory.anonymous;
        process.resident = memory.all;
        process.peak = process.peak.max(memory.all);
        process.peak_own = process.peak_own.max(process.own());
    }

    fn read_exactly(&mut self, template: Option<i32>) {
        let now = Instant::now();
        if self.exactly_at.is_some_and(|at| now < at + EXACTLY_EVERY) {
            return;
        }
        self.exactly_at = Some(now);
        let mut together = 0;
        let mut unshared = self.template;
        for (pid, process) in &mut self.processes {
            let Some(shares) = memory_shares(Pid(*pid)) else { continue };
            process.private = shares.private;
            process.peak_own = process.peak_own.max(process.own());
            process.peak_proportional = process.peak_proportional.max(shares.proportional);
            together += shares.proportional;
            unshared += process.resident;
        }
        together += template.and_then(|pid| memory_shares(Pid(pid))).map_or(0, |shares| shares.proportional);
        if together > self.together {
            (self.together, self.unshared) = (together, unshared);
        }
    }

    /// A worker is about to end: the last exact look at it, where one is wanted.
    pub(crate) fn look_before_the_end(&mut self, template: Option<i32>, living: &Living) -> bool {
        if self.report {
            self.read_one(living);
            self.exactly_at = None;
            self.read_exactly(template);
        }
        self.report
    }

    fn forget_the_dead(&mut self, living: &[Living]) {
        let alive: BTreeSet<i32> = living.iter().map(|each| each.pid).collect();
        let gone = &mut self.gone;
        self.processes.retain(|pid, process| {
            let lives = alive.contains(pid);
            if !lives {
                gone.push(peak(process));
            }
            lives
        });
    }

    fn count_kills(&mut self) {
        let now = Instant::now();
        match self.kills {
            Some((_, _, at)) if now < at + KILLS_EVERY => {}
            Some((_, newest, _)) => self.kills = oom_kills().map(|count| (newest, count, now)),
            None => self.kills = oom_kills().map(|count| (count, count, now)),
        }
    }

    /// What to add to how a process ended that was killed: whether it was the kernel, for memory.
    pub(crate) fn last_words(&mut self, pid: i32) -> Option<String> {
        let (older, newest, at) = self.kills?;
        let count = oom_kills().filter(|count| *count > older)?;
        // One kill explains one death.
        self.kills = Some((older + 1, newest.max(older + 1), at));
        let peak = self.processes.get(&pid).map_or(String::new(), |process| {
            format!("; it was last seen with {}", megabytes(process.resident))
        });
        let others = if count > older + 1 { ", as others were" } else { "" };
        Some(format!(": the kernel ended it because memory ran out{others}{peak}"))
    }

    /// For the summary, if it was asked for.
    pub(crate) fn report(&self) -> Option<MemoryReport> {
        let mut workers: Vec<Peak> =
            self.gone.iter().cloned().chain(self.processes.values().map(peak)).collect();
        workers.sort_by_key(|peak| peak.worker);
        self.report.then(|| MemoryReport {
            limit: self.limit.unwrap_or(0),
            workers,
            together: self.together,
            unshared: self.unshared,
        })
    }
}

fn peak(process: &Process) -> Peak {
    Peak {
        worker: process.worker,
        resident: process.peak,
        own: process.peak_own,
        proportional: process.peak_proportional,
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}
