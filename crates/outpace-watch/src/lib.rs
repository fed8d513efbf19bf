//! What `outpace watch` runs next: a state machine of saved files, pressed keys and ended runs.
//!
//! It has no clock and does no I/O: [`Watch`] is told what happened and answers with what is to be done. Files are named
//! as in node ids, from pytest's root folder on. Which tests there are is never its business: a [`Selection`] chooses
//! among those that the run collects, so what `-k` or `-m` leave out stays out.
//!
//! Laws (`tests/laws.rs`): a change is not forgotten before a complete run that began after it; failed tests come first
//! in every run that a change brings about; at most one run at a time, and nothing waits for somebody to press a key.

#![warn(missing_docs)]

mod graph;
mod selection;
mod told;
mod watch;

pub use graph::Graph;
pub use selection::Selection;
pub use told::{Learned, Told};
pub use watch::{Action, Key, Said, Watch, Why};

/// The user that stands for all tests: what everything depends on is used by it.
pub(crate) const EVERYTHING: &str = "*";

/// The file that a node id begins with.
pub(crate) fn file_of(node_id: &str) -> &str {
    node_id.split_once("::").map_or(node_id, |(file, _)| file)
}

/// Whether it names a file that could not be collected, not a test.
pub(crate) fn is_file(node_id: &str) -> bool {
    !node_id.contains("::")
}
