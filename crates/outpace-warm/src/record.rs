//! What a layer has read, and whether all of it is as it was.
//!
//! A file is the same if device, inode, size and both times are. That does not decide where it was changed so shortly
//! before it was looked at that another change may have the same times: then its content is compared. Nothing here
//! guesses: what cannot be read has changed.

use std::collections::BTreeMap;
use std::fs;
use std::hash::Hasher;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

/// Two changes within this time may look the same, on a file system that counts in small units or in seconds.
const FINE: i128 = 20_000_000;
const COARSE: i128 = 2_000_000_000;

/// Device, inode, size, and when content and status were changed, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Stamp(u64, u64, u64, i128, i128);

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|found| Self::from(&found))
    }

    /// Whether a change at `when` could have gone unseen by this stamp.
    fn is_young(&self, when: i128) -> bool {
        let counts_seconds = self.3 % 1_000_000_000 == 0 && self.4 % 1_000_000_000 == 0;
        let unit = if counts_seconds { COARSE } else { FINE };
        self.3.max(self.4) > when - unit
    }
}

impl From<&fs::Metadata> for Stamp {
    fn from(found: &fs::Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self(
            found.dev(),
            found.ino(),
            found.size(),
            nanoseconds(found.mtime(), found.mtime_nsec()),
            nanoseconds(found.ctime(), found.ctime_nsec()),
        )
    }
}

/// As the layer tells it: what it has read, when, and how that looked then.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    /// Path, how it looked (`None`: it was not there), and when, in nanoseconds.
    files: Vec<(PathBuf, Option<Stamp>, i128)>,
    /// Path, the names in it (`None`: it could not be listed).
    folders: Vec<(PathBuf, Option<Vec<String>>)>,
}

#[derive(Clone, Debug)]
struct File {
    /// What it was, and its content then where times may not tell it from another.
    stamp: Option<Stamp>,
    content: Option<u64>,
    is_settled: bool,
}

#[derive(Clone, Debug)]
struct Folder {
    stamp: Option<Stamp>,
    names: Option<Vec<String>>,
    is_settled: bool,
}

/// What one layer has read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    files: BTreeMap<PathBuf, File>,
    folders: BTreeMap<PathBuf, Folder>,
    count: usize,
}

/// How long to wait, for what reads a file that has changed to be sure of what it has read. Not for the granularity of
/// file systems that count in seconds.
pub(crate) fn time_to_settle(path: &Path) -> Duration {
    let Some(stamp) = Stamp::of(path) else { return Duration::ZERO };
    let left = stamp.3.max(stamp.4) + FINE - nanoseconds();
    Duration::from_nanos(left.clamp(0, FINE).try_into().unwrap_or_default())
}

/// What changes in every folder without meaning anything.
fn is_noise(name: &str) -> bool {
    matches!(name, "__pycache__" | ".pytest_cache")
}

impl Record {
    /// Takes over what a layer tells. The error is what changed while it was made, or may have. `known` may have
    /// looked at the same files.
    pub(crate) fn new(told: Told, known: &[&Self]) -> Result<Self, String> {
        let mut record = Self { count: told.files.len() + told.folders.len(), ..Self::default() };
        for (path, stamp, at) in told.files {
            let now = nanoseconds();
            let found = fs::metadata(&path).ok();
            let (current, is_file) =
                (found.as_ref().map(Stamp::from), found.as_ref().is_some_and(fs::Metadata::is_file));
            if current != stamp || (is_file && stamp.is_some_and(|stamp| stamp.is_young(at))) {
                return Err(path.display().to_string());
            }
            let is_settled = stamp.is_none_or(|stamp| !stamp.is_young(now)) || !is_file;
            let is_known = |record: &&Self| record.content_as_known(&path, stamp);
            let content = match known.iter().find_map(is_known) {
                Some(content) => Some(content),
                None if is_file => content(&path),
                None => None,
            };
            record.files.insert(path, File { stamp, content, is_settled });
        }
        for (path, names) in told.folders {
            let now = nanoseconds();
            let stamp = Stamp::of(&path);
            let names = names.map(sorted);
            if listed(&path) != names {
                return Err(path.display().to_string());
            }
            let is_settled = stamp.is_none_or(|stamp| !stamp.is_young(now));
            record.folders.insert(path, Folder { stamp, names, is_settled });
        }
        Ok(record)
    }

    fn content_as_known(&self, path: &Path, stamp: Option<Stamp>) -> Option<u64> {
        self.files.get(path).filter(|file| file.is_settled && file.stamp == stamp)?.content
    }

    /// How many files and folders it holds.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The first thing that is not as it was.
    pub(crate) fn changed(&mut self) -> Option<PathBuf> {
        let now = nanoseconds();
        for (path, file) in &mut self.files {
            let stamp = Stamp::of(path);
            if stamp == file.stamp && file.is_settled {
                continue;
            }
            // Not there before or not there now, or its content tells.
            if stamp.is_none() != file.stamp.is_none()
                || (stamp.is_some() && !same_content(path, file.content))
            {
                return Some(path.clone());
            }
            file.stamp = stamp;
            file.is_settled = stamp.is_none_or(|stamp| !stamp.is_young(now));
        }
        for (path, folder) in &mut self.folders {
            let stamp = Stamp::of(path);
            if stamp == folder.stamp && folder.is_settled {
                continue;
            }
            if listed(path) != folder.names {
                return Some(path.clone());
            }
            folder.stamp = stamp;
            folder.is_settled = stamp.is_none_or(|stamp| !stamp.is_young(now));
        }
        None
    }
}

fn same_content(path: &Path, known: Option<u64>) -> bool {
    known.is_some() && content(path) == known
}

/// A number for a file's content; `None` where it cannot be read.
fn content(path: &Path) -> Option<u64> {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(&fs::read(path).ok()?);
    Some(hasher.finish())
}

fn listed(path: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(path).ok()?;
    Some(sorted(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()))
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !is_noise(name));
    names.sort_unstable();
    names
}

fn nanoseconds() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests;
