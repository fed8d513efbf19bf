//! Whether a run is a warm one, and handing it over. What a server does is in `outpace-warm`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use outpace_warm::{Ended, Hint, Place, Request, Streams, project_of, settings_of};

use crate::cli::Cli;
use crate::error::CommandError;
use crate::{interpreter, launch};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the tests: on the server where that is wanted, else, and where it cannot be, by becoming pytest.
pub(crate) fn test(cli: &Cli) -> Result<ExitCode, CommandError> {
    let python = interpreter::find(cli.python.as_deref())?;
    let cwd = env::current_dir().ok();
    let project = cwd.as_deref().map(project_of);
    let note = match (cwd, project) {
        (Some(cwd), Some(project)) if is_wanted(cli, &project) => {
            match handed_over(cli, &python, cwd, &project) {
                Ended::Code(code) => return Ok(ExitCode::from(code)),
                Ended::Cold(why) => Some(why),
            }
        }
        _ => None,
    };
    Err(launch::test(python, &cli.args, note.as_deref()))
}

fn is_wanted(cli: &Cli, project: &Path) -> bool {
    cli.warm || (settings_of(project).warm && !in_ci())
}

/// Whether nobody is there.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

fn handed_over(cli: &Cli, python: &Path, cwd: PathBuf, project: &Path) -> Ended {
    if let Some(why) = cli.args.iter().find_map(needs_the_terminal) {
        return Ended::Cold(why);
    }
    let place = match place_of(project) {
        Ok(place) => place,
        Err(error) => return Ended::Cold(error.to_string()),
    };
    let mut env: Vec<(OsString, OsString)> = env::vars_os().collect();
    env.sort();
    let request =
        Request { python: python.to_owned(), cwd, args: cli.args.clone(), env, streams: Streams::current() };
    let hint = if cli.fresh { Hint::Fresh } else { Hint::Start };
    outpace_warm::run(&place, project, &request, hint, VERSION)
}

/// Arguments whose runs use the terminal as only the shell's own child can.
fn needs_the_terminal(arg: &OsString) -> Option<String> {
    matches!(arg.to_str(), Some("--pdb" | "--trace")).then(|| format!("{} needs the terminal", arg.display()))
}

pub(crate) fn place_of(project: &Path) -> Result<Place, CommandError> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    Ok(Place::of(project, runtime.as_deref(), &env::temp_dir())?)
}

/// The server's own process.
pub(crate) fn serve(args: &[OsString]) -> Result<(), CommandError> {
    let [folder, project] = args else { return Err(CommandError::NoSocket) };
    Ok(outpace_warm::serve(&Place::at(PathBuf::from(folder)), Path::new(project), VERSION)?)
}
