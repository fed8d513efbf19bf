//! How much memory is left, and what processes use. All of it may be missing.

use std::fs;
use std::path::Path;

use rustix::param::page_size;

use crate::cgroup;
use crate::signal::Pid;

/// Memory that can be had without swapping, in bytes: the machine's, or what its control groups leave.
pub fn available_memory() -> Option<u64> {
    available_from(&|path: &Path| fs::read_to_string(path).ok())
}

fn available_from(read: cgroup::Read<'_>) -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| kibibytes(&text, "MemAvailable:"));
    let groups = cgroup::own("memory", read);
    let left = groups.iter().flat_map(|group| {
        group.folders.iter().filter_map(|folder| {
            let (limit, used) = match group.version {
                cgroup::Version::V1 => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
                cgroup::Version::V2 => ("memory.max", "memory.current"),
            };
            let number = |name| read(&folder.join(name))?.trim().parse::<u64>().ok();
            let cache = read(&folder.join("memory.stat"))
                .and_then(|text| {
                    text.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok())
                })
                .unwrap_or(0);
            Some(number(limit)?.saturating_sub(number(used)?.saturating_sub(cache)))
        })
    });
    left.chain(machine).min()
}

/// What a process has in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// All of it, what it shares with other processes included.
    pub all: u64,
    /// What belongs to no file: heap and stacks, those it inherited at a fork included.
    pub anonymous: u64,
}

/// What a process has in memory now. One short file: cheap enough to be read often.
pub fn resident_memory(pid: Pid) -> Option<Resident> {
    resident(&fs::read_to_string(format!("/proc/{pid}/statm")).ok()?)
}

/// Fields in pages: size, resident, of these belonging to files or shared.
fn resident(statm: &str) -> Option<Resident> {
    let mut pages = statm.split_ascii_whitespace().skip(1).map_while(|word| word.parse::<u64>().ok());
    let (all, shared) = (pages.next()?, pages.next()?);
    let bytes = |pages: u64| pages.saturating_mul(page_size() as u64);
    Some(Resident { all: bytes(all), anonymous: bytes(all.saturating_sub(shared)) })
}

/// How a process shares its memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// What no other process shares.
    pub private: u64,
    /// A page that four processes share counts a quarter.
    pub proportional: u64,
}

/// How a process shares its memory now. Walks its pages: milliseconds for a large one.
pub fn memory_shares(pid: Pid) -> Option<Shares> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let private = kibibytes(&text, "Private_Dirty:")? + kibibytes(&text, "Private_Clean:").unwrap_or(0);
    Some(Shares { private, proportional: kibibytes(&text, "Pss:").unwrap_or(private) })
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// When memory runs out the kernel is to end this process rather than one like it that was not named. Raises what
/// counts against it by a tenth of all memory; fails silently.
pub fn offer_to_memory_killer(pid: Pid) {
    let path = format!("/proc/{pid}/oom_score_adj");
    if let Some(now) = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<i32>().ok()) {
        let _ = fs::write(path, (now + 100).min(1000).to_string());
    }
}

#[cfg(test)]
mod tests;
