//! Makefiles: what is there stays, what is missing comes at the end.

use super::{TARGETS, command, note_kept};
use crate::plan::Draft;
use crate::text::{append_block, lines};

/// In make's own order.
const NAMES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

/// Whether there is one.
pub(super) fn add(draft: &mut Draft<'_>) -> bool {
    let Some(file) = NAMES.into_iter().find(|name| draft.project.has(name)) else { return false };
    let text = draft.text(file).unwrap_or_default();
    if text.contains(".RECIPEPREFIX") {
        draft.note(format!("{file} has a .RECIPEPREFIX and was not changed"));
        return true;
    }
    let rules = rules(&text);
    let pytest = format!("{}pytest", draft.project.runner());
    let pytest =
        command(rules.iter().flat_map(|rule| rule.recipe.iter().copied())).unwrap_or(&pytest).to_owned();
    let mut blocks = Vec::new();
    let mut added = Vec::new();
    for target in &TARGETS {
        match rules.iter().find(|rule| rule.names.contains(&target.name)) {
            Some(rule) if rule.is_ours(target.says) => {}
            Some(rule) => note_kept(draft, file, target.name, &rule.recipe.join("\n")),
            None => {
                added.push(target.name);
                blocks.push(format!("# {}\n{}:\n\t{pytest}{}", target.says, target.name, target.arguments));
            }
        }
    }
    if !added.is_empty() {
        let block = format!(".PHONY: {}\n\n{}", added.join(" "), blocks.join("\n\n"));
        draft.change(file, append_block(&text, &block), format!("targets {}", added.join(", ")));
    }
    true
}

struct Rule<'a> {
    names: Vec<&'a str>,
    recipe: Vec<&'a str>,
    comment: &'a str,
}

impl Rule<'_> {
    /// Written by an earlier `outpace init`: nothing to say about it.
    fn is_ours(&self, says: &str) -> bool {
        self.comment.trim_start_matches('#').trim() == says
    }
}

fn rules(text: &str) -> Vec<Rule<'_>> {
    let mut found: Vec<Rule<'_>> = Vec::new();
    let mut comment = "";
    for (_, line) in lines(text) {
        if let Some(recipe) = line.strip_prefix('\t') {
            if let Some(rule) = found.last_mut() {
                rule.recipe.push(recipe);
            }
        } else if let Some(names) = targets(line) {
            found.push(Rule { names, recipe: recipe_behind(line), comment });
        }
        comment = line;
    }
    found
}

/// The targets of a rule's first line; none for assignments and anything else.
fn targets(line: &str) -> Option<Vec<&str>> {
    if line.starts_with(['#', ' ', '.', '\t']) {
        return None;
    }
    let (names, rest) = line.split_once(':')?;
    // `:=`, `::=`, and `NAME = a:b`.
    if rest.trim_start_matches(':').starts_with('=') || names.contains('=') {
        return None;
    }
    Some(names.split_whitespace().collect())
}

/// `target: needs; command`
fn recipe_behind(line: &str) -> Vec<&str> {
    line.split_once(';').map_or_else(Vec::new, |(_, recipe)| vec![recipe])
}
