//! Which tests a worker runs next.
//!
//! [`Scheduler`] holds the tests nobody has been given yet and answers [`Scheduler::take`]. It is pure: no clock, no
//! I/O, no randomness, and the same calls always give the same answers. It does not know which granted test has
//! started or ended; the caller says what comes back ([`Scheduler::give_back`], [`Scheduler::remove_worker`]).
//!
//! Four families of rules, one module each:
//!
//! - `spans` (`load`, `worksteal`): contiguous spans of the collection, robbed from the front.
//! - `timed` (`load`, where it is known what tests take): file by file, what would end late first.
//! - `units` (`loadscope`, `loadfile`, `loadgroup`): whole units, bound to one worker once begun.
//! - `own_queues` (`each`, a scheduler in the controller): every worker has its own list and nothing is shared.
//!
//! Where tests are marked (serial, or in need of resources) a `gate` stands before these rules, or `turns` before a
//! scheduler in the controller: it holds back what may not start beside what runs. It must know what has ended
//! ([`Scheduler::finish`], [`Scheduler::tear_down`]). Without marks there is none, and it costs nothing.
//!
//! What always holds: an item is in at most one place; whatever comes back is pending again, in the order it was
//! granted; while something unmarked is pending that is not set aside for one worker, any live worker can take it. Calls that
//! name a worker that is not live change nothing.

#![warn(missing_docs)]

mod blocks;
mod facts;
mod files;
mod gate;
mod hindrance;
mod holdings;
mod marks;
mod own_queues;
mod plan;
mod pools;
mod rules;
mod runs;
mod scheduler;
mod spans;
mod subset;
mod ties;
mod timed;
mod times;
mod turns;
mod unit_table;
mod units;

pub use hindrance::Hindrance;
pub use marks::{Demand, Mark, Marks, Share};
pub use plan::{Plan, file_of};
pub use scheduler::Scheduler;
