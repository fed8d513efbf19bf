//! Why there is no history.

use thiserror::Error;

/// Why the history can be neither read nor written.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// A newer version of outpace has written it.
    #[error("a newer version of outpace wrote it (schema {found}, this one knows {known})")]
    Newer {
        /// What it says it is.
        found: i64,
        /// What this version can read.
        known: i64,
    },
    /// It is some other database.
    #[error("it is a database of something else")]
    Foreign,
    /// `SQLite` cannot make sense of it, or may not.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Its folder cannot be made.
    #[error("{0}")]
    Folder(#[from] std::io::Error),
}
