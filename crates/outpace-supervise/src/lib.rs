//! The state machine of a run.
//!
//! [`Run::handle`] takes one [`Event`] (a message, a death, a deadline) and the time, and says what is to be done
//! as [`Action`]s. It owns the truth: which worker holds which test, what has a terminal record, who is alive. It
//! must not do I/O, read a clock or sleep, so that tests drive it with any order of events and virtual time.
//!
//! Invariants, checked by the property tests:
//!
//! * every scheduled test ends in exactly one record: finished, crashed, interrupted or not run;
//! * no test is held by two workers;
//! * with a `--test-timeout`, the run ends whatever hangs;
//! * after any sequence of events in which every worker ends, the run ends.

#![warn(missing_docs)]

mod conflicts;
mod cores;
mod debugger;
mod down;
mod elastic;
mod event;
mod grant;
mod history;
mod ledger;
mod marks;
mod pace;
mod pool;
mod quiet;
mod recycle;
mod retry;
mod run;
mod start;
mod stop;
mod timeline;
mod turns;
mod watch;
mod worker;

pub use event::{Action, Event, Load, Peer, Usage};
pub use history::{Observation, Recollection};
pub use run::{LANES, Run};
pub use turns::{Turn, Turns};
pub use watch::{Found, Sight};
