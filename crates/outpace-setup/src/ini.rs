//! `pytest.ini`, `tox.ini` and `setup.cfg`, line by line.
//!
//! Read as pytest's own parser (`iniconfig`) reads them: a key begins in the first column, what is indented continues
//! it, and only whole lines are comments.

use std::ops::Range;

use crate::error::SetupError;
use crate::text::{indentation, insert, line_ending, line_start, lines, replace};

pub(crate) struct Ini<'a> {
    text: &'a str,
}

/// One key of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// What stands in the key's own line: bytes of the file.
    first: Range<usize>,
    /// The lines that continue it, without indentation, comments and empty lines: bytes of the file.
    rest: Vec<Range<usize>>,
}

impl<'a> Ini<'a> {
    pub(crate) fn parse(file: &str, text: &'a str) -> Result<Self, SetupError> {
        let syntax = |line: usize, message: &str| SetupError::Syntax {
            file: file.to_owned(),
            line: line + 1,
            column: 1,
            message: message.to_owned(),
        };
        let (mut in_section, mut has_key) = (false, false);
        for (number, (_, line)) in lines(text).enumerate() {
            if is_nothing(line) {
                continue;
            }
            if section_name(line).is_some() {
                (in_section, has_key) = (true, false);
            } else if line.starts_with(char::is_whitespace) {
                if !has_key {
                    return Err(syntax(
                        number,
                        "this line is indented, but there is no key before it to continue",
                    ));
                }
            } else if split_key(line).is_none() {
                return Err(syntax(number, "neither a [section], nor key = value"));
            } else if !in_section {
                return Err(syntax(number, "there is no [section] above this line"));
            } else {
                has_key = true;
            }
        }
        Ok(Self { text })
    }

    pub(crate) fn sections(&self) -> impl Iterator<Item = &'a str> {
        lines(self.text).filter_map(|(_, line)| section_name(line))
    }

    pub(crate) fn has(&self, section: &str) -> bool {
        self.sections().any(|name| name == section)
    }

    /// The keys of a section, in order; empty where there is no such section.
    pub(crate) fn entries(&self, section: &str) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        let mut inside = false;
        for (start, line) in lines(self.text) {
            if let Some(name) = section_name(line) {
                inside = name == section;
            } else if !inside || is_nothing(line) {
            } else if line.starts_with(char::is_whitespace) {
                let begin = start + indentation(line).len();
                if let Some(entry) = found.last_mut() {
                    entry.rest.push(begin..start + line.trim_end().len());
                }
            } else if let Some((key, value)) = split_key(line) {
                let end = start + line.trim_end().len();
                found.push(Entry {
                    key: key.to_owned(),
                    first: (start + value).min(end)..end,
                    rest: Vec::new(),
                });
            }
        }
        found
    }

    pub(crate) fn entry(&self, section: &str, key: &str) -> Option<Entry> {
        self.entries(section).into_iter().find(|entry| entry.key == key)
    }

    /// Where each line of a value stands that has something in it.
    pub(crate) fn values(&self, entry: &Entry) -> Vec<Range<usize>> {
        let first = Some(entry.first.clone()).filter(|range| !self.text[range.clone()].trim().is_empty());
        first.into_iter().chain(entry.rest.iter().cloned()).collect()
    }

    /// The value as pytest sees it: lines joined by line breaks.
    pub(crate) fn value(&self, entry: &Entry) -> String {
        let lines: Vec<&str> = self.values(entry).into_iter().map(|range| self.text[range].trim()).collect();
        lines.join("\n")
    }

    /// Adds words to the end of a value: to its line, or as a line of their own where it has several.
    pub(crate) fn append_words(&self, entry: &Entry, words: &str) -> String {
        match entry.rest.last() {
            Some(last) => self.line_after(last, words),
            None => insert(self.text, entry.first.end, &format!("{}{words}", self.space_before(entry))),
        }
    }

    /// Adds a line to a value that is a list.
    pub(crate) fn append_line(&self, entry: &Entry, line: &str) -> String {
        match self.values(entry).last() {
            None => insert(self.text, entry.first.end, &format!("{}    {line}", line_ending(self.text))),
            Some(last) => self.line_after(last, line),
        }
    }

    /// A line below another one of the same value, indented alike.
    pub(crate) fn line_after(&self, above: &Range<usize>, line: &str) -> String {
        let start = line_start(self.text, above.start);
        let before = &self.text[start..above.start];
        let indent = if before.trim().is_empty() && !before.is_empty() { before } else { "    " };
        insert(self.text, above.end, &format!("{}{indent}{line}", line_ending(self.text)))
    }

    /// A key below another one of the same section.
    pub(crate) fn key_after(&self, entry: &Entry, block: &str) -> String {
        let at = entry.rest.last().unwrap_or(&entry.first).end;
        let newline = line_ending(self.text);
        insert(self.text, at, &format!("{newline}{}", block.replace('\n', newline)))
    }

    /// A key as the first of its section.
    pub(crate) fn key_at_top(&self, section: &str, block: &str) -> Option<String> {
        let (start, line) = lines(self.text).find(|(_, line)| section_name(line) == Some(section))?;
        let newline = line_ending(self.text);
        Some(insert(self.text, start + line.len(), &format!("{newline}{}", block.replace('\n', newline))))
    }

    pub(crate) fn replace(&self, range: Range<usize>, with: &str) -> String {
        replace(self.text, range, with)
    }

    fn space_before(&self, entry: &Entry) -> &'static str {
        if self.text[..entry.first.end].ends_with(char::is_whitespace) { "" } else { " " }
    }
}

fn is_nothing(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with(['#', ';'])
}

fn section_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('[')?;
    rest.find(']').map(|end| &rest[..end])
}

/// The key, and where in the line the value begins.
fn split_key(line: &str) -> Option<(&str, usize)> {
    // As iniconfig: the first `=`; without one, the first `:`.
    let at = line.find('=').filter(|at| !line[..*at].contains(':')).or_else(|| line.find([':', '=']))?;
    let value = line[at + 1..].len() - line[at + 1..].trim_start().len();
    Some((line[..at].trim(), at + 1 + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ini_file_is_named_by_its_line() {
        for (text, line) in [("[pytest]\nnonsense\n", 2), ("a = 1\n", 1), ("\n[x]\n  a\n", 3)] {
            let error = Ini::parse("tox.ini", text).err();
            assert!(
                matches!(error, Some(SetupError::Syntax { line: at, .. }) if at == line),
                "{text:?}: {error:?}"
            );
        }
    }

    #[test]
    fn values_are_read_as_pytest_reads_them() {
        let text =
            "[a]\nkey = 1\n[pytest]\n# key = no\naddopts =\n  -ra\n  # not this\n\n  -q\nother: x = y\nlast=";
        let ini = Ini::parse("pytest.ini", text).unwrap();
        let value = |key| ini.entry("pytest", key).map(|entry| ini.value(&entry));
        assert_eq!(value("addopts").as_deref(), Some("-ra\n-q"));
        assert_eq!(value("other").as_deref(), Some("x = y"));
        assert_eq!(value("last").as_deref(), Some(""));
        assert_eq!(value("key"), None);
    }
}
