//! What a run tells: the file that `python/outpace/watching` writes at its end.

use std::collections::BTreeSet;

use serde::Deserialize;

/// What a collection showed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Learned {
    /// Another one for each collection.
    pub token: String,
    /// Whether it was of all files, not only of those that were to run.
    pub whole: bool,
    /// Files with tests.
    pub tests: Vec<String>,
    /// Who uses what.
    pub uses: Vec<(String, String)>,
}

/// The run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Told {
    /// pytest's root folder.
    pub root: String,
    /// Its exit code.
    pub code: i32,
    /// The tests that were to run; none where it did not come to that.
    pub selected: Option<BTreeSet<String>>,
    /// Those that ran to their end, and whether they failed.
    pub finished: Vec<(String, bool)>,
    /// What could not be collected.
    pub broken: BTreeSet<String>,
    /// Where it is another collection than the one that is known.
    pub learned: Option<Learned>,
    /// Who used what while tests ran.
    pub more: Vec<(String, String)>,
    /// Files that were written.
    pub wrote: BTreeSet<String>,
}

impl Told {
    /// Whether all that was to run did.
    pub(crate) fn is_complete(&self) -> bool {
        let Some(selected) = &self.selected else { return false };
        let finished: BTreeSet<&str> = self.finished.iter().map(|(id, _)| id.as_str()).collect();
        self.code != 3 && self.broken.is_empty() && selected.iter().all(|id| finished.contains(id.as_str()))
    }
}
