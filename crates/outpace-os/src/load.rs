//! How busy the CPUs are. All of it may be missing.

use std::fs;
use std::path::Path;

use rustix::process::getpriority_process;

use crate::cgroup;
use crate::cpu::allowed_cpu_numbers;
use crate::proc::seconds;

/// Counters that only grow; two readings make a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuCounters {
    /// Seconds in which the CPUs of this process's affinity did nothing, or only what gives way to this process (it
    /// is nicer), added up.
    pub idle_seconds: f64,
    /// CPU seconds used by everything in this process's control group; none where that was not asked for.
    pub group_seconds: Option<f64>,
}

/// The counters now; the control group's only where they are wanted, since its files have to be found.
pub fn cpu_counters(with_group: bool) -> Option<CpuCounters> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let allowed = allowed_cpu_numbers()?;
    let yields = getpriority_process(None).is_ok_and(|nice| nice <= 0);
    let idle_seconds = idle_seconds(&read(Path::new("/proc/stat"))?, yields, |cpu| allowed.contains(&cpu))?;
    Some(CpuCounters { idle_seconds, group_seconds: with_group.then(|| group_seconds(&read)).flatten() })
}

/// A line is `cpu3 user nice system idle iowait …`, in ticks. Waiting for a disk is idle too.
fn idle_seconds(stat: &str, nice_yields: bool, counts: impl Fn(usize) -> bool) -> Option<f64> {
    let mut ticks = None;
    for line in stat.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(number) = words.next().and_then(|name| name.strip_prefix("cpu")?.parse().ok()) else {
            continue;
        };
        if counts(number) {
            let fields: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
            let field = |index| fields.get(index).copied().unwrap_or(0);
            let nice = if nice_yields { field(1) } else { 0 };
            ticks = Some(ticks.unwrap_or(0) + nice + field(3) + field(4));
        }
    }
    ticks.map(seconds)
}

fn group_seconds(read: cgroup::Read<'_>) -> Option<f64> {
    let v2 = |folder: &Path| {
        let text = read(&folder.join("cpu.stat"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        line.trim().parse::<f64>().ok().map(|micros| micros / 1e6)
    };
    let v1 = |folder: &Path| {
        read(&folder.join("cpuacct.usage"))?.trim().parse::<f64>().ok().map(|nanos| nanos / 1e9)
    };
    let groups = [cgroup::own("cpuacct", read), cgroup::own("cpu", read)].concat();
    groups.iter().find_map(|group| {
        let folder = group.folders.first()?;
        match group.version {
            cgroup::Version::V1 => v1(folder),
            cgroup::Version::V2 => v2(folder),
        }
    })
}

#[cfg(test)]
mod tests;
