//! What travels between controller, coordinator, template and workers.
//!
//! A connection is a stream socket that carries [`Frame`]s: eight bytes of header, then a payload. Control
//! messages are JSON, the hot ones (results, grants, questions) fixed little-endian fields. What only the Python
//! ends understand (reports, `workerinput`) is an opaque blob that the coordinator passes on unread.
//!
//! `docs/design/protocol.md` is the specification; `vectors.json` beside this crate holds one frame of each kind,
//! which the tests of both languages read.
//!
//! This crate does no I/O: [`Decoder`] is fed bytes and yields frames.

#![warn(missing_docs)]

mod error;
mod fields;
mod frame;
mod from_controller;
mod hello;
mod marks;
mod to_controller;
mod worker;

pub use error::ProtocolError;
pub use frame::{Decoder, Frame, HEADER, MAGIC, MAX_PAYLOAD, VERSION};
pub use from_controller::{FromController, Plan, StartMethod, Timeouts};
pub use hello::Hello;
pub use marks::{Demands, Marks, Need, Resource};
pub use to_controller::{
    Down, Finished, Lend, Looked, MemoryReport, Peak, Recycled, Started, ToController, Waited, WaitedFor, Why,
};
pub use worker::{Collection, Exited, FromWorker, ToWorker};
