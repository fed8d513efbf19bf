//! The state machine.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::selection::Selection;
use crate::told::Told;
use crate::{file_of, is_file};

/// What somebody at the terminal wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// All tests.
    All,
    /// Those that failed.
    Failed,
    /// Those of files whose names contain this.
    File(String),
    /// What ran last.
    Last,
    /// A debugger where the failed tests fail.
    Debug,
    /// The end.
    Quit,
}

/// Why a run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing has run yet, or not to its end.
    Start,
    /// These files changed.
    Saved(BTreeSet<String>),
    /// Somebody asked for it.
    Asked,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start this run; [`Watch::ended`] is to be called when it is over.
    Run {
        /// Its tests.
        selection: Selection,
        /// With a debugger at failures, in the terminal.
        debug: bool,
        /// What for.
        why: Why,
    },
    /// End the run that is going on, its teardowns included.
    Cancel,
    /// There is something to say.
    Say(Said),
    /// It is over.
    Quit,
}

/// What there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// What a run changed: from red to green, and from green to red.
    Turned {
        /// Tests and files.
        fixed: BTreeSet<String>,
        /// Tests and files.
        broken: BTreeSet<String>,
        /// How many are red.
        red: usize,
    },
    /// No test uses these files.
    Unused(BTreeSet<String>),
    /// The run is ended since these were saved.
    Pointless(BTreeSet<String>),
    /// A run did not come to its end; what it was for is run with the next change.
    Incomplete,
    /// Nothing has failed.
    NothingFailed,
    /// Nothing has run.
    NothingRan,
    /// No file with tests has such a name.
    NoSuchFile(String),
    /// Nothing is to be done until something happens.
    Waiting,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owed {
    #[default]
    No,
    /// With the next change.
    Later,
    Now,
}

#[derive(Clone, Debug)]
struct Running {
    selection: Selection,
    /// The changes that it covers.
    changes: BTreeSet<String>,
    rest: bool,
    /// Somebody is in a debugger: nothing but a key ends that.
    debug: bool,
    is_cancelled: bool,
    red_before: BTreeSet<String>,
}

/// All that is remembered between runs.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    always_all: bool,
    graph: Graph,
    red: BTreeSet<String>,
    /// Changes that no run has been started for, and those whose run was not complete.
    due: BTreeSet<String>,
    kept: BTreeSet<String>,
    rest: Owed,
    wish: Option<Key>,
    quits: bool,
    running: Option<Running>,
    last: Option<Selection>,
}

impl Watch {
    /// `always_all`: each run that a change brings about goes on with all other tests.
    pub fn new(always_all: bool) -> Self {
        Self { always_all, rest: Owed::Now, ..Self::default() }
    }

    /// What is known of the project.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Whether a run is going on.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The first run.
    pub fn start(&mut self) -> Vec<Action> {
        self.go_on()
    }

    /// These paths changed, appeared or went away.
    pub fn changed(&mut self, paths: BTreeSet<String>) -> Vec<Action> {
        let mut unused = BTreeSet::new();
        let mut new = BTreeSet::new();
        for path in paths {
            if self.running.is_some() && self.graph.is_written(&path) {
                continue;
            }
            let known = self.graph.known_as(&path);
            if !known.is_empty() {
                new.extend(known);
            } else if !self.graph.is_known() || self.graph.may_have_tests(&path) {
                new.insert(path);
            } else {
                unused.insert(path);
            }
        }
        let mut touched = self.graph.dependents(&new);
        touched.extend(new.iter().cloned());
        self.due.extend(new.iter().cloned());
        match &mut self.running {
            None if !new.is_empty() => self.go_on(),
            None if unused.is_empty() => Vec::new(),
            None => vec![Action::Say(Said::Unused(unused)), Action::Say(Said::Waiting)],
            Some(running) => {
                let is_touched = if self.graph.is_known() {
                    running.selection.touches(&touched, &self.graph)
                } else {
                    new.iter().any(|path| self.graph.may_have_tests(path))
                };
                if !is_touched || running.is_cancelled || running.debug {
                    return Vec::new();
                }
                running.is_cancelled = true;
                vec![Action::Say(Said::Pointless(new)), Action::Cancel]
            }
        }
    }

    /// Nobody knows what has changed.
    pub fn lost_track(&mut self) -> Vec<Action> {
        self.rest = Owed::Now;
        match self.running {
            None => self.go_on(),
            Some(_) => self.cancel(),
        }
    }

    /// Somebody has pressed a key.
    pub fn pressed(&mut self, key: Key) -> Vec<Action> {
        if key == Key::Quit {
            self.quits = true;
        } else {
            self.wish = Some(key);
        }
        match self.running {
            None => self.go_on(),
            Some(_) => self.cancel(),
        }
    }

    fn cancel(&mut self) -> Vec<Action> {
        match &mut self.running {
            Some(running) if !running.is_cancelled => {
                running.is_cancelled = true;
                vec![Action::Cancel]
            }
            _ => Vec::new(),
        }
    }

