//! What is under way, in the order of its time.

use std::collections::BTreeMap;
use std::time::Duration;

use outpace_protocol::{FromController, FromWorker, ToController, ToWorker, Why};
use outpace_supervise::Peer;

pub(crate) type Pid = i32;

#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Arrives at the coordinator.
    FromController(FromController),
    /// Arrives at the coordinator.
    FromPeer(Peer, FromWorker),
    /// The coordinator sees the end of a connection.
    Closed(Peer, Option<String>),
    /// The coordinator reaps a child.
    Reaped(Pid),
    /// Arrives at the controller.
    ToController(ToController),
    /// Arrives at a template or worker.
    ToPeer(Peer, ToWorker),
    /// The template reaps a child.
    TemplateReaps(Pid),
    /// A process goes on, unless something else made it go on since.
    Step(Pid, u32),
    /// Somebody has looked at a process.
    Looked(Peer, Why),
    /// The history has been read.
    Recalled,
    /// The load of the machine is measured.
    Measured,
    /// Somebody kills the template.
    TemplateDies,
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Duration, u64), Happening>,
    count: u64,
}

impl Agenda {
    pub(crate) fn put(&mut self, at: Duration, happening: Happening) {
        self.count += 1;
        self.entries.insert((at, self.count), happening);
    }

    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Duration, Happening)> {
        self.entries.pop_first().map(|((at, _), happening)| (at, happening))
    }
}
