//! Files that a command writes for its user: asked for at the start, written at the end, as a whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::CommandError;

/// Better now than after minutes of running tests.
pub(crate) fn check_writable(file: &Path) -> Result<(), CommandError> {
    let folder = parent(file);
    let error = |source| CommandError::Unwritable { file: file.to_owned(), source };
    if file.is_dir() {
        return Err(error(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let probe = folder.join(format!(".outpace-{}", std::process::id()));
    fs::OpenOptions::new().write(true).create_new(true).open(&probe).map_err(error)?;
    fs::remove_file(&probe).map_err(error)
}

/// Replaces the file in one step.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    let error = |source| CommandError::Unwritable { file: file.to_owned(), source };
    let fresh = parent(file).join(format!(".outpace-{}", std::process::id()));
    let replace = || {
        fs::write(&fresh, text)?;
        if let Ok(old) = fs::metadata(file) {
            fs::set_permissions(&fresh, old.permissions())?;
        }
        fs::rename(&fresh, file)
    };
    replace().map_err(|source| {
        let _ = fs::remove_file(&fresh);
        error(source)
    })
}

fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
