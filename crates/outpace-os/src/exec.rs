//! The child's side of [`crate::spawn()`]: from `fork` to `exec`.
//!
//! The child is a copy of a process that may have had threads holding any lock, the allocator's included. So
//! between `fork` and `exec` it only makes system calls on memory that [`Plan`] prepared: no allocation, no
//! formatting, no panic, no destructor.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int};

/// Everything the child needs, ready in memory.
pub(crate) struct Plan {
    /// The files to try, in `PATH` order.
    pub(crate) programs: Vec<CString>,
    pub(crate) argv: PointerArray,
    pub(crate) env: PointerArray,
    pub(crate) cwd: Option<CString>,
    pub(crate) keep: Vec<RawFd>,
    pub(crate) closing: Closing,
    /// `/dev/null`, and the standard descriptors that it replaces.
    pub(crate) null: Option<OwnedFd>,
    pub(crate) null_targets: Vec<RawFd>,
    pub(crate) own_group: bool,
    /// The parent without which the child must not live.
    pub(crate) die_with: Option<libc::pid_t>,
    pub(crate) open_files: Option<libc::rlimit>,
    /// Where a failure is written; closed by `exec`.
    pub(crate) report: OwnedFd,
}

/// How every descriptor that is not the child's is kept from it.
pub(crate) enum Closing {
    /// One system call marks them all (Linux 5.11).
    Range,
    /// These were open shortly before the fork.
    Each(Vec<RawFd>),
}

/// The child's steps that can fail; the number goes through the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Group = 1,
    DieWithParent,
    OpenFiles,
    Null,
    Folder,
    Descriptors,
    Exec,
}

impl Step {
    pub(crate) const ALL: [Self; 7] = [
        Self::Group,
        Self::DieWithParent,
        Self::OpenFiles,
        Self::Null,
        Self::Folder,
        Self::Descriptors,
        Self::Exec,
    ];
}

/// A null-terminated array of C strings, as `execve` takes it.
pub(crate) struct PointerArray {
    pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

impl PointerArray {
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _strings: strings }
    }
}

impl Plan {
    /// Runs the child. Every signal is blocked when it is called.
    ///
    /// # Safety
    ///
    /// Only in a process that `fork` has just made: it changes the process beyond repair and never returns.
    pub(crate) unsafe fn run(&self) -> ! {
        // SAFETY: the caller's promise is `steps`'; `write` reads a local array; `_exit` runs no code of
        // ours.
        unsafe {
            let (step, errno) = self.steps();
            let errno = errno.to_le_bytes();
            let message = [step as u8, errno[0], errno[1], errno[2], errno[3]];
            libc::write(self.report.as_raw_fd(), message.as_ptr().cast(), message.len());
            libc::_exit(127)
        }
    }

    /// Returns only when a step has failed.
    unsafe fn steps(&self) -> (Step, c_int) {
        // SAFETY: system calls on this process alone, with pointers into `self` or to locals that outlive
        // each call.
        unsafe {
            default_signals();
            if self.own_group && libc::setpgid(0, 0) != 0 {
                return failed(Step::Group);
            }
            if let Some(parent) = self.die_with {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return failed(Step::DieWithParent);
                }
                // The parent may have died before the call: then nobody would send the signal any more.
                if libc::getppid() != parent {
                    libc::_exit(127);
                }
            }
            if let Some(limit) = &self.open_files
                && libc::setrlimit(libc::RLIMIT_NOFILE, limit) != 0
            {
                return failed(Step::OpenFiles);
            }
            if let Some(null) = &self.null {
                for target in &self.null_targets {
                    if libc::dup2(null.as_raw_fd(), *target) < 0 {
                        return failed(Step::Null);
                    }
                }
            }
            if let Some(folder) = &self.cwd
                && libc::chdir(folder.as_ptr()) != 0
            {
                return failed(Step::Folder);
            }
            if !self.mark_descriptors() {
                return failed(Step::Descriptors);
            }
            unblock_signals();
            self.exec()
        }
    }

    /// Leaves 0, 1, 2 and `keep` open across `exec`, and nothing else.
    unsafe fn mark_descriptors(&self) -> bool {
        // SAFETY: flags of descriptors, no memory.
        unsafe {
            match &self.closing {
                Closing::Range => {
                    if !mark_range(3, libc::c_uint::MAX) {
                        return false;
                    }
                }
                Closing::Each(open) => {
                    for fd in open {
                        libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC);
                    }
                }
            }
            self.keep.iter().all(|fd| libc::fcntl(*fd, libc::F_SETFD, 0) == 0)
        }
    }

    /// As `execvp`: a folder of `PATH` without the program is passed over, one that forbids it is remembered.
    unsafe fn exec(&self) -> (Step, c_int) {
        let mut errno = libc::ENOENT;
        for program in &self.programs {
            // SAFETY: null-terminated strings and arrays owned by `self`.
            unsafe {
                libc::execve(program.as_ptr(), self.argv.pointers.as_ptr(), self.env.pointers.as_ptr());
            }
            match failed(Step::Exec).1 {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => errno = libc::EACCES,
                other => return (Step::Exec, other),
            }
        }
        (Step::Exec, errno)
    }
}

/// Marks a range of descriptors to be closed by `exec`; false where the kernel cannot.
pub(crate) fn mark_range(first: libc::c_uint, last: libc::c_uint) -> bool {
    // SAFETY: numbers only.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) == 0 }
}

/// Handlers of the parent must not run in the child, and what Rust ignores (`SIGPIPE`) or a shell ignores for
/// background jobs (`SIGINT`) is Python's again. Other signals that are ignored stay so: `nohup` means it.
unsafe fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: zero is a valid sigaction (no handler, no flags), and both point to locals; numbers that
        // are not for us to change give an error and change nothing.
        unsafe {
            let default: libc::sigaction = std::mem::zeroed();
            let mut current: libc::sigaction = std::mem::zeroed();
            let ignored = libc::sigaction(signal, ptr::null(), &raw mut current) == 0
                && current.sa_sigaction == libc::SIG_IGN;
            if !ignored || matches!(signal, libc::SIGINT | libc::SIGPIPE) {
                libc::sigaction(signal, &raw const default, ptr::null_mut());
            }
        }
    }
}

unsafe fn unblock_signals() {
    // SAFETY: the set is a local, emptied before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

fn failed(step: Step) -> (Step, c_int) {
    // SAFETY: the address of this thread's errno is always valid.
    (step, unsafe { *libc::__errno_location() })
}
