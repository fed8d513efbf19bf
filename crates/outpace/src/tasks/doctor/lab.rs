//! Runs pytest as the plan of the doctor says, and reads what its processes wrote down.
//!
//! Each run is a process group of its own; whatever it leaves running is ended before the next one starts.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use outpace_doctor::{Costs, Lab, Machine, Names, Plan, Round, Shell, WorkerMemory, assemble};
use outpace_os::{Pid, Signal, available_memory, usable_cpus};
use serde_json::Value;

use crate::error::CommandError;
use crate::launch::entry;
use crate::tasks::waiting::{Waited, Waiting, group_of};

use super::attributed::{Places, attributed};
use super::witness::{Testimony, Witness};
use super::workshop::Workshop;

const TAIL_LINES: usize = 15;

/// Where a run keeps its history.
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) root: PathBuf,
}

pub(super) struct Pytest {
    python: PathBuf,
    args: Vec<OsString>,
    timeout: u32,
    bare: bool,
    workshop: Workshop,
    waiting: Waiting,
    about: Value,
    has_progress: bool,
    machine: Machine,
    /// That not all could be seen was said.
    has_told: bool,
}

impl Pytest {
    pub(super) fn open(
        python: PathBuf,
        args: Vec<OsString>,
        timeout: u32,
        bare: bool,
    ) -> Result<Self, CommandError> {
        let waiting = Waiting::new()?;
        // What tests leave running becomes ours, and ends with the run.
        outpace_os::become_subreaper()?;
        let workshop = Workshop::open()?;
        Ok(Self {
            python,
            args,
            timeout,
            bare,
            workshop,
            waiting,
            about: Value::Null,
            has_progress: false,
            machine: machine(),
            has_told: false,
        })
    }

    pub(super) fn python(&self) -> &Path {
        &self.python
    }

    /// The root folder of the tests.
    pub(super) fn root(&self) -> PathBuf {
        PathBuf::from(self.about["root"].as_str().unwrap_or("."))
    }

    pub(super) fn shell(&self) -> Shell {
        let here = PathBuf::from(self.about["cwd"].as_str().unwrap_or("."));
        Shell {
            prefix: relative(&here, &self.root()),
            shuffles: self.about["shuffles"].as_bool().unwrap_or(false),
        }
    }

    /// Takes away the line that says what is going on.
    #[expect(clippy::print_stderr, reason = "progress, for the person at the terminal")]
    pub(super) fn progress(&mut self) {
        if std::mem::take(&mut self.has_progress) {
            eprint!("\r\x1b[K");
            let _ = io::stderr().flush();
        }
    }

    /// The user's run, with what the recorder is to know.
    fn pytest(&self, plan: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg("-c")
            .arg(entry(None))
            .args(&self.args)
            .env("OUTPACE_DOCTOR_PLAN", plan)
            .env("TMPDIR", self.workshop.temporary())
            .stdin(Stdio::null());
        command
    }

