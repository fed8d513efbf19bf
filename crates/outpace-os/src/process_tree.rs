//! Who is whose child, as far as `/proc` tells.
//!
//! A snapshot: processes come and go while it is taken. To be sure that nothing is left, kill, reap and look
//! again until [`crate::has_children`] says no.

use std::fs;

use crate::proc::Stat;
use crate::signal::Pid;

/// This process's direct children, those that ended and are not yet reaped included. Empty when `/proc` is
/// not there.
pub fn children() -> Vec<Pid> {
    let own = Pid::current();
    children_by_thread().unwrap_or_else(|| {
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

/// The kernel's own list, where it is built with one: cheap however many processes the machine runs.
fn children_by_thread() -> Option<Vec<Pid>> {
    let mut found = Vec::new();
    for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
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
