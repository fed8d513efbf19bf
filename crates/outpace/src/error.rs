//! What the command can fail with, and the exit code of each.

use std::io;
use std::path::PathBuf;

use outpace_runner::RunnerError;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum CommandError {
    #[error("there is no Python interpreter at {0}")]
    NoSuchPython(PathBuf),
    #[error("no Python interpreter found (looked at VIRTUAL_ENV, .venv, beside outpace, and PATH)")]
    NoPython,
    #[error("{python} could not be started: {source}")]
    Exec { python: PathBuf, source: io::Error },
    #[error("__coordinate is for outpace's own use and needs an inherited socket")]
    NoSocket,
    #[error("`outpace {0}` is not in this version")]
    NotYet(&'static str),
    #[error("{0}")]
    Doctor(String),
    #[error("{file} cannot be written: {source}")]
    Write { file: PathBuf, source: io::Error },
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

impl CommandError {
    /// pytest's exit codes: 4 is a usage error, 3 an internal one.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoSuchPython(_)
            | Self::NoPython
            | Self::NoSocket
            | Self::Exec { .. }
            | Self::NotYet(_)
            | Self::Doctor(_)
            | Self::Write { .. } => 4,
            Self::Interrupted => 2,
            Self::Io(_) | Self::Runner(_) => 3,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoPython => Some("activate the project's environment, or name it: outpace --python PATH …"),
            Self::NoSuchPython(_) => {
                Some("--python takes an interpreter or the folder of a virtual environment")
            }
            _ => None,
        }
    }
}
