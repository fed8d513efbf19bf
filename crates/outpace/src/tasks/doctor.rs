//! `outpace doctor`: why tests cannot run in parallel, and what to do about it.
//!
//! Options, files and exit code. What is run and what follows from it is decided in `outpace-doctor`; `lab` runs pytest.

mod apply;
mod attributed;
mod lab;
mod remember;
mod watched;
mod witness;
mod workshop;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use outpace_doctor::{Class, Finding, Options, Report, examine, examine_pair, markdown, overrides, screen};

use crate::error::CommandError;
use crate::interpreter;
use crate::tasks::output;

use self::lab::Pytest;

/// Find out why tests fail in parallel: which two, on what they meet, and what to do.
///
/// Runs the suite serially, in reverse order, and several times in parallel, then looks into each difference.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Workers of the parallel runs [default: twice the cores, 4 at least].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256))]
    workers: Option<u16>,

    /// Parallel runs of the whole suite, each with another mixture.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,

    /// Runs of pytest to look into failures, at most.
    #[arg(long, value_name = "N", default_value_t = 250)]
    most_runs: usize,

    /// Seconds after which a test counts as hanging.
    #[arg(long, value_name = "S", default_value_t = 60)]
    test_timeout: u32,

    /// Only these two tests: run them beside each other.
    #[arg(long, num_args = 2, value_names = ["TEST", "TEST"])]
    pair: Option<Vec<String>>,

    /// As if there were no [[tool.outpace.overrides]] in pyproject.toml.
    #[arg(long)]
    without_overrides: bool,

    /// Write what was found as a Markdown document.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Write what was found as JSON (docs/doctor.schema.json).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Add overrides to pyproject.toml for what was found, after showing them.
    #[arg(long)]
    fix: bool,

    /// Do not ask before --fix writes.
    #[arg(long)]
    yes: bool,

    /// Exit with 1 if there is a finding of one of these kinds: parallel-only, order, alone, time, worker, flaky,
    /// collection, leak, or any.
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = kind)]
    fail_on: Vec<String>,

    /// Arguments for pytest.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PYTEST ARGS")]
    args: Vec<OsString>,
}

fn kind(text: &str) -> Result<String, String> {
    let names = Class::ALL.map(Class::name);
    if text == "any" || names.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("choose from {}, any", names.join(", ")))
    }
}

impl Doctor {
    pub(crate) fn run(&self, python: Option<&Path>) -> Result<ExitCode, CommandError> {
        for file in self.write.iter().chain(&self.json) {
            output::check_writable(file)?;
        }
        let python = interpreter::find(python)?;
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let options = Options {
            workers: self.workers.map_or((2 * cores).max(4), usize::from),
            rounds: self.rounds.max(1),
            repeat: 5,
            budget: self.most_runs,
        };
        let mut args = self.args.clone();
        if let Some(pair) = &self.pair {
            args.splice(0..0, pair.iter().map(OsString::from));
        }
        let mut lab = Pytest::open(python, args, self.test_timeout, self.without_overrides)?;
        if let Some([one, other]) = self.pair.as_deref() {
            let found = examine_pair(&mut lab, &options)?;
            lab.progress();
            return self.tell_pair(found, one, other, &lab);
        }
        let report = examine(&mut lab, &options)?;
        lab.progress();
        self.tell(&report, &mut lab)
    }

    #[expect(clippy::print_stdout, reason = "this is what the command is for")]
    fn tell(&self, report: &Report, lab: &mut Pytest) -> Result<ExitCode, CommandError> {
        println!();
        print!("{}", screen(report, &lab.shell()));
        if let Some(file) = &self.write {
            output::write(file, &markdown(report, &lab.shell()))?;
            println!("written: {}", file.display());
        }
        if let Some(file) = &self.json {
            output::write(file, &apply::json(report))?;
            println!("written: {}", file.display());
        }
        if report.stopped.is_some() {
            return Ok(ExitCode::from(1));
        }
        remember::remember(report, lab)?;
        if self.fix {
            apply::fix(&overrides(report), lab, self.yes)?;
        }
        Ok(self.exit_code(&report.findings))
    }

    #[expect(clippy::print_stdout, reason = "this is what the command is for")]
    fn tell_pair(
        &self,
        found: Result<Option<Finding>, String>,
        one: &str,
        other: &str,
        lab: &Pytest,
    ) -> Result<ExitCode, CommandError> {
        match found {
            Err(reason) => Err(CommandError::Doctor(reason)),
            Ok(None) => {
                println!("Beside each other, {one} and {other} do not fail.");
                Ok(ExitCode::SUCCESS)
            }
            Ok(Some(finding)) => {
                let report = Report { findings: vec![finding], ..Report::default() };
                print!("{}", screen(&report, &lab.shell()));
                Ok(self.exit_code(&report.findings))
            }
        }
    }

    fn exit_code(&self, findings: &[Finding]) -> ExitCode {
        let counts =
            |finding: &Finding| self.fail_on.iter().any(|kind| kind == "any" || kind == finding.class.name());
        ExitCode::from(u8::from(findings.iter().any(counts)))
    }
}

/// Whether somebody is there to be asked.
fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}
