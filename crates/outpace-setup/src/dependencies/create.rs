//! Where outpace goes when pytest is listed nowhere.

use super::{NAME, pyproject, requirements};
use crate::error::SetupError;
use crate::plan::Draft;
use crate::project::{is_for_tests, is_requirements_path};
use crate::text::append_block;
use crate::toml::Toml;

/// What lists of test dependencies are called, the likeliest first.
const NAMES: [&str; 6] = ["test", "tests", "testing", "dev", "develop", "development"];

pub(super) fn create(draft: &mut Draft<'_>) -> Result<(), SetupError> {
    let text = draft.text(pyproject::FILE);
    let toml = text.as_deref().map(|text| Toml::parse(pyproject::FILE, text)).transpose()?;
    if let Some((changed, place)) = toml.as_ref().and_then(in_existing_list) {
        draft.change(pyproject::FILE, changed, format!("{NAME} in {place}"));
        return Ok(());
    }
    let lists = || draft.files().into_iter().filter(|file| is_requirements_path(file));
    if let Some(file) = lists().find(|file| is_for_tests(file)) {
        let file =
            Some(file.replace(".txt", ".in")).filter(|source| draft.text(source).is_some()).unwrap_or(file);
        let text = draft.text(&file).unwrap_or_default();
        draft.change(&file, requirements::append(&text), NAME);
        return Ok(());
    }
    let has_requirements = lists().next().is_some();
    match toml.as_ref().zip(text.as_deref()).and_then(|(toml, text)| in_new_table(draft, toml, text)) {
        Some((changed, place)) => draft.change(pyproject::FILE, changed, format!("{NAME} in a new {place}")),
        None if has_requirements => {
            draft.change("requirements-dev.txt", format!("{NAME}\n"), format!("a new list with {NAME}"));
        }
        None => draft
            .note(format!("no list of test dependencies was found: install it with `pip install {NAME}`")),
    }
    Ok(())
}

fn in_existing_list(toml: &Toml<'_>) -> Option<(String, String)> {
    let tables: [&[&str]; 3] =
        [&["project", "optional-dependencies"], &["dependency-groups"], &["tool", "pdm", "dev-dependencies"]];
    for name in NAMES {
        for table in tables {
            let path = [table, &[name]].concat();
            if let Some(array) = toml.array(&path) {
                let changed = toml.add_to_array(array, None, &[NAME])?;
                return Some((changed, format!("[{}] {name}", table.join("."))));
            }
        }
        let path = ["tool", "poetry", "group", name, "dependencies"];
        if let Some(key) = toml.last_key(&path) {
            let changed = toml.add_key(&path, &key, &format!("{NAME} = \"*\""))?;
            return Some((changed, format!("[{}]", path.join("."))));
        }
    }
    let uv = ["tool", "uv", "dev-dependencies"];
    let changed = toml.add_to_array(toml.array(&uv)?, None, &[NAME])?;
    Some((changed, "[tool.uv] dev-dependencies".to_owned()))
}

fn in_new_table(draft: &Draft<'_>, toml: &Toml<'_>, text: &str) -> Option<(String, String)> {
    let is_dynamic = |name: &str| {
        toml.array(&["project", "dynamic"])
            .is_some_and(|array| array.iter().any(|value| value.as_str() == Some(name)))
    };
    if toml.table(&["tool", "poetry"]).is_some() && toml.table(&["project"]).is_none() {
        let header = "[tool.poetry.group.test.dependencies]";
        return Some((append_block(text, &format!("{header}\n{NAME} = \"*\"")), header.to_owned()));
    }
    let groups = toml.get(&["dependency-groups"]).is_some();
    let uv = draft.project.has("uv.lock") || toml.table(&["tool", "uv"]).is_some();
    let extras = toml.get(&["project", "optional-dependencies"]).is_some();
    let table = if groups || (uv && !extras) {
        "dependency-groups"
    } else if toml.table(&["project"]).is_some() && !is_dynamic("optional-dependencies") {
        "project.optional-dependencies"
    } else {
        return None;
    };
    let name = if table == "dependency-groups" { "dev" } else { "test" };
    let path: Vec<&str> = table.split('.').collect();
    let line = format!("{name} = [\"{NAME}\"]");
    let changed = match toml.last_key(&path) {
        Some(key) => toml.add_key(&path, &key, &line)?,
        None if toml.get(&path).is_some() => toml.add_below_header(&path, &line)?,
        None => append_block(text, &format!("[{table}]\n{line}")),
    };
    Some((changed, format!("[{table}] {name}")))
}
