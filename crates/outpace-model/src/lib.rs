//! The words of outpace: items, workers, phases and distribution modes.
//!
//! Everything else depends on this crate and it depends on nothing of ours. It holds data only: no decision, no
//! I/O, no clock.

#![warn(missing_docs)]

mod conflict;
mod cost;
mod dist;
mod ids;
mod paid;
mod phase;

pub use conflict::{Apart, Conflict};
pub use cost::{Costs, Expected, Outcome};
pub use dist::DistMode;
pub use ids::{ItemIndex, WorkerIndex};
pub use paid::{Import, Paid, Scope, SetUp};
pub use phase::Phase;
