//! `outpace init`: sets a project up. What is changed is decided in `outpace-setup`; here are files and questions.

mod files;
mod surroundings;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use outpace_setup::{Note, Plan, Project, Wishes, plan};

use super::pytest_run::folder;
use super::terminal::{ask, can_ask, say};
use crate::error::CommandError;
use crate::interpreter;

/// Set a project up: outpace in its test dependencies, `-n auto` in its pytest settings, the `serial` marker, `make`
/// targets; then check that it works.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the command line")]
#[command(
    after_help = "Shows a diff and asks before it changes anything. Running it again changes nothing.\n\n\
    Exit codes: 0 done, or nothing to do; 1 there is something to do (--check, or you said no), or the check of the \
    result failed; 4 it cannot be done, and nothing was changed."
)]
pub(crate) struct Init {
    /// The project's folder [default: this one].
    folder: Option<PathBuf>,

    /// Change without asking.
    #[arg(short, long, conflicts_with_all = ["dry_run", "check"])]
    yes: bool,

    /// Show what would change, and change nothing.
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,

    /// For CI: change nothing, and exit with 1 if there is something to do.
    #[arg(long)]
    check: bool,

    /// Take pytest-xdist out of the lists where outpace comes in: it brings it along.
    #[arg(long)]
    replace_xdist: bool,

    /// Put `auto` where `addopts` has another `-n`.
    #[arg(long)]
    replace_workers: bool,

    /// Do not run any test afterwards.
    #[arg(long)]
    no_verify: bool,
}

impl Init {
    pub(crate) fn run(&self, python: Option<&Path>) -> Result<ExitCode, CommandError> {
        let folder = folder(self.folder.as_deref())?;
        let python = interpreter::find_for(python, &folder)?;
        let project = Project { files: files::read(&folder)?, pytest: verify::pytest_version(&python) };
        surroundings::check(&folder, &project)?;
        let plan = self.plan(&project)?;
        if plan.changes.is_empty() {
            self.tell_notes(&plan);
            say(format!("nothing to do: {} is set up", folder.display()));
            return Ok(self.verify(&python, &folder, &project));
        }
        for change in &plan.changes {
            say(change.diff());
        }
        for change in &plan.changes {
            change.does.iter().for_each(|does| say(format!("{}: {does}", change.file)));
        }
        self.tell_notes(&plan);
        if self.check || self.dry_run {
            say(format!("{} to change; nothing was changed", count(plan.changes.len(), "file")));
            return Ok(if self.check { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        if !self.yes {
            if !can_ask() {
                return Err(CommandError::NobodyToAsk);
            }
            if !ask("Change this?") {
                say("nothing was changed");
                return Ok(ExitCode::FAILURE);
            }
        }
        files::write(&folder, &plan.changes)?;
        say(format!("changed {}", count(plan.changes.len(), "file")));
        Ok(self.verify(&python, &folder, &project))
    }

    fn plan(&self, project: &Project) -> Result<Plan, CommandError> {
        let wishes = Wishes { replace_xdist: self.replace_xdist, replace_workers: self.replace_workers };
        let first = plan(project, wishes)?;
        let other = first.notes.iter().find_map(|note| match note {
            Note::Workers { file, value } => {
                Some(format!("{file}: addopts has `-n {value}`. Put `-n auto` there?"))
            }
            Note::Text(_) => None,
        });
        let may_ask = !(self.yes || self.check || self.dry_run) && can_ask();
        match other.filter(|_| may_ask) {
            Some(question) if ask(&question) => {
                Ok(plan(project, Wishes { replace_workers: true, ..wishes })?)
            }
            _ => Ok(first),
        }
    }

    #[expect(clippy::unused_self, reason = "one of the steps of a run")]
    fn tell_notes(&self, plan: &Plan) {
        for note in &plan.notes {
            match note {
                Note::Text(text) => say(format!("note: {text}")),
                Note::Workers { file, value } => {
                    say(format!(
                        "note: {file}: addopts has `-n {value}`, which was kept; --replace-workers puts `auto` there"
                    ));
                }
            }
        }
    }

    fn verify(&self, python: &Path, folder: &Path, project: &Project) -> ExitCode {
        if self.no_verify || self.check || self.dry_run {
            return ExitCode::SUCCESS;
        }
        match verify::verify(python, folder, project) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => crate::report(&error),
        }
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
