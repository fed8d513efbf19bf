//! Messages between the controller (the user's pytest) and the coordinator.

use outpace_model::{DistMode, ItemIndex, Phase, WorkerIndex};
use serde::{Deserialize, Serialize};

use crate::fields::{Reader, from_json, to_json};
use crate::{Frame, ProtocolError};

mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const TEMPLATE: u8 = 2;
    pub(super) const PLAN: u8 = 3;
    pub(super) const WORKER: u8 = 4;
    pub(super) const VERDICT: u8 = 5;
    pub(super) const ASSIGN: u8 = 6;
    pub(super) const UNASSIGN: u8 = 7;
    pub(super) const RETIRE: u8 = 8;
    pub(super) const STOP: u8 = 9;
    pub(super) const DONE: u8 = 10;
    pub(super) const REQUEUE: u8 = 11;

    pub(super) const WELCOME: u8 = 32;
    pub(super) const COLLECTED: u8 = 33;
    pub(super) const READY: u8 = 34;
    pub(super) const RESULT: u8 = 35;
    pub(super) const EVENT: u8 = 36;
    pub(super) const DOWN: u8 = 37;
    pub(super) const STARTED: u8 = 38;
    pub(super) const FINISHED: u8 = 39;
    pub(super) const FATAL: u8 = 40;
    pub(super) const UNSCHEDULED: u8 = 41;
    pub(super) const BYE: u8 = 42;
    pub(super) const DIFFERENT: u8 = 43;
}

/// Who is speaking: the first message in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the package or binary; both come from one wheel and must be equal.
    pub version: String,
    /// The CPU quota of this process's cgroup, in whole CPUs, if it has one; only the coordinator says it.
    #[serde(default)]
    pub cpu_quota: Option<u32>,
    /// How many CPUs can be used and why, in words.
    #[serde(default)]
    pub cpus: String,
}

/// How workers come to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartMethod {
    /// `fork` where the template is safe to fork, else `spawn`.
    Auto,
    /// Workers are forks of the collected template.
    Fork,
    /// Each worker is a process of its own that collects for itself.
    Spawn,
}

/// What the run is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `--dist`.
    pub mode: DistMode,
    /// `--loadscope-reorder`.
    pub reorder: bool,
    /// Stop after this many failures; 0 = never.
    pub maxfail: u32,
    /// `--start-method`.
    pub start_method: StartMethod,
    /// The workers the run begins with, in order.
    pub workers: Vec<WorkerIndex>,
}

/// From the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromController {
    /// First message.
    Hello(Hello),
    /// Start the interpreter of the template with these arguments; it waits for its input.
    Template {
        /// The command line.
        argv: Vec<String>,
    },
    /// What the run is to be. Tests start once it and the collection are there.
    Plan(Plan),
    /// This worker may start, with this input (opaque).
    Worker {
        /// Which.
        worker: WorkerIndex,
        /// What the Python end of the worker reads.
        input: Vec<u8>,
    },
    /// The answer to a `Down` with a crashed test: run it again, or let the crash be its result.
    Verdict {
        /// The worker that crashed.
        worker: WorkerIndex,
        /// Whether the test is to run again.
        requeue: bool,
    },
    /// External scheduling: these tests, in this order, on this worker.
    Assign {
        /// Which worker.
        worker: WorkerIndex,
        /// Which tests.
        items: Vec<ItemIndex>,
    },
    /// External scheduling: take these back if none has started; answered by `Unscheduled`.
    Unassign {
        /// Which worker.
        worker: WorkerIndex,
        /// Which tests.
        items: Vec<ItemIndex>,
    },
    /// External scheduling: the worker ends after what it was assigned.
    Retire {
        /// Which worker.
        worker: WorkerIndex,
    },
    /// Start no further test. `interrupt`: running tests get SIGINT; `kill`: everything is killed now.
    Stop {
        /// Send SIGINT to workers that run a test.
        interrupt: bool,
        /// SIGKILL all workers.
        kill: bool,
    },
    /// A test that a plugin wants run again (`sched.mark_test_pending`).
    Requeue {
        /// Which test.
        item: ItemIndex,
    },
    /// The controller has all it needs; the coordinator may end.
    Done,
}

#[derive(Serialize, Deserialize)]
struct Items {
    worker: WorkerIndex,
    items: Vec<ItemIndex>,
}
#[derive(Serialize, Deserialize)]
struct Verdict {
    worker: WorkerIndex,
    requeue: bool,
}
#[derive(Serialize, Deserialize)]
struct One {
    worker: WorkerIndex,
}
#[derive(Serialize, Deserialize)]
struct Stop {
    interrupt: bool,
    kill: bool,
}
#[derive(Serialize, Deserialize)]
struct Argv {
    argv: Vec<String>,
}
#[derive(Serialize, Deserialize)]
struct OneItem {
    item: ItemIndex,
}
#[derive(Serialize, Deserialize)]
struct Message {
    message: String,
}
#[derive(Serialize, Deserialize)]
struct Workers {
    workers: Vec<WorkerIndex>,
}

