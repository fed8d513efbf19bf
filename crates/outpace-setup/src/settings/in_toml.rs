//! `[tool.pytest.ini_options]`, `[tool.pytest]`, `pytest.toml`.

use std::ops::Range;

use super::{MARKER, Workers, decide, registers_serial};
use crate::addopts;
use crate::error::SetupError;
use crate::plan::Draft;
use crate::text::{indentation, insert, line_ending, line_start};
use crate::toml::{Toml, quoted, strings};

const WORDS: [&str; 2] = ["-n", "auto"];

/// `native`: lists are arrays, as pytest 9 wants them outside of `ini_options`.
pub(super) fn set(draft: &mut Draft<'_>, file: &str, table: &[&str], native: bool) -> Result<(), SetupError> {
    addopts(draft, file, table, native)?;
    markers(draft, file, table)
}

fn addopts(draft: &mut Draft<'_>, file: &str, table: &[&str], native: bool) -> Result<(), SetupError> {
    let text = draft.text(file).unwrap_or_default();
    let toml = Toml::parse(file, &text)?;
    let path = [table, &["addopts"]].concat();
    let place = format!("[{}]", table.join("."));
    let by_hand = || {
        toml.by_hand(
            "addopts",
            &format!("write `-n auto` into addopts of {place}, then run `outpace init` again"),
        )
    };
    let words = words(&toml, &path).ok_or_else(by_hand)?;
    let changed = match decide(draft, file, addopts::read(&words))? {
        Workers::Keep => return Ok(()),
        Workers::Add if toml.get(&path).is_none() => {
            let value = if native { "[\"-n\", \"auto\"]" } else { "\"-n auto\"" };
            add_key(&toml, table, &format!("addopts = {value}"))
        }
        Workers::Add => match toml.array(&path) {
            Some(array) => toml.add_to_array(array, None, &WORDS),
            None => append(&toml, &text, &path),
        },
        Workers::Replace(index, taken) => replace(&toml, &path, index, taken),
    };
    let changed = changed.ok_or_else(by_hand)?;
    let after = Toml::parse(file, &changed).ok().and_then(|toml| self::words(&toml, &path));
    let now = after.and_then(|words| addopts::read(&words).workers);
    if now.is_none_or(|(value, ..)| value != "auto") {
        return Err(by_hand());
    }
    draft.change(file, changed, format!("`-n auto` in {place} addopts"));
    Ok(())
}

/// The arguments as pytest sees them; none where the value is neither text nor a list of it.
fn words(toml: &Toml<'_>, path: &[&str]) -> Option<Vec<String>> {
    let Some(item) = toml.get(path) else { return Some(Vec::new()) };
    match item.as_array() {
        Some(array) => strings(array).into_iter().map(|text| text.map(str::to_owned)).collect(),
        None => Some(addopts::split(item.as_str()?)?.into_iter().map(|(word, _)| word).collect()),
    }
}

fn add_key(toml: &Toml<'_>, table: &[&str], line: &str) -> Option<String> {
    match toml.last_key(table) {
        Some(key) => toml.add_key(table, &key, line),
        None => toml.add_below_header(table, line),
    }
}

/// The text between a string's quotes.
fn inner(toml: &Toml<'_>, path: &[&str]) -> Option<Range<usize>> {
    let span = toml.span(path)?;
    let raw = toml.text_of(span.clone());
    let quotes = if raw.len() >= 6 && (raw.starts_with("\"\"\"") || raw.starts_with("'''")) { 3 } else { 1 };
    (raw.len() >= 2 * quotes).then(|| span.start + quotes..span.end - quotes)
}

/// To the end of a string; on a line of its own where the string has several.
fn append(toml: &Toml<'_>, text: &str, path: &[&str]) -> Option<String> {
    append_to_string(toml, text, path, "-n auto", " ")
}

fn append_to_string(
    toml: &Toml<'_>,
    text: &str,
    path: &[&str],
    words: &str,
    between: &str,
) -> Option<String> {
    let inner = inner(toml, path)?;
    let content = &text[inner.clone()];
    let written = content.trim_end();
    let at = inner.start + written.len();
    let newline = line_ending(text);
    if written.contains('\n') || content[written.len()..].contains('\n') {
        let indent = indentation(&text[line_start(text, at)..]);
        let indent = if line_start(text, at) < inner.start { "" } else { indent };
        return Some(insert(text, at, &format!("{newline}{indent}{words}")));
    }
    let between = if written.is_empty() { "" } else { between };
    Some(insert(text, at, &format!("{between}{words}")))
}

fn replace(toml: &Toml<'_>, path: &[&str], index: usize, taken: usize) -> Option<String> {
    if let Some(array) = toml.array(path) {
        // The number is the last of the words: `"-n", "4"` or `"-n4"`.
        let element = array.get(index + taken - 1)?.span()?;
        let quote = toml.text_of(element.clone()).chars().next()?;
        let new = if taken == 2 { "auto" } else { "-nauto" };
        return Some(toml.replace(element, &quoted(new, quote)));
    }
    let inner = inner(toml, path)?;
    let spans = addopts::split(toml.text_of(inner.clone()))?;
    let (first, last) = (spans.get(index)?.1.start, spans.get(index + taken - 1)?.1.end);
    Some(toml.replace(inner.start + first..inner.start + last, "-n auto"))
}

fn markers(draft: &mut Draft<'_>, file: &str, table: &[&str]) -> Result<(), SetupError> {
    let text = draft.text(file).unwrap_or_default();
    let toml = Toml::parse(file, &text)?;
    let path = [table, &["markers"]].concat();
    let place = format!("[{}]", table.join("."));
    let by_hand = || {
        toml.by_hand(
            "markers",
            &format!("write \"{MARKER}\" into markers of {place}, then run `outpace init` again"),
        )
    };
    let Some(value) = toml.get(&path) else {
        let line = format!("markers = [\"{MARKER}\"]");
        let changed = toml.add_key(table, "addopts", &line).or_else(|| add_key(&toml, table, &line));
        draft.change(file, changed.ok_or_else(by_hand)?, format!("the serial marker in {place}"));
        return Ok(());
    };
    let changed = if let Some(array) = value.as_array() {
        if registers_serial(strings(array).into_iter().flatten()) {
            return Ok(());
        }
        toml.add_to_array(array, None, &[MARKER])
    } else if let Some(lines) = value.as_str() {
        if registers_serial(lines.lines()) {
            return Ok(());
        }
        if toml.span(&path).is_some_and(|span| toml.text_of(span).contains('\n')) {
            append_to_string(&toml, &text, &path, MARKER, "\n")
        } else {
            let span = toml.span(&path);
            span.map(|span| toml.replace(span.clone(), &format!("[{}, \"{MARKER}\"]", toml.text_of(span))))
        }
    } else {
        None
    };
    let changed = changed.ok_or_else(by_hand)?;
    let after = Toml::parse(file, &changed)?;
    let registered = match after.get(&path) {
        Some(item) => match item.as_array() {
            Some(array) => registers_serial(strings(array).into_iter().flatten()),
            None => item.as_str().is_some_and(|lines| registers_serial(lines.lines())),
        },
        None => false,
    };
    if !registered {
        return Err(by_hand());
    }
    draft.change(file, changed, format!("the serial marker in {place}"));
    Ok(())
}
