//! What an examination concludes. `docs/doctor.schema.json` describes it as JSON.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::confirmed::Confirmed;
use crate::faster::Faster;
use crate::overrides::Override;
use crate::record::Failure;
use crate::thing::{By, Thing};

/// Why a test fails although it passes in the serial run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Another test runs beside it.
    ParallelOnly,
    /// Another test ran before it.
    Order,
    /// Another test did not run before it.
    Alone,
    /// It gets less of the CPU.
    Time,
    /// It runs in a worker.
    Worker,
    /// Nothing that is known: it fails now and then, also by itself.
    Flaky,
    /// Different tests, or another order of them, in each process.
    Collection,
    /// Left behind at the end of the run.
    Leak,
}

impl Class {
    /// As `--fail-on` and the JSON have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ParallelOnly => "parallel-only",
            Self::Order => "order",
            Self::Alone => "alone",
            Self::Time => "time",
            Self::Worker => "worker",
            Self::Flaky => "flaky",
            Self::Collection => "collection",
            Self::Leak => "leak",
        }
    }

    /// What it means, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::ParallelOnly => "fails only in parallel",
            Self::Order => "fails after another test",
            Self::Alone => "passes only after another test",
            Self::Time => "depends on time",
            Self::Worker => "fails in a worker",
            Self::Flaky => "flaky by itself",
            Self::Collection => "not the same tests each time",
            Self::Leak => "left behind",
        }
    }

    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ParallelOnly,
        Self::Order,
        Self::Alone,
        Self::Time,
        Self::Worker,
        Self::Flaky,
        Self::Collection,
        Self::Leak,
    ];
}

/// A test that fails for the reason of its finding.
#[derive(Debug, Clone, Serialize)]
pub struct Involved {
    /// Its node id.
    pub id: String,
    /// How it failed.
    pub failure: Option<Failure>,
}

/// What one of the tests does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its node id.
    pub id: String,
    /// What it does: "writes", "reads", "changes it and leaves it".
    pub does: String,
    /// File and line.
    pub place: String,
}

/// How to see it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reproduction {
    /// Two tests at the same time, in two workers.
    Pair(String, String),
    /// These tests, in this order, in one process.
    Serial(Vec<String>),
    /// One test, in a worker of its own.
    Worker(String),
}

/// What was run to be sure.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// How often it failed…
    pub reproduced: usize,
    /// …of so many runs, …
    pub of: usize,
    /// …while each alone failed never.
    pub how: Reproduction,
}

/// One cause, and all that it explains.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What kind of cause.
    pub class: Class,
    /// What the tests meet on; none if that was not seen.
    pub on: Option<Thing>,
    /// The tests that do it to each other; the one that fails last.
    pub sides: Vec<Side>,
    /// The tests that fail for it.
    pub tests: Vec<Involved>,
    /// Further tests that touch it.
    pub also: Vec<String>,
    /// Who does it, if that is not the tests' Python code.
    #[serde(skip)]
    pub by: By,
    /// How sure it is.
    pub proof: Option<Proof>,
    /// What to do, the best first.
    pub advice: Vec<String>,
    /// What can be written into `pyproject.toml` instead.
    pub patch: Option<Override>,
    /// Anything else worth knowing.
    pub note: Option<String>,
}

impl Finding {
    /// One of which nothing else is known yet.
    pub(crate) fn of(class: Class) -> Self {
        Self {
            class,
            on: None,
            sides: Vec::new(),
            tests: Vec::new(),
            also: Vec::new(),
            by: By::Python,
            proof: None,
            advice: Vec::new(),
            patch: None,
            note: None,
        }
    }

    /// That this test fails.
    pub(crate) fn that_fails(class: Class, id: &str, failure: Option<Failure>) -> Self {
        Self { tests: vec![Involved { id: id.to_owned(), failure }], ..Self::of(class) }
    }

    /// Everybody who has to do with it.
    pub(crate) fn involved(&self) -> BTreeSet<&str> {
        let sides = self.sides.iter().map(|side| side.id.as_str());
        let tests = self.tests.iter().map(|test| test.id.as_str());
        sides.chain(tests).chain(self.also.iter().map(String::as_str)).collect()
    }
}

/// A test that fails in the serial run already.
#[derive(Debug, Clone, Serialize)]
pub struct Aside {
    /// Its node id.
    pub id: String,
    /// How it failed.
    pub failure: Option<Failure>,
}

/// Two tests that met on something, and did not fail for it.
#[derive(Debug, Clone, Serialize)]
pub struct RuledOut {
    /// What they met on.
    pub on: Thing,
    /// The two.
    pub tests: (String, String),
}

/// How many tests, in how many runs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    /// Tests of the serial run.
    pub tests: usize,
    /// Of these, passed.
    pub passed: usize,
    /// Of these, skipped.
    pub skipped: usize,
    /// Seconds of the serial run.
    pub serial_seconds: f64,
    /// Failed in reverse order.
    pub reversed_failed: usize,
    /// Seconds of that.
    pub reversed_seconds: f64,
    /// Workers of the parallel runs.
    pub workers: usize,
    /// Parallel runs.
    pub rounds: usize,
    /// Failed in at least one of them.
    pub parallel_failed: usize,
    /// Seconds of the quickest of them.
    pub parallel_seconds: f64,
    /// Runs of pytest in all.
    pub runs: usize,
}

/// All of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Why there is nothing to report.
    pub stopped: Option<String>,
    /// The numbers.
    pub counts: Counts,
    /// The causes, those that explain most first.
    pub findings: Vec<Finding>,
    /// Tests that fail serially.
    pub aside: Vec<Aside>,
    /// Meetings that did no harm.
    pub ruled_out: Vec<RuledOut>,
    /// Tests whose cause was not looked for, because there were too many.
    pub unexamined: Vec<String>,
    /// Why it is not faster.
    pub faster: Option<Faster>,
    /// What later runs are to mind.
    #[serde(skip)]
    pub confirmed: Vec<Confirmed>,
    /// The tests that were looked at.
    #[serde(skip)]
    pub examined: BTreeSet<String>,
}

impl Report {
    /// Whether there is a finding of the class.
    pub fn has(&self, class: Class) -> bool {
        self.findings.iter().any(|finding| finding.class == class)
    }
}
