//! What earlier runs of a suite taught: per test what it took and how it ended, per file what its fixtures and its import
//! cost; which tests were seen to be in each other's way. One `SQLite` file; recent runs weigh more.
//!
//! Nothing here is needed for correctness, so every error is one sentence for the user and no run fails by it. This
//! crate decides nothing: what follows from the history is up to who reads it. It must not start a thread; callers that cannot wait
//! call it from one of their own.

#![warn(missing_docs)]

mod conflicts;
mod digest;
mod error;
mod paid;
mod print;
mod schema;
mod store;

pub use conflicts::{Confirmed, Valid, conflicts, learn_conflicts};
pub use error::HistoryError;
pub use store::{Known, Lesson, Lessons, read, write};
