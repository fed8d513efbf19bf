//! Where this process's control groups are mounted, in every layout that is in use.
//!
//! Pure but for the reader it is given, so that layouts of other machines can be tested.

use std::path::{Component, Path, PathBuf};

/// How files are read: the file system, or a test's table.
pub(crate) type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The folders of one hierarchy that this process belongs to: its own group first, then each parent's up to
/// the mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) version: Version,
    pub(crate) folders: Vec<PathBuf>,
}

/// This process's groups that may hold files of `controller`: version 1's hierarchy for it, version 2's, or
/// both.
pub(crate) fn own(controller: &str, read: Read<'_>) -> Vec<Group> {
    let membership = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let mounts = read(Path::new("/proc/self/mountinfo")).unwrap_or_default();
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let version = match controllers {
            "" => Version::V2,
            list if list.split(',').any(|name| name == controller) => Version::V1,
            _ => return None,
        };
        let mount = Mount::best(&mounts, version, controller, path)?;
        Some(Group { version, folders: mount.folders(path) })
    };
    membership.lines().filter_map(group).collect()
}

/// A mounted hierarchy: the group `root` of it is seen at `point`.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    version: Version,
    controllers: String,
    root: String,
    point: PathBuf,
}

impl Mount {
    /// A line of `/proc/self/mountinfo`: `31 23 0:28 root point options [optional …] - type source
    /// super-options`.
    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let version = match kind.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        let controllers = kind.nth(1).unwrap_or_default().to_owned();
        Some(Self { version, controllers, root: unescape(root), point: unescape(point).into() })
    }

    /// The mount that shows the group itself, else one that shows at least a group that limits it.
    fn best<'a>(mounts: &'a [Self], version: Version, controller: &str, path: &str) -> Option<&'a Self> {
        let fits = |mount: &&Self| {
            mount.version == version
                && (version == Version::V2 || mount.controllers.split(',').any(|name| name == controller))
        };
        let all = || mounts.iter().filter(fits);
        all().find(|mount| mount.below_root(path).is_some()).or_else(|| all().next())
    }

    fn below_root<'a>(&self, path: &'a str) -> Option<&'a Path> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        below.components().all(|part| matches!(part, Component::Normal(_))).then_some(below)
    }

    /// A path outside the mount's root (a container that sees the host's path, or `/../..` from inside a
    /// namespace) leaves the mount point: the container's own group.
    fn folders(&self, path: &str) -> Vec<PathBuf> {
        let own = self.point.join(self.below_root(path).unwrap_or(Path::new("")));
        own.ancestors().take_while(|folder| folder.starts_with(&self.point)).map(trimmed).collect()
    }
}

/// `join("")` leaves a slash at the end.
fn trimmed(folder: &Path) -> PathBuf {
    folder.components().collect()
}

/// `mountinfo` writes a space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
