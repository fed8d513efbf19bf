//! Whether this folder is a project, or part of one further up.

use std::fs;
use std::path::{Path, PathBuf};

use outpace_setup::{CONFIG_FILES, Project, settings_file};

use crate::error::CommandError;

/// Files that only a project's own folder has.
const OF_PROJECTS: [&str; 4] = ["pyproject.toml", "setup.py", "setup.cfg", "tox.ini"];

/// Fails where settings written here would take the place of others that hold here now.
pub(super) fn check(folder: &Path, project: &Project) -> Result<(), CommandError> {
    if settings_file(project)?.is_some() {
        return Ok(());
    }
    for above in folder.ancestors().skip(1) {
        if let Some(file) = settings_in(above, project.pytest) {
            return Err(CommandError::SettingsAbove(file));
        }
    }
    let is_project = |folder: &Path| OF_PROJECTS.iter().any(|name| folder.join(name).is_file());
    if is_project(folder) || project.files.keys().any(|name| !name.contains('/')) {
        return Ok(());
    }
    let Some(repository) = folder.ancestors().find(|above| above.join(".git").exists()) else {
        return Ok(());
    };
    let between = folder.ancestors().skip(1).take_while(|above| above.starts_with(repository));
    match between.into_iter().find(|above| is_project(above)) {
        Some(above) => Err(CommandError::ProjectAbove(above.to_owned())),
        None => Ok(()),
    }
}

/// The file from which pytest would read its settings, as far as `folder` says. A file that cannot be read has none.
fn settings_in(folder: &Path, pytest: Option<u32>) -> Option<PathBuf> {
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(folder.join(name)).ok()?));
    let files = CONFIG_FILES.into_iter().filter_map(read).collect();
    let owner = settings_file(&Project { files, pytest }).ok().flatten()?;
    Some(folder.join(owner))
}
