//! outpace in the lists of what the tests need.
//!
//! Every list that has pytest gets outpace beside it: with `-n auto` in `addopts`, an environment without it could not
//! run the tests at all.

mod create;
mod ini_lists;
mod pyproject;
mod requirements;

use crate::error::SetupError;
use crate::plan::Draft;

const NAME: &str = "outpace";
const XDIST: &str = "pytest-xdist";

pub(crate) fn add(draft: &mut Draft<'_>) -> Result<(), SetupError> {
    let in_pyproject = pyproject::add(draft)?;
    let in_ini = ini_lists::add(draft)?;
    let in_requirements = requirements::add(draft);
    if !(in_pyproject || in_ini || in_requirements) {
        create::create(draft)?;
    }
    for (lock, command) in [("uv.lock", "uv lock"), ("poetry.lock", "poetry lock"), ("pdm.lock", "pdm lock")]
    {
        let list_changes = draft.text("pyproject.toml").as_deref() != draft.project.text("pyproject.toml");
        if draft.project.has(lock) && list_changes {
            draft.note(format!("{lock} does not know of it yet: run `{command}`"));
        }
    }
    Ok(())
}

/// What is to be done to one list.
#[derive(Debug, PartialEq, Eq)]
enum Todo {
    Nothing,
    AddAfter(usize),
    Replace(usize),
    Remove(usize),
}

/// Names of a list, in order, `None` for what is no requirement.
fn todo(names: &[Option<String>], replace_xdist: bool) -> Todo {
    let find = |wanted: &str| names.iter().position(|name| name.as_deref() == Some(wanted));
    let (own, xdist, pytest) = (find(NAME), find(XDIST), find("pytest"));
    match (own, xdist) {
        (Some(_), Some(xdist)) if replace_xdist => Todo::Remove(xdist),
        (None, Some(xdist)) if replace_xdist => Todo::Replace(xdist),
        (None, _) => pytest.or(xdist).map_or(Todo::Nothing, Todo::AddAfter),
        (Some(_), _) => Todo::Nothing,
    }
}

fn is_listed(names: &[Option<String>]) -> bool {
    names.iter().flatten().any(|name| name == NAME)
}
