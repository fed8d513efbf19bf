//! The options of a command are its own wherever they stand among pytest's arguments, up to `--`.

use std::ffi::OsString;

use clap::{ArgAction, Command};

/// The same arguments, with the options of the command ahead of pytest's.
pub(crate) fn own_first(cli: &mut Command, args: Vec<OsString>) -> Vec<OsString> {
    cli.build();
    let at = match args.first().and_then(|first| first.to_str()) {
        Some("--python") => 2,
        Some(first) if first.starts_with("--python=") => 1,
        _ => 0,
    };
    let command = args.get(at).and_then(|name| cli.find_subcommand(name));
    let Some(command) =
        command.filter(|command| command.get_positionals().any(clap::Arg::is_trailing_var_arg_set))
    else {
        return args;
    };
    let mut rest = args.iter().skip(at + 1).cloned();
    let (mut own, mut pytests) = (args[..=at].to_vec(), Vec::new());
    while let Some(arg) = rest.next() {
        if arg == "--" {
            pytests.push(arg);
            pytests.extend(rest.by_ref());
        } else if let Some(values) = values_after(command, &arg) {
            own.push(arg);
            own.extend(rest.by_ref().take(values));
        } else {
            pytests.push(arg);
        }
    }
    own.extend(pytests);
    own
}

/// How many arguments belong to this one, where it is an option of the command.
fn values_after(command: &Command, arg: &OsString) -> Option<usize> {
    let text = arg.to_str()?.strip_prefix("--")?;
    let (name, has_value) = text.split_once('=').map_or((text, false), |(name, _)| (name, true));
    let option = command.get_arguments().find(|each| each.get_long() == Some(name))?;
    match option.get_action() {
        ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort | ArgAction::Version => None,
        _ if has_value => Some(0),
        _ => Some(option.get_num_args().map_or(0, |range| range.min_values())),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::own_first;
    use crate::cli::Cli;

    fn ordered(line: &str) -> String {
        let args = line.split(' ').map(Into::into).collect();
        let found = own_first(&mut Cli::command(), args);
        found.iter().map(|each| each.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_of_a_command_may_stand_behind_pytests() {
        assert_eq!(ordered("doctor tests -k a --write X.md"), "doctor --write X.md tests -k a");
        assert_eq!(ordered("doctor tests --pair a b -x --fix"), "doctor --pair a b --fix tests -x");
        assert_eq!(ordered("doctor tests --rounds=2 --python p"), "doctor --rounds=2 --python p tests");
        assert_eq!(ordered("--python p doctor tests --yes"), "--python p doctor --yes tests");
        assert_eq!(ordered("doctor tests -- --json x"), "doctor tests -- --json x");
        assert_eq!(ordered("doctor tests --write"), "doctor --write tests");
    }

    #[test]
    fn what_is_no_option_of_the_command_is_pytests() {
        for line in [
            "doctor tests -k a --maxfail 1",
            "tests --fix",
            "tests doctor --fix",
            "doctor tests --help",
            "init --yes",
        ] {
            assert_eq!(ordered(line), line);
        }
    }
}
