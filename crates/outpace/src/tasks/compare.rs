//! `outpace compare`: plain pytest, xdist and outpace side by side. What follows from the runs is decided in
//! `outpace-compare`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use outpace_compare::{Engine, Reading, Runs, compare, conclusion, json, table};

use super::output;
use super::pytest_run::{PytestRun, Watched, folder, plugins, tail};
use super::terminal::say;
use super::waiting::Waiting;
use crate::error::CommandError;
use crate::interpreter;

const USAGE_ERROR: i32 = 4;

/// Run the suite under plain pytest, pytest-xdist and outpace, and compare outcomes, time, CPU and memory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  outpace compare\n  outpace compare --runs 3 tests/unit -k orders\n  \
    outpace compare -n 4\n\nExit codes: 0 every test ends under outpace as under plain pytest; 1 some do not; 4 the \
    suite could not be run.")]
pub(crate) struct Compare {
    /// How often each runs; times, CPU and memory are the medians, and tests that disagree with themselves are named.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    runs: usize,

    /// Write everything to a file, for programs.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Arguments for pytest.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PYTEST ARGS")]
    args: Vec<OsString>,
}

impl Compare {
    pub(crate) fn run(&self, python: Option<&Path>) -> Result<ExitCode, CommandError> {
        let python = interpreter::find(python)?;
        let folder = folder(None)?;
        if let Some(file) = &self.json {
            // Not after minutes.
            output::check_writable(file)?;
        }
        let mut waiting = Waiting::new().map_err(CommandError::Watch)?;
        // Once for nothing: what is compiled and cached at the first run is nobody's merit.
        let warm = self.one(&mut waiting, &python, &folder, Engine::Pytest, &["--collect-only", "-q"])?;
        if warm.status.code() == Some(USAGE_ERROR) || warm.record.is_none() {
            return Err(CommandError::PlainRun(failed_to_run(&warm)));
        }
        let mut all = Vec::new();
        for engine in Engine::ALL {
            all.push(Runs { engine, readings: Vec::new() });
        }
        for _ in 0..self.runs {
            for runs in &mut all {
                let watched = self.one(&mut waiting, &python, &folder, runs.engine, &[])?;
                check_engine(runs.engine, &watched)?;
                say(format!("{} … {:.2} s", runs.engine.name(), watched.wall.as_secs_f64()));
                if watched.record.is_none() {
                    say(tail(&watched.output, 12));
                }
                runs.readings.push(reading(watched));
            }
        }
        self.conclude(&all)
    }

    fn conclude(&self, all: &[Runs]) -> Result<ExitCode, CommandError> {
        let comparison = compare(all);
        say(format!("\n{}\n\n{}", table(all), conclusion(all, &comparison)));
        if let Some(file) = &self.json {
            output::write(file, &json(all, &comparison))?;
        }
        Ok(if comparison.is_ours_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn one(
        &self,
        waiting: &mut Waiting,
        python: &Path,
        folder: &Path,
        engine: Engine,
        more: &[&str],
    ) -> Result<Watched, CommandError> {
        let mut options: Vec<OsString> = more.iter().map(Into::into).collect();
        let mut environment = Vec::new();
        match engine {
            // xdist may be in `addopts`: it stays loaded, and distributes nothing.
            Engine::Pytest => options.extend(["-n".into(), "0".into()]),
            Engine::Xdist => environment.push(("OUTPACE_RECORD_PARALLEL", "1".to_owned())),
            Engine::Outpace | Engine::Again => {}
        }
        // Last, so that they count, but before what pytest no longer takes for options.
        let end = self.args.iter().position(|arg| arg == "--").unwrap_or(self.args.len());
        let (asked, paths) = self.args.split_at(end);
        let args = [plugins(engine.is_outpace()).as_slice(), asked, &options, paths].concat();
        PytestRun { python, folder, as_outpace: engine.is_outpace(), args, environment }.run(waiting)
    }
}

/// A comparison of a run with itself would always agree.
fn check_engine(engine: Engine, watched: &Watched) -> Result<(), CommandError> {
    let Some(record) = &watched.record else { return Ok(()) };
    let expected = match engine {
        Engine::Pytest => "pytest",
        Engine::Xdist => "xdist",
        Engine::Outpace | Engine::Again => "outpace",
    };
    if record.engine == expected || watched.status.code() == Some(USAGE_ERROR) {
        return Ok(());
    }
    let reason =
        watched.output.lines().find(|line| line.starts_with("outpace:")).map(|line| format!("\n  {line}"));
    Err(CommandError::PlainRun(format!(
        "the run under {} was {}'s: arguments or settings ask for that{}",
        engine.name(),
        record.engine,
        reason.unwrap_or_default()
    )))
}

fn failed_to_run(run: &Watched) -> String {
    format!("plain pytest does not run this suite ({}):\n{}", run.status, tail(&run.output, 12))
}

fn reading(run: Watched) -> Reading {
    Reading {
        exit: run.status.code(),
        wall_seconds: run.wall.as_secs_f64(),
        cpu_seconds: run.cpu_seconds,
        peak_bytes: run.peak_memory,
        left: run.left,
        record: run.record,
    }
}
