//! What can happen to a run, and what it can ask for.

use outpace_model::{Paid, Phase, WorkerIndex};
use outpace_protocol::{FromController, FromWorker, ToController, ToWorker, Why};

use crate::history::{Observation, Recollection};
use crate::watch::{Found, Sight};

pub use crate::pool::Load;
pub use crate::recycle::Usage;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The process that was started as the template.
    Template,
    /// A worker, forked or spawned.
    Worker(WorkerIndex),
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The controller said something.
    Controller(FromController),
    /// The controller's connection ended.
    ControllerGone,
    /// A template or worker said something.
    Message(Peer, FromWorker),
    /// A connection ended: everything that was sent on it has been handled before.
    Closed {
        /// Whose.
        peer: Peer,
        /// Why it was cut, when it did not simply end.
        fault: Option<String>,
        /// The lane's last words: grants claimed, and the phase.
        position: u32,
        /// See `position`.
        phase: Phase,
    },
    /// A process ended.
    Exited {
        /// Which.
        pid: i32,
        /// How, in words.
        cause: String,
    },
    /// A process was started for this peer.
    Spawned(Peer, i32),
    /// A process could not be started.
    SpawnFailed(Peer, String),
    /// The answer to `Revoke`: grants from `kept` on are provably not started and never will be.
    Revoked {
        /// Whose.
        worker: WorkerIndex,
        /// Grants below this position stay with the worker.
        kept: u32,
    },
    /// How busy the machine is; wanted some ten times a second while [`crate::Run::is_elastic`].
    Load(Load),
    /// How much memory the workers use.
    Memory(Usage),
    /// A lane says something else than before.
    Seen(Peer, Sight),
    /// The answer to `Look`; it always comes.
    Looked {
        /// At whom.
        peer: Peer,
        /// Why.
        why: Why,
        /// What was found.
        found: Found,
    },
    /// The answer to `Recall`; in words why there is none. It always comes.
    Recalled(Result<Recollection, String>),
    /// A deadline of [`crate::Run::deadline`] may have passed.
    Tick,
}

/// Something is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Tell the controller.
    ToController(ToController),
    /// Tell a template or worker.
    Send(Peer, ToWorker),
    /// Start a Python process for this peer, connected by a socket of its own.
    Spawn {
        /// For whom.
        peer: Peer,
        /// The command line.
        argv: Vec<String>,
    },
    /// Have the template fork a worker: open a socket pair, send `ToWorker::Fork` with the far end.
    Fork {
        /// Which worker.
        worker: WorkerIndex,
        /// Its lane.
        lane: u32,
        /// Its input.
        input: Vec<u8>,
    },
    /// Clear a lane for a new worker.
    ResetLane(u32),
    /// Let the worker claim what it is granted.
    Unlimit(u32),
    /// Let the worker claim nothing more.
    Halt(u32),
    /// Find out which grants the worker has not claimed, and forbid them; answered by `Event::Revoked`.
    Revoke {
        /// Whose.
        worker: WorkerIndex,
        /// Its lane.
        lane: u32,
    },
    /// SIGINT to one process.
    Interrupt(i32),
    /// Find out what a process is busy with; answered by `Event::Looked`.
    Look {
        /// Whose lane says how.
        peer: Peer,
        /// Its process.
        pid: i32,
        /// Why.
        why: Why,
        /// What is going to be asked to fail, and is to stand still until then.
        hold: Option<u32>,
    },
    /// Have a process let fail what it is at, if that is still what is meant.
    AskToFail {
        /// Whose lane carries the question.
        peer: Peer,
        /// Its process.
        pid: i32,
        /// What is meant.
        asked: u32,
    },
    /// SIGTERM to one process.
    Terminate(i32),
    /// SIGKILL to a process and its whole group.
    Kill(i32),
    /// Read what is left on the connection, then treat it as ended.
    Close(Peer),
    /// Find out what this file knows of earlier runs; answered by `Event::Recalled`.
    Recall {
        /// The file.
        path: String,
        /// The root folder of the tests.
        root: String,
    },
    /// Note in that file what this run taught, beside everything else that is to be done.
    Learn(Vec<Observation>, Paid),
    /// The run is over; end the process.
    Quit,
}
