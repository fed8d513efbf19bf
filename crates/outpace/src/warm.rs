//! Whether a run is a warm one, and handing it over. What a server does is in `outpace-warm`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use outpace_warm::{Ended, Hint, Place, Program, Request, Streams, project_of, settings_of};

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
            let hint = if cli.fresh { Hint::Fresh } else { Hint::Start };
            match handed_over(&python, None, cwd, &project, &cli.args, hint) {
                Ended::Code(code) => return Ok(ExitCode::from(code)),
                Ended::Cold(why) => Some(why),
            }
        }
        _ => None,
    };
    Err(launch::test(python, &cli.args, note.as_deref()))
}

/// The same for a `pytest` that has become this process, and has found that its run is to be a warm one. The arguments are
/// the interpreter, what `sys.argv[0]` and `sys.path[0]` are, how many options the interpreter has, these, and pytest's.
pub(crate) fn test_as_pytest(mut args: Vec<OsString>) -> Result<ExitCode, CommandError> {
    let count = args.get(3).and_then(|text| text.to_str()?.parse::<usize>().ok());
    let Some(count) = count.filter(|count| args.len() >= 4 + count) else {
        return Err(CommandError::NoPytest);
    };
    let of_pytest = args.split_off(4 + count);
    let flags = args.split_off(4);
    let [python, name, path, _] = <[OsString; 4]>::try_from(args).map_err(|_| CommandError::NoPytest)?;
    let (python, program) = (PathBuf::from(python), Program { name, path, flags });
    let ended = match env::current_dir() {
        Ok(cwd) => {
            let project = project_of(&cwd);
            handed_over(&python, Some(&program), cwd, &project, &of_pytest, Hint::Start)
        }
        Err(error) => Ended::Cold(error.to_string()),
    };
    match ended {
        Ended::Code(code) => Ok(ExitCode::from(code)),
        Ended::Cold(why) => Err(launch::test_as(python, &program, &of_pytest, Some(&why))),
    }
}

fn is_wanted(cli: &Cli, project: &Path) -> bool {
    cli.warm || (settings_of(project).warm && !in_ci())
}

/// Whether nobody is there.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

fn handed_over(
    python: &Path,
    program: Option<&Program>,
    cwd: PathBuf,
    project: &Path,
    args: &[OsString],
    hint: Hint,
) -> Ended {
    if let Some(why) = args.iter().find_map(needs_the_terminal) {
        return Ended::Cold(why);
    }
    let place = match place_of(project) {
        Ok(place) => place,
        Err(error) => return Ended::Cold(error.to_string()),
    };
    let mut env: Vec<(OsString, OsString)> = env::vars_os().collect();
    env.sort();
    let request = Request {
        python: python.to_owned(),
        program: program.cloned(),
        cwd,
        args: args.to_owned(),
        env,
        streams: Streams::current(),
    };
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
