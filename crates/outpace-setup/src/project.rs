//! A project as text: the files that matter, and what is known of its surroundings.

use std::collections::BTreeMap;

/// The files that pytest reads its settings from, in its own order: the first that has some counts.
pub const CONFIG_FILES: [&str; 7] =
    ["pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"];

const OTHERS: [&str; 13] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
    ".justfile",
    "noxfile.py",
    "setup.py",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Dockerfile",
    ".gitlab-ci.yml",
];

/// The text of a project's files, by their path below its folder, written with `/`.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// Every file for which [`is_read`] is true.
    pub files: BTreeMap<String, String>,
    /// The major version of the project's pytest, where it is installed.
    pub pytest: Option<u32>,
}

impl Project {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// What comes before a command that is to run in the project's environment.
    pub(crate) fn runner(&self) -> &'static str {
        if self.has("uv.lock") {
            "uv run "
        } else if self.has("poetry.lock") {
            "poetry run "
        } else if self.has("pdm.lock") {
            "pdm run "
        } else {
            ""
        }
    }
}

/// Whether a file is of interest, by its path below the project's folder.
pub fn is_read(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match folder {
        "" => CONFIG_FILES.contains(&name) || OTHERS.contains(&name) || is_requirements(name),
        "requirements" => is_list(name),
        ".github/workflows" => has_extension(name, "yml") || has_extension(name, "yaml"),
        _ => false,
    }
}

/// Whether a path is a list of requirements, as pip and pip-tools have them.
pub(crate) fn is_requirements_path(path: &str) -> bool {
    match path.rsplit_once('/') {
        None => is_requirements(path),
        Some((folder, name)) => folder == "requirements" && is_list(name),
    }
}

/// Whether the list is one for tests or for developers, by its name.
pub(crate) fn is_for_tests(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let words = lower.rsplit_once('.').map_or(lower.as_str(), |(stem, _)| stem).split(['-', '_', '/', '.']);
    words
        .into_iter()
        .any(|word| matches!(word, "test" | "tests" | "testing" | "dev" | "develop" | "development"))
}

fn is_requirements(name: &str) -> bool {
    is_list(name) && name.to_ascii_lowercase().contains("requirements")
}

fn is_list(name: &str) -> bool {
    (has_extension(name, "txt") || has_extension(name, "in")) && !name.contains("constraint")
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, found)| !stem.is_empty() && found == extension)
}