impl FromController {
    /// Reads a frame that came from the controller.
    pub fn decode(frame: &Frame) -> Result<Self, ProtocolError> {
        let json = &frame.payload;
        Ok(match frame.kind {
            kind::HELLO => Self::Hello(from_json(frame.kind, json)?),
            kind::TEMPLATE => Self::Template { argv: from_json::<Argv>(frame.kind, json)?.argv },
            kind::PLAN => Self::Plan(from_json(frame.kind, json)?),
            kind::WORKER => {
                let mut reader = Reader::new(frame);
                Self::Worker { worker: WorkerIndex(reader.u32()?), input: reader.rest().to_vec() }
            }
            kind::VERDICT => {
                let Verdict { worker, requeue } = from_json(frame.kind, json)?;
                Self::Verdict { worker, requeue }
            }
            kind::ASSIGN => {
                let Items { worker, items } = from_json(frame.kind, json)?;
                Self::Assign { worker, items }
            }
            kind::UNASSIGN => {
                let Items { worker, items } = from_json(frame.kind, json)?;
                Self::Unassign { worker, items }
            }
            kind::RETIRE => Self::Retire { worker: from_json::<One>(frame.kind, json)?.worker },
            kind::STOP => {
                let Stop { interrupt, kill } = from_json(frame.kind, json)?;
                Self::Stop { interrupt, kill }
            }
            kind::REQUEUE => Self::Requeue { item: from_json::<OneItem>(frame.kind, json)?.item },
            kind::DONE => Self::Done,
            other => return Err(ProtocolError::Kind(other)),
        })
    }

    /// Appends the message as a frame (the Python side has its own encoder; this one serves tests and tools).
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => Frame::write(kind::HELLO, &to_json(hello), out),
            Self::Template { argv } => {
                Frame::write(kind::TEMPLATE, &to_json(&Argv { argv: argv.clone() }), out);
            }
            Self::Plan(plan) => Frame::write(kind::PLAN, &to_json(plan), out),
            Self::Worker { worker, input } => {
                Frame::write_parts(kind::WORKER, &[&worker.0.to_le_bytes(), input], out);
            }
            Self::Verdict { worker, requeue } => {
                Frame::write(kind::VERDICT, &to_json(&Verdict { worker: *worker, requeue: *requeue }), out);
            }
            Self::Assign { worker, items } => {
                Frame::write(kind::ASSIGN, &to_json(&Items { worker: *worker, items: items.clone() }), out);
            }
            Self::Unassign { worker, items } => {
                Frame::write(kind::UNASSIGN, &to_json(&Items { worker: *worker, items: items.clone() }), out);
            }
            Self::Retire { worker } => Frame::write(kind::RETIRE, &to_json(&One { worker: *worker }), out),
            Self::Stop { interrupt, kill } => {
                Frame::write(kind::STOP, &to_json(&Stop { interrupt: *interrupt, kill: *kill }), out);
            }
            Self::Requeue { item } => Frame::write(kind::REQUEUE, &to_json(&OneItem { item: *item }), out),
            Self::Done => Frame::write(kind::DONE, &[], out),
        }
    }
}

/// How the workers were started, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// `fork` or `spawn`.
    pub method: StartMethod,
    /// Why it is not the other one; empty when nothing spoke against `fork`.
    pub reasons: Vec<String>,
}

/// A worker ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Which.
    pub worker: WorkerIndex,
    /// Whether it ended without saying goodbye.
    pub crashed: bool,
    /// The test it was running then.
    pub item: Option<ItemIndex>,
    /// The phase that test was in.
    pub phase: Phase,
    /// What is known of the end: "signal 11 (SIGSEGV)", "exit code 0", "wrote bytes that are not …".
    pub cause: String,
    /// Whether the worker died because the template did, so that its test is not to blame and runs again.
    pub innocent: bool,
}

/// The run is over: every worker is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Tests with a terminal record.
    pub done: u32,
    /// Tests that were not run, in collection order.
    pub not_run: Vec<ItemIndex>,
    /// Tests that ended by an interrupt while they ran.
    pub interrupted: Vec<ItemIndex>,
}

