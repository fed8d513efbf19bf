//! What runs of one suite under several engines have in common, and what they do not.
//!
//! Pure: records and readings go in, differences, medians, a table and JSON come out. Nothing here runs anything.

#![warn(missing_docs)]

mod differences;
mod json;
mod numbers;
mod record;
mod table;

pub use differences::{Comparison, Difference, compare};
pub use json::json;
pub use numbers::{Engine, Reading, Runs};
pub use record::{Counts, Record};
pub use table::{conclusion, table};
