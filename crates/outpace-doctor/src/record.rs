//! What a run of pytest was to do, and what its processes wrote down of it.

use std::collections::BTreeMap;

use outpace_model::{Import, SetUp};
use serde::{Deserialize, Serialize};

use crate::faster::{Resource, WorkerMemory};
use crate::thing::{Left, Thing, Touch};
use crate::witnessed::Witnessed;

/// What one run of pytest is to do.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a circumstance of its own")]
pub struct Plan {
    /// Each worker's tests, in order; none: all tests in one process, in the order of the collection.
    pub lanes: Option<Vec<Vec<String>>>,
    /// Whether to record what tests touch.
    pub record: bool,
    /// Whether the lanes start each of their tests together.
    pub together: bool,
    /// Wait a little before lines of the project's code; the number says how.
    pub slow_motion: Option<u32>,
    /// Keep the process from the CPU most of the time.
    pub slowed: bool,
    /// What to put back before the last test of the lane.
    pub undo: Vec<Thing>,
    /// Whether somebody looks at what the kernel tells, and is to be told which test runs.
    pub witness: bool,
    /// Whether to read what workers have in memory.
    pub memory: bool,
    /// Whether to collect only the files that the lanes name.
    pub narrow: bool,
    /// Whether even one lane is run by a worker.
    #[serde(skip)]
    pub in_worker: bool,
}

impl Plan {
    /// These tests, in this order, in one fresh process.
    pub fn serial(tests: Vec<String>) -> Self {
        Self { lanes: Some(vec![tests]), ..Self::default() }
    }
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "pytest's words")]
pub enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// What a failure said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The error's message.
    pub message: String,
    /// File and line, if known.
    pub place: Option<String>,
    /// The phase it failed in.
    pub phase: String,
}

/// One test in one run.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its node id.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Which of the plan's lanes ran it.
    pub lane: usize,
    /// When it began and ended, seconds of one clock.
    pub span: (f64, f64),
    /// CPU seconds of its process.
    pub cpu: f64,
    /// Seconds of its phases, without waiting for a next test.
    pub seconds: f64,
    /// Of these, and of the CPU seconds, what went into fixtures that others use too.
    pub shared: (f64, f64),
    /// File and line of its definition.
    pub place: String,
    /// What it touched.
    pub touches: Vec<Touch>,
    /// What it left changed.
    pub left: Vec<Left>,
}

/// What was collected, and what keeps tests apart.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Costs {
    /// What collecting each file took.
    pub imports: Vec<Import>,
    /// Tests beside which nothing may run.
    pub serial: Vec<String>,
    /// Resources that tests need.
    pub resources: Vec<Resource>,
}

/// One run of pytest.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Every test that ran, in the order of its lane; lanes one after the other.
    pub tests: Vec<Test>,
    /// The node ids that were collected.
    pub collected: Vec<String>,
    /// Errors of collection: what, and its message.
    pub errors: Vec<(String, String)>,
    /// pytest's exit code; none if it was killed.
    pub exit: Option<i32>,
    /// What the kernel saw of the tests.
    pub witnessed: Vec<Witnessed>,
    /// What was still changed when every fixture was torn down.
    pub left_for_good: Vec<Thing>,
    /// Wall time.
    pub seconds: f64,
    /// What was collected, and what keeps tests apart.
    pub costs: Costs,
    /// What each worker spent on fixtures that tests share.
    pub fixtures: Vec<(String, SetUp)>,
    /// What each worker used, if that was asked for.
    pub memory: Vec<WorkerMemory>,
    /// The last lines that pytest printed.
    pub tail: String,
    /// The test that did not end, and where it was.
    pub hung: Option<(String, String)>,
}

impl Round {
    /// The first run of a test.
    pub fn test(&self, id: &str) -> Option<&Test> {
        self.tests.iter().find(|test| test.id == id)
    }

    /// How often it failed, and how often it ran.
    pub fn failures(&self, id: &str) -> (usize, usize) {
        let runs = self.tests.iter().filter(|test| test.id == id);
        runs.fold((0, 0), |(failed, ran), test| {
            (failed + usize::from(test.outcome == Outcome::Failed), ran + 1)
        })
    }

    /// A process ended itself because a test did not end: its first line is the test, the rest the stack.
    pub fn note_hang(&mut self, text: &str, timeout: u32, names: &Names) {
        let Some((id, stack)) = text.split_once('\n') else { return };
        if stack.trim().is_empty() {
            return;
        }
        let place = stack.lines().find_map(|line| {
            let (path, rest) = line.trim().strip_prefix("File \"")?.split_once("\", line ")?;
            let line = rest.split(' ').next()?;
            let short = names.shorten(path);
            (short != path).then(|| format!("{short}:{line}"))
        });
        let failure = Failure {
            message: format!("Timeout: it was still running after {timeout} s"),
            place,
            phase: "call".to_owned(),
        };
        let known = self.tests.iter().rposition(|known| known.id == id);
        let place = known.unwrap_or_else(|| {
            self.tests.push(started(id));
            self.tests.len() - 1
        });
        self.tests[place].outcome = Outcome::Failed;
        self.tests[place].failure = Some(failure.clone());
        self.hung = Some((id.to_owned(), failure.place.unwrap_or_default()));
    }

