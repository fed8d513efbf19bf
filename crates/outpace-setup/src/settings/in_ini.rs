//! `pytest.ini`, `tox.ini`, `setup.cfg`.

use super::{MARKER, Workers, decide, registers_serial};
use crate::addopts;
use crate::error::SetupError;
use crate::ini::{Entry, Ini};
use crate::plan::Draft;

const WORDS: &str = "-n auto";

pub(super) fn set(draft: &mut Draft<'_>, file: &str, section: &str) -> Result<(), SetupError> {
    addopts(draft, file, section)?;
    markers(draft, file, section)
}

fn addopts(draft: &mut Draft<'_>, file: &str, section: &str) -> Result<(), SetupError> {
    let text = draft.text(file).unwrap_or_default();
    let ini = Ini::parse(file, &text)?;
    let Some(entry) = ini.entry(section, "addopts") else {
        let changed = ini.key_at_top(section, &format!("addopts = {WORDS}"));
        let changed = changed.ok_or_else(|| by_hand(file))?;
        draft.change(file, changed, format!("`{WORDS}` in [{section}]"));
        return Ok(());
    };
    let words = addopts::split(&ini.value(&entry)).ok_or_else(|| by_hand(file))?;
    let words: Vec<String> = words.into_iter().map(|(word, _)| word).collect();
    let changed = match decide(draft, file, addopts::read(&words))? {
        Workers::Keep => return Ok(()),
        Workers::Add => ini.append_words(&entry, WORDS),
        Workers::Replace(index, taken) => {
            replace(&ini, &text, &entry, index, taken).ok_or_else(|| by_hand(file))?
        }
    };
    let ini = Ini::parse(file, &changed)?;
    let now = ini.entry(section, "addopts").and_then(|entry| addopts::split(&ini.value(&entry)));
    let now: Vec<String> = now.unwrap_or_default().into_iter().map(|(word, _)| word).collect();
    if addopts::read(&now).workers.is_none_or(|(value, ..)| value != "auto") {
        return Err(by_hand(file));
    }
    draft.change(file, changed, format!("`{WORDS}` in [{section}] addopts"));
    Ok(())
}

fn replace(ini: &Ini<'_>, text: &str, entry: &Entry, index: usize, taken: usize) -> Option<String> {
    let mut spans = Vec::new();
    for line in ini.values(entry) {
        let words = addopts::split(&text[line.clone()])?;
        spans.extend(words.into_iter().map(|(_, span)| line.start + span.start..line.start + span.end));
    }
    let range = spans.get(index)?.start..spans.get(index + taken - 1)?.end;
    Some(ini.replace(range, WORDS))
}

fn markers(draft: &mut Draft<'_>, file: &str, section: &str) -> Result<(), SetupError> {
    let text = draft.text(file).unwrap_or_default();
    let ini = Ini::parse(file, &text)?;
    let changed = match ini.entry(section, "markers") {
        Some(entry) if registers_serial(ini.value(&entry).lines()) => return Ok(()),
        Some(entry) => ini.append_line(&entry, MARKER),
        None => {
            let addopts = ini.entry(section, "addopts").ok_or_else(|| by_hand(file))?;
            ini.key_after(&addopts, &format!("markers =\n    {MARKER}"))
        }
    };
    draft.change(file, changed, format!("the serial marker in [{section}]"));
    Ok(())
}

fn by_hand(file: &str) -> SetupError {
    SetupError::ByHand {
        file: file.to_owned(),
        what: "addopts".to_owned(),
        hint: format!("write `{WORDS}` into addopts, then run `outpace init` again"),
    }
}
