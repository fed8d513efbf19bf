//! What `outpace init` changes in a project.
//!
//! Pure: the text of a project's files goes in ([`Project`]), the changed text comes out ([`Plan`]). Nothing here reads,
//! writes or runs anything.
//!
//! Edits are made in the text, never by writing a parsed document anew: what is not added stays byte for byte as it is.
//! Files are parsed to find *where*, and parsed again after the edit to prove that it says what was meant; an edit that
//! cannot be proven is refused with what to write by hand. Applying a plan twice is applying it once.

#![warn(missing_docs)]

mod addopts;
mod dependencies;
mod diff;
mod error;
mod ini;
mod mentions;
mod plan;
mod project;
mod requirement;
mod settings;
mod targets;
mod text;
mod toml;

pub use diff::unified;
pub use error::SetupError;
pub use plan::{Change, Note, Plan, Wishes, plan};
pub use project::{CONFIG_FILES, Project, is_read};
pub use settings::owner as settings_file;
