//! Why tests cannot run in parallel.
//!
//! [`examine`] asks a [`Lab`] for runs of pytest and draws conclusions from what they tell: which tests fail only in
//! parallel, only alone, after others, or now and then; on what two tests meet; what is to be done. It starts no process,
//! reads no file and no clock, so that everything it concludes can be tested with a lab that is made up.
//!
//! - `record`: a run's plan and what comes back; `thing`: what tests share, and when two meet on it;
//!   `witnessed`: what the kernel adds to it.
//! - `pairings`, `shrink`: who runs beside whom; the smallest set of tests that still shows something.
//! - `examine`, `baseline`, `trials`, `order`, `parallel`, `latent`: the course of an examination.
//! - `conclude`, `finding`, `advice`, `overrides`, `confirmed`: what it concludes.
//! - `faster`, `load`, `wins`: why a run is not faster, and what would help.
//! - `screen`, `markdown`, `faster_text`: how that is told.

#![warn(missing_docs)]

mod advice;
mod baseline;
mod conclude;
mod confirmed;
mod examine;
mod faster;
mod faster_text;
mod finding;
mod latent;
mod load;
mod markdown;
mod order;
mod overrides;
mod pairings;
mod parallel;
mod record;
mod screen;
mod shrink;
mod thing;
mod trials;
mod wins;
mod witnessed;

pub use advice::advice;
pub use confirmed::Confirmed;
pub use examine::{Lab, Options, examine, examine_pair};
pub use faster::{
    Faster, FileImport, HeldApart, Holder, Imports, Longest, Machine, MemoryUse, Resource, SharedFixture,
    WorkerMemory,
};
pub use finding::{Aside, Class, Counts, Finding, Involved, Proof, Report, Reproduction, RuledOut, Side};
pub use load::{Bound, BoundBy};
pub use markdown::markdown;
pub use overrides::{Override, addition, overrides};
pub use pairings::deal;
pub use record::{Costs, Failure, Names, Outcome, Plan, Round, Test, assemble};
pub use screen::{Shell, screen};
pub use shrink::shrink;
pub use thing::{By, Deed, Kind, Left, Meeting, Mode, Thing, Touch, common, meetings};
pub use wins::Win;
pub use witnessed::{Seen, Witnessed, deeds, shared};
