//! Where engines disagree with plain pytest, and where plain pytest disagrees with itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::numbers::{Engine, Reading, Runs};

/// A phase of a test that ended in another way than under plain pytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Under which engine.
    pub engine: Engine,
    /// The test's id, or a file's.
    pub node: String,
    /// `setup`, `call`, `teardown`, or `collect`.
    pub phase: String,
    /// How it ended under plain pytest; none where it was not reported.
    pub before: Option<String>,
    /// How it ended here; none where it was not reported.
    pub after: Option<String>,
    /// In how many of the engine's runs it ended otherwise than under plain pytest.
    pub runs: usize,
}

/// What is to be said of the outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// By engine, then by test.
    pub differences: Vec<Difference>,
    /// Tests that ended differently in two runs of plain pytest: they say nothing about any engine.
    pub flaky: Vec<String>,
    /// Runs whose exit code is not that of plain pytest, whose report is missing, or that left processes: a sentence
    /// each, with the engine.
    pub ends: Vec<(Engine, String)>,
}

impl Comparison {
    /// Whether nothing that outpace did differs from plain pytest.
    pub fn is_ours_same(&self) -> bool {
        self.is_same(Engine::Outpace) && self.is_same(Engine::Again)
    }

    /// Whether nothing that an engine did differs from plain pytest.
    pub fn is_same(&self, engine: Engine) -> bool {
        self.differences.iter().all(|difference| difference.engine != engine)
            && self.ends.iter().all(|(other, _)| *other != engine)
    }
}

type Outcomes = BTreeMap<(String, String), String>;

fn outcomes(runs: &Runs) -> Vec<Outcomes> {
    runs.readings.iter().filter_map(|reading| Some(reading.record.as_ref()?.outcomes())).collect()
}

/// Compares all engines with the first, which is plain pytest.
pub fn compare(all: &[Runs]) -> Comparison {
    let Some((plain, others)) = all.split_first() else { return Comparison::default() };
    let serial = outcomes(plain);
    let Some(baseline) = serial.first() else {
        return Comparison { ends: ends(plain, None, false), ..Comparison::default() };
    };
    let flaky: BTreeSet<String> =
        serial.iter().flat_map(|other| differing(baseline, other)).map(|(node, _)| node).collect();
    let mut found = Comparison { flaky: flaky.iter().cloned().collect(), ..Comparison::default() };
    found.ends.extend(ends(plain, None, false));
    let expected = plain.readings.first().and_then(|reading| reading.exit);
    for runs in others {
        let mut seen: BTreeMap<(String, String), (Option<String>, usize)> = BTreeMap::new();
        for other in outcomes(runs) {
            for key in differing(baseline, &other).into_iter().filter(|(node, _)| !flaky.contains(node)) {
                let after = other.get(&key).cloned();
                seen.entry(key).or_insert((after, 0)).1 += 1;
            }
        }
        let is_explained = !seen.is_empty() || !flaky.is_empty();
        found.ends.extend(ends(runs, expected, is_explained));
        found.differences.extend(seen.into_iter().map(|((node, phase), (after, count))| {
            let before = baseline.get(&(node.clone(), phase.clone())).cloned();
            Difference { engine: runs.engine, node, phase, before, after, runs: count }
        }));
    }
    found
}

fn differing(one: &Outcomes, other: &Outcomes) -> Vec<(String, String)> {
    let keys: BTreeSet<&(String, String)> = one.keys().chain(other.keys()).collect();
    keys.into_iter().filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

/// What is odd about how runs ended. Another exit code is no news where outcomes differ.
fn ends(runs: &Runs, expected: Option<i32>, is_explained: bool) -> Vec<(Engine, String)> {
    let say = |reading: &Reading| {
        let code = reading.exit.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
        if reading.record.is_none() {
            return Some(format!("ended with {code} before it could report"));
        }
        if reading.left > 0 {
            let processes = if reading.left == 1 { "process" } else { "processes" };
            return Some(format!("left {} {processes} running", reading.left));
        }
        match expected {
            Some(expected) if reading.exit != Some(expected) && !is_explained => {
                Some(format!("{code} where plain pytest has {expected}"))
            }
            _ => None,
        }
    };
    let mut said: Vec<(Engine, String)> = Vec::new();
    for text in runs.readings.iter().filter_map(say) {
        if said.iter().all(|(_, other)| *other != text) {
            said.push((runs.engine, text));
        }
    }
    said
}
