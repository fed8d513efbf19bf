//! The `outpace` command: start the user's pytest with this package's plugin, or serve a run that it started.
//!
//! It holds no logic of a run: it finds the interpreter, replaces itself with it, or hands a socket to the runner. What
//! else it can do is in `tasks`.

mod cli;
mod error;
mod interpreter;
mod launch;
mod own_first;
mod tasks;
mod warm;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::CommandError;

/// How the Python package starts this binary as the coordinator of a run.
const COORDINATE: &str = "__coordinate";
/// What a `pytest` becomes that is to be a warm run.
const PYTEST: &str = "__pytest";
/// How a launcher starts the server of warm runs.
const SERVE: &str = "__serve";

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let outcome = if args.get(1).is_some_and(|arg| arg == COORDINATE) {
        launch::coordinate(args.get(2..).unwrap_or_default()).map(|()| ExitCode::SUCCESS)
    } else if args.get(1).is_some_and(|arg| arg == SERVE) {
        warm::serve(args.get(2..).unwrap_or_default()).map(|()| ExitCode::SUCCESS)
    } else if args.get(1).is_some_and(|arg| arg == PYTEST) {
        warm::test_as_pytest(args.split_off(2))
    } else {
        let program = if args.is_empty() { OsString::from("outpace") } else { args.remove(0) };
        let cli = cli::parse(program, args);
        match &cli.task {
            Some(task) => task.run(cli.python.as_deref(), cli.warm),
            None => warm::test(&cli),
        }
    };
    outcome.unwrap_or_else(|error| report(&error))
}

fn report(error: &CommandError) -> ExitCode {
    #[expect(clippy::print_stderr, reason = "the one place where the command speaks")]
    {
        eprintln!("outpace: {error}");
        if let Some(hint) = error.hint() {
            eprintln!("  hint: {hint}");
        }
    }
    ExitCode::from(error.exit_code())
}
