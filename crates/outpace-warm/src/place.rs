//! Where the server of a project is found: a folder of the user's own, named after the project.

use std::fs::{self, DirBuilder};
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{WarmError, os};

/// The folder of one project's server.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// For a project; the folder is made, and refused where somebody else could get at it.
    ///
    /// `runtime` is the user's runtime folder (`XDG_RUNTIME_DIR`), if there is one; else it is made in `temporary`.
    pub fn of(project: &Path, runtime: Option<&Path>, temporary: &Path) -> Result<Self, WarmError> {
        let uid = outpace_os::user_id();
        let base = match runtime.filter(|folder| is_private(folder, uid)) {
            Some(folder) => folder.join("outpace"),
            None => temporary.join(format!("outpace-{uid}")),
        };
        let folder = base.join(name_of(project));
        for each in [&base, &folder] {
            match DirBuilder::new().mode(0o700).create(each) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(os("no folder for the server")(error));
                }
                _ => {}
            }
            if !is_private(each, uid) {
                return Err(WarmError::Folder(each.clone()));
            }
        }
        Ok(Self { folder })
    }

    /// A folder that is there already, as the server is told.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// What the server and its layers say.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// A folder, not a link to one, that is this user's and nobody else's.
fn is_private(folder: &Path, uid: u32) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|found| {
        found.is_dir() && found.uid() == uid && found.permissions().mode().trailing_zeros() >= 6
    })
}

/// Short, since paths of sockets are; the same in every process of this version.
fn name_of(project: &Path) -> String {
    #[expect(deprecated, reason = "the one hasher that promises the same number in every process")]
    let mut hasher = std::hash::SipHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    project.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let temporary = tempfile::tempdir().expect("a folder");
        let place = Place::of(Path::new("/p"), None, temporary.path()).expect("a place");
        assert!(place.socket().starts_with(temporary.path()));
        fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).expect("a mode");
        assert!(matches!(Place::of(Path::new("/p"), None, temporary.path()), Err(WarmError::Folder(_))));
    }

    #[test]
    fn a_runtime_folder_of_others_is_not_used() {
        let temporary = tempfile::tempdir().expect("a folder");
        let runtime = temporary.path().join("run");
        fs::create_dir(&runtime).expect("a folder");
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o777)).expect("a mode");
        let place = Place::of(Path::new("/p"), Some(&runtime), temporary.path()).expect("a place");
        assert!(!place.socket().starts_with(&runtime));
    }

    #[test]
    fn projects_have_folders_of_their_own() {
        assert_ne!(name_of(Path::new("/a")), name_of(Path::new("/b")));
    }
}
