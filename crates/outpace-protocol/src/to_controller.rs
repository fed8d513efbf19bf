//! What the coordinator says to the controller (the user's pytest).

use outpace_model::{ItemIndex, Phase, WorkerIndex};
use serde::{Deserialize, Serialize};

use crate::fields::{Items, Reader, from_json, to_json};
use crate::{Frame, Hello, ProtocolError, StartMethod};

mod kind {
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
    pub(super) const GROW: u8 = 50;
    pub(super) const POOL: u8 = 51;
    pub(super) const LEND: u8 = 52;
    pub(super) const RETURNED: u8 = 53;
    pub(super) const LOOKED: u8 = 44;
    pub(super) const RECYCLED: u8 = 56;
    pub(super) const MEMORY: u8 = 57;
    pub(super) const NOTICE: u8 = 60;
    pub(super) const AT: u8 = 61;
    pub(super) const WAITED: u8 = 62;
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
    /// Whether it was ended because what it did took too long; a `Looked` has said where it was.
    pub hung: bool,
}

/// Why it was looked at what a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// It is slow; nothing is done about it.
    Slow,
    /// It took longer than it may, and is ended.
    Limit,
    /// The run is interrupted.
    Stop,
}

/// What a process was found to be busy with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Which; for the template the first worker.
    pub worker: WorkerIndex,
    /// Its process id.
    pub pid: i32,
    /// Why it was looked at.
    pub why: Why,
    /// The test it runs, if it runs one.
    pub item: Option<ItemIndex>,
    /// The phase it is in.
    pub phase: Phase,
    /// What it said it was busy with before its first test.
    pub doing: String,
    /// Milliseconds since that test, or whatever it does, began.
    pub since: u64,
    /// Milliseconds since the phase began.
    pub phase_since: u64,
    /// Milliseconds it may take; 0 = for ever.
    pub limit: u64,
    /// The Python stacks, as `faulthandler` writes them, or why there are none.
    pub stacks: String,
    /// What the kernel says of it, line by line.
    pub native: Vec<String>,
}

/// A worker ended because the run used more memory than it may; one more is to be announced in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recycled {
    /// Which.
    pub worker: WorkerIndex,
    /// Bytes that it used beyond what it shares.
    pub own: u64,
    /// Bytes that it may use for itself.
    pub share: u64,
    /// Bytes that the run may use.
    pub limit: u64,
    /// The tests that made it grow most.
    pub items: Vec<ItemIndex>,
}

/// What one worker used at its peak, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// Which.
    pub worker: WorkerIndex,
    /// Resident, shared pages included.
    pub resident: u64,
    /// What it shares with nobody.
    pub own: u64,
    /// Its proportional share (PSS); 0 where it was never read.
    pub proportional: u64,
}

/// The memory that a run used, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryReport {
    /// What it might have used.
    pub limit: u64,
    /// Each worker's peak.
    pub workers: Vec<Peak>,
    /// When the workers and the template used most: their proportional shares added up.
    pub together: u64,
    /// What their resident memories added up to then: what they would have used had they shared nothing.
    pub unshared: u64,
}

/// A process stops in a debugger, and is to get the terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lend {
    /// Counts how often the terminal was wanted; the answer names it.
    pub turn: u32,
    /// Which; for the template the first worker.
    pub worker: WorkerIndex,
    /// Its process id.
    pub pid: i32,
    /// The test it runs, if it runs one.
    pub item: Option<ItemIndex>,
    /// What it said it was busy with before its first test.
    pub doing: String,
    /// How many others wait for their turn.
    pub waiting: u32,
}

/// Why a worker started no test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitedFor {
    /// Another worker has a serial test, or all others are to come to an end before one.
    Serial,
    /// What its next tests need is in use.
    Resource,
    /// The CPU was full, and it is one that an elastic run added.
    Held,
    /// Somebody had the terminal.
    Debugger,
    /// A scheduler in the controller had given it nothing.
    Scheduler,
    /// The others had what was left.
    Tests,
}

/// A worker that had torn everything down, and started nothing for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waited {
    /// Which.
    pub worker: WorkerIndex,
    /// What for.
    pub why: WaitedFor,
    /// The names of what was in use.
    pub resources: Vec<String>,
    /// Microseconds, until now.
    pub micros: u64,
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

#[derive(Serialize, Deserialize)]
struct Message {
    message: String,
}
#[derive(Serialize, Deserialize)]
struct Grow {
    count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}
