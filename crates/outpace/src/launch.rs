//! Becoming pytest, or serving it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use outpace_runner::ForkedTemplate;
use outpace_warm::Program;

use crate::error::CommandError;

/// What the interpreter runs. Where Python puts a program's folder on the path, it gets the one that the program has, or
/// none. Written so that an environment without the plugin says so in one line.
const ENTRY: &str = "\
import sys
FOLDER
try:
    from outpace.entry import main
except ImportError as error:
    sys.stderr.write(
        f'outpace: the Python environment {sys.prefix} cannot load the outpace plugin ({error})\\n'
        f'  hint: {sys.executable} -m pip install outpace\\n'
    )
    sys.exit(4)
sys.exit(main(ARGUMENTS))
";

/// The same for `pytest` as its own command runs it, in an environment that has outpace for the recorder.
pub(crate) const PLAIN_ENTRY: &str = "\
import sys
sys.path[:1] = [p for p in sys.path[:1] if p]
try:
    import pytest
    from outpace.pytest_private import run_command
except ImportError as error:
    sys.stderr.write(
        f'the Python environment {sys.prefix} has no pytest with outpace ({error})\\n'
        f'hint: {sys.executable} -m pip install outpace, or name another one with --python\\n'
    )
    sys.exit(4)
sys.argv[0] = 'pytest'
sys.exit(run_command())
";

/// Replaces this process by the user's pytest. `note` is what the run is to say of layers, which it does without.
pub(crate) fn test(python: PathBuf, args: &[OsString], note: Option<&str>) -> CommandError {
    let source = Command::new(&python).arg("-c").arg(entry(note)).args(args).exec();
    CommandError::Exec { python, source }
}

/// The same for a pytest that was started as `program`.
pub(crate) fn test_as(
    python: PathBuf,
    program: &Program,
    args: &[OsString],
    note: Option<&str>,
) -> CommandError {
    let mut command = Command::new(&python);
    command.args(&program.flags).arg("-c").arg(entry_as_pytest(note));
    let source = command.args([&program.path, &program.name]).args(args).exec();
    CommandError::Exec { python, source }
}

/// What the interpreter runs; `note` as for [`test`].
pub(crate) fn entry(note: Option<&str>) -> String {
    ENTRY
        .replace("FOLDER", "sys.path[:1] = [p for p in sys.path[:1] if p]")
        .replace("ARGUMENTS", &quoted(note))
}

/// The same with two arguments in front of pytest's: the folder, and the program's name.
fn entry_as_pytest(note: Option<&str>) -> String {
    const FOLDER: &str = "folder = sys.argv.pop(1)\nif sys.path[:1] == ['']:\n    sys.path[:1] = [folder]";
    ENTRY.replace("FOLDER", FOLDER).replace("ARGUMENTS", &format!("{}, sys.argv.pop(1)", quoted(note)))
}

/// As Python reads it.
fn quoted(note: Option<&str>) -> String {
    // As Python reads JSON's strings, but for what is beyond 16 bits: that is left out.
    let quote = |text: &str| {
        let plain = |each: char| {
            let number = u32::from(each);
            match number {
                0x20..0x7f if each != '\'' && each != '\\' => each.to_string(),
                0..0x1_0000 => format!("\\u{number:04x}"),
                _ => "?".to_owned(),
            }
        };
        format!("'{}'", text.chars().map(plain).collect::<String>())
    };
    note.map_or_else(|| "None".to_owned(), quote)
}

/// Serves the run whose controller is at the other end of the inherited socket. After the socket's descriptor come
/// the process id of a template that the controller has forked, and the descriptor of its socket, if there is one.
pub(crate) fn coordinate(args: &[OsString]) -> Result<(), CommandError> {
    let numbers: Vec<i32> = args.iter().filter_map(|text| text.to_str()?.parse().ok()).collect();
    let socket = |number| outpace_os::inherited_socket(number).map_err(|_| CommandError::NoSocket);
    let (controller, template) = match numbers[..] {
        [controller] => (socket(controller)?, None),
        [controller, pid, fd] => (socket(controller)?, Some(ForkedTemplate { pid, socket: socket(fd)? })),
        _ => return Err(CommandError::NoSocket),
    };
    // Refused where we lead a session already; then there is no terminal to leave.
    let _ = outpace_os::lead_own_group();
    outpace_runner::serve(controller, template, env!("CARGO_PKG_VERSION"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_cannot_end_its_own_string() {
        assert!(entry(None).contains("main(None)"));
        assert!(entry(Some("a'b\\c\n")).contains(r"main('a\u0027b\u005cc\u000a')"));
    }

    #[test]
    fn what_a_pytest_was_started_as_comes_before_its_arguments() {
        let code = entry_as_pytest(Some("a FOLDER of ARGUMENTS"));
        assert!(code.contains("main('a FOLDER of ARGUMENTS', sys.argv.pop(1))"), "{code}");
        assert!(
            code.contains(
                "folder = sys.argv.pop(1)\nif sys.path[:1] == ['']:\n    sys.path[:1] = [folder]\n"
            )
        );
    }
}
