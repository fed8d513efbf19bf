//! Waiting for a run of pytest while somebody may press Ctrl-C.
//!
//! From the first [`Waiting`] on, SIGINT and SIGTERM no longer end this process: what has been started is ended first.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use outpace_os::{Pid, Signal};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal as Heard, SignalKind, signal};

const LOOK: Duration = Duration::from_millis(2);
/// What pytest gets to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Waiting {
    runtime: Runtime,
    interrupt: Heard,
    terminate: Heard,
}

/// How the waiting ended.
pub(crate) enum Waited {
    /// By itself.
    Ended(ExitStatus),
    /// Somebody wants all of it to end; the run has.
    Told(Signal),
}

impl Waiting {
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        drop(inside);
        Ok(Self { runtime, interrupt, terminate })
    }

    /// Starts it in a process group of its own, so that a Ctrl-C comes to us alone.
    pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
        command.process_group(0).spawn()
    }

    pub(crate) fn wait(&mut self, child: &mut Child) -> io::Result<Waited> {
        let (interrupt, terminate) = (&mut self.interrupt, &mut self.terminate);
        let waited = self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return Ok(Waited::Told(Signal::Interrupt)),
                    _ = terminate.recv() => return Ok(Waited::Told(Signal::Terminate)),
                    () = tokio::time::sleep(LOOK) => match child.try_wait() {
                        Ok(Some(status)) => return Ok(Waited::Ended(status)),
                        Ok(None) => {}
                        Err(error) => return Err(error),
                    },
                }
            }
        })?;
        if matches!(waited, Waited::Told(_)) {
            end(child);
        }
        Ok(waited)
    }
}

fn end(child: &mut Child) {
    let group = group_of(child);
    let _ = outpace_os::kill_group(group, Signal::Interrupt);
    let deadline = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        std::thread::sleep(LOOK);
    }
    let _ = outpace_os::kill_group(group, Signal::Kill);
    let _ = child.wait();
}

/// The process group that it leads.
pub(crate) fn group_of(child: &Child) -> Pid {
    Pid(i32::try_from(child.id()).unwrap_or(0))
}