    /// All that failed, each once.
    pub fn failed(&self) -> Vec<&Test> {
        let mut seen = std::collections::BTreeSet::new();
        let failed = self.tests.iter().filter(|test| test.outcome == Outcome::Failed);
        failed.filter(|test| seen.insert(test.id.as_str())).collect()
    }
}

/// How paths of a run are told to people.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The root folder of the tests.
    pub root: String,
    /// The folder for temporary files that the run had, and the one that is usual.
    pub temporary: (String, String),
}

impl Names {
    /// As people know it: under the usual folder for temporary files.
    pub fn usual(&self, text: &str) -> String {
        if self.temporary.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&self.temporary.0, &self.temporary.1)
        }
    }

    fn shorten<'a>(&self, path: &'a str) -> &'a str {
        path.strip_prefix(&self.root).map_or(path, |path| path.trim_start_matches('/'))
    }
}

#[derive(Deserialize)]
struct PhaseLine {
    id: String,
    when: String,
    outcome: String,
    #[serde(default)]
    worker: String,
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    line: Option<u64>,
}

#[derive(Deserialize)]
struct TouchLine {
    id: String,
    #[serde(default)]
    worker: String,
    #[serde(default)]
    lane: usize,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    stop: f64,
    #[serde(default)]
    cpu: f64,
    #[serde(default)]
    place: String,
    #[serde(default)]
    touches: Vec<Touch>,
    #[serde(default)]
    left: Vec<Left>,
    #[serde(default)]
    shared: f64,
    #[serde(default)]
    shared_cpu: f64,
    #[serde(default)]
    fixtures: Vec<SetUp>,
}

/// Puts together what the processes of a run wrote: phases in the order in which they were reported, and what was
/// recorded of each test. A line that was cut off by a dying process is left out. A test that began and was never
/// reported has failed.
pub fn assemble<'a>(
    phases: impl Iterator<Item = &'a str>,
    recorded: impl Iterator<Item = &'a str>,
    names: &Names,
) -> Round {
    let mut round = Round::default();
    let mut by_worker: BTreeMap<String, Vec<Test>> = BTreeMap::new();
    let mut open: BTreeMap<String, Test> = BTreeMap::new();
    for line in phases.filter_map(|line| serde_json::from_str::<PhaseLine>(line).ok()) {
        match line.when.as_str() {
            "exit" => round.exit = line.outcome.parse().ok(),
            "collect" => round.errors.push((line.id, line.message)),
            _ => {
                let failed = line.outcome == "failed";
                let current = open.get(&line.worker).is_some_and(|test| test.id == line.id);
                if !current || line.when == "setup" {
                    if let Some(done) = open.remove(&line.worker) {
                        by_worker.entry(line.worker.clone()).or_default().push(done);
                    }
                    open.insert(line.worker.clone(), started(&line.id));
                }
                let Some(test) = open.get_mut(&line.worker) else { continue };
                test.seconds += line.seconds;
                if line.outcome == "skipped" && test.outcome == Outcome::Passed {
                    test.outcome = Outcome::Skipped;
                }
                if failed && test.outcome != Outcome::Failed {
                    test.outcome = Outcome::Failed;
                    let place = line
                        .path
                        .as_deref()
                        .map(|path| format!("{}:{}", names.shorten(path), line.line.unwrap_or(0)));
                    let message = names.usual(&line.message);
                    test.failure = Some(Failure { message, place, phase: line.when });
                }
            }
        }
    }
    for (worker, test) in open {
        by_worker.entry(worker).or_default().push(test);
    }
    let mut records: BTreeMap<String, Vec<TouchLine>> = BTreeMap::new();
    for line in recorded.filter_map(|line| serde_json::from_str::<TouchLine>(line).ok()) {
        if line.id.is_empty() {
            round.left_for_good.extend(line.left.into_iter().map(|left| left.thing));
            round.fixtures.extend(line.fixtures.into_iter().map(|each| (line.worker.clone(), each)));
        } else {
            records.entry(line.worker.clone()).or_default().push(line);
        }
    }
    for (worker, tests) in &mut by_worker {
        let mut lines = records.remove(worker).unwrap_or_default().into_iter().peekable();
        for test in tests.iter_mut() {
            // A test whose process died has no record; the ones after it have.
            if lines.peek().is_some_and(|line| line.id == test.id) {
                let line = lines.next();
                fill(test, line, names);
            }
        }
    }
    round.tests = by_worker.into_values().flatten().collect();
    round
}

fn fill(test: &mut Test, line: Option<TouchLine>, names: &Names) {
    let Some(line) = line else { return };
    test.lane = line.lane;
    test.span = (line.start, line.stop);
    test.cpu = line.cpu;
    test.shared = (line.shared, line.shared_cpu);
    test.place = line.place;
    test.touches = line.touches;
    for touch in &mut test.touches {
        touch.thing.name = names.usual(&touch.thing.name);
    }
    test.left = line.left;
}

fn started(id: &str) -> Test {
    Test {
        id: id.to_owned(),
        outcome: Outcome::Passed,
        failure: None,
        lane: 0,
        span: (0.0, 0.0),
        cpu: 0.0,
        seconds: 0.0,
        shared: (0.0, 0.0),
        place: id.split("::").next().unwrap_or_default().to_owned(),
        touches: Vec::new(),
        left: Vec::new(),
    }
}
