//! Which file uses which: what modules imported and read, as runs told it.

use std::collections::{BTreeMap, BTreeSet};

use crate::EVERYTHING;
use crate::told::Learned;

/// What is known of the project's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The collection that `learned` is of.
    token: String,
    /// Files with tests.
    pub(crate) tests: BTreeSet<String>,
    /// By file, who uses it: as the last collection showed it, and what was seen while tests ran, in any run.
    collected: BTreeMap<String, BTreeSet<String>>,
    seen: BTreeMap<String, BTreeSet<String>>,
    /// Files that tests write.
    wrote: BTreeSet<String>,
}

impl Graph {
    /// The collection that it knows; empty where it knows none.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Files with tests.
    pub fn tests(&self) -> &BTreeSet<String> {
        &self.tests
    }

    pub(crate) fn is_known(&self) -> bool {
        !self.token.is_empty()
    }

    pub(crate) fn learn(&mut self, learned: Learned) {
        if learned.whole {
            self.token = learned.token;
            self.tests.clear();
            self.collected.clear();
        }
        self.tests.extend(learned.tests);
        add(&mut self.collected, learned.uses);
    }

    pub(crate) fn see(&mut self, uses: Vec<(String, String)>, wrote: impl IntoIterator<Item = String>) {
        add(&mut self.seen, uses);
        self.wrote.extend(wrote);
    }

    /// Whether runs write it, so that its change in a run tells nothing.
    pub(crate) fn is_written(&self, file: &str) -> bool {
        self.wrote.contains(file)
    }

    /// The files that a changed path stands for: itself, or what is known in a folder of that name.
    pub(crate) fn known_as(&self, path: &str) -> BTreeSet<String> {
        let inside = |file: &&String| {
            file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let known = self.tests.iter().chain(self.collected.keys()).chain(self.seen.keys());
        known.filter(inside).cloned().collect()
    }

    /// Whether a file that nobody used so far may have tests: Python code, or what looks like another file with tests.
    pub(crate) fn may_have_tests(&self, path: &str) -> bool {
        let suffix = |name: &str| name.rsplit_once('.').map(|(_, suffix)| suffix.to_owned());
        let own = suffix(path);
        own.as_deref() == Some("py") || (own.is_some() && self.tests.iter().any(|test| suffix(test) == own))
    }

    /// The files with tests that use one of these, directly or not, without these themselves.
    pub fn dependents(&self, files: &BTreeSet<String>) -> BTreeSet<String> {
        let mut reached: BTreeSet<&str> = files.iter().map(String::as_str).collect();
        let mut ahead: Vec<&str> = reached.iter().copied().collect();
        while let Some(file) = ahead.pop() {
            let users = [&self.collected, &self.seen].into_iter().filter_map(|uses| uses.get(file)).flatten();
            for user in users {
                if user == EVERYTHING {
                    return self.tests.difference(files).cloned().collect();
                }
                if reached.insert(user) {
                    ahead.push(user);
                }
            }
        }
        let is_other_test = |file: &&str| self.tests.contains(*file) && !files.contains(*file);
        reached.into_iter().filter(is_other_test).map(str::to_owned).collect()
    }
}

fn add(uses: &mut BTreeMap<String, BTreeSet<String>>, pairs: Vec<(String, String)>) {
    for (user, used) in pairs {
        uses.entry(used).or_default().insert(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(uses: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        graph.learn(Learned {
            token: "1".to_owned(),
            whole: true,
            tests: ["a/test_a.py", "test_b.py"].map(str::to_owned).to_vec(),
            uses: uses.iter().map(|(user, used)| ((*user).to_owned(), (*used).to_owned())).collect(),
        });
        graph
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn users_of_users_are_reached_in_circles_too() {
        let graph =
            graph(&[("a/test_a.py", "x.py"), ("x.py", "y.py"), ("y.py", "x.py"), ("y.py", "data.json")]);
        assert_eq!(graph.dependents(&set(&["data.json"])), set(&["a/test_a.py"]));
        assert_eq!(graph.dependents(&set(&["test_b.py"])), set(&[]));
    }

    #[test]
    fn what_everything_uses_reaches_all_tests() {
        let graph = graph(&[("*", "pytest.ini")]);
        assert_eq!(graph.dependents(&set(&["pytest.ini", "test_b.py"])), set(&["a/test_a.py"]));
    }

    #[test]
    fn what_was_seen_outlives_a_collection() {
        let mut graph = graph(&[]);
        graph.see(vec![("test_b.py".to_owned(), "late.py".to_owned())], []);
        graph.learn(Learned {
            token: "2".to_owned(),
            whole: true,
            tests: vec!["test_b.py".to_owned()],
            uses: vec![],
        });
        assert_eq!(graph.dependents(&set(&["late.py"])), set(&["test_b.py"]));
    }

    #[test]
    fn a_collection_of_some_files_takes_nothing_away() {
        let mut graph = graph(&[("a/test_a.py", "x.py")]);
        let uses = vec![("test_c.py".to_owned(), "x.py".to_owned())];
        let (token, tests) = ("2".to_owned(), vec!["test_c.py".to_owned()]);
        graph.learn(Learned { token, whole: false, tests, uses });
        assert_eq!(
            (graph.token(), graph.dependents(&set(&["x.py"]))),
            ("1", set(&["a/test_a.py", "test_c.py"]))
        );
    }

    #[test]
    fn a_folder_stands_for_what_is_in_it() {
        let graph = graph(&[("a/test_a.py", "ab.py")]);
        assert_eq!(graph.known_as("a"), set(&["a/test_a.py"]));
        assert_eq!(graph.known_as("ab.py"), set(&["ab.py"]));
    }
}
