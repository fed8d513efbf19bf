//! Messages between the coordinator and a template or worker.

use std::collections::BTreeMap;

use outpace_model::{Costs, ItemIndex, Paid, WorkerIndex};
use serde::{Deserialize, Serialize};

use crate::fields::{Reader, from_json, to_json};
use crate::{Frame, Hello, Marks, ProtocolError};

mod kind {
    pub(super) const HELLO: u8 = 64;
    pub(super) const COLLECTED: u8 = 65;
    pub(super) const READY: u8 = 66;
    pub(super) const RESULT: u8 = 67;
    pub(super) const ASK: u8 = 68;
    pub(super) const EVENT: u8 = 69;
    pub(super) const BYE: u8 = 70;
    pub(super) const EXITED: u8 = 71;
    pub(super) const FORKED: u8 = 72;
    pub(super) const STATUS: u8 = 73;
    pub(super) const BELL: u8 = 74;
    pub(super) const AHEAD: u8 = 75;
    pub(super) const WANT_TERMINAL: u8 = 76;
    pub(super) const LEAVE_TERMINAL: u8 = 77;
    pub(super) const ACTING: u8 = 85;
    pub(super) const COSTS: u8 = 80;
    pub(super) const PAID: u8 = 86;
    pub(super) const EXPOSE: u8 = 84;

    pub(super) const INIT: u8 = 96;
    pub(super) const FORK: u8 = 97;
    pub(super) const GRANT: u8 = 98;
    pub(super) const NOTHING: u8 = 99;
    pub(super) const SHUTDOWN: u8 = 100;
    pub(super) const RUN: u8 = 101;
    pub(super) const REFERENCE: u8 = 102;
    pub(super) const EXIT: u8 = 103;
    pub(super) const HOLD: u8 = 110;
    pub(super) const GO: u8 = 111;
    pub(super) const LEASE: u8 = 104;
    pub(super) const TERMINAL: u8 = 112;
    pub(super) const ISOLATE: u8 = 113;
}

/// What a template or spawned worker collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// Reasons why this process must not be forked; empty = it may.
    pub unsafe_to_fork: Vec<String>,
    /// Node ids in order.
    pub node_ids: Vec<String>,
    /// `xdist_group` names, one per item, or empty when no mode needs them.
    pub groups: Vec<Option<String>>,
    /// Tests with a limit of their own, and that limit in milliseconds; 0 = none.
    pub limits: Vec<(ItemIndex, u64)>,
    /// Serial tests and resources.
    pub marks: Marks,
    /// What tests are marked to have of their own, for workers that are still to be started: for Python to read.
    pub isolate: String,
}

#[derive(Default, Serialize, Deserialize)]
struct CollectionHead {
    unsafe_to_fork: Vec<String>,
    groups: Vec<Option<String>>,
    #[serde(default)]
    limits: Vec<(ItemIndex, u64)>,
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    marks: Marks,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    isolate: String,
}

#[derive(Serialize, Deserialize)]
struct Terminal {
    path: Option<String>,
    why: String,
}

#[derive(Serialize, Deserialize)]
struct Lease {
    position: u32,
    environ: BTreeMap<String, String>,
}

impl Collection {
    /// Reads the payload of a `Collected` frame: u32 length of a JSON head, the head, u32 count, that many u32
    /// lengths, the node ids as UTF-8 (anything else is shown with replacement characters).
    pub fn decode(frame: &Frame) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(frame);
        let head_length = reader.u32()? as usize;
        let head: CollectionHead = from_json(frame.kind, reader.bytes(head_length)?)?;
        let count = reader.u32()? as usize;
        let lengths = reader.bytes(count.saturating_mul(4))?;
        let mut node_ids = Vec::with_capacity(count);
        for length in lengths.chunks_exact(4) {
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            node_ids.push(String::from_utf8_lossy(reader.bytes(length as usize)?).into_owned());
        }
        if !head.groups.is_empty() && head.groups.len() != count {
            return Err(ProtocolError::Short { kind: frame.kind });
        }
        let CollectionHead { unsafe_to_fork, groups, limits, marks, isolate } = head;
        Ok(Self { unsafe_to_fork, node_ids, groups, limits, marks, isolate })
    }

    /// Appends the payload that [`Collection::decode`] reads.
    pub fn encode_payload(&self) -> Vec<u8> {
        let head = to_json(&CollectionHead {
            unsafe_to_fork: self.unsafe_to_fork.clone(),
            groups: self.groups.clone(),
            limits: self.limits.clone(),
            marks: self.marks.clone(),
            isolate: self.isolate.clone(),
        });
        let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let mut out = Vec::new();
        out.extend_from_slice(&length(head.len()));
        out.extend_from_slice(&head);
        out.extend_from_slice(&length(self.node_ids.len()));
        for id in &self.node_ids {
            out.extend_from_slice(&length(id.len()));
        }
        for id in &self.node_ids {
            out.extend_from_slice(id.as_bytes());
        }
        out
    }
}

