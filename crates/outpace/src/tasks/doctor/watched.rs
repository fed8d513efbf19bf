//! Folders that are watched with all that is in them, and what happened there, by path.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outpace_doctor::Seen;
use outpace_os::{Change, Folders, What};

/// More folders are not watched: the kernel gives each user so many watches, and others need some too.
const MOST: usize = 20_000;
/// So many paths of one test are kept.
const MOST_PATHS: usize = 5_000;
/// Folders of which nothing is to be known: caches, installed packages, and what pytest gives each run of its own.
const LEFT_OUT: [&str; 12] = [
    "__pycache__",
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    "venv",
    "node_modules",
    "site-packages",
    ".pytest_cache",
    ".mypy_cache",
];
const LEFT_OUT_BEGINNINGS: [&str; 3] = ["pytest-of-", "outpace-doctor-", ".outpace"];
const FILES_LEFT_OUT: [&str; 2] = [".pyc", ".pyo"];

/// What happened, by path, while one test ran.
pub(super) type Log = BTreeMap<String, Seen>;

struct Folder {
    path: PathBuf,
    /// Its own entries are told; what is in folders that were there before is not.
    is_flat: bool,
    /// No other watched folder has it as an entry.
    is_top: bool,
}

pub(super) struct Watched {
    folders: Folders,
    by_number: HashMap<i32, Folder>,
    by_path: BTreeMap<PathBuf, i32>,
    /// Where which test runs is told.
    marks: i32,
    /// Our own looks at folders, which are told like anybody's.
    own: HashSet<PathBuf>,
    /// The kernel has lost something, or there were too many folders.
    pub(super) is_partial: bool,
}

/// What came next.
pub(super) enum Told {
    /// The mark has this name now.
    Mark(String),
    /// Something happened to a path; it is in the log.
    Noted,
}

impl Watched {
    pub(super) fn new(marks: &Path) -> io::Result<Self> {
        let folders = Folders::new()?;
        let marks = folders.watch(marks)?;
        Ok(Self {
            folders,
            by_number: HashMap::new(),
            by_path: BTreeMap::new(),
            marks,
            own: HashSet::new(),
            is_partial: false,
        })
    }

    /// A folder and all below it.
    pub(super) fn add(&mut self, folder: &Path) {
        self.add_below(folder, true, &mut None);
    }

    /// A folder, and of what is below it only what is made from now on.
    pub(super) fn add_flat(&mut self, folder: &Path) {
        if !self.by_path.contains_key(folder) {
            self.add_one(folder, true, true);
        }
    }

    fn add_one(&mut self, folder: &Path, is_flat: bool, is_top: bool) -> bool {
        if self.by_number.len() >= MOST {
            self.is_partial = true;
            return false;
        }
        match self.folders.watch(folder) {
            Ok(number) => {
                self.by_path.insert(folder.to_owned(), number);
                self.by_number.insert(number, Folder { path: folder.to_owned(), is_flat, is_top });
                true
            }
            Err(error) => {
                // ENOSPC: the user has no more watches.
                self.is_partial |= error.kind() == io::ErrorKind::StorageFull;
                false
            }
        }
    }

    /// What is found is new where there is a log.
    fn add_below(&mut self, folder: &Path, is_top: bool, log: &mut Option<&mut Log>) {
        let mut pending = vec![(folder.to_owned(), is_top)];
        while let Some((folder, is_top)) = pending.pop() {
            let known = self.by_path.get(&folder).and_then(|number| self.by_number.get(number));
            if known.is_some_and(|known| !known.is_flat) || !self.add_one(&folder, false, is_top) {
                continue;
            }
            self.own.insert(folder.clone());
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if is_left_out(&entry.file_name(), kind.is_dir()) {
                    continue;
                }
                let path = entry.path();
                if let Some(log) = log
                    && let Some(seen) = place(log, &path)
                {
                    seen.appeared = true;
                    seen.written |= !kind.is_dir();
                    seen.is_folder = kind.is_dir();
                    seen.is_socket = kind.is_socket();
                }
                if kind.is_dir() {
                    pending.push((path, false));
                }
            }
        }
    }

    fn forget_below(&mut self, folder: &Path) {
        let gone: Vec<i32> = self
            .by_path
            .iter()
            .filter(|(path, _)| path.starts_with(folder))
            .map(|(_, number)| *number)
            .collect();
        for number in gone {
            self.folders.forget(number);
            self.drop_number(number);
        }
    }

    fn drop_number(&mut self, number: i32) {
        if let Some(folder) = self.by_number.remove(&number) {
            self.by_path.remove(&folder.path);
            self.own.remove(&folder.path);
        }
    }

    pub(super) fn wait(&self, longest: Duration) -> io::Result<()> {
        self.folders.wait(longest)
    }

    pub(super) fn read(&mut self) -> io::Result<Vec<Change>> {
        self.folders.read()
    }

    /// Puts what happened into the log.
    pub(super) fn note(&mut self, change: &Change, log: &mut Log) -> Told {
        if change.what == What::Lost {
            self.is_partial = true;
        } else if change.what == What::Ended {
            self.drop_number(change.folder);
        } else if change.folder == self.marks {
            if change.what == What::Appeared {
                return Told::Mark(change.name.to_string_lossy().into_owned());
            }
        } else if !is_left_out(&change.name, change.is_folder)
            && let Some(folder) = self.by_number.get(&change.folder)
            && (!change.name.is_empty() || folder.is_top)
        {
            let path =
                if change.name.is_empty() { folder.path.clone() } else { folder.path.join(&change.name) };
            self.happened(&path, change, log);
        }
        Told::Noted
    }

    fn happened(&mut self, path: &Path, change: &Change, log: &mut Log) {
        let is_own = change.is_folder && change.what == What::Opened && self.own.remove(path);
        if is_own {
            return;
        }
        let Some(seen) = place(log, path) else {
            self.is_partial = true;
            return;
        };
        seen.is_folder |= change.is_folder;
        match change.what {
            What::Opened => seen.opened = true,
            What::Read => seen.read = true,
            What::Written => seen.written = true,
            What::Appeared => {
                seen.appeared = true;
                seen.is_socket |= !change.is_folder
                    && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
                if change.is_folder {
                    self.add_below(path, false, &mut Some(log));
                }
            }
            What::Vanished => {
                seen.vanished = true;
                if change.is_folder {
                    self.forget_below(path);
                }
            }
            What::Ended | What::Lost => {}
        }
    }
}

fn place<'l>(log: &'l mut Log, path: &Path) -> Option<&'l mut Seen> {
    let path = path.to_str()?;
    if log.len() >= MOST_PATHS && !log.contains_key(path) {
        return None;
    }
    Some(log.entry(path.to_owned()).or_default())
}

fn is_left_out(name: &OsStr, is_folder: bool) -> bool {
    let Some(name) = name.to_str() else { return true };
    if is_folder {
        LEFT_OUT.contains(&name) || LEFT_OUT_BEGINNINGS.iter().any(|begin| name.starts_with(begin))
    } else {
        is_nameless(name)
            || FILES_LEFT_OUT.iter().any(|end| name.ends_with(end))
            || name.starts_with(".coverage")
    }
}

/// What the kernel calls a file that was made without a name (`O_TMPFILE`): a hash and its inode.
fn is_nameless(name: &str) -> bool {
    name.strip_prefix('#')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}
