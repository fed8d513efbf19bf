//! `outpace server`: what the server of this project has, its log, its end.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use outpace_warm::{Asked, ask, project_of};

use crate::error::CommandError;
use crate::warm::place_of;

/// The server that keeps what warm runs need (`outpace --warm`).
#[derive(Debug, Args)]
pub(crate) struct Server {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// What it keeps; exit code 1 where there is no server.
    Status,
    /// End it; runs that are going on do not notice.
    Stop,
    /// What it and its processes have written.
    Logs,
}

impl Server {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandError> {
        let here = env::current_dir()
            .map_err(|source| CommandError::NoFolder { folder: PathBuf::from("."), source })?;
        let place = place_of(&project_of(&here))?;
        let answer = match self.what {
            What::Status => ask(&place, Asked::Status)?,
            What::Stop => ask(&place, Asked::Stop)?,
            What::Logs => fs::read_to_string(place.log()).ok(),
        };
        #[expect(clippy::print_stdout, reason = "what was asked for")]
        {
            match (&answer, self.what) {
                (Some(text), _) => println!("{}", text.trim_end()),
                (None, What::Logs) => println!("no log: no server has run for this project"),
                (None, _) => println!("no server is running for this project"),
            }
        }
        let is_missing = answer.is_none() && matches!(self.what, What::Status);
        Ok(if is_missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
