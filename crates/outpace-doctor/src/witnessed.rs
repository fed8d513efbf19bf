//! What the kernel tells of a test, whoever did it: Python, code in C, a subprocess.
//!
//! The kernel does not say who it was. So a thing counts only if it is the same in two processes (a name may hold a
//! process id), and only where Python did not tell of it already.

use std::collections::{BTreeMap, BTreeSet};

use crate::examine::{Examination, Lab};
use crate::record::Round;
use crate::thing::{Kind, Mode, Thing, Touch, common, within};

/// What happened to a path while a test ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that the kernel tells")]
pub struct Seen {
    /// Somebody opened it.
    pub opened: bool,
    /// Somebody closed it who could not write.
    pub read: bool,
    /// Somebody wrote to it, or could have.
    pub written: bool,
    /// It was made, or moved here.
    pub appeared: bool,
    /// It was removed, or moved away.
    pub vanished: bool,
    /// It is a folder.
    pub is_folder: bool,
    /// It is a socket.
    pub is_socket: bool,
}

/// A test touched a thing, as the kernel saw it in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The test.
    pub id: String,
    /// What it touched.
    pub touch: Touch,
    /// Whether nobody but the run has to do with it: the project's folder, its own temporary folder, its ports.
    pub is_near: bool,
}

/// What a database has beside its file while it is written to.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];
const DATABASES: [&str; 4] = [".db", ".db3", ".sqlite", ".sqlite3"];

/// What a test did to things, from what happened to paths.
pub fn deeds(seen: &BTreeMap<String, Seen>) -> BTreeSet<(Thing, Mode)> {
    let mut found = BTreeSet::new();
    let mut add = |kind, name: &str, mode| {
        found.insert((Thing { kind, name: name.to_owned() }, mode));
    };
    let removed: Vec<&str> = seen
        .iter()
        .filter(|(path, each)| is_removed_tree(path, **each, seen))
        .map(|(path, _)| path.as_str())
        .collect();
    for (path, each) in seen {
        let came_or_went = each.appeared || each.vanished;
        let goes_with_its_folder = removed.iter().any(|folder| path != folder && within(path, folder));
        if removed.contains(&path.as_str()) {
            add(Kind::Tree, path, Mode::Write);
            add(Kind::Listing, parent(path), Mode::Write);
        } else if is_companion(path, seen) {
            continue;
        } else {
            let kind = match each {
                Seen { is_socket: true, .. } => Kind::Port,
                Seen { is_folder: false, .. } if is_database(path, seen) => Kind::Database,
                _ => Kind::File,
            };
            if each.written || each.appeared || (each.vanished && !goes_with_its_folder) {
                add(kind, path, Mode::Write);
            }
            if came_or_went && !goes_with_its_folder {
                add(Kind::Listing, parent(path), Mode::Write);
            }
            if !each.is_folder && (each.read || (each.opened && !each.written)) {
                add(kind, path, Mode::Read);
            }
        }
        if each.is_folder && each.opened {
            add(Kind::Listing, path, Mode::Read);
        }
    }
    found
}

fn is_removed_tree(path: &str, each: Seen, seen: &BTreeMap<String, Seen>) -> bool {
    each.is_folder
        && each.vanished
        && seen.iter().any(|(other, child)| child.vanished && other != path && within(other, path))
}

fn is_companion(path: &str, seen: &BTreeMap<String, Seen>) -> bool {
    COMPANIONS.iter().filter_map(|end| path.strip_suffix(end)).any(|base| seen.contains_key(base))
}

fn is_database(path: &str, seen: &BTreeMap<String, Seen>) -> bool {
    DATABASES.iter().any(|end| path.ends_with(end))
        || COMPANIONS.iter().any(|end| seen.contains_key(&format!("{path}{end}")))
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

/// Of what was seen of a run, that in which two tests could meet: two touched it, one of them writing. Of a port only that
/// it is had is seen, so that it is kept in any case.
pub fn shared(witnessed: Vec<Witnessed>) -> Vec<Witnessed> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut trees = Vec::new();
    for (number, each) in witnessed.iter().enumerate() {
        by_name.entry(each.touch.thing.name.clone()).or_default().push(number);
        if each.touch.thing.kind == Kind::Tree {
            trees.push(number);
        }
    }
    let meets = |one: usize, other: &usize| {
        let (one, other) = (&witnessed[one], &witnessed[*other]);
        one.id != other.id && common(&one.touch, &other.touch).is_some()
    };
    let keep: Vec<bool> = (0..witnessed.len())
        .map(|number| {
            let name = &witnessed[number].touch.thing.name;
            let is_tree = witnessed[number].touch.thing.kind == Kind::Tree;
            let all: Vec<usize> = if is_tree { (0..witnessed.len()).collect() } else { Vec::new() };
            witnessed[number].touch.thing.kind == Kind::Port
                || by_name[name].iter().chain(&trees).chain(&all).any(|other| meets(number, other))
        })
        .collect();
    witnessed.into_iter().zip(keep).filter_map(|(each, keep)| keep.then_some(each)).collect()
}

