//! Looks at what the kernel tells while one process of pytest runs tests: which paths are touched, which ports are had.
//!
//! A thread of ours: the tests have nothing of it in their process but a file whose name says which test runs. What is
//! seen counts for that test, whoever did it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use outpace_doctor::{Kind, Mode, Thing};
use outpace_os::{Pid, Ports, sockets_of, tree};
use serde_json::Value;

use super::watched::{Log, Told, Watched};

/// A port that is had for a shorter time may be missed…
const LOOK: Duration = Duration::from_millis(10);
/// …or for so long, while the tests' process has children.
const CLOSE_LOOK: Duration = Duration::from_millis(2);
/// Folders of which every process of the machine makes use.
const COMMON: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// What one test did to things.
pub(super) type Deeds = Vec<(Thing, Mode)>;

/// What was seen of each test, by its number in its process.
#[derive(Default)]
pub(super) struct Testimony {
    pub(super) tests: BTreeMap<usize, Deeds>,
    /// Ports that a test had when it was over.
    pub(super) lasting: BTreeSet<(usize, String)>,
    /// Whether there was more than could be seen.
    pub(super) is_partial: bool,
}

pub(super) struct Witness {
    stop: Arc<AtomicBool>,
    pytest: Arc<AtomicI32>,
    thread: JoinHandle<Testimony>,
}

impl Witness {
    /// Watches the folders from now on. `run` is where the run writes.
    pub(super) fn start(run: &Path, folders: &[PathBuf]) -> io::Result<Self> {
        let marks = run.join("marks");
        fs::create_dir(&marks)?;
        fs::write(marks.join("start"), "")?;
        let mut watched = Watched::new(&marks)?;
        for folder in folders {
            watched.add(folder);
        }
        for folder in COMMON {
            watched.add_flat(Path::new(folder));
        }
        let (stop, pytest) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let about = run.join("run.json");
        let mut looking = Looking {
            watched,
            about: Some(about),
            pytest: Arc::clone(&pytest),
            known: HashMap::new(),
            current: None,
            log: Log::new(),
            asked: Ports::new(),
            ports: BTreeSet::new(),
            testimony: Testimony::default(),
        };
        let until = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("witness".to_owned()).spawn(move || {
            looking.look_until(&until);
            looking.testimony
        })?;
        Ok(Self { stop, pytest, thread })
    }

    /// The process that runs the tests.
    pub(super) fn attend(&self, pytest: Pid) {
        self.pytest.store(pytest.0, Ordering::Relaxed);
    }

    /// All of it, once nobody runs any more.
    pub(super) fn end(self) -> Testimony {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

struct Looking {
    watched: Watched,
    /// The file that says which folder is the project's, until it is there.
    about: Option<PathBuf>,
    pytest: Arc<AtomicI32>,
    /// Sockets that were seen before, and which test's they are.
    known: HashMap<u64, Option<usize>>,
    current: Option<usize>,
    log: Log,
    asked: Ports,
    ports: BTreeSet<u16>,
    testimony: Testimony,
}

impl Looking {
    fn look_until(&mut self, stop: &AtomicBool) {
        let mut looked = Instant::now();
        loop {
            let is_last = stop.load(Ordering::Relaxed);
            if !self.listen() || is_last {
                break;
            }
            let pause = if self.asked.is_cheap() && self.has_children() { CLOSE_LOOK } else { LOOK };
            if looked.elapsed() >= pause {
                looked = Instant::now();
                self.look_for_the_root();
                self.look_at_ports();
            }
            if self.watched.wait(pause).is_err() {
                break;
            }
        }
        self.turn_to(None);
        self.testimony.is_partial = self.watched.is_partial;
    }

    fn listen(&mut self) -> bool {
        let Ok(changes) = self.watched.read() else { return false };
        for change in changes {
            if let Told::Mark(name) = self.watched.note(&change, &mut self.log) {
                self.turn_to(name.parse().ok());
            }
        }
        true
    }

    /// What was seen until now is the test's that ran until now; what is seen before the first one is nobody's.
    fn turn_to(&mut self, next: Option<usize>) {
        let log = std::mem::take(&mut self.log);
        let ports = std::mem::take(&mut self.ports);
        let Some(current) = std::mem::replace(&mut self.current, next) else { return };
        let mut deeds: Deeds = outpace_doctor::deeds(&log).into_iter().collect();
        deeds.extend(
            ports.into_iter().map(|port| (Thing { kind: Kind::Port, name: port.to_string() }, Mode::Write)),
        );
        if !deeds.is_empty() {
            self.testimony.tests.insert(current, deeds);
        }
    }

    fn has_children(&self) -> bool {
        let pytest = self.pytest.load(Ordering::Relaxed);
        fs::read(format!("/proc/{pytest}/task/{pytest}/children")).is_ok_and(|text| !text.is_empty())
    }

    fn look_for_the_root(&mut self) {
        let text = self.about.as_ref().and_then(|file| fs::read_to_string(file).ok());
        let Some(about) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) else { return };
        self.about = None;
        if let Some(root) = about["root"].as_str() {
            self.watched.add(Path::new(root));
        }
    }

    /// Sockets that were not there at the last look, of processes below us.
    fn look_at_ports(&mut self) {
        let Some(current) = self.current else { return };
        let mut seen = self.asked.bound();
        for each in &seen {
            if let Some(Some(owner)) = self.known.get(&each.inode)
                && *owner != current
            {
                self.testimony.lasting.insert((*owner, each.port.to_string()));
            }
        }
        seen.retain(|each| !self.known.contains_key(&each.inode));
        if seen.is_empty() {
            return;
        }
        let ours: HashSet<u64> = tree(Pid::current()).into_iter().flat_map(sockets_of).collect();
        for each in seen {
            let is_ours = ours.contains(&each.inode);
            self.known.insert(each.inode, is_ours.then_some(current));
            if is_ours {
                self.ports.insert(each.port);
            }
        }
    }
}
