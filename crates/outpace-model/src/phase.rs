//! What a worker is doing, as it says itself on the shared board.

use serde::{Deserialize, Serialize};

/// The phase a worker is in. The numbers are what a worker writes into its lane of the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Phase {
    /// Between tests, or waiting for one.
    #[default]
    Idle = 0,
    /// A test's fixtures are being set up.
    Setup = 1,
    /// The test function runs.
    Call = 2,
    /// Fixtures are being torn down.
    Teardown = 3,
    /// `pytest_sessionfinish` and what comes after it.
    Finish = 4,
    /// Configuration and collection.
    Start = 5,
}

impl Phase {
    /// The phase a board word stands for; unknown words (a test scribbled over the page) read as idle.
    pub fn from_word(word: u32) -> Self {
        match word {
            1 => Self::Setup,
            2 => Self::Call,
            3 => Self::Teardown,
            4 => Self::Finish,
            5 => Self::Start,
            _ => Self::Idle,
        }
    }

    /// The name users see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Setup => "setup",
            Self::Call => "call",
            Self::Teardown => "teardown",
            Self::Finish => "session finish",
            Self::Start => "start",
        }
    }
}
