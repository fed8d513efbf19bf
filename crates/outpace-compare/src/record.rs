//! What one run reported, as `outpace.outcomes` writes it down.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Record {
    /// Whose session it was: `pytest`, `xdist` or `outpace`.
    pub engine: String,
    /// Names of the workers, and their process ids; 0 for one that did not end in peace.
    pub workers: BTreeMap<String, u64>,
    /// Test, phase, outcome, in the order reported.
    reports: Vec<(String, String, String)>,
    /// What could not be collected, or was skipped as a whole: node id, outcome.
    collect: Vec<(String, String)>,
}

/// How many tests ended how. A test with an error in its teardown counts as an error only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As pytest counts them, `xpassed` included.
    pub passed: usize,
    /// Failed in the test itself.
    pub failed: usize,
    /// Failed before or after, or could not be collected.
    pub errors: usize,
    /// Skipped, `xfailed` included.
    pub skipped: usize,
}

impl Record {
    /// Reads the recorder's file.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// How each phase of each test ended: `passed`, or several words where a phase was reported several times.
    /// A test that a plugin runs again is set up and torn down again, which says nothing new.
    ///
    /// What a file's collection ended as is a phase `collect` of that file.
    pub(crate) fn outcomes(&self) -> BTreeMap<(String, String), String> {
        let mut found: BTreeMap<(String, String), String> = BTreeMap::new();
        let collected =
            self.collect.iter().map(|(node, outcome)| (node.clone(), "collect".to_owned(), outcome));
        let reported =
            self.reports.iter().map(|(node, phase, outcome)| (own_id(node), phase.clone(), outcome));
        for (node, phase, outcome) in collected.chain(reported) {
            let is_test = phase == "call";
            let words = found.entry((node, phase)).or_default();
            if words.is_empty() {
                words.push_str(outcome);
            } else if is_test || !words.split(' ').any(|word| word == outcome) {
                words.push(' ');
                words.push_str(outcome);
            }
        }
        found
    }

    /// How many tests there were.
    pub fn tests(&self) -> usize {
        self.verdicts().len()
    }

    /// How they ended.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdict in self.verdicts().values() {
            match verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Skipped => counts.skipped += 1,
                Verdict::Failed => counts.failed += 1,
                Verdict::Error => counts.errors += 1,
            }
        }
        counts.errors += self.collect.iter().filter(|(_, outcome)| outcome == "failed").count();
        counts
    }

    fn verdicts(&self) -> BTreeMap<String, Verdict> {
        let mut found: BTreeMap<String, Verdict> = BTreeMap::new();
        for (node, phase, outcome) in &self.reports {
            let verdict = match (outcome.as_str(), phase.as_str()) {
                ("failed", "call") => Verdict::Failed,
                ("failed", _) => Verdict::Error,
                ("skipped" | "xfailed", _) => Verdict::Skipped,
                _ => Verdict::Passed,
            };
            let worst = found.entry(own_id(node)).or_insert(Verdict::Passed);
            *worst = (*worst).max(verdict);
        }
        found
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Passed,
    Skipped,
    Failed,
    Error,
}

/// The test's own id: `--dist loadgroup` writes `@group` behind it.
fn own_id(node: &str) -> String {
    match node.rsplit_once('@') {
        Some((id, group)) if !group.contains([']', ':', '/']) => id.to_owned(),
        _ => node.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_and_counted() {
        let record = Record::parse(
            r#"{"engine": "outpace", "workers": {"gw0": 7}, "collect": [["test_c.py", "failed"]], "reports": [
                ["t.py::a", "setup", "passed"], ["t.py::a", "call", "passed"], ["t.py::a", "teardown", "passed"],
                ["t.py::b@db", "setup", "passed"], ["t.py::b@db", "call", "failed"],
                ["t.py::c[x@y]", "setup", "failed"], ["t.py::d", "setup", "skipped"], ["t.py::e", "call", "xfailed"],
                ["t.py::f", "setup", "passed"], ["t.py::f", "setup", "passed"],
                ["t.py::f", "call", "passed"], ["t.py::f", "call", "failed"], ["t.py::f", "call", "failed"]]}"#,
        )
        .unwrap();
        assert_eq!(record.counts(), Counts { passed: 1, failed: 2, errors: 2, skipped: 2 });
        assert_eq!(record.tests(), 6);
        let outcomes = record.outcomes();
        let outcome =
            |node: &str, phase: &str| outcomes.get(&(node.to_owned(), phase.to_owned())).map(String::as_str);
        assert_eq!(outcome("t.py::f", "call"), Some("passed failed failed"));
        assert_eq!(outcome("t.py::f", "setup"), Some("passed"));
        assert_eq!(outcome("t.py::b", "call"), Some("failed"));
        assert_eq!(outcome("t.py::c[x@y]", "setup"), Some("failed"));
        assert_eq!(outcome("test_c.py", "collect"), Some("failed"));
    }
}
