//! Tests that were seen to be in each other's way, and whether that still counts: while the files that it was seen in are
//! as they were.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use outpace_model::{Apart, Conflict};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::error::HistoryError;
use crate::print::print_of;
use crate::schema::{open, open_or_make};

/// A conflict that was proven, and the files whose change makes it doubtful, beside those of its tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The tests, and what keeps them apart.
    pub conflict: Conflict,
    /// Paths from the root folder of the tests.
    pub sources: Vec<String>,
}

/// The conflicts that count, and the tests of those that do not any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Valid {
    /// Each with the tests whose files have not changed.
    pub conflicts: Vec<Conflict>,
    /// Tests that are not kept apart any more, because a file changed.
    pub dropped: BTreeSet<String>,
}

/// The conflicts that the history knows of. `root` is the root folder of the tests.
pub fn conflicts(path: &Path, root: &Path) -> Result<Valid, HistoryError> {
    match open(path)? {
        Some(connection) => read(&connection, root),
        None => Ok(Valid::default()),
    }
}

pub(crate) fn read(connection: &Connection, root: &Path) -> Result<Valid, HistoryError> {
    let mut valid = Valid::default();
    let mut prints = BTreeMap::<String, Option<i64>>::new();
    let mut statement = connection.prepare("SELECT id, apart, thing, lasting FROM conflict ORDER BY id")?;
    let mut tests = connection.prepare("SELECT node_id FROM conflict_test WHERE conflict = ?1")?;
    let mut sources = connection.prepare("SELECT path, print FROM conflict_source WHERE conflict = ?1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let Some(apart) = Apart::from_number(row.get(1)?) else { continue };
        let all: Vec<String> = tests.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut changed = BTreeSet::new();
        let mut files = sources.query([id])?;
        while let Some(row) = files.next()? {
            let path: String = row.get(0)?;
            let now = *prints.entry(path.clone()).or_insert_with_key(|path| print_of(&root.join(path)));
            if now != Some(row.get(1)?) {
                changed.insert(path);
            }
        }
        // What changed and is no test's own file is where they meet.
        let is_doubtful = changed.iter().any(|path| all.iter().all(|test| file_of(test) != path));
        let (left, gone): (Vec<String>, Vec<String>) =
            all.into_iter().partition(|test| !is_doubtful && !changed.contains(file_of(test)));
        let conflict = Conflict { apart, on: row.get(2)?, lasting: row.get(3)?, tests: left };
        valid.dropped.extend(gone);
        if conflict.is_one() {
            valid.conflicts.push(conflict);
        } else {
            valid.dropped.extend(conflict.tests);
        }
    }
    Ok(valid)
}

/// Notes what an examination confirmed. What was known of the tests that it examined, and was not seen again, is
/// forgotten; what is known of others as well stays.
pub fn learn_conflicts(
    path: &Path,
    root: &Path,
    examined: &BTreeSet<String>,
    confirmed: &[Confirmed],
) -> Result<(), HistoryError> {
    if confirmed.is_empty() && !path.exists() {
        return Ok(());
    }
    let mut connection = open_or_make(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    forget(&transaction, examined)?;
    for each in confirmed.iter().filter(|each| each.conflict.is_one()) {
        note(&transaction, root, each)?;
    }
    transaction.commit()?;
    Ok(())
}

fn forget(transaction: &Transaction<'_>, examined: &BTreeSet<String>) -> Result<(), HistoryError> {
    let mut members = BTreeMap::<i64, bool>::new();
    let mut statement = transaction.prepare("SELECT conflict, node_id FROM conflict_test")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let is_examined = examined.contains(&row.get::<_, String>(1)?);
        let all = members.entry(row.get(0)?).or_insert(true);
        *all &= is_examined;
    }
    for (id, _) in members.into_iter().filter(|(_, all)| *all) {
        for table in ["conflict_test WHERE conflict", "conflict_source WHERE conflict", "conflict WHERE id"] {
            transaction.execute(&format!("DELETE FROM {table} = ?1"), [id])?;
        }
    }
    Ok(())
}

fn note(transaction: &Transaction<'_>, root: &Path, each: &Confirmed) -> Result<(), HistoryError> {
    let Conflict { apart, on, lasting, tests } = &each.conflict;
    transaction.execute(
        "INSERT INTO conflict (apart, thing, lasting) VALUES (?1, ?2, ?3)",
        params![*apart as u8, on, lasting],
    )?;
    let id = transaction.last_insert_rowid();
    for test in tests {
        transaction.execute("INSERT OR IGNORE INTO conflict_test VALUES (?1, ?2)", params![id, test])?;
    }
    let files: BTreeSet<&str> =
        tests.iter().map(|test| file_of(test)).chain(each.sources.iter().map(String::as_str)).collect();
    for path in files {
        if let Some(print) = print_of(&root.join(path)) {
            transaction
                .execute("INSERT INTO conflict_source VALUES (?1, ?2, ?3)", params![id, path, print])?;
        }
    }
    Ok(())
}

fn file_of(node_id: &str) -> &str {
    node_id.split_once("::").map_or(node_id, |(file, _)| file)
}