    fn command(&self, plan: &Plan, folder: &Path) -> io::Result<Command> {
        let mut content = serde_json::to_value(plan).map_err(io::Error::other)?;
        content["folder"] = Value::from(folder.to_string_lossy());
        content["bare"] = Value::from(self.bare);
        content["timeout"] = Value::from(self.timeout);
        let file = folder.join("plan.json");
        fs::write(&file, content.to_string())?;
        let lanes = plan.lanes.as_ref().map_or(1, Vec::len);
        let workers = if plan.in_worker { lanes } else { 0 };
        let log = File::create(folder.join("log"))?;
        let mut command = self.pytest(&file);
        command
            .args(["-p", "outpace.recording.plugin", "-p", "no:randomly", "-p", "no:random_order"])
            .args([
                "-n",
                &workers.to_string(),
                "--dist=load",
                "--maxfail=0",
                "--retry=0",
                "--no-history",
                "-o",
            ])
            .arg(format!("cache_dir={}", self.workshop.root().join("cache").display()))
            .args(plan.memory.then_some("--memory"))
            .args(["--test-timeout", &self.timeout.to_string(), "--slow-timeout", "0"])
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// Where an ordinary run with these arguments keeps its history, or why it keeps none.
    pub(super) fn history(&mut self) -> Result<Result<Place, String>, CommandError> {
        let folder = self.workshop.next()?;
        let file = folder.join("plan.json");
        fs::write(&file, serde_json::json!({ "folder": folder.to_string_lossy() }).to_string())?;
        let mut command = self.pytest(&file);
        command
            .args(["-p", "outpace.recording.where", "-n", "0", "--collect-only", "-q"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = self.start(&mut command)?;
        self.wait(&mut child)?;
        let about: Value =
            serde_json::from_str(&text(&folder.join("where.json")).unwrap_or_default()).unwrap_or_default();
        Ok(match (about["history"].as_str(), about["root"].as_str()) {
            (Some(file), Some(root)) => Ok(Place { file: file.into(), root: root.into() }),
            _ => Err(about["notices"][0].as_str().unwrap_or("no history is kept").to_owned()),
        })
    }

    fn start(&self, command: &mut Command) -> Result<Child, CommandError> {
        let failed = |source| CommandError::Exec { python: self.python.clone(), source };
        Waiting::start(command).map_err(failed)
    }

    fn wait(&mut self, child: &mut Child) -> Result<Option<i32>, CommandError> {
        let waited = self.waiting.wait(child)?;
        sweep(group_of(child));
        match waited {
            Waited::Ended(status) => Ok(status.code()),
            Waited::Told(_) => Err(CommandError::Interrupted),
        }
    }

    /// The project's folder, as far as it is known, and that of temporary files.
    fn near(&self) -> Vec<PathBuf> {
        let mut found = vec![self.workshop.temporary()];
        found.extend(std::env::current_dir().ok());
        found.extend(self.about["root"].as_str().map(PathBuf::from));
        found
    }

    fn witness(&mut self, folder: &Path) -> Option<Witness> {
        match Witness::start(folder, &self.near()) {
            Ok(witness) => Some(witness),
            Err(error) => {
                self.cannot_see(&format!("is not seen: inotify: {error}"));
                None
            }
        }
    }

    fn cannot_see(&mut self, why: &str) {
        if !std::mem::replace(&mut self.has_told, true) {
            self.say(&format!("What subprocesses and C code write {why}"), true);
        }
    }

    fn read(
        &mut self,
        folder: &Path,
        code: Option<i32>,
        seconds: f64,
        testimony: Option<&Testimony>,
    ) -> io::Result<Round> {
        let mut phases = String::new();
        let mut recorded = String::new();
        let mut collected = Vec::new();
        let mut costs = Costs::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("outcomes-") {
                phases += &text(&path)?;
            } else if name.starts_with("touches-") {
                recorded += &text(&path)?;
            } else if name.starts_with("collected-") {
                let content: Value = serde_json::from_str(&text(&path)?).unwrap_or_default();
                collected = content["ids"]
                    .as_array()
                    .map(|ids| ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect())
                    .unwrap_or_default();
            } else if name.starts_with("costs-") {
                costs = serde_json::from_str(&text(&path)?).unwrap_or(costs);
            } else if name == "run.json" {
                self.about = serde_json::from_str(&text(&path)?).unwrap_or_default();
            }
        }
        let root = self.about["root"].as_str().unwrap_or_default().to_owned();
        let names = Names {
            root,
            temporary: (
                self.workshop.temporary().to_string_lossy().into_owned(),
                std::env::temp_dir().to_string_lossy().trim_end_matches('/').to_owned(),
            ),
        };
        let mut round = assemble(phases.lines(), recorded.lines(), &names);
        if let Some(testimony) = testimony {
            let near = self.near();
            let places = Places { root: &self.root(), near: &near, names: &names };
            round.witnessed = attributed(testimony, &recorded, &places);
            if testimony.is_partial {
                self.cannot_see("was seen in part only: too many folders, or too much at once");
            }
        }
        round.collected = collected;
        round.costs = costs;
        round.memory = memory(folder);
        round.seconds = seconds;
        round.exit = round.exit.or(code);
        round.tail = tail(&text(&folder.join("log"))?);
        if let Ok(hung) = fs::read_to_string(folder.join("hung")) {
            round.note_hang(&hung, self.timeout, &names);
        }
        Ok(round)
    }
}

impl Lab for Pytest {
    type Error = CommandError;

    fn run(&mut self, plan: &Plan) -> Result<Round, CommandError> {
        let folder = self.workshop.next()?;
        let mut command = self.command(plan, &folder)?;
        let witness = if plan.witness { self.witness(&folder) } else { None };
        let begin = Instant::now();
        let mut child = self.start(&mut command)?;
        if let Some(witness) = &witness {
            witness.attend(group_of(&child));
        }
        let code = self.wait(&mut child)?;
        let seconds = begin.elapsed().as_secs_f64();
        let testimony = witness.map(Witness::end);
        Ok(self.read(&folder, code, seconds, testimony.as_ref())?)
    }

    fn machine(&self) -> Machine {
        self.machine
    }

    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "progress, for the person at the terminal")]
    fn say(&mut self, line: &str, stays: bool) {
        self.progress();
        if stays {
            println!("{line}");
        } else if io::stderr().is_terminal() {
            let short: String = line.chars().take(100).collect();
            eprint!("  {short} …");
            let _ = io::stderr().flush();
            self.has_progress = true;
        }
    }
}

fn machine() -> Machine {
    let cpus = usable_cpus();
    #[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
    let count = cpus.count as f64;
    Machine { cores: cpus.quota.unwrap_or(count), memory: available_memory() }
}

/// What the run's workers used, if it was read.
fn memory(folder: &Path) -> Vec<WorkerMemory> {
    let content: Value =
        serde_json::from_str(&text(&folder.join("memory.json")).unwrap_or_default()).unwrap_or_default();
    serde_json::from_value(content["workers"].clone()).unwrap_or_default()
}

/// Ends what a run has left: its group, and whatever was adopted from it.
fn sweep(group: Pid) {
    let _ = outpace_os::kill_group(group, Signal::Kill);
    for _ in 0..3 {
        for left in outpace_os::descendants(Pid::current()) {
            let _ = outpace_os::kill(left, Signal::Kill);
        }
        let deadline = Instant::now() + Duration::from_millis(500);
        while outpace_os::has_children() && Instant::now() < deadline {
            if outpace_os::reap().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// What leads from a folder to another one, for commands: empty, or with a slash at its end.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - same);
    let down = to[same..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).map(|part| part + "/").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_from_one_folder_to_another() {
        assert_eq!(relative(Path::new("/a/b"), Path::new("/a/b")), "");
        assert_eq!(relative(Path::new("/a/b/c"), Path::new("/a/b")), "../");
        assert_eq!(relative(Path::new("/a"), Path::new("/a/b")), "b/");
        assert_eq!(relative(Path::new("/a/x"), Path::new("/a/b/c")), "../b/c/");
    }
}
