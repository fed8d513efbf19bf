//! Which files of the project changed: what notify tells, less what git ignores, and what is nobody's work.
//!
//! Only folders that are not ignored are watched, each by itself: environments and caches cost nothing. Where nothing can
//! tell (no inotify, no watches left, a folder that another machine writes to) `looking` looks again and again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::UnboundedSender;

use super::looking::{EVERY, Looking};

pub(super) type Event = notify::Result<notify::Event>;

/// What has changed so far.
#[derive(Default)]
pub(super) struct Changes {
    paths: BTreeSet<PathBuf>,
    /// Something was missed.
    pub(super) is_lost: bool,
}

enum Source {
    Told(RecommendedWatcher),
    Looking { _thread: Looking },
    None,
}

pub(super) struct Files {
    root: PathBuf,
    source: Source,
    watched: BTreeSet<PathBuf>,
    to_loop: UnboundedSender<Event>,
    wants_poll: bool,
    /// Why it looks again and again.
    polls: Option<String>,
}

impl Files {
    pub(super) fn watch(root: &Path, wants_poll: bool, to_loop: UnboundedSender<Event>) -> Self {
        let polls = if wants_poll {
            Some("--poll".to_owned())
        } else if outpace_os::is_shared(root) {
            Some("this folder is on another machine, or shared with one".to_owned())
        } else {
            None
        };
        let (source, watched) = (Source::None, BTreeSet::new());
        let mut files = Self { root: root.to_owned(), source, watched, to_loop, wants_poll, polls };
        if files.polls.is_none()
            && let Err(error) = files.be_told()
        {
            files.polls = Some(error.to_string());
        }
        if files.polls.is_some() {
            files.source = Source::Looking { _thread: Looking::begin(root, files.to_loop.clone()) };
        }
        files
    }

    fn be_told(&mut self) -> notify::Result<()> {
        let to_loop = self.to_loop.clone();
        let config = Config::default().with_follow_symlinks(false);
        self.source = Source::Told(RecommendedWatcher::new(move |event| drop(to_loop.send(event)), config)?);
        self.add(&self.root.clone()).map(drop)
    }

    /// Watches the folder and those in it; the files in those that were not watched before.
    fn add(&mut self, folder: &Path) -> notify::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let Source::Told(watcher) = &mut self.source else { return Ok(files) };
        for entry in walk(folder, None).flatten() {
            let path = entry.path();
            if !entry.file_type().is_some_and(|kind| kind.is_dir()) || !self.watched.insert(path.to_owned()) {
                continue;
            }
            match watcher.watch(path, RecursiveMode::NonRecursive) {
                // Gone again.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
                outcome => outcome?,
            }
            let inside = std::fs::read_dir(path).into_iter().flatten().flatten();
            files.extend(inside.map(|each| each.path()).filter(|each| each.is_file()));
        }
        Ok(files)
    }

    /// What is to be known of how it watches.
    pub(super) fn note(&self) -> Option<String> {
        let why = self.polls.as_ref()?;
        Some(format!("outpace watch: looking for changes every {} ms ({why})", EVERY.as_millis()))
    }

    /// pytest's root folder, from which files are named.
    pub(super) fn move_to(&mut self, root: &Path) {
        if root != self.root && root.is_dir() {
            *self = Self::watch(root, self.wants_poll, self.to_loop.clone());
        }
    }

    /// Whether something may have changed.
    pub(super) fn take(&mut self, event: Event, changes: &mut Changes) -> bool {
        let Ok(event) = event else {
            changes.is_lost = true;
            return true;
        };
        if event.need_rescan() {
            changes.is_lost = true;
        }
        if !changes.is_lost && !is_change(event.kind) {
            return false;
        }
        if matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) {
            for path in &event.paths {
                self.watched.retain(|folder| !folder.starts_with(path));
            }
        }
        let before = changes.paths.len();
        changes.paths.extend(event.paths.into_iter().filter(|path| !is_nobodys(&self.root, path)));
        changes.is_lost || changes.paths.len() > before
    }

    /// The files that changed, as in node ids. New folders are watched from here on.
    pub(super) fn settle(&mut self, changes: Changes) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        if changes.is_lost {
            let _ = self.add(&self.root.clone());
        }
        for path in changes.paths {
            if path.is_dir() && !path.is_symlink() {
                if is_kept(&path) {
                    files.extend(self.add(&path).unwrap_or_default());
                }
            } else if !path.exists() || is_kept(&path) {
                files.insert(path);
            }
        }
        files.iter().filter_map(|path| self.name(path)).collect()
    }

    fn name(&self, path: &Path) -> Option<String> {
        let inside = path.strip_prefix(&self.root).ok()?.to_str()?;
        (!inside.is_empty()).then(|| inside.to_owned())
    }
}

/// What is not ignored, folders before what is in them.
pub(super) fn walk(folder: &Path, depth: Option<usize>) -> ignore::Walk {
    let top = folder.to_owned();
    WalkBuilder::new(folder)
        .require_git(false)
        .max_depth(depth)
        .filter_entry(move |entry| {
            let path = entry.path();
            path == top || !(is_cache(path) || path.join("pyvenv.cfg").exists())
        })
        .build()
}

/// Whether it is there and not ignored, by the rules of all folders above it.
fn is_kept(path: &Path) -> bool {
    let Some(folder) = path.parent() else { return false };
    walk(folder, Some(1)).flatten().any(|entry| entry.path() == path)
}

fn is_cache(path: &Path) -> bool {
    matches!(path.file_name().and_then(|name| name.to_str()), Some("__pycache__" | "node_modules"))
}

/// Hidden files, caches, and what editors write beside a file.
fn is_nobodys(root: &Path, path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(root) else { return true };
    let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy());
    parts.any(|part| {
        part.starts_with('.')
            || part.starts_with('#')
            || part.ends_with('~')
            || part == "4913"
            || part.starts_with("pytest-cache-files-")
            || is_cache(Path::new(&*part))
            || [".pyc", ".swp", ".tmp", ".part"].iter().any(|end| part.ends_with(end))
    })
}

fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_and_python_write_is_nobodys() {
        let root = Path::new("/.hidden/p");
        for name in [".git/index", "a/__pycache__/x.pyc", "test_a.py~", "4913", ".test_a.py.swp", "#a#"] {
            assert!(is_nobodys(root, &root.join(name)), "{name}");
        }
        assert!(!is_nobodys(root, &root.join("tests/test_a.py")));
        assert!(is_nobodys(root, Path::new("/elsewhere/test_a.py")));
    }
}
