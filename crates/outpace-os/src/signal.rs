//! Process ids and signals: sending them, naming them, asking whether a process lives.

use std::io;

use rustix::process::{
    Signal as Raw, WaitId, WaitIdOptions, kill_process, kill_process_group, test_kill_process, waitid,
};

use crate::proc::facts;

/// A process id (or, for [`kill_group`], a process group's).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub i32);

impl Pid {
    /// This process.
    pub fn current() -> Self {
        rustix::process::getpid().into()
    }

    /// The id as system calls want it; `None` for ids that are no process's.
    pub(crate) fn raw(self) -> Option<rustix::process::Pid> {
        if self.0 > 0 { rustix::process::Pid::from_raw(self.0) } else { None }
    }
}

impl From<rustix::process::Pid> for Pid {
    fn from(pid: rustix::process::Pid) -> Self {
        Self(pid.as_raw_pid())
    }
}

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The signals that outpace sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`, as Ctrl-C.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
    /// `SIGKILL`.
    Kill,
    /// `SIGSTOP`.
    Stop,
    /// `SIGCONT`.
    Continue,
}

impl Signal {
    fn raw(self) -> Raw {
        match self {
            Self::Interrupt => Raw::INT,
            Self::Terminate => Raw::TERM,
            Self::Kill => Raw::KILL,
            Self::Stop => Raw::STOP,
            Self::Continue => Raw::CONT,
        }
    }
}

/// Sends a signal to a process. A process that is already gone is no error.
pub fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    gone_is_fine(kill_process(target(pid)?, signal.raw()))
}

/// Sends a signal to every process of a group. A group that is already gone is no error.
pub fn kill_group(group: Pid, signal: Signal) -> io::Result<()> {
    gone_is_fine(kill_process_group(target(group)?, signal.raw()))
}

/// Whether the process can still run: false once it has died, though nobody may have reaped it yet.
pub fn is_alive(pid: Pid) -> bool {
    let Some(raw) = pid.raw() else { return false };
    match test_kill_process(raw) {
        Ok(()) | Err(rustix::io::Errno::PERM) => !is_unreaped_child(raw) && !is_zombie(pid),
        Err(_) => false,
    }
}

/// The name of a signal, `SIGSEGV` say, with numbers where there is none (`SIGRTMIN+3`, `signal 99`).
pub fn name_of(signal: i32) -> String {
    if let Some((_, name)) = NAMES.iter().find(|(number, _)| *number == signal) {
        return (*name).to_owned();
    }
    match signal {
        32 | 33 => format!("SIG{signal}"),
        34 => "SIGRTMIN".to_owned(),
        35..=64 => format!("SIGRTMIN+{}", signal - 34),
        _ => format!("signal {signal}"),
    }
}

/// Ids that mean "a group", "everyone" or "init" to the kernel never leave this crate.
fn target(pid: Pid) -> io::Result<rustix::process::Pid> {
    pid.raw().filter(|_| pid.0 > 1).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("refusing to send a signal to process id {pid}"))
    })
}

fn gone_is_fine(sent: rustix::io::Result<()>) -> io::Result<()> {
    match sent {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn is_unreaped_child(pid: rustix::process::Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(pid), look), Ok(Some(_)))
}

/// A zombie with more than one thread is a process whose first thread has ended: the others run on.
fn is_zombie(pid: Pid) -> bool {
    let facts = facts(pid);
    matches!(facts.state, Some('Z' | 'X')) && facts.threads.is_none_or(|threads| threads <= 1)
}

const NAMES: &[(i32, &str)] = &[
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGSTKFLT, "SIGSTKFLT"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGSYS, "SIGSYS"),
];
