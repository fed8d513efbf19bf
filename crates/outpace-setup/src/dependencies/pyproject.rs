//! Extras, dependency groups, and what uv, PDM, Hatch, tox and Poetry have of their own in `pyproject.toml`.

use super::{NAME, Todo, XDIST, is_listed, todo};
use crate::error::SetupError;
use crate::plan::Draft;
use crate::requirement;
use crate::text::{indentation, line_end, line_start};
use crate::toml::{Toml, strings};

pub(super) const FILE: &str = "pyproject.toml";

/// Whether outpace is listed then.
pub(super) fn add(draft: &mut Draft<'_>) -> Result<bool, SetupError> {
    let Some(mut text) = draft.text(FILE) else { return Ok(false) };
    loop {
        let toml = Toml::parse(FILE, &text)?;
        match step(&toml, draft.wishes.replace_xdist)? {
            Some((changed, does)) => {
                draft.change(FILE, changed.clone(), does);
                text = changed;
            }
            None => return Ok(listed(&toml)),
        }
    }
}

fn listed(toml: &Toml<'_>) -> bool {
    let in_list = |path: &Vec<String>| is_listed(&names(toml, path));
    let in_table = |path: &Vec<String>| toml.keys(&refs(path)).iter().any(|key| key == NAME);
    lists(toml).iter().any(in_list) || tables(toml).iter().any(in_table)
}

/// The next edit that is needed, and what it does.
fn step(toml: &Toml<'_>, replace_xdist: bool) -> Result<Option<(String, String)>, SetupError> {
    for path in lists(toml) {
        if let Some(done) = step_in_list(toml, &path, replace_xdist) {
            return done.map(Some);
        }
    }
    for path in tables(toml) {
        if let Some(done) = step_in_table(toml, &path, replace_xdist) {
            return done.map(Some);
        }
    }
    Ok(None)
}

type Step = Option<Result<(String, String), SetupError>>;

fn step_in_list(toml: &Toml<'_>, path: &[String], replace_xdist: bool) -> Step {
    let array = toml.array(&refs(path))?;
    let todo = todo(&names(toml, path), replace_xdist);
    let place = place(path);
    let by_hand =
        || toml.by_hand(&place, &format!("write \"{NAME}\" into {place}, then run `outpace init` again"));
    let (changed, does) = match todo {
        Todo::Nothing => return None,
        Todo::AddAfter(index) => (
            toml.add_to_array(array, Some(index), &[NAME]),
            format!("{NAME} beside {} in {place}", beside(array, index)),
        ),
        Todo::Replace(index) => {
            let changed = array.get(index).and_then(|element| {
                let span = element.span()?;
                let quote = toml.text_of(span.clone()).chars().next()?;
                let marker = requirement::marker(element.as_str()?);
                let text = crate::toml::quoted(&format!("{NAME}{marker}"), quote);
                Some(toml.replace(span, &text))
            });
            (changed, format!("{NAME} in place of {XDIST} in {place}"))
        }
        Todo::Remove(index) => (toml.remove_from_array(array, index), format!("without {XDIST} in {place}")),
    };
    Some(changed.map(|changed| (changed, does)).ok_or_else(by_hand))
}

fn beside(array: &toml_edit::Array, index: usize) -> String {
    array.get(index).and_then(|element| requirement::name(element.as_str()?)).unwrap_or_default()
}

fn step_in_table(toml: &Toml<'_>, path: &[String], replace_xdist: bool) -> Step {
    let path_refs = refs(path);
    let keys = toml.keys(&path_refs);
    let names: Vec<Option<String>> = keys.iter().map(|key| requirement::name(key)).collect();
    let place = format!("[{}]", path.join("."));
    let by_hand = || {
        toml.by_hand(&place, &format!("write `{NAME} = \"*\"` into {place}, then run `outpace init` again"))
    };
    let (changed, does) = match todo(&names, replace_xdist) {
        Todo::Nothing => return None,
        Todo::AddAfter(index) => {
            let key = keys.get(index)?;
            let line = format!("{NAME} = {}", version_like(toml, &path_refs, key));
            let changed =
                toml.add_key(&path_refs, key, &line).or_else(|| toml.add_below_header(&path_refs, &line));
            (changed, format!("{NAME} beside {key} in {place}"))
        }
        Todo::Replace(index) => {
            let key = keys.get(index)?;
            let value = version_like(toml, &path_refs, key);
            let changed = entry_span(toml, &path_refs, key)
                .map(|span| toml.replace(span, &format!("{NAME} = {value}")));
            (changed, format!("{NAME} in place of {key} in {place}"))
        }
        Todo::Remove(index) => {
            let key = keys.get(index)?;
            let changed = entry_span(toml, &path_refs, key).map(|span| toml.remove_line(span));
            (changed, format!("without {key} in {place}"))
        }
    };
    Some(changed.map(|changed| (changed, does)).ok_or_else(by_hand))
}

