//! Reading what is expected, and writing what was seen.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use outpace_model::{Costs, Expected, Outcome, Paid};
use rusqlite::{Connection, Statement, TransactionBehavior, params};

use crate::digest::{Shared, Times, digest, seconds};
use crate::error::HistoryError;
use crate::paid::{note_paid, session_fixtures};
use crate::schema::{open, open_or_make};

/// A test is forgotten when so many runs and so many days have passed since it was last seen: somebody who runs one
/// file all day long does not lose the others.
const RUNS: i64 = 200;
const DAYS: i64 = 30;
/// Tests that are kept at most; the ones seen last stay.
const MOST: i64 = 500_000;
/// For so many runs one failure makes a test unsteady.
const STEADY_AFTER: i64 = 20;
/// What has failed in each of so many runs is broken.
const BROKEN_AFTER: i64 = 3;
/// It is looked for tests to forget once in so many runs.
const PRUNE_EVERY: i64 = 16;

const NOTE_FILE: &str = "INSERT INTO file (path, fixtures, fixtures_cpu) VALUES (?1, ?2, ?3)
         ON CONFLICT (path) DO UPDATE SET
             fixtures = coalesce(fixtures + (excluded.fixtures - fixtures) / 2, excluded.fixtures, fixtures),
             fixtures_cpu = coalesce(fixtures_cpu + (excluded.fixtures_cpu - fixtures_cpu) / 2,
                                     excluded.fixtures_cpu, fixtures_cpu)
         RETURNING id";

/// A new value moves the average by half of the difference the second time, by a third from then on.
const NOTE_TEST: &str = "INSERT INTO test VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (file, name) DO UPDATE SET
             seen_run = excluded.seen_run,
             seen_day = excluded.seen_day,
             outcome = excluded.outcome,
             failures = failures + excluded.failures,
             spread = CASE WHEN runs * excluded.runs = 0 THEN spread
                      ELSE spread + (abs(excluded.wall - wall) - spread) / min(runs + 1, 3) END,
             wall = CASE excluded.runs WHEN 0 THEN wall ELSE wall + (excluded.wall - wall) / min(runs + 1, 3) END,
             cpu = CASE excluded.runs WHEN 0 THEN cpu ELSE cpu + (excluded.cpu - cpu) / min(runs + 1, 3) END,
             setup = CASE excluded.runs WHEN 0 THEN setup ELSE setup + (excluded.setup - setup) / min(runs + 1, 3) END,
             setup_cpu = CASE excluded.runs WHEN 0 THEN setup_cpu
                         ELSE setup_cpu + (excluded.setup_cpu - setup_cpu) / min(runs + 1, 3) END,
             teardown = CASE excluded.runs WHEN 0 THEN teardown
                        ELSE teardown + (excluded.teardown - teardown) / min(runs + 1, 3) END,
             teardown_cpu = CASE excluded.runs WHEN 0 THEN teardown_cpu
                            ELSE teardown_cpu + (excluded.teardown_cpu - teardown_cpu) / min(runs + 1, 3) END,
             growth = CASE excluded.runs WHEN 0 THEN growth
                      ELSE growth + (excluded.growth - growth) / min(runs + 1, 3) END,
             runs = runs + excluded.runs";

/// What is known of a suite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// By node id.
    pub tests: HashMap<String, Expected>,
    /// By file: what its first test on a worker takes more than the others.
    pub fixtures: HashMap<String, Expected>,
    /// What each worker takes for fixtures of the session.
    pub session: Expected,
    /// Tests whose outcome has changed from run to run of late.
    pub unsteady: HashSet<String>,
}

/// One run of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// Which test.
    pub node_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The test before it on its worker was of another file.
    pub is_first_of_file: bool,
    /// Its worker had run no other.
    pub is_first_of_worker: bool,
    /// What it took.
    pub costs: Costs,
}

/// What one run of a suite taught.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lessons {
    /// Its tests, in the order in which they ended.
    pub tests: Vec<Lesson>,
    /// What its processes paid once for many tests.
    pub paid: Paid,
}

