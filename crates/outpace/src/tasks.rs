//! What `outpace` does besides running tests: one module each, chosen by the first argument.

mod compare;
mod doctor;
mod init;
mod output;
mod pytest_run;
mod scratch;
mod server;
mod terminal;
mod waiting;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use crate::error::CommandError;

/// The subcommands. Any other first argument is pytest's.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    Init(init::Init),
    Compare(compare::Compare),
    Doctor(doctor::Doctor),
    Server(server::Server),
    Watch(watch::Watch),
}

impl Task {
    /// `python` is what `--python` said, `warm` whether `--warm` did.
    pub(crate) fn run(&self, python: Option<&Path>, warm: bool) -> Result<ExitCode, CommandError> {
        self.name_the_path();
        match self {
            Self::Init(init) => init.run(python),
            Self::Compare(compare) => compare.run(python),
            Self::Doctor(doctor) => doctor.run(python),
            Self::Server(server) => server.run(),
            Self::Watch(watch) => watch.run(python, warm),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Compare(_) => "compare",
            Self::Doctor(_) => "doctor",
            Self::Server(_) => "server",
            Self::Watch(_) => "watch",
        }
    }

    /// Somebody who has tests in a folder of that name may have meant them.
    fn name_the_path(&self) {
        let name = self.name();
        if PathBuf::from(name).exists() {
            #[expect(clippy::print_stderr, reason = "a hint for the person at the terminal")]
            {
                eprintln!("outpace: `{name}` is a command; for the path of that name say: outpace ./{name}");
            }
        }
    }
}
