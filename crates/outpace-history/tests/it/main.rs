//! The store as the coordinator uses it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use outpace_history::{HistoryError, Lesson, Lessons, read, write};
use outpace_model::{Costs, Expected, Import, Outcome, Paid, Scope, SetUp};
use rusqlite::Connection;
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("outpace").join("history.sqlite3");
    (folder, path)
}

fn lesson(node_id: &str, seconds: f32) -> Lesson {
    let costs = Costs { wall: [0.0, seconds, 0.0], cpu: [0.0, seconds / 4.0, 0.0], ..Costs::default() };
    Lesson {
        node_id: node_id.to_owned(),
        outcome: Outcome::Passed,
        is_first_of_file: false,
        is_first_of_worker: false,
        costs,
    }
}

fn note(path: &Path, tests: impl IntoIterator<Item = Lesson>) {
    write(path, &Lessons { tests: tests.into_iter().collect(), ..Lessons::default() }).expect("noted");
}

fn wall(path: &Path, node_id: &str) -> Option<f32> {
    read(path).expect("readable").tests.get(node_id).map(|expected| expected.wall)
}

#[test]
fn what_was_noted_is_known() {
    let (_folder, path) = folder();
    assert!(read(&path).unwrap().tests.is_empty());
    note(&path, [lesson("tests/a.py::t[x::y]", 2.0), lesson("odd", 0.5)]);
    let known = read(&path).unwrap();
    let expected = known.tests["tests/a.py::t[x::y]"];
    assert_eq!((expected.wall, expected.cpu), (2.0, 0.5));
    assert_eq!(known.tests["odd"].wall.to_bits(), 0.5_f32.to_bits());
    assert_eq!(known.tests.len(), 2);
}

#[test]
fn recent_runs_weigh_more_and_skipped_ones_nothing() {
    let (_folder, path) = folder();
    note(&path, [lesson("a.py::t", 1.0)]);
    note(&path, [lesson("a.py::t", 3.0)]);
    assert_eq!(wall(&path, "a.py::t"), Some(2.0));
    note(&path, [lesson("a.py::t", 8.0)]);
    assert_eq!(wall(&path, "a.py::t"), Some(4.0));
    note(&path, [Lesson { outcome: Outcome::Skipped, ..lesson("a.py::t", 0.0) }]);
    assert_eq!(wall(&path, "a.py::t"), Some(4.0));
    let spread: i64 =
        Connection::open(&path).unwrap().query_row("SELECT spread FROM test", [], |row| row.get(0)).unwrap();
    assert!(spread > 2_000_000, "{spread}");
}

#[test]
fn a_test_that_fails_now_and_then_is_unsteady_until_it_has_passed_for_long() {
    let (_folder, path) = folder();
    let failed = || Lesson { outcome: Outcome::Failed, ..lesson("a.py::now_and_then", 1.0) };
    let is_unsteady = || read(&path).unwrap().unsteady.contains("a.py::now_and_then");
    note(&path, [lesson("a.py::now_and_then", 1.0), lesson("a.py::fine", 1.0)]);
    assert!(!is_unsteady());
    note(&path, [failed(), lesson("a.py::fine", 1.0)]);
    for _ in 0..18 {
        assert!(is_unsteady());
        note(&path, [lesson("a.py::now_and_then", 1.0)]);
    }
    assert!(is_unsteady());
    note(&path, [lesson("a.py::now_and_then", 1.0)]);
    assert!(!is_unsteady());
    note(&path, [failed()]);
    assert!(is_unsteady());
    assert_eq!(read(&path).unwrap().unsteady.len(), 1);
}

#[test]
fn what_has_always_failed_is_broken_not_unsteady() {
    let (_folder, path) = folder();
    for runs in 0..4 {
        assert_eq!(read(&path).unwrap().unsteady.len(), usize::from((1..3).contains(&runs)), "{runs}");
        note(&path, [Lesson { outcome: Outcome::Failed, ..lesson("a.py::t", 1.0) }]);
    }
}

#[test]
fn what_a_file_costs_beside_its_tests_is_kept_of_the_file() {
    let (_folder, path) = folder();
    let costs = Costs { wall: [1.0, 0.0, 0.0], cpu: [0.5, 0.0, 0.0], ..Costs::default() };
    let first = Lesson { is_first_of_file: true, costs, ..lesson("a.py::one", 0.0) };
    let lessons = Lessons {
        tests: vec![first, lesson("a.py::two", 0.25), lesson("a.py::three", 0.25)],
        ..Lessons::default()
    };
    write(&path, &lessons).unwrap();
    let known = read(&path).unwrap();
    assert_eq!(known.fixtures["a.py"], Expected { wall: 1.0, cpu: 0.5 });
    assert_eq!(known.tests["a.py::one"].wall.to_bits(), 0.0_f32.to_bits());
}

fn set_up(name: &str, times: u32, wall: u64) -> SetUp {
    SetUp {
        path: "conftest.py".to_owned(),
        name: name.to_owned(),
        scope: Scope::Session,
        times,
        wall,
        cpu: wall / 2,
    }
}

