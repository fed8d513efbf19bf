//! Reading a project's files, and changing several of them or none.
//!
//! Every new text is on the disk, beside the file it is for, before the first file is replaced; each is replaced as a
//! whole. What fails after that puts back what was replaced before it.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use outpace_setup::{Change, is_read};

use crate::error::CommandError;

/// Folders below the project's that are looked into.
const FOLDERS: [&str; 3] = ["", "requirements", ".github/workflows"];

/// The files that `outpace-setup` wants to know. Those that are no text are left out where nothing would be changed in
/// them.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, String>, CommandError> {
    let mut found = BTreeMap::new();
    for below in FOLDERS {
        let inside = folder.join(below);
        let entries = match fs::read_dir(&inside) {
            Ok(entries) => entries,
            Err(_) if !below.is_empty() => continue,
            Err(source) => return Err(CommandError::Unreadable { file: inside, source }),
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if is_read(&path) && entry.path().is_file() {
                let text = fs::read_to_string(entry.path());
                let text = text.map_err(|source| CommandError::Unreadable { file: entry.path(), source })?;
                found.insert(path, text);
            }
        }
    }
    Ok(found)
}

pub(super) fn write(folder: &Path, changes: &[Change]) -> Result<(), CommandError> {
    let mut ready = Vec::new();
    for change in changes {
        let file = folder.join(&change.file);
        // The file that a link leads to, not the link.
        let file = file.canonicalize().unwrap_or(file);
        let new = Prepared::new(&file, &change.after)
            .map_err(|source| CommandError::Unwritable { file: file.clone(), source })?;
        ready.push((new, change));
    }
    for (new, change) in &ready {
        let now = fs::read_to_string(&new.file).ok();
        if now != change.before {
            return Err(CommandError::Changed(new.file.clone()));
        }
    }
    let mut done: Vec<(&Path, &Change)> = Vec::new();
    for (new, change) in &mut ready {
        if let Err(source) = new.put_in_place() {
            restore(&done)?;
            return Err(CommandError::Unwritable { file: new.file.clone(), source });
        }
        done.push((&new.file, change));
    }
    Ok(())
}

fn restore(done: &[(&Path, &Change)]) -> Result<(), CommandError> {
    for (file, change) in done {
        let back = match &change.before {
            Some(before) => Prepared::new(file, before).and_then(|mut old| old.put_in_place()),
            None => fs::remove_file(file),
        };
        back.map_err(|source| CommandError::NotRestored { file: file.to_path_buf(), source })?;
    }
    Ok(())
}

/// A new text beside the file that it is to replace; gone again unless it was put in place.
struct Prepared {
    file: PathBuf,
    beside: Option<PathBuf>,
}

impl Prepared {
    fn new(file: &Path, text: &str) -> io::Result<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let beside = file.with_file_name(format!(".{name}.outpace-{}", std::process::id()));
        let before = fs::metadata(file).ok();
        // A file that must not be written is not to be replaced either.
        if before.is_some() {
            OpenOptions::new().append(true).open(file)?;
        }
        let mut stream = OpenOptions::new().write(true).create_new(true).mode(0o666).open(&beside)?;
        let prepared = Self { file: file.to_owned(), beside: Some(beside) };
        stream.write_all(text.as_bytes())?;
        if let Some(before) = before {
            keep_owner(&prepared, &stream, &before)?;
        }
        stream.sync_all()?;
        Ok(prepared)
    }

    fn put_in_place(&mut self) -> io::Result<()> {
        if let Some(beside) = &self.beside {
            fs::rename(beside, &self.file)?;
            self.beside = None;
        }
        Ok(())
    }
}

/// Mode, and where it is not ours the owner, as far as that is allowed.
fn keep_owner(prepared: &Prepared, stream: &File, before: &Metadata) -> io::Result<()> {
    stream.set_permissions(before.permissions())?;
    let now = stream.metadata()?;
    if let Some(beside) =
        prepared.beside.as_ref().filter(|_| (now.uid(), now.gid()) != (before.uid(), before.gid()))
    {
        let _ = chown(beside, Some(before.uid()), Some(before.gid()));
    }
    Ok(())
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            let _ = fs::remove_file(beside);
        }
    }
}

#[cfg(test)]
mod tests;
