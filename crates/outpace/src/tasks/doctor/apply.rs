//! Overrides into `pyproject.toml`. Nothing is ever half-written.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use outpace_doctor::{Override, Report, addition};

use crate::error::CommandError;
use crate::tasks::output::write;

use super::lab::Pytest;

/// Reads the settings as a run would.
const CHECK: &str = "\
import pathlib, sys
from outpace import pyproject, settings
try:
    pyproject.read(settings.Settings(pathlib.Path(sys.argv[1])), sys.stdin.read())
except Exception as error:
    sys.exit(str(error))
";

pub(super) fn json(report: &Report) -> String {
    serde_json::to_string_pretty(&serde_json::json!({ "version": 1, "report": report })).unwrap_or_default()
        + "\n"
}

/// Shows what is added to `pyproject.toml`, asks, and adds it.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(super) fn fix(overrides: &[Override], lab: &Pytest, yes: bool) -> Result<(), CommandError> {
    let named = lab.root().join("pyproject.toml");
    // A link stays one.
    let file = fs::canonicalize(&named).unwrap_or(named);
    let old = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(CommandError::Unwritable { file, source }),
    };
    let added = addition(overrides, &old);
    if added.is_empty() {
        println!("Nothing to add to {}.", file.display());
        return Ok(());
    }
    let mut new = old.clone();
    if !new.is_empty() && !new.ends_with('\n') {
        new.push('\n');
    }
    new += if old.is_empty() { added.trim_start() } else { &added };
    check(&file, &new, lab)?;
    println!("{}", diff(&file, &old, &added));
    if !yes && !agreed(&file)? {
        println!("Nothing was written.");
        return Ok(());
    }
    write(&file, &new)?;
    println!("written: {}", file.display());
    Ok(())
}

fn check(file: &Path, text: &str, lab: &Pytest) -> Result<(), CommandError> {
    let failed = |source| CommandError::Exec { python: lab.python().to_owned(), source };
    let mut child = Command::new(lab.python())
        .args(["-c", CHECK])
        .arg(file)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(CommandError::Doctor(format!("the overrides do not fit into {}: {reason}", file.display())))
}

fn diff(file: &Path, old: &str, added: &str) -> String {
    let lines: Vec<&str> = old.lines().collect();
    let context = &lines[lines.len().saturating_sub(3)..];
    let mut text = format!("--- {0}\n+++ {0}\n", file.display());
    for line in context {
        text += " ";
        text += line;
        text += "\n";
    }
    for line in if old.is_empty() { added.trim_start() } else { added }.lines() {
        text += "+";
        text += line;
        text += "\n";
    }
    text
}

#[expect(clippy::print_stdout, reason = "a question")]
fn agreed(file: &Path) -> Result<bool, CommandError> {
    if !super::is_attended() {
        println!("Nobody is there to be asked; say --yes to have it written.");
        return Ok(false);
    }
    print!("Write this to {}? [y/N] ", file.display());
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
