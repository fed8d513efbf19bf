//! Looks for changed files again and again, where nothing tells of them.
//!
//! Not notify's own way to do so: that compares times in whole seconds, and misses a second save as well as a file that
//! is put back with its old time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use notify::EventKind;
use tokio::sync::mpsc::UnboundedSender;

use super::files::{Event, walk};

pub(super) const EVERY: Duration = Duration::from_millis(500);

/// What tells one version of a file from another: device, inode, size, and both times.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

/// A thread that looks as long as this lives.
pub(super) struct Looking {
    _alive: Sender<()>,
}

impl Looking {
    pub(super) fn begin(root: &Path, to_loop: UnboundedSender<Event>) -> Self {
        let (alive, end) = mpsc::channel();
        let root = root.to_owned();
        let mut known = look(&root);
        std::thread::spawn(move || {
            while end.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let found = look(&root);
                let changed = changes(&known, &found);
                known = found;
                let event =
                    changed.into_iter().fold(notify::Event::new(EventKind::Any), notify::Event::add_path);
                if !event.paths.is_empty() && to_loop.send(Ok(event)).is_err() {
                    return;
                }
            }
        });
        Self { _alive: alive }
    }
}

fn look(root: &Path) -> BTreeMap<PathBuf, Stamp> {
    let files =
        walk(root, None).flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    files.filter_map(|entry| Some((entry.path().to_owned(), stamp(entry.path())?))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::symlink_metadata(path).ok()?;
    let times = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
    Some((found.dev(), found.ino(), found.size(), times.0, times.1))
}

fn changes(before: &BTreeMap<PathBuf, Stamp>, now: &BTreeMap<PathBuf, Stamp>) -> Vec<PathBuf> {
    let new = now.iter().filter(|(path, stamp)| before.get(*path) != Some(stamp));
    let gone = before.iter().filter(|(path, _)| !now.contains_key(*path));
    new.chain(gone).map(|(path, _)| path.clone()).collect()
}
