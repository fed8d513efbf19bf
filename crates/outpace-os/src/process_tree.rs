//! Who is whose child, as far as `/proc` tells.
//!
//! A snapshot: processes come and go while it is taken. To be sure that nothing is left, kill, reap and look
//! again until [`crate::has_children`] says no.

use std::fs;
use std::path::Path;

use crate::proc::{Stat, seconds};
use crate::signal::Pid;

/// This process's direct children, those that ended and are not yet reaped included. Empty when `/proc` is
/// not there.
pub fn children() -> Vec<Pid> {
    let own = Pid::current();
    children_by_thread("self").unwrap_or_else(|| {
        processes().into_iter().filter(|(_, parent)| *parent == own).map(|(pid, _)| pid).collect()
    })
}

/// Every process below `of`, parents before their children. A process whose parent has died is not below it
/// any more: it is its reaper's child. Empty when `/proc` is not there.
pub fn descendants(of: Pid) -> Vec<Pid> {
    let mut rest = processes();
    let mut found = Vec::new();
    let mut parents = vec![of];
    while !parents.is_empty() {
        let (below, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|(_, parent)| parents.contains(parent));
        parents = below.into_iter().map(|(pid, _)| pid).collect();
        found.extend(&parents);
        rest = others;
    }
    found
}

/// The same as [`descendants`], from the kernel's lists of children where it has them: it takes as long as there are
/// processes below, not as there are in the machine.
pub fn tree(of: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut rest = vec![of];
    while let Some(pid) = rest.pop() {
        let Some(children) = children_by_thread(&pid.to_string()) else {
            if pid == of {
                return descendants(of);
            }
            continue;
        };
        found.extend(&children);
        rest.extend(children);
    }
    found
}

/// What a process and everything below it has used of the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TreeUsage {
    /// User and system, of those that live and of those that were waited for. Two readings show what was used between.
    pub cpu_seconds: f64,
    /// One of them has a core or wants one, or sleeps where nothing can wake it: the disk is at work for it.
    pub is_running: bool,
}

/// What `root` and the processes below it have used. `None` where the kernel does not list children, or the process is
/// gone. A process whose parent has died is not below it any more.
pub fn tree_usage(root: Pid) -> Option<TreeUsage> {
    let mut ticks = 0;
    let mut is_running = false;
    let mut rest = vec![root];
    while let Some(pid) = rest.pop() {
        let folder = pid.to_string();
        let stat = fs::read(Path::new("/proc").join(&folder).join("stat")).ok();
        let Some(stat) = stat.and_then(|stat| Stat::parse(&stat)) else {
            if pid == root {
                return None;
            }
            continue;
        };
        ticks += stat.cpu_ticks + stat.children_ticks;
        is_running |= matches!(stat.state, 'R' | 'D');
        rest.extend(children_by_thread(&folder)?);
    }
    Some(TreeUsage { cpu_seconds: seconds(ticks), is_running })
}

/// The kernel's own list, where it is built with one: cheap however many processes the machine runs.
fn children_by_thread(process: &str) -> Option<Vec<Pid>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(Path::new("/proc").join(process).join("task")).ok()?.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => {
                found.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok().map(Pid)));
            }
            Err(_) if thread.path().exists() => return None,
            Err(_) => {}
        }
    }
    Some(found)
}

/// Every process and its parent.
fn processes() -> Vec<(Pid, Pid)> {
    let Ok(folders) = fs::read_dir("/proc") else { return Vec::new() };
    let process = |folder: fs::DirEntry| {
        let pid: i32 = folder.file_name().to_str()?.parse().ok()?;
        let stat = Stat::parse(&fs::read(folder.path().join("stat")).ok()?)?;
        Some((Pid(pid), stat.parent))
    };
    folders.flatten().filter_map(process).collect()
}
