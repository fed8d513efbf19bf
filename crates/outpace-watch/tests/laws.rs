//! Laws of the state machine, over random saves, keys and runs.

use std::collections::{BTreeMap, BTreeSet};

use outpace_watch::{Action, Key, Learned, Selection, Told, Watch, Why};
use proptest::prelude::*;

const FILES: [&str; 6] = ["test_a.py", "test_b.py", "test_c.py", "x.py", "y.py", "notes.md"];

/// A project: which of the tests in `test_?.py` fail, and who uses what. `left_out` is what `-k` leaves out.
#[derive(Clone, Debug)]
struct Project {
    red: BTreeSet<String>,
    left_out: BTreeSet<String>,
    uses: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum Step {
    Save(usize, bool),
    LoseTrack,
    Press(usize),
    /// The run ends: by itself, too early, or without a word; the flags say which tests fail from now on.
    End(usize, [bool; 6]),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..FILES.len(), any::<bool>()).prop_map(|(file, two)| Step::Save(file, two)),
        1 => Just(Step::LoseTrack),
        2 => (0..6usize).prop_map(Step::Press),
        5 => (0..6usize, any::<[bool; 6]>()).prop_map(|(how, red)| Step::End(how, red)),
    ]
}

fn project() -> impl Strategy<Value = Project> {
    let pairs = proptest::collection::vec((0..5usize, 0..5usize), 0..6);
    (pairs, proptest::collection::btree_set(0..6usize, 0..3)).prop_map(|(pairs, left_out)| Project {
        red: BTreeSet::new(),
        left_out: left_out.into_iter().map(test).collect(),
        uses: pairs
            .into_iter()
            .map(|(user, used)| (FILES[user].to_owned(), FILES[used].to_owned()))
            .collect(),
    })
}

/// Two tests in each of the three files.
fn test(number: usize) -> String {
    format!("{}::test_{}", FILES[number / 2], number % 2)
}

fn file(id: &str) -> &str {
    id.split_once("::").map_or(id, |(file, _)| file)
}

impl Project {
    /// What a run of this selection has, in the order in which it begins.
    fn run_of(&self, selection: &Selection) -> Vec<String> {
        let rank = |id: &String| {
            let named = [
                selection.failed.contains(id) || selection.failed.contains(file(id)),
                selection.changed.contains(file(id)),
                selection.dependent.contains(file(id)),
                selection.rest,
            ];
            named.iter().position(|is_named| *is_named)
        };
        let tests = (0..6).map(test).filter(|id| !self.left_out.contains(id));
        let mut ranked: Vec<(usize, String)> = tests.filter_map(|id| Some((rank(&id)?, id))).collect();
        ranked.sort();
        ranked.into_iter().map(|(_, id)| id).collect()
    }

    fn learned(&self) -> Learned {
        Learned {
            token: "1".to_owned(),
            whole: true,
            tests: FILES[..3].iter().map(|file| (*file).to_owned()).collect(),
            uses: self.uses.clone(),
        }
    }

    /// The files whose tests a change of `changed` may turn.
    fn affected(&self, changed: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::from([changed.to_owned()]);
        loop {
            let more =
                self.uses.iter().filter(|(_, used)| reached.contains(used)).map(|(user, _)| user.clone());
            let before = reached.len();
            reached = reached.iter().cloned().chain(more).collect();
            if reached.len() == before {
                return reached.into_iter().filter(|file| file.starts_with("test_")).collect();
            }
        }
    }
}

/// What somebody beside it sees.
struct Witness {
    watch: Watch,
    project: Project,
    running: Option<Selection>,
    is_in_debugger: bool,
    is_cancelled: bool,
    has_quit: bool,
    /// Tests that a change may have turned, and that have not run to their end since; by test, whether they may wait for
    /// the next change because a run did not come to its end by itself.
    stale: BTreeMap<String, bool>,
    reported_red: BTreeSet<String>,
    ever_red: BTreeSet<String>,
}