/// The template reaped one of its forks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// Its process id.
    pub pid: i32,
    /// The status as `waitpid` gave it.
    pub status: i32,
}

#[derive(Serialize, Deserialize)]
struct Forked {
    worker: WorkerIndex,
    pid: i32,
    error: Option<String>,
}

/// From a template or worker.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// First message of a fresh process.
    Hello(Hello),
    /// What was collected; the raw payload goes on to the controller.
    Collected {
        /// Decoded.
        collection: Collection,
        /// As received.
        payload: Vec<u8>,
    },
    /// The worker can take tests.
    Ready {
        /// Its process.
        pid: i32,
        /// `workerinfo`, opaque.
        info: Vec<u8>,
    },
    /// What happened to a test.
    Result {
        /// Which test.
        item: ItemIndex,
        /// Whether this completes the test.
        finished: bool,
        /// How many of the reports inside count as failures.
        failures: u32,
        /// Seconds for the whole test, when finished.
        duration: f64,
        /// Reports, opaque.
        blob: Vec<u8>,
    },
    /// What a test cost; comes before the `Result` that completes it, where a history is kept.
    Costs {
        /// Which test.
        item: ItemIndex,
        /// What it took.
        costs: Costs,
    },
    /// What the process has paid once for many tests: after its collection, and at its end, where a history is kept.
    Paid(Paid),
    /// The worker wants its next tests. Grants from `position` on were not started and are dropped.
    Ask {
        /// Grants claimed so far.
        position: u32,
        /// A test is being torn down and must know what comes next: never left waiting.
        running: bool,
    },
    /// Anything else for the controller, opaque.
    Event(Vec<u8>),
    /// The session is finished; `workeroutput`, opaque.
    Bye(Vec<u8>),
    /// What the process is busy with, for a message should it die or hang ("collecting `tests/test_x.py`").
    Status(String),
    /// The worker has tests left but wants more before it runs out: answered at once, by a grant or `Nothing`.
    Ahead,
    /// It stops in a debugger and waits for the terminal: answered by `Terminal` when its turn comes.
    WantTerminal,
    /// It is done with the terminal, or gave up waiting for it.
    LeaveTerminal,
    /// There is something in the worker's ring that should be read now.
    Bell,
    /// From now on a fork of the worker runs its tests and speaks for it; `None`: it does so itself again.
    Acting(Option<i32>),
    /// What comes to the listener that this frame carries is to be connected to this address outside: `HOST:PORT`,
    /// `[HOST]:PORT` or `@abstract`.
    Expose(String),
    /// The template reaped a fork.
    Exited(Exited),
    /// The template forked a worker, or could not.
    Forked {
        /// Which worker.
        worker: WorkerIndex,
        /// Its process id, or why there is none.
        outcome: Result<i32, String>,
    },
}

