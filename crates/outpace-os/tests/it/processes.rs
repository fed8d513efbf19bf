//! What the tests share: being alone with one's children, starting some, waiting for what must come.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use outpace_os::{Exit, Pid, Signal, SpawnSpec, has_children, kill, reap, spawn};

pub(crate) const ACTOR: &str = env!("CARGO_BIN_EXE_outpace-os-actor");

/// `reap` takes every child of the process, so tests with children run one at a time.
pub(crate) struct Alone(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

pub(crate) fn alone() -> Alone {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    outpace_os::become_subreaper().unwrap();
    Alone(guard)
}

impl Drop for Alone {
    /// Nothing that a test started outlives it, even when it failed.
    fn drop(&mut self) {
        while has_children() {
            for child in outpace_os::children() {
                let _ = kill(child, Signal::Kill);
            }
            reap();
            thread::sleep(Duration::from_millis(1));
        }
    }
}

pub(crate) fn sh(script: &str) -> SpawnSpec {
    command(&["sh", "-c", script])
}

pub(crate) fn command(argv: &[&str]) -> SpawnSpec {
    SpawnSpec { argv: argv.iter().map(Into::into).collect(), ..SpawnSpec::default() }
}

pub(crate) fn start(argv: &[&str]) -> Pid {
    spawn(command(argv)).unwrap()
}

/// Starts `sleep` and waits until it sleeps: before, its loader has files open and its memory is being set up.
pub(crate) fn asleep(spec: SpawnSpec) -> Pid {
    let argv = ["sleep", "100"].map(Into::into).into();
    let child = spawn(SpawnSpec { argv, ..spec }).unwrap();
    until("the child to sleep", || outpace_os::facts(child).state == Some('S'));
    child
}

/// Polls until it is so; what it waits for is an event, and the time only limits a failure.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Reaps until each of these has ended, and gives their ends in this order.
#[track_caller]
pub(crate) fn ends(pids: &[Pid]) -> Vec<Exit> {
    let mut ended = Vec::new();
    until("every process to end", || {
        ended.extend(reap());
        pids.iter().all(|pid| ended.iter().any(|(seen, _)| seen == pid))
    });
    pids.iter().map(|pid| ended.iter().find(|(seen, _)| seen == pid).unwrap().1).collect()
}

#[track_caller]
pub(crate) fn end(pid: Pid) -> Exit {
    ends(&[pid])[0]
}

/// A fresh folder for one test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A line of `/proc/PID/status`.
pub(crate) fn status_line(pid: Pid, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
    line.trim().to_owned()
}
