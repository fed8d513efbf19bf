//! What was seen of tests by their number, as theirs: with their ids, and the lines that most likely did it.

use std::fs;
use std::path::Path;

use outpace_doctor::{By, Kind, Names, Thing, Touch, Witnessed, shared};
use serde_json::Value;

use super::witness::Testimony;

/// Shorter names are found everywhere.
const SHORTEST: usize = 3;

/// One test, as its process wrote it down.
struct Ran {
    id: String,
    place: String,
    commands: Vec<(String, String)>,
    has_started: bool,
}

/// Where a run took place.
pub(super) struct Places<'a> {
    pub(super) root: &'a Path,
    /// Where nobody else has anything to do.
    pub(super) near: &'a [std::path::PathBuf],
    pub(super) names: &'a Names,
}

/// `recorded`: what the process that ran the tests wrote, a line for each in order.
pub(super) fn attributed(testimony: &Testimony, recorded: &str, places: &Places<'_>) -> Vec<Witnessed> {
    let lines: Vec<Value> = recorded.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let private: Vec<&str> =
        lines.iter().filter_map(|line| line["temporary"].as_str()).filter(|path| !path.is_empty()).collect();
    let ran: Vec<Ran> = lines.iter().filter_map(ran).collect();
    let mut found = Vec::new();
    for (number, deeds) in &testimony.tests {
        let Some(test) = ran.get(*number) else { continue };
        for (thing, mode) in deeds {
            if private.iter().any(|folder| thing.name.starts_with(folder)) {
                continue;
            }
            // Ports are those of processes below us.
            let is_near = thing.kind == Kind::Port
                || places.near.iter().any(|folder| Path::new(&thing.name).starts_with(folder));
            let lasting = testimony.lasting.contains(&(*number, thing.name.clone()));
            let thing = Thing { kind: thing.kind, name: places.names.usual(&thing.name) };
            let touch =
                Touch { thing, mode: *mode, place: String::new(), private: false, lasting, by: By::Unseen };
            found.push((*number, Witnessed { id: test.id.clone(), touch, is_near }));
        }
    }
    let numbers: std::collections::BTreeMap<String, usize> =
        found.iter().map(|(number, each)| (each.id.clone(), *number)).collect();
    let mut kept = shared(found.into_iter().map(|(_, each)| each).collect());
    for each in &mut kept {
        if let Some(test) = numbers.get(&each.id).and_then(|number| ran.get(*number)) {
            (each.touch.place, each.touch.by) = test.whence(&each.touch.thing, places.root);
        }
    }
    kept
}

fn ran(line: &Value) -> Option<Ran> {
    let id = line["id"].as_str().filter(|id| !id.is_empty())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    Some(Ran {
        id: id.to_owned(),
        place: text(&line["place"]),
        commands: list(&line["commands"])
            .iter()
            .map(|each| (text(&each["place"]), text(&each["command"])))
            .collect(),
        has_started: list(&line["touches"]).iter().any(|touch| touch["kind"] == "process"),
    })
}

impl Ran {
    /// The line that starts what names the thing; else one that names it; else the first that starts something.
    fn whence(&self, thing: &Thing, root: &Path) -> (String, By) {
        let word = thing.name.rsplit('/').next().unwrap_or(&thing.name);
        let by = if self.has_started { By::Subprocess } else { By::Unseen };
        let is_telling = word.len() >= SHORTEST;
        if let Some((place, _)) =
            self.commands.iter().find(|(_, command)| is_telling && command.contains(word))
        {
            return (place.clone(), By::Subprocess);
        }
        if let Some(place) = is_telling.then(|| self.mentions(word, root)).flatten() {
            return (place, by);
        }
        (self.commands.first().map_or_else(|| self.place.clone(), |(place, _)| place.clone()), by)
    }

    /// A line of the test's file with the word, from its definition on.
    fn mentions(&self, word: &str, root: &Path) -> Option<String> {
        let (file, line) = self.place.rsplit_once(':')?;
        let start: usize = line.parse().ok()?;
        let text = fs::read_to_string(root.join(file)).ok()?;
        let has = |(_, line): &(usize, &str)| line.contains(word);
        let lines = || text.lines().enumerate();
        let found = lines().skip(start.saturating_sub(1)).find(has).or_else(|| lines().find(has))?;
        Some(format!("{file}:{}", found.0 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran_with(commands: &[(&str, &str)], has_started: bool) -> Ran {
        let commands =
            commands.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned())).collect();
        Ran { id: "t".to_owned(), place: "none.py:1".to_owned(), commands, has_started }
    }

    #[test]
    fn the_command_that_names_the_thing_is_the_place() {
        let thing = Thing { kind: Kind::File, name: "/tmp/answer".to_owned() };
        let test = ran_with(&[("a.py:1", "true"), ("a.py:2", "sh -c echo > $TMPDIR/answer")], true);
        assert_eq!(test.whence(&thing, Path::new("/")), ("a.py:2".to_owned(), By::Subprocess));
        let test = ran_with(&[("a.py:1", "true")], true);
        assert_eq!(test.whence(&thing, Path::new("/")), ("a.py:1".to_owned(), By::Subprocess));
        let test = ran_with(&[], false);
        assert_eq!(test.whence(&thing, Path::new("/")), ("none.py:1".to_owned(), By::Unseen));
    }
}