impl FromWorker {
    /// Reads a frame that came from a template or worker.
    pub fn decode(frame: Frame) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(&frame);
        Ok(match frame.kind {
            kind::HELLO => Self::Hello(from_json(frame.kind, &frame.payload)?),
            kind::COLLECTED => {
                Self::Collected { collection: Collection::decode(&frame)?, payload: frame.payload }
            }
            kind::READY => Self::Ready { pid: reader.u32()?.cast_signed(), info: reader.rest().to_vec() },
            kind::RESULT => Self::Result {
                item: ItemIndex(reader.u32()?),
                finished: reader.u32()? != 0,
                failures: reader.u32()?,
                duration: reader.f64()?,
                blob: reader.rest().to_vec(),
            },
            kind::COSTS => {
                let item = ItemIndex(reader.u32()?);
                let skipped = reader.u32()? != 0;
                let growth = reader.u32()?;
                let wall = [reader.f32()?, reader.f32()?, reader.f32()?];
                let cpu = [reader.f32()?, reader.f32()?, reader.f32()?];
                Self::Costs { item, costs: Costs { skipped, wall, cpu, growth } }
            }
            kind::PAID => Self::Paid(from_json(frame.kind, &frame.payload)?),
            kind::ASK => Self::Ask { position: reader.u32()?, running: reader.u32()? != 0 },
            kind::EVENT => Self::Event(frame.payload),
            kind::BYE => Self::Bye(frame.payload),
            kind::AHEAD => Self::Ahead,
            kind::BELL => Self::Bell,
            kind::WANT_TERMINAL => Self::WantTerminal,
            kind::LEAVE_TERMINAL => Self::LeaveTerminal,
            kind::ACTING => Self::Acting(Some(reader.u32()?.cast_signed()).filter(|pid| *pid > 0)),
            kind::STATUS => Self::Status(String::from_utf8_lossy(&frame.payload).into_owned()),
            kind::EXPOSE => Self::Expose(String::from_utf8_lossy(&frame.payload).into_owned()),
            kind::EXITED => Self::Exited(from_json(frame.kind, &frame.payload)?),
            kind::FORKED => {
                let Forked { worker, pid, error } = from_json(frame.kind, &frame.payload)?;
                Self::Forked { worker, outcome: error.map_or(Ok(pid), Err) }
            }
            other => return Err(ProtocolError::Kind(other)),
        })
    }

    /// Appends the message as a frame (for tests and fake workers; real ones are Python).
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => Frame::write(kind::HELLO, &to_json(hello), out),
            Self::Collected { payload, .. } => Frame::write(kind::COLLECTED, payload, out),
            Self::Ready { pid, info } => {
                Frame::write_parts(kind::READY, &[&pid.to_le_bytes(), info], out);
            }
            Self::Result { item, finished, failures, duration, blob } => Frame::write_parts(
                kind::RESULT,
                &[
                    &item.0.to_le_bytes(),
                    &u32::from(*finished).to_le_bytes(),
                    &failures.to_le_bytes(),
                    &duration.to_le_bytes(),
                    blob,
                ],
                out,
            ),
            Self::Costs { item, costs } => {
                let times = costs.wall.iter().chain(&costs.cpu).flat_map(|seconds| seconds.to_le_bytes());
                let times: Vec<u8> = times.collect();
                Frame::write_parts(
                    kind::COSTS,
                    &[
                        &item.0.to_le_bytes(),
                        &u32::from(costs.skipped).to_le_bytes(),
                        &costs.growth.to_le_bytes(),
                        &times,
                    ],
                    out,
                );
            }
            Self::Paid(paid) => Frame::write(kind::PAID, &to_json(paid), out),
            Self::Ask { position, running } => Frame::write_parts(
                kind::ASK,
                &[&position.to_le_bytes(), &u32::from(*running).to_le_bytes()],
                out,
            ),
            Self::Event(blob) => Frame::write(kind::EVENT, blob, out),
            Self::Bye(blob) => Frame::write(kind::BYE, blob, out),
            Self::Ahead => Frame::write(kind::AHEAD, &[], out),
            Self::Bell => Frame::write(kind::BELL, &[], out),
            Self::WantTerminal => Frame::write(kind::WANT_TERMINAL, &[], out),
            Self::LeaveTerminal => Frame::write(kind::LEAVE_TERMINAL, &[], out),
            Self::Acting(pid) => Frame::write(kind::ACTING, &pid.unwrap_or(0).to_le_bytes(), out),
            Self::Status(text) => Frame::write(kind::STATUS, text.as_bytes(), out),
            Self::Expose(target) => Frame::write(kind::EXPOSE, target.as_bytes(), out),
            Self::Exited(exited) => Frame::write(kind::EXITED, &to_json(exited), out),
            Self::Forked { worker, outcome } => {
                let message = Forked {
                    worker: *worker,
                    pid: *outcome.as_ref().unwrap_or(&0),
                    error: outcome.as_ref().err().cloned(),
                };
                Frame::write(kind::FORKED, &to_json(&message), out);
            }
        }
    }
}

