//! One run of the project's pytest, watched from outside: what it reported, what it took, what it left behind.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use outpace_compare::Record;
use outpace_os::{Pid, Signal};

use super::scratch::Scratch;
use super::waiting::{Waited, Waiting};
use crate::error::CommandError;
use crate::launch;

/// The plugin that writes down what a run reports.
const RECORDER: &str = "outpace.outcomes";
/// How often memory is looked at, unless looking takes long.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// The share of the time that looking may take.
const LOOKING_SHARE: u32 = 20;
/// What processes that a run left get to end by themselves.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) struct PytestRun<'a> {
    pub(crate) python: &'a Path,
    pub(crate) folder: &'a Path,
    /// Through the `outpace` command, which is parallel by default, or as `pytest`.
    pub(crate) as_outpace: bool,
    pub(crate) args: Vec<std::ffi::OsString>,
    /// For the recorder.
    pub(crate) environment: Vec<(&'static str, String)>,
}

pub(crate) struct Watched {
    pub(crate) status: ExitStatus,
    /// What it reported; none where it ended before it could.
    pub(crate) record: Option<Record>,
    pub(crate) wall: Duration,
    pub(crate) cpu_seconds: f64,
    /// The most memory of all its processes together; none where `/proc` does not say.
    pub(crate) peak_memory: Option<u64>,
    /// Processes that it left behind. They are ended.
    pub(crate) left: usize,
    pub(crate) output: String,
}

impl PytestRun<'_> {
    pub(crate) fn run(&self, waiting: &mut Waiting) -> Result<Watched, CommandError> {
        outpace_os::become_subreaper().map_err(CommandError::Watch)?;
        let scratch = Scratch::new().map_err(CommandError::Watch)?;
        let record = scratch.path("record.json");
        let log = scratch.path("output.txt");
        let (status, wall, cpu_seconds, peak_memory, left) = self.watch(&record, &log, waiting)?;
        let output =
            fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let record = fs::read_to_string(&record).ok().and_then(|text| Record::parse(&text).ok());
        Ok(Watched { status, record, wall, cpu_seconds, peak_memory, left, output })
    }

    fn watch(
        &self,
        record: &Path,
        log: &Path,
        waiting: &mut Waiting,
    ) -> Result<(ExitStatus, Duration, f64, Option<u64>, usize), CommandError> {
        let output = File::create(log).map_err(CommandError::Watch)?;
        let errors = output.try_clone().map_err(CommandError::Watch)?;
        let cpu_before = outpace_os::ended_children_cpu_seconds();
        let started = Instant::now();
        let mut child = Waiting::start(self.command(record).stdout(output).stderr(errors))
            .map_err(|source| CommandError::Exec { python: self.python.to_owned(), source })?;
        let (ended, stop) = mpsc::channel::<()>();
        let sampler = thread::spawn(move || most_memory(&stop));
        let waited = waiting.wait(&mut child).map_err(CommandError::Watch)?;
        let wall = started.elapsed();
        drop(ended);
        let peak = sampler.join().ok().flatten();
        let left = end_what_is_left().map_err(CommandError::Watch)?;
        let status = match waited {
            Waited::Ended(status) => status,
            Waited::Told(signal) => return Err(CommandError::Told(signal)),
        };
        Ok((status, wall, outpace_os::ended_children_cpu_seconds() - cpu_before, peak, left))
    }

    fn command(&self, record: &Path) -> Command {
        let mut command = Command::new(self.python);
        command.arg("-c").arg(if self.as_outpace {
            launch::entry(None)
        } else {
            launch::PLAIN_ENTRY.to_owned()
        });
        command.args(&self.args).current_dir(self.folder).stdin(Stdio::null());
        command.env("OUTPACE_RECORD", record).envs(self.environment.iter().cloned());
        command
    }
}

/// `-p` words that load the recorder, with outpace or without it.
pub(crate) fn plugins(outpace: bool) -> Vec<std::ffi::OsString> {
    // A plugin has to be switched off before another one can ask whether it is.
    let off = ["-p", "no:outpace"].iter().filter(|_| !outpace);
    off.chain(&["-p", RECORDER]).map(Into::into).collect()
}

/// Of all that is below this process, daemons that lost their parent included.
fn most_memory(stop: &mpsc::Receiver<()>) -> Option<u64> {
    let mut most = None;
    let mut pause = Duration::from_millis(20);
    loop {
        match stop.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return most,
        }
        let looked = Instant::now();
        let shares =
            outpace_os::descendants(Pid::current()).into_iter().filter_map(outpace_os::memory_shares);
        let sum: u64 = shares.map(|share| share.proportional).sum();
        most = most.max(Some(sum).filter(|sum| *sum > 0));
        pause = LOOK_EVERY.max(looked.elapsed() * LOOKING_SHARE);
    }
}

/// Waits for what the run started and did not wait for; how many of these had to be killed.
fn end_what_is_left() -> io::Result<usize> {
    let asked = Instant::now();
    while outpace_os::has_children() && asked.elapsed() < GRACE {
        outpace_os::reap();
        thread::sleep(Duration::from_millis(5));
    }
    let mut killed = BTreeSet::new();
    while outpace_os::has_children() {
        for child in outpace_os::children().into_iter().filter(|child| outpace_os::is_alive(*child)) {
            outpace_os::kill(child, Signal::Kill)?;
            killed.insert(child);
        }
        outpace_os::reap();
        thread::sleep(Duration::from_millis(1));
    }
    Ok(killed.len())
}

/// The last lines of what a run printed.
pub(crate) fn tail(output: &str, count: usize) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(count);
    lines[from..].iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// The absolute path of a folder that was named, or of this one.
pub(crate) fn folder(named: Option<&Path>) -> Result<PathBuf, CommandError> {
    let named = named.unwrap_or(Path::new("."));
    let folder =
        named.canonicalize().map_err(|source| CommandError::NoFolder { folder: named.to_owned(), source })?;
    match fs::metadata(&folder) {
        Ok(found) if found.is_dir() => Ok(folder),
        Ok(_) => Err(CommandError::NoFolder { folder, source: io::ErrorKind::NotADirectory.into() }),
        Err(source) => Err(CommandError::NoFolder { folder, source }),
    }
}