/// To the controller.
#[derive(Clone, Debug, PartialEq)]
pub enum ToController {
    /// First message.
    Welcome(Hello),
    /// A worker's (or the template's) collection: the payload of its `Collected`, unread.
    Collected {
        /// Whose.
        worker: WorkerIndex,
        /// As received.
        payload: Vec<u8>,
    },
    /// A worker can take tests; the blob is its `workerinfo`.
    Ready {
        /// Which.
        worker: WorkerIndex,
        /// Opaque.
        info: Vec<u8>,
    },
    /// What happened to a test.
    Result {
        /// Where.
        worker: WorkerIndex,
        /// Which test.
        item: ItemIndex,
        /// Whether this completes the test.
        finished: bool,
        /// Seconds the test took in all; 0 until it is finished.
        duration: f64,
        /// Reports, opaque.
        blob: Vec<u8>,
    },
    /// Anything else a worker or the template says, opaque.
    Event {
        /// Who.
        worker: WorkerIndex,
        /// Opaque.
        blob: Vec<u8>,
    },
    /// A worker finished its session; the blob is its `workeroutput`.
    Bye {
        /// Who.
        worker: WorkerIndex,
        /// Opaque.
        blob: Vec<u8>,
    },
    /// A worker ended.
    Down(Down),
    /// How workers start.
    Started(Started),
    /// Reply to `Unassign`.
    Unscheduled {
        /// Which worker.
        worker: WorkerIndex,
        /// What was taken back: all or nothing.
        items: Vec<ItemIndex>,
    },
    /// These workers collected other tests than the first; nothing will run.
    Different {
        /// Which workers.
        workers: Vec<WorkerIndex>,
    },
    /// The run is over.
    Finished(Finished),
    /// The run cannot go on.
    Fatal {
        /// Why, and what to do.
        message: String,
    },
}

impl ToController {
    /// Appends the message as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Welcome(hello) => Frame::write(kind::WELCOME, &to_json(hello), out),
            Self::Collected { worker, payload } => {
                Frame::write_parts(kind::COLLECTED, &[&worker.0.to_le_bytes(), payload], out);
            }
            Self::Ready { worker, info } => {
                Frame::write_parts(kind::READY, &[&worker.0.to_le_bytes(), info], out);
            }
            Self::Result { worker, item, finished, duration, blob } => Frame::write_parts(
                kind::RESULT,
                &[
                    &worker.0.to_le_bytes(),
                    &item.0.to_le_bytes(),
                    &u32::from(*finished).to_le_bytes(),
                    &duration.to_le_bytes(),
                    blob,
                ],
                out,
            ),
            Self::Event { worker, blob } => {
                Frame::write_parts(kind::EVENT, &[&worker.0.to_le_bytes(), blob], out);
            }
            Self::Bye { worker, blob } => {
                Frame::write_parts(kind::BYE, &[&worker.0.to_le_bytes(), blob], out);
            }
            Self::Down(down) => Frame::write(kind::DOWN, &to_json(down), out),
            Self::Started(started) => Frame::write(kind::STARTED, &to_json(started), out),
            Self::Unscheduled { worker, items } => {
                Frame::write(
                    kind::UNSCHEDULED,
                    &to_json(&Items { worker: *worker, items: items.clone() }),
                    out,
                );
            }
            Self::Different { workers } => {
                Frame::write(kind::DIFFERENT, &to_json(&Workers { workers: workers.clone() }), out);
            }
            Self::Finished(finished) => Frame::write(kind::FINISHED, &to_json(finished), out),
            Self::Fatal { message } => {
                Frame::write(kind::FATAL, &to_json(&Message { message: message.clone() }), out);
            }
        }
    }

    /// Reads a frame that the coordinator sent (for tests and tools).
    pub fn decode(frame: &Frame) -> Result<Self, ProtocolError> {
        let json = &frame.payload;
        let mut reader = Reader::new(frame);
        Ok(match frame.kind {
            kind::WELCOME => Self::Welcome(from_json(frame.kind, json)?),
            kind::COLLECTED => {
                Self::Collected { worker: WorkerIndex(reader.u32()?), payload: reader.rest().to_vec() }
            }
            kind::READY => Self::Ready { worker: WorkerIndex(reader.u32()?), info: reader.rest().to_vec() },
            kind::RESULT => Self::Result {
                worker: WorkerIndex(reader.u32()?),
                item: ItemIndex(reader.u32()?),
                finished: reader.u32()? != 0,
                duration: reader.f64()?,
                blob: reader.rest().to_vec(),
            },
            kind::EVENT => Self::Event { worker: WorkerIndex(reader.u32()?), blob: reader.rest().to_vec() },
            kind::BYE => Self::Bye { worker: WorkerIndex(reader.u32()?), blob: reader.rest().to_vec() },
            kind::DOWN => Self::Down(from_json(frame.kind, json)?),
            kind::STARTED => Self::Started(from_json(frame.kind, json)?),
            kind::UNSCHEDULED => {
                let Items { worker, items } = from_json(frame.kind, json)?;
                Self::Unscheduled { worker, items }
            }
            kind::DIFFERENT => {
                Self::Different { workers: from_json::<Workers>(frame.kind, json)?.workers }
            }
            kind::FINISHED => Self::Finished(from_json(frame.kind, json)?),
            kind::FATAL => Self::Fatal { message: from_json::<Message>(frame.kind, json)?.message },
            other => return Err(ProtocolError::Kind(other)),
        })
    }
}
