//! What `/proc` says about a process, and the memory killer's count. All of it may be missing.

use std::fs;
use std::path::Path;

use rustix::param::{clock_ticks_per_second, page_size};

use crate::cgroup;
use crate::signal::Pid;

/// A snapshot of a process; what could not be read is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessFacts {
    /// The kernel's letter: `R`unning, `S`leeping, `D`isk sleep, `T` stopped, `t` traced, `Z`ombie.
    pub state: Option<char>,
    /// The kernel function it sleeps in.
    pub wchan: Option<String>,
    /// CPU time of all its threads, user and system.
    pub cpu_seconds: Option<f64>,
    /// Resident memory, shared pages included.
    pub rss_bytes: Option<u64>,
    /// How many threads it has.
    pub threads: Option<u32>,
}

/// What is known about a process now.
pub fn facts(pid: Pid) -> ProcessFacts {
    let folder = Path::new("/proc").join(pid.to_string());
    let Some(stat) = fs::read(folder.join("stat")).ok().and_then(|stat| Stat::parse(&stat)) else {
        return ProcessFacts::default();
    };
    let wchan = fs::read_to_string(folder.join("wchan")).ok();
    ProcessFacts {
        state: Some(stat.state),
        wchan: wchan.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty() && name != "0"),
        cpu_seconds: Some(seconds(stat.cpu_ticks)),
        rss_bytes: Some(stat.rss_pages.saturating_mul(page_size() as u64)),
        threads: Some(stat.threads),
    }
}

/// Of the kernel's clock ticks.
#[expect(clippy::cast_precision_loss, reason = "ticks of a machine are far below 2^52")]
pub(crate) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / clock_ticks_per_second() as f64
}

/// How many processes of this process's own control group, or else of the machine, were killed because memory ran out.
///
/// Compare two readings: a worker that died of `SIGKILL` while the count rose was killed for memory.
pub fn oom_kills() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    oom_kills_from(&read)
}

fn oom_kills_from(read: cgroup::Read<'_>) -> Option<u64> {
    let groups = cgroup::own("memory", read);
    let file_of = |version| match version {
        cgroup::Version::V1 => "memory.oom_control",
        cgroup::Version::V2 => "memory.events",
    };
    let of_groups = groups.iter().find_map(|group| {
        group.folders.iter().find_map(|folder| oom_kill_count(&read(&folder.join(file_of(group.version)))?))
    });
    // The root group of version 2 counts nothing; then all there is is the machine's.
    of_groups.or_else(|| oom_kill_count(&read(Path::new("/proc/vmstat"))?))
}

fn oom_kill_count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// The fields of `/proc/PID/stat` that outpace reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) parent: Pid,
    pub(crate) cpu_ticks: u64,
    /// Of its children that have ended and were waited for, and of theirs.
    pub(crate) children_ticks: u64,
    threads: u32,
    /// When it started, in ticks since the machine did.
    pub(crate) started_ticks: u64,
    rss_pages: u64,
}

impl Stat {
    /// The second field is the program's name in parentheses and may hold anything, further parentheses and
    /// bytes that are no UTF-8 included: the fields are counted from the last `)`.
    pub(crate) fn parse(stat: &[u8]) -> Option<Self> {
        let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> =
            str::from_utf8(&stat[end_of_name + 1..]).ok()?.split_ascii_whitespace().collect();
        // `man proc` numbers from 1, and the field after the name is its third.
        let field = |number: usize| fields.get(number - 3).copied();
        let ticks = |number: usize| field(number)?.parse::<u64>().ok();
        Some(Self {
            state: field(3)?.chars().next()?,
            parent: Pid(field(4)?.parse().ok()?),
            cpu_ticks: ticks(14)?.saturating_add(ticks(15)?),
            children_ticks: ticks(16)?.saturating_add(ticks(17)?),
            threads: field(20)?.parse().ok()?,
            started_ticks: ticks(22)?,
            rss_pages: field(24)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
