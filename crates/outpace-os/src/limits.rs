//! The limit on open files: high for the coordinator, untouched for everything it starts.

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