/// To a template or worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToWorker {
    /// Configure and collect with this input (opaque), as this lane of the board.
    Init {
        /// Its lane of the board.
        lane: u32,
        /// Opaque.
        input: Vec<u8>,
    },
    /// Before `Init`, to a spawned worker: what it is to enter before it collects (another's `Collection::isolate`).
    Isolate(String),
    /// Template only: fork this worker. Its socket travels beside this frame as a descriptor.
    Fork {
        /// Which worker.
        worker: WorkerIndex,
        /// Its lane of the board.
        lane: u32,
        /// Opaque.
        input: Vec<u8>,
    },
    /// Run these, in this order; the first has this position.
    Grant {
        /// Position of the first item: grants are numbered from 0 over the life of a worker.
        position: u32,
        /// Which tests.
        items: Vec<ItemIndex>,
    },
    /// Comes before a grant: what the test at this position finds in its environment while it runs.
    Lease {
        /// Of the grant.
        position: u32,
        /// Names and values.
        environ: BTreeMap<String, String>,
    },
    /// No next test is known: tear everything down, then ask again.
    Nothing,
    /// Finish the session.
    Shutdown,
    /// Go on as a worker of your own (the template that is not forked, a spawned worker).
    Run,
    /// Spawned worker: put your items into this order (payload of another's `Collected`), then go on.
    Reference(Vec<u8>),
    /// Template: there is nothing more to fork.
    Exit,
    /// Start no further test until told to.
    Hold,
    /// Tests may start again.
    Go,
    /// The answer to `WantTerminal`.
    Terminal {
        /// The device to open; none where there is no terminal to be had.
        path: Option<String>,
        /// Then: why not.
        why: String,
    },
}

impl ToWorker {
    /// Appends the message as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Init { lane, input } => {
                Frame::write_parts(kind::INIT, &[&lane.to_le_bytes(), input], out);
            }
            Self::Isolate(text) => Frame::write(kind::ISOLATE, text.as_bytes(), out),
            Self::Fork { worker, lane, input } => {
                Frame::write_parts(kind::FORK, &[&worker.0.to_le_bytes(), &lane.to_le_bytes(), input], out);
            }
            Self::Grant { position, items } => {
                let mut payload = Vec::with_capacity(4 + items.len() * 4);
                payload.extend_from_slice(&position.to_le_bytes());
                for item in items {
                    payload.extend_from_slice(&item.0.to_le_bytes());
                }
                Frame::write(kind::GRANT, &payload, out);
            }
            Self::Lease { position, environ } => {
                let lease = Lease { position: *position, environ: environ.clone() };
                Frame::write(kind::LEASE, &to_json(&lease), out);
            }
            Self::Nothing => Frame::write(kind::NOTHING, &[], out),
            Self::Shutdown => Frame::write(kind::SHUTDOWN, &[], out),
            Self::Run => Frame::write(kind::RUN, &[], out),
            Self::Reference(payload) => Frame::write(kind::REFERENCE, payload, out),
            Self::Exit => Frame::write(kind::EXIT, &[], out),
            Self::Hold => Frame::write(kind::HOLD, &[], out),
            Self::Go => Frame::write(kind::GO, &[], out),
            Self::Terminal { path, why } => {
                let terminal = Terminal { path: path.clone(), why: why.clone() };
                Frame::write(kind::TERMINAL, &to_json(&terminal), out);
            }
        }
    }

    /// Reads a frame that the coordinator sent (for tests and fake workers).
    pub fn decode(frame: Frame) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(&frame);
        Ok(match frame.kind {
            kind::INIT => Self::Init { lane: reader.u32()?, input: reader.rest().to_vec() },
            kind::ISOLATE => Self::Isolate(String::from_utf8_lossy(&frame.payload).into_owned()),
            kind::FORK => Self::Fork {
                worker: WorkerIndex(reader.u32()?),
                lane: reader.u32()?,
                input: reader.rest().to_vec(),
            },
            kind::GRANT => {
                let position = reader.u32()?;
                let items = reader
                    .rest()
                    .chunks_exact(4)
                    .map(|raw| ItemIndex(u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]])))
                    .collect();
                Self::Grant { position, items }
            }
            kind::LEASE => {
                let Lease { position, environ } = from_json(frame.kind, &frame.payload)?;
                Self::Lease { position, environ }
            }
            kind::NOTHING => Self::Nothing,
            kind::SHUTDOWN => Self::Shutdown,
            kind::RUN => Self::Run,
            kind::REFERENCE => Self::Reference(frame.payload),
            kind::EXIT => Self::Exit,
            kind::HOLD => Self::Hold,
            kind::GO => Self::Go,
            kind::TERMINAL => {
                let Terminal { path, why } = from_json(frame.kind, &frame.payload)?;
                Self::Terminal { path, why }
            }
            other => return Err(ProtocolError::Kind(other)),
        })
    }
}
