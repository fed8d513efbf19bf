//! `outpace init`: sets a project up.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::error::CommandError;

/// Set a project up to run its tests in parallel.
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct Init {}

impl Init {
    pub(crate) fn run(&self, _python: Option<&Path>) -> Result<ExitCode, CommandError> {
        let Self {} = self;
        Err(CommandError::NotYet("init"))
    }
}
