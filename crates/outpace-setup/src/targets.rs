//! `test`, `test-fast` and `test-serial`, where the project has a file of such commands.

mod justfile;
mod makefile;
mod tox;

use crate::error::SetupError;
use crate::plan::Draft;

/// A command under a name.
struct Target {
    name: &'static str,
    says: &'static str,
    /// What follows `pytest`.
    arguments: &'static str,
}

const TARGETS: [Target; 3] = [
    Target { name: "test", says: "All tests, in parallel.", arguments: "" },
    Target { name: "test-fast", says: "All but those that must run alone.", arguments: " -m \"not serial\"" },
    Target {
        name: "test-serial",
        says: "All tests, one after the other, in one process.",
        arguments: " -n 0",
    },
];

pub(crate) fn add(draft: &mut Draft<'_>) -> Result<(), SetupError> {
    let in_makefile = makefile::add(draft);
    let in_justfile = justfile::add(draft);
    if !(in_makefile || in_justfile) {
        tox::add(draft)?;
    }
    Ok(())
}

/// How the file runs pytest already: `uv run pytest`, `$(BIN)/python -m pytest`.
fn command<'a>(mut recipes: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    recipes.find_map(|line| {
        let line = line.trim().trim_start_matches(['@', '-', '+']).trim_start();
        let at = line.match_indices("pytest").map(|(at, _)| at).find(|at| {
            let before = line[..*at].chars().next_back().is_none_or(|c| c == ' ' || c == '/');
            before && line[at + "pytest".len()..].chars().next().is_none_or(char::is_whitespace)
        })?;
        let command = &line[..at + "pytest".len()];
        let is_plain = !command.contains(['&', ';', '|', '#', '"', '\'']) && !command.contains("install");
        is_plain.then_some(command)
    })
}

/// The name and the recipe of a target that was there before.
fn note_kept(draft: &mut Draft<'_>, file: &str, name: &str, recipe: &str) {
    let own = crate::addopts::split(recipe).and_then(|words| {
        let words: Vec<String> = words.into_iter().map(|(word, _)| word).collect();
        recipe.contains("pytest").then(|| crate::addopts::read(&words).workers).flatten()
    });
    draft.note(match own {
        Some((value, ..)) => format!("{file}: `{name}` was kept; it says `-n {value}` itself"),
        None => format!("{file}: `{name}` was kept"),
    });
}
