//! What an edit changes, as `diff -u` shows it.

use similar::TextDiff;

/// The unified diff of one file; `before` is none for a new file.
pub fn unified(name: &str, before: Option<&str>, after: &str) -> String {
    let old = before.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{name}"));
    let diff = TextDiff::from_lines(before.unwrap_or_default(), after);
    diff.unified_diff().context_radius(3).header(&old, &format!("b/{name}")).to_string()
}
