use outpace_doctor::{By, Kind, Mode, Thing, Touch, common, meetings};
use proptest::prelude::*;

fn touch(kind: Kind, name: &str, mode: Mode, line: u32) -> Touch {
    Touch {
        thing: Thing { kind, name: name.to_owned() },
        mode,
        place: format!("a.py:{line}"),
        private: false,
        lasting: false,
        by: By::Python,
    }
}

fn any_touch() -> impl Strategy<Value = Touch> {
    let kinds = prop::sample::select(vec![
        Kind::File,
        Kind::Listing,
        Kind::Tree,
        Kind::Database,
        Kind::Port,
        Kind::Server,
        Kind::Variable,
    ]);
    let names = prop::sample::select(vec!["/a", "/a/b", "/a/b/c", "/ab", "80"]);
    (kinds, names, any::<bool>())
        .prop_map(|(kind, name, write)| touch(kind, name, if write { Mode::Write } else { Mode::Read }, 1))
}

proptest! {
    /// Two that only look never meet, and whether two meet does not depend on who is named first.
    #[test]
    fn meeting_is_mutual_and_needs_a_change(one in any_touch(), other in any_touch()) {
        let (there, back) = (common(&one, &other), common(&other, &one));
        prop_assert_eq!(there.is_some(), back.is_some());
        if one.mode == Mode::Read && other.mode == Mode::Read {
            prop_assert_eq!(there, None);
        }
    }
}

#[test]
fn a_removed_folder_meets_what_is_in_it_and_not_its_namesakes() {
    let removed = touch(Kind::Tree, "/tmp/build", Mode::Write, 1);
    assert!(common(&removed, &touch(Kind::File, "/tmp/build/a", Mode::Read, 2)).is_some());
    assert!(common(&removed, &touch(Kind::File, "/tmp/builder", Mode::Write, 2)).is_none());
}

#[test]
fn two_that_add_files_to_one_folder_do_not_meet_on_its_list() {
    let adds = touch(Kind::Listing, "/tmp", Mode::Write, 1);
    assert_eq!(common(&adds, &adds), None);
    assert!(common(&adds, &touch(Kind::Listing, "/tmp", Mode::Read, 1)).is_some());
}

#[test]
fn who_writes_and_who_reads_are_named() {
    let writer = [touch(Kind::File, "/f", Mode::Read, 1), touch(Kind::File, "/f", Mode::Write, 2)];
    let reader = [touch(Kind::File, "/f", Mode::Write, 3), touch(Kind::File, "/f", Mode::Read, 4)];
    let met = meetings(&writer, &reader, false);
    assert_eq!(met.len(), 1);
    assert_eq!((met[0].first.place.as_str(), met[0].second.place.as_str()), ("a.py:2", "a.py:4"));
}

#[test]
fn of_a_port_the_two_that_bind_it_are_named() {
    let one = [touch(Kind::Port, "80", Mode::Write, 1), touch(Kind::Port, "80", Mode::Read, 2)];
    let met = meetings(&one, &one, false);
    assert_eq!((met[0].first.place.as_str(), met[0].second.place.as_str()), ("a.py:1", "a.py:1"));
}

#[test]
fn folders_of_a_workers_own_are_not_shared() {
    let mine = Touch { private: true, ..touch(Kind::File, "/f", Mode::Write, 1) };
    let theirs = touch(Kind::File, "/f", Mode::Write, 2);
    assert!(meetings(std::slice::from_ref(&mine), std::slice::from_ref(&theirs), false).is_empty());
    assert_eq!(meetings(&[mine], &[theirs], true).len(), 1);
}
