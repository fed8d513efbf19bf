//! Small edits of text that keep its line endings.

/// `\r\n` where the file's first line ends so.
pub(crate) fn line_ending(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// `text` with `insert` put in at a byte.
pub(crate) fn insert(text: &str, at: usize, insert: &str) -> String {
    replace(text, at..at, insert)
}

/// `text` with a range of bytes replaced.
pub(crate) fn replace(text: &str, range: std::ops::Range<usize>, with: &str) -> String {
    let mut changed = String::with_capacity(text.len() + with.len());
    changed.push_str(&text[..range.start]);
    changed.push_str(with);
    changed.push_str(&text[range.end..]);
    changed
}

/// Where the line that holds this byte begins.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line that holds this byte ends, before its line ending.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    if end > at && text[..end].ends_with('\r') { end - 1 } else { end }
}

/// `text` with `block` (lines separated by `\n`) after it, and an empty line between.
pub(crate) fn append_block(text: &str, block: &str) -> String {
    let newline = line_ending(text);
    let mut changed = text.to_owned();
    if !changed.is_empty() {
        if !changed.ends_with('\n') {
            changed.push_str(newline);
        }
        if !changed.ends_with(&format!("{newline}{newline}")) && changed != newline {
            changed.push_str(newline);
        }
    }
    for line in block.lines() {
        changed.push_str(line);
        changed.push_str(newline);
    }
    changed
}

/// Lines with their number of bytes from the start, without line endings.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

/// The white space that a line begins with.
pub(crate) fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// Line and column of a byte, from 1; columns count characters.
pub(crate) fn position(text: &str, at: usize) -> (usize, usize) {
    let at = at.min(text.len());
    let start = line_start(text, at);
    (text[..at].matches('\n').count() + 1, text[start..at].chars().count() + 1)
}
