//! Conflicts, and when they count.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use outpace_history::{Confirmed, Valid, conflicts, learn_conflicts, read, write};
use outpace_model::{Apart, Conflict};
use rusqlite::Connection;

use super::{folder, lesson, note};

fn conflict(tests: &[&str]) -> Conflict {
    Conflict {
        apart: Apart::InTime,
        on: "port 8000".to_owned(),
        lasting: true,
        tests: tests.iter().map(|test| (*test).to_owned()).collect(),
    }
}

fn learn(path: &Path, root: &Path, examined: &[&str], found: &[Conflict], sources: &[&str]) {
    let examined = examined.iter().map(|test| (*test).to_owned()).collect();
    let sources: Vec<String> = sources.iter().map(|path| (*path).to_owned()).collect();
    let confirmed: Vec<Confirmed> =
        found.iter().map(|each| Confirmed { conflict: each.clone(), sources: sources.clone() }).collect();
    learn_conflicts(path, root, &examined, &confirmed).expect("noted");
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const ALL: [&str; 4] = ["a.py::one", "a.py::two", "b.py::three", "c.py::four"];

fn project() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let (folder, path) = folder();
    let root = folder.path().to_owned();
    for file in ["a.py", "b.py", "c.py", "app.py"] {
        fs::write(root.join(file), file).expect("written");
    }
    (folder, path, root)
}

#[test]
fn what_was_confirmed_is_known_and_costs_no_lesson() {
    let (_folder, path, root) = project();
    note(&path, [lesson("a.py::one", 1.0)]);
    let (pair, order) = (
        conflict(&["a.py::one", "b.py::three"]),
        Conflict { apart: Apart::InOrder, lasting: false, ..conflict(&["a.py::two", "c.py::four"]) },
    );
    learn(&path, &root, &ALL, &[pair.clone(), order.clone()], &[]);
    assert_eq!(
        conflicts(&path, &root).unwrap(),
        Valid { conflicts: vec![pair, order], dropped: BTreeSet::new() }
    );
    assert_eq!(read(&path).unwrap().tests.len(), 1);
}

#[test]
fn a_test_whose_file_changed_is_kept_apart_no_more_until_it_is_as_it_was() {
    let (_folder, path, root) = project();
    learn(&path, &root, &ALL, &[conflict(&ALL[1..])], &[]);
    fs::write(root.join("b.py"), "fixed").unwrap();
    let valid = conflicts(&path, &root).unwrap();
    assert_eq!(valid.conflicts, [conflict(&["a.py::two", "c.py::four"])]);
    assert_eq!(valid.dropped, names(&["b.py::three"]));
    fs::remove_file(root.join("c.py")).unwrap();
    let valid = conflicts(&path, &root).unwrap();
    assert_eq!((valid.conflicts, valid.dropped), (vec![], names(&ALL[1..])));
    fs::write(root.join("b.py"), "b.py").unwrap();
    let valid = conflicts(&path, &root).unwrap();
    assert_eq!(valid.conflicts, [conflict(&["a.py::two", "b.py::three"])]);
}

#[test]
fn where_the_place_changed_in_which_they_meet_the_conflict_is_gone() {
    let (_folder, path, root) = project();
    learn(&path, &root, &ALL, &[conflict(&ALL[1..])], &["app.py"]);
    fs::write(root.join("app.py"), "fixed").unwrap();
    let valid = conflicts(&path, &root).unwrap();
    assert_eq!((valid.conflicts, valid.dropped), (vec![], names(&ALL[1..])));
}

#[test]
fn a_new_examination_replaces_what_it_looked_at_and_nothing_else() {
    let (_folder, path, root) = project();
    let (inside, across) = (conflict(&["a.py::one", "a.py::two"]), conflict(&["a.py::one", "b.py::three"]));
    learn(&path, &root, &ALL, &[inside.clone(), across.clone()], &[]);
    learn(&path, &root, &["a.py::one", "a.py::two"], &[], &[]);
    assert_eq!(conflicts(&path, &root).unwrap().conflicts, std::slice::from_ref(&across));
    learn(&path, &root, &ALL, std::slice::from_ref(&inside), &[]);
    assert_eq!(conflicts(&path, &root).unwrap().conflicts, [inside]);
    learn(&path, &root, &ALL, &[], &[]);
    assert_eq!(conflicts(&path, &root).unwrap(), Valid::default());
    let left: i64 = Connection::open(&path)
        .unwrap()
        .query_row(
            "SELECT (SELECT count(*) FROM conflict_test) + (SELECT count(*) FROM conflict_source)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn without_a_conflict_no_history_is_made() {
    let (_folder, path, root) = project();
    learn(&path, &root, &ALL, &[], &[]);
    assert!(!path.exists());
    assert_eq!(conflicts(&path, &root).unwrap(), Valid::default());
}

#[test]
fn one_test_alone_is_no_conflict_unless_it_is_to_be_alone() {
    let (_folder, path, root) = project();
    let alone = Conflict { apart: Apart::FromAll, ..conflict(&["a.py::one"]) };
    learn(&path, &root, &ALL, &[conflict(&["a.py::one"]), alone.clone()], &[]);
    assert_eq!(conflicts(&path, &root).unwrap().conflicts, [alone]);
}

#[test]
fn a_history_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_knows() {
    let (_folder, path, root) = project();
    note(&path, [lesson("a.py::one", 1.0)]);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "DROP TABLE conflict; DROP TABLE conflict_test; DROP TABLE conflict_source;
             DROP TABLE fixture; ALTER TABLE file DROP COLUMN import_cpu;
             ALTER TABLE file DROP COLUMN fixtures_cpu; PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(connection);
    assert_eq!(conflicts(&path, &root).unwrap(), Valid::default());
    write(
        &path,
        &outpace_history::Lessons {
            tests: vec![lesson("b.py::three", 1.0)],
            ..outpace_history::Lessons::default()
        },
    )
    .unwrap();
    assert_eq!(read(&path).unwrap().tests.len(), 2);
    learn(&path, &root, &ALL, &[conflict(&ALL)], &[]);
    assert_eq!(conflicts(&path, &root).unwrap().conflicts, [conflict(&ALL)]);
}