/// Optional as the other one is: an extra then says when it is installed.
fn version_like(toml: &Toml<'_>, table: &[&str], key: &str) -> &'static str {
    let optional = [table, &[key, "optional"]].concat();
    if toml.get(&optional).and_then(toml_edit::Item::as_bool) == Some(true) {
        "{ version = \"*\", optional = true }"
    } else {
        "\"*\""
    }
}

fn entry_span(toml: &Toml<'_>, table: &[&str], key: &str) -> Option<std::ops::Range<usize>> {
    let (key, item) = toml.table(table)?.get_key_value(key)?;
    Some(key.span()?.start..item.as_value()?.span()?.end)
}

/// The arrays of requirements that tests may be among.
fn lists(toml: &Toml<'_>) -> Vec<Vec<String>> {
    let below = |path: &[&str], then: &[&str]| {
        let extend = |key: String| {
            let parts = path.iter().map(|part| (*part).to_owned()).chain([key]);
            parts.chain(then.iter().map(|part| (*part).to_owned())).collect::<Vec<String>>()
        };
        toml.keys(path).into_iter().map(extend).collect::<Vec<_>>()
    };
    let one = |path: &[&str]| vec![path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()];
    [
        below(&["project", "optional-dependencies"], &[]),
        below(&["dependency-groups"], &[]),
        one(&["tool", "uv", "dev-dependencies"]),
        below(&["tool", "pdm", "dev-dependencies"], &[]),
        below(&["tool", "hatch", "envs"], &["dependencies"]),
        below(&["tool", "hatch", "envs"], &["extra-dependencies"]),
        one(&["tool", "tox", "env_run_base", "deps"]),
        below(&["tool", "tox", "env"], &["deps"]),
        below(&["tool", "poetry", "extras"], &[]),
    ]
    .concat()
}

/// Poetry's tables.
fn tables(toml: &Toml<'_>) -> Vec<Vec<String>> {
    let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let groups = toml.keys(&["tool", "poetry", "group"]);
    let in_groups = groups.iter().map(|group| path(&["tool", "poetry", "group", group, "dependencies"]));
    [path(&["tool", "poetry", "dependencies"]), path(&["tool", "poetry", "dev-dependencies"])]
        .into_iter()
        .chain(in_groups)
        .collect()
}

fn names(toml: &Toml<'_>, path: &[String]) -> Vec<Option<String>> {
    let array = toml.array(&refs(path));
    array.map_or_else(Vec::new, |array| {
        strings(array).into_iter().map(|text| text.and_then(requirement::name)).collect()
    })
}

/// `[project.optional-dependencies] test`.
fn place(path: &[String]) -> String {
    path.split_last().map_or_else(String::new, |(last, table)| format!("[{}] {last}", table.join(".")))
}

pub(super) fn refs(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

impl Toml<'_> {
    fn remove_from_array(&self, array: &toml_edit::Array, index: usize) -> Option<String> {
        let text = self.text_of(0..self.len());
        let element = array.get(index)?.span()?;
        let start = line_start(text, element.start);
        let end = line_end(text, element.end);
        let behind = text[element.end..end].trim_start().trim_start_matches(',').trim_start();
        if indentation(&text[start..]).len() == element.start - start
            && (behind.is_empty() || behind.starts_with('#'))
        {
            return Some(self.remove_line(element));
        }
        let range = match (array.get(index + 1), index.checked_sub(1).and_then(|before| array.get(before))) {
            (Some(next), _) => element.start..next.span()?.start,
            (None, Some(before)) => before.span()?.end..element.end,
            (None, None) => element,
        };
        Some(self.replace(range, ""))
    }

    fn remove_line(&self, within: std::ops::Range<usize>) -> String {
        let text = self.text_of(0..self.len());
        let end = text[within.end..].find('\n').map_or(text.len(), |newline| within.end + newline + 1);
        self.replace(line_start(text, within.start)..end, "")
    }
}
