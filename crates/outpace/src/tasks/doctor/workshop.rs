//! A folder for the runs of one examination, gone when it is over.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Its name is short: sockets have paths of a hundred characters at most.
#[derive(Debug)]
pub(super) struct Workshop {
    root: PathBuf,
    runs: usize,
}

impl Workshop {
    pub(super) fn open() -> io::Result<Self> {
        let base = std::env::temp_dir();
        for attempt in 0..1000 {
            let root = base.join(format!("outpace-doctor-{}-{attempt}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&root) {
                Ok(()) => return Ok(Self { root, runs: 0 }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", base.display())));
                }
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} is full of old folders", base.display()),
        ))
    }

    /// A fresh folder for a run. The folder for temporary files is emptied; it is the same for each, since its name may
    /// be part of what a suite does.
    pub(super) fn next(&mut self) -> io::Result<PathBuf> {
        let folder = self.root.join(self.runs.to_string());
        if self.runs > 0 {
            let _ = fs::remove_dir_all(self.root.join((self.runs - 1).to_string()));
        }
        self.runs += 1;
        let temporary = self.temporary();
        if temporary.exists() {
            fs::remove_dir_all(&temporary)?;
        }
        fs::create_dir_all(&temporary)?;
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("t")
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
