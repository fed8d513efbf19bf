//! `deps` of tox environments and extras of `setup.cfg`.

use super::{NAME, Todo, XDIST, is_listed, todo};
use crate::error::SetupError;
use crate::ini::{Entry, Ini};
use crate::plan::Draft;
use crate::requirement;
use crate::text::{line_end, line_start};

/// Whether outpace is listed then.
pub(super) fn add(draft: &mut Draft<'_>) -> Result<bool, SetupError> {
    let in_tox = each(draft, "tox.ini", |section, key| {
        (section == "testenv" || section.starts_with("testenv:")) && key == "deps"
    })?;
    let in_setup = each(draft, "setup.cfg", |section, key| {
        section == "options.extras_require" || (section == "options" && key == "tests_require")
    })?;
    Ok(in_tox || in_setup)
}

fn each(draft: &mut Draft<'_>, file: &str, is_list: impl Fn(&str, &str) -> bool) -> Result<bool, SetupError> {
    let Some(mut text) = draft.text(file) else { return Ok(false) };
    while let Some((changed, does)) = next(file, &text, &is_list, draft.wishes.replace_xdist)? {
        draft.change(file, changed.clone(), does);
        text = changed;
    }
    let ini = Ini::parse(file, &text)?;
    Ok(lists(&ini, &is_list).iter().any(|(_, entry)| is_listed(&names(&ini, &text, entry))))
}

fn lists<'a>(ini: &Ini<'a>, is_list: &impl Fn(&str, &str) -> bool) -> Vec<(&'a str, Entry)> {
    let entries = |section| ini.entries(section).into_iter().map(move |entry| (section, entry));
    ini.sections().flat_map(entries).filter(|(section, entry)| is_list(section, &entry.key)).collect()
}

/// The next edit that is needed, and what it does.
fn next(
    file: &str,
    text: &str,
    is_list: &impl Fn(&str, &str) -> bool,
    replace_xdist: bool,
) -> Result<Option<(String, String)>, SetupError> {
    let ini = Ini::parse(file, text)?;
    Ok(lists(&ini, is_list).iter().find_map(|(section, entry)| {
        step(&ini, text, entry, &format!("[{section}] {}", entry.key), replace_xdist)
    }))
}

fn step(
    ini: &Ini<'_>,
    text: &str,
    entry: &Entry,
    place: &str,
    replace_xdist: bool,
) -> Option<(String, String)> {
    let parts = parts(ini, text, entry);
    let names: Vec<Option<String>> =
        parts.iter().map(|part| requirement::name(&text[part.clone()])).collect();
    let beside = |index: usize| names.get(index).cloned().flatten().unwrap_or_default();
    match todo(&names, replace_xdist) {
        Todo::Nothing => None,
        Todo::AddAfter(index) => {
            let part = parts.get(index)?.clone();
            let line = ini.values(entry).into_iter().find(|line| line.contains(&part.start))?;
            let changed = if parts.iter().filter(|part| line.contains(&part.start)).count() > 1 {
                ini.replace(part.end..part.end, &format!("; {NAME}"))
            } else {
                // What comes before it on the line is tox's condition, `py313: `.
                ini.line_after(&line, &format!("{}{NAME}", &text[line.start..part.start]))
            };
            Some((changed, format!("{NAME} beside {} in {place}", beside(index))))
        }
        Todo::Replace(index) => {
            let part = parts.get(index)?.clone();
            let marker = requirement::marker(&text[part.clone()]);
            let changed = ini.replace(part, &format!("{NAME}{marker}"));
            Some((changed, format!("{NAME} in place of {XDIST} in {place}")))
        }
        Todo::Remove(index) => {
            let part = parts.get(index)?.clone();
            let (start, end) = (line_start(text, part.start), line_end(text, part.end));
            // Only a line of its own: what shares one with others is kept.
            let alone = text[start..part.start].trim().is_empty() && text[part.end..end].trim().is_empty();
            let next = text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1);
            alone.then(|| (ini.replace(start..next, ""), format!("without {XDIST} in {place}")))
        }
    }
}

fn names(ini: &Ini<'_>, text: &str, entry: &Entry) -> Vec<Option<String>> {
    parts(ini, text, entry).into_iter().map(|part| requirement::name(&text[part])).collect()
}

/// Where each requirement stands: one a line, or several separated by semicolons.
fn parts(ini: &Ini<'_>, text: &str, entry: &Entry) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for line in ini.values(entry) {
        let begin = line.start + condition(&text[line.clone()]);
        let content = &text[begin..line.end];
        let several = content
            .split(';')
            .skip(1)
            .all(|part| requirement::name(part).is_some() && !part.contains(['\'', '"']));
        if !several {
            found.push(begin..line.end);
            continue;
        }
        let mut at = begin;
        for part in content.split(';') {
            let start = at + (part.len() - part.trim_start().len());
            found.push(start..start + part.trim().len());
            at += part.len() + 1;
        }
    }
    found
}

/// The length of `py313,lint: ` before a requirement of tox.
fn condition(line: &str) -> usize {
    match line.split_once(": ") {
        Some((factors, rest))
            if factors.chars().all(|c| c.is_ascii_alphanumeric() || "{},!.-_".contains(c)) =>
        {
            line.len() - rest.trim_start().len()
        }
        _ => 0,
    }
}
