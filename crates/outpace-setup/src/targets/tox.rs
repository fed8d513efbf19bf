//! tox, where there is neither a Makefile nor a justfile.

use super::{TARGETS, command};
use crate::error::SetupError;
use crate::ini::Ini;
use crate::plan::Draft;
use crate::text::append_block;

const FILE: &str = "tox.ini";

pub(super) fn add(draft: &mut Draft<'_>) -> Result<(), SetupError> {
    let Some(text) = draft.text(FILE) else { return Ok(()) };
    let ini = Ini::parse(FILE, &text)?;
    let commands = ini.entry("testenv", "commands").map(|entry| ini.value(&entry)).unwrap_or_default();
    let Some(pytest) = command(commands.lines()) else { return Ok(()) };
    let mut blocks = Vec::new();
    let mut added = Vec::new();
    // What tox runs as its tests is there already.
    for target in TARGETS.iter().filter(|target| target.name != "test") {
        let section = format!("testenv:{}", target.name);
        if !ini.has(&section) {
            added.push(target.name);
            let line = format!("{pytest}{} {{posargs}}", target.arguments);
            blocks.push(format!("[{section}]\ndescription = {}\ncommands = {line}", target.says));
        }
    }
    if !added.is_empty() {
        draft.change(
            FILE,
            append_block(&text, &blocks.join("\n\n")),
            format!("environments {}", added.join(", ")),
        );
    }
    Ok(())
}
