//! Which tests a run is to have.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::file_of;
use crate::graph::Graph;

/// Tests in the order in which they are to begin; each is in the first of these that names it, all others are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Tests that failed, and files that could not be collected.
    pub failed: BTreeSet<String>,
    /// Files that changed; those without tests select nothing.
    pub changed: BTreeSet<String>,
    /// Files of tests that use one of these.
    pub dependent: BTreeSet<String>,
    /// All others too.
    pub rest: bool,
}

impl Selection {
    /// Everything that the arguments name.
    pub fn all() -> Self {
        Self { rest: true, ..Self::default() }
    }

    /// Whether no test can be in it.
    pub fn is_empty(&self) -> bool {
        !self.rest && self.failed.is_empty() && self.changed.is_empty() && self.dependent.is_empty()
    }

    /// Whether tests of this file are in it.
    pub(crate) fn names(&self, file: &str) -> bool {
        self.rest || [&self.failed, &self.changed, &self.dependent].iter().any(|names| names.contains(file))
    }

    /// Whether one of these files has a test in it.
    pub(crate) fn touches(&self, files: &BTreeSet<String>, graph: &Graph) -> bool {
        files.iter().any(|file| {
            self.changed.contains(file)
                || self.dependent.contains(file)
                || (self.rest && graph.tests.contains(file))
                || self.failed.iter().any(|id| file_of(id) == file)
        })
    }
}
