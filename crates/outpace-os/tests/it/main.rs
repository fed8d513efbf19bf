//! Real processes, real signals, real memory.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by panicking and may say what they saw"
)]

mod board;
mod changes;
mod fence;
mod inherited;
mod limits;
mod processes;
mod readings;
mod reap;
mod signals;
mod sockets;
mod spawn;
mod stacks;