#[derive(Serialize, Deserialize)]
struct Pool {
    workers: u32,
    busy: Option<f64>,
}
#[derive(Serialize, Deserialize)]
struct At {
    at: u64,
}
#[derive(Serialize, Deserialize)]
struct Returned {
    turn: u32,
}
#[derive(Serialize, Deserialize)]
struct Workers {
    workers: Vec<WorkerIndex>,
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
    /// A worker gave its memory back.
    Recycled(Recycled),
    /// What was used, if that was asked for; said before the end.
    Memory(MemoryReport),
    /// What a process is busy with.
    Looked(Looked),
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
    /// Tests wait and the CPU is idle: announce so many workers more.
    Grow {
        /// How many.
        count: u32,
        /// For the user, where it is not what the machine says now.
        why: Option<String>,
    },
    /// What an elastic run used, said before its end.
    Pool {
        /// The most workers alive at one time.
        workers: u32,
        /// The share of the CPU that was busy while tests ran, 0 to 1; none when that could not be read.
        busy: Option<f64>,
    },
    /// Lend the terminal to a process; answered by `Lent`.
    Lend(Lend),
    /// The process is done with the terminal, or is gone: take it back.
    Returned {
        /// Of the `Lend`.
        turn: u32,
    },
    /// Something the user should know, once: a line of the summary.
    Notice {
        /// The line.
        message: String,
    },
    /// `--timeline`: when the message that follows was due.
    At {
        /// Microseconds since 1970.
        at: u64,
    },
    /// `--timeline`: a worker waited until now.
    Waited(Waited),
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
            Self::Recycled(recycled) => Frame::write(kind::RECYCLED, &to_json(recycled), out),
            Self::Memory(report) => Frame::write(kind::MEMORY, &to_json(report), out),
            Self::Looked(looked) => Frame::write(kind::LOOKED, &to_json(looked), out),
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
            Self::Grow { count, why } => {
                Frame::write(kind::GROW, &to_json(&Grow { count: *count, why: why.clone() }), out);
            }
            Self::Pool { workers, busy } => {
                Frame::write(kind::POOL, &to_json(&Pool { workers: *workers, busy: *busy }), out);
            }
            Self::Lend(lend) => Frame::write(kind::LEND, &to_json(lend), out),
            Self::Returned { turn } => {
                Frame::write(kind::RETURNED, &to_json(&Returned { turn: *turn }), out);
            }
            Self::At { at } => Frame::write(kind::AT, &to_json(&At { at: *at }), out),
            Self::Waited(waited) => Frame::write(kind::WAITED, &to_json(waited), out),
            Self::Finished(finished) => Frame::write(kind::FINISHED, &to_json(finished), out),
            Self::Notice { message } => {
                Frame::write(kind::NOTICE, &to_json(&Message { message: message.clone() }), out);
            }
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
            kind::RECYCLED => Self::Recycled(from_json(frame.kind, json)?),
            kind::MEMORY => Self::Memory(from_json(frame.kind, json)?),
            kind::LOOKED => Self::Looked(from_json(frame.kind, json)?),
            kind::STARTED => Self::Started(from_json(frame.kind, json)?),
            kind::UNSCHEDULED => {
                let Items { worker, items } = from_json(frame.kind, json)?;
                Self::Unscheduled { worker, items }
            }
            kind::DIFFERENT => Self::Different { workers: from_json::<Workers>(frame.kind, json)?.workers },
            kind::GROW => {
                let Grow { count, why } = from_json(frame.kind, json)?;
                Self::Grow { count, why }
            }
            kind::POOL => {
                let Pool { workers, busy } = from_json(frame.kind, json)?;
                Self::Pool { workers, busy }
            }
            kind::LEND => Self::Lend(from_json(frame.kind, json)?),
            kind::RETURNED => Self::Returned { turn: from_json::<Returned>(frame.kind, json)?.turn },
            kind::NOTICE => Self::Notice { message: from_json::<Message>(frame.kind, json)?.message },
            kind::AT => Self::At { at: from_json::<At>(frame.kind, json)?.at },
            kind::WAITED => Self::Waited(from_json(frame.kind, json)?),
            kind::FINISHED => Self::Finished(from_json(frame.kind, json)?),
            kind::FATAL => Self::Fatal { message: from_json::<Message>(frame.kind, json)?.message },
            other => return Err(ProtocolError::Kind(other)),
        })
    }
}
