//! What the command can fail with, and the exit code of each.

use std::io;
use std::path::PathBuf;

use outpace_os::Signal;
use outpace_runner::RunnerError;
use outpace_setup::SetupError;
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
    #[error("__pytest is for outpace's own use")]
    NoPytest,
    #[error("{folder}: {source}", folder = folder.display())]
    NoFolder { folder: PathBuf, source: io::Error },
    #[error("{file}: {source}", file = file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{file} cannot be written: {source}", file = file.display())]
    Unwritable { file: PathBuf, source: io::Error },
    #[error("{file} has changed meanwhile", file = .0.display())]
    Changed(PathBuf),
    #[error("{file} could not be put back as it was: {source}", file = file.display())]
    NotRestored { file: PathBuf, source: io::Error },
    #[error("this folder's pytest settings are in {file}", file = .0.display())]
    SettingsAbove(PathBuf),
    #[error("this folder is part of the project in {folder}", folder = .0.display())]
    ProjectAbove(PathBuf),
    #[error("nobody is there to say yes: this is no terminal")]
    NobodyToAsk,
    #[error("{0}")]
    PlainRun(String),
    #[error("the run could not be watched: {0}")]
    Watch(io::Error),
    #[error("watch is for people, and CI is set")]
    WatchInCi,
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{0}")]
    Doctor(String),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("interrupted")]
    Interrupted,
    /// While a run was measured; what it had started has ended.
    #[error("interrupted")]
    Told(Signal),
    #[error(transparent)]
    Warm(#[from] outpace_warm::WarmError),
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

impl CommandError {
    /// pytest's exit codes: 4 is a usage error, 3 an internal one.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => 2,
            // As a shell has it.
            Self::Told(Signal::Terminate) => 128 + 15,
            Self::Told(_) => 128 + 2,
            Self::Io(_) | Self::Runner(_) | Self::Watch(_) | Self::NotRestored { .. } => 3,
            _ => 4,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let said = match self {
            Self::NoPython => "activate the project's environment, or name it: outpace --python PATH …",
            Self::NoSuchPython(_) => "--python takes an interpreter or the folder of a virtual environment",
            Self::Unwritable { .. } => "nothing was changed; --dry-run shows what would be",
            Self::Changed(_) => "nothing was changed; run it again",
            Self::NobodyToAsk => {
                "--yes to apply it, --dry-run to see it, --check to be told whether there is something to do"
            }
            Self::SettingsAbove(file) | Self::ProjectAbove(file) => {
                let folder = file.parent().filter(|_| !file.is_dir()).unwrap_or(file);
                return Some(format!("outpace init {}", folder.display()));
            }
            Self::WatchInCi => "run the tests once: outpace; or say that you mean it: outpace --warm watch",
            Self::Setup(error) => return Some(error.hint()),
            _ => return None,
        };
        Some(said.to_owned())
    }
}
