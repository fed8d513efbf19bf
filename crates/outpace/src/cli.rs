//! The command line: a few options of our own, then pytest's.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use crate::own_first::own_first;
use crate::tasks::Task;

/// What was asked for.
#[derive(Debug, Parser)]
#[command(
    name = "outpace",
    version,
    about = "Run a pytest suite in parallel, unchanged.",
    long_about = "Run a pytest suite in parallel, unchanged.\n\n\
        `outpace ARGS` is `pytest ARGS` with `-n auto` as the default: the same options, plugins, configuration and \
        exit codes. outpace's own options come first; everything from the first other argument on goes to pytest.\n\n\
        A first argument that is exactly the name of a command below is that command; a path of the same name is \
        written `outpace ./init` or `outpace -- init`.",
    after_help = "Examples:\n  outpace\n  outpace tests/unit -k orders\n  outpace -n 4 --dist loadfile\n  \
        outpace -n 0            run serially, in one process\n\n\
        Exit codes are pytest's: 0 passed, 1 failed, 2 interrupted, 3 internal error, 4 usage error, 5 no tests.",
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// The Python interpreter whose pytest runs the tests [default: the active environment, .venv here or above,
    /// the one outpace is installed with, python3 on PATH].
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) python: Option<PathBuf>,

    /// Keep what is imported and collected for the next run (`warm = true` in [tool.outpace] does, but where CI is set).
    #[arg(long)]
    pub(crate) warm: bool,

    /// Use nothing that is kept, and throw it away.
    #[arg(long)]
    pub(crate) fresh: bool,

    #[command(subcommand)]
    pub(crate) task: Option<Task>,

    /// Arguments for pytest.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PYTEST ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// Parses, or prints help, version or a usage error and ends the process as clap does (with pytest's code for it).
pub(crate) fn parse(program: OsString, args: Vec<OsString>) -> Cli {
    let line = std::iter::once(program).chain(own_first(&mut Cli::command(), args));
    match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            #[expect(clippy::exit, reason = "clap has said what there is to say; nothing has been started")]
            std::process::exit(if error.use_stderr() { 4 } else { 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &[&str]) -> Cli {
        parse("outpace".into(), line.iter().map(OsString::from).collect())
    }

    #[test]
    fn everything_from_the_first_foreign_argument_on_is_pytests() {
        let cli = args(&["-k", "a or b", "--python", "x", "--version"]);
        assert_eq!(cli.python, None);
        assert_eq!(cli.args, ["-k", "a or b", "--python", "x", "--version"]);
    }

    #[test]
    fn own_options_come_first() {
        let cli = args(&["--python", "py", "tests", "-x"]);
        assert_eq!(cli.python, Some(PathBuf::from("py")));
        assert_eq!(cli.args, ["tests", "-x"]);
    }

    #[test]
    fn only_a_first_argument_that_is_exactly_its_name_is_a_command() {
        assert!(matches!(args(&["init"]).task, Some(Task::Init(_))));
        assert!(matches!(args(&["compare"]).task, Some(Task::Compare(_))));
        for line in [
            &["./init"][..],
            &["init/"],
            &["init_tests/"],
            &["ini"],
            &["-k", "init"],
            &["tests", "init"],
            &["-x", "init"],
        ] {
            let cli = args(line);
            assert!(cli.task.is_none(), "{line:?}");
            assert_eq!(cli.args, line);
        }
        let cli = args(&["--", "init", "-x"]);
        assert!(cli.task.is_none());
        assert_eq!(cli.args, ["init", "-x"]);
    }

    #[test]
    fn the_interpreter_is_named_before_a_command_or_after_it() {
        for line in [["--python", "py", "init"], ["init", "--python", "py"]] {
            let cli = args(&line);
            assert!(matches!(cli.task, Some(Task::Init(_))));
            assert_eq!(cli.python, Some(PathBuf::from("py")));
        }
    }
}
