//! `outpace compare`: plain pytest, xdist and outpace side by side.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::error::CommandError;

/// Run the suite under plain pytest, xdist and outpace, and compare.
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct Compare {}

impl Compare {
    pub(crate) fn run(&self, _python: Option<&Path>) -> Result<ExitCode, CommandError> {
        let Self {} = self;
        Err(CommandError::NotYet("compare"))
    }
}
