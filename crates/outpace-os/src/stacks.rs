//! Having another process write down its Python stacks, and asking it to fail: by signals it has installed handlers for.
//!
//! A Python process of a run has an in-memory file of its own, and `faulthandler` writes all threads' stacks there when
//! [`DUMP_SIGNAL`] comes, also while C code holds the interpreter's lock. Its test may have closed that file, blocked the
//! signal or taken the handler away, and a signal without a handler would end the process: so all of it is looked at
//! before, in `/proc`, and a refusal says why. Nothing here waits.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::signal::Pid;

/// Has `faulthandler` write all threads' stacks. `SIGRTMAX-4`; `outpace.worker.stacks` installs the handler.
pub const DUMP_SIGNAL: i32 = 60;
/// Asks for what the lane says. `SIGRTMAX-3`; `outpace.worker.failing` installs the handler.
pub const ASK_SIGNAL: i32 = 61;

/// What the in-memory file is called.
const NAME: &str = "/memfd:outpace-stacks";

/// The file in which a process writes its stacks down.
#[derive(Debug)]
pub struct StackFile {
    pid: Pid,
    path: PathBuf,
    read: u64,
}

impl StackFile {
    /// The descriptor `fd` of process `pid`, if it still is what it was; what is there already is skipped.
    pub fn open(pid: Pid, fd: Option<u32>) -> Result<Self, String> {
        let fd = fd.ok_or("the process has not installed a handler yet")?;
        let path = PathBuf::from(format!("/proc/{pid}/fd/{fd}"));
        match fs::read_link(&path) {
            Ok(target) if target.to_string_lossy().starts_with(NAME) => {}
            Ok(_) => return Err("the test closed the descriptor they are written to".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err("the process or its descriptor for them is gone".to_owned());
            }
            Err(error) => return Err(format!("/proc cannot be read: {error}")),
        }
        let read = fs::metadata(&path).map(|data| data.len()).map_err(|error| error.to_string())?;
        Ok(Self { pid, path, read })
    }

    /// Asks for a dump, if that harms nobody.
    pub fn request(&self) -> Result<(), String> {
        send(self.pid, DUMP_SIGNAL)
    }

    /// What was written since `open`, or since the last call.
    pub fn more(&mut self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        self.read += bytes.len() as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Sends a process the signal that means "look at your lane", unless it has no handler for it.
pub fn ask(pid: Pid) -> Result<(), String> {
    match handling(pid, ASK_SIGNAL) {
        // A process over its time is ended anyway: here the signal may do harm.
        Handling::Unknown | Handling::Handled => raw_kill(pid, ASK_SIGNAL).map_err(|error| error.to_string()),
        Handling::Blocked => Err(BLOCKED.to_owned()),
        Handling::Unhandled => Err(UNHANDLED.to_owned()),
    }
}

const BLOCKED: &str = "the process blocks the signal that asks for them";
const UNHANDLED: &str = "the process took the handler away that writes them";

fn send(pid: Pid, signal: i32) -> Result<(), String> {
    match handling(pid, signal) {
        Handling::Handled => raw_kill(pid, signal).map_err(|error| error.to_string()),
        Handling::Blocked => Err(BLOCKED.to_owned()),
        Handling::Unhandled => Err(UNHANDLED.to_owned()),
        Handling::Unknown => Err("/proc does not say how the process handles signals".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handling {
    Handled,
    /// By all of its threads.
    Blocked,
    Unhandled,
    Unknown,
}

fn handling(pid: Pid, signal: i32) -> Handling {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return Handling::Unknown };
    match has_signal(&status, "SigCgt:", signal) {
        None => return Handling::Unknown,
        Some(false) => return Handling::Unhandled,
        Some(true) => {}
    }
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Handling::Unknown };
    let blocks = |status: String| has_signal(&status, "SigBlk:", signal) == Some(true);
    let blocked = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .all(blocks);
    if blocked { Handling::Blocked } else { Handling::Handled }
}

fn has_signal(status: &str, field: &str, signal: i32) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix(field))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask & (1 << (signal - 1)) != 0)
}

fn raw_kill(pid: Pid, signal: i32) -> io::Result<()> {
    if pid.0 <= 1 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: a system call on numbers; a positive pid is one process.
    if unsafe { libc::kill(pid.0, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
