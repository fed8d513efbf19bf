//! The terminal: put back into the state it was in when nobody else is left to do so, and read key by key.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr, tcsetpgrp,
};

use crate::signal::Pid;

/// A terminal, and what it was like.
#[derive(Debug)]
pub struct Terminal {
    device: File,
    attributes: Termios,
    foreground: Pid,
}

impl Terminal {
    /// Remembers the terminal as it is now. `foreground` is the process group that it is to belong to again.
    pub fn remember(path: &Path, foreground: Pid) -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)?;
        let attributes = tcgetattr(&device)?;
        Ok(Self { device, attributes, foreground })
    }

    /// Puts it back. Both are tried: a terminal that controls no process has no foreground.
    pub fn restore(&self) -> io::Result<()> {
        // SAFETY: no handler is installed. Else the kernel would stop us, as it stops any process of the background
        // that touches the terminal.
        unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
        let given = match self.foreground.raw() {
            Some(group) => tcsetpgrp(&self.device, group),
            None => Ok(()),
        };
        tcsetattr(&self.device, OptionalActions::Now, &self.attributes)?;
        Ok(given?)
    }
}

/// A terminal that gives each key at once and shows none, as long as this lives. Ctrl-C and Ctrl-Z stay what they are.
#[derive(Debug)]
pub struct SingleKeys {
    device: OwnedFd,
    attributes: Termios,
}

impl SingleKeys {
    /// The terminal gives keys; reading from it does not wait.
    pub fn begin(terminal: BorrowedFd<'_>) -> io::Result<Self> {
        let device = terminal.try_clone_to_owned()?;
        let attributes = tcgetattr(&device)?;
        let mut changed = attributes.clone();
        changed.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        changed.special_codes[SpecialCodeIndex::VMIN] = 0;
        changed.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&device, OptionalActions::Now, &changed)?;
        Ok(Self { device, attributes })
    }
}

impl Drop for SingleKeys {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.device, OptionalActions::Now, &self.attributes);
    }
}

/// What there is to read, with no buffer between.
pub fn read_now(from: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(from, bytes)?)
}