#[test]
fn what_was_paid_once_for_many_tests_is_kept_and_recent_runs_weigh_more() {
    let (_folder, path) = folder();
    let import = |wall| Import { path: "a.py".to_owned(), wall, cpu: wall / 2 };
    let paid = |wall| Paid {
        imports: vec![import(wall)],
        // Two workers paid for the first one.
        fixtures: vec![set_up("app", 1, wall), set_up("app", 1, 3 * wall), set_up("db", 4, 4 * wall)],
    };
    for wall in [1_000, 3_000] {
        let lessons = Lessons { tests: vec![lesson("a.py::t", 1.0)], paid: paid(wall) };
        write(&path, &lessons).unwrap();
    }
    // A run that collects nothing anew leaves it as it is.
    note(&path, [lesson("a.py::t", 1.0)]);
    let connection = Connection::open(&path).unwrap();
    let numbers = |query: &str| {
        let mut statement = connection.prepare(query).unwrap();
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get::<_, i64>(column)).collect();
        statement.query_map([], read).unwrap().map(Result::unwrap).collect::<Vec<Vec<i64>>>()
    };
    assert_eq!(numbers("SELECT import, import_cpu FROM file"), [[2_000, 1_000]]);
    let fixtures = numbers("SELECT scope, workers, times, wall, cpu FROM fixture ORDER BY name");
    assert_eq!(fixtures, [[4, 2, 2, 4_000, 2_000], [4, 1, 4, 2_000, 1_000]]);
    // Every worker needed the one and every second the other.
    assert_eq!(read(&path).unwrap().session, Expected { wall: 0.005, cpu: 0.0025 });
}

#[test]
fn a_history_of_an_earlier_version_is_brought_up_to_date() {
    let (_folder, path) = folder();
    note(&path, [lesson("a.py::t", 1.0)]);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "DROP TABLE fixture; ALTER TABLE file DROP COLUMN import_cpu;
             ALTER TABLE file DROP COLUMN fixtures_cpu; PRAGMA user_version = 2",
        )
        .unwrap();
    drop(connection);
    let paid = Paid { fixtures: vec![set_up("app", 1, 7)], ..Paid::default() };
    write(&path, &Lessons { tests: vec![lesson("a.py::t", 3.0)], paid }).unwrap();
    assert_eq!(wall(&path, "a.py::t"), Some(2.0));
    let kept: i64 =
        Connection::open(&path).unwrap().query_row("SELECT wall FROM fixture", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 7);
}

#[test]
fn two_runs_that_write_at_once_are_both_noted() {
    let (_folder, path) = folder();
    let start = Arc::new(Barrier::new(4));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (path, start) = (path.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                for round in 0..5 {
                    note(&path, (0..50).map(|test| lesson(&format!("w{writer}r{round}.py::t{test}"), 1.0)));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(read(&path).unwrap().tests.len(), 4 * 5 * 50);
    let connection = Connection::open(&path).unwrap();
    let runs: i64 = connection.query_row("SELECT number FROM runs", [], |row| row.get(0)).unwrap();
    assert_eq!(runs, 20);
}

#[test]
fn a_damaged_file_is_an_error_and_stays_as_it_is() {
    let (_folder, path) = folder();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "not a database, but something of somebody's\n".repeat(200)).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(read(&path), Err(HistoryError::Sqlite(_))));
    assert!(write(&path, &Lessons::default()).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_torn_page_is_an_error_not_a_panic() {
    let (_folder, path) = folder();
    note(&path, (0..500).map(|test| lesson(&format!("a.py::t{test}"), 1.0)));
    let mut bytes = fs::read(&path).unwrap();
    for page in (4096..bytes.len()).step_by(4096) {
        bytes[page..page + 64].fill(0xa5);
    }
    fs::write(&path, bytes).unwrap();
    assert!(read(&path).is_err());
}

#[test]
fn a_newer_one_and_one_of_something_else_are_left_alone() {
    let (_folder, path) = folder();
    note(&path, [lesson("a.py::t", 1.0)]);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(read(&path), Err(HistoryError::Newer { found: 99, .. })));
    assert!(matches!(write(&path, &Lessons::default()), Err(HistoryError::Newer { .. })));
    let other = path.with_file_name("other.sqlite3");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    assert!(matches!(read(&other), Err(HistoryError::Foreign)));
    assert!(matches!(write(&other, &Lessons::default()), Err(HistoryError::Foreign)));
}

#[test]
fn tests_that_nobody_has_seen_for_long_are_forgotten() {
    let (_folder, path) = folder();
    note(&path, [lesson("gone.py::t", 1.0), lesson("rare.py::t", 1.0), lesson("a.py::t", 1.0)]);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute("UPDATE test SET seen_day = 0 WHERE file = (SELECT id FROM file WHERE path = 'gone.py')", [])
        .unwrap();
    for _ in 0..240 {
        note(&path, [lesson("a.py::t", 1.0)]);
    }
    assert_eq!(wall(&path, "gone.py::t"), None);
    assert_eq!(wall(&path, "rare.py::t"), Some(1.0), "it was seen today");
    let files: i64 = connection.query_row("SELECT count(*) FROM file", [], |row| row.get(0)).unwrap();
    assert_eq!(files, 2);
}

mod conflicts;
