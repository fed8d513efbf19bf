//! Opening the file, and bringing an old one up to date.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::HistoryError;

/// How long to wait for another run that writes.
const PATIENCE: Duration = Duration::from_millis(1500);

const AGAIN: Duration = Duration::from_millis(5);

/// "`OPhi`": says whose file it is (`PRAGMA application_id`).
const APPLICATION: i64 = 0x4f50_6869;

/// Each brings the schema from its place in the list to the next. Times are whole microseconds.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE runs (number INTEGER NOT NULL);
    INSERT INTO runs VALUES (0);
    CREATE TABLE file (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        import INTEGER,        -- collecting it, its import included
        fixtures INTEGER       -- what its first test on a worker takes more than the others
    );
    CREATE TABLE test (
        file INTEGER NOT NULL REFERENCES file,
        name TEXT NOT NULL,    -- the rest of the node id
        seen_run INTEGER NOT NULL,
        seen_day INTEGER NOT NULL,
        outcome INTEGER NOT NULL,
        runs INTEGER NOT NULL, -- with times
        failures INTEGER NOT NULL,
        wall INTEGER NOT NULL,
        spread INTEGER NOT NULL,
        cpu INTEGER NOT NULL,
        setup INTEGER NOT NULL,
        setup_cpu INTEGER NOT NULL,
        teardown INTEGER NOT NULL,
        teardown_cpu INTEGER NOT NULL,
        growth INTEGER NOT NULL, -- of the peak memory, KiB
        PRIMARY KEY (file, name)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE conflict (
        id INTEGER PRIMARY KEY,
        apart INTEGER NOT NULL,  -- in time, in order, from all
        thing TEXT NOT NULL,     -- what they meet on, in words
        lasting INTEGER NOT NULL
    );
    CREATE TABLE conflict_test (
        conflict INTEGER NOT NULL REFERENCES conflict,
        node_id TEXT NOT NULL,
        PRIMARY KEY (conflict, node_id)
    ) WITHOUT ROWID;
    CREATE TABLE conflict_source (
        conflict INTEGER NOT NULL REFERENCES conflict,
        path TEXT NOT NULL,      -- from the root folder of the tests
        print INTEGER NOT NULL,  -- of its content when the conflict was seen
        PRIMARY KEY (conflict, path)
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE file ADD COLUMN import_cpu INTEGER;
    CREATE TABLE fixture (
        path TEXT NOT NULL,      -- the file that defines it, or a plugin's module
        name TEXT NOT NULL,
        scope INTEGER NOT NULL,  -- class, module, package, session: 1 to 4
        seen_run INTEGER NOT NULL,
        seen_day INTEGER NOT NULL,
        runs INTEGER NOT NULL,
        workers INTEGER NOT NULL, -- that paid for it in the last run
        times INTEGER NOT NULL,  -- it was set up in the last run, by all of them
        wall INTEGER NOT NULL,   -- one set-up
        cpu INTEGER NOT NULL,
        PRIMARY KEY (path, name)
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE file ADD COLUMN fixtures_cpu INTEGER;
",
];

/// Opens an existing history to be read; nothing when there is none.
pub(crate) fn open(path: &Path) -> Result<Option<Connection>, HistoryError> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = version(&connection.unchecked_transaction()?)?;
    if version > known() {
        return Err(HistoryError::Newer { found: version, known: known() });
    }
    Ok((version == known()).then_some(connection))
}

/// Opens a history to be written; makes it, or brings it up to date.
pub(crate) fn open_or_make(path: &Path) -> Result<Connection, HistoryError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let found = version(&connection.unchecked_transaction()?)?;
    if found > known() {
        return Err(HistoryError::Newer { found, known: known() });
    }
    if found < known() {
        log_ahead(&connection)?;
        migrate(&mut connection)?;
    }
    // A cut of power may cost the last run, not the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// The change of the journal does not wait for a run that does the same at this moment, whatever the timeout.
fn log_ahead(connection: &Connection) -> Result<(), HistoryError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until =>
            {
                thread::sleep(AGAIN);
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), HistoryError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another run may just have done it.
    let found = version(&transaction)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known())?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.commit()?;
    Ok(())
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, HistoryError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// 0 for a file that was just made. In a transaction, since what it reads must be of one moment: another run may make the file
/// meanwhile.
fn version(transaction: &Transaction<'_>) -> Result<i64, HistoryError> {
    let number = |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = "SELECT count(*) FROM sqlite_schema";
    let (version, application) = (number("user_version")?, number("application_id")?);
    let is_empty = transaction.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0;
    if application == APPLICATION || (is_empty && version == 0) {
        Ok(version)
    } else {
        Err(HistoryError::Foreign)
    }
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}
