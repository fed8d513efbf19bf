//! Limits of processes: on open files, high for the coordinator and untouched for everything it starts; all of them, and
//! the mask of new files, as a launcher hands them on.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises this process's soft limit on open files to the hard one, and returns the soft limit before and now.
///
/// Programs are written for the soft limit they are usually given (`select` breaks above 1,024, and some
/// close every possible descriptor one by one), so children must get the old one back:
/// [`crate::SpawnSpec::open_files`]. `u64::MAX` stands for no limit. Where it cannot be raised, it stays.
pub fn raise_open_files() -> (u64, u64) {
    let limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => (before, limit.maximum.unwrap_or(u64::MAX)),
        Err(_) => (before, before),
    }
}

/// In the order of the kernel's numbers, from 0.
const ALL: [Resource; 16] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];

/// Every limit of this process, soft and hard, by the kernel's numbers; `None` stands for no limit.
pub fn limits() -> Vec<(Option<u64>, Option<u64>)> {
    ALL.iter()
        .map(|resource| {
            let limit = getrlimit(*resource);
            (limit.current, limit.maximum)
        })
        .collect()
}

/// The mask of new files. For a process of one thread: it is set for a moment to be read.
pub fn file_mask() -> u32 {
    let mask = rustix::process::umask(Mode::empty());
    rustix::process::umask(mask);
    mask.bits()
}
