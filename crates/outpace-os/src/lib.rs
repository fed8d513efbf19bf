//! The operating system as outpace needs it: starting and reaping processes, signals, the shared board,
//! limits and readings.
//!
//! The only crate with unsafe code. It decides nothing: every function does one thing to the machine or reads
//! one thing from it, and none keeps state between calls. Linux only. Whatever is read from `/proc` or `/sys`
//! is a help, never a condition: without them readings are absent and everything else works.

#![warn(missing_docs)]

#[cfg(not(target_os = "linux"))]
compile_error!("outpace-os supports Linux only: it needs memfd, subreapers and the parent death signal");

mod board;
mod cgroup;
mod changes;
mod cpu;
mod exec;
mod fence;
mod inherited;
mod limits;
mod load;
mod memory;
mod messages;
mod native;
mod ports;
mod proc;
mod process_tree;
mod reap;
mod service;
mod signal;
mod socket;
mod spawn;
mod stacks;
mod terminal;
mod usage;

pub use board::{Board, LANE_BYTES, NO_LIMIT, RING_BYTES, STAND_STILL, TELL_TASKS, monotonic_seconds};
pub use changes::{Change, Folders, What};
pub use cpu::{UsableCpus, usable_cpus};
pub use fence::{fence, fence_registered};
pub use inherited::{inherited_socket, lead_own_group, user_id};
pub use limits::{file_mask, limits, raise_open_files};
pub use load::{CpuCounters, cpu_counters};
pub use memory::{
    Resident, Shares, available_memory, memory_shares, offer_to_memory_killer, resident_memory,
};
pub use messages::{
    MOST_BYTES, accept_from, connect_to, listen_at, memory_file, message_pair, receive_message, send_message,
    set_nonblocking,
};
pub use native::native_state;
pub use ports::{Bound, Ports, sockets_of};
pub use proc::{ProcessFacts, facts, oom_kills};
pub use process_tree::{TreeUsage, children, descendants, tree, tree_usage};
pub use reap::{Exit, become_subreaper, from_wait_status, has_children, reap};
pub use service::{
    SIGCONT, SIGTSTP, drain, ignored_signals, is_shared, leave_terminal, lock_now, watch_for_its_end,
    watch_memory_pressure,
};
pub use signal::{Pid, Signal, is_alive, kill, kill_group, name_of};
pub use socket::{receive_with_fds, send_with_fd, socket_pair};
pub use spawn::{SpawnSpec, spawn};
pub use stacks::{ASK_SIGNAL, DUMP_SIGNAL, StackFile, ask};
pub use terminal::{SingleKeys, Terminal, read_now};
pub use usage::ended_children_cpu_seconds;
