//! `pyproject.toml` and its like: parsed to know where a value stands, edited in the text.

use std::ops::Range;

use toml_edit::{Array, Document, Item, TableLike};

use crate::error::SetupError;
use crate::text::{indentation, insert, line_end, line_ending, line_start, position, replace};

pub(crate) struct Toml<'a> {
    file: &'a str,
    text: &'a str,
    document: Document<&'a str>,
}

impl<'a> Toml<'a> {
    pub(crate) fn parse(file: &'a str, text: &'a str) -> Result<Self, SetupError> {
        let document = Document::parse(text).map_err(|error| {
            let (line, column) = position(text, error.span().map_or(text.len(), |span| span.start));
            let message = error.message().trim().replace('\n', ", ");
            SetupError::Syntax { file: file.to_owned(), line, column, message }
        })?;
        Ok(Self { file, text, document })
    }

    pub(crate) fn get(&self, path: &[&str]) -> Option<&Item> {
        path.iter().try_fold(self.document.as_item(), |item, key| item.as_table_like()?.get(key))
    }

    pub(crate) fn table(&self, path: &[&str]) -> Option<&dyn TableLike> {
        self.get(path)?.as_table_like()
    }

    /// The keys of a table, in order; none where there is no such table.
    pub(crate) fn keys(&self, path: &[&str]) -> Vec<String> {
        self.table(path).map_or_else(Vec::new, |table| table.iter().map(|(key, _)| key.to_owned()).collect())
    }

    pub(crate) fn array(&self, path: &[&str]) -> Option<&Array> {
        self.get(path)?.as_array()
    }

    pub(crate) fn text_of(&self, range: Range<usize>) -> &'a str {
        &self.text[range]
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Where a value stands.
    pub(crate) fn span(&self, path: &[&str]) -> Option<Range<usize>> {
        self.get(path)?.as_value()?.span()
    }

    pub(crate) fn replace(&self, range: Range<usize>, with: &str) -> String {
        replace(self.text, range, with)
    }

    /// Adds strings to an array: below the element `after`, or beside it where the array is one line.
    pub(crate) fn add_to_array(&self, array: &Array, after: Option<usize>, new: &[&str]) -> Option<String> {
        let span = array.span()?;
        let Some(index) = after.or(array.len().checked_sub(1)) else {
            let quoted: Vec<String> = new.iter().map(|text| quoted(text, '"')).collect();
            return Some(insert(self.text, span.start + 1, &quoted.join(", ")));
        };
        let element = array.get(index)?.span()?;
        let quote = if self.text[element.clone()].starts_with('\'') { '\'' } else { '"' };
        let new: Vec<String> = new.iter().map(|text| quoted(text, quote)).collect();
        let start = line_start(self.text, element.start);
        let end = line_end(self.text, element.end).min(span.end);
        let alone_before = self.text[start..element.start].trim().is_empty() && start > span.start;
        let tail = self.text[element.end..end].trim_start();
        let comma = tail.starts_with(',');
        let behind = tail.strip_prefix(',').unwrap_or(tail).trim_start();
        let is_last = index + 1 == array.len();
        let alone_behind = behind.is_empty() || behind.starts_with('#');
        if !(alone_before && alone_behind && (comma || is_last)) {
            return Some(insert(self.text, element.end, &format!(", {}", new.join(", "))));
        }
        let separator = format!("{}{}", line_ending(self.text), indentation(&self.text[start..]));
        let lines = new.join(&format!(",{separator}"));
        let trailing = if comma { "," } else { "" };
        let changed = insert(self.text, end, &format!("{separator}{lines}{trailing}"));
        Some(if comma { changed } else { insert(&changed, element.end, ",") })
    }

    /// Adds `key = value` below another key of the same table, prefixed as that one is (`ini_options.key`).
    pub(crate) fn add_key(&self, table: &[&str], below: &str, line: &str) -> Option<String> {
        let table = self.table(table)?;
        let (key, item) = table.get_key_value(below)?;
        let value = item.as_value()?.span()?;
        let key = key.span()?;
        let prefix = &self.text[line_start(self.text, key.start)..key.start];
        if prefix.contains(['{', ',', '='])
            || self.text[value.end..line_end(self.text, value.end)].contains('}')
        {
            return None;
        }
        let at = line_end(self.text, value.end);
        Some(insert(self.text, at, &format!("{}{prefix}{line}", line_ending(self.text))))
    }

    /// Adds a line below a table's `[header]`.
    pub(crate) fn add_below_header(&self, path: &[&str], line: &str) -> Option<String> {
        let table = self.get(path)?.as_table()?;
        if table.is_dotted() || table.is_implicit() {
            return None;
        }
        let at = line_end(self.text, table.span()?.end);
        Some(insert(self.text, at, &format!("{}{line}", line_ending(self.text))))
    }

    /// The last key of a table whose value stands in the table itself.
    pub(crate) fn last_key(&self, path: &[&str]) -> Option<String> {
        let table = self.table(path)?;
        let values = table.iter().filter(|(_, item)| item.is_value());
        values.max_by_key(|(_, item)| item.span().map(|span| span.start)).map(|(key, _)| key.to_owned())
    }

    pub(crate) fn by_hand(&self, what: &str, hint: &str) -> SetupError {
        SetupError::ByHand { file: self.file.to_owned(), what: what.to_owned(), hint: hint.to_owned() }
    }
}

/// The strings of an array; `None` for elements that are something else.
pub(crate) fn strings(array: &Array) -> Vec<Option<&str>> {
    array.iter().map(toml_edit::Value::as_str).collect()
}

pub(crate) fn quoted(text: &str, quote: char) -> String {
    let quote = if text.contains(quote) || text.contains('\\') { '\'' } else { quote };
    format!("{quote}{text}{quote}")
}
