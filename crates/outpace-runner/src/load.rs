//! The machine's load between two moments, from counters that only grow.

use std::time::{Duration, Instant};

use outpace_os::{CpuCounters, Pid, available_memory, cpu_counters, memory_shares, usable_cpus};

/// How often an elastic run wants to know.
pub(crate) const EVERY: Duration = Duration::from_millis(100);
/// Private memory is read of one worker in so many readings.
const MEMORY_EVERY: u32 = 5;
/// What is left alone, in bytes.
pub(crate) const RESERVE: u64 = 256 << 20;
/// What a worker is taken to need at least.
pub(crate) const LEAST_PRIVATE: u64 = 32 << 20;

/// One reading.
pub(crate) struct Reading {
    pub(crate) span: f64,
    pub(crate) cores: f64,
    pub(crate) idle: f64,
    pub(crate) room: u32,
}

pub(crate) struct Meter {
    last: Option<(Instant, CpuCounters)>,
    cores: f64,
    quota: Option<f64>,
    count: u32,
    largest: u64,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let cpus = usable_cpus();
        #[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
        let cores = cpus.count as f64;
        Self { last: None, cores, quota: cpus.quota, count: 0, largest: LEAST_PRIVATE }
    }

    /// What happened since the last call; none the first time, or where the machine does not tell. `left` is how many
    /// bytes the run may still take.
    pub(crate) fn read(&mut self, workers: &[i32], left: u64) -> Option<Reading> {
        let now = Instant::now();
        let counters = cpu_counters(self.quota.is_some())?;
        let (before, old) = self.last.replace((now, counters))?;
        let span = now.duration_since(before).as_secs_f64();
        if span <= 0.0 {
            return None;
        }
        let mut idle = ((counters.idle_seconds - old.idle_seconds) / span).clamp(0.0, self.cores);
        if let (Some(quota), Some(used), Some(before)) =
            (self.quota, counters.group_seconds, old.group_seconds)
        {
            idle = idle.min((quota - (used - before) / span).max(0.0));
        }
        self.look_at_memory(workers);
        let available = available_memory().map_or(u64::MAX, |bytes| bytes.saturating_sub(RESERVE));
        let room = u32::try_from(available.min(left) / self.largest).unwrap_or(u32::MAX);
        Some(Reading { span, cores: self.quota.unwrap_or(self.cores), idle, room })
    }

    fn look_at_memory(&mut self, workers: &[i32]) {
        let (turn, is_due) = ((self.count / MEMORY_EVERY) as usize, self.count.is_multiple_of(MEMORY_EVERY));
        self.count = self.count.wrapping_add(1);
        if is_due && let Some(pid) = workers.get(turn % workers.len().max(1)) {
            self.largest = self.largest.max(memory_shares(Pid(*pid)).map_or(0, |shares| shares.private));
        }
    }
}