/// What is known; nothing where no run has been noted yet.
pub fn read(path: &Path) -> Result<Known, HistoryError> {
    let mut known = Known::default();
    let Some(connection) = open(path)? else { return Ok(known) };
    let mut files = HashMap::new();
    let mut statement = connection.prepare("SELECT id, path, fixtures, fixtures_cpu FROM file")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let path: String = row.get(1)?;
        if let Some(fixtures) = row.get::<_, Option<i64>>(2)? {
            let cpu = row.get::<_, Option<i64>>(3)?.unwrap_or(0);
            known.fixtures.insert(path.clone(), Expected { wall: seconds(fixtures), cpu: seconds(cpu) });
        }
        files.insert(row.get::<_, i64>(0)?, path);
    }
    let mut statement =
        connection.prepare("SELECT file, name, wall, cpu, runs, failures FROM test WHERE runs > 0")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(file) = files.get(&row.get::<_, i64>(0)?) else { continue };
        let name = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let expected = Expected { wall: seconds(row.get(2)?), cpu: seconds(row.get(3)?) };
        let node_id = [file, name].concat();
        if is_unsteady(row.get(4)?, row.get(5)?) {
            known.unsteady.insert(node_id.clone());
        }
        known.tests.insert(node_id, expected);
    }
    known.session = session_fixtures(&connection)?;
    Ok(known)
}

/// Whether how a test ends has changed from run to run of late.
fn is_unsteady(runs: i64, failures: i64) -> bool {
    failures > 0 && runs <= failures * STEADY_AFTER && (failures < runs || runs < BROKEN_AFTER)
}

/// Notes what a run taught. Waits a little for another run that writes; both are noted.
pub fn write(path: &Path, lessons: &Lessons) -> Result<(), HistoryError> {
    let mut connection = open_or_make(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("UPDATE runs SET number = number + 1", [])?;
    let run: i64 = transaction.query_row("SELECT number FROM runs", [], |row| row.get(0))?;
    let day = today();
    let (mut files, mut tests) = (transaction.prepare(NOTE_FILE)?, transaction.prepare(NOTE_TEST)?);
    let mut by_file = BTreeMap::<&str, Vec<&Lesson>>::new();
    for lesson in &lessons.tests {
        by_file.entry(split(&lesson.node_id).0).or_default().push(lesson);
    }
    for (path, lessons) in by_file {
        let (times, fixtures) = digest(&lessons);
        let file = note_file(&mut files, path, fixtures)?;
        for (lesson, times) in lessons.into_iter().zip(times) {
            note_test(&mut tests, (file, run, day), lesson, times)?;
        }
    }
    drop((files, tests));
    note_paid(&transaction, &lessons.paid, run, day)?;
    if run % PRUNE_EVERY == 0 {
        prune(&transaction, run, day)?;
    }
    transaction.commit()?;
    Ok(())
}

fn note_file(statement: &mut Statement<'_>, path: &str, shared: Option<Shared>) -> Result<i64, HistoryError> {
    let (wall, cpu) = shared.map(|shared| (shared.wall, shared.cpu)).unzip();
    Ok(statement.query_row(params![path, wall, cpu], |row| row.get(0))?)
}

fn note_test(
    statement: &mut Statement<'_>,
    (file, run, day): (i64, i64, i64),
    lesson: &Lesson,
    times: Option<Times>,
) -> Result<(), HistoryError> {
    let is_timed = times.is_some();
    let times = times.unwrap_or_default();
    let is_failure = matches!(lesson.outcome, Outcome::Failed | Outcome::Crashed);
    statement.execute(params![
        file,
        split(&lesson.node_id).1,
        run,
        day,
        lesson.outcome as u8,
        is_timed,
        is_failure,
        times.wall,
        times.cpu,
        times.setup,
        times.setup_cpu,
        times.teardown,
        times.teardown_cpu,
        lesson.costs.growth,
    ])?;
    Ok(())
}

fn prune(connection: &Connection, run: i64, day: i64) -> Result<(), HistoryError> {
    connection
        .execute("DELETE FROM test WHERE seen_run < ?1 AND seen_day < ?2", params![run - RUNS, day - DAYS])?;
    let count: i64 = connection.query_row("SELECT count(*) FROM test", [], |row| row.get(0))?;
    if count > MOST {
        connection.execute(
            "DELETE FROM test WHERE (file, name) IN
                 (SELECT file, name FROM test ORDER BY seen_run DESC LIMIT -1 OFFSET ?1)",
            [MOST],
        )?;
    }
    connection.execute(
        "DELETE FROM fixture WHERE seen_run < ?1 AND seen_day < ?2",
        params![run - RUNS, day - DAYS],
    )?;
    connection.execute("DELETE FROM file WHERE id NOT IN (SELECT file FROM test)", [])?;
    Ok(())
}

/// File and rest of a node id.
fn split(node_id: &str) -> (&str, &str) {
    node_id.split_at(node_id.find("::").unwrap_or(node_id.len()))
}

fn today() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(seconds / 86_400).unwrap_or(i64::MAX)
}
