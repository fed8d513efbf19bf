//! The processes of a run: starting them with their descriptors, and leaving none behind.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use outpace_os::{
    Pid, Signal, SpawnSpec, children, has_children, kill, kill_group, reap, socket_pair, spawn,
};

/// Names the inherited descriptor of the socket.
const SOCKET: &str = "OUTPACE_SOCKET";

/// Starts a Python process of this run; returns its process id and our end of its socket.
pub(crate) fn start(argv: &[String], open_files: u64) -> io::Result<(Pid, OwnedFd)> {
    let (ours, theirs) = socket_pair()?;
    let number = theirs.as_raw_fd().to_string();
    let pid = spawn(SpawnSpec {
        argv: argv.iter().map(OsString::from).collect(),
        env: None,
        set_env: vec![(SOCKET.into(), number.into())],
        cwd: None,
        fds: vec![theirs],
        stdin_null: true,
        stdout_null: true,
        own_group: true,
        die_with_parent: true,
        open_files: Some(open_files),
    })?;
    Ok((pid, ours))
}

/// A template that was there before this process: the program it was forked from has become the coordinator.
#[derive(Debug)]
pub struct ForkedTemplate {
    /// Its process id; a child of this process.
    pub pid: i32,
    /// Our end of its socket.
    pub socket: OwnedFd,
}

/// SIGKILL to a process and what it started in its group.
pub(crate) fn kill_tree(pid: i32) {
    let _ = kill_group(Pid(pid), Signal::Kill);
    let _ = kill(Pid(pid), Signal::Kill);
}

/// Kills every process of this run that is still there. Orphans come to us, since we are their subreaper, so the
/// children of now are all there is; killing them brings their children.
pub(crate) fn leave_none() {
    let until = Instant::now() + Duration::from_secs(2);
    while has_children() && Instant::now() < until {
        for pid in children() {
            let _ = kill(pid, Signal::Kill);
        }
        std::thread::sleep(Duration::from_millis(1));
        reap();
    }
}

/// Waits for one child to end by itself.
pub(crate) fn wait_for(pid: i32, patience: Duration) {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if reap().iter().any(|(ended, _)| ended.0 == pid) || !outpace_os::is_alive(Pid(pid)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
