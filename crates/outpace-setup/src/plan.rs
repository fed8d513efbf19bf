//! Putting the edits together: everything is planned before anything is written.

use std::collections::BTreeMap;

use crate::error::SetupError;
use crate::project::Project;
use crate::{dependencies, diff, mentions, settings, targets};

/// What the person at the terminal decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Take pytest-xdist out of the lists where outpace comes in (outpace depends on it).
    pub replace_xdist: bool,
    /// Put `auto` where `addopts` has another number of workers.
    pub replace_workers: bool,
}

/// One file that is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path below the project's folder.
    pub file: String,
    /// Its text now; none for a new file.
    pub before: Option<String>,
    /// Its text then.
    pub after: String,
    /// What the change does, a line each.
    pub does: Vec<String>,
}

impl Change {
    /// The change as `diff -u` shows it.
    pub fn diff(&self) -> String {
        diff::unified(&self.file, self.before.as_deref(), &self.after)
    }
}

/// Something to know that is not an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// `addopts` has its own number of workers, which was kept.
    Workers {
        /// The file.
        file: String,
        /// What `-n` says.
        value: String,
    },
    /// Anything else, as a sentence.
    Text(String),
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files that change, in the order of their names.
    pub changes: Vec<Change>,
    /// What was kept, left out, or has to be done by hand.
    pub notes: Vec<Note>,
    /// The file that has pytest's settings, then.
    pub settings: String,
}

/// Plans everything that is to be changed.
pub fn plan(project: &Project, wishes: Wishes) -> Result<Plan, SetupError> {
    let mut draft =
        Draft { project, wishes, texts: BTreeMap::new(), does: BTreeMap::new(), notes: Vec::new() };
    dependencies::add(&mut draft)?;
    let settings = settings::set(&mut draft)?;
    targets::add(&mut draft)?;
    mentions::note(&mut draft);
    Ok(draft.finish(settings))
}

/// The project as it would be, while it is being changed.
pub(crate) struct Draft<'a> {
    pub(crate) project: &'a Project,
    pub(crate) wishes: Wishes,
    texts: BTreeMap<String, String>,
    does: BTreeMap<String, Vec<String>>,
    notes: Vec<Note>,
}

const BOM: char = '\u{feff}';

impl Draft<'_> {
    /// The text of a file as it would be, without a byte order mark.
    pub(crate) fn text(&self, file: &str) -> Option<String> {
        let text = self.texts.get(file).map(String::as_str).or_else(|| self.project.text(file))?;
        Some(text.strip_prefix(BOM).unwrap_or(text).to_owned())
    }

    /// Every file that there is or would be.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = self.project.files.keys().chain(self.texts.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn change(&mut self, file: &str, after: String, does: impl Into<String>) {
        let marked = self.project.text(file).is_some_and(|text| text.starts_with(BOM));
        let after = if marked { format!("{BOM}{after}") } else { after };
        self.texts.insert(file.to_owned(), after);
        self.does.entry(file.to_owned()).or_default().push(does.into());
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(Note::Text(text.into()));
    }

    pub(crate) fn note_workers(&mut self, file: &str, value: String) {
        self.notes.push(Note::Workers { file: file.to_owned(), value });
    }

    fn finish(mut self, settings: String) -> Plan {
        let differs = |file: &String, after: &String| self.project.text(file) != Some(after.as_str());
        let mut changes = Vec::new();
        for (file, after) in self.texts {
            if differs(&file, &after) {
                let before = self.project.text(&file).map(str::to_owned);
                let does = self.does.remove(&file).unwrap_or_default();
                changes.push(Change { file, before, after, does });
            }
        }
        Plan { changes, notes: self.notes, settings }
    }
}
