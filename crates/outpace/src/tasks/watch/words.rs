//! What is said between runs.

use std::collections::BTreeSet;

use outpace_watch::{Said, Selection, Why};

pub(super) const HELP: &str =
    "outpace watch: a all, f failed, o one file, l last again, d debugger at the failure, q quit";
/// More names than that are counted.
const MOST: usize = 10;

/// What a run is going to be; `tests` are the files that are known to have some.
pub(super) fn of_run(selection: &Selection, debug: bool, why: &Why, tests: &BTreeSet<String>) -> String {
    let mut parts = Vec::new();
    if !selection.failed.is_empty() {
        parts.push(format!("{} failed", selection.failed.len()));
    }
    let changed: BTreeSet<String> = selection.changed.intersection(tests).cloned().collect();
    let is_named = matches!(why, Why::Saved(files) if *files == changed);
    if is_named {
        parts.push(if changed.len() == 1 { "its tests" } else { "their tests" }.to_owned());
    } else if !changed.is_empty() {
        parts.push(format!("tests of {}", names(&changed)));
    }
    if !selection.dependent.is_empty() {
        let files = selection.dependent.len();
        let verb = if files == 1 { "uses" } else { "use" };
        parts.push(format!("{files} {} that {verb} it", plural(files, "file")));
    }
    if selection.rest {
        parts.push(if parts.is_empty() { "all tests" } else { "all others" }.to_owned());
    }
    if parts.is_empty() {
        parts.push("its tests, if it has any".to_owned());
    }
    let because = match why {
        Why::Saved(files) => format!("{} changed: ", names(files)),
        Why::Start | Why::Asked => String::new(),
    };
    let how = if debug { " (in a debugger)" } else { "" };
    format!("outpace watch: {because}{}{how}", parts.join(", then "))
}

/// `None` where it need not be said.
pub(super) fn of(said: &Said, has_keys: bool, has_colours: bool) -> Option<String> {
    let text = match said {
        Said::Turned { fixed, broken, red } => {
            let mut lines: Vec<String> = list(fixed, &painted("red -> green", "32", has_colours));
            lines.extend(list(broken, &painted("green -> red", "31", has_colours)));
            if *red > 0 {
                lines.push(format!("outpace watch: {red} red"));
            }
            return (!lines.is_empty()).then(|| lines.join("\n"));
        }
        Said::Unused(files) => format!("no test uses {}", names(files)),
        Said::Pointless(files) => format!("stopping, {} changed", names(files)),
        Said::Incomplete => "not all of it ran; it runs with the next change".to_owned(),
        Said::NothingFailed => "nothing is red".to_owned(),
        Said::NothingRan => "nothing has run yet".to_owned(),
        Said::NoSuchFile(part) => format!("no file with tests is called {part}"),
        Said::Waiting if has_keys => {
            "waiting for changes (a all, f failed, o one file, l last, d debug, q quit)".to_owned()
        }
        Said::Waiting => "waiting for changes".to_owned(),
    };
    Some(format!("outpace watch: {text}"))
}

fn painted(text: &str, colour: &str, has_colours: bool) -> String {
    if has_colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

fn list(ids: &BTreeSet<String>, turned: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        ids.iter().take(MOST).map(|id| format!("outpace watch: {turned}: {id}")).collect();
    if ids.len() > MOST {
        lines.push(format!("outpace watch: {turned}: {} more", ids.len() - MOST));
    }
    lines
}

fn names(files: &BTreeSet<String>) -> String {
    match files.len() {
        1..=3 => files.iter().cloned().collect::<Vec<_>>().join(", "),
        count => format!("{count} {}", plural(count, "file")),
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_run_is_named_by_what_it_is_for() {
        let tests = set(&["test_a.py", "test_b.py", "test_c.py"]);
        let of = |selection: &Selection, why: &Why| of_run(selection, false, why, &tests);
        assert_eq!(of(&Selection::all(), &Why::Start), "outpace watch: all tests");
        let mut selection = Selection { changed: set(&["app.py"]), ..Selection::default() };
        let why = Why::Saved(set(&["app.py"]));
        assert_eq!(of(&selection, &why), "outpace watch: app.py changed: its tests, if it has any");
        selection.failed = set(&["test_a.py::test_a"]);
        selection.dependent = set(&["test_a.py", "test_b.py"]);
        assert_eq!(of(&selection, &why), "outpace watch: app.py changed: 1 failed, then 2 files that use it");
        selection.changed = set(&["test_c.py"]);
        selection.rest = true;
        let why = Why::Saved(set(&["test_c.py"]));
        assert_eq!(
            of(&selection, &why),
            "outpace watch: test_c.py changed: 1 failed, then its tests, then 2 files that use it, then all others"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let many: BTreeSet<String> = (10..25).map(|number| format!("test_a.py::test_{number}")).collect();
        let said = Said::Turned { fixed: many, broken: BTreeSet::new(), red: 0 };
        let text = of(&said, true, false).expect("something to say");
        assert_eq!(text.lines().count(), MOST + 1);
        assert!(text.ends_with("red -> green: 5 more"));
    }
}
