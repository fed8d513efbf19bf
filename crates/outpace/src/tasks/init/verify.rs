//! Whether the project runs in parallel now: seen, not believed.

use std::path::Path;
use std::process::{Command, Stdio};

use outpace_compare::Record;
use outpace_setup::Project;

use crate::error::CommandError;
use crate::tasks::pytest_run::{PytestRun, Watched, plugins, tail};
use crate::tasks::terminal::say;
use crate::tasks::waiting::Waiting;

/// How many of the suite's tests are run for it.
const FIRST: usize = 8;
const NO_TESTS: i32 = 5;

/// The major version of the project's pytest; none where it cannot be asked.
pub(super) fn pytest_version(python: &Path) -> Option<u32> {
    let asked = Command::new(python)
        .args(["-c", "from importlib.metadata import version; print(version('pytest'))"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    str::from_utf8(&asked.stdout).ok()?.split('.').next()?.trim().parse().ok()
}

/// Whether it does, where that can be seen.
pub(super) fn verify(python: &Path, folder: &Path, project: &Project) -> Result<bool, CommandError> {
    if !has_outpace(python)? {
        say(format!("not checked: outpace is not installed in {}", environment(python)));
        say(format!("  until it is, pytest does not know `-n`: {}", install(project, python)));
        say("  then `outpace init` checks that workers start");
        return Ok(true);
    }
    let mut waiting = Waiting::new().map_err(CommandError::Watch)?;
    let mut run = |args: &[&str]| {
        let args = plugins(true).into_iter().chain(args.iter().map(Into::into)).collect();
        let environment = vec![("OUTPACE_RECORD_FIRST", FIRST.to_string())];
        PytestRun { python, folder, as_outpace: false, args, environment }.run(&mut waiting)
    };
    let bare = run(&[])?;
    let Some(record) = started(&bare, "pytest") else { return Ok(false) };
    if bare.status.code() == Some(NO_TESTS) && record.tests() == 0 {
        say("not checked: pytest finds no tests here");
        return Ok(true);
    }
    let serial = run(&["-n", "0"])?;
    let Some(serially) = started(&serial, "pytest -n 0") else { return Ok(false) };
    say(format!(
        "checked with the first {} of the suite:",
        crate::tasks::init::count(record.tests(), "test")
    ));
    say(format!("  pytest        {}", describe(record)));
    say(format!("  pytest -n 0   {}", describe(serially)));
    Ok(judge(&bare, record, serially))
}

fn judge(bare: &Watched, record: &Record, serially: &Record) -> bool {
    let parallel = record.engine == "outpace" && !record.workers.is_empty();
    if !parallel {
        say(format!("bare `pytest` does not run under outpace here, but under {}", record.engine));
        let reason = bare.output.lines().find(|line| line.starts_with("outpace:"));
        if let Some(reason) = reason {
            say(format!("  {reason}"));
        }
    }
    let serial = serially.engine == "pytest" && serially.workers.is_empty();
    if !serial {
        say("`pytest -n 0` does not run in one process here");
    }
    let counts = record.counts();
    if parallel && serial && counts.failed + counts.errors > 0 && serially.counts() != counts {
        say("  some fail only in parallel: `outpace --retry-alone` names them");
    }
    parallel && serial
}

fn started<'a>(run: &'a Watched, line: &str) -> Option<&'a Record> {
    if run.record.is_none() || run.status.code() == Some(4) {
        say(format!("`{line}` did not run the tests ({}):", run.status));
        say(tail(&run.output, 12));
        return None;
    }
    run.record.as_ref()
}

fn describe(record: &Record) -> String {
    let counts = record.counts();
    let mut results = Vec::new();
    for (number, word) in [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.errors, "errors"),
        (counts.skipped, "skipped"),
    ] {
        if number > 0 {
            results.push(format!("{number} {word}"));
        }
    }
    let results = results.join(", ");
    if record.workers.is_empty() {
        return format!("one process: {results}");
    }
    let workers: Vec<String> =
        record.workers.iter().map(|(name, pid)| format!("{name} is process {pid}")).collect();
    let number = crate::tasks::init::count(workers.len(), "worker");
    format!("{}, {number} ({}): {results}", record.engine, workers.join(", "))
}

fn has_outpace(python: &Path) -> Result<bool, CommandError> {
    let asked = Command::new(python)
        .args(["-c", "import sys; sys.path[:1] = []; import pytest, outpace.outcomes"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked
        .map(|status| status.success())
        .map_err(|source| CommandError::Exec { python: python.to_owned(), source })
}

fn environment(python: &Path) -> String {
    let folder = python.parent().and_then(Path::parent).unwrap_or(python);
    folder.display().to_string()
}

fn install(project: &Project, python: &Path) -> String {
    for (lock, command) in
        [("uv.lock", "uv sync"), ("poetry.lock", "poetry install"), ("pdm.lock", "pdm install")]
    {
        if project.files.contains_key(lock) {
            return command.to_owned();
        }
    }
    format!("{} -m pip install outpace", python.display())
}
