//! A simulated machine around a [`Run`](outpace_supervise::Run): controller, template, workers, sockets, board, clock.
//!
//! Nothing here does I/O. One heap of happenings, ordered by virtual time, stands for everything that is under way;
//! dice with a seed make every choice, so a scenario always runs the same way. Workers keep to the protocol of
//! `outpace.worker.loop`; what may go wrong with them goes wrong as often as the [`Scenario`] says.

mod board;
mod controller;
mod coordinator;
mod dice;
mod happening;
mod holdings;
mod lending;
mod observer;
mod overlap;
mod process;
mod scenario;
mod scheduler;
mod simulation;
mod template;
mod testing;

pub(crate) use scenario::{Faults, Marked, Scenario, Stop};
pub(crate) use simulation::simulate;