    /// The run is over; `None` where it ended before it could tell anything.
    pub fn ended(&mut self, told: Option<Told>) -> Vec<Action> {
        let Some(running) = self.running.take() else { return Vec::new() };
        let mut actions = Vec::new();
        let mut is_complete = false;
        if let Some(told) = told {
            is_complete = told.is_complete();
            actions.push(self.learn(told, &running));
        }
        if running.is_cancelled {
            self.due.extend(running.changes);
            // Whoever asks for something else does not want the rest of what there was.
            if running.rest && self.wish.is_none() {
                self.rest = Owed::Now;
            }
        } else if !is_complete {
            if running.rest || !running.changes.is_empty() {
                actions.push(Action::Say(Said::Incomplete));
            }
            self.kept.extend(running.changes);
            if running.rest && self.rest == Owed::No {
                self.rest = Owed::Later;
            }
        }
        actions.extend(self.go_on());
        actions
    }

    fn learn(&mut self, told: Told, running: &Running) -> Action {
        // What was saved since the run began, by the run itself.
        self.due.retain(|file| !told.wrote.contains(file));
        self.graph.see(told.more, told.wrote);
        if let Some(learned) = told.learned {
            self.graph.learn(learned);
        }
        for (id, has_failed) in told.finished {
            if has_failed {
                self.red.insert(id);
            } else {
                self.red.remove(&id);
            }
        }
        let mut gone = BTreeSet::new();
        if told.selected.is_some() || !told.broken.is_empty() {
            // What was looked at and is not among these can be collected.
            self.red.retain(|id| !is_file(id) || !running.selection.names(id));
            self.red.extend(told.broken);
        }
        if let Some(selected) = told.selected {
            let is_gone = |id: &&String| running.selection.failed.contains(*id) && !selected.contains(*id);
            gone = self.red.iter().filter(|id| !is_file(id)).filter(is_gone).cloned().collect();
            self.red.retain(|id| !gone.contains(id));
        }
        let before = &running.red_before;
        let fixed = before.difference(&self.red).filter(|id| !gone.contains(*id)).cloned().collect();
        let broken = self.red.difference(before).cloned().collect();
        Action::Say(Said::Turned { fixed, broken, red: self.red.len() })
    }

    fn go_on(&mut self) -> Vec<Action> {
        if self.quits {
            return vec![Action::Quit];
        }
        if let Some(wish) = self.wish.take() {
            return match self.selection_of(wish.clone()) {
                Ok(selection) => vec![self.run(selection, wish == Key::Debug, Why::Asked)],
                Err(said) => [vec![Action::Say(said)], self.go_on()].concat(),
            };
        }
        if self.graph.is_known() {
            // What was saved before anybody could know who uses it.
            let graph = &self.graph;
            let is_used = |path: &String| !graph.known_as(path).is_empty() || graph.may_have_tests(path);
            self.due.retain(is_used);
            self.kept.retain(is_used);
        }
        if self.due.is_empty() && self.rest != Owed::Now {
            return vec![Action::Say(Said::Waiting)];
        }
        let why = if self.due.is_empty() { Why::Start } else { Why::Saved(self.due.clone()) };
        let selection = self.take_what_is_due();
        vec![self.run(selection, false, why)]
    }

    fn selection_of(&mut self, wish: Key) -> Result<Selection, Said> {
        match wish {
            Key::All => {
                self.rest = Owed::Now;
                Ok(self.take_what_is_due())
            }
            Key::Failed | Key::Debug if self.red.is_empty() => Err(Said::NothingFailed),
            Key::Failed | Key::Debug => Ok(Selection { failed: self.red.clone(), ..Selection::default() }),
            Key::Last | Key::Quit => self.last.clone().ok_or(Said::NothingRan),
            Key::File(part) => {
                let named: BTreeSet<String> =
                    self.graph.tests.iter().filter(|file| file.contains(&part)).cloned().collect();
                if named.is_empty() {
                    return Err(Said::NoSuchFile(part));
                }
                let failed = self.red.iter().filter(|id| named.contains(file_of(id))).cloned().collect();
                Ok(Selection { failed, changed: named, ..Selection::default() })
            }
        }
    }

    /// All that changes ask for. It stays what is to be done until [`Watch::run`] has taken it.
    fn take_what_is_due(&self) -> Selection {
        let changed: BTreeSet<String> = self.due.union(&self.kept).cloned().collect();
        Selection {
            failed: self.red.clone(),
            dependent: self.graph.dependents(&changed),
            changed,
            rest: self.always_all || self.rest != Owed::No,
        }
    }

    fn run(&mut self, selection: Selection, debug: bool, why: Why) -> Action {
        let covers = |file: &String| {
            selection.rest || (selection.changed.contains(file) && !matches!(why, Why::Asked))
        };
        let is_for_changes = self.due.iter().chain(&self.kept).all(covers);
        let mut changes = BTreeSet::new();
        let mut rest = false;
        if is_for_changes {
            changes = std::mem::take(&mut self.due);
            changes.append(&mut self.kept);
            if selection.rest {
                rest = true;
                self.rest = Owed::No;
            }
        }
        self.last = Some(selection.clone());
        self.running = Some(Running {
            selection: selection.clone(),
            changes,
            rest,
            debug,
            is_cancelled: false,
            red_before: self.red.clone(),
        });
        Action::Run { selection, debug, why }
    }
}