impl Witness {
    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            assert!(!self.has_quit, "{action:?} after the end");
            match action {
                Action::Run { selection, why, debug } => {
                    self.is_in_debugger = debug;
                    assert!(self.running.is_none(), "two runs at once");
                    self.check(&selection, &why);
                    (self.running, self.is_cancelled) = (Some(selection), false);
                }
                Action::Cancel => {
                    assert!(self.running.is_some() && !self.is_cancelled);
                    self.is_cancelled = true;
                }
                Action::Quit => self.has_quit = true,
                Action::Say(_) => {}
            }
        }
        if self.running.is_none() && !self.has_quit {
            let forgotten: Vec<&String> =
                self.stale.iter().filter(|(_, may_wait)| !**may_wait).map(|(id, _)| id).collect();
            assert!(forgotten.is_empty(), "nothing runs, and nobody minds {forgotten:?}");
        }
    }

    fn check(&self, selection: &Selection, why: &Why) {
        let tests = self.project.run_of(selection);
        assert!(tests.iter().all(|id| !self.project.left_out.contains(id)));
        assert!(selection.failed.is_subset(&self.ever_red), "only what has failed");
        if matches!(why, Why::Asked) {
            return;
        }
        assert_eq!(selection.failed, self.reported_red, "all that has failed");
        let first: BTreeSet<&String> = tests.iter().take(self.reported_red.len()).collect();
        assert_eq!(first, self.reported_red.iter().collect(), "failed first");
        for id in self.stale.keys() {
            assert!(tests.contains(id), "{id} is not in the run that changes ask for");
        }
    }

    fn save(&mut self, paths: &[&str]) {
        for path in paths {
            for id in (0..6).map(test).filter(|id| !self.project.left_out.contains(id)) {
                if self.project.affected(path).contains(file(&id)) {
                    self.stale.insert(id, false);
                }
            }
        }
        let actions = self.watch.changed(paths.iter().map(|path| (*path).to_owned()).collect());
        if !actions.is_empty() && self.running.is_some() {
            assert!(actions.contains(&Action::Cancel) && !self.is_in_debugger);
        }
        self.take(actions);
    }

    fn end(&mut self, how: usize, red: [bool; 6], saved_meanwhile: &BTreeSet<String>) {
        let Some(selection) = self.running.take() else { return };
        self.project.red = (0..6).filter(|number| red[*number]).map(test).collect();
        let tests = self.project.run_of(&selection);
        let ran = match how {
            0 => None,
            1 => Some(tests.len() / 2),
            _ => Some(tests.len()),
        };
        for id in self.stale.iter_mut().filter(|(id, _)| tests.contains(id) && !saved_meanwhile.contains(*id))
        {
            *id.1 |= !self.is_cancelled;
        }
        let told = ran.map(|count| {
            let finished: Vec<(String, bool)> =
                tests[..count].iter().map(|id| (id.clone(), self.project.red.contains(id))).collect();
            for (id, is_red) in &finished {
                if *is_red {
                    self.reported_red.insert(id.clone());
                    self.ever_red.insert(id.clone());
                } else {
                    self.reported_red.remove(id);
                }
            }
            let is_whole = count == tests.len();
            if is_whole && !self.is_cancelled {
                self.stale.retain(|id, _| !tests.contains(id) || saved_meanwhile.contains(id));
            }
            let code =
                if self.is_cancelled || !is_whole { 2 } else { i32::from(!self.reported_red.is_empty()) };
            Told {
                code,
                selected: Some(tests.iter().cloned().collect()),
                finished,
                learned: Some(self.project.learned()),
                ..Told::default()
            }
        });
        let actions = self.watch.ended(told);
        self.take(actions);
    }

    fn press(&mut self, number: usize) {
        let keys = [
            Key::All,
            Key::Failed,
            Key::File("_b".to_owned()),
            Key::Last,
            Key::Debug,
            Key::File("?".to_owned()),
        ];
        let actions = self.watch.pressed(keys[number].clone());
        self.take(actions);
    }
}

fn begin(project: Project, always_all: bool) -> Witness {
    let mut witness = Witness {
        watch: Watch::new(always_all),
        project,
        running: None,
        is_in_debugger: false,
        is_cancelled: false,
        has_quit: false,
        stale: BTreeMap::new(),
        reported_red: BTreeSet::new(),
        ever_red: BTreeSet::new(),
    };
    let actions = witness.watch.start();
    witness.take(actions);
    assert_eq!(witness.running, Some(Selection::all()));
    witness
}

proptest! {
    #[test]
    fn no_change_is_lost_and_failed_tests_come_first(
        project in project(), always_all in any::<bool>(), steps in proptest::collection::vec(step(), 1..40)
    ) {
        let mut witness = begin(project, always_all);
        // The first run shows who uses what.
        witness.end(2, [false, true, false, false, true, false], &BTreeSet::new());
        let mut saved: BTreeSet<String> = BTreeSet::new();
        for step in steps {
            let was_running = witness.running.is_some();
            match step {
                Step::Save(number, two) => {
                    let paths: Vec<&str> =
                        if two { vec![FILES[number], FILES[(number + 1) % 6]] } else { vec![FILES[number]] };
                    let affected = paths.iter().flat_map(|path| witness.project.affected(path));
                    let affected: BTreeSet<String> = affected.collect();
                    if was_running {
                        saved.extend((0..6).map(test).filter(|id| affected.contains(file(id))));
                    }
                    witness.save(&paths);
                }
                Step::LoseTrack => { let actions = witness.watch.lost_track(); witness.take(actions); }
                Step::Press(number) => witness.press(number),
                Step::End(how, red) => {
                    let meanwhile = std::mem::take(&mut saved);
                    witness.end(how, red, &meanwhile);
                }
            }
        }
        // Left alone, it comes to rest, and has seen everything.
        for _ in 0..4 {
            let meanwhile = std::mem::take(&mut saved);
            witness.end(2, [false; 6], &meanwhile);
        }
        prop_assert!(witness.running.is_none());
        // And once all has run, nothing of what was is run again.
        let actions = witness.watch.lost_track();
        witness.take(actions);
        witness.end(2, [false; 6], &BTreeSet::new());
        witness.save(&["test_c.py"]);
        let changed = witness.running.map(|selection| selection.changed);
        prop_assert_eq!(changed, Some(BTreeSet::from(["test_c.py".to_owned()])));
    }

    #[test]
    fn after_quit_nothing_begins(project in project(), steps in proptest::collection::vec(step(), 0..10)) {
        let mut witness = begin(project, false);
        let actions = witness.watch.pressed(Key::Quit);
        witness.take(actions);
        prop_assert!(witness.is_cancelled && !witness.has_quit);
        for step in steps {
            match step {
                Step::Save(number, _) => {
                    let _ = witness.watch.changed(BTreeSet::from([FILES[number].to_owned()]));
                }
                Step::Press(number) => witness.press(number),
                _ => {}
            }
        }
        witness.stale.clear();
        witness.end(0, [false; 6], &BTreeSet::new());
        prop_assert!(witness.has_quit && witness.running.is_none());
    }
}
