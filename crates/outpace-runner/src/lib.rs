//! The event loop that drives a run: sockets, processes, signals, timers.
//!
//! One thread, beside that of the forwarders. It turns what the kernel says into [`outpace_supervise::Event`]s, carries out the
//! [`outpace_supervise::Action`]s that come back, and decides nothing itself. It never runs user code and never
//! blocks on anybody.
//!
//! There is no listening socket: every connection is one end of a socket pair whose other end was inherited by, or
//! handed to, a process of this run, so nobody else can connect.

#![warn(missing_docs)]

mod actions;
mod event_loop;
mod forward;
mod history;
mod link;
mod load;
mod looking;
mod memory;
mod processes;
mod reader;
mod readings;
mod sleepers;

pub use event_loop::{RunnerError, serve};
pub use processes::ForkedTemplate;
