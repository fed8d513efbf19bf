//! The terminal of a run, put back into the state it was in when nobody else is left to do so.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr, tcsetpgrp};

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
