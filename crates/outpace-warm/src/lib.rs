//! Warm runs: a server, one for each project and user, keeps processes that are configured and collected (layers), and
//! a run is made of forks of them where nothing that they have read has changed.
//!
//! The launcher side ([`run`]) hands a run over and then only passes signals on; the server side ([`serve`]) finds the
//! layers for it, proves them unchanged ([`record`]) and tells them to fork. Neither runs user code, and neither takes
//! part in a run: that is controller, coordinator and template, as ever. Whatever goes wrong here, the run goes on
//! without.

#![warn(missing_docs)]

mod chain;
mod channel;
mod client;
mod doors;
mod layers;
mod libraries;
mod messages;
mod place;
mod record;
mod request;
mod runs;
mod server;
mod settings;

pub use client::{Asked, Ended, Hint, ask, run};
pub use place::Place;
pub use request::{Program, Request, Streams};
pub use server::serve;
pub use settings::{Settings, project_of, settings_of};

/// Why a server or its folder could not be had.
#[derive(Debug, thiserror::Error)]
pub enum WarmError {
    /// The folder of the socket is not this user's alone.
    #[error("{0}: not a folder of this user's alone (mode 0700)")]
    Folder(std::path::PathBuf),
    /// The kernel refused something.
    #[error("{what}: {source}")]
    Os {
        /// What was wanted.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
}

pub(crate) fn os(what: &'static str) -> impl FnOnce(std::io::Error) -> WarmError {
    move |source| WarmError::Os { what, source }
}
