//! Which Python runs the tests.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::CommandError;

/// `--python`, then the active environment, then `.venv` here or above, then the interpreter outpace is installed
/// with, then `PATH`.
pub(crate) fn find(asked: Option<&Path>) -> Result<PathBuf, CommandError> {
    if let Some(asked) = asked {
        let in_environment = in_environment(asked);
        return if asked.is_file() {
            Ok(asked.to_owned())
        } else if in_environment.is_file() {
            Ok(in_environment)
        } else if asked.components().count() == 1 {
            on_path(&asked.to_string_lossy()).ok_or_else(|| CommandError::NoSuchPython(asked.to_owned()))
        } else {
            Err(CommandError::NoSuchPython(asked.to_owned()))
        };
    }
    let here = env::current_dir().ok();
    in_general(here.as_deref())
}

/// The same for a project in another folder.
pub(crate) fn find_for(asked: Option<&Path>, folder: &Path) -> Result<PathBuf, CommandError> {
    if asked.is_some() { find(asked) } else { in_general(Some(folder)) }
}

fn in_general(folder: Option<&Path>) -> Result<PathBuf, CommandError> {
    active().or_else(|| local(folder?)).or_else(beside_us).or_else(from_path).ok_or(CommandError::NoPython)
}

fn in_environment(root: &Path) -> PathBuf {
    root.join("bin").join("python")
}

fn active() -> Option<PathBuf> {
    let root = env::var_os("VIRTUAL_ENV").filter(|root| !root.is_empty())?;
    Some(in_environment(Path::new(&root))).filter(|python| python.is_file())
}

fn local(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| in_environment(&folder.join(".venv"))).find(|python| python.is_file())
}

fn beside_us() -> Option<PathBuf> {
    let folder = env::current_exe().ok()?.parent()?.to_owned();
    ["python", "python3"].iter().map(|name| folder.join(name)).find(|python| python.is_file())
}

fn from_path() -> Option<PathBuf> {
    on_path("python3").or_else(|| on_path("python"))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|python| python.is_file())
}
