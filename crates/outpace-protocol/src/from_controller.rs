//! What the controller (the user's pytest) says to the coordinator.

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use serde::{Deserialize, Serialize};

use crate::fields::{Items, Reader, from_json, to_json};
use crate::{Frame, Hello, ProtocolError};

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
    pub(super) const ELASTIC: u8 = 20;
    pub(super) const RETRY: u8 = 21;
    pub(super) const MEMORY: u8 = 24;
    pub(super) const LENT: u8 = 22;
    pub(super) const HISTORY: u8 = 30;
    pub(super) const TIMELINE: u8 = 31;
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

/// How long things may take, in milliseconds; 0 = for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// `--slow-timeout`: from then on it is said what a test is busy with, again and again.
    pub slow: u64,
    /// `--test-timeout`: then a test is ended.
    pub test: u64,
    /// `--timeout-grace`: what a test that is to end gets for its teardown.
    pub grace: u64,
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
    /// What may take how long.
    #[serde(default)]
    pub timeouts: Timeouts,
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
    /// `-n auto`: the run may have up to so many workers while tests wait.
    Elastic {
        /// The most at one time.
        most: u32,
    },
    /// Where the history of earlier runs is kept. Comes before the plan.
    History {
        /// The file; its folder may be missing.
        path: String,
        /// The root folder of the tests.
        root: String,
    },
    /// `--retry`: a test that failed runs again, alone, at the end of the run.
    Retry {
        /// How often, at most.
        times: u32,
    },
    /// How much memory the run may use, and whether it is to be told at the end what it used.
    Memory {
        /// `--memory-limit` in bytes; 0 = a share of what is available.
        limit: u64,
        /// `--memory`.
        report: bool,
    },
    /// `--timeline`: say when things happen, and what workers wait for. Comes before the workers.
    Timeline {
        /// The time of day, in microseconds since 1970.
        at: u64,
    },
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
    /// The answer to a `Lend`: the terminal is the worker's, or there is none.
    Lent {
        /// Of the `Lend`.
        turn: u32,
        /// The device that the worker is to open.
        path: Option<String>,
        /// Why there is no terminal, where there is none.
        why: String,
        /// The other workers are to start no test until it is returned.
        pause: bool,
        /// The process group that the terminal belongs to when it is returned; 0 where it controls no process.
        group: i32,
    },
    /// The controller has all it needs; the coordinator may end.
    Done,
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
struct Retry {
    times: u32,
}
#[derive(Serialize, Deserialize)]
struct Lent {
    turn: u32,
    path: Option<String>,
    why: String,
    pause: bool,
    group: i32,
}
#[derive(Serialize, Deserialize)]
struct History {
    path: String,
    root: String,
}
#[derive(Serialize, Deserialize)]
struct Timeline {
    at: u64,
}
#[derive(Serialize, Deserialize)]
struct Elastic {
    most: u32,
}
#[derive(Serialize, Deserialize)]
struct Memory {
    limit: u64,
    report: bool,
}
#[derive(Serialize, Deserialize)]
struct OneItem {
    item: ItemIndex,
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
            kind::ELASTIC => Self::Elastic { most: from_json::<Elastic>(frame.kind, json)?.most },
            kind::HISTORY => {
                let History { path, root } = from_json(frame.kind, json)?;
                Self::History { path, root }
            }
            kind::RETRY => Self::Retry { times: from_json::<Retry>(frame.kind, json)?.times },
            kind::TIMELINE => Self::Timeline { at: from_json::<Timeline>(frame.kind, json)?.at },
            kind::MEMORY => {
                let Memory { limit, report } = from_json(frame.kind, json)?;
                Self::Memory { limit, report }
            }
            kind::LENT => {
                let Lent { turn, path, why, pause, group } = from_json(frame.kind, json)?;
                Self::Lent { turn, path, why, pause, group }
            }
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
            Self::History { path, root } => {
                Frame::write(
                    kind::HISTORY,
                    &to_json(&History { path: path.clone(), root: root.clone() }),
                    out,
                );
            }
            Self::Retry { times } => Frame::write(kind::RETRY, &to_json(&Retry { times: *times }), out),
            Self::Elastic { most } => Frame::write(kind::ELASTIC, &to_json(&Elastic { most: *most }), out),
            Self::Timeline { at } => Frame::write(kind::TIMELINE, &to_json(&Timeline { at: *at }), out),
            Self::Memory { limit, report } => {
                Frame::write(kind::MEMORY, &to_json(&Memory { limit: *limit, report: *report }), out);
            }
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
            Self::Lent { turn, path, why, pause, group } => {
                let lent =
                    Lent { turn: *turn, path: path.clone(), why: why.clone(), pause: *pause, group: *group };
                Frame::write(kind::LENT, &to_json(&lent), out);
            }
            Self::Done => Frame::write(kind::DONE, &[], out),
        }
    }
}