impl<L: Lab> Examination<'_, L> {
    /// Adds to what Python told of each test what the kernel saw in the serial run and in the reversed one.
    pub(crate) fn hear_the_kernel(&mut self) {
        let (one, other) = (&self.serial.witnessed, &self.reversed.witnessed);
        let mut found: BTreeMap<String, Vec<Touch>> = BTreeMap::new();
        for (these, those, round) in [(one, other, &self.reversed), (other, one, &self.serial)] {
            let told = round.tests.iter().flat_map(|test| &test.touches).map(|touch| &touch.thing);
            let things: BTreeSet<&Thing> = those.iter().map(|each| &each.touch.thing).chain(told).collect();
            let same: BTreeSet<(&str, &Thing)> =
                those.iter().map(|each| (each.id.as_str(), &each.touch.thing)).collect();
            for each in these {
                let thing = &each.touch.thing;
                let is_certain =
                    same.contains(&(each.id.as_str(), thing)) || (each.is_near && things.contains(thing));
                let known = found.entry(each.id.clone()).or_default();
                if is_certain && !is_told(known, &each.touch) {
                    known.push(each.touch.clone());
                }
            }
        }
        for (id, touches) in &mut found {
            let told = self.touches_of(id);
            touches.retain(|touch| !is_told(&told, touch));
        }
        found.retain(|_, touches| !touches.is_empty());
        self.witnessed = found;
    }

    /// What only the kernel saw a test touch.
    pub(crate) fn witnessed_of(&self, id: &str) -> &[Touch] {
        self.witnessed.get(id).map_or(&[], Vec::as_slice)
    }

    /// Everything that a test touched in that run, as far as Python told, and what the kernel saw it touch in others.
    pub(crate) fn all_of(&self, round: &Round, id: &str) -> Vec<Touch> {
        let told = round.tests.iter().filter(|test| test.id == id).flat_map(|test| &test.touches);
        told.chain(self.witnessed_of(id)).cloned().collect()
    }
}

/// Whether one of these says the same, or more.
fn is_told(told: &[Touch], touch: &Touch) -> bool {
    told.iter().any(|known| {
        let (a, b) = (&known.thing, &touch.thing);
        (known.mode == touch.mode && a.is_same(b))
            || (a.kind == Kind::Tree && touch.mode == Mode::Write && within(&b.name, &a.name))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn happened(paths: &[(&str, Seen)]) -> Vec<(Kind, String, Mode)> {
        let seen = paths.iter().map(|(path, each)| ((*path).to_owned(), *each)).collect();
        deeds(&seen).into_iter().map(|(thing, mode)| (thing.kind, thing.name, mode)).collect()
    }

    const READ: Seen = Seen {
        opened: true,
        read: true,
        written: false,
        appeared: false,
        vanished: false,
        is_folder: false,
        is_socket: false,
    };
    const MADE: Seen = Seen { opened: true, read: false, written: true, appeared: true, ..READ };
    const GONE: Seen = Seen { opened: false, read: false, vanished: true, ..READ };
    const FOLDER: Seen = Seen { opened: true, read: false, is_folder: true, ..READ };

    #[test]
    fn a_file_is_read_or_made() {
        assert_eq!(happened(&[("/p/a", READ)]), [(Kind::File, "/p/a".to_owned(), Mode::Read)]);
        assert_eq!(
            happened(&[("/p/a", MADE)]),
            [(Kind::File, "/p/a".to_owned(), Mode::Write), (Kind::Listing, "/p".to_owned(), Mode::Write)]
        );
        assert_eq!(happened(&[("/p", FOLDER)]), [(Kind::Listing, "/p".to_owned(), Mode::Read)]);
    }

    #[test]
    fn a_database_is_known_by_its_journal() {
        let written = Seen { written: true, read: false, ..READ };
        let journal = Seen { vanished: true, ..MADE };
        assert_eq!(
            happened(&[("/p/shop", written), ("/p/shop-journal", journal)]),
            [(Kind::Database, "/p/shop".to_owned(), Mode::Write)]
        );
        assert_eq!(happened(&[("/p/x-journal", MADE)])[0].0, Kind::File);
    }

    #[test]
    fn a_folder_that_goes_with_all_that_is_in_it_is_one_thing() {
        let gone = Seen { is_folder: true, ..GONE };
        assert_eq!(
            happened(&[("/p/b", gone), ("/p/b/x", GONE), ("/p/b/y", GONE), ("/p/bc", READ)]),
            [
                (Kind::File, "/p/bc".to_owned(), Mode::Read),
                (Kind::Listing, "/p".to_owned(), Mode::Write),
                (Kind::Tree, "/p/b".to_owned(), Mode::Write),
            ]
        );
    }

    fn witnessed() -> impl Strategy<Value = Witnessed> {
        let kinds =
            prop::sample::select(vec![Kind::File, Kind::Database, Kind::Listing, Kind::Tree, Kind::Port]);
        let names = prop::sample::select(vec!["/a", "/a/b", "/a/b/c", "/d", "80"]);
        let ids = prop::sample::select(vec!["one", "two", "three"]);
        (kinds, names, ids, any::<bool>()).prop_map(|(kind, name, id, writes)| Witnessed {
            id: id.to_owned(),
            touch: Touch {
                mode: if writes { Mode::Write } else { Mode::Read },
                ..Touch::of(Thing { kind, name: name.to_owned() })
            },
            is_near: true,
        })
    }

    proptest! {
        #[test]
        fn exactly_what_two_can_meet_on_is_kept(all in prop::collection::vec(witnessed(), 0..12)) {
            let kept = shared(all.clone());
            for each in &all {
                let meets = all.iter().any(|other| {
                    other.id != each.id && common(&each.touch, &other.touch).is_some()
                });
                prop_assert_eq!(kept.contains(each), meets || each.touch.thing.kind == Kind::Port);
            }
        }
    }
}
