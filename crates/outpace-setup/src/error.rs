//! Why a project cannot be set up.

use thiserror::Error;

/// One message each; [`SetupError::hint`] says what to do.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SetupError {
    /// The file is not what its name says.
    #[error("{file}:{line}:{column}: {message}")]
    Syntax {
        /// Its name.
        file: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// Settings that pytest itself refuses or does not read.
    #[error("{file}: {message}")]
    Settings {
        /// Its name.
        file: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A way to write it that no edit here can keep.
    #[error("{file}: {what} is written in a way that outpace does not edit")]
    ByHand {
        /// Its name.
        file: String,
        /// What was to be changed.
        what: String,
        /// What to write.
        hint: String,
    },
}

impl SetupError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Syntax { .. } => {
                "nothing was changed; mend the file, then run `outpace init` again".to_owned()
            }
            Self::Settings { hint, .. } | Self::ByHand { hint, .. } => hint.clone(),
        }
    }
}
