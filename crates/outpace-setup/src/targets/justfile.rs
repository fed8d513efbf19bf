//! Justfiles.

use super::{TARGETS, command, note_kept};
use crate::plan::Draft;
use crate::text::{append_block, lines};

const NAMES: [&str; 3] = ["justfile", "Justfile", ".justfile"];

/// Whether there is one.
pub(super) fn add(draft: &mut Draft<'_>) -> bool {
    let Some(file) = NAMES.into_iter().find(|name| draft.project.has(name)) else { return false };
    let text = draft.text(file).unwrap_or_default();
    let recipes = recipes(&text);
    let pytest = format!("{}pytest", draft.project.runner());
    let pytest =
        command(recipes.iter().flat_map(|recipe| recipe.lines.iter().copied())).unwrap_or(&pytest).to_owned();
    let mut blocks = Vec::new();
    let mut added = Vec::new();
    for target in &TARGETS {
        match recipes.iter().find(|recipe| recipe.name == target.name) {
            Some(recipe) if recipe.comment.trim_start_matches('#').trim() == target.says => {}
            Some(recipe) => note_kept(draft, file, target.name, &recipe.lines.join("\n")),
            None => {
                added.push(target.name);
                let line = format!("{pytest}{} {{{{args}}}}", target.arguments);
                blocks.push(format!("# {}\n{} *args:\n    {line}", target.says, target.name));
            }
        }
    }
    if !added.is_empty() {
        draft.change(
            file,
            append_block(&text, &blocks.join("\n\n")),
            format!("recipes {}", added.join(", ")),
        );
    }
    true
}

struct Recipe<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
    comment: &'a str,
}

fn recipes(text: &str) -> Vec<Recipe<'_>> {
    let mut found: Vec<Recipe<'_>> = Vec::new();
    let mut comment = "";
    for (_, line) in lines(text) {
        if line.starts_with([' ', '\t']) {
            if let Some(recipe) = found.last_mut() {
                recipe.lines.push(line);
            }
        } else if let Some(name) = name(line) {
            found.push(Recipe { name, lines: Vec::new(), comment });
        }
        comment = line;
    }
    found
}

/// Of a recipe or an alias.
fn name(line: &str) -> Option<&str> {
    if let Some(alias) = line.strip_prefix("alias ") {
        return alias.split([':', ' ']).find(|word| !word.is_empty());
    }
    let line = line.strip_prefix('@').unwrap_or(line);
    let (head, rest) = line.split_once(':')?;
    if rest.starts_with('=') || line.starts_with(['#', '[']) {
        return None;
    }
    head.split_whitespace().next()
}
